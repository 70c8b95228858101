/* oracle_own: what the two parts of the oracle share. */
#ifndef TESTS_SEEDS_ORACLE_OWN_H
#define TESTS_SEEDS_ORACLE_OWN_H

#include "oracle.h"

/* Of a topic, in order of ids. */
struct log {
    unsigned *numbers;
    size_t count, cap;
    struct topic_keep keep;
    unsigned newest[KEYS]; /* numbers; 0: none */
};

struct ledger {
    struct event *events; /* by number, from 1 on */
    unsigned count, cap;
    struct log logs[TOPICS];
    uint64_t there;    /* so many events have been there so far, see event.order, */
    uint64_t known;    /* ... and so many of them every worker has been told of */
    event_id start;    /* of this server; */
    event_id mixed;    /* of the last one before which something durable was not kept */
    bool without_data; /* it has no store */
    event_id run_lost; /* start of the last one without a store, which is over */
};
extern struct ledger ledger;

static inline struct event *event_at(size_t topic, size_t i) {
    return &ledger.events[ledger.logs[topic].numbers[i]];
}
/* This server does not have it, whatever topics keep. */
bool event_is_out_of_reach(const struct event *event);
/* The topic is closed, or is being closed, with this end; NULL: it is open. It may be open all the
 * same if the end may be gone. */
struct event *oracle_end_of(size_t topic);
/* The same at that place in the order of all events. */
struct event *oracle_end_at(size_t topic, event_id at);
/* It is closed, and must be. */
bool oracle_is_closed(size_t topic);

#endif

/* sent: publications on their way. */
#ifndef TESTS_SEEDS_SENT_H
#define TESTS_SEEDS_SENT_H

#include "oracle.h"

/* What is published: an event, an end, or both. */
struct sending {
    size_t topic;
    int key; /* -1: none */
    bool event, end;
    bool only;        /* it takes the place of all before it */
    uint64_t wait_ms; /* for those with the policy block; 0: not */
};

void sent_init(void);
/* On behalf of one of the workers. True: it waits for somebody. */
bool sent_publish(const struct sending *sending);
/* Hears what became of what was published. A publication that would wait and was appended, or is
 * being committed, is told to `passed`: workers knew of so many events before it, and it has waited
 * for as long as it would, `in_vain`, or not. */
void sent_hear(void);
extern void (*sent_passed)(size_t topic, uint64_t before, bool in_vain);
/* Whether all that was published is there, or has failed, but for what waits for somebody. */
bool sent_is_settled(void);
/* Whether one to the topic waits. */
bool sent_waits_for(size_t topic);
/* Calls `each` for the topic of each publication that waits. */
void sent_each_waiting(void (*each)(size_t topic));
/* The server is over: whatever becomes of what is on its way, nobody is told. */
void sent_give_up(void);
/* Another begins. */
void sent_begin(void);

#endif

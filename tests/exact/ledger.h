/* ledger: what was published, what each client was given, and whether the two agree. */
#ifndef TESTS_EXACT_LEDGER_H
#define TESTS_EXACT_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#define TOPICS_MAX 16

struct id {
    uint64_t ms, seq;
};

/* Losses that a client was told: of all after `from`, up to and with `to`. */
struct gap {
    struct id from, to;
    int64_t lost; /* -1: not known */
};

/* What one client was given. */
struct record {
    char name[64];               /* of the client, for messages */
    uint32_t topics;             /* a bit for each it subscribes to */
    uint8_t *seen[TOPICS_MAX];   /* a bit for each number */
    uint32_t newest[TOPICS_MAX]; /* number */
    struct id position;          /* of the last event or gap */
    char position_text[64];      /* as it came */
    struct gap *gaps;
    uint32_t gap_count;
    uint64_t events;
};

struct entry {
    struct id id; /* 0-0: nobody has seen it yet */
    bool acknowledged;
};

struct ledger {
    uint32_t topic_count, room; /* numbers of a topic go from 1 to room */
    struct entry *entries[TOPICS_MAX];
    uint32_t final[TOPICS_MAX]; /* the last number; 0 while there may be more */
};

/* Prints what is wrong and exits with 1. */
_Noreturn void ledger_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

void ledger_init(struct ledger *ledger, uint32_t topics, uint32_t room);
void ledger_fini(struct ledger *ledger);
/* The server has answered that this event is published. */
void ledger_acknowledge(struct ledger *ledger, const char *data, const char *id);

void record_init(struct record *record, const struct ledger *ledger, uint32_t topics,
                 const char *start);
void record_fini(struct record *record);
void record_event(struct record *record, struct ledger *ledger, const char *data, const char *id);
/* `first`: nothing else has come over this connection, so that the loss need not be known. */
void record_gap(struct record *record, const char *data, const char *id, bool first);
/* Whether nothing more can come: the position is not before the last event of any topic. */
bool record_is_complete(const struct record *record, const struct ledger *ledger);
/* Compares: each event came, or is in a gap that was told, whose count is right. */
void record_verify(const struct record *record, const struct ledger *ledger);

#endif

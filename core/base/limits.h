/* limits: what a peer or a script may take, each with its default (lua/REFERENCE.md, "Limits and
 * numbers"). Sizes in bytes, times in milliseconds. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include "base/counter.h"
#include "base/str.h"

#define LIMITS_SHARED_MEMORY (64ull << 20) /* until an app has said otherwise */

struct limits {
    uint64_t head_bytes, head_fields, target_bytes;
    uint64_t body_bytes, event_bytes, token_bytes;
    uint64_t shared_memory, tickets, subscriptions;
    uint64_t high_mark, low_mark, turn_bytes;
    uint64_t keepalive_timeout, head_timeout, progress_timeout, drain_timeout;
    uint64_t connections;
    /* None while they are 0: */
    uint64_t connections_per_address, connection_rate, connection_burst, streams_per_sub;
    uint64_t hub_memory;
    uint64_t cpu_time, lua_memory; /* of one app's Lua; 0: none */
};

enum limit_kind { LIMIT_COUNT, LIMIT_BYTES, LIMIT_SECONDS };

/* One row of the table: how weir.limits{ name = value } finds its field. */
struct limit_row {
    const char *name;
    enum limit_kind kind;
    size_t offset;
    uint64_t least, most; /* the values that make sense */
    bool own;             /* each app has its own value, else the lowest of all apps' holds */
};

extern const struct limits limits_default;  /* without `connections`, see limits_init */
extern const struct limit_row limit_rows[]; /* ends with a NULL name */

/* The defaults, `connections` taken from RLIMIT_NOFILE (80 %, see limits_leave). */
void limits_init(struct limits *limits);
/* Fewer `connections`, if so many and `own` descriptors are more than there may be; some are left
 * to tell those that are too many. */
void limits_leave(struct limits *limits, uint64_t own);
/* How many more than `connections` are told so; the rest waits in the kernel's queue. */
static inline uint64_t limits_refused(uint64_t connections) {
    return connections / 16 + 16;
}
/* NULL: no such limit. */
const struct limit_row *limits_find(struct str name);
/* One below row->least is not set. */
uint64_t limits_get(const struct limits *limits, const struct limit_row *row);
/* 0, or -1: below row->least or above row->most. */
int limits_set(struct limits *limits, const struct limit_row *row, uint64_t value);
/* Takes those over from `from` that are not each app's own. */
void limits_take(struct limits *limits, const struct limits *from);

/* Whose being reached is counted, for the process; the guard counts its own. */
enum limit_reached {
    REACHED_CONNECTIONS,
    REACHED_CONNECTIONS_PER_ADDRESS,
    REACHED_CONNECTION_RATE,
    REACHED_STREAMS_PER_SUB,
    REACHED_TARGET_BYTES,
    REACHED_HEAD_BYTES, /* head_fields, too */
    REACHED_HEAD_TIMEOUT,
    REACHED_BODY_BYTES,
    REACHED_EVENT_BYTES,
    REACHED_SHARED_MEMORY,
    REACHED_LIMITS
};
/* From any thread. */
void limits_reached(enum limit_reached which);
extern const struct counter_row limits_counter_rows[];
#define LIMITS_METRIC "limits_reached"
#define LIMITS_HELP "How often a limit of weir.limits was reached."

#endif

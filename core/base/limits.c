/* limits: what a peer or a script may take.
 *
 * One table names every limit with its unit; the defaults stand beside it. Limits are the
 * process's, and of several apps that set one the lowest wins, but for those of an app's own Lua.
 * Each host and each generation has a copy of its own, so workers share no lock. */
#include "base/limits.h"

#include <sys/resource.h>

#define KIB 1024

const struct limits limits_default = {
    .head_bytes = 16 * KIB,
    .head_fields = 100,
    .target_bytes = 8 * KIB,
    .body_bytes = 1024 * KIB,
    .event_bytes = 256 * KIB,
    .token_bytes = 16 * KIB,
    .shared_memory = LIMITS_SHARED_MEMORY,
    .tickets = 20000,
    .subscriptions = 1000,
    .high_mark = 64 * KIB,
    .low_mark = 16 * KIB,
    .turn_bytes = 256 * KIB,
    .keepalive_timeout = 75000,
    .head_timeout = 10000,
    .progress_timeout = 30000,
    .drain_timeout = 10000,
    .hub_memory = 256 * 1024 * KIB,
    .cpu_time = 1000,
    .lua_memory = 256 * 1024 * KIB,
};

#define ANY (1ull << 31)
#define ROW(field, kind, least, most)                                                              \
    { #field, kind, offsetof(struct limits, field), least, most, false }
#define OWN_ROW(field, kind, least, most)                                                          \
    { #field, kind, offsetof(struct limits, field), least, most, true }

const struct limit_row limit_rows[] = {
    ROW(head_bytes, LIMIT_BYTES, 256, 64 * KIB),
    ROW(head_fields, LIMIT_COUNT, 1, 10000),
    ROW(target_bytes, LIMIT_BYTES, 1, 32 * KIB),
    ROW(body_bytes, LIMIT_BYTES, 0, ANY),
    ROW(event_bytes, LIMIT_BYTES, 1, ANY),
    ROW(token_bytes, LIMIT_BYTES, 1, 64 * KIB),
    ROW(shared_memory, LIMIT_BYTES, 0, 1ull << 40),
    ROW(tickets, LIMIT_COUNT, 1, ANY),
    ROW(subscriptions, LIMIT_COUNT, 1, ANY),
    ROW(high_mark, LIMIT_BYTES, 1024, ANY),
    ROW(low_mark, LIMIT_BYTES, 1, ANY),
    ROW(turn_bytes, LIMIT_BYTES, 1024, ANY),
    ROW(keepalive_timeout, LIMIT_SECONDS, 1, ANY),
    ROW(head_timeout, LIMIT_SECONDS, 1, ANY),
    ROW(progress_timeout, LIMIT_SECONDS, 1, ANY),
    ROW(connections, LIMIT_COUNT, 1, ANY),
    ROW(connections_per_address, LIMIT_COUNT, 1, ANY),
    ROW(connection_rate, LIMIT_COUNT, 1, ANY),
    ROW(connection_burst, LIMIT_COUNT, 1, ANY),
    ROW(streams_per_sub, LIMIT_COUNT, 1, ANY),
    ROW(hub_memory, LIMIT_BYTES, 1024 * KIB, 1ull << 40),
    ROW(drain_timeout, LIMIT_SECONDS, 0, ANY),
    /* less than these is not seen in time, or does not hold Weir's own modules */
    OWN_ROW(cpu_time, LIMIT_SECONDS, 50, ANY),
    OWN_ROW(lua_memory, LIMIT_BYTES, 4096 * KIB, 1ull << 40),
    {NULL, 0, 0, 0, 0, false},
};

void limits_init(struct limits *limits) {
    *limits = limits_default;
    struct rlimit files = {.rlim_cur = 1024};
    getrlimit(RLIMIT_NOFILE, &files);
    limits->connections = files.rlim_cur / 5 * 4;
}

void limits_leave(struct limits *limits, uint64_t own) {
    struct rlimit files = {.rlim_cur = 1024};
    getrlimit(RLIMIT_NOFILE, &files);
    uint64_t left = files.rlim_cur > own ? files.rlim_cur - own : 0;
    while (limits->connections > 1 &&
           limits->connections + limits_refused(limits->connections) > left)
        limits->connections--;
}

static uint64_t *slot(const struct limits *limits, const struct limit_row *row) {
    return (uint64_t *)((char *)limits + row->offset);
}

const struct limit_row *limits_find(struct str name) {
    for (const struct limit_row *row = limit_rows; row->name; row++)
        if (str_eq(name, str_of(row->name)))
            return row;
    return NULL;
}

uint64_t limits_get(const struct limits *limits, const struct limit_row *row) {
    return *slot(limits, row);
}

int limits_set(struct limits *limits, const struct limit_row *row, uint64_t value) {
    if (value < row->least || value > row->most)
        return -1;
    *slot(limits, row) = value;
    return 0;
}

void limits_take(struct limits *limits, const struct limits *from) {
    for (const struct limit_row *row = limit_rows; row->name; row++)
        if (!row->own)
            *slot(limits, row) = *slot(from, row);
}

/* --- how often they were reached --- */

static uint64_t reached[REACHED_LIMITS];

void limits_reached(enum limit_reached which) {
    __atomic_add_fetch(&reached[which], 1, __ATOMIC_RELAXED);
}

static uint64_t read_reached(size_t which) {
    return counter_read(&reached[which]);
}

#define REACHED(limit, which)                                                                      \
    {                                                                                              \
        "reached_" limit, LIMITS_HELP, COUNTER, read_reached, which, LIMITS_METRIC,                \
            "limit=\"" limit "\""                                                                  \
    }

const struct counter_row limits_counter_rows[] = {
    REACHED("connections", REACHED_CONNECTIONS),
    REACHED("connections_per_address", REACHED_CONNECTIONS_PER_ADDRESS),
    REACHED("connection_rate", REACHED_CONNECTION_RATE),
    REACHED("streams_per_sub", REACHED_STREAMS_PER_SUB),
    REACHED("target_bytes", REACHED_TARGET_BYTES),
    REACHED("head_bytes", REACHED_HEAD_BYTES),
    REACHED("head_timeout", REACHED_HEAD_TIMEOUT),
    REACHED("body_bytes", REACHED_BODY_BYTES),
    REACHED("event_bytes", REACHED_EVENT_BYTES),
    REACHED("shared_memory", REACHED_SHARED_MEMORY),
    {0},
};

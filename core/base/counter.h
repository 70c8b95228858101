/* counter: a number that one thread counts and any may read, and the tables of those that the
 * process shows: each area has one, of rows that end with one without a name. weir.stats shows each
 * under its name, /metrics (serve/metrics) by the rules of Prometheus. */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stddef.h>
#include <stdint.h>

/* By the thread whose counter it is; (uint64_t)-1 counts down. */
static inline void counter_add(uint64_t *counter, uint64_t n) {
    __atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

static inline uint64_t counter_read(const uint64_t *counter) {
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

enum counter_kind {
    COUNTER, /* of what has happened since the process began */
    GAUGE    /* of what there is now */
};

struct counter_row {
    const char *name, *help; /* letters, digits and '_'; a sentence */
    enum counter_kind kind;
    uint64_t (*read)(size_t at); /* from any thread */
    size_t at;                   /* read's: which of those that it reads */
    const char *metric;          /* its name in /metrics, unless that is `name` */
    /* What tells it from others with that metric, whose help and kind are the same, such as
     * `reason="done"`; NULL: there are no others. */
    const char *label;
};

/* Adds `n` counters to as many sums, in their order. */
static inline void counters_sum(uint64_t *sums, const uint64_t *counters, size_t n) {
    for (size_t i = 0; i < n; i++)
        sums[i] += counter_read(&counters[i]);
}

#endif

/* counter: a number that one thread counts and any may read. */
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

/* Adds `n` counters to as many sums, in their order. */
static inline void counters_sum(uint64_t *sums, const uint64_t *counters, size_t n) {
    for (size_t i = 0; i < n; i++)
        sums[i] += counter_read(&counters[i]);
}

#endif

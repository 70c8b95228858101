/* histogram: how long something took, how often: counts between fixed bounds. One thread counts,
 * any may read (base/counter). */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include "base/counter.h"

/* Of milliseconds, as clocks and loops here have them. Both ends of what is measured are rounded
 * down, so that the sum is right on average, and what takes less than 2 ms is in the first. */
#define HISTOGRAM_BOUNDS 14
extern const uint32_t histogram_bounds[HISTOGRAM_BOUNDS];

struct histogram {
    uint64_t counts[HISTOGRAM_BOUNDS + 1]; /* up to each bound and above the one before; the rest */
    uint64_t sum;                          /* ms */
};

static inline void histogram_add(struct histogram *histogram, uint64_t ms) {
    int i = 0;
    while (i < HISTOGRAM_BOUNDS && ms > histogram_bounds[i])
        i++;
    counter_add(&histogram->counts[i], 1);
    counter_add(&histogram->sum, ms);
}

/* Adds what `from` has counted. */
static inline void histogram_merge(struct histogram *to, const struct histogram *from) {
    counters_sum((uint64_t *)to, (const uint64_t *)from, sizeof *to / sizeof(uint64_t));
}

#endif

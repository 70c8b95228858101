/* rates: how often a key may come: a token bucket for each, over all workers; any thread may call.
 */
#ifndef COUNT_RATES_H
#define COUNT_RATES_H

#include "base/str.h"

#define RATES_KEYS_MAX 65536 /* buckets that are not full */

struct rate {
    double per_second; /* tokens that come, > 0 */
    double burst;      /* tokens that there are at most, >= 1 */
};

/* Takes a token of `key` in the buckets named `limiter`: 0, or after how many milliseconds one will
 * be there. */
uint64_t rates_take(struct str limiter, struct str key, const struct rate *rate);
/* Forgets all. */
void rates_clear(void);
/* Forgets buckets that are full again: how many are left. */
size_t rates_sweep(void);

#endif

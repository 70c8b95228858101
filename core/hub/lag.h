/* lag: how far behind somebody is, and how far he may be. */
#ifndef HUB_LAG_H
#define HUB_LAG_H

#include <stdint.h>

struct lag {
    uint64_t events, bytes;
};

struct position_limit {
    uint32_t events; /* UINT32_MAX: none */
    uint32_t bytes;
};

static inline void lag_add(struct lag *lag, struct lag more) {
    lag->events += more.events;
    lag->bytes += more.bytes;
}

#endif

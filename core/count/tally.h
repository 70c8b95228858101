/* tally: how many there are of each key now: connections of an address, streams of a subject.
 * Counted over all workers; any thread may call. */
#ifndef COUNT_TALLY_H
#define COUNT_TALLY_H

#include "base/map.h"

#include <pthread.h>

struct tally {
    pthread_mutex_t lock;
    struct map keys;
};

#define TALLY_INIT                                                                                 \
    { .lock = PTHREAD_MUTEX_INITIALIZER }

struct tallied; /* a key that somebody counts under */

/* One more of `key`, unless there are `limit` already: then NULL. Give it back with tally_leave. */
struct tallied *tally_join(struct tally *tally, struct str key, uint64_t limit);
void tally_leave(struct tally *tally, struct tallied *tallied);

#endif

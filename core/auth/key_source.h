/* key_source: where keys come from that may change while the server runs. */
#ifndef AUTH_KEY_SOURCE_H
#define AUTH_KEY_SOURCE_H

#include "auth/jwks.h"

#include <pthread.h>

struct key_source;

/* What a kind of source (key_file, later a URL) fills. All may be called by several threads. */
struct key_source_ops {
    /* Called with `now_ms` (clock_mono_ms) before keys are used: looks for new ones if it is time,
     * and publishes them, now or later. Must be cheap when it is not. */
    void (*poll)(struct key_source *source, uint64_t now_ms);
    /* Somebody needs a key that is not there: looks for it, unless it has just done so. */
    void (*missed)(struct key_source *source, uint64_t now_ms);
    void (*free)(struct key_source *source);
};

struct key_source { /* the first member of each kind */
    const struct key_source_ops *ops;
    unsigned version; /* atomic: counts what was published */
    int refs;         /* atomic */
    pthread_mutex_t lock;
    struct jwks *jwks;
};

/* With one reference; takes that to `jwks`. */
void key_source_init(struct key_source *source, const struct key_source_ops *ops,
                     struct jwks *jwks);
/* One more, for a registry that holds none of its own: false when the last one has gone. */
bool key_source_try_ref(struct key_source *source);
void key_source_unref(struct key_source *source); /* NULL is allowed; the last one frees it */

/* Replaces the keys; takes the reference. */
void key_source_publish(struct key_source *source, struct jwks *jwks);
/* Brings `*jwks`, a reference the caller holds (or NULL), and `*version` up to date. Whether they
 * changed. Looks for new keys when it is time, or, with `missed`, because one was not found. */
bool key_source_refresh(struct key_source *source, bool missed, struct jwks **jwks,
                        unsigned *version);

#endif

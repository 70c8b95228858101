/* key_source: where keys come from that may change while the server runs.
 *
 *     key_file (later a URL) --publish--> the current jwks, version n
 *                 ^  refresh: a reference, when the version is another
 *             policy, policy, policy ... each of one thread, with a reference of its own
 *
 * Who uses keys holds a reference to the set it last saw and the version that was, so that as long
 * as nothing changes a use costs one atomic load and what poll costs; the lock is for those who
 * publish, and for those who fetch what was published. A set that was replaced lives on until the
 * last who uses it has looked. Knows not where keys come from: that is the ops'. */
#include "auth/key_source.h"

#include "base/clock.h"

void key_source_init(struct key_source *source, const struct key_source_ops *ops,
                     struct jwks *jwks) {
    *source = (struct key_source){.ops = ops, .version = 1, .refs = 1, .jwks = jwks};
    pthread_mutex_init(&source->lock, NULL);
}

bool key_source_try_ref(struct key_source *source) {
    int refs = __atomic_load_n(&source->refs, __ATOMIC_RELAXED);
    while (refs > 0)
        if (__atomic_compare_exchange_n(&source->refs, &refs, refs + 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return true;
    return false;
}

void key_source_unref(struct key_source *source) {
    if (!source || __atomic_sub_fetch(&source->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    jwks_unref(source->jwks);
    pthread_mutex_destroy(&source->lock);
    source->ops->free(source);
}

void key_source_publish(struct key_source *source, struct jwks *jwks) {
    pthread_mutex_lock(&source->lock);
    struct jwks *old = source->jwks;
    source->jwks = jwks;
    __atomic_fetch_add(&source->version, 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&source->lock);
    jwks_unref(old);
}

static void take(struct key_source *source, struct jwks **jwks, unsigned *version) {
    struct jwks *old = *jwks;
    pthread_mutex_lock(&source->lock);
    *jwks = jwks_ref(source->jwks);
    *version = __atomic_load_n(&source->version, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&source->lock);
    jwks_unref(old);
}

bool key_source_refresh(struct key_source *source, bool missed, struct jwks **jwks,
                        unsigned *version) {
    (missed ? source->ops->missed : source->ops->poll)(source, clock_mono_ms());
    if (*jwks && __atomic_load_n(&source->version, __ATOMIC_ACQUIRE) == *version)
        return false;
    take(source, jwks, version);
    return true;
}

/* wqueue: the bytes of a connection that wait to be sent, in order. */
#ifndef NET_WQUEUE_H
#define NET_WQUEUE_H

#include "base/pool.h"
#include "base/slab.h"

#include <stddef.h>
#include <stdint.h>

struct wseg {
    struct wseg *next;
    const char *bytes;      /* `own`, or in the slab */
    struct slab *slab;      /* a reference; NULL: the bytes are its own */
    uint32_t off, len, cap; /* bytes[off .. len) is still to be sent */
    char own[];
};

struct wqueue { /* all zeroes: empty, no memory */
    struct wseg *head, *tail;
    size_t bytes;
};

/* Copies `n` bytes to the end. */
void wqueue_add(struct wqueue *q, struct pool *pool, const void *bytes, size_t n);
/* `n` bytes of `slab`, which gets a reference, at the end: nothing is copied. */
void wqueue_add_slab(struct wqueue *q, struct pool *pool, struct slab *slab, const char *bytes,
                     size_t n);
/* Room for `n` bytes in one piece at the end; what is written there counts once it is committed. */
char *wqueue_reserve(struct wqueue *q, struct pool *pool, size_t n);
void wqueue_commit(struct wqueue *q, size_t n);
/* Drops the first `n` bytes, n <= bytes. */
void wqueue_drop(struct wqueue *q, struct pool *pool, size_t n);
/* Drops all but the first `n` bytes, of which there are as many. */
void wqueue_keep(struct wqueue *q, struct pool *pool, size_t n);
void wqueue_clear(struct wqueue *q, struct pool *pool);

#endif

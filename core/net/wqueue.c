/* wqueue: the bytes of a connection that wait to be sent.
 *
 * A chain of segments. Small writes fill up the last one, so that the many short pieces of one turn
 * (a head, a chunk's size line, an event) leave as one run. An empty queue holds no memory: that is
 * what an idle connection costs. Owned by one conn; it knows nothing of sockets. */
#include "net/wqueue.h"

#include "base/must.h"

#include <string.h>

#define SEG_MIN 472   /* with its header 512 bytes */
#define SEG_MAX 65536 /* what one write adds at most to one segment */

static struct wseg *seg_new(struct pool *pool, size_t n) {
    size_t cap = n < SEG_MIN ? SEG_MIN : n;
    struct wseg *seg = pool_alloc(pool, sizeof *seg + cap);
    seg->next = NULL;
    seg->bytes = seg->own;
    seg->slab = NULL;
    seg->off = seg->len = 0;
    seg->cap = (uint32_t)cap;
    return seg;
}

static void link_last(struct wqueue *q, struct wseg *seg) {
    if (q->tail)
        q->tail->next = seg;
    else
        q->head = seg;
    q->tail = seg;
}

static struct wseg *append(struct wqueue *q, struct pool *pool, size_t n) {
    size_t grown = q->tail ? (size_t)q->tail->cap * 2 : 0; /* many small writes: larger segments */
    if (grown > SEG_MAX)
        grown = SEG_MAX;
    struct wseg *seg = seg_new(pool, n > grown ? n : grown);
    link_last(q, seg);
    return seg;
}

void wqueue_add(struct wqueue *q, struct pool *pool, const void *bytes, size_t n) {
    const char *from = bytes;
    q->bytes += n;
    while (n > 0) {
        struct wseg *seg = q->tail;
        if (seg == NULL || seg->len >= seg->cap)
            seg = append(q, pool, n < SEG_MAX ? n : SEG_MAX);
        size_t room = seg->cap - seg->len;
        size_t take = n < room ? n : room;
        memcpy(seg->own + seg->len, from, take);
        seg->len += (uint32_t)take;
        from += take;
        n -= take;
    }
}

void wqueue_add_slab(struct wqueue *q, struct pool *pool, struct slab *slab, const char *bytes,
                     size_t n) {
    struct wseg *seg = pool_alloc(pool, sizeof *seg);
    *seg = (struct wseg){.bytes = bytes, .slab = slab_ref(slab), .len = (uint32_t)n};
    link_last(q, seg);
    q->bytes += n;
}

char *wqueue_reserve(struct wqueue *q, struct pool *pool, size_t n) {
    struct wseg *seg = q->tail;
    if (seg == NULL || seg->cap < seg->len + n)
        seg = append(q, pool, n);
    return seg->own + seg->len;
}

void wqueue_commit(struct wqueue *q, size_t n) {
    MUST(q->tail->len + n <= q->tail->cap);
    q->tail->len += (uint32_t)n;
    q->bytes += n;
}

/* The one behind it. */
static struct wseg *seg_free(struct pool *pool, struct wseg *seg) {
    struct wseg *next = seg->next;
    slab_unref(seg->slab);
    pool_free(pool, seg, sizeof *seg + seg->cap);
    return next;
}

void wqueue_drop(struct wqueue *q, struct pool *pool, size_t n) {
    MUST(n <= q->bytes);
    q->bytes -= n;
    while (q->head && q->head->len - q->head->off <= n) {
        n -= q->head->len - q->head->off;
        q->head = seg_free(pool, q->head);
    }
    if (q->head)
        q->head->off += (uint32_t)n;
    else
        q->tail = NULL;
}

void wqueue_keep(struct wqueue *q, struct pool *pool, size_t n) {
    struct wseg *seg = q->head;
    MUST(n <= q->bytes);
    if (n == 0) {
        wqueue_clear(q, pool);
        return;
    }
    q->bytes = n;
    for (; seg->len - seg->off < n; seg = seg->next)
        n -= seg->len - seg->off;
    seg->len = seg->off + (uint32_t)n;
    q->tail = seg;
    for (struct wseg *rest = seg->next; rest;)
        rest = seg_free(pool, rest);
    seg->next = NULL;
}

void wqueue_clear(struct wqueue *q, struct pool *pool) {
    wqueue_drop(q, pool, q->bytes);
}

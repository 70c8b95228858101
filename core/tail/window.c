/* window: the newest bytes that a follower has read, which its viewers share.
 *
 *     ring:  [ newest ..... end | oldest ...... ]      position: bytes since the follower began
 *
 * A viewer that is in step reads here what was read once from the disk; a hundred of them cost one
 * reading. It grows as bytes come, from 64 KiB up to 1 MiB, and those of all files together are
 * bounded as well: a script may follow a thousand.
 *
 * The follower's, under its lock. Positions are those of the stream of bytes: what they mean in
 * which file, the follower knows. */
#include "tail/window.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>

static size_t taken; /* by all of them */

static bool claim(size_t n) {
    if (__atomic_add_fetch(&taken, n, __ATOMIC_RELAXED) <= WINDOWS_MOST)
        return true;
    __atomic_sub_fetch(&taken, n, __ATOMIC_RELAXED);
    return false;
}

void window_fini(struct window *window) {
    if (window->cap > WINDOW_LEAST)
        __atomic_sub_fetch(&taken, window->cap, __ATOMIC_RELAXED);
    free(window->ring);
    *window = (struct window){0};
}

struct str window_piece(const struct window *window, uint64_t at, size_t most) {
    MUST(at >= window_begin(window) && at <= window->end);
    size_t from = (size_t)at & (window->cap - 1);
    size_t n = (size_t)(window->end - at);
    if (window->cap == 0)
        return (struct str){NULL, 0};
    if (n > window->cap - from)
        n = window->cap - from;
    return (struct str){window->ring + from, n < most ? n : most};
}

/* To twice its size, if there may be so much. */
static void grow(struct window *window) {
    size_t cap = window->cap ? window->cap * 2 : WINDOW_LEAST;
    if (cap > WINDOW_LEAST && !claim(cap == 2 * WINDOW_LEAST ? cap : cap / 2))
        return;
    char *ring = mem_alloc(cap);
    for (uint64_t at = window_begin(window); at < window->end;) {
        size_t to = (size_t)at & (cap - 1);
        struct str piece = window_piece(window, at, cap - to);
        memcpy(ring + to, piece.ptr, piece.len);
        at += piece.len;
    }
    free(window->ring);
    window->ring = ring;
    window->cap = cap;
}

void window_add(struct window *window, struct str bytes) {
    MUST(bytes.len <= WINDOW_LEAST);
    while (window->len + bytes.len > window->cap && window->cap < WINDOW_MOST) {
        size_t before = window->cap;
        grow(window);
        if (window->cap == before)
            break;
    }
    while (bytes.len > 0) {
        size_t to = (size_t)window->end & (window->cap - 1);
        size_t n = bytes.len < window->cap - to ? bytes.len : window->cap - to;
        memcpy(window->ring + to, bytes.ptr, n);
        window->end += n;
        window->len = window->len + n < window->cap ? window->len + n : window->cap;
        bytes.ptr += n;
        bytes.len -= n;
    }
}

void window_clear(struct window *window) {
    window->len = 0;
}

uint64_t window_last(const struct window *window, uint64_t from, uint64_t to) {
    while (from < to) {
        size_t behind = ((size_t)(to - 1) & (window->cap - 1)) + 1; /* in the ring */
        size_t n = to - from < behind ? (size_t)(to - from) : behind;
        const char *piece = window->ring + behind - n;
        const char *lf = memrchr(piece, '\n', n);
        if (lf)
            return to - n + (uint64_t)(lf - piece) + 1;
        to -= n;
    }
    return 0;
}

uint64_t window_first(const struct window *window, uint64_t from, uint64_t to) {
    while (from < to) {
        struct str piece = window_piece(window, from, (size_t)(to - from));
        const char *lf = memchr(piece.ptr, '\n', piece.len);
        if (lf)
            return from + (uint64_t)(lf - piece.ptr) + 1;
        from += piece.len;
    }
    return to;
}

uint64_t window_lines(const struct window *window, uint64_t from, uint64_t to) {
    uint64_t count = 0;
    while (from < to) {
        struct str piece = window_piece(window, from, (size_t)(to - from));
        const char *end = piece.ptr + piece.len;
        for (const char *at = piece.ptr; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
            count++;
        from += piece.len;
    }
    return count;
}

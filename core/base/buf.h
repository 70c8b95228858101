/* buf: a growable run of bytes with one owner. Pointers into `data` die with the next append. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/str.h"

#include <stdarg.h>
#include <stdlib.h>

struct buf {
    char *data;
    size_t len;
    size_t cap;
};

/* Gives the memory back and leaves an empty buf, ready for use again. An empty buf is all zeroes
 * and holds no memory: `struct buf b = {0};` needs no init. Inline, since most are empty. */
static inline void buf_fini(struct buf *b) {
    if (b->data == NULL)
        return;
    free(b->data);
    *b = (struct buf){0};
}

/* buf_reserve where there is no room. */
void buf_grow(struct buf *b, size_t n);

/* Room for `n` more bytes; returns where they go, never NULL. The caller then adds to `len`.
 * Inline, as appending is: nearly all find room. */
static inline char *buf_reserve(struct buf *b, size_t n) {
    if (b->cap - b->len < n || b->data == NULL)
        buf_grow(b, n);
    return b->data + b->len;
}

/* Copies `n` bytes to the end; `bytes` must not lie in `b`, and may be NULL when `n` is 0: an empty
 * buf stays without memory. */
static inline void buf_append(struct buf *b, const void *bytes, size_t n) {
    if (n == 0)
        return;
    /* cppcheck-suppress uninitvar ; what an argument behind it fills: f(text, put(text)) */
    memcpy(buf_reserve(b, n), bytes, n);
    b->len += n;
}

/* buf_append of a str. */
static inline void buf_add(struct buf *b, struct str s) {
    buf_append(b, s.ptr, s.len);
}

/* buf_append of one byte. */
void buf_add_char(struct buf *b, char c);
/* Appends what printf would print, without its NUL. Adds nothing if the format cannot be printed.
 */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* buf_printf for a function with arguments of its own; `args` is spent afterwards. */
void buf_vprintf(struct buf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
/* Drops the first `n` bytes (n <= len) by moving the rest; an emptied buf gives its memory back. */
void buf_drop(struct buf *b, size_t n);
/* What the buf holds, valid until the next call that changes it. */
static inline struct str buf_str(const struct buf *b) {
    return (struct str){b->data, b->len};
}

#endif

/* buf: the one growable array of bytes. It is for what is built up piece by piece and then leaves
 * as a whole: a head, a log line, an encoded event. Who declares it owns it and calls buf_fini.
 *
 *      data          len             cap
 *       |--- bytes ---|---- room -----|
 *
 * Room at least doubles, so that appending n bytes one by one costs O(n); a buf that is emptied
 * holds nothing, so that an idle connection pays only for the struct. It sets no limit: that is the
 * caller's to do, before it appends what a peer sent. */
#include "base/buf.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALLEST = 64 };

void buf_grow(struct buf *b, size_t n) {
    size_t cap = b->cap != 0 ? 2 * b->cap : SMALLEST;
    size_t need;
    if (__builtin_add_overflow(b->len, n, &need))
        need = SIZE_MAX; /* for mem to refuse */
    if (cap < need)
        cap = need;
    b->data = mem_resize(b->data, cap);
    b->cap = cap;
}

void buf_add_char(struct buf *b, char c) {
    *buf_reserve(b, 1) = c;
    b->len++;
}

/* Tries the room there is first: the second pass is the exception. */
void buf_vprintf(struct buf *b, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);

    char *at = buf_reserve(b, 1);
    size_t room = b->cap - b->len;
    int n = vsnprintf(at, room, format, args);
    if (n >= 0 && (size_t)n >= room) {
        at = buf_reserve(b, (size_t)n + 1);
        n = vsnprintf(at, (size_t)n + 1, format, again);
    }
    va_end(again);
    if (n > 0)
        b->len += (size_t)n;
}

void buf_printf(struct buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_drop(struct buf *b, size_t n) {
    MUST(n <= b->len);
    if (n == b->len) {
        buf_fini(b);
        return;
    }
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
}

/* lines: bytes in, lines out. */
#ifndef TAIL_LINES_H
#define TAIL_LINES_H

#include "base/buf.h"

struct lines {
    size_t max_line;   /* longer lines come in pieces of at most this many bytes */
    struct buf held;   /* the beginning of a line whose LF has not come: max_line bytes and a CR */
    struct buf ready;  /* whole lines and pieces, a label before and an LF behind each */
    struct buf taking; /* what was ready when taking began: stays where it is until all is taken */
    size_t taken;      /* bytes of `taking` that were given out */
    size_t left;       /* bytes of the pieces not given out, one more counted for each */
    uint64_t pending;  /* bytes that were added and belong to no piece yet */
    uint64_t raw;      /* of the piece given out last: bytes of the stream since the one before */
    bool ended;        /* that piece was the end of a line */
    bool cut;          /* it is not the whole line */
    bool inside;       /* the line that is coming in has had a piece already */
};

/* `max_line` is at least 1. */
void lines_init(struct lines *lines, size_t max_line);
void lines_fini(struct lines *lines);
/* Splits `n` more bytes, which are copied. A line that was given out stays valid. */
void lines_add(struct lines *lines, const char *bytes, size_t n);
/* Adds `n` bytes that are NUL. */
void lines_skip(struct lines *lines, uint64_t n);
/* Forgets what is held: what would follow it is lost. */
void lines_drop(struct lines *lines);
/* No more comes for what is held: it becomes a line as it is, a CR at its end included. Nothing
 * held, no line. */
void lines_flush(struct lines *lines);
/* The next line; behind its `len` bytes stands an LF. Borrowed until the next lines_next or
 * lines_fini. False: none. */
bool lines_next(struct lines *lines, struct str *line);
/* Bytes of the lines not yet taken, one more counted for each. */
size_t lines_ready(const struct lines *lines);

#endif

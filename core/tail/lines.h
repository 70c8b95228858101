/* lines: bytes in, lines out. */
#ifndef TAIL_LINES_H
#define TAIL_LINES_H

#include "base/buf.h"

struct lines {
    size_t max_line;   /* longer lines come in pieces of at most this many bytes */
    struct buf held;   /* the beginning of a line whose LF has not come: max_line bytes and a CR */
    struct buf ready;  /* whole lines and pieces, an LF after each */
    struct buf taking; /* what was ready when taking began: stays where it is until all is taken */
    size_t taken;      /* bytes of `taking` that were given out */
};

/* `max_line` is at least 1. */
void lines_init(struct lines *lines, size_t max_line);
void lines_fini(struct lines *lines);
/* Splits `n` more bytes, which are copied. A line that was given out stays valid. */
void lines_add(struct lines *lines, const char *bytes, size_t n);
/* No more comes for what is held: it becomes a line as it is, a CR at its end included. Nothing
 * held, no line. */
void lines_flush(struct lines *lines);
/* The next line, without its LF; borrowed until the next lines_next or lines_fini. False: none. */
bool lines_next(struct lines *lines, struct str *line);
/* Bytes of the lines not yet taken, one more counted for each. */
size_t lines_ready(const struct lines *lines);

#endif

/* scan: a part of a file, read forward. */
#ifndef SEARCH_SCAN_H
#define SEARCH_SCAN_H

#include "search/pick.h"

struct source;

struct scan {
    struct source *source; /* borrowed */
    char *block;           /* borrowed, of `room` bytes, more than twice max_line and one */
    size_t room;
    size_t held;  /* bytes at its start: of a line whose end has not come, */
    bool left;    /* or lines that were left for the next step */
    uint64_t at;  /* of the next byte to read; where a line begins, unless it `peeks` */
    uint64_t to;  /* where it ends; SCAN_ALL: where the file does */
    uint64_t end; /* where reading does, a little further, to see whether a piece ends at `to` */
    bool peeks;   /* its first byte only tells whether the one behind it begins a line */
    bool unended; /* a last line without LF counts as one; else its whole pieces do */
    bool in_line; /* the line that comes is too long for the block, and given in parts */
};
#define SCAN_ALL UINT64_MAX

/* From `at` up to `to`, with `pick`, for which what comes does not follow on what came before. */
void scan_begin(struct scan *scan, struct pick *pick, uint64_t at, uint64_t to);

/* Reads one block more, and has `pick` pick from it. 1: there may be more. 0: that was all. Or a
 * negative errno; -ESTALE: the file ends before `to`, it has been truncated. Blocks. */
int scan_step(struct scan *scan, struct pick *pick);

#endif

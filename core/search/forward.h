/* forward: the lines of one log that are wanted, the oldest first. */
#ifndef SEARCH_FORWARD_H
#define SEARCH_FORWARD_H

#include "search/reading.h"
#include "search/scan.h"

struct forward {
    struct reading *reading; /* borrowed */
    size_t i;                /* the volume that is read */
    size_t last;             /* the last one that is */
    uint64_t stop;           /* how far in that; SCAN_ALL: to the end of its last line */
    uint64_t from;           /* where in the volume to begin */
    bool entered;
    size_t found_in; /* the volume of the matches */
    uint64_t left;   /* where reading of the volume before this one ended */
    struct scan scan;
};

/* From the start of the log; or from the place in its volume `i`, if that is not negative. */
void forward_begin(struct forward *forward, struct reading *reading, int i, uint64_t offset);
/* Up to that place. */
void forward_stop(struct forward *forward, size_t i, uint64_t offset);
/* Whether there is a line, the oldest match. */
static inline bool forward_has(const struct forward *forward) {
    return !matches_is_empty(&forward->reading->matches);
}
/* When there is none: reads one block more. 1: there may be more. 0: that was all. Or a negative
 * errno: something is left out, and there may be more. Blocks. */
int forward_step(struct forward *forward);
/* From which offset of the volume `*i` on all is yet to be given; false: there is no volume. */
bool forward_place(const struct forward *forward, size_t *i, uint64_t *offset);

#endif

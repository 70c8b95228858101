/* backward: the lines of one log that are wanted, the newest first. */
#ifndef SEARCH_BACKWARD_H
#define SEARCH_BACKWARD_H

#include "search/reading.h"
#include "search/scan.h"

enum backward_state {
    BACKWARD_ENTER,  /* the volume has yet to be begun with */
    BACKWARD_BLOCKS, /* a block of whole lines at a time, backward */
    BACKWARD_START,  /* where does a line begin that is longer than a block? */
    BACKWARD_SCAN    /* it is read forward from there, or all of a volume that is packed is */
};

struct backward {
    struct reading *reading; /* borrowed */
    size_t left;             /* volumes that are not over; the last of them is read */
    uint64_t at;    /* what begins there or behind was found; SCAN_ALL: nothing of it was yet */
    uint64_t floor; /* what begins before that is too early */
    uint64_t start; /* START: there is no LF from here to `at`; SCAN: where it began */
    size_t portion; /* how many bytes may be read and picked from at once */
    enum backward_state state;
    struct scan scan;
    bool within;     /* it was told where in the volume to begin */
    bool trim;       /* START: what follows that place is no line yet */
    size_t found_in; /* the volume of the matches */
};

/* At the end of the log; or before the place in its volume `i`, if that is not negative. */
void backward_begin(struct backward *backward, struct reading *reading, int i, uint64_t offset);
/* Whether there is a line, the newest match: nothing newer is to come. */
static inline bool backward_has(const struct backward *backward) {
    return backward->state != BACKWARD_SCAN && !matches_is_empty(&backward->reading->matches);
}
/* When there is none: reads one block more. 1: there may be more. 0: that was all. Or a negative
 * errno: something is left out, and there may be more. Blocks. */
int backward_step(struct backward *backward);
/* Before which offset of the volume `*i` all is yet to be given; false: nothing is. */
bool backward_place(const struct backward *backward, size_t *i, uint64_t *offset);

#endif

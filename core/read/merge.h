/* merge: what a position has not read, from all its sources, in order of ids. */
#ifndef READ_MERGE_H
#define READ_MERGE_H

#include "proto/event_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interest;
struct position;
struct replay;

/* Of one topic, what comes next; of a replay; or, without either, the position's own gap. */
struct head {
    struct interest *interest;
    struct replay *replay;
    uint64_t next; /* ordinal, or number in the replay */
    event_id id;
    bool gap;
};

/* There is one, which is used again and again. */
struct merge {
    struct head *heads; /* a heap, the smallest id first */
    size_t count, cap;
    event_id bound; /* up to here reading is in order; beyond it not yet, or never */
    event_id end;   /* the position's end; 0: it has none */
    bool skips;     /* what is superseded is passed over */
    bool fetched;   /* a replay was made while heads were gathered: gather again */
};

/* --- within core/read, under the lock --- */

/* The position's, from where it stands; sources with nothing left are forgotten. Valid until the
 * next one. */
struct merge *merge_begin(struct position *position);
/* What comes next, if it is not beyond `upto`; else NULL. Valid until merge_pass. */
static inline const struct head *merge_top(const struct merge *merge, event_id upto) {
    return merge->count > 0 && merge->heads[0].id <= upto ? merge->heads : NULL;
}
/* Whether there is more, but only beyond the bound; before an end there may be. */
static inline bool merge_waits(const struct merge *merge) {
    if (merge->end > 0)
        return merge->bound < merge->end;
    return merge->count > 0 && merge->heads[0].id > merge->bound;
}
/* Goes behind the top. */
void merge_pass(struct merge *merge);
/* How many are missing at a gap, -1: nobody knows; and why. */
int64_t merge_lost(const struct position *position, const struct head *gap);
enum gap_reason merge_reason(const struct position *position, const struct head *gap);
/* How many, and the gap is not told any more by itself: it is part of another one. */
int64_t merge_take_gap(struct position *position, const struct head *gap);

#endif

/* forward: one log from a place forward, as far as lines are wanted.
 *
 *     volume: scan, a block at a time --end--> the next one ... the newest, to its last LF
 *
 * It ends where it was told to (a place, which may be within a line that comes in pieces), at a
 * time, or where the newest file ended when it was opened. A last line without LF is given of older
 * files, to which nothing is added any more. All that a block has is found at once, and waits in
 * `matches`.
 *
 * Owned by an inquiry, on one thread at a time. */
#include "search/forward.h"

#include "logs/seek.h"

#include <errno.h>

void forward_begin(struct forward *forward, struct reading *reading, int i, uint64_t offset) {
    *forward = (struct forward){.reading = reading, .stop = SCAN_ALL};
    forward->last = reading->volumes.n - 1;
    if (i >= 0) {
        forward->i = (size_t)i;
        forward->from = offset;
    }
}

void forward_stop(struct forward *forward, size_t i, uint64_t offset) {
    forward->last = i;
    forward->stop = offset;
}

static bool is_over(const struct forward *forward) {
    return forward->i >= forward->reading->volumes.n || forward->i > forward->last;
}

/* To what lies between the times. */
static int bound(struct forward *forward, uint64_t size) {
    struct reading *reading = forward->reading;
    struct scan *scan = &forward->scan;
    struct pick *pick = &reading->pick;
    uint64_t found;
    int rc = 0;

    if (pick->since != STAMP_NONE) {
        rc = seek_time(scan->source, size, pick->since, reading->block, reading->room, &found);
        if (rc > 0 && found > scan->at) {
            scan->at = found;
            scan->peeks = false;
        }
    }
    if (rc >= 0 && pick->before != STAMP_NONE) {
        rc = seek_time(scan->source, size, pick->before, reading->block, reading->room, &found);
        if (rc > 0 && found < scan->to) {
            scan_begin(scan, pick, scan->at, found > scan->at ? found : scan->at);
            forward->last = forward->i;
        }
    }
    return rc;
}

static int enter(struct forward *forward) {
    struct reading *reading = forward->reading;
    const struct volume *volume = &reading->volumes.all[forward->i];
    bool told = forward->i == forward->last && forward->stop != SCAN_ALL;
    bool newest = forward->i == reading->volumes.n - 1 && reading->volumes.has_newest;
    uint64_t at = forward->from, to = volume->packed ? SCAN_ALL : volume->size;

    if (told)
        to = forward->stop > at ? forward->stop : at;
    forward->entered = true;
    forward->scan = (struct scan){.source = volume->source,
                                  .block = reading->block,
                                  .room = reading->room,
                                  .peeks = at > 0,
                                  .unended = told || !newest};
    scan_begin(&forward->scan, &reading->pick, at > 0 ? at - 1 : 0, to);
    return volume->packed ? 1 : bound(forward, volume->size);
}

/* Where what was not picked from yet begins. */
static uint64_t offset_of(const struct forward *forward) {
    if (!forward->entered || forward->scan.peeks)
        return forward->from;
    return forward->scan.in_line ? forward->reading->pick.line_at
                                 : forward->scan.at - forward->scan.held;
}

static void leave(struct forward *forward) {
    forward->left = offset_of(forward);
    forward->i++;
    forward->from = 0;
    forward->entered = false;
}

/* What cannot be read: a copy may have it. Else the rest of the volume is left out. */
static int fail(struct forward *forward, uint64_t at, int error) {
    if (error == -ESTALE && volumes_mend(&forward->reading->volumes, forward->i, at)) {
        forward->from = at;
        forward->entered = false;
        return 1;
    }
    leave(forward);
    return error;
}

int forward_step(struct forward *forward) {
    struct reading *reading = forward->reading;
    uint64_t at = offset_of(forward);
    int rc;

    matches_clear(&reading->matches, SIZE_MAX);
    if (is_over(forward))
        return 0;
    forward->found_in = forward->i;
    if (!forward->entered) {
        rc = enter(forward);
    } else {
        uint64_t before = forward->scan.at;
        rc = scan_step(&forward->scan, &reading->pick);
        reading_count(reading, forward->i, forward->scan.at - before, rc == 0);
        if (rc >= 0 && !volumes_intact(&reading->volumes, forward->i)) {
            matches_clear(&reading->matches, SIZE_MAX);
            rc = -ESTALE;
        }
        if (rc == 0)
            leave(forward);
    }
    return rc < 0 ? fail(forward, at, rc) : 1;
}

bool forward_place(const struct forward *forward, size_t *i, uint64_t *offset) {
    *i = forward->i;
    *offset = offset_of(forward);
    if (forward_has(forward)) {
        *i = forward->found_in;
        *offset = matches_oldest(&forward->reading->matches)->from;
    } else if (is_over(forward) && forward->i > 0) {
        *i = forward->i - 1;
        *offset = forward->left;
    }
    return forward->reading->volumes.n > 0;
}

/* backward: one log from its end backward, as far as lines are wanted.
 *
 *     ENTER --> BLOCKS: whole lines, a block at a time ... the volume's start --> the one before
 *       |        |  ^
 *       |        | line longer than a block: START: where does it begin? --> SCAN --> BLOCKS
 *       +--packed: SCAN, all of it
 *
 * A line begins behind an LF, so a block's first bytes belong to the next block, with which they
 * are read again: at most one line for each block. Some more bytes before a block are read with it
 * for the times that they tell.
 *
 * Where pieces of an over-long line are cut depends on its start; so that is looked for, which may
 * be a hundred gigabytes back in a file that is one hole: holes are jumped over, by doubling the
 * distance until there are data. What is read forward keeps its newest lines only (matches); who
 * needs older ones lets it be read again, up to those. So memory is a block and those lines.
 *
 * Times are asked for when a volume is entered: of one that is not packed only what lies between
 * `since` and `before` is read (logs/seek).
 *
 * Owned by an inquiry, on one thread at a time. */
#include "search/backward.h"

#include "base/clock.h"
#include "logs/seek.h"

#include <errno.h>

#define PORTION 16384     /* of a block at first: a filter may take long for each line of it */
#define STEP_NS 20000000u /* that a portion should not take longer than */
#define CONTEXT 16        /* the part of a block that is read for its times alone */

static struct volume *volume_of(const struct backward *backward) {
    return &backward->reading->volumes.all[backward->left - 1];
}

void backward_begin(struct backward *backward, struct reading *reading, int i, uint64_t offset) {
    *backward = (struct backward){
        .reading = reading, .left = reading->volumes.n, .at = SCAN_ALL, .portion = PORTION};
    if (i >= 0) {
        backward->left = (size_t)i + 1;
        backward->at = offset;
        backward->within = true;
    }
}

/* The volume is over: the one before it. */
static void leave(struct backward *backward) {
    backward->left--;
    backward->state = BACKWARD_ENTER;
    backward->at = SCAN_ALL;
    backward->within = false;
}

static void begin_scan(struct backward *backward, uint64_t from) {
    backward->scan = (struct scan){.source = volume_of(backward)->source,
                                   .block = backward->reading->block,
                                   .room = backward->reading->room,
                                   .unended = true};
    scan_begin(&backward->scan, &backward->reading->pick, from, backward->at);
    backward->start = from;
    backward->state = BACKWARD_SCAN;
}

/* ---- entering ---------------------------------------------------------------------------------*/

/* Lowers `at` and raises the floor to what lies between the times. */
static int bound(struct backward *backward) {
    struct source *source = volume_of(backward)->source;
    const struct pick *pick = &backward->reading->pick;
    uint64_t end = backward->at, found;
    int rc = 0;

    if (pick->before != STAMP_NONE) {
        rc = seek_time(source, end, pick->before, backward->reading->block, backward->reading->room,
                       &found);
        if (rc > 0)
            backward->at = found;
    }
    if (rc >= 0 && pick->since != STAMP_NONE) {
        rc = seek_time(source, end, pick->since, backward->reading->block, backward->reading->room,
                       &found);
        if (rc > 0)
            backward->floor = found < backward->at ? found : backward->at;
    }
    return rc;
}

static int enter(struct backward *backward) {
    const struct volume *volume = volume_of(backward);

    backward->floor = 0;
    backward->state = BACKWARD_BLOCKS;
    if (volume->packed)
        return 1;
    if (!backward->within)
        backward->at = volume->size;
    int rc = bound(backward);
    if (!backward->within && backward->at == volume->size &&
        backward->left == backward->reading->volumes.n && backward->reading->volumes.has_newest) {
        backward->start = backward->at; /* what stands behind its last LF is not a line yet */
        backward->trim = true;
        backward->state = BACKWARD_START;
    }
    return rc;
}

/* ---- going back -------------------------------------------------------------------------------*/

/* Where the hole begins, or somewhere in it, in which `end` is. */
static uint64_t hole_begin(const struct backward *backward, uint64_t end) {
    const struct source *source = volume_of(backward)->source;
    uint64_t step = backward->reading->room;

    for (; step < end - backward->floor; step *= 2) {
        uint64_t from = end - step;
        if (source_skip_hole(source, from) < end)
            break;
        end = from;
    }
    return end;
}

/* What of the block of `n` bytes before `at` is done with; `context` bytes stand before it. */
static void take_block(struct backward *backward, size_t context, size_t n) {
    uint64_t from = backward->at - n;
    const char *begin = backward->reading->block + context, *end = begin + n;

    if (end[-1] != '\n' && backward->at < volume_of(backward)->size) { /* it ends within a line */
        backward->start = backward->at;
        backward->state = BACKWARD_START;
        return;
    }
    if (from > backward->floor) { /* the rest of a line comes first */
        const char *lf = memchr(begin, '\n', n - 1);
        if (lf == NULL) {
            backward->start = from;
            backward->state = BACKWARD_START;
            return;
        }
        begin = lf + 1;
    }
    const char *whole = memchr(backward->reading->block, '\n', context);
    whole = context == 0 ? begin : whole ? whole + 1 : backward->reading->block + context;
    uint64_t at = backward->at - (uint64_t)(end - whole);
    backward->reading->pick.limit = backward->at;
    pick_restart(&backward->reading->pick);
    pick_lines(&backward->reading->pick, (struct str){whole, (size_t)(end - whole)},
               (size_t)(begin - whole), at);
    backward->at -= (uint64_t)(end - begin);
}

static int go_back(struct backward *backward) {
    uint64_t all = backward->at - backward->floor;
    size_t context = backward->reading->room / CONTEXT, n = backward->portion;
    n = n < backward->reading->room - context ? n : backward->reading->room - context;
    n = all < n ? (size_t)all : n;
    context = all - n < context ? (size_t)(all - n) : context;
    ssize_t got = source_read(volume_of(backward)->source, backward->reading->block, context + n,
                              backward->at - n - context);

    if (got < 0)
        return (int)got;
    if ((size_t)got < context + n)
        return -ESTALE;
    backward->reading->bytes += n;
    uint64_t began = clock_mono_ns();
    take_block(backward, context, n);
    backward->portion = clock_mono_ns() - began < STEP_NS ? 2 * n : n / 2;
    if (backward->portion < PORTION)
        backward->portion = PORTION;
    return 1;
}

/* The line begins there. */
static void start_at(struct backward *backward, uint64_t offset) {
    if (!backward->trim) {
        begin_scan(backward, offset);
        return;
    }
    backward->trim = false;
    backward->at = offset;
    backward->state = BACKWARD_BLOCKS;
}

static int look_for_start(struct backward *backward) {
    uint64_t all = backward->start - backward->floor;
    size_t n = all < backward->reading->room ? (size_t)all : backward->reading->room;
    ssize_t got =
        source_read(volume_of(backward)->source, backward->reading->block, n, backward->start - n);

    if (got < 0)
        return (int)got;
    if ((size_t)got < n)
        return -ESTALE;
    const char *lf = memrchr(backward->reading->block, '\n', n);
    if (lf || n == all)
        start_at(backward,
                 backward->start - n + (lf ? (size_t)(lf + 1 - backward->reading->block) : 0));
    else if (source_is_hole((struct str){backward->reading->block, n}))
        backward->start = hole_begin(backward, backward->start - n);
    else
        backward->start -= n;
    return 1;
}

static int scan_on(struct backward *backward) {
    uint64_t before = backward->scan.at;
    int rc = scan_step(&backward->scan, &backward->reading->pick);

    reading_count(backward->reading, backward->left - 1, backward->scan.at - before, rc == 0);
    if (rc <= 0) {
        backward->at = backward->start;
        backward->state = BACKWARD_BLOCKS;
    }
    return rc < 0 ? rc : 1;
}

/* ---- a step -----------------------------------------------------------------------------------*/

/* What cannot be read: a copy may have it. Else the rest of the volume is left out, but for what
 * comes before that and is there. */
static int fail(struct backward *backward, enum backward_state state, uint64_t at, int error) {
    uint64_t reach = at == SCAN_ALL ? volume_of(backward)->size : at;
    if (error == -ESTALE && volumes_mend(&backward->reading->volumes, backward->left - 1, reach)) {
        matches_clear(&backward->reading->matches, backward->reading->most);
        backward->state = at == SCAN_ALL ? BACKWARD_ENTER : BACKWARD_BLOCKS;
        backward->at = at;
        return 1;
    }
    if (state != BACKWARD_SCAN)
        leave(backward);
    return error;
}

static int step(struct backward *backward) {
    switch (backward->state) {
    case BACKWARD_ENTER:
        return enter(backward);
    case BACKWARD_BLOCKS:
        if (!volume_of(backward)->packed)
            return go_back(backward);
        begin_scan(backward, 0);
        return 1;
    case BACKWARD_START:
        return look_for_start(backward);
    default:
        return scan_on(backward);
    }
}

/* Volumes with nothing left are over; of those before one of which a part was too early all is. */
static void leave_finished(struct backward *backward) {
    if (backward->state != BACKWARD_BLOCKS || backward->at > backward->floor)
        return;
    bool all = backward->floor > 0;
    leave(backward);
    if (all)
        backward->left = 0;
}

int backward_step(struct backward *backward) {
    if (backward->state != BACKWARD_SCAN)
        matches_clear(&backward->reading->matches, backward->reading->most);
    leave_finished(backward);
    if (backward->left == 0)
        return 0;
    enum backward_state state = backward->state;
    uint64_t at = backward->at;
    backward->found_in = backward->left - 1;
    int rc = step(backward);
    if (rc > 0 && !volumes_intact(&backward->reading->volumes, backward->found_in)) {
        matches_clear(&backward->reading->matches, backward->reading->most);
        rc = -ESTALE;
    }
    if (backward->reading->matches.dropped &&
        backward->state == BACKWARD_BLOCKS) /* the others are read again */
        backward->at = matches_oldest(&backward->reading->matches)->from;
    return rc < 0 ? fail(backward, state, at, rc) : 1;
}

bool backward_place(const struct backward *backward, size_t *i, uint64_t *offset) {
    if (backward_has(backward)) {
        *i = backward->found_in;
        *offset = matches_newest(&backward->reading->matches)->to;
        return true;
    }
    *i = backward->left - 1;
    *offset = backward->at;
    if (backward->left > 0 && backward->at == SCAN_ALL) { /* at its end, wherever that is */
        *i = backward->left;
        *offset = 0;
    }
    return backward->left > 0 && *i < backward->reading->volumes.n;
}

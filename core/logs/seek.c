/* seek: finds the first line of a time by halving the file.
 *
 *     lo ............ mid: the first line from here on that tells a time ............ hi
 *      `-- it is earlier: lo = there           it is not, or there is none: hi = mid --'
 *
 * The lines of a log are in the order of their times, nearly; where they are not, somewhere near is
 * good enough, since who asked looks at the time of each line that it gives. A line that tells none
 * has that of the line before it, so it never begins anything. What is left between lo and hi, a
 * few blocks, is read.
 *
 * Forty reads find a place in a terabyte. It has no state; it knows lines by their LF, and of a
 * long one its first bytes are enough. */
#include "logs/seek.h"

#include "logs/tells.h"
#include "tail/source.h"

#include <errno.h>

/* Goes from line to line. */
struct walk {
    struct source *source;
    char *block;
    size_t room, len, pos; /* of the block; `pos`: where the next line may begin */
    uint64_t at, end;      /* the offset of the block; no line begins there or behind */
    bool within;           /* the block begins within a line */
};

/* From `from` on, which is within a line unless it is 0 or `begins` one. */
static struct walk walk_from(const struct walk *walk, uint64_t from, uint64_t end, bool begins) {
    struct walk new = {.source = walk->source, .block = walk->block, .room = walk->room};
    new.at = from;
    new.end = end;
    new.within = from > 0 && !begins;
    return new;
}

/* The block from `from` on; whether anything is there. */
static ssize_t walk_read(struct walk *walk, uint64_t from) {
    walk->at = source_skip_hole(walk->source, from);
    walk->within |= walk->at > from;
    walk->pos = 0;
    ssize_t got = source_read(walk->source, walk->block, walk->room, walk->at);
    walk->len = got > 0 ? (size_t)got : 0;
    return got;
}

/* The line at `pos`, as much of it as the block has. */
static void take_line(struct walk *walk, const char *lf, uint64_t *offset, struct str *line) {
    const char *from = walk->block + walk->pos;
    *offset = walk->at + walk->pos;
    *line = (struct str){from, lf ? (size_t)(lf - from) : walk->len - walk->pos};
    walk->within = lf == NULL;
    walk->pos = lf ? (size_t)(lf + 1 - walk->block) : walk->len;
}

/* 1: the next line, as much of it as the block has; 0: there is none; or a negative errno. */
static int walk_next(struct walk *walk, uint64_t *offset, struct str *line) {
    while (walk->at + walk->pos < walk->end) {
        size_t rest = walk->len - walk->pos;
        const char *lf = rest > 0 ? memchr(walk->block + walk->pos, '\n', rest) : NULL;
        bool last = walk->pos == 0 && walk->len > 0 && walk->len < walk->room; /* of the file */
        if (!walk->within && (lf || rest >= STAMP_BYTES || last)) {
            take_line(walk, lf, offset, line);
            return 1;
        }
        if (lf) {
            walk->within = false;
            walk->pos = (size_t)(lf + 1 - walk->block);
            continue;
        }
        ssize_t got = walk_read(walk, walk->at + (walk->within ? walk->len : walk->pos));
        if (got <= 0)
            return (int)got;
    }
    return 0;
}

/* The first line of the walk that tells a time; as walk_next. Gives up after SEEK_UNTIMED. */
static int walk_timed(struct walk *walk, uint64_t *offset, int64_t *time) {
    uint64_t from = walk->at;
    struct str line;
    int rc;

    while ((rc = walk_next(walk, offset, &line)) > 0) {
        *time = tells_of(line).time;
        if (*time != STAMP_NONE || *offset > from + SEEK_UNTIMED)
            return *time != STAMP_NONE;
    }
    return rc;
}

int seek_time(struct source *source, uint64_t end, int64_t time, char *block, size_t room,
              uint64_t *out) {
    struct walk walk = {.source = source, .block = block, .room = room};
    uint64_t lo = 0, hi = end, offset;
    int64_t told;
    bool any = false;
    int rc;

    while (hi - lo > room) {
        uint64_t mid = lo + (hi - lo) / 2;
        walk = walk_from(&walk, mid, hi, false);
        if ((rc = walk_timed(&walk, &offset, &told)) < 0)
            return rc;
        any |= rc > 0;
        if (rc > 0 && told < time)
            lo = offset;
        else
            hi = mid;
    }
    walk = walk_from(&walk, lo, end, true);
    while ((rc = walk_timed(&walk, &offset, &told)) > 0) {
        any = true;
        *out = offset;
        if (told >= time)
            return 1;
    }
    *out = walk.at + walk.pos < end ? hi : end; /* it gave up, or there is none */
    return rc < 0 ? rc : any;
}

/* follow: the lines of one growing file for one reader, across rotation and truncation. */
#ifndef TAIL_FOLLOW_H
#define TAIL_FOLLOW_H

#include "base/buf.h"
#include "tail/place.h"

struct loop;
struct follow;
struct source;

#define FOLLOW_LINES_MAX 100000
#define FOLLOW_LINE_BYTES_MAX (1u << 20)
#define FOLLOW_SEARCHED_BYTES (16u << 20) /* from the end, for the last lines */
#define FOLLOW_TURN_BYTES (256u << 10)    /* of lines that are given without a turn of the loop */

struct follow_options {
    uint32_t lines;   /* how many of the lines that are there already come first */
    size_t max_line;  /* bytes, at least 1; a longer line comes in pieces of this size */
    struct str after; /* instead of `lines`: what follow_id said; ptr NULL: none */
    bool whole;       /* instead of `lines`: all that is there */
    /* Or from where this says, in the `end` bytes that are there: asked on a pool thread, with room
     * to read in. It returns a negative errno, or 1 and `*out`; else nothing of it comes. */
    int (*seek)(struct source *source, uint64_t end, int64_t time, char *block, size_t room,
                uint64_t *out);
    int64_t time; /* that it is given */
};
#define FOLLOW_DEFAULTS ((struct follow_options){.lines = 10, .max_line = 65536})

/* Follows what stands under `path` (copied), now or as soon as there is something. What keeps it
 * from being read is logged once and tried again; it is not an error here. `on_ready` is called on
 * the loop's thread when follow_next has returned false and there is a line again. 0, or UV_EINVAL:
 * an empty path, an option beyond its limit; or no descriptor is left for the first file that is
 * followed. */
int follow_new(struct loop *loop, const char *path, const struct follow_options *options,
               void (*on_ready)(struct follow *, void *), void *arg, struct follow **out);
/* The next line without its end, any bytes but LF; borrowed until the next call. False: none yet,
 * wait for on_ready. */
bool follow_next(struct follow *follow, struct str *line);
/* Writes the place behind the line given last, its length is returned: who passes that as `after`
 * gets what comes next. */
#define FOLLOW_ID_MAX PLACE_TEXT_MAX
size_t follow_id(const struct follow *follow, char out[FOLLOW_ID_MAX]);
/* Whether something is missing right before the line given last: `*lines` lines, or -1, nobody
 * knows how many. */
bool follow_gap(const struct follow *follow, int64_t *lines);
/* Whether the line given last is a piece of one that is too long, or may be: behind an id the first
 * one is, if no LF stands before it. */
bool follow_cut(const struct follow *follow);
/* Where the line given last ends: what follow_id writes. */
struct place follow_place(const struct follow *follow);
/* Where that line begins. */
struct place follow_begin(const struct follow *follow);
/* Whether the line given last ends with an LF. */
bool follow_ended(const struct follow *follow);
/* Whether it has given all that is there, or cannot read it now: what comes next has yet to be
 * written. After follow_next has returned false. If not, on_ready is called when it has, too. */
bool follow_at_end(struct follow *follow);
/* It need not be told of less than so many bytes that are new. 1 at first. */
void follow_need(struct follow *follow, size_t bytes);
/* How many bytes that are there it has not given. */
uint64_t follow_lag(struct follow *follow);
/* Passes over what is there, but for the last lines, of `keep` bytes at most, if they are in
 * memory. There must be more than those: follow_lag. False: not now, it is about to read. Else
 * `*lines` are left out, or -1, nobody knows how many. */
bool follow_skip(struct follow *follow, size_t keep, int64_t *lines);

/* In place of follow_next, for those who share what they make of the same bytes: whole lines that
 * are in memory. */
struct follow_run {
    uint64_t follower, position; /* tell where they begin from all other places of the process */
    struct place place;          /* the same, for follow_id */
};
enum follow_at_hand {
    FOLLOW_NEXT,  /* what comes is to be had from follow_next alone */
    FOLLOW_WAITS, /* nothing is there: wait for on_ready */
    FOLLOW_RUN
};
enum follow_at_hand follow_run(struct follow *follow, struct follow_run *run);
/* Copies the lines of a run, with their ends, about `most` bytes of them. False: they are not at
 * hand any more, which follow_next sees to. */
bool follow_copy(struct follow *follow, struct buf *out, size_t most);
/* They are taken: `bytes` of the run, which end with `tail` and have `lines` LF. */
void follow_pass(struct follow *follow, uint64_t bytes, uint64_t lines, struct str tail);

/* At any time, from within on_ready too; on_ready is not called any more. The memory is given back
 * when a piece of work that is under way has ended. */
void follow_free(struct follow *follow);

#endif

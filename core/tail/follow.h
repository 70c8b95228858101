/* follow: the lines of one growing file for one reader, across rotation and truncation. */
#ifndef TAIL_FOLLOW_H
#define TAIL_FOLLOW_H

#include "tail/place.h"

struct loop;
struct follow;

#define FOLLOW_LINES_MAX 100000
#define FOLLOW_LINE_BYTES_MAX (1u << 20)
#define FOLLOW_SEARCHED_BYTES (16u << 20) /* from the end, for the last lines */
#define FOLLOW_TURN_BYTES (256u << 10)    /* of lines that are given without a turn of the loop */

struct follow_options {
    uint32_t lines;   /* how many of the lines that are there already come first */
    size_t max_line;  /* bytes, at least 1; a longer line comes in pieces of this size */
    struct str after; /* instead of `lines`: what follow_id said; ptr NULL: none */
};
#define FOLLOW_DEFAULTS ((struct follow_options){.lines = 10, .max_line = 65536})

/* Follows what stands under `path` (copied), now or as soon as there is something. What keeps it
 * from being read is logged once and tried again; it is not an error here. `on_ready` is called on
 * the loop's thread when follow_next has returned false and there is a line again. 0, or UV_EINVAL:
 * an empty path, an option beyond its limit. */
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
/* At any time, from within on_ready too; on_ready is not called any more. The memory is given back
 * when a piece of work that is under way has ended. */
void follow_free(struct follow *follow);

#endif

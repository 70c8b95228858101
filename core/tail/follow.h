/* follow: the lines of one growing file, across rotation and truncation. */
#ifndef TAIL_FOLLOW_H
#define TAIL_FOLLOW_H

#include "base/str.h"

struct loop;
struct follow;

#define FOLLOW_LINES_MAX 100000
#define FOLLOW_LINE_BYTES_MAX (1u << 20)
#define FOLLOW_AHEAD_BYTES (256u << 10) /* of lines not yet taken, after which reading stops */

struct follow_options {
    uint32_t lines;  /* how many of the lines that are there already come first */
    size_t max_line; /* bytes, at least 1; a longer line comes in pieces of this size */
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
/* At any time, from within on_ready too; on_ready is not called any more. The memory is given back
 * when the loop has closed the handle and a look that is under way has ended. */
void follow_free(struct follow *follow);

#endif

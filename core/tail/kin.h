/* kin: what has become of a log's older files, in its folder. */
#ifndef TAIL_KIN_H
#define TAIL_KIN_H

#include "tail/place.h"
#include "tail/source.h"

#define KIN_MOST 64       /* files that are read one after the other */
#define KIN_LOOKED_AT 256 /* entries of a folder whose first bytes are read, at most */

/* Who is looked for. Its `offset` is one that the file must reach. */
struct kin_wanted {
    struct place place;
    const char *mark; /* the bytes before `offset`, to be sure of a copy; NULL: not known */
    size_t mark_len;
    int64_t since;       /* a copy was not written before that time, ns; 0: not known */
    struct source *open; /* it is not looked for: only those after it; NULL: it is */
};

struct kin {
    struct source *found; /* what was looked for; NULL: it is not there */
    bool renamed;         /* it was found as itself, and not as a copy */
    struct source *after[KIN_MOST];
    size_t n_after; /* those that were written after it, before the file that is there now */
};

/* Looks for `wanted` in the folder of `path` (where that is a link: of what it leads to), and for
 * the rotated files that came after it and before `now`, which is the file under the path or NULL.
 * 0, or a negative errno when the folder cannot be read. Blocks. What is found is the caller's. */
int kin_look(const char *path, const struct kin_wanted *wanted, struct source *now,
             struct kin *out);
/* The rotated files that came before `now`, in `after`, the newest KIN_MOST. The same otherwise. */
int kin_all(const char *path, struct source *now, struct kin *out);
/* When a file was last written to, ns. */
int64_t kin_time(const struct stat *st);
void kin_fini(struct kin *kin);

#endif

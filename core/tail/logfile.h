/* logfile: the file under a path, whichever that is by now, read as one stream of bytes. */
#ifndef TAIL_LOGFILE_H
#define TAIL_LOGFILE_H

#include "base/str.h"

#include <sys/types.h>

#define LOGFILE_MARK 64
#define LOGFILE_BLOCK 65536 /* bytes that one look reads at most */

struct file_id {
    dev_t dev;
    ino_t ino;
};

struct logfile {
    const char *path;     /* borrowed */
    uint32_t lines;       /* how many of those that are there at first are given */
    bool awaited;         /* nothing was there at first, so that all of the file is new */
    struct file_id asked; /* the file that was there when it was asked for */
    uint64_t asked_size;  /* how long that was: what came later is new */
    int fd;               /* what is being read; -1: nothing was found yet */
    int next;             /* what stands under the path instead; -1: nothing else */
    struct file_id id, next_id;
    uint64_t offset;         /* bytes of `fd` that were read or skipped */
    char mark[LOGFILE_MARK]; /* the last of them */
    size_t mark_len;         /* the smaller of LOGFILE_MARK and `offset` */
    bool filled;             /* `next` was seen to have bytes */
    bool hurry;              /* `next` has waited long enough: no grace for late writers */
    uint64_t met_ms;         /* when `next` was met, or seen filled */
    uint64_t grown_ms;       /* when `fd` last grew, not before met_ms */
};

/* One look at the file: what is asked, then what was found. */
struct look {
    char *block;      /* in: LOGFILE_MARK + LOGFILE_BLOCK bytes; NULL: do not read, only see where
                         the path leads */
    struct str data;  /* the bytes that follow those of the last look; within `block` */
    bool cut;         /* what was given before was the end of a file: rotated or truncated away */
    bool again;       /* look again at once, there may be more */
    int error;        /* 0, or the negative errno that keeps something from being read */
    uint32_t wait_ms; /* when to look again if nothing is heard */
};

/* `path` is borrowed until logfile_fini. Asks the file system what is there now, on the caller's
 * thread. */
void logfile_init(struct logfile *file, const char *path, uint32_t lines);
void logfile_fini(struct logfile *file);
/* Blocks on the disk; from one thread at a time. Fills `look` but for `block`. */
void logfile_look(struct logfile *file, struct look *look);
/* What the error of a look means, for a log line. */
const char *logfile_reason(int error);

#endif

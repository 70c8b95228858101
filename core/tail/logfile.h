/* logfile: the file under a path, whichever that is by now, read as one stream of bytes. */
#ifndef TAIL_LOGFILE_H
#define TAIL_LOGFILE_H

#include "tail/kin.h"

#define LOGFILE_MARK 64
#define LOGFILE_BLOCK 65536 /* bytes that one look reads at most */
#define LOGFILE_PAST 16

struct logfile {
    const char *path;               /* borrowed */
    struct source *now;             /* what is being read; NULL: nothing was found yet */
    struct source *later[KIN_MOST]; /* what comes behind it, before `next` */
    size_t n_later;
    struct source *next;     /* what stands under the path instead; NULL: nothing else */
    uint64_t offset;         /* bytes of `now` that were read or skipped */
    char mark[LOGFILE_MARK]; /* the last of them */
    size_t mark_len;         /* the smaller of LOGFILE_MARK and `offset` */
    char head[PLACE_HEAD];   /* the first bytes of `now` */
    size_t head_len;         /* as many as there are, PLACE_HEAD at most */
    int64_t written;         /* when `now` had been written to when it was last read, ns */
    struct past {
        dev_t dev;
        struct place place;
    } past[LOGFILE_PAST]; /* files that were read, by turns, so that none is read again */
    size_t n_past;
    bool filled;       /* `next` was seen to have bytes */
    bool hurry;        /* no grace for late writers: `now` is a copy, or `next` has
                                        waited long enough */
    bool asked;        /* what came between `now` and `next` was looked for */
    uint64_t met_ms;   /* when `next` was met, or seen filled */
    uint64_t grown_ms; /* when `now` last grew, not before met_ms */
};

enum look_event {
    LOOK_SAME,  /* the file is what it was */
    LOOK_BEGAN, /* what was given before was the end of a file, and `now` is another one */
    LOOK_COPY   /* it was truncated; the rest of it is in `now`, a copy */
};

/* One look at the file: what is asked, then what was found. */
struct look {
    char *block;           /* in: LOGFILE_MARK + LOGFILE_BLOCK bytes */
    struct str data;       /* the bytes that follow those of the last look; within `block` */
    uint64_t skipped;      /* bytes of a hole behind them, which are NUL */
    enum look_event event; /* it happened before `data` was read */
    uint64_t from;         /* LOOK_BEGAN: the offset at which reading begins */
    bool gone;             /* LOOK_BEGAN: the former file has been truncated: it has not the bytes
                              that were read from it any more */
    bool again;            /* look again at once, there may be more */
    int error;             /* 0, or the negative errno that keeps something from being read */
    uint32_t wait_ms;      /* when to look again if nothing is heard */
};

/* `path` is borrowed until logfile_fini. */
void logfile_init(struct logfile *file, const char *path);
void logfile_fini(struct logfile *file);
/* Blocks on the disk; from one thread at a time. Fills `look` but for `block`. */
void logfile_look(struct logfile *file, struct look *look);
/* Whether what is read now is over, and what comes behind it waits for its end alone. */
bool logfile_passes(const struct logfile *file);
/* What the error of a look means, for a log line. */
const char *logfile_reason(int error);
/* Whether it is that of something that is not there. */
bool logfile_is_absent(int error);

#endif

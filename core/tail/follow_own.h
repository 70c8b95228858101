/* follow_own: what the files of follow share. */
#ifndef TAIL_FOLLOW_OWN_H
#define TAIL_FOLLOW_OWN_H

#include "tail/follow.h"
#include "tail/follower.h"
#include "tail/lines.h"

enum follow_work { WORK_SEARCH, WORK_RESUME, WORK_READ };

struct follow {
    struct loop *loop;
    struct follower *follower;
    struct follower_wait wait;
    void (*on_ready)(struct follow *, void *);
    void *arg;
    struct lines lines;
    /* What was asked for: */
    uint32_t last;  /* lines */
    bool has_after; /* not resumed yet */
    bool whole;
    int (*seek)(struct source *, uint64_t, int64_t, char *, size_t, uint64_t *); /* NULL: none */
    int64_t time;
    struct place after;
    bool awaited;    /* there was no file */
    dev_t asked_dev; /* else it was this one, */
    ino_t asked_ino;
    uint64_t asked_size; /* so long */
    /* Where it reads: */
    bool started;
    bool search;             /* it begins within the next part: before its last lines */
    struct part *part;       /* with a reference; past files come before it */
    struct kin past;         /* `found`, then `after`: files that come before the part */
    size_t at_past;          /* how many of `after` are over */
    uint64_t offset;         /* of the next byte to read, in the past file or the part */
    bool peeks;              /* that is the one before it begins: is it an LF? */
    char mark[LOGFILE_MARK]; /* those before it */
    size_t mark_len;         /* 0: not known */
    unsigned doubt;    /* the follower's look at which it must know of a truncation or, when the
                          folder has been looked at, of what is there; 0: none */
    uint64_t quiet_ms; /* since when a past file has not grown; 0: it is not at its end */
    struct timer timer;
    /* The work: */
    struct work work;
    enum follow_work kind;
    bool busy;
    bool freed;
    bool said_error;
    struct source *source; /* that it reads */
    struct source *own;    /* the same, of what is packed: the work's, */
    struct source *own_of; /* in place of this */
    char *block;
    uint64_t from; /* search: the end; its result */
    ssize_t got;
    uint64_t hole;      /* behind what was got */
    struct place head;  /* of a past file, if it was not known */
    int64_t written_ms; /* when a past file was last written to, wall time */
    /* What was given: */
    struct place given; /* behind the line given last */
    uint64_t line_no;   /* LF of the part before it, as the part counts them */
    bool counted;       /* line_no is known */
    bool gap_due, gap;  /* before the next line, before the last one */
    int64_t gap_lines_due, gap_lines;
    size_t taken; /* bytes since it last gave none */
    bool starved; /* follow_next has returned false, or follow_run that it waits */
    bool runs;    /* the latter */
    bool ends;    /* it has been asked whether it is at the end, and was not */
    size_t need;  /* bytes that are worth being told of */
};

static inline bool has_past(const struct follow *follow) {
    return follow->past.found != NULL;
}

/* The window's position of an offset in the part. */
static inline uint64_t part_position(const struct part *part, uint64_t offset) {
    return part->at + (offset - part->start);
}

/* One more gap before the next line, of `lines` lines; -1: nobody knows. */
void follow_tell_gap(struct follow *follow, int64_t lines);
/* Its numbers are right again: it is about to read on in the window. Under the lock. */
void follow_count(struct follow *follow);
/* Bytes that have just been read are behind it. */
void follow_mark(struct follow *follow, struct str bytes);
/* Begins a piece of work. `source` may be NULL. */
void follow_submit(struct follow *follow, enum follow_work kind, struct source *source);
/* Bytes that have been read, and the NUL of a hole behind them. */
void follow_add(struct follow *follow, struct str bytes, uint64_t hole);
/* Reads `part`, whose reference it takes, from its start. Under the follower's lock. */
void follow_enter(struct follow *follow, struct part *part);
/* Waits until the follower has something new: false. Under its lock. */
bool follow_ask(struct follow *follow);
/* Waits until the follower has looked again, which it does at once: false. Under its lock. */
bool follow_ask_look(struct follow *follow);
/* What could not be read is tried again, and said once. */
void follow_fail(struct follow *follow, int error);

/* In follow_begin. Under the follower's lock: false, it takes a while. */
bool follow_start(struct follow *follow);
bool follow_search(struct follow *follow);
void follow_run_search(struct follow *follow); /* on a pool thread, as is the next but one */
void follow_take_search(struct follow *follow);
void follow_run_resume(struct follow *follow);
void follow_take_resume(struct follow *follow);

/* In follow_past. */
void follow_read_past(struct follow *follow);
void follow_run_past(struct follow *follow); /* on a pool thread */
void follow_take_past(struct follow *follow);

#endif

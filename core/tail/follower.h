/* follower: one file, followed once for all who read it. */
#ifndef TAIL_FOLLOWER_H
#define TAIL_FOLLOWER_H

#include "base/counter.h"
#include "base/list.h"
#include "base/map.h"
#include "net/watch.h"
#include "net/work.h"
#include "tail/logfile.h"
#include "tail/window.h"

#define FOLLOWER_PARTS 8 /* former files that are kept open for who is not through with them */

/* What was under the path from one moment on until the next rotation or truncation. */
struct part {
    struct list link;      /* follower->parts, in their order */
    struct part *next;     /* what came behind it, with a reference; NULL: it is the newest */
    unsigned refs;         /* under the follower's lock, as is all of it */
    struct source *source; /* NULL: nothing of it can be read but what is in the window */
    struct place head;     /* its inode and first bytes: which file it is */
    char first[PLACE_HEAD];
    uint64_t start, end; /* the offsets between which it was read */
    uint64_t at;         /* the window's position of `start` */
    uint64_t lines;      /* LF that were read of it */
    bool ended;          /* nothing is added any more */
    bool open_line;      /* its last byte is no LF */
};

/* One who waits for what comes. */
struct follower_wait {
    struct list link; /* follower->waiting; unlinked: does not wait */
    struct loop *loop;
    struct mail mail; /* posted when there is something new, */
    uint64_t least;   /* which is another file, or goes up to that position of the window */
};

struct follower {
    struct map_node node; /* in the registry, under its lock, as are `users` */
    unsigned users;
    uint64_t serial; /* no other one of the process ever has it */
    char *path, *folder;
    const char *name; /* the last component, within `path` */
    uv_mutex_t lock;
    struct list waiting;
    struct list parts;   /* those that somebody refers to */
    struct part *newest; /* with a reference */
    unsigned looks;      /* that have ended */
    bool passes; /* what it reads is over, a copy perhaps, and the next file comes right behind */
    struct window window;
    /* home's own: */
    struct mail begin, end, nudge;
    struct watch watch;
    struct timer timer;
    struct work work; /* the look that is under way; the next two are its own until it is done */
    struct logfile file;
    struct look look;
    int told;           /* the error that was last logged */
    uint64_t looked_ms; /* when the last one ended */
    bool looking;
    bool dirty; /* something was heard since the look began */
    bool said_unwatched;
    bool freed; /* nobody uses it any more */
    bool watch_closed;
};

/* That of the path (copied), made if nobody follows it yet. 0 or a negative errno, see home_enter.
 */
int follower_join(const char *path, struct follower **out);
void follower_leave(struct follower *follower);
/* Under its lock: the newest part, with a reference for the caller. */
struct part *follower_newest(struct follower *follower);
/* Under its lock. */
struct part *part_ref(struct part *part);
void part_unref(struct part *part);
/* Whether the bytes of `part` at `offset` are in the window. Under its lock. */
bool follower_has(const struct follower *follower, const struct part *part, uint64_t offset);
/* Under its lock: has `wait` told of what comes, once. */
void follower_wait(struct follower *follower, struct follower_wait *wait);
/* Has it look at once. */
void follower_nudge(struct follower *follower);

extern const struct counter_row tail_counter_rows[];
/* For those who read on their own, or miss something; from any thread. */
enum tail_count {
    TAIL_FILES,
    TAIL_VIEWERS,
    TAIL_READ,
    TAIL_REREAD,
    TAIL_GAPS,
    TAIL_LOST,
    TAIL_COUNTS
};
void tail_count(enum tail_count which, int64_t n);

#endif

/* mount: an app in its place on one loop: the generation that answers, the one that is to follow,
 * and older ones that go on. */
#ifndef SERVE_MOUNT_H
#define SERVE_MOUNT_H

#include "base/buf.h"
#include "exchange/app.h"

#define MOUNT_LIVE 4 /* generations, the newest included; beyond, the oldest has to go */

struct mount {
    void *owner;
    struct scheduler *scheduler;
    char *prefix;            /* "" or "/name" */
    char *folder, *file;     /* absolute; NULL: an app of somebody else's generation */
    struct app *app;         /* that answers; NULL: none does */
    struct generation *gen;  /* whose it is; NULL: none, or somebody else's */
    struct generation *next; /* loaded by a reload, not answering yet */
    struct list older;       /* those that answer no more and are not over, the oldest first */
    struct lineage *lineage; /* tells which number answers; NULL: it never changes */
    char *error;             /* why none answers; NULL: one does */
    struct buf summary;      /* of one among several: what its README says of it */
    /* Background tasks of older ones are awaited; NULL: they are not. */
    void (*on_retired)(void *arg);
    void *retired_arg;
    /* There may be something to do for mount_reap, in a turn of its own. */
    void (*on_settled)(struct mount *mount);
};

void mount_init(struct mount *mount, struct scheduler *scheduler, const char *prefix);
/* When all is over: see mount_is_busy. */
void mount_fini(struct mount *mount);

/* Loads the app file as generation `number`: it, or NULL with the reason in `*error` (free it). */
struct generation *mount_load(struct mount *mount, unsigned number, const struct limits *limits,
                              char **error);
/* The generation is the first: it answers from now on. */
void mount_serve(struct mount *mount, struct generation *gen);
/* It answers no more, and ends. */
void mount_disable(struct mount *mount);

/* Whether another generation has taken over in the whole process since the last look; then it
 * answers here from now on. One atomic read. */
bool mount_adopt(struct mount *mount);
/* Closes `next`: nothing that it has spawned ever runs. */
void mount_drop(struct mount *mount);
/* Cancels the background tasks of older generations; `done` is called when none is left, maybe from
 * within. */
void mount_retire(struct mount *mount, void (*done)(void *arg), void *arg);
/* Of more than MOUNT_LIVE the oldest has to go. */
void mount_make_room(struct mount *mount);
/* Ends what has to go, and frees what is over. Nothing of it may be on the stack. */
void mount_reap(struct mount *mount);

/* Cancels all. */
void mount_cancel(struct mount *mount);
/* Whether any task still runs. */
bool mount_is_busy(const struct mount *mount);
/* Calls `each` for every task of all that live here, but of those whose stacks cannot be told any
 * more, until it returns false. Whether it did not. */
bool mount_each_task(struct mount *mount,
                     bool (*each)(void *arg, struct task *task, const char *prefix), void *arg);
/* Calls `each` for all that live here. */
void mount_each(struct mount *mount, void (*each)(struct mount *, struct generation *));

#endif

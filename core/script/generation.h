/* generation: one loaded version of an app in one worker: its Lua state and the tasks on it. */
#ifndef SCRIPT_GENERATION_H
#define SCRIPT_GENERATION_H

#include "http/limits.h"
#include "http/server.h"
#include "hub/hub.h"
#include "script/state.h"
#include "script/task.h"

struct app;

#define GENERATION_SPARE 64 /* finished coroutines kept for the next tasks */
#define GENERATION_FREE 128 /* references given back, kept for the next ones */

struct spare {
    lua_State *co;
    int anchor;
};

struct generation {
    struct state state;
    struct scheduler *scheduler;
    struct http_server *server; /* for its limits and counters; NULL while checking without one */
    struct limits limits;       /* what the app asks for while it loads, then what holds */
    uint64_t limits_set;        /* a bit for each row of limit_rows that the app has set */
    char *folder;               /* absolute; relative paths start here */
    struct app *app;            /* the one that the app file returned; NULL until loaded */
    struct list tasks;
    struct list held; /* background tasks that start with generation_take_over */
    struct spare spare[GENERATION_SPARE];
    unsigned nspare;
    int free[GENERATION_FREE]; /* places in the registry for the next references */
    unsigned nfree;
    int nrefs;     /* live references, spare coroutines not counted; for leak checks */
    int cancelled; /* references to weir.cancelled, and to functions of the Lua half */
    int run, failed, run_defers, stream_meta_ref;
    const void *stream_meta;  /* the metatable of streams, to be told by its address */
    struct topic_rule *rules; /* weir.topics, until the takeover; patterns are its own copies */
    size_t nrules;
    bool loading; /* the app file runs: limits may be set, nothing may wait */
    bool active;  /* has taken over: background tasks start at once */
    void (*on_idle)(struct generation *gen); /* its last task has ended; NULL: nobody asks */
    void *idle_arg;
    bool ending;  /* what it starts from now on is cancelled at once */
    bool closing; /* references need not be given back any more */
};

/* A state with Weir in it and no app yet. `folder` is absolute, copied. */
struct generation *generation_new(struct scheduler *scheduler, const char *folder,
                                  const struct limits *limits);
/* Runs the app file. 0, or -1 with the error, "file:line: reason", in `*error` (free it). */
int generation_load(struct generation *gen, const char *file, char **error);
/* The app's on_start functions under way. */
struct starting {
    void (*done)(
        struct starting *starting); /* all have returned, or failed; maybe from within the call */
    char *error;                    /* of the first that failed, with traceback; free it */
    int left;
    void *owner;
};
/* Runs the on_start functions; those for one worker only in the first. */
void generation_start(struct generation *gen, bool first_worker, struct starting *starting);
/* From now on this generation is the one that serves: its held tasks start. */
void generation_take_over(struct generation *gen);
/* Cancels every task but those that clean up, and does not wait for them. */
void generation_cancel(struct generation *gen);
/* Frees all, whatever still runs; nothing of it may be on the stack. */
void generation_free(struct generation *gen);

/* What the app's topics keep: at once, or with the takeover. Copied. */
void generation_set_rules(struct generation *gen, const struct topic_rule *rules, size_t n);

/* References to Lua values, counted. generation_ref pops the top of L's stack. */
int generation_ref(struct generation *gen, lua_State *L);
void generation_push(struct generation *gen, lua_State *L, int ref);
void generation_unref(struct generation *gen, int ref);
/* A coroutine to run a task on, with an empty stack. */
struct spare generation_coroutine(struct generation *gen);
/* Takes it back: `reusable` when its function has returned. */
void generation_recycle(struct generation *gen, struct spare spare, bool reusable);
/* An absolute path for a script's: relative ones start in the app's folder. Free it. */
char *generation_path(struct generation *gen, const char *path);

#endif

/* generation: one loaded version of an app in one worker: its Lua state and the tasks on it. */
#ifndef VM_GENERATION_H
#define VM_GENERATION_H

#include "base/limits.h"
#include "http/server.h"
#include "hub/hub.h"
#include "proto/forwarded.h"
#include "vm/lineage.h"
#include "vm/state.h"
#include "vm/task.h"

struct app;
struct generation;

/* Why a state is broken: its allocator had to fail inside of compiled code. */
extern const char generation_too_much[];

#define GENERATION_SPARE 64 /* finished coroutines kept for the next tasks */
#define GENERATION_FREE 128 /* references given back, kept for the next ones */

struct spare {
    lua_State *co;
    int anchor;
};

/* The app's on_start functions under way. */
struct starting {
    /* All have returned, or failed; maybe from within boot_start. */
    void (*done)(char *error_take, void *arg);
    void *arg;
    char *error; /* of the first that failed, with traceback */
    int left;
};

struct generation {
    struct state state;
    struct scheduler *scheduler;
    struct http_server *server; /* for its limits and counters; NULL while checking without one */
    struct limits limits;       /* what the app asks for while it loads, then what holds */
    struct limits asked;        /* what it has asked for */
    uint64_t limits_set;        /* a bit for each row of limit_rows that the app has set */
    char *folder;               /* absolute; relative paths start here */
    unsigned number;            /* of the app's generations; 1 is the first */
    struct list link;           /* of the mount's that answer no more */
    struct lineage *lineage;    /* asks for a newer one; NULL: there is none to ask */
    struct trust trust;         /* weir.trust_proxies */
    struct app *app;            /* the one that the app file returned; NULL until loaded */
    struct starting starting;
    struct list tasks;
    struct list exchanges; /* streams that need it: in Lua's hands, or with an on_close */
    struct list leaving;   /* of these: to be ended */
    unsigned expelled;     /* that were */
    struct list held;      /* background tasks that start with generation_take_over */
    const void *globals; /* the table of globals, to be told by its address; NULL: not yet known */
    struct spare spare[GENERATION_SPARE];
    unsigned nspare;
    int free[GENERATION_FREE]; /* places in the registry for the next references */
    unsigned nfree;
    int nrefs;     /* live references, spare coroutines not counted; for leak checks */
    int cancelled; /* references to weir.cancelled, and to functions of the Lua half */
    int run, run_through, place, failed, hint, run_defers, stream_meta_ref;
    int limit_error; /* reference to the guard's last error; LUA_NOREF: none */
    /* the metatables of streams, and of those that go on without Lua, to be told by address */
    const void *stream_meta, *left_meta;
    struct topic_rule *rules; /* weir.topics, until the takeover; patterns are its own copies */
    size_t nrules;
    bool loading;        /* the app file runs: limits may be set, nothing may wait */
    bool active;         /* has taken over: background tasks start at once */
    bool first_worker;   /* it is the one of several that does what is done once */
    bool retired;        /* another has taken over: no background task starts any more */
    unsigned background; /* tasks that are such */
    void (*on_settled)(struct generation *gen); /* a task or stream has ended; NULL: nobody asks */
    void (*on_broken)(struct generation *gen);  /* free it, in a turn of its own */
    void (*on_closing)(struct generation *gen); /* tasks are gone, the state goes next; or NULL */
    void *owner;                                /* theirs */
    bool expelling;
    bool worn;    /* its Lua holds too much for good, which has been told */
    bool ending;  /* what it starts from now on is cancelled at once */
    bool closing; /* references need not be given back any more */
};

/* A state with Weir in it and no app yet. `folder` is absolute, copied. */
struct generation *generation_new(struct scheduler *scheduler, const char *folder,
                                  const struct limits *limits);
/* Nobody is told any more that they have returned. */
void generation_forget_start(struct generation *gen);
/* Its rules for topics hold from now on, in the whole process. */
void generation_apply_rules(struct generation *gen);
/* From now on this generation is the one that serves: its held tasks start. */
void generation_take_over(struct generation *gen);
/* Another one serves: its background tasks are cancelled, and no other starts. */
void generation_retire(struct generation *gen);
/* A task or stream of it has ended. */
void generation_settle(struct generation *gen);
/* Whether nothing of it goes on, so that it can be freed. */
bool generation_is_over(const struct generation *gen);
/* Adds the remedy, if there is one, to an error message on top of the stack, for people to read. */
void generation_hint(struct generation *gen, lua_State *L);
/* Cancels every task but those that clean up, and does not wait for them. */
void generation_cancel(struct generation *gen);
/* Has its Lua observe its limits cpu_time and lua_memory, from now on. */
void generation_apply_limits(struct generation *gen);
/* When more than state.worn_mark is in use after a stretch: collects all that can be, and asks for
 * a newer generation if that is not enough. */
void generation_collect(struct generation *gen);
/* The guard has broken its state while it ran `what`: no Lua of it runs any more. Asks for a newer
 * one, and its owner to free it. */
void generation_break(struct generation *gen, const char *what);
/* Frees all, whatever still runs; nothing of it may be on the stack. */
void generation_free(struct generation *gen);

/* What more of the app's topics keep: at once, or with the takeover. Copied. */
void generation_add_rules(struct generation *gen, const struct topic_rule *rules, size_t n);

/* Which proxies the app believes; copied. */
void generation_set_trust(struct generation *gen, const struct cidr *ranges, size_t n,
                          bool standard);

/* A reference, not counted, to what a module of Weir's returns, or to its field `name`. */
int generation_require(lua_State *L, const char *module, const char *name);
/* References to Lua values, counted. generation_ref pops the top of L's stack. */
int generation_ref(struct generation *gen, lua_State *L);
void generation_push(struct generation *gen, lua_State *L, int ref);
void generation_drop(struct generation *gen, int ref); /* not LUA_NOREF */
static inline void generation_unref(struct generation *gen, int ref) {
    if (ref != LUA_NOREF)
        generation_drop(gen, ref);
}
/* A coroutine to run a task on, with an empty stack. */
struct spare generation_coroutine(struct generation *gen);
/* Takes it back: `reusable` when its function has returned. */
void generation_recycle(struct generation *gen, struct spare spare, bool reusable);
/* An absolute path for a script's: relative ones start in the app's folder. Free it. */
char *generation_path(struct generation *gen, const char *path);

#endif

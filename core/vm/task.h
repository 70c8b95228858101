/* task: a coroutine that the scheduler resumes. */
#ifndef VM_TASK_H
#define VM_TASK_H

#include "base/list.h"
#include "base/log.h"
#include "base/wheel.h"
#include "net/loop.h"
#include "vm/guard.h"

#include <lua.h>
#include <stdbool.h>

struct generation;
struct reader;
struct task;

/* One per loop: the tasks that may run, of all generations there. */
struct scheduler {
    struct loop *loop;
    struct list ready;
    struct list cancelling; /* tasks in whose waits a cancellation goes on, see struct wait */
    struct guard guard;     /* watches what runs inside lua_resume */
    struct task *current;   /* the task that runs inside lua_resume; NULL: none */
    /* For what the current task has begun and its next pause ends: called once, then forgotten.
     * `waits`: it does, else it has ended. NULL: there is nothing. */
    void (*paused)(void *arg, bool waits);
    void *paused_arg;
    /* Fills weir.core, the table at 1, for each new generation. */
    void (*library)(lua_State *L);
    uint64_t serial;       /* of the newest task */
    uint32_t dice;         /* of weir.select */
    uint64_t tasks;        /* alive, read by others without a lock, as is */
    uint64_t queued;       /* how many are in `ready` */
    uint64_t resumes;      /* so far */
    unsigned elsewhere;    /* tasks that wait so, see struct wait */
    struct reader *reader; /* the loop's part of the hub, its owner's; NULL: none */
};

/* What a task waits for; one static object per kind of waiting. */
struct wait {
    const char *what; /* for people: "weir.sleep" */
    /* Undoes what was armed, once, when the wait is over, however it ends. NULL: nothing to undo.
     */
    void (*disarm)(struct task *task);
    /* The time is over: pushes the results. NULL: none. */
    void (*expired)(struct task *task, lua_State *co);
    /* A task that was roused runs: takes what it waits for and pushes the results, at least one.
     * 0: somebody else was faster, it waits on. */
    int (*take)(struct task *task, lua_State *co);
    /* The task is cancelled: the wait goes on, until what has begun is over. NULL: it ends, and the
     * call raises weir.cancelled. */
    void (*cancel)(struct task *task);
    /* The time is over: true if the wait goes on all the same. NULL: it does not. */
    bool (*overdue)(struct task *task);
    bool elsewhere; /* another thread or process is at it, whether or not time passes here */
};

/* Something that a task has opened and that ends with it. */
struct holding {
    struct list link; /* task->holdings; unlinked: nobody's */
    void (*release)(struct holding *holding);
};

enum task_state {
    TASK_READY,   /* in scheduler->ready; `wait` is set if it was roused and has yet to take */
    TASK_RUNNING, /* inside lua_resume */
    TASK_WAITING, /* for what `wait` says */
    TASK_HELD,    /* of a generation that has not taken over: not started yet */
    TASK_ENDING,  /* its function has ended: its children end, then its defers run */
    TASK_DONE
};

/* Who is told of a task. */
struct task_ops {
    /* Its function has ended, its children and defers have not. NULL: nobody asks. */
    void (*returned)(struct task *task);
    /* Its end, defers included; co holds the results, `error` the error. */
    void (*ended)(struct task *task);
    /* The request that it answers, for what is told by it and those below it. NULL: none. */
    void (*origin)(struct task *task, struct log_origin *out);
};

struct task {
    struct list link;    /* READY: in scheduler->ready; HELD: in generation->held */
    struct list seat;    /* while it waits: where what it waits for keeps its waiters, if it does */
    struct list all;     /* in generation->tasks */
    struct list sibling; /* in parent->children */
    struct list children;
    struct list joiners; /* tasks that wait for this one */
    struct list holdings;
    struct timer timer; /* the wait's end */
    struct generation *gen;
    struct task *parent;
    const struct wait *wait;
    void *armed;                /* what `wait` is about */
    size_t amount;              /* how much of `armed` is waited for */
    uint64_t serial;            /* no other task of this loop ever has it */
    const struct task_ops *ops; /* NULL: nobody asks, and errors are logged */
    void *owner;                /* of whoever set them */
    const char *what; /* for the log: "GET /hello/:name"; lives as long as the generation */
    lua_State *co;
    int anchor;         /* reference that keeps co */
    int error;          /* reference to what it raised; LUA_NOREF: it has not */
    int place;          /* reference to the traceback if the guard ended it, else LUA_NOREF */
    int origin;         /* reference to the text of who started it; LUA_NOREF: see `what` */
    int defers;         /* reference to the list of deferred functions, LUA_NOREF: none */
    uint32_t refs;      /* its life, and its userdata */
    uint16_t swallowed; /* how often weir.cancelled was raised in it */
    uint16_t kept; /* values on co that are not what it is resumed with: what the call that waits
                    * was given, which lives as long as the wait; at first the function. LuaJIT's
                    * stacks have fewer than 65,536 slots. */
    uint8_t depth; /* of deferred functions that were deferred by deferred ones */
    uint8_t state;
    bool started : 1, cancelled : 1, failed : 1, dropped : 1;
    bool overdue : 1;    /* roused, and the time was over before it ran */
    bool joined : 1;     /* somebody waited for it: its error is theirs */
    bool background : 1; /* weir.background's, or below one: a reload ends it */
};

#define TASK_DEPTH_MAX 100   /* each ends within the end of the one that deferred it */
#define TASK_SWALLOW_MAX 100 /* cancellations that a task may swallow before it is dropped */

void scheduler_init(struct scheduler *scheduler, struct loop *loop, struct reader *reader,
                    void (*library)(lua_State *L));
/* When no generation is left. */
void scheduler_fini(struct scheduler *scheduler);

/* A task of `gen`, not ready yet: push the function and its arguments on ->co, then task_start.
 * `parent` NULL: it belongs to the generation. Kept alive by the scheduler until its end. */
struct task *task_new(struct generation *gen, struct task *parent);
void task_start(struct task *task);
/* Queues it to run, whatever has become of its generation. */
void task_make_ready(struct task *task);
/* Makes a new one that belongs to the generation a background task: it is held until that takes
 * over, and ends when another does. */
void task_set_background(struct task *task);
/* Frees a task whose generation goes, whatever it was doing. */
void task_forget(struct task *task);
/* Cancels: the blocking call it is in, and every later one, raises weir.cancelled. */
void task_cancel(struct task *task);
struct task *task_ref(struct task *task);
void task_unref(struct task *task);

/* The shape of every blocking function, whose arguments stay on the stack while it waits:
 *
 *     struct task *task = task_enter(L, "weir.sleep");   -- raises where waiting is impossible
 *     if (task == NULL)
 *         return task_refuse(L);                          -- the task is cancelled
 *     ... arm ...
 *     return task_wait(task, &sleeping, ms);              -- WHEEL_NEVER: no time limit
 *
 * Its results begin with an error to raise, nil for none; the Lua half raises it. */
struct task *task_enter(lua_State *L, const char *what);
int task_refuse(lua_State *L);
/* Raises weir.cancelled after a wait that went on: pushes it in place of the nil that is on top. */
int task_push_cancelled(struct task *task, lua_State *co);
int task_wait(struct task *task, const struct wait *wait, uint64_t ms);
/* What the task waits for may be had: when it runs, wait->take says whether it is. So nothing is
 * taken for a task that is cancelled before, and of several the first to run takes it. Twice is
 * harmless. */
void task_rouse(struct task *task);
/* The same, and it runs before the others that are ready. */
void task_rouse_first(struct task *task);
/* What the task waits for is done: ends the wait. The results that follow the nil error are to be
 * pushed, at once, on what this returns; a cancellation does not take them back. */
lua_State *task_wake(struct task *task);
/* A struct wait's `cancel` where what has begun is done in any case: its results are returned. */
void task_go_on(struct task *task);

/* --- by the scheduler --- */

/* Of a task that was roused and runs now; false: it waits on, or has ended. */
bool task_take(struct task *task);
/* Its function has returned, or failed with the error on top of its stack. */
void task_end(struct task *task, bool failed);
/* Ended by the guard, whatever the script has made of it: with the guard's error. */
void task_end_stopped(struct task *task);
/* It swallows cancellations: it never runs again. */
void task_drop(struct task *task);

/* --- as a value, in task_value, and its failure, in task_failure --- */

#define TASK_META "weir.task" /* its metatable, made by bind/task */
/* The seconds at `index` as milliseconds, rounded up; WHEEL_NEVER for nil. Raises for another type.
 */
uint64_t task_ms(lua_State *L, int index);
/* Pushes what a task that is done returned, after true; or nil and its error. For an error,
 * "cancelled" when it was that. */
void task_push_results(struct task *task, lua_State *to);
/* The generation that `L` belongs to. */
struct generation *task_generation(lua_State *L);
/* The task that runs on `L`'s loop now; NULL: none. */
struct task *task_current(lua_State *L);
/* Pushes `where`, the error of a task that failed, and its traceback, as one text. stack of L: +1
 */
void task_push_traceback(struct task *task, lua_State *L, const char *where);
/* "GET /hello/:name", or who started it, and where. stack of L: +1. */
void task_push_name(struct task *task, lua_State *L);
/* Logs the error of a task that failed. */
void task_log_failure(struct task *task);
/* The request that the task belongs to; `out` is left as it is if it belongs to none. */
void task_origin(struct task *task, struct log_origin *out);
/* Logs an error that has to do with a task which does not run. */
void task_log_error(struct task *task, struct str text);
/* Whether the guard ended a task that failed. */
bool task_was_stopped(const struct task *task);
/* Whether the error of a task that failed is that of the guard: its own, or that of the last task
 * that the guard ended, raised again. */
bool task_hit_limit(struct task *task);
/* Whether the error of a task that failed is weir.cancelled. */
bool task_was_cancelled(struct task *task);
/* Whether the error of a task that failed is one of weir.fail, which asks for an answer. */
bool task_is_answer(const struct task *task);
/* Pushes the userdata of a task. stack of L: +1. */
void task_push(lua_State *L, struct task *task);
/* The task behind the userdata at `index`; raises for another value. */
struct task *task_check(lua_State *L, int index);
/* "weir.sleep" or "ready", and the traceback. stack of L: +1. */
void task_describe(lua_State *L, struct task *task);

/* --- cleanups, in task_cleanup --- */

/* Who is told of one, with `arg`. */
struct cleanup_ops {
    void (*ended)(void *arg);
    void (*origin)(void *arg, struct log_origin *out); /* as that of struct task_ops */
};

/* Starts `fn` (popped from L with its `nargs` arguments) as a task that belongs to no other, has at
 * most CLEANUP_MS, and whose errors are logged: what runs when something has ended. */
struct task *task_cleanup(struct generation *gen, lua_State *L, int nargs,
                          const struct cleanup_ops *ops, void *arg);
#define CLEANUP_MS 5000
bool task_is_cleanup(const struct task *task);
/* Frees the rest of one whose generation goes, see task_forget. */
void task_cleanup_forget(struct task *task);

#endif

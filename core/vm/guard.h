/* guard: ends the Lua that runs too long or takes too much memory. */
#ifndef VM_GUARD_H
#define VM_GUARD_H

#include "base/list.h"
#include "vm/state.h"
#include "vm/text_ranges.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* The bits of `stretch` below its number. */
#define GUARD_RUNS 1 /* Lua runs */
#define GUARD_OVER 2 /* for too long: set by the watchdog, which signals the thread from now on */
#define GUARD_FULL 4 /* its memory is used up: set by the allocator */
#define GUARD_ONE 8  /* the next number */

/* One for each thread that runs Lua. A *stretch* is what runs from one resume to the next yield. */
struct profile;

struct guard {
    atomic_uint_fast64_t stretch;
    _Atomic(struct state *) state; /* of this stretch, as are: */
    _Atomic(const char *) what;    /* for the log; lives as long as the state */
    atomic_uint_fast64_t limit;    /* ns of CPU time; 0: none */
    atomic_bool raised;            /* it has been ended, if perhaps not yet unwound */
    atomic_bool profiled;          /* LuaJIT's profiler is this state's */
    atomic_bool sampled;           /* signals are for samples, unless it is over its time */
    atomic_bool compiled;          /* the last signal came in compiled code */
    void **escape;                 /* to guard_run of this stretch; NULL: it was not called */
    struct text_ranges text;       /* of all that is not; the watchdog's until GUARD_OVER is set */
    pthread_t thread;
    /* the watchdog's, under its lock: */
    struct list link;
    clockid_t clock;         /* the thread's CPU time */
    uint64_t seen;           /* the newest stretch that the watchdog has seen */
    bool ran;                /* running then, and */
    uint64_t begun;          /* where `clock` was then */
    uint64_t compiled_until; /* the CPU time of this stretch when `compiled` was last seen */
    uint64_t told_since;     /* it has said that this stretch is in a C function; 0: it has not */
};

/* For the calling thread. The first of a process starts the watchdog. */
void guard_init(struct guard *guard);
void guard_fini(struct guard *guard);
/* Takes a new state in: what it compiles from now on can be stopped. */
void guard_adopt(struct guard *guard, struct state *state);
/* What the state may take: ms between two yields and bytes, 0: no limit. At once, even for the
 * stretch under way. */
void guard_limit(struct state *state, uint64_t cpu_ms, uint64_t bytes);

/* After a stretch with a bit beside GUARD_RUNS: everything as it was before. */
enum guard_stop guard_settle(struct guard *guard, uint64_t stretch);

/* Before Lua of `state` runs. `what` is its name in the log, of at least the state's life. */
static inline void guard_enter(struct guard *guard, struct state *state, const char *what) {
    uint64_t last = atomic_load_explicit(&guard->stretch, memory_order_relaxed);
    state->mark = state->full_mark;
    atomic_store_explicit(&guard->state, state, memory_order_relaxed);
    atomic_store_explicit(&guard->what, what, memory_order_relaxed);
    atomic_store_explicit(&guard->limit, state->stop.cpu_time, memory_order_relaxed);
    atomic_store_explicit(&guard->stretch, last + GUARD_ONE + GUARD_RUNS, memory_order_release);
}

/* When it has returned: whether the guard ended it, and then see stop_explain. */
static inline enum guard_stop guard_leave(struct guard *guard) {
    struct state *state = atomic_load_explicit(&guard->state, memory_order_relaxed);
    uint64_t last = atomic_load_explicit(&guard->stretch, memory_order_relaxed);
    state->mark = STATE_NO_MARK;
    uint64_t stretch = atomic_exchange(&guard->stretch, last & ~(uint64_t)(GUARD_ONE - 1));
    return stretch & (GUARD_OVER | GUARD_FULL) ? guard_settle(guard, stretch) : GUARD_NONE;
}

#define GUARD_WHAT 256
/* From any thread: what runs there now, as guard_enter was told, perhaps cut. False: no Lua. */
bool guard_running(struct guard *guard, char what[GUARD_WHAT]);

/* Runs Lua between guard_enter and guard_leave: what `run` returns, or GUARD_BROKEN: it was left in
 * the middle, and no Lua of that state, which state->broken tells, may run again. */
#define GUARD_BROKEN (-1)
#define GUARD_ESCAPE 5 /* pointers that __builtin_setjmp wants: it costs far less than setjmp */
int guard_run(struct guard *guard, int (*run)(lua_State *L, void *arg), lua_State *L, void *arg);

/* For Lua that is entered from within Lua: the outer stretch ends, and goes on as another one. */
struct guard_outer {
    struct state *state; /* NULL: there was none */
    const char *what;
    void **escape;
};
struct guard_outer guard_pause(struct guard *guard);
void guard_resume(struct guard *guard, struct guard_outer outer);

/* What one state runs, sampled. */
struct sampling {
    struct state *state;
    struct profile *profile; /* for the state's thread alone */
    /* From any thread, under the guard's lock: another state needs the profiler, so have
     * guard_unsample called. */
    void (*wanted)(struct sampling *sampling);
};
/* On the thread of its state, between two stretches: begins, until guard_unsample, or until another
 * state needs the profiler. False: another one is sampled, or just has the profiler. */
bool guard_sample(struct sampling *sampling);
/* On that thread. False: it has ended before. */
bool guard_unsample(struct sampling *sampling);
/* The state goes. */
void guard_forget(struct state *state);
/* For the allocator, above state->mark: may it be `total` bytes? */
bool guard_allows(struct state *state, size_t total);

#endif

/* guard: ends the Lua that runs too long or takes too much memory.
 *
 *     worker:    enter -- Lua runs -- leave ------------------------> next task
 *     watchdog:      \--over its time: OVER, signal, signal ...--/ settle: all as before
 *     allocator:     \--over its memory: FULL------------------/
 *
 * One *watchdog* thread samples which stretch each worker is in and the CPU time of its thread, so
 * that a worker that the system lets wait is not blamed, and a stretch costs the worker some
 * stores. The end itself is a *hook* that raises before the next instruction, and before each one
 * after it: what a pcall of the script catches is raised again behind that pcall, until nothing is
 * left to catch it. It raises what LuaJIT raises when memory is out, for that is the one error that
 * no handler of an xpcall sees: hooks are off while a hook runs, and a handler called from there
 * could loop for ever.
 *
 * Compiled loops look at no hook, but at the flag of LuaJIT's profiler, of which there is one
 * (profiler.c). The watchdog signals a worker that is over its time every PACE_NS. The handler, in
 * that thread, sets the hook and notes whether the signal came in compiled code (vm/text_ranges);
 * if so, the watchdog lends the profiler to that state, and from then on the handler sets the flag,
 * too. A loop that leaves its trace there meets the hook. After the stretch the worker gives the
 * profiler back, not earlier: that drops the state's machine code. A second runaway loop of
 * compiled code waits for the first.
 *
 * A C function (string.rep, a pattern) ends when it ends. The watchdog says so in the log, and
 * whose it is. It is not lent the profiler, which others may need meanwhile. Two cases are left to
 * chance, as compiled code calls some C by itself, such as a search for a plain string: a loop that
 * is nearly always in there is lent the profiler when a signal happens to meet it outside, and told
 * as a C function before; one that has the profiler and then is in there for long keeps it for so
 * long. A call that leaves compiled code meets the hook first.
 *
 * Memory: the allocator asks from three quarters of the limit on, and then each step of the
 * collector is a whole collection, so that garbage is not what fills it. Above the limit the hook
 * ends the stretch; until it does, C code has OVERDRAW, then allocation fails, which raises. In C
 * code that works for coroutines which do not run, nothing could catch that: see state_lend.
 * Outside of a stretch nothing is refused.
 *
 * In compiled code nothing is refused either: LuaJIT cannot leave a trace in the middle of an
 * instruction, for what the trace holds in registers is then lost, and the collector would walk a
 * stack of leftovers. So who allocates in compiled code (text_ranges_left) may have COMPILED_TIMES
 * the limit, and is made to leave: by the profiler's flag, and by the collector, which LuaJIT never
 * lets finish on a trace. What one step asks for beyond that breaks the state: guard_run is left
 * for by a longjmp past LuaJIT, nothing of that state runs or is collected any more, and whoever
 * owns it closes it.
 *
 * The lock `watch.lock` is held by the watchdog while it looks and by a worker while it settles, so
 * that a stretch which is OVER stays where it is meanwhile. The handler takes no lock: it reads
 * `text` of a stretch that is OVER, and the watchdog writes that before it makes it so.
 *
 * Longer than other files, for the watchdog, the handler, the allocator and the worker are in one
 * stretch at a time: what each may do stands beside what the others may be at. */
#include "vm/guard.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "vm/profile.h"
#include "vm/profiler.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACE_NS 20000000       /* between two looks, */
#define IDLE_NS 100000000      /* when nothing ran since the last one, */
#define LEAST_NS 1000000       /* and at least */
#define PATIENCE_NS 100000000  /* outside of compiled code, then it is taken for a C function */
#define OVERDRAW (1024 * 1024) /* above the limit, for what cannot be ended just there */
#define COMPILED_TIMES 4       /* of the limit: strings that double want three */
#define TIGHT_PAUSE 120

static struct {
    pthread_mutex_t lock;
    pthread_cond_t joined; /* there is a guard */
    struct list guards;
    struct guard *borrower;    /* whose state has the profiler, to be stopped; NULL: nobody's */
    struct sampling *sampling; /* whose state has it, to be sampled; NULL: none's */
    bool runs;                 /* its thread has been started */
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER, .guards = {&watch.guards, &watch.guards}};

static _Thread_local struct guard *own; /* of this thread */

/* --- the end of a stretch --- */

static void end_stretch(lua_State *L, lua_Debug *ar) {
    (void)ar;
    struct state *state = state_of(L);
    if (state->stop.why == GUARD_NONE)
        return;
    lua_gc(L, LUA_GCSTOP, 0); /* its steps allocate, too */
    if (state->stop.message == NULL) {
        state->mark = STATE_NO_MARK;
        stop_note(&state->stop, L);
    }
    atomic_store(&state->guard->raised, true);
    state->refuse = true;
    state->mark = 0;
    lua_newuserdata(L, 1); /* raises */
}

static void set_hook(struct state *state, enum guard_stop why) {
    if (state->stop.why == GUARD_NONE)
        state->stop.why = why;
    lua_sethook(state->L, end_stretch, LUA_MASKCOUNT | LUA_MASKCALL, 1);
}

/* --- LuaJIT's profiler, under the lock --- */

static void on_sample(void *arg, lua_State *L, int samples, int vmstate) {
    struct sampling *sampling = arg;
    const char *what = atomic_load(&sampling->state->guard->what);
    size_t mark = state_lend(sampling->state);
    profile_sample(sampling->profile, L, what, samples, vmstate);
    state_take_back(sampling->state, mark);
}

/* Its state does not run. */
static void end_sampling(void) {
    struct state *state = watch.sampling->state;
    watch.sampling = NULL;
    atomic_store(&state->guard->sampled, false);
    profiler_take_back(state->L);
}

/* Whether who is sampled lets who is to be stopped have it; another thread is asked to. */
static bool sampling_yields(const struct guard *guard) {
    struct sampling *sampling = watch.sampling;
    struct state *running = atomic_load(&guard->state);
    if (sampling == NULL || sampling->state == running) /* which has it already */
        return true;
    if (sampling->state->guard != guard)
        sampling->wanted(sampling);
    else
        end_sampling(); /* this thread runs another state, and stays there while the lock is held */
    return watch.sampling == NULL;
}

static void borrow_profiler(struct guard *guard) {
    if (watch.borrower || !sampling_yields(guard))
        return;
    watch.borrower = guard;
    if (watch.sampling == NULL)
        profiler_lend(atomic_load(&guard->state)->L, NULL, NULL);
    atomic_store(&guard->profiled, true);
}

static void return_profiler(struct guard *guard) {
    if (watch.borrower != guard)
        return;
    watch.borrower = NULL;
    atomic_store(&guard->profiled, false);
    if (watch.sampling == NULL) /* else it is sampled on */
        profiler_take_back(atomic_load(&guard->state)->L);
}

bool guard_sample(struct sampling *sampling) {
    struct state *state = sampling->state;
    pthread_mutex_lock(&watch.lock);
    bool can = watch.sampling == NULL && watch.borrower == NULL && !state->broken;
    if (can) {
        watch.sampling = sampling;
        profiler_lend(state->L, on_sample, sampling);
        atomic_store(&state->guard->sampled, true);
        pthread_cond_signal(&watch.joined);
    }
    pthread_mutex_unlock(&watch.lock);
    return can;
}

bool guard_unsample(struct sampling *sampling) {
    pthread_mutex_lock(&watch.lock);
    bool on = watch.sampling == sampling;
    if (on)
        end_sampling();
    pthread_mutex_unlock(&watch.lock);
    return on;
}

void guard_forget(struct state *state) {
    pthread_mutex_lock(&watch.lock);
    if (watch.sampling && watch.sampling->state == state)
        end_sampling();
    pthread_mutex_unlock(&watch.lock);
}

/* A state goes under the lock (guard_forget), and what its tasks are called goes after it. */
bool guard_running(struct guard *guard, char what[GUARD_WHAT]) {
    pthread_mutex_lock(&watch.lock);
    bool runs = atomic_load(&guard->stretch) & GUARD_RUNS;
    if (runs)
        snprintf(what, GUARD_WHAT, "%s", atomic_load(&guard->what));
    pthread_mutex_unlock(&watch.lock);
    return runs;
}

/* --- in the worker's thread --- */

static void on_signal(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)info;
    struct guard *guard = own;
    int saved = errno;
    if (guard && atomic_load(&guard->stretch) & GUARD_OVER) {
        set_hook(atomic_load(&guard->state), GUARD_CPU);
        atomic_store(&guard->compiled, !text_ranges_interrupted(&guard->text, context));
        if (atomic_load(&guard->profiled))
            raise(SIGPROF); /* LuaJIT's handler sets the flag */
    } else if (guard && atomic_load(&guard->sampled)) {
        raise(SIGPROF);
    }
    errno = saved;
}

static void on_stray_signal(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)info, (void)context;
}

/* No handler of jit.attach is called any more. */
static void forget_events(lua_State *L) {
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "_VMEVENTS");
}

enum guard_stop guard_settle(struct guard *guard, uint64_t stretch) {
    struct state *state = atomic_load(&guard->state);
    if (state->broken)
        forget_events(state->L);
    pthread_mutex_lock(&watch.lock);
    return_profiler(guard);
    uint64_t told_since = stretch & GUARD_OVER ? guard->told_since : 0;
    pthread_mutex_unlock(&watch.lock);
    /* A signal may have come in the middle of a change of LuaJIT's dispatch table: two changes make
     * it again. */
    lua_sethook(state->L, end_stretch, LUA_MASKCOUNT | LUA_MASKCALL, 1);
    lua_sethook(state->L, NULL, 0, 0);
    state->refuse = false;
    if (told_since)
        log_warn("%s: that C function has returned, after %.1f s", guard->what,
                 (double)(clock_cpu_ns(guard->clock) - told_since) / 1e9);
    if (!atomic_exchange(&guard->raised, false)) {
        state->stop.why = GUARD_NONE;
        return GUARD_NONE;
    }
    if (!state->broken)
        lua_gc(state->L, LUA_GCRESTART, 0);
    enum guard_stop stop = state->stop.why;
    stop_count(stop);
    return stop;
}

struct guard_outer guard_pause(struct guard *guard) {
    struct guard_outer outer = {0};
    if (atomic_load(&guard->stretch) & GUARD_RUNS) {
        outer.state = atomic_load(&guard->state);
        outer.what = atomic_load(&guard->what);
        outer.escape = guard->escape;
        if (guard_leave(guard)) /* it is given another one */
            outer.state->stop.why = GUARD_NONE;
    }
    return outer;
}

void guard_resume(struct guard *guard, struct guard_outer outer) {
    guard->escape = outer.escape;
    if (outer.state)
        guard_enter(guard, outer.state, outer.what);
}

int guard_run(struct guard *guard, int (*run)(lua_State *L, void *arg), lua_State *L, void *arg) {
    void *here[GUARD_ESCAPE];
    guard->escape = here; /* used while this runs */
    if (__builtin_setjmp(here))
        return GUARD_BROKEN;
    return run(L, arg);
}

/* --- memory --- */

/* From now on each step of the collector is a whole collection, and one begins at once. Called by
 * the allocator: only numbers are set. */
static void tighten(struct state *state) {
    state->tight = true;
    if (state_mode.aggressive_gc)
        return;
    lua_gc(state->L, LUA_GCSETPAUSE, TIGHT_PAUSE);
    lua_gc(state->L, LUA_GCSETSTEPMUL, 0);
    if (!atomic_load(&state->guard->raised))
        lua_gc(state->L, LUA_GCRESTART, 0);
}

/* The hook is to end it. A collection is due at once, whatever the script has made of that. */
static void become_full(struct state *state) {
    set_hook(state, GUARD_MEMORY);
    if (!(atomic_fetch_or(&state->guard->stretch, GUARD_FULL) & GUARD_FULL))
        tighten(state);
}

/* Whether the allocator was called by compiled code, which is then made to end soon. */
static bool leaves_compiled(struct guard *guard) {
    static _Thread_local struct text_ranges text;
    text_ranges_collect(&text);
    if (!text_ranges_left(&text))
        return false;
    pthread_mutex_lock(&watch.lock);
    borrow_profiler(guard);
    pthread_mutex_unlock(&watch.lock);
    if (atomic_load(&guard->profiled))
        raise(SIGPROF);
    return true;
}

/* Leaves the stretch for guard_run. The collector stops for good. */
static void break_state(struct state *state) {
    state->broken = true;
    state->mark = STATE_NO_MARK;
    lua_gc(state->L, LUA_GCSTOP, 0);
    __builtin_longjmp(state->guard->escape, 1);
}

bool guard_allows(struct state *state, size_t total) {
    if (state->refuse) {
        state->refuse = false;
        state->mark = state->full_mark;
        return false;
    }
    if (fault("lua_alloc") < 0)
        return false;
    if (total <= state->full_mark) /* asked for that fault's sake */
        return true;
    if (!state->tight)
        tighten(state);
    if (total <= state->stop.memory)
        return true;
    become_full(state);
    if (total <= state->stop.memory + OVERDRAW)
        return true;
    if (leaves_compiled(state->guard)) {
        if (total / COMPILED_TIMES > state->stop.memory)
            break_state(state);
        return true;
    }
    atomic_store(&state->guard->raised, true);
    return false;
}

void guard_limit(struct state *state, uint64_t cpu_ms, uint64_t bytes) {
    struct guard *guard = state->guard;
    state->stop.cpu_time = cpu_ms * 1000000;
    state->stop.memory = bytes ? bytes : SIZE_MAX;
    state->full_mark = bytes ? bytes / 4 * 3 : STATE_NO_MARK;
    state->worn_mark = bytes ? bytes / 10 * 9 : STATE_NO_MARK;
    if (!(atomic_load(&guard->stretch) & GUARD_RUNS) || atomic_load(&guard->state) != state)
        return;
    atomic_store(&guard->limit, state->stop.cpu_time);
    state->mark = state->full_mark;
}

/* --- the watchdog --- */

/* False: it has just ended. */
static bool make_over(struct guard *guard, uint64_t stretch) {
    text_ranges_collect(&guard->text);
    atomic_store(&guard->compiled, false);
    guard->compiled_until = 0;
    return atomic_compare_exchange_strong(&guard->stretch, &stretch, stretch | GUARD_OVER);
}

/* Whether no signal has met it in compiled code for long, nor has it met the hook. */
static bool is_in_c(struct guard *guard, uint64_t used) {
    uint64_t limit = atomic_load(&guard->limit), last = guard->compiled_until;
    return !atomic_load(&guard->raised) && used >= (last > limit ? last : limit) + PATIENCE_NS;
}

/* LuaJIT takes nothing into the running state here but its address. */
static void stop(struct guard *guard, uint64_t stretch, uint64_t used) {
    if (!(stretch & GUARD_OVER) && !make_over(guard, stretch))
        return;
    if (atomic_load(&guard->compiled)) {
        guard->compiled_until = used;
        borrow_profiler(guard);
    }
    pthread_kill(guard->thread, SIGURG);
    if (guard->told_since || !is_in_c(guard, used))
        return;
    guard->told_since = guard->begun;
    log_warn("%s: %.1f s of CPU time in one go and still in one C function (string.rep, a "
             "pattern, JSON ...), which cannot be stopped; this worker's other streams wait",
             atomic_load(&guard->what), (double)used / 1e9);
}

/* The time until the next look. */
static uint64_t look(struct guard *guard) {
    uint64_t stretch = atomic_load_explicit(&guard->stretch, memory_order_acquire);
    uint64_t number = stretch / GUARD_ONE, last = guard->seen;
    uint64_t now = clock_cpu_ns(guard->clock);
    bool ran = guard->ran;
    guard->seen = number;
    guard->ran = stretch & GUARD_RUNS;
    if (!guard->ran) {
        guard->begun = now; /* or later, for the next one */
        return number == last ? IDLE_NS : PACE_NS;
    }
    if (number != last) {
        guard->told_since = 0;
        if (ran || number != last + 1)
            guard->begun = now; /* nobody has seen it begin, PACE_NS ago at most */
    }
    uint64_t limit = atomic_load(&guard->limit), used = now - guard->begun;
    if (limit == 0)
        return PACE_NS;
    if (used >= limit || stretch & GUARD_FULL)
        stop(guard, stretch, used);
    else if (limit - used < PACE_NS)
        return limit - used < LEAST_NS ? LEAST_NS : limit - used;
    return PACE_NS;
}

/* If its state runs. */
static void sample(const struct sampling *sampling) {
    struct guard *guard = sampling->state->guard;
    if (atomic_load(&guard->stretch) & GUARD_RUNS && atomic_load(&guard->state) == sampling->state)
        pthread_kill(guard->thread, SIGURG);
}

static void wait_for(uint64_t ns) {
    struct timespec until = clock_after_ns(ns);
    pthread_cond_timedwait(&watch.joined, &watch.lock, &until);
}

static void *run(void *arg) {
    (void)arg;
    pthread_mutex_lock(&watch.lock);
    for (;;) {
        uint64_t pace = IDLE_NS;
        while (list_empty(&watch.guards))
            pthread_cond_wait(&watch.joined, &watch.lock);
        for (struct list *at = watch.guards.next; at != &watch.guards; at = at->next) {
            uint64_t ns = look(CONTAINER_OF(at, struct guard, link));
            pace = ns < pace ? ns : pace;
        }
        if (watch.sampling) {
            sample(watch.sampling);
            pace = pace < PROFILE_NS ? pace : PROFILE_NS;
        }
        wait_for(pace);
    }
    return NULL;
}

/* --- life --- */

static void handle(int signo, void (*handler)(int, siginfo_t *, void *)) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_RESTART | SA_SIGINFO};
    sigaction(signo, &action, NULL);
}

/* Its thread takes no signals: they are for others. */
static int start_thread(void) {
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc != 0 ? rc : pthread_detach(thread);
}

/* For as long as the process lives. */
static void start(void) {
    clock_init_cond(&watch.joined);
    handle(SIGURG, on_signal);
    handle(SIGPROF, on_stray_signal); /* whenever the profiler changes hands */
    if (profiler_init() < 0 || start_thread() != 0)
        log_fatal("cannot start the watchdog over what runs in Lua");
    watch.runs = true;
}

void guard_init(struct guard *guard) {
    memset(guard, 0, sizeof *guard);
    guard->thread = pthread_self();
    pthread_getcpuclockid(guard->thread, &guard->clock);
    own = guard;
    pthread_mutex_lock(&watch.lock);
    if (!watch.runs)
        start();
    list_push(&watch.guards, &guard->link);
    pthread_cond_signal(&watch.joined);
    pthread_mutex_unlock(&watch.lock);
}

void guard_fini(struct guard *guard) {
    own = NULL;
    pthread_mutex_lock(&watch.lock);
    list_remove(&guard->link);
    pthread_mutex_unlock(&watch.lock);
}

void guard_adopt(struct guard *guard, struct state *state) {
    state->guard = guard;
    guard_limit(state, 0, 0);
    pthread_mutex_lock(&watch.lock);
    profiler_adopt(state->L);
    pthread_mutex_unlock(&watch.lock);
}

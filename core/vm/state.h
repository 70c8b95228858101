/* state: one lua_State, with the libraries that scripts get. */
#ifndef VM_STATE_H
#define VM_STATE_H

#include "base/counter.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/str.h"
#include "vm/stop.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct guard;

struct state {
    lua_State *L;
    void *owner;      /* the generation */
    size_t bytes;     /* allocated by Lua now, */
    uint64_t shown;   /* and when a task last paused: any thread may read */
    struct list link; /* of all states of the process */
    size_t mark;      /* above it the guard is asked; STATE_NO_MARK while no Lua runs */
    /* the guard's, see guard.h: */
    struct guard *guard; /* of the thread; NULL: none */
    size_t full_mark;    /* `mark` while Lua runs */
    size_t worn_mark;    /* above it nothing but garbage should be between two stretches */
    struct stop stop;    /* the limits, and whether one was reached */
    bool refuse;         /* the next allocation fails */
    bool tight;          /* near the limit, it collects as often as it can */
    bool broken;         /* it can only be closed any more, see guard_run */
    struct pool pool;
    unsigned runs;    /* since the collector was last tuned */
    uint64_t trimmed; /* when the pool was, ms */
    bool large;
};

#define STATE_NO_MARK SIZE_MAX

/* A state with Lua's libraries but ffi, where `os.exit` raises and `require "weir…"` finds the
 * embedded modules. `folder` comes first on package.path. Never fails: out of memory aborts. */
void state_init(struct state *state, const char *folder, void *owner);
void state_fini(struct state *state);
/* Called once for each time that a task runs: fits the collector's pause to the size of the state.
 */
void state_tune(struct state *state);
extern const struct counter_row state_counter_rows[]; /* of all states */
/* Between these two no allocation is refused. For C code that works on a coroutine which does not
 * run, where no error can be caught; and for what a function does for Lua while it holds what an
 * error would lose, such as a struct buf. What else may raise, above all the checks of arguments,
 * comes before. The first returns what the second wants. */
static inline size_t state_lend(struct state *state) {
    size_t mark = state->mark;
    state->mark = STATE_NO_MARK;
    return mark;
}
static inline void state_take_back(struct state *state, size_t mark) {
    state->mark = mark;
}
/* The state that `L` belongs to, and its owner; from any of its coroutines. */
struct state *state_of(lua_State *L);
void *state_owner(lua_State *L);

/* For busted, whose libraries want ffi. */
void state_allow_ffi(lua_State *L);

/* Of the process; set before there is a second thread. */
struct state_mode {
    bool watching;      /* `weir serve --watch`: the author looks, errors are shown on the page */
    bool aggressive_gc; /* for tests: a full collection is always under way, */
    bool no_jit;        /* nothing is compiled */
    lua_State *env;     /* for states that are made now: what os.getenv gives before it asks the */
    int env_at;         /* process, a table on this stack; NULL: nothing */
};
extern struct state_mode state_mode;
/* Applies the mode to a state that exists. */
void state_apply_mode(lua_State *L);

/* `weir check` is told mistakes that a script need not stop at, "file:line: what"; NULL, which it
 * is otherwise: they raise. */
extern void (*state_on_mistake)(struct str text);

/* Pushes require(name). stack: +1. Aborts when an embedded module is missing or broken: a fault of
 * the build. */
void state_require(lua_State *L, const char *name);
/* The string at `index`, borrowed from the stack; raises for another type. */
struct str state_check_str(lua_State *L, int index);
/* The same; without one nothing, of which ptr is NULL. */
struct str state_opt_str(lua_State *L, int index);
/* Inline: streams push several with each request. stack: +1 */
static inline void state_push_str(lua_State *L, struct str text) {
    lua_pushlstring(L, text.ptr ? text.ptr : "", text.len);
}
/* Pushes nil and why: 2, the results of a function that could not. stack: +2 */
int state_push_failure(lua_State *L, const char *why);
/* As luaL_error, but the place it names is the script's, not that of Weir's own Lua half. */
int state_error(lua_State *L, const char *format, ...)
    __attribute__((format(printf, 2, 3), noreturn));
/* Where the script is, Weir's own Lua not counted: source and line. False: in none of its
 * functions. */
bool state_place(lua_State *L, lua_Debug *at);
/* Pushes that place, "file:line: ", or "". stack: +1 */
void state_where(lua_State *L);
/* Sets functions, each with the upvalues that are on the stack as luaL_setfuncs wants them. */
void state_set(lua_State *L, const luaL_Reg *functions);

#endif

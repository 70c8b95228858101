/* profiler: LuaJIT's profiler, as what stops compiled loops.
 *
 * They look at no hook, but those compiled while the profiler is on look at its flag, and leave
 * their trace when it is set. It has one owner in a process, and what it costs to own it is that
 * all machine code goes when it changes hands. So:
 *
 *     sentinel: a state that runs no code --profiler_lend--> one that must stop
 *                                         <--profiler_take_back-- once it has stopped
 *
 * All others have once called luaJIT_profile_start with "l". That fails, for the profiler is taken,
 * but from then on their traces look at the flag. Who is lent it gets it without "l", which would
 * free the machine code that runs. Nobody wants its timer, which is one for the whole process: the
 * flag is set by its signal handler, and the guard raises that signal itself. Its samples are for
 * who looks where a state is (profile.c).
 *
 * Who is to stop, and when, is the guard's business. */
#include "vm/profiler.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stddef.h>
#include <sys/time.h>

static lua_State *sentinel;

static void on_nothing(void *arg, lua_State *L, int samples, int vmstate) {
    (void)arg, (void)L, (void)samples, (void)vmstate;
}

static void give(lua_State *L, luaJIT_profile_callback sample, void *arg) {
    static const struct itimerval never;
    luaJIT_profile_start(L, "i1000000", sample ? sample : on_nothing, arg);
    setitimer(ITIMER_PROF, &never, NULL);
}

int profiler_init(void) {
    sentinel = luaL_newstate();
    if (sentinel == NULL)
        return -1;
    give(sentinel, NULL, NULL);
    return 0;
}

void profiler_adopt(lua_State *L) {
    luaJIT_profile_start(L, "l", on_nothing, NULL);
}

void profiler_lend(lua_State *L, void (*sample)(void *, lua_State *, int, int), void *arg) {
    luaJIT_profile_stop(sentinel);
    give(L, sample, arg);
}

void profiler_take_back(lua_State *L) {
    luaJIT_profile_stop(L);
    give(sentinel, NULL, NULL);
    profiler_adopt(L);
}

/* stop: why the guard has ended a stretch, in words, and where that was.
 *
 * What a stretch was at is lost when it unwinds, so it is noted before, outside of Lua, which has
 * reached its end; whoever finds out that the stretch was ended takes it from there. Of a stretch
 * that died of an allocation nothing is noted, and its stack still stands. Belongs to the state. */
#include "vm/stop.h"

#include "base/limits.h"
#include "base/mem.h"

#include <lauxlib.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* "app.lua:7: ", or where its function begins: the line is not known of what died for want of
 * memory. stack of L: +1 */
static void push_place(lua_State *of, lua_State *L) {
    lua_Debug ar;
    for (int level = 0; lua_getstack(of, level, &ar); level++) {
        lua_getinfo(of, "Sl", &ar);
        if (strcmp(ar.what, "C") == 0 || strncmp(ar.short_src, "weir/", 5) == 0)
            continue;
        if (ar.currentline > 0)
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
        else
            lua_pushfstring(L, "%s:%d: in the function that begins here: ", ar.short_src,
                            ar.linedefined);
        return;
    }
    lua_pushliteral(L, "");
}

/* stack of L: +1 */
static void push_message(const struct stop *stop, lua_State *of, lua_State *L) {
    push_place(of, L);
    if (stop->why == GUARD_CPU)
        lua_pushfstring(L,
                        "stopped after %f s of CPU time in one go, the limit cpu_time; let others "
                        "run with weir.sleep(0) in between, or raise it with weir.limits",
                        (lua_Number)stop->cpu_time / 1e9);
    else
        lua_pushfstring(L,
                        "not enough memory: the app's Lua in this worker has reached %f MiB, the "
                        "limit lua_memory; keep less, or raise it with weir.limits",
                        (lua_Number)stop->memory / (1024 * 1024));
    lua_concat(L, 2);
}

void stop_note(struct stop *stop, lua_State *L) {
    push_message(stop, L, L);
    stop->message = mem_strdup(lua_tostring(L, -1));
    luaL_traceback(L, L, stop->message, 0);
    stop->traceback = mem_strdup(lua_tostring(L, -1));
    lua_pop(L, 2);
}

void stop_explain(struct stop *stop, lua_State *co, lua_State *L) {
    if (stop->message) {
        lua_pushstring(L, stop->message);
        lua_pushstring(L, stop->traceback);
    } else { /* an allocation failed and nothing ran after it */
        push_message(stop, co, L);
        luaL_traceback(L, co, lua_tostring(L, -1), 0);
    }
    stop_fini(stop);
    stop->why = GUARD_NONE;
}

void stop_fini(struct stop *stop) {
    free(stop->message);
    free(stop->traceback);
    stop->message = stop->traceback = NULL;
}

/* --- how many there were --- */

static atomic_uint_fast64_t cpu_stops, memory_stops;

void stop_count(enum guard_stop stop) {
    atomic_fetch_add(stop == GUARD_CPU ? &cpu_stops : &memory_stops, 1);
}

static uint64_t read_stops(size_t stop) {
    return atomic_load(stop == GUARD_CPU ? &cpu_stops : &memory_stops);
}

const struct counter_row stop_counter_rows[] = {
    {"cpu_stops", LIMITS_HELP, COUNTER, read_stops, GUARD_CPU, LIMITS_METRIC, "limit=\"cpu_time\""},
    {"memory_stops", LIMITS_HELP, COUNTER, read_stops, GUARD_MEMORY, LIMITS_METRIC,
     "limit=\"lua_memory\""},
    {0},
};

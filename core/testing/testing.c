/* testing: what a spec sees and turns: time, faults, the log, how Lua runs, what is left.
 *
 * Clock, faults, log and modes are the whole process's; the functions here only pass on to them.
 * Captured log lines may come from any thread, so they are kept in C until Lua asks for them. What
 * specs start and connect to is in server.c, process.c and socket.c. */
#include "testing/testing.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "count/rates.h"
#include "http/server.h"
#include "store/shared.h"
#include "store/store.h"
#include "bind/bind.h"
#include "vm/generation.h"

#include <lauxlib.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- what is left --- */

static void set_number(lua_State *L, const char *name, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

/* What lives in this loop and this state, whoever made it. */
static int l_counters(lua_State *L) {
    struct generation *gen = task_generation(L);
    struct http_counters totals;
    http_server_totals(&totals);
    struct hub_counters topics;
    hub_totals(&topics);
    lua_createtable(L, 0, 6);
    set_number(L, "tasks", (double)counter_read(&gen->scheduler->tasks));
    set_number(L, "streams", (double)totals.streams);
    set_number(L, "connections", (double)totals.connections);
    set_number(L, "subscribers", (double)topics.subscribers);
    set_number(L, "handles", loop_handles(gen->scheduler->loop));
    set_number(L, "refs", gen->nrefs);
    return 1;
}

/* Bytes of C and of Lua, in the whole process. */
static int l_heap(lua_State *L) {
    lua_pushnumber(L, (lua_Number)mem_used());
    return 1;
}

/* Topics, dictionaries and rates are the whole process's: a spec begins without those of the one
 * before. Whether there is a store, too, which is emptied by store_clear. */
static int l_clear(lua_State *L) {
    hub_clear();
    shared_clear();
    rates_clear();
    lua_pushboolean(L, store_default_is_open());
    return 1;
}

/* --- faults --- */

/* (name, errno, skip, times). "lua_alloc" is passed by each allocation of this state from here on,
 * until the task waits or ends. */
static int l_fault(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    int rc = fault_arm(name, -(int)luaL_checkinteger(L, 2), (int)luaL_checkinteger(L, 3),
                       (int)luaL_checkinteger(L, 4));
    if (strcmp(name, "lua_alloc") == 0)
        state_of(L)->mark = 0; /* the guard is asked */
    return rc < 0 ? state_error(L, "weir.test.fault: too many faults at once") : 0;
}

/* How many were still armed. */
static int l_fault_reset(lua_State *L) {
    lua_pushinteger(L, fault_armed);
    fault_reset();
    return 1;
}

/* --- time --- */

/* How many tasks wait for other threads and processes, which know no frozen clock. */
static int l_elsewhere(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)task_generation(L)->scheduler->elsewhere);
    return 1;
}

/* A task that froze the clock and waits for what only time, or a task that waits for time, could
 * bring would wait for ever. */
static struct {
    struct task *task; /* a reference; NULL: none */
    uint64_t resumes;
    int looks; /* since a task of the loop last ran */
} still;

#define STILL_LOOKS 8 /* two seconds */

/* The innermost of what it waits for: the first child of weir.all and its like. */
static struct task *innermost(struct task *task) {
    while (task->state == TASK_WAITING && task->wait->cancel && !list_empty(&task->children))
        task = CONTAINER_OF(task->children.next, struct task, sibling);
    return task;
}

static void wake_in_error(struct task *task) {
    const char *what = task->wait->what;
    lua_State *co = task_wake(task);
    lua_pop(co, 1);
    lua_pushfstring(co,
                    "%s: nothing can wake this task: weir.test.clock.freeze has stopped the time, "
                    "and nothing else goes on; call advance or thaw before, or in another task",
                    what);
}

static void on_still(struct loop *loop) {
    (void)loop;
    if (still.task == NULL)
        return;
    struct scheduler *scheduler = still.task->gen->scheduler;
    bool moves = scheduler->resumes != still.resumes || scheduler->elsewhere > 0;
    still.resumes = scheduler->resumes;
    still.looks = moves ? 0 : still.looks + 1;
    if (still.looks < STILL_LOOKS)
        return;
    still.looks = 0;
    struct task *task = innermost(still.task);
    if (task->state == TASK_WAITING)
        wake_in_error(task);
}

static void watch_stillness(lua_State *L, struct task *task) {
    if (still.task)
        task_unref(still.task);
    still.task = task ? task_ref(task) : NULL;
    still.looks = 0;
    task_generation(L)->scheduler->loop->on_still = task ? on_still : NULL;
}

static int l_freeze(lua_State *L) {
    clock_freeze();
    watch_stillness(L, task_current(L));
    return 0;
}

/* What is due fires here and not in the loop's next turn, so that the tasks it wakes are queued
 * before the one that turns the clock, and see the very time that they waited for. */
static int l_advance(lua_State *L) {
    struct loop *loop = task_generation(L)->scheduler->loop;
    double seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 1, "seconds, 0 or more");
    clock_advance_ns((uint64_t)llround(seconds * 1e9));
    loop->now = clock_mono_ms();
    wheel_advance(&loop->wheel, loop->now);
    loop->ready = true; /* a turn follows: nothing else may wake the loop while time stands still */
    return 0;
}

static int l_thaw(lua_State *L) {
    clock_thaw();
    watch_stillness(L, NULL);
    return 0;
}

/* --- the log --- */

#define CAPTURED_MAX 10000 /* lines; those that follow are dropped */

struct line {
    enum log_level level;
    char *text; /* without time, level and newline */
};

static struct { /* touched by the sink, or by Lua while there is none */
    struct line *lines;
    int count;
} captured;

#define LEVEL_WIDTH 6 /* "info  ", "error " */

/* What follows the time and the level, without the newline. */
static struct str message_of(struct str line) {
    str_cut(&line, ' ');
    return (struct str){line.ptr + LEVEL_WIDTH, line.len - LEVEL_WIDTH - 1};
}

static void capture(enum log_level level, struct str line, void *arg) {
    (void)arg;
    if (captured.count == CAPTURED_MAX)
        return;
    if ((captured.count & (captured.count - 1)) == 0) /* room for twice as many, at powers of 2 */
        captured.lines =
            mem_resize(captured.lines,
                       (size_t)(captured.count ? captured.count * 2 : 1) * sizeof *captured.lines);
    struct str text = message_of(line);
    captured.lines[captured.count++] = (struct line){level, mem_copy(text.ptr, text.len)};
}

/* Empties what is captured. stack: +1, a list of {level=, text=} */
static void push_captured(lua_State *L) {
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    size_t mark = state_lend(state_of(L));
    lua_createtable(L, captured.count, 0);
    for (int i = 0; i < captured.count; i++) {
        lua_createtable(L, 0, 2);
        lua_pushstring(L, levels[captured.lines[i].level]);
        lua_setfield(L, -2, "level");
        lua_pushstring(L, captured.lines[i].text);
        lua_setfield(L, -2, "text");
        lua_rawseti(L, -2, i + 1);
        free(captured.lines[i].text);
    }
    state_take_back(state_of(L), mark);
    free(captured.lines);
    captured.lines = NULL;
    captured.count = 0;
}

/* (true): from here on lines are kept. (false) -> those that were kept; lines are written again. */
static int l_log_capture(lua_State *L) {
    bool on = lua_toboolean(L, 1);
    log_set_sink(on ? capture : NULL, NULL);
    if (on)
        return 0;
    push_captured(L);
    return 1;
}

/* --- writers --- */

/* writer_put(writer, bytes): adds them to what it writes next, as sources do in C. */
static int l_writer_put(lua_State *L) {
    struct str bytes = state_check_str(L, 2);
    buf_add(bind_writer_bytes(L, 1), bytes);
    return 0;
}

/* --- how Lua runs --- */

/* {gc = "aggressive", jit = false}: for this state and those made from now on. */
static int l_test_mode(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "gc");
    if (!lua_isnil(L, -1))
        state_mode.aggressive_gc = strcmp(luaL_checkstring(L, -1), "aggressive") == 0;
    lua_getfield(L, 1, "jit");
    if (!lua_isnil(L, -1))
        state_mode.no_jit = !lua_toboolean(L, -1);
    lua_getfield(L, 1, "watching");
    if (!lua_isnil(L, -1))
        state_mode.watching = lua_toboolean(L, -1);
    state_apply_mode(L);
    return 0;
}

void bind_test(lua_State *L) {
    static const luaL_Reg functions[] = {{"counters", l_counters},
                                         {"heap", l_heap},
                                         {"clear", l_clear},
                                         {"elsewhere", l_elsewhere},
                                         {"fault", l_fault},
                                         {"fault_reset", l_fault_reset},
                                         {"clock_freeze", l_freeze},
                                         {"clock_advance", l_advance},
                                         {"clock_thaw", l_thaw},
                                         {"log_capture", l_log_capture},
                                         {"test_mode", l_test_mode},
                                         {"writer_put", l_writer_put},
                                         {NULL, NULL}};
    state_set(L, functions);
    bind_host(L);
    bind_child(L);
    bind_socket(L);
}

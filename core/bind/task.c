/* task: one task for Lua: weir.core's half of weir.sleep, spawn, join, cancel and defer.
 *
 * Each blocking function has the shape that task.h tells. A userdata keeps the struct of its task,
 * not the task alive: one that is done tells its results as often as it is asked. What runs several
 * tasks and waits for all of them is group.c's. */
#include "bind/bind.h"

#include "base/clock.h"
#include "vm/class.h"
#include "vm/generation.h"

#include <lauxlib.h>

static int l_gc(lua_State *L) {
    task_unref(*(struct task **)lua_touserdata(L, 1));
    return 0;
}

static int l_tostring(lua_State *L) {
    static const char *const states[] = {"ready", "running", "waiting", "held", "ending", "done"};
    lua_pushfstring(L, "weir.task (%s)", states[task_check(L, 1)->state]);
    return 1;
}

/* Who starts it, for the log. */
static void note_origin(lua_State *L, struct task *task) {
    struct task *by = task_current(L);
    lua_Debug at;
    if (!state_place(L, &at))
        return;
    if (by)
        lua_pushfstring(L, "a task started at %s:%d by %s", at.short_src, at.currentline, by->what);
    else
        lua_pushfstring(L, "a task started at %s:%d", at.short_src, at.currentline);
    task->origin = generation_ref(task->gen, L);
}

/* A task that is not started nobody would end: nothing raises once it is made. */
static int start_child(lua_State *L, struct task *parent) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int n = lua_gettop(L);
    luaL_checkstack(L, n + 2, "too many arguments");
    size_t mark = state_lend(state_of(L));
    struct task *task = task_new(task_generation(L), parent);
    lua_checkstack(task->co, n);
    lua_pushvalue(L, 1);
    for (int i = 2; i <= n; i++)
        lua_pushvalue(L, i);
    lua_xmove(L, task->co, n);
    if (parent == NULL)
        task_set_background(task);
    note_origin(L, task);
    task_push(L, task);
    task_start(task);
    state_take_back(state_of(L), mark);
    return 1;
}

static int l_spawn(lua_State *L) {
    struct task *parent = task_current(L);
    if (parent == NULL)
        return state_error(
            L, "weir.spawn: there is no task here whose child it could be; use weir.background "
               "for one that belongs to the app");
    return start_child(L, parent);
}

static int l_background(lua_State *L) {
    return start_child(L, NULL);
}

static const struct wait sleeping = {.what = "weir.sleep"};

static int l_sleep(lua_State *L) {
    luaL_checknumber(L, 1);
    uint64_t ms = task_ms(L, 1);
    struct task *task = task_enter(L, "weir.sleep");
    return task ? task_wait(task, &sleeping, ms) : task_refuse(L);
}

static void join_expired(struct task *task, lua_State *co) {
    (void)task;
    lua_pushnil(co);
    lua_pushliteral(co, "timeout");
}

static const struct wait joining = {.what = "task:join", .expired = join_expired};

static int l_join(lua_State *L) {
    struct task *other = task_check(L, 1);
    uint64_t ms = task_ms(L, 2);
    struct task *task = task_enter(L, "task:join");
    if (task == NULL)
        return task_refuse(L);
    if (other == task)
        return state_error(L, "task:join: a task cannot wait for itself");
    if (other->state == TASK_DONE) {
        int top = lua_gettop(L);
        lua_pushnil(L);
        task_push_results(other, L);
        return lua_gettop(L) - top;
    }
    list_push(&other->joiners, &task->seat);
    return task_wait(task, &joining, ms);
}

static int l_cancel(lua_State *L) {
    task_cancel(task_check(L, 1));
    return 0;
}

static int l_current(lua_State *L) {
    struct task *task = task_current(L);
    if (task)
        task_push(L, task);
    else
        lua_pushnil(L);
    return 1;
}

static int l_defer(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct task *task = task_current(L);
    if (task == NULL)
        return state_error(L, "weir.defer: there is no task here whose end it could wait for");
    if (task->depth >= TASK_DEPTH_MAX)
        return state_error(L, "weir.defer: deferred functions defer others, more than %d deep",
                           TASK_DEPTH_MAX);
    if (task->defers == LUA_NOREF) {
        lua_newtable(L);
        task->defers = generation_ref(task->gen, L);
    }
    generation_push(task->gen, L, task->defers);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    return 0;
}

static int l_now(lua_State *L) {
    lua_pushnumber(L, (double)clock_wall_ns() / 1e9);
    return 1;
}

static int l_traceback(lua_State *L) {
    task_describe(L, task_check(L, 1));
    return 1;
}

/* Whether the app file runs now. */
static int l_loading(lua_State *L) {
    lua_pushboolean(L, task_generation(L)->loading);
    return 1;
}

/* Whether this is the worker that does what is done in one of them. */
static int l_first_worker(lua_State *L) {
    lua_pushboolean(L, task_generation(L)->first_worker);
    return 1;
}

void bind_task(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"spawn", l_spawn},         {"background", l_background},
        {"loading", l_loading},     {"first_worker", l_first_worker},
        {"sleep", l_sleep},         {"join", l_join},
        {"cancel", l_cancel},       {"current", l_current},
        {"defer", l_defer},         {"now", l_now},
        {"traceback", l_traceback}, {NULL, NULL}};
    state_set(L, functions);
    class_define(L, TASK_META, NULL, l_gc);
    lua_pushcfunction(L, l_tostring);
    lua_setfield(L, -2, "__tostring");
    class_share_methods(L, "task_methods");
    lua_pop(L, 1);
}

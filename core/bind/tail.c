/* tail: the lines of a growing file for Lua.
 *
 *     core.tail --> following --tail_next--> a line, its id and what is missing before it (a number
 *                       |                    of lines, -1: unknown; or nil), or the task waits
 *                       |
 *                       +--tail_close, or the userdata is collected--> closed: no more lines
 *                       +--its maker is cancelled while it waits here--> ended: a next one raises
 *
 * The follow (tail/follow.h) reads a block ahead whether anybody waits or not. One task waits at a
 * time, for a line goes to one reader; it takes the line when it runs.
 *
 * A stream whose client leaves is the usual end, so the follow goes at once with the task that made
 * it, and not when the collector comes by. A task that was only lent the tail, as weir.timeout
 * lends it, may be cancelled and the tail goes on. */
#include "bind/bind.h"

#include "vm/class.h"
#include "vm/generation.h"
#include "tail/follow.h"

#include <lauxlib.h>
#include <stdlib.h>

#define META "weir.follower"

/* A userdata. */
struct tail {
    struct follow *follow; /* NULL: closed or ended */
    struct task *waiter;   /* NULL: none */
    uint64_t maker;        /* the serial of the task that made it; 0: none did */
    bool ended;            /* by a cancellation: nobody asked to close it */
};

static void stop(struct tail *tail) {
    if (tail->follow)
        follow_free(tail->follow);
    tail->follow = NULL;
}

static void disarm(struct task *task) {
    struct tail *tail = task->armed;
    tail->waiter = NULL;
    if (task->cancelled && task->serial == tail->maker) {
        tail->ended = true;
        stop(tail);
    }
}

static int push_line(lua_State *L, const struct follow *follow, struct str line) {
    char id[FOLLOW_ID_MAX];
    int64_t lines;

    state_push_str(L, line);
    lua_pushlstring(L, id, follow_id(follow, id));
    if (follow_gap(follow, &lines))
        lua_pushnumber(L, (lua_Number)lines);
    else
        lua_pushnil(L);
    return 3;
}

/* The end of a tail is a nil, too. */
static int take(struct task *task, lua_State *co) {
    struct tail *tail = task->armed;
    struct str line;
    if (tail->follow == NULL)
        lua_pushnil(co);
    else if (follow_next(tail->follow, &line))
        return push_line(co, tail->follow, line);
    else
        return 0;
    return 1;
}

static const struct wait following = {.what = "weir.tail", .disarm = disarm, .take = take};

static void on_ready(struct follow *follow, void *arg) {
    struct tail *tail = arg;
    (void)follow;
    if (tail->waiter)
        task_rouse(tail->waiter);
}

/* Raises where the script called weir.tail, which is one level above weir/tail.lua. */
static int refuse(lua_State *L, const char *option, int most) {
    luaL_where(L, 2);
    lua_pushfstring(L, "weir.tail: %s must be %d at most", option, most);
    lua_concat(L, 2);
    return lua_error(L);
}

/* path, lines, max_line, after or nil */
static int l_tail(lua_State *L) {
    struct generation *gen = task_generation(L);
    const char *path = luaL_checkstring(L, 1);
    lua_Number lines = luaL_checknumber(L, 2), max_line = luaL_checknumber(L, 3);
    struct str after = state_opt_str(L, 4);
    if (lines > FOLLOW_LINES_MAX)
        return refuse(L, "lines", FOLLOW_LINES_MAX);
    if (max_line > FOLLOW_LINE_BYTES_MAX)
        return refuse(L, "max_line", FOLLOW_LINE_BYTES_MAX);
    struct follow_options options = {
        .lines = (uint32_t)lines, .max_line = (size_t)max_line, .after = after};
    struct tail *tail = class_new(L, META, sizeof *tail);
    struct task *maker = task_current(L);
    *tail = (struct tail){.maker = maker ? maker->serial : 0};
    char *absolute = generation_path(gen, path);
    int rc = follow_new(gen->scheduler->loop, absolute, &options, on_ready, tail, &tail->follow);
    free(absolute);
    if (rc < 0)
        return state_error(L, "weir.tail: %s", uv_strerror(rc));
    return 1;
}

static int push_end(lua_State *L, const struct tail *tail) {
    if (tail->ended)
        return state_error(L, "weir.tail: this tail has ended, because the task that made it was "
                              "cancelled; make another one");
    lua_pushnil(L);
    lua_pushnil(L);
    return 2;
}

static int l_next(lua_State *L) {
    struct tail *tail = luaL_checkudata(L, 1, META);
    struct str line;
    struct task *task = task_enter(L, "weir.tail");
    if (task == NULL)
        return task_refuse(L);
    if (tail->waiter)
        return state_error(L, "weir.tail: another task waits for the next line of this tail; give "
                              "each task one of its own");
    if (tail->follow == NULL)
        return push_end(L, tail);
    if (follow_next(tail->follow, &line)) {
        lua_pushnil(L);
        return 1 + push_line(L, tail->follow, line);
    }
    tail->waiter = task;
    task->armed = tail;
    return task_wait(task, &following, WHEEL_NEVER);
}

static int l_close(lua_State *L) {
    struct tail *tail = luaL_checkudata(L, 1, META);
    stop(tail);
    if (tail->waiter)
        task_rouse(tail->waiter);
    return 0;
}

static int l_gc(lua_State *L) {
    stop(lua_touserdata(L, 1));
    return 0;
}

void bind_tail(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"tail", l_tail}, {"tail_next", l_next}, {"tail_close", l_close}, {NULL, NULL}};
    state_set(L, functions);
    class_define(L, META, NULL, l_gc);
    lua_pop(L, 1);
}

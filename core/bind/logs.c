/* logs: several logs looked at together, for Lua.
 *
 *     core.logs --> logs --logs_files--> the task waits for a look: a list of { key, path, ... }
 *                    |
 *                    +--logs_follow--> an iterator over events, each its name, data and id
 *
 * Lines are made to text and joined below: Lua gets one string for some hundred of them. What is
 * there already bind/log_search looks at. */
#include "bind/bind.h"
#include "bind/iterator.h"
#include "bind/rules.h"

#include "base/mem.h"
#include "logs/stamp.h"
#include "logs/view.h"
#include "vm/class.h"
#include "vm/generation.h"

#include <lauxlib.h>
#include <stdlib.h>

#define META "weir.logs"
#define SECOND 1e6 /* microseconds */

/* A userdata. */
struct handle {
    struct logs *logs;
};

struct viewer {
    struct view *view; /* NULL: it could not be made */
    struct sift *sift;
};

/* ---- a logs -----------------------------------------------------------------------------------*/

/* { path, whether it is a glob, labels as JSON } on top, which it pops. */
static void add_source(lua_State *L, struct logs *logs) {
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_rawgeti(L, -1, 1);
    const char *path = luaL_checkstring(L, -1);
    lua_rawgeti(L, -2, 2);
    bool glob = lua_toboolean(L, -1);
    lua_rawgeti(L, -3, 3);
    const char *labels = luaL_checkstring(L, -1);
    char *absolute = generation_path(task_generation(L), path);
    roster_add(logs->roster, absolute, glob, labels);
    free(absolute);
    lua_pop(L, 4);
}

/* sources, redact: lists */
static int l_logs(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct handle *handle = class_new(L, META, sizeof *handle);
    handle->logs = logs_new(task_generation(L)->scheduler->loop);
    for (int i = 1; i <= (int)lua_objlen(L, 1); i++) {
        lua_rawgeti(L, 1, i);
        add_source(L, handle->logs);
    }
    rules_redact(L, 2, handle->logs->redact);
    return 1;
}

static int l_gc_logs(lua_State *L) {
    struct handle *handle = lua_touserdata(L, 1);
    if (handle->logs)
        logs_unref(handle->logs);
    return 0;
}

/* Seconds since 1970 that a text tells, or nil. */
static int l_logs_time(lua_State *L) {
    int64_t time = stamp_parse(state_check_str(L, 1));
    if (time == STAMP_NONE)
        lua_pushnil(L);
    else
        lua_pushnumber(L, (lua_Number)time / SECOND);
    return 1;
}

/* ---- its files --------------------------------------------------------------------------------*/

/* A task that waits for a look. */
struct question {
    struct roster_user user;
    struct logs *logs;
    struct task *task;
    bool answered;
};

static void on_look(struct roster_user *user) {
    struct question *question = CONTAINER_OF(user, struct question, user);
    question->answered = true;
    task_rouse(question->task);
}

static void forget(struct question *question) {
    roster_leave(question->logs->roster, &question->user);
    logs_unref(question->logs);
    free(question);
}

static void push_file(lua_State *L, const struct roster_file *file) {
    lua_createtable(L, 0, 5);
    lua_pushstring(L, file->key);
    lua_setfield(L, -2, "key");
    lua_pushstring(L, file->path);
    lua_setfield(L, -2, "path");
    lua_pushstring(L, file->labels);
    lua_setfield(L, -2, "labels");
    lua_pushstring(L, roster_state_name(file->state));
    lua_setfield(L, -2, "state");
    lua_pushstring(L, file->why);
    lua_setfield(L, -2, "why");
}

static int push_files(lua_State *L, const struct logs *logs) {
    size_t n;
    const struct roster_file *files = roster_files(logs->roster, &n);
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        push_file(L, &files[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

static int take_files(struct task *task, lua_State *co) {
    const struct question *question = task->armed;
    return question->answered ? push_files(co, question->logs) : 0;
}

static void disarm_files(struct task *task) {
    forget(task->armed);
}

static const struct wait looking = {
    .what = "logs:sources", .disarm = disarm_files, .take = take_files, .elsewhere = true};

static int l_logs_files(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, META);
    struct task *task = task_enter(L, "logs:sources");
    if (task == NULL)
        return task_refuse(L);
    struct question *question = mem_zalloc(sizeof *question);
    question->user.on_look = on_look;
    question->logs = logs_ref(handle->logs);
    question->task = task;
    if (roster_join(handle->logs->roster, &question->user)) {
        forget(question);
        lua_pushnil(L);
        return 1 + push_files(L, handle->logs);
    }
    task->armed = question;
    return task_wait(task, &looking, WHEEL_NEVER);
}

/* ---- a view -----------------------------------------------------------------------------------*/

int bind_push_logs_event(lua_State *L, const char *name, struct str data, struct str id) {
    lua_pushstring(L, name);
    state_push_str(L, data);
    if (id.len > 0)
        state_push_str(L, id);
    else
        lua_pushnil(L);
    return 3;
}

static int next(lua_State *L, void *source) {
    const struct viewer *viewer = source;
    struct view_event event;
    if (!view_next(viewer->view, &event))
        return 0;
    return bind_push_logs_event(L, event.name, event.data, event.id);
}

static void release(void *source) {
    struct viewer *viewer = source;
    if (viewer->view)
        view_free(viewer->view);
    sift_free(viewer->sift);
    free(viewer);
}

static const struct iterator_ops following = {
    .wait = {.what = "logs:follow", .disarm = iterator_disarm, .take = iterator_take},
    .next = next,
    .free = release,
};

static void on_ready(struct view *view, void *arg) {
    (void)view;
    iterator_rouse(arg);
}

/* logs, lines, max_line, behind, plain, after, since, before, only, rules: from `after` on nil for
 * none */
static int l_logs_follow(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, META);
    const char *why;
    lua_Number lines = luaL_checknumber(L, 2), max_line = luaL_checknumber(L, 3);
    struct view_options options = {
        .lines = lines > UINT32_MAX ? UINT32_MAX : (uint32_t)lines,
        .max_line = max_line > UINT32_MAX ? UINT32_MAX : (size_t)max_line,
        .behind = (uint64_t)luaL_checknumber(L, 4),
        .plain = lua_toboolean(L, 5),
        .after = state_opt_str(L, 6),
        .since = rules_time(L, 7),
        .before = rules_time(L, 8),
        .only = state_opt_str(L, 9),
    };
    struct iterator *iterator = iterator_new(L, &following);
    struct viewer *viewer = iterator->source = mem_zalloc(sizeof *viewer);
    rules_sift(L, 10, &viewer->sift, "logs:follow");
    options.sift = viewer->sift;
    viewer->view = view_new(handle->logs, &options, on_ready, iterator, &why);
    if (viewer->view == NULL)
        return state_error(L, "logs:follow: %s", why);
    return 1;
}

void bind_logs(lua_State *L) {
    static const luaL_Reg functions[] = {{"logs", l_logs},
                                         {"logs_time", l_logs_time},
                                         {"logs_files", l_logs_files},
                                         {"logs_follow", l_logs_follow},
                                         {NULL, NULL}};
    state_set(L, functions);
    class_define(L, META, NULL, l_gc_logs);
    lua_pop(L, 1);
}

/* task_failure: what a task that failed has failed of, told to people and to whoever answers for
 * it.
 *
 * A task keeps what it raised, and, ended by the guard, the place where it was. Everything else is
 * made of these when somebody asks. It must not know who does. */
#include "vm/task.h"

#include "vm/generation.h"

#include <lauxlib.h>
#include <string.h>

/* --- what it was --- */

bool task_was_stopped(const struct task *task) {
    return task->place != LUA_NOREF;
}

bool task_hit_limit(struct task *task) {
    lua_State *L = task->gen->state.L;
    generation_push(task->gen, L, task->error);
    generation_push(task->gen, L, task->gen->limit_error); /* nil: none was hit yet */
    bool equal = !lua_isnil(L, -1) && lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return equal;
}

bool task_was_cancelled(struct task *task) {
    lua_State *L = task->gen->state.L;
    generation_push(task->gen, L, task->error);
    lua_rawgeti(L, LUA_REGISTRYINDEX, task->gen->cancelled);
    bool equal = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return equal;
}

bool task_is_answer(const struct task *task) {
    lua_State *L = task->gen->state.L;
    generation_push(task->gen, L, task->error);
    bool same = false;
    if (lua_getmetatable(L, -1)) {
        luaL_getmetatable(L, "weir.failure");
        same = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return same;
}

/* --- as text --- */

/* Where the script raised what is no message; what raised it may be Weir's. stack: +1 */
static void push_place(lua_State *L, lua_State *co) {
    lua_Debug at;
    for (int level = 1; lua_getstack(co, level, &at); level++)
        if (lua_getinfo(co, "Sl", &at) && at.currentline > 0 &&
            strncmp(at.short_src, "weir/", 5) != 0) {
            lua_pushfstring(L, "%s:%d: ", at.short_src, at.currentline);
            return;
        }
    lua_pushliteral(L, "");
}

/* In place of the message, for the error on top that is none: where it was raised, and what it is.
 * stack: +1 */
static void push_raised(lua_State *L, const struct task *task) {
    push_place(L, task->co);
    if (task_is_answer(task)) {
        lua_getfield(L, -2, "status");
        lua_pushfstring(L,
                        "weir.fail(%d) cannot be answered: the answer has begun already, or this "
                        "task is no request's",
                        (int)lua_tointeger(L, -1));
        lua_remove(L, -2);
    } else {
        lua_pushfstring(L, "the error is no string but a value of type %s", luaL_typename(L, -2));
    }
    lua_concat(L, 2);
}

/* What ended in an error of LuaJIT's own has no line any more, but the message begins with it: puts
 * it into the first line of the traceback on top. */
static void add_line(lua_State *L, lua_State *co, const char *message) {
    lua_Debug at;
    if (!lua_getstack(co, 0, &at) || !lua_getinfo(co, "Sl", &at) || at.currentline > 0)
        return;
    size_t n = strlen(at.short_src);
    if (strncmp(message, at.short_src, n) != 0 || message[n] != ':')
        return;
    size_t digits = strspn(message + n + 1, "0123456789");
    const char *trace = lua_tostring(L, -1), *name = strstr(trace, at.short_src);
    if (digits == 0 || name == NULL)
        return;
    lua_pushlstring(L, trace, (size_t)(name - trace) + n);
    lua_pushlstring(L, message + n, digits + 1);
    lua_pushstring(L, name + n);
    lua_concat(L, 3);
    lua_replace(L, -2);
}

void task_push_traceback(struct task *task, lua_State *L, const char *where) {
    if (task_was_stopped(task)) {
        lua_pushstring(L, where);
        generation_push(task->gen, L, task->place);
        lua_concat(L, 2);
        return;
    }
    generation_push(task->gen, L, task->error);
    generation_hint(task->gen, L);
    if (!lua_tostring(L, -1)) {
        push_raised(L, task);
        lua_replace(L, -2);
    }
    luaL_traceback(L, task->co, NULL, 0);
    add_line(L, task->co, lua_tostring(L, -2));
    lua_pushfstring(L, "%s%s\n%s", where, lua_tostring(L, -2), lua_tostring(L, -1));
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* --- in the log --- */

void task_origin(struct task *task, struct log_origin *out) {
    while (task->parent)
        task = task->parent;
    if (task->ops && task->ops->origin)
        task->ops->origin(task, out);
}

static void speak(void *task, struct log_origin *out) {
    task_origin(task, out);
}

void task_log_error(struct task *task, struct str text) {
    struct log_speaker before = log_speak((struct log_speaker){speak, task});
    log_text(LOG_ERROR, text);
    log_speak(before);
}

void task_push_name(struct task *task, lua_State *L) {
    if (task->origin == LUA_NOREF)
        lua_pushstring(L, task->what);
    else
        generation_push(task->gen, L, task->origin);
}

void task_log_failure(struct task *task) {
    static struct log_kind errors = LOG_KIND("errors of tasks");
    if (!log_admits(&errors, LOG_ERROR))
        return;
    lua_State *L = task->gen->state.L;
    task_push_name(task, L);
    lua_pushliteral(L, ": ");
    lua_concat(L, 2);
    task_push_traceback(task, L, lua_tostring(L, -1));
    lua_remove(L, -2);
    size_t n;
    const char *text = lua_tolstring(L, -1, &n);
    task_log_error(task, (struct str){text, n});
    lua_pop(L, 1);
}

/* process: processes for weir.test: what they print, line by line, and how they end.
 *
 *     process --> running --exit--> exited: lines that are left, code and stderr can still be asked
 *
 * One callback of the child's tells of lines and of the exit; it serves the tasks that wait for
 * either, in their order. While the child runs, a reference keeps the userdata, whose memory the
 * process is; what still runs when the state closes is killed. */
#include "testing/testing.h"

#include "net/child.h"
#include "vm/class.h"
#include "vm/generation.h"

#include <lauxlib.h>

#include <string.h>
#include <unistd.h>

#define META "weir.test.process"

struct process {
    struct child *child;
    struct generation *gen;
    struct list readers, waiters; /* tasks, for a line and for the exit */
    int anchor;                   /* of the userdata, while it runs */
};

static struct process *check(lua_State *L) {
    return luaL_checkudata(L, 1, META);
}

static struct task *first(struct list *list) {
    return list_empty(list) ? NULL : CONTAINER_OF(list->next, struct task, seat);
}

/* --- what it tells --- */

/* What child_line has given. */
static int push_line(lua_State *L, int rc, struct str line) {
    if (rc < 0)
        return state_push_failure(L, "closed");
    state_push_str(L, line);
    return 1;
}

/* The exit code, nil for one that a signal has ended; the signal. */
static int push_exit(lua_State *L, const struct child *child) {
    if (child->signal != 0) {
        lua_pushnil(L);
        lua_pushinteger(L, child->signal);
        return 2;
    }
    lua_pushinteger(L, (lua_Integer)child->code);
    return 1;
}

static void on_change(struct child *child) {
    struct process *process = child->owner;
    for (struct list *at = process->readers.next; at != &process->readers; at = at->next)
        task_rouse(CONTAINER_OF(at, struct task, seat));
    if (!child->exited)
        return;
    for (struct task *task; (task = first(&process->waiters)) != NULL;)
        push_exit(task_wake(task), child);
    generation_unref(process->gen, process->anchor);
}

static void expired(struct task *task, lua_State *co) {
    (void)task;
    state_push_failure(co, "timeout");
}

static int take(struct task *task, lua_State *co) {
    struct process *process = task->armed;
    struct str line;
    int rc = child_line(process->child, &line);
    return rc == 0 ? 0 : push_line(co, rc, line);
}

static const struct wait reading = {
    .what = "a process's line", .expired = expired, .take = take, .elsewhere = true};
static const struct wait exiting = {
    .what = "a process's exit", .expired = expired, .elsewhere = true};

/* --- starting --- */

/* An array for `n` strings and NULL, of the collector's. stack: +1 */
static char **new_strings(lua_State *L, int n) {
    char **strings = lua_newuserdata(L, (size_t)(n + 1) * sizeof *strings);
    memset(strings, 0, (size_t)(n + 1) * sizeof *strings);
    return strings;
}

/* The string on top of the stack, popped and kept by the table `keeper`. */
static char *keep(lua_State *L, int keeper) {
    char *string = (char *)luaL_checkstring(L, -1); /* libuv's arrays are not const */
    lua_rawseti(L, keeper, (int)lua_objlen(L, keeper) + 1);
    return string;
}

/* The list at 1. stack: +1 */
static char **read_args(lua_State *L, int keeper) {
    int n = (int)lua_objlen(L, 1);
    luaL_argcheck(L, n > 0, 1, "a program and its arguments");
    char **args = new_strings(L, n);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, 1, i + 1);
        args[i] = keep(L, keeper);
    }
    return args;
}

/* Whether the table on top of the stack sets what `entry`, "NAME=value", sets. */
static bool is_overridden(lua_State *L, const char *entry) {
    lua_pushlstring(L, entry, strcspn(entry, "="));
    lua_rawget(L, -2);
    bool overridden = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return overridden;
}

/* This process's environment, but for what the table on top of the stack sets. stack: +1 */
static char **read_env(lua_State *L, int keeper) {
    int table = lua_gettop(L), inherited = 0, own = 0, n = 0;
    luaL_checktype(L, table, LUA_TTABLE);
    while (environ[inherited])
        inherited++;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
        own++;
    char **env = new_strings(L, inherited + own);
    lua_insert(L, table); /* below the table */
    for (int i = 0; i < inherited; i++)
        if (!is_overridden(L, environ[i]))
            env[n++] = environ[i];
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        luaL_checktype(L, -2, LUA_TSTRING);
        lua_pushfstring(L, "%s=%s", lua_tostring(L, -2), luaL_checkstring(L, -1));
        env[n++] = keep(L, keeper);
    }
    lua_pop(L, 1);
    return env;
}

static void read_options(lua_State *L, int keeper, struct child_options *options) {
    if (lua_isnil(L, 2))
        return;
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_getfield(L, 2, "cwd");
    if (!lua_isnil(L, -1))
        options->cwd = keep(L, keeper);
    lua_getfield(L, 2, "env");
    if (!lua_isnil(L, -1))
        options->env = read_env(L, keeper);
}

/* stack: +1, the userdata, which has no child yet */
static struct process *push_process(lua_State *L) {
    struct process *process = class_new(L, META, sizeof *process);
    process->gen = task_generation(L);
    list_init(&process->readers);
    list_init(&process->waiters);
    return process;
}

/* That of the userdata on top of the stack. */
static void adopt(lua_State *L, struct process *process, struct child *child) {
    process->child = child;
    child->owner = process;
    child->on_change = on_change;
    lua_pushvalue(L, -1);
    process->anchor = generation_ref(process->gen, L);
}
/* ({program, arguments...}, {env=, cwd=}) -> process. The environment is added to this process's.
 */
static int l_process(lua_State *L) {
    struct child_options options = {0};
    struct child *child;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    lua_newtable(L); /* of the strings that are used, until the start */
    options.args = read_args(L, 3);
    read_options(L, 3, &options);
    lua_pushnil(L);
    struct process *process = push_process(L);
    int rc = child_start(&child, process->gen->scheduler->loop, &options);
    if (rc < 0) {
        lua_pushfstring(L, "weir.test: cannot start %s: %s", options.args[0], uv_strerror(rc));
        return 1;
    }
    adopt(L, process, child);
    return 2;
}

/* --- asking --- */

/* (process, timeout) -> line | nil, "closed"|"timeout" */
static int l_line(lua_State *L) {
    struct process *process = check(L);
    uint64_t ms = task_ms(L, 2);
    struct str line;
    struct task *task = task_enter(L, "process:line");
    if (task == NULL)
        return task_refuse(L);
    int rc = child_line(process->child, &line);
    if (rc == 0) {
        task->armed = process;
        list_push(&process->readers, &task->seat);
        return task_wait(task, &reading, ms);
    }
    lua_pushnil(L);
    return push_line(L, rc, line) + 1;
}

/* (process, timeout) -> code | nil, signal | nil, "timeout" */
static int l_wait(lua_State *L) {
    struct process *process = check(L);
    uint64_t ms = task_ms(L, 2);
    struct task *task = task_enter(L, "process:wait");
    if (task == NULL)
        return task_refuse(L);
    if (!process->child->exited) {
        list_push(&process->waiters, &task->seat);
        return task_wait(task, &exiting, ms);
    }
    lua_pushnil(L);
    return push_exit(L, process->child) + 1;
}

/* (process) -> all of stderr so far */
static int l_stderr(lua_State *L) {
    struct str errors = child_errors(check(L)->child);
    state_push_str(L, errors);
    return 1;
}

/* (process, signal): nothing for one that has ended. */
static int l_kill(lua_State *L) {
    child_kill(check(L)->child, (int)luaL_checkinteger(L, 2));
    return 0;
}

static int l_gc(lua_State *L) {
    struct process *process = check(L);
    if (process->child) /* it was started */
        child_free(process->child);
    return 0;
}

void bind_child(lua_State *L) {
    static const luaL_Reg functions[] = {{"process", l_process},   {"process_line", l_line},
                                         {"process_wait", l_wait}, {"process_stderr", l_stderr},
                                         {"process_kill", l_kill}, {NULL, NULL}};
    state_set(L, functions);
    class_define(L, META, NULL, l_gc);
    lua_pop(L, 1);
}

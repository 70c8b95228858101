/* boot: a generation's way from a file to an app that may serve.
 *
 *     boot_load: the file runs, its app is compiled --> boot_start: on_start functions --> done
 *              \--error, "file:line: reason"                        \--the first one's error
 *
 * The file runs outside of any task, so it cannot wait, but under the guard. The on_start functions
 * are tasks. Whether the generation then takes over is for others to say. */
#include "serve/boot.h"

#include "base/mem.h"
#include "base/must.h"
#include "exchange/app.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The error on top of the stack as text of its own. */
static char *take_error(lua_State *L) {
    const char *message = lua_tostring(L, -1);
    char *copy = mem_strdup(message ? message : "an error that is not a string");
    lua_settop(L, 0);
    return copy;
}

/* --- the file --- */

/* A message with its traceback, for errors while the file runs; what is not a string passes as it
 * is. */
static int add_traceback(lua_State *L) {
    generation_hint(task_generation(L), L);
    if (lua_isstring(L, 1))
        luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

/* A pipe would keep its reader, and with it the worker, for as long as nobody writes. */
static int load_file(lua_State *L, const char *file) {
    struct stat st;
    if (stat(file, &st) < 0 || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
        return luaL_loadfile(L, file); /* which says what else is wrong */
    lua_pushfstring(L, "cannot read %s: it is no regular file", file);
    return LUA_ERRFILE;
}

static int run_file(lua_State *L, void *file) {
    struct generation *gen = task_generation(L);
    lua_pushcfunction(L, add_traceback);
    gen->loading = true;
    int rc = load_file(L, file);
    if (rc == 0)
        rc = lua_pcall(L, 0, 1, 1);
    gen->loading = false;
    return rc;
}

/* Under the guard, whose error is one with its traceback. */
static int run_file_guarded(struct generation *gen, const char *file, char **error) {
    lua_State *L = gen->state.L;
    struct guard *guard = &gen->scheduler->guard;
    struct guard_outer outer = guard_pause(guard);
    guard_enter(guard, &gen->state, "an app file");
    int rc = guard_run(guard, run_file, L, (char *)file);
    enum guard_stop stop = guard_leave(guard);
    guard_resume(guard, outer);
    if (rc == GUARD_BROKEN) {
        struct buf text = {0};
        buf_printf(&text, "%s: %s", file, generation_too_much);
        buf_add_char(&text, '\0');
        *error = text.data;
        return -1;
    }
    if (stop != GUARD_NONE)
        stop_explain(&gen->state.stop, L, L);
    if (stop != GUARD_NONE || rc != 0) {
        *error = take_error(L);
        return -1;
    }
    return 0;
}

int boot_load(struct generation *gen, const char *file, char **error) {
    lua_State *L = gen->state.L;
    if (run_file_guarded(gen, file, error) < 0)
        return -1;
    if (!luaL_getmetafield(L, -1, "__name") || lua_type(L, -1) != LUA_TSTRING ||
        strcmp(lua_tostring(L, -1), "weir.app") != 0) {
        const char *what = luaL_typename(L, -1);
        lua_settop(L, 0);
        lua_pushfstring(L, "%s: the file must return its app, not %s; end it with `return app`",
                        file, strcmp(what, "nil") == 0 ? "nothing" : what);
        *error = take_error(L);
        return -1;
    }
    lua_pop(L, 1);
    gen->asked = gen->limits;
    gen->app = app_compile(gen, L);
    if (gen->app == NULL) {
        *error = take_error(L);
        return -1;
    }
    lua_settop(L, 0);
    return 0;
}

/* --- on_start functions --- */

static void one_less(struct generation *gen) {
    struct starting *starting = &gen->starting;
    MUST(gen->state.broken || starting->left > 0);
    if (--starting->left > 0)
        return;
    char *error = starting->error;
    starting->error = NULL;
    starting->done(error, starting->arg);
}

static void started(struct task *task) {
    struct generation *gen = task->gen;
    if (task->failed && gen->starting.error == NULL) {
        task_push_traceback(task, gen->state.L, "");
        gen->starting.error = take_error(gen->state.L);
    }
    one_less(gen);
}

static const struct task_ops starting = {.ended = started};

static bool wants(lua_State *L, bool first_worker) {
    lua_getfield(L, -1, "each_worker");
    bool each = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return each || first_worker;
}

void boot_start(struct generation *gen, bool first_worker, void (*done)(char *, void *),
                void *arg) {
    lua_State *L = gen->state.L;
    bool first = gen->lineage == NULL || lineage_current(gen->lineage) == 0;
    if (first && !hub_has_rules(gen->folder)) /* none of an older generation are in force */
        hub_set_rules(gen->folder, gen->rules, gen->nrules);
    gen->starting = (struct starting){.done = done, .arg = arg, .left = 1};
    gen->first_worker = first_worker;
    state_require(L, "weir.app");
    lua_getfield(L, -1, "starts");
    app_push(gen->app, L);
    lua_call(L, 1, 1);
    for (int i = 1, n = (int)lua_objlen(L, -1); i <= n; i++) {
        lua_rawgeti(L, -1, i);
        if (wants(L, first_worker)) {
            struct task *task = task_new(gen, NULL);
            task->ops = &starting;
            task->what = "app:on_start";
            lua_getfield(L, -1, "fn");
            lua_xmove(L, task->co, 1);
            gen->starting.left++;
            task_start(task);
        }
        lua_pop(L, 1);
    }
    lua_settop(L, 0);
    one_less(gen);
}

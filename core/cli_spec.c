/* cli_spec: `weir spec`: busted inside this program.
 *
 * busted runs as a task of a generation of its own, so the body of a spec may call whatever waits,
 * and the servers that it starts run on the same loop. What a spec itself runs has no limits of
 * time and memory; an app that it starts from a file has those of `weir serve`. busted ends by
 * os.exit, which here keeps the code and raises. */
#include "cli.h"

#include "base/log.h"
#include "base/mem.h"
#include "vm/cstack.h"
#include "cli_signals.h"
#include "read/turn.h"
#include "library.h"
#include "vm/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct run {
    struct loop loop;
    struct reader reader;
    struct scheduler scheduler;
    int code; /* below 0: busted has not said */
};

static struct run run;

static int l_exit(lua_State *L) {
    if (lua_isboolean(L, 1))
        run.code = lua_toboolean(L, 1) ? EXIT_DONE : EXIT_FAILED;
    else
        run.code = (int)luaL_optinteger(L, 1, EXIT_DONE);
    lua_pushliteral(L, "os.exit");
    return lua_error(L);
}

static void on_end(struct task *task) {
    if (run.code < 0 && task->failed) {
        task_push_traceback(task, task->gen->state.L, "");
        run.code = cli_fail("%s", lua_tostring(task->gen->state.L, -1));
    } else if (run.code < 0) {
        run.code = EXIT_DONE;
    }
    loop_stop(&run.loop);
}

static const struct task_ops busted_ops = {.ended = on_end};

/* The global `arg`, as busted reads it. */
static void set_arg(lua_State *L, int argc, char **argv) {
    lua_newtable(L);
    lua_pushliteral(L, "weir spec");
    lua_rawseti(L, -2, 0);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setglobal(L, "arg");
}

static void start_busted(struct generation *gen) {
    lua_State *L = gen->state.L;
    lua_getglobal(L, "os");
    lua_pushcfunction(L, l_exit);
    lua_setfield(L, -2, "exit");
    lua_settop(L, 0);
    struct task *task = task_new(gen, NULL);
    task->ops = &busted_ops;
    luaL_loadstring(task->co, "require 'weir.spec'()");
    task_start(task);
}

static int spec_here(int argc, char **argv) {
    char folder[4096];
    struct limits limits;
    limits_init(&limits);
    limits.cpu_time = limits.lua_memory = 0; /* a spec may compute for long */
    signals_survive();
    run.code = -1;
    if (getcwd(folder, sizeof folder) == NULL)
        return cli_fail("the current folder cannot be told");
    if (argc == 0 && access("spec", F_OK) != 0 && access(".busted", F_OK) != 0)
        return cli_fail("%s/spec: there is no such folder; run weir spec in the app's folder, or "
                        "name a spec's file (weir new NAME makes an app with one)",
                        folder);
    int rc = loop_init(&run.loop);
    if (rc < 0)
        return cli_fail("cannot make an event loop: %s", uv_strerror(rc));
    reader_init(&run.reader, &run.loop);
    scheduler_init(&run.scheduler, &run.loop, &run.reader, library_open);
    struct generation *gen = generation_new(&run.scheduler, folder, &limits);
    generation_take_over(gen);
    state_allow_ffi(gen->state.L);
    set_arg(gen->state.L, argc, argv);
    start_busted(gen);
    loop_run(&run.loop);
    generation_free(gen);
    scheduler_fini(&run.scheduler);
    reader_fini(&run.reader);
    loop_fini(&run.loop);
    return run.code;
}

int cli_spec(int argc, char **argv) {
    return cstack_call(spec_here, argc, argv);
}

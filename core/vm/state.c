/* state: one lua_State, with the libraries that scripts get.
 *
 * What differs from stock LuaJIT: no ffi (it reaches past every limit), `os.exit` raises (a script
 * must not end the server), and so do `debug.sethook` and `jit.profile` (the guard's tools),
 * `os.setlocale` knows none but "C" (it would be that of the process, of its logs and metrics too),
 * `os.execute` and `print` suit a server, a whole collection gives back what it frees, and the
 * modules of Weir come from the program itself. The allocator counts, so that what a state holds is
 * known without asking it, and from some size on asks the guard (guard.h) whether there may be
 * more. Owned by a generation, used by one thread. */
#include "vm/state.h"

#include "base/clock.h"
#include "vm/cstack.h"
#include "base/embedded.h"
#include "base/log.h"
#include "vm/guard.h"
#include "vm/shell.h"

#include <luajit.h>
#include <lualib.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static struct {
    pthread_mutex_t lock;
    struct list all;
} states = {PTHREAD_MUTEX_INITIALIZER, {&states.all, &states.all}};

static uint64_t read_memory(size_t at) {
    (void)at;
    uint64_t bytes = 0;
    pthread_mutex_lock(&states.lock);
    for (struct list *node = states.all.next; node != &states.all; node = node->next)
        bytes += counter_read(&CONTAINER_OF(node, struct state, link)->shown);
    pthread_mutex_unlock(&states.lock);
    return bytes;
}

const struct counter_row state_counter_rows[] = {
    {"lua_memory_all", "Bytes that Lua takes, of all apps and workers.", GAUGE, read_memory, 0,
     "lua_memory_bytes", NULL},
    {0},
};

struct state_mode state_mode;
void (*state_on_mistake)(struct str text);

static void *allocate(void *arg, void *ptr, size_t old_size, size_t new_size) {
    struct state *state = arg;
    if (ptr == NULL)
        old_size = 0; /* else it means something else in other Luas */
    size_t total = state->bytes + new_size - old_size;
    if (total > state->mark && new_size > old_size && !guard_allows(state, total))
        return NULL;
    state->bytes = total;
    if (new_size == 0) {
        pool_free(&state->pool, ptr, old_size);
        return NULL;
    }
    return pool_resize(&state->pool, ptr, old_size, new_size);
}

static int on_panic(lua_State *L) {
    log_fatal("Lua failed outside of a task: %s", lua_tostring(L, -1));
}

struct state *state_of(lua_State *L) {
    void *state;
    lua_getallocf(L, &state);
    return state;
}

void *state_owner(lua_State *L) {
    return state_of(L)->owner;
}

struct str state_check_str(lua_State *L, int index) {
    struct str s;
    s.ptr = luaL_checklstring(L, index, &s.len);
    return s;
}

struct str state_opt_str(lua_State *L, int index) {
    return lua_isnoneornil(L, index) ? (struct str){NULL, 0} : state_check_str(L, index);
}

int state_push_failure(lua_State *L, const char *why) {
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

bool state_place(lua_State *L, lua_Debug *at) {
    for (int level = 0; lua_getstack(L, level, at); level++) {
        lua_getinfo(L, "Sl", at);
        if (at->currentline > 0 && strncmp(at->short_src, "weir/", 5) != 0)
            return true;
    }
    return false;
}

void state_where(lua_State *L) {
    lua_Debug at;
    if (state_place(L, &at))
        lua_pushfstring(L, "%s:%d: ", at.short_src, at.currentline);
    else
        lua_pushliteral(L, "");
}

int state_error(lua_State *L, const char *format, ...) {
    va_list args;
    va_start(args, format);
    state_where(L);
    lua_pushvfstring(L, format, args);
    va_end(args);
    lua_concat(L, 2);
    lua_error(L);
    abort(); /* it does not return */
}

static int l_exit(lua_State *L) {
    return state_error(L, "os.exit: a script cannot end the server; return from the handler, "
                          "or call weir.fail(status) to end the request");
}

static int l_setlocale(lua_State *L) {
    const char *name = luaL_optstring(L, 1, "C");
    if (strcmp(name, "C") == 0 || strcmp(name, "POSIX") == 0)
        lua_pushliteral(L, "C");
    else
        lua_pushnil(L); /* as where there is no such locale */
    return 1;
}

/* The line goes out as a whole, so that those of several workers do not mix. */
static int l_print(lua_State *L) {
    luaL_Buffer line;
    int n = lua_gettop(L);
    lua_getglobal(L, "tostring");
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, n + 1);
        lua_pushvalue(L, i);
        lua_call(L, 1, 1);
        if (!lua_isstring(L, -1))
            return luaL_error(L, "'tostring' must return a string to 'print'");
        lua_replace(L, i);
    }
    luaL_buffinit(L, &line);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&line, '\t');
        lua_pushvalue(L, i);
        luaL_addvalue(&line);
    }
    luaL_addchar(&line, '\n');
    luaL_pushresult(&line);
    struct str text = state_check_str(L, -1);
    fwrite(text.ptr, 1, text.len, stdout);
    return 0;
}

/* Whoever asks for a whole collection wants the memory back, and pool_trim may be long in coming:
 * it waits until tasks have run. */
static int l_collect(lua_State *L) {
    static const char *const options[] = {"collect",  "stop",       "restart",   "count", "step",
                                          "setpause", "setstepmul", "isrunning", NULL};
    bool whole = luaL_checkoption(L, 1, "collect", options) == 0;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    if (whole)
        pool_trim(&state_of(L)->pool);
    return 1;
}

/* "weir.app" is weir/app.lua, "weir" is weir/init.lua. */
static const struct embedded *find_module(const char *name) {
    char path[128];
    if (strcmp(name, "weir") == 0)
        return embedded_find("weir/init.lua");
    if (strncmp(name, "weir.", 5) != 0)
        return NULL;
    int n = snprintf(path, sizeof path, "%s.lua", name);
    if (n >= (int)sizeof path)
        return NULL;
    for (char *dot = path; dot < path + n - 4; dot++)
        if (*dot == '.')
            *dot = '/';
    return embedded_find(path);
}

/* A package.loaders entry. */
static int l_search(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    const struct embedded *module = find_module(name);
    if (module == NULL) {
        lua_pushfstring(L, "\n\tno module '%s' in weir itself", name);
        return 1;
    }
    lua_pushfstring(L, "=%s", module->name);
    if (luaL_loadbuffer(L, module->data, module->len, lua_tostring(L, -1)) != 0)
        return lua_error(L);
    return 1;
}

/* stack: 0. Puts l_search behind package.preload's searcher, before files. */
static void add_searcher(lua_State *L) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaders");
    for (int i = (int)lua_objlen(L, -1); i >= 2; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, l_search);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
}

/* Weir's own JSON stands on cjson, a module in C, as "weir.cjson": `require "cjson"` would take a
 * cjson.lua that the app has for itself. */
static void preload_cjson(lua_State *L) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_getfield(L, -2, "loadlib");
    lua_getfield(L, -3, "searchpath");
    lua_pushliteral(L, "cjson");
    lua_getfield(L, -5, "cpath");
    lua_call(L, 2, 1);
    lua_pushliteral(L, "luaopen_cjson");
    if (lua_isnil(L, -2) || lua_pcall(L, 2, 1, 0) != 0 || !lua_isfunction(L, -1)) {
        log_fatal("weir needs lua-cjson: apt install lua-cjson; a LUA_CPATH that is set must lead "
                  "to it, or end in \";;\", which stands for where the system has modules");
    }
    lua_setfield(L, -2, "weir.cjson");
    lua_pop(L, 2);
}

static void set_path(lua_State *L, const char *folder) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", folder, folder, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

/* newproxy gives a script __gc, whose errors come where C allocates and nobody catches them. */
static void remove_newproxy(lua_State *L) {
    lua_pushnil(L);
    lua_setglobal(L, "newproxy");
}

static void remove_ffi(lua_State *L) {
    static const char *const tables[] = {"preload", "loaded"};
    lua_getglobal(L, "package");
    for (int i = 0; i < 2; i++) {
        lua_getfield(L, -1, tables[i]);
        lua_pushnil(L);
        lua_setfield(L, -2, "ffi");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static int l_no_hook(lua_State *L) {
    return state_error(L, "debug.sethook: the hook is the server's, which stops runaway loops "
                          "with it");
}

static int l_no_profiler(lua_State *L) {
    return state_error(L, "jit.profile: the profiler is the server's, which stops runaway loops "
                          "with it");
}

/* What would take the guard's tools from it. */
static void seal_tools(lua_State *L) {
    lua_getglobal(L, "debug");
    lua_pushcfunction(L, l_no_hook);
    lua_setfield(L, -2, "sethook");
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, l_no_profiler);
    lua_setfield(L, -2, "jit.profile");
    lua_pop(L, 3);
}

static int l_enter(lua_State *L) {
    if (!cstack_is_deep())
        return 0;
    return state_error(L, "stack overflow: coroutines resume each other too deep; let one of them "
                          "return before it resumes the next");
}

static void limit_depth(lua_State *L) {
    state_require(L, "weir.depth");
    lua_pushcfunction(L, l_enter);
    lua_call(L, 1, 0);
}

void state_allow_ffi(lua_State *L) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_ffi);
    lua_setfield(L, -2, "ffi");
    lua_pop(L, 2);
}

void state_apply_mode(lua_State *L) {
    if (state_mode.aggressive_gc) {
        lua_gc(L, LUA_GCSETPAUSE, 0);
        lua_gc(L, LUA_GCSETSTEPMUL, 2500);
    }
    if (state_mode.no_jit)
        luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
}

/* Lua's pause is a percentage of what is alive. A small state would collect every few hundred
 * requests for nothing; a large one would let as much garbage pile up as it holds, in memory that
 * is never given back. */
#define LARGE_BYTES (1024 * 1024)
#define PAUSE_SMALL 400
#define PAUSE_LARGE 150
#define STEPMUL 200 /* Lua's own */
#define TUNE_EVERY 256
#define TRIM_MS 1000

static void set_pause(struct state *state, bool large) {
    state->large = large;
    if (!state_mode.aggressive_gc)
        lua_gc(state->L, LUA_GCSETPAUSE, large ? PAUSE_LARGE : PAUSE_SMALL);
}

/* The guard had it collect as often as it can. */
static void loosen(struct state *state) {
    state->tight = false;
    if (!state_mode.aggressive_gc)
        lua_gc(state->L, LUA_GCSETSTEPMUL, STEPMUL);
    set_pause(state, state->bytes > LARGE_BYTES);
}

/* LuaJIT's generator begins with the same number in every state: each worker's, and after each
 * start.
 */
static void seed_random(lua_State *L) {
    uint32_t seed[2] = {0};
    if (getrandom(seed, sizeof seed, 0) < 0)
        seed[0] = (uint32_t)clock_mono_ns();
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushnumber(L, seed[0] * 0x1p20 + (seed[1] & 0xfffff));
    lua_call(L, 1, 0);
    lua_pop(L, 1);
}

/* os.getenv of an app whose spec says what it finds there. */
static int l_getenv(lua_State *L) {
    luaL_checkstring(L, 1);
    lua_pushvalue(L, 1);
    lua_rawget(L, lua_upvalueindex(1));
    if (lua_isnil(L, -1)) {
        lua_pushvalue(L, lua_upvalueindex(2));
        lua_pushvalue(L, 1);
        lua_call(L, 1, 1);
    } else if (!lua_toboolean(L, -1)) {
        lua_pushnil(L);
    }
    return 1;
}

/* stack of L: os on top, 0 */
static void set_env(lua_State *L, lua_State *from, int at) {
    lua_newtable(L);
    for (lua_pushnil(from); lua_next(from, at) != 0; lua_pop(from, 1)) {
        lua_pushstring(L, lua_tostring(from, -2));
        if (lua_isboolean(from, -1))
            lua_pushboolean(L, false);
        else
            lua_pushstring(L, lua_tostring(from, -1));
        lua_rawset(L, -3);
    }
    lua_getfield(L, -2, "getenv");
    lua_pushcclosure(L, l_getenv, 2);
    lua_setfield(L, -2, "getenv");
}

void state_init(struct state *state, const char *folder, void *owner) {
    *state = (struct state){.owner = owner, .mark = STATE_NO_MARK};
    pthread_mutex_lock(&states.lock);
    list_push(&states.all, &state->link);
    pthread_mutex_unlock(&states.lock);
    lua_State *L = state->L = lua_newstate(allocate, state);
    if (L == NULL)
        log_fatal("cannot make a Lua state: weir needs a LuaJIT built with GC64");
    lua_atpanic(L, on_panic);
    luaL_openlibs(L);
    seed_random(L);
    remove_ffi(L);
    remove_newproxy(L);
    seal_tools(L);
    lua_getglobal(L, "os");
    lua_pushcfunction(L, l_exit);
    lua_setfield(L, -2, "exit");
    lua_pushcfunction(L, l_setlocale);
    lua_setfield(L, -2, "setlocale");
    lua_pushcfunction(L, shell_execute);
    lua_setfield(L, -2, "execute");
    if (state_mode.env)
        set_env(L, state_mode.env, state_mode.env_at);
    lua_pop(L, 1);
    lua_pushcfunction(L, l_print);
    lua_setglobal(L, "print");
    lua_getglobal(L, "collectgarbage");
    lua_pushcclosure(L, l_collect, 1);
    lua_setglobal(L, "collectgarbage");
    add_searcher(L);
    preload_cjson(L);
    set_path(L, folder);
    limit_depth(L);
    set_pause(state, false);
    state_apply_mode(L);
}

void state_tune(struct state *state) {
    __atomic_store_n(&state->shown, state->bytes, __ATOMIC_RELAXED);
    if (++state->runs % TUNE_EVERY != 0)
        return;
    if (state->tight && state->bytes < state->full_mark)
        loosen(state);
    if (!state->tight && (state->bytes > LARGE_BYTES) != state->large)
        set_pause(state, !state->large);
    uint64_t now = clock_mono_ms();
    if (now - state->trimmed < TRIM_MS)
        return;
    state->trimmed = now;
    pool_trim(&state->pool);
    cstack_trim();
}

void state_fini(struct state *state) {
    if (state->guard)
        guard_forget(state);
    pthread_mutex_lock(&states.lock);
    list_remove(&state->link);
    pthread_mutex_unlock(&states.lock);
    lua_close(state->L);
    pool_fini(&state->pool);
    stop_fini(&state->stop);
    state->L = NULL;
}

void state_require(lua_State *L, const char *name) {
    lua_getglobal(L, "require");
    lua_pushstring(L, name);
    if (lua_pcall(L, 1, 1, 0) != 0)
        log_fatal("the module %s of weir itself does not load: %s", name, lua_tostring(L, -1));
}

void state_set(lua_State *L, const luaL_Reg *functions) {
    for (; functions->name; functions++) {
        lua_pushcfunction(L, functions->func);
        lua_setfield(L, -2, functions->name);
    }
}

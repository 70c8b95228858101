/* files: tells which Lua files a generation loads, or looks for.
 *
 * Only in watch mode. A searcher in front of the one that opens files asks package.searchpath where
 * that will look, tells it, and finds nothing itself; `dofile` and `loadfile` are wrapped. What was
 * looked for in vain counts as well, so that a missing module is seen when it comes. It must not
 * know who listens. */
#include "vm/files.h"

#include "base/mem.h"

#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As it was named, and what that leads to: either may be replaced. */
void files_tell(struct generation *gen, const char *path) {
    char real[PATH_MAX], here[PATH_MAX];
    struct buf absolute = {0};
    if (gen->lineage == NULL || !gen->lineage->watched)
        return;
    if (path[0] != '/' && getcwd(here, sizeof here))
        buf_printf(&absolute, "%s/", here);
    buf_add(&absolute, str_of(path));
    buf_add_char(&absolute, '\0');
    if (realpath(absolute.data, real))
        gen->lineage->ops->looked(gen->lineage, real);
    if (path[0] == '/')
        gen->lineage->ops->looked(gen->lineage, absolute.data);
    buf_fini(&absolute);
}

/* "\n\tno file 'PATH'" for each place: those that are the app's. */
static void tell_absent(struct generation *gen, struct str message) {
    while (message.ptr) {
        struct str line = str_cut(&message, '\n');
        str_cut(&line, '\'');
        struct str path = line.ptr ? str_cut(&line, '\'') : line;
        if (path.ptr == NULL || !str_starts(path, str_of(gen->folder)))
            continue;
        char *copy = mem_copy(path.ptr, path.len);
        gen->lineage->ops->looked(gen->lineage, copy);
        free(copy);
    }
}

/* A package.loaders entry that finds nothing. */
static int l_spy(lua_State *L) {
    struct generation *gen = task_generation(L);
    luaL_checkstring(L, 1);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchpath");
    lua_pushvalue(L, 1);
    lua_getfield(L, 2, "path");
    lua_call(L, 2, 2);
    if (!lua_isnil(L, -2))
        files_tell(gen, lua_tostring(L, -2));
    else
        tell_absent(gen, state_check_str(L, -1));
    return 0;
}

/* Calls the function that it stands for. */
static int l_open(lua_State *L) {
    if (lua_type(L, 1) == LUA_TSTRING)
        files_tell(task_generation(L), lua_tostring(L, 1));
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static void wrap(lua_State *L, const char *name) {
    lua_getglobal(L, name);
    lua_pushcclosure(L, l_open, 1);
    lua_setglobal(L, name);
}

/* Behind package.preload's and Weir's own searcher, see state.c. */
#define PLACE 3

void files_watch(struct generation *gen) {
    lua_State *L = gen->state.L;
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaders");
    for (int i = (int)lua_objlen(L, -1); i >= PLACE; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, l_spy);
    lua_rawseti(L, -2, PLACE);
    lua_pop(L, 2);
    wrap(L, "dofile");
    wrap(L, "loadfile");
}

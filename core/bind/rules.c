/* rules: what is asked for of lines, as Lua says it.
 *
 * It has been checked by rules.lua, log_options.lua and logs.lua of ../lua/weir; what only C can
 * tell, such as whether a pattern can be compiled, is told here. What is made belongs to whoever
 * reads lines. */
#include "bind/rules.h"

#include "logs/stamp.h"
#include "vm/state.h"

#include <lauxlib.h>

struct sift_rule rules_read(lua_State *L) {
    int rule = lua_gettop(L);

    luaL_checktype(L, rule, LUA_TTABLE);
    for (int i = 1; i <= 5; i++)
        lua_rawgeti(L, rule, i);
    lua_Integer kind = luaL_checkinteger(L, rule + 1);
    luaL_argcheck(L, kind >= 0 && kind < SIFT_KINDS, rule + 1, "no such kind");
    return (struct sift_rule){.kind = (enum sift_kind)kind,
                              .exclude = lua_toboolean(L, rule + 2),
                              .cased = lua_toboolean(L, rule + 3),
                              .text = state_check_str(L, rule + 4),
                              .value = state_opt_str(L, rule + 5)};
}

void rules_sift(lua_State *L, int index, struct sift **out, const char *what) {
    char why[256];
    int top = lua_gettop(L);

    if (lua_isnoneornil(L, index))
        return;
    luaL_checktype(L, index, LUA_TTABLE);
    *out = sift_new();
    for (int i = 1; i <= (int)lua_objlen(L, index); i++) {
        lua_rawgeti(L, index, i);
        struct sift_rule rule = rules_read(L);
        if (sift_add(*out, &rule, why, sizeof why) < 0)
            state_error(L, "%s: %s", what, why);
        lua_settop(L, top);
    }
}

/* The one on top. stack: +2 at most */
static void add_redaction(lua_State *L, struct redact *redact) {
    char why[256];
    int top = lua_gettop(L);

    if (lua_type(L, top) == LUA_TSTRING) {
        if (!redact_preset(redact, state_check_str(L, top)))
            state_error(L, "weir.logs: a rule of redact is \"tokens\", \"addresses\" or a table");
        return;
    }
    luaL_checktype(L, top, LUA_TTABLE);
    lua_rawgeti(L, top, 1);
    lua_rawgeti(L, top, 2);
    struct str pattern = state_check_str(L, top + 1), with = state_check_str(L, top + 2);
    if (redact_add(redact, pattern, with, why, sizeof why) < 0)
        state_error(L, "weir.logs: redact: %s", why);
}

void rules_redact(lua_State *L, int index, struct redact *redact) {
    int top = lua_gettop(L);

    luaL_checktype(L, index, LUA_TTABLE);
    for (int i = 1; i <= (int)lua_objlen(L, index); i++) {
        lua_rawgeti(L, index, i);
        add_redaction(L, redact);
        lua_settop(L, top);
    }
}

int64_t rules_time(lua_State *L, int index) {
    if (lua_isnoneornil(L, index))
        return STAMP_NONE;
    lua_Number seconds = luaL_checknumber(L, index);
    luaL_argcheck(L, seconds > -1e12 && seconds < 1e12, index, "no time");
    return (int64_t)(seconds * 1e6);
}

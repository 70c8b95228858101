/* bind_text: what is said about strings in C, for Lua.
 *
 * Functions of their bytes alone: they keep nothing, wait for nothing and know no task. What they
 * are for is said by the Lua half that calls them (lua/weir/json.lua). */
#include "script/bind.h"

#include "proto/json_text.h"
#include "script/state.h"

#include <lauxlib.h>

/* text -> nil, or what is wrong and at which byte, counted from 1 */
static int l_json_check(lua_State *L) {
    size_t at;
    const char *wrong = json_text_check(state_check_str(L, 1), &at);
    if (!wrong)
        return 0;
    lua_pushstring(L, wrong);
    lua_pushnumber(L, (lua_Number)at + 1);
    return 2;
}

void bind_text(lua_State *L) {
    static const luaL_Reg functions[] = {{"json_check", l_json_check}, {NULL, NULL}};
    state_set(L, functions);
}

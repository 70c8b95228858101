/* class: the kinds of userdata that scripts get.
 *
 *     class_define: name --> metatable { __name, __metatable, __gc, __index = methods }
 *     class_new:    zeroed, its metatable set --> filled by whoever makes it --> __gc, once
 *
 * One recipe for all, so that none lacks what keeps a script from its __gc: a finalizer that can be
 * called by hand, or with another value, frees twice. (Who reaches for debug.getmetatable asks for
 * it.) The metatable is set before anything is in a userdata, so each __gc must take one that is
 * still empty. It must not know what they are. */
#include "vm/class.h"

#include "vm/state.h"

#include <string.h>

void class_define(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc) {
    static const luaL_Reg none[] = {{NULL, NULL}};
    luaL_newmetatable(L, name);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__name");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
    if (gc) {
        lua_pushcfunction(L, gc);
        lua_setfield(L, -2, "__gc");
    }
    lua_newtable(L);
    state_set(L, methods ? methods : none);
    lua_setfield(L, -2, "__index");
}

void class_share_methods(lua_State *L, const char *field) {
    lua_getfield(L, -1, "__index");
    lua_setfield(L, -3, field);
}

void *class_new(lua_State *L, const char *name, size_t size) {
    void *made = memset(lua_newuserdata(L, size), 0, size);
    luaL_getmetatable(L, name);
    lua_setmetatable(L, -2);
    return made;
}

/* class: the kinds of userdata that scripts get. Who has one at an index asks luaL_checkudata with
 * the class's name. */
#ifndef VM_CLASS_H
#define VM_CLASS_H

#include <lauxlib.h>
#include <lua.h>

/* Makes the class `name`: its metatable, with __index a table of `methods` (NULL: none of C's), and
 * with __gc (NULL: nothing to give back); getmetatable gives the name in place of that table.
 * stack: +1, the metatable, for what the class has beside */
void class_define(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);
/* Puts the methods of the class whose metatable is on top into the table below it, weir.core, as
 * `field`: the Lua half adds its own. */
void class_share_methods(lua_State *L, const char *field);
/* A new one, zeroed; whatever raises from here on leaves it to its __gc. stack: +1 */
void *class_new(lua_State *L, const char *name, size_t size);

#endif

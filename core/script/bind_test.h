/* bind_test: the parts of what bind_test fills weir.core with, a noun each. Each adds its functions
 * to the core table that is on top of the stack. */
#ifndef SCRIPT_BIND_TEST_H
#define SCRIPT_BIND_TEST_H

#include <lua.h>

void bind_socket(lua_State *L);
void bind_child(lua_State *L);
void bind_host(lua_State *L);

#endif

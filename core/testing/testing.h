/* testing: the parts of what bind_test fills weir.core with, a noun each. Each adds its functions
 * to the core table that is on top of the stack. */
#ifndef TESTING_TESTING_H
#define TESTING_TESTING_H

#include <lua.h>

/* What a spec sees and turns, and all of the others. */
void bind_test(lua_State *L);
void bind_socket(lua_State *L);
void bind_child(lua_State *L);
void bind_host(lua_State *L);

#endif

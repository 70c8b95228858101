/* library: what weir.core has. */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <lua.h>

/* Fills the core table, the only value on the stack, in a new generation's state: see struct
 * scheduler. */
void library_open(lua_State *L);

#endif

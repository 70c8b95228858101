/* bind: the functions of weir.core that are not about tasks, streams or apps. Each fills the core
 * table that is on top of the stack. */
#ifndef SCRIPT_BIND_H
#define SCRIPT_BIND_H

#include <lua.h>

void bind_process(lua_State *L); /* limits, log, stats: what concerns the whole process */
void bind_fs(lua_State *L);
void bind_tail(lua_State *L);
void bind_test(lua_State *L);

#endif

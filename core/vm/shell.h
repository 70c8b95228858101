/* shell: os.execute for scripts. */
#ifndef VM_SHELL_H
#define VM_SHELL_H

#include <lua.h>

/* os.execute([command]): as Lua's own, but for signals. */
int shell_execute(lua_State *L);

#endif

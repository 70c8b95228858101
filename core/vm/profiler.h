/* profiler: LuaJIT's profiler, of which a process has one, as what stops compiled loops. The
 * caller, the guard, has a lock over all of it. */
#ifndef VM_PROFILER_H
#define VM_PROFILER_H

#include <lua.h>

/* Once for the process. 0, or -1: there is no memory for it. */
int profiler_init(void);
/* A new state: what it compiles from now on looks at the profiler's flag. */
void profiler_adopt(lua_State *L);
/* To a state that was adopted, which may be running: from now on SIGPROF sets its flag, and LuaJIT
 * calls `sample` when that is met; NULL: nobody wants to know. */
void profiler_lend(lua_State *L, void (*sample)(void *arg, lua_State *L, int samples, int vmstate),
                   void *arg);
/* From the state that has it, which does not run: its machine code is dropped. */
void profiler_take_back(lua_State *L);

#endif

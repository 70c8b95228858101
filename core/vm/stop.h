/* stop: why the guard has ended a stretch, in words, and where that was. */
#ifndef VM_STOP_H
#define VM_STOP_H

#include "base/counter.h"

#include <lua.h>

enum guard_stop { GUARD_NONE, GUARD_CPU, GUARD_MEMORY };

/* A state's. */
struct stop {
    uint8_t why;               /* enum guard_stop, why it is to be ended */
    uint64_t cpu_time;         /* the limits: ns, */
    size_t memory;             /* and bytes */
    char *message, *traceback; /* where the stretch was when it was ended; NULL: not yet */
};

/* Where `L` is and why it is ended, kept outside of Lua, for unwinding will lose it. */
void stop_note(struct stop *stop, lua_State *L);
/* Pushes why the stretch of `co` was ended, and the traceback; both are forgotten. stack: +2 */
void stop_explain(struct stop *stop, lua_State *co, lua_State *L);
void stop_fini(struct stop *stop);
/* One more was ended. */
void stop_count(enum guard_stop stop);
extern const struct counter_row stop_counter_rows[];

#endif

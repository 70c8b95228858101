/* profile: where one Lua state is, sampled. */
#ifndef VM_PROFILE_H
#define VM_PROFILE_H

#include "base/buf.h"
#include "base/map.h"

#include <lua.h>

#define PROFILE_NS 10000000      /* between two samples while it runs */
#define PROFILE_STACKS_MAX 10000 /* different ones; what is beyond is counted as one */
#define PROFILE_DEPTH_MAX 100    /* frames of one, the innermost */

/* For one thread alone. */
struct profile {
    struct map stacks; /* struct stack, by its text */
    uint64_t beyond;   /* samples */
};

void profile_init(struct profile *profile);
void profile_fini(struct profile *profile);
/* `L` is there now, running `what`; as LuaJIT tells, for so many samples, in such a state of
 * its. Allocates in Lua. */
void profile_sample(struct profile *profile, lua_State *L, const char *what, int samples,
                    int vmstate);
/* Appends a line for each stack: frames from the outermost to the innermost with ';' between them,
 * then what LuaJIT did there, then how many samples. Flame graphs are made from that. */
void profile_add_folded(const struct profile *profile, struct buf *out);

#endif

/* profile: where one Lua state is, sampled.
 *
 *     watchdog, every PROFILE_NS while it runs: signal --> LuaJIT's flag --> the next instruction
 *     calls profile_sample --> one more of that stack
 *
 * A stack is a text: what the task is, each frame with the line that it is at, and what LuaJIT was
 * doing: running compiled code, interpreting, in a C function, collecting garbage, compiling. A C
 * function is seen when it has returned, as where it was called. Who has the profiler, and until
 * when, is the guard's business; the state need not know that it is looked at. */
#include "vm/profile.h"

#include "base/mem.h"

#include <luajit.h>
#include <stdlib.h>

struct stack {
    struct map_node node;
    uint64_t samples;
    size_t len;
    char text[];
};

void profile_init(struct profile *profile) {
    *profile = (struct profile){0};
    map_init(&profile->stacks);
}

void profile_fini(struct profile *profile) {
    struct map_node *node;
    while ((node = map_next(&profile->stacks, NULL)) != NULL) {
        map_remove(&profile->stacks, node);
        free(CONTAINER_OF(node, struct stack, node));
    }
    map_fini(&profile->stacks);
}

static const char *doing(int vmstate) {
    switch (vmstate) {
    case 'N':
        return "[compiled]";
    case 'I':
        return "[interpreted]";
    case 'C':
        return "[C function]";
    case 'G':
        return "[garbage collector]";
    default:
        return "[compiler]";
    }
}

/* As one frame: ';' stands between frames. */
static void add_task(struct buf *text, const char *what) {
    for (; what && *what; what++)
        buf_add_char(text, *what == ';' ? ',' : *what);
}

static void count(struct profile *profile, struct str text, uint64_t samples) {
    struct map_node *node = map_find(&profile->stacks, text);
    if (node) {
        CONTAINER_OF(node, struct stack, node)->samples += samples;
    } else if (profile->stacks.count == PROFILE_STACKS_MAX) {
        profile->beyond += samples;
    } else {
        struct stack *stack = mem_alloc(sizeof *stack + text.len);
        stack->samples = samples;
        stack->len = text.len;
        memcpy(stack->text, text.ptr, text.len);
        map_insert(&profile->stacks, &stack->node, (struct str){stack->text, text.len});
    }
}

void profile_sample(struct profile *profile, lua_State *L, const char *what, int samples,
                    int vmstate) {
    struct buf text = {0};
    size_t len;
    add_task(&text, what);
    buf_add_char(&text, ';');
    const char *frames = luaJIT_profile_dumpstack(L, "pl;", -PROFILE_DEPTH_MAX, &len);
    buf_append(&text, frames, len);
    buf_add(&text, str_of(doing(vmstate)));
    count(profile, buf_str(&text), (uint64_t)samples);
    buf_fini(&text);
}

void profile_add_folded(const struct profile *profile, struct buf *out) {
    for (struct map_node *node = map_next(&profile->stacks, NULL); node;
         node = map_next(&profile->stacks, node)) {
        const struct stack *stack = CONTAINER_OF(node, struct stack, node);
        buf_printf(out, "%.*s %llu\n", (int)stack->len, stack->text,
                   (unsigned long long)stack->samples);
    }
    if (profile->beyond > 0)
        buf_printf(out, "[other stacks] %llu\n", (unsigned long long)profile->beyond);
}

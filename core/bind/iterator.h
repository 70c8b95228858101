/* iterator: what a `for` loop of Lua calls, and waits in. */
#ifndef BIND_ITERATOR_H
#define BIND_ITERATOR_H

#include "vm/task.h"

/* One for each kind. */
struct iterator_ops {
    struct wait wait; /* `what` of its own; .disarm = iterator_disarm, .take = iterator_take */
    /* Pushes what comes next and returns how many values that is; 0: nothing is there yet. */
    int (*next)(lua_State *L, void *source);
    void (*free)(void *source);
};

/* A userdata. */
struct iterator {
    const struct iterator_ops *ops;
    void *source;        /* what it gives; NULL: nothing any more */
    struct task *waiter; /* NULL: none */
    uint64_t maker;      /* the serial of the task that made it; 0: none did */
    bool ended;          /* by a cancellation: nobody asked to close it */
};

void iterator_disarm(struct task *task);
int iterator_take(struct task *task, lua_State *co);

/* One whose source is to be set, and is its own: what that takes may raise. stack: +1 */
struct iterator *iterator_new(lua_State *L, const struct iterator_ops *ops);
/* There may be something for who waits. */
void iterator_rouse(struct iterator *iterator);

#endif

/* outlet: what tasks take values from, one at a time: a channel, a subscription. */
#ifndef VM_OUTLET_H
#define VM_OUTLET_H

#include "base/list.h"

#include <lua.h>
#include <stdbool.h>

#define OUTLET_CLOSED (-1)

struct outlet;

struct outlet_ops {
    /* Pushes the next value of the outlet, whose userdata is at `index`: 1; or 0: there is none
     * yet, or OUTLET_CLOSED. */
    int (*take)(struct outlet *outlet, lua_State *L, int index);
    /* Whether `take` would not answer 0. */
    bool (*has)(const struct outlet *outlet);
    /* For who does not wait until he is roused: whether something has come that `take` knows
     * nothing of, and now does. NULL: it knows all. */
    bool (*look)(struct outlet *outlet);
};

/* The first member of a userdata. */
struct outlet {
    const struct outlet_ops *ops;
    struct list watches; /* of tasks that wait for a value */
};

void outlet_init(struct outlet *outlet, const struct outlet_ops *ops);
/* There is a value more: the first who waits, and does not run already, runs and takes it. */
void outlet_rouse(struct outlet *outlet);
/* It has closed: all who wait run. */
void outlet_rouse_all(struct outlet *outlet);
/* Whether somebody waits for a value. */
bool outlet_is_watched(const struct outlet *outlet);
/* Whether somebody runs who may take one. */
bool outlet_is_roused(const struct outlet *outlet);
/* Says that the class whose metatable is on top is one of outlets. */
void outlet_mark(lua_State *L);

/* weir.core's outlet_recv and select. stack: core table on top, 0. */
void bind_outlet(lua_State *L);

#endif

/* slot: who may be at work when only some can be at once. */
#ifndef SEARCH_SLOT_H
#define SEARCH_SLOT_H

#include "net/loop.h"

#define SLOTS 3 /* at once, of the whole process */

enum slot_state { SLOT_NONE, SLOT_WAITS, SLOT_CALLED, SLOT_HAS };

struct slot {
    struct list link; /* WAITS: in the queue, under its lock */
    struct loop *loop;
    struct mail mail;
    void (*go)(struct slot *slot); /* on its loop: it has one */
    enum slot_state state;         /* under the lock */
};

void slot_init(struct slot *slot, struct loop *loop, void (*go)(struct slot *slot));
/* Has `go` called, at once or when others are through. */
void slot_ask(struct slot *slot);
/* Behind `go`: somebody else's. From its loop, as all of these. */
void slot_end(struct slot *slot);
/* `go` is not called any more, if it has not been. False: it has. */
bool slot_cancel(struct slot *slot);

#endif

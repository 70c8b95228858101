/* append_one: an event given to the store by itself, a group of its own if nothing else waits. */
#ifndef UNIT_APPEND_ONE_H
#define UNIT_APPEND_ONE_H

#include "store/store.h"

static inline void append_one(struct store *store, struct stored_event *event) {
    struct list one;
    list_init(&one);
    list_push(&one, &event->op.link);
    store_append(store, &one);
}

#endif

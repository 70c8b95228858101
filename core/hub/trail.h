/* trail: the ids of the events that a topic trimmed last. */
#ifndef HUB_TRAIL_H
#define HUB_TRAIL_H

#include "proto/event_id.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct trail {
    event_id *ids; /* `cap` of them, a power of 2; each stands at its ordinal modulo that */
    uint32_t cap;
    uint64_t first, next; /* ordinals of those that are there; `next` is the topic's first */
    event_id before;      /* all that came beyond this id and was trimmed is there */
};

/* Nothing that came up to `before` will ever be in it. */
void trail_init(struct trail *trail, event_id before);
/* `total` counts its memory, here and below. */
void trail_fini(struct trail *trail, atomic_uint_fast64_t *total);
/* Nothing that was trimmed by now is wanted any more. */
void trail_forget(struct trail *trail, event_id floor, atomic_uint_fast64_t *total);
/* The topic's next event is trimmed. */
void trail_add(struct trail *trail, event_id id, atomic_uint_fast64_t *total);
/* The id of the last one before that ordinal, which is not below trail->first. */
event_id trail_before(const struct trail *trail, uint64_t ordinal);
/* The ordinal of the first one beyond `id`, trail->next if there is none. False: not known. */
bool trail_after(const struct trail *trail, event_id id, uint64_t *ordinal);

#endif

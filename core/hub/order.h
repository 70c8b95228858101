/* order: all events that topics keep, by id, and those that they trimmed last. */
#ifndef HUB_ORDER_H
#define HUB_ORDER_H

#include "hub/topic.h"

/* All under the hub's lock. */

/* The topic has been made; before it is freed. */
void order_enter(struct topic *topic);
void order_leave(struct topic *topic);
/* An event of it was appended. */
void order_add(const struct topic *topic, event_id id);
/* Gives back the memory of what is kept no longer. For when events have become too old. */
void order_tidy(void);
/* Places, in order of ids: the first beyond `id`, and behind the last. Valid until the next
 * order_add. */
uint64_t order_after(event_id id);
uint64_t order_end(void);
/* The topic of the event there; NULL: it is kept no longer. */
struct topic *order_at(uint64_t place, event_id *id);

/* An entry of it is trimmed. */
void order_note_trim(const struct topic *topic, const struct entry *entry);
/* Trims are numbered by hub.trims, the last of them; the first that is known. Those before it, and
 * those of topics that have gone, are in the crowds. */
uint64_t order_trims_first(void);
/* The topic whose event that was; NULL: it has gone. */
struct topic *order_trim_at(uint64_t trim, event_id *id, bool *superseded);

#endif

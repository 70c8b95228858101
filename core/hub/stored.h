/* stored: what the store has of a topic. */
#ifndef HUB_STORED_H
#define HUB_STORED_H

#include "hub/topic.h"
#include "store/store.h"

/* All under the hub's lock. */

/* The store has committed an event of it: its history goes on there from here. */
void stored_came(struct topic *topic, event_id id);
/* An event of it is about to be appended that the store will not have; the newest id of all is
 * `last`. What the store has ends here. */
void stored_ends(struct topic *topic, struct store *store, event_id last);
/* The store keeps of it what its rule says now. What no rule speaks of is left as it is: the rules
 * may be still to come, their app may be broken. */
void stored_trim(const struct topic *topic, struct store *store);
/* Looks at what is left there. When that is to be done again, monotonic ms as `now` is. */
uint64_t stored_look(struct topic *topic, struct store *store, uint64_t now);
/* Up to here the store lacks events of it that memory lacks, too; 0: none, or it has none of it. */
event_id stored_lacks(const struct topic *topic, struct store *store);

#endif

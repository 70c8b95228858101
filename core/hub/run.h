/* run: the servers that have had the store's file, and which ids were theirs. */
#ifndef HUB_RUN_H
#define HUB_RUN_H

#include "proto/event_id.h"
#include "store/store.h"

/* All under the hub's lock. */

/* A server begins, whose ids are larger than `start`; earlier ones are those that the file knows.
 */
void run_begin(struct store *store, event_id start);
/* It ends: it has given ids up to `last`. */
void run_end(struct store *store, event_id last);
/* `id` is none of these servers': one without the file gave it, or one that was killed and had not
 * stored anything since. The id at which the next of them began; 0: it is one of theirs. */
event_id run_behind(event_id id);

#endif

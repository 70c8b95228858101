/* lapse: a position of prefixes that has too many topics to keep in mind. */
#ifndef READ_LAPSE_H
#define READ_LAPSE_H

#include "hub/lag.h"
#include "proto/event_id.h"

#include <stdbool.h>

struct interest;
struct position;
struct prefix_interest;
struct topic;

/* All under the hub's lock. */

/* It forgets which topics have something for it; it is not told of any until it has caught up. */
void lapse_begin(struct position *position);
/* So it begins with a further prefix, whose topics are read from behind `after`. */
void lapse_from(struct position *position, event_id after);
/* Nothing below it is chosen any more. */
void lapse_end(struct position *position);
/* All up to position_listed() has been read: finds more, or ends it. */
void lapse_go_on(struct position *position);
/* A topic of it is chosen by name, and begins where this was. */
void lapse_bequeath(struct interest *named);
/* Before a prefix is left: of topics that another one brings, even one chosen later, what is still
 * to be read is found; what is too much of that is told to be missing. */
void lapse_leave(struct position *position, const struct prefix_interest *prefix);
/* Something of it has been trimmed, up to there. */
void lapse_note_missing(struct position *position, event_id floor);

/* What lies beyond position_listed(), and counts. */
struct lag lapse_lag(const struct position *position);
/* The id up to which that fits the policy's limit, if `sum` lies before it. */
event_id lapse_fence(const struct position *position, struct lag sum);

#endif

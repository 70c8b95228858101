/* gone: what is remembered of topics that are not there any more. */
#ifndef HUB_GONE_H
#define HUB_GONE_H

#include "proto/event_id.h"
#include "hub/name.h"

#include <stdint.h>

/* All under the hub's lock. */

/* The topic of that name had events up to `floor`, and has none now. */
void gone_add(struct name *name, event_id floor);
/* What was remembered of it, which is forgotten: the topic is there again. 0: nothing. */
event_id gone_take(struct name *name);
/* The largest floor of those that begin so. */
event_id gone_below(struct name *prefix);
/* Forgets all. */
void gone_clear(void);

#endif

/* gone: what is remembered of topics that are not there any more. */
#ifndef HUB_GONE_H
#define HUB_GONE_H

#include "hub/name.h"
#include "proto/event_id.h"

/* All under the hub's lock. */

/* The topic of that name had events up to `floor`, and has none now. */
void gone_add(struct name *name, event_id floor);
/* Up to which id a topic of that name had events, which is forgotten: it is there again. */
event_id gone_take(struct name *name);
/* The same of any topic whose name begins so. */
event_id gone_below(struct name *prefix);
/* Topics that are not even remembered may have had events up to here; raised to `upto`. */
event_id gone_expired(void);
void gone_expire(event_id upto);
/* Forgets all. */
void gone_clear(void);

#endif

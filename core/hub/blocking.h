/* blocking: a position that publishers wait for. */
#ifndef HUB_BLOCKING_H
#define HUB_BLOCKING_H

#include "base/list.h"
#include "hub/lag.h"
#include "proto/event_id.h"

#include <stdbool.h>

struct crowd;
struct entry;
struct position;
struct reader;
struct topic;

struct blocking {
    struct position *position; /* for who expels it */
    struct reader *reader;     /* that serves it */
    struct position_limit limit;
    struct list choices;     /* struct blocking_choice */
    struct list in_expelled; /* reader->expelled */
    struct lag owed;         /* appended since the position was up to date, while it was not full */
    event_id newest;         /* the newest event that `owed` counts */
    bool full;               /* one more event is too much */
    bool ended;              /* nobody waits for it any more */
};

/* One of its topics or prefixes. */
struct blocking_choice {
    struct blocking *blocking;
    struct crowd *crowd;
    event_id after; /* entries up to it are none of its business */
    struct list in_crowd, in_blocking;
};

/* --- for core/hub and core/read, under the lock --- */

struct blocking *blocking_new(struct position *position, struct reader *reader,
                              struct position_limit limit);
void blocking_free(struct blocking *blocking);
/* Publishers to what the crowd is of wait for it, too; what has an id up to `after` it does not
 * read. Or not any more. `blocking` NULL: nobody does, both. */
void blocking_join(struct blocking *blocking, struct crowd *crowd, event_id after);
void blocking_leave(struct blocking *blocking, const struct crowd *crowd);
/* Nobody waits for it any more. */
void blocking_end(struct blocking *blocking);
/* It reads: so far behind it is now. */
void blocking_settle(struct blocking *blocking, struct lag lag);

/* Whether who publishes there has to wait for a position. */
bool blocking_holds_up(const struct topic *topic);
/* An entry was appended. */
void blocking_owe(const struct topic *topic, const struct entry *entry);
/* Those that were waited for in vain have to go. */
void blocking_expel(const struct topic *topic, struct reader *self);

#endif

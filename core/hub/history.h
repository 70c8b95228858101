/* history: what a topic keeps, read once. */
#ifndef HUB_HISTORY_H
#define HUB_HISTORY_H

#include "base/buf.h"
#include "hub/event_id.h"

struct history {
    bool from_id;    /* the first events beyond `after`; else the newest ones */
    event_id after;  /* exclusive, both */
    event_id before; /* EVENT_ID_NONE: no such end */
    size_t limit;    /* events at most */
    /* The result: */
    struct buf records; /* see history_next */
    size_t count;
    bool more; /* there are others between `after` and `before` */
};

/* Copies what there is; buf_fini(&history->records) afterwards. */
void history_read(struct history *history, struct str topic);
/* Cuts one event off `*records`: its SSE text, and its key (ptr NULL: none). False: that was all.
 */
bool history_next(struct str *records, struct str *text, struct str *key);

#endif

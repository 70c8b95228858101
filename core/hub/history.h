/* history: what a topic keeps, read once. */
#ifndef HUB_HISTORY_H
#define HUB_HISTORY_H

#include "base/buf.h"
#include "hub/name.h"
#include "proto/event_id.h"
#include "store/store.h"
#include "net/loop.h"

struct reader;

struct history {
    bool from_id;    /* the first events beyond `after`; else the newest ones */
    event_id after;  /* exclusive, both */
    event_id before; /* EVENT_ID_NONE: no such end */
    size_t limit;    /* events at most */
    /* The result: */
    struct buf records; /* see history_next */
    size_t count;
    bool closed; /* the topic is */
    bool more;   /* there are others between `after` and `before` */
};

/* Copies what the topic has in memory; buf_fini(&history->records) afterwards. False: some of it is
 * in the store only, and nothing was copied; see history_fetch. */
bool history_read(struct history *history, struct str topic);

/* The same from the store. Who asks keeps it until `done`, which is called on the reader's loop: 0,
 * or UV_EIO. `owner` NULL: nobody waits any more, the rest is not read. */
struct fetch {
    struct history history;
    void (*done)(struct fetch *fetch, int error);
    void *owner;
    /* The rest is its own. */
    struct reader *reader;
    struct page page;
    struct mail mail;
    struct str topic;
    char text[NAME_MAX_BYTES];
};
void history_fetch(struct fetch *fetch, struct reader *reader, struct str topic);
/* Cuts one event off `*records`: its SSE text, and its key (ptr NULL: none). False: that was all.
 */
bool history_next(struct str *records, struct str *text, struct str *key);

#endif

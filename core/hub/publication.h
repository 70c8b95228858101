/* publication: an event on its way into a topic. */
#ifndef HUB_PUBLICATION_H
#define HUB_PUBLICATION_H

#include "hub/hub.h"
#include "net/loop.h"
#include "store/store.h"

/* Who publishes keeps it, and what it borrows, until it is done. */
struct publication {
    struct str topic, text, key; /* `text`: SSE fields without an id, see topic_append */
    bool closes;      /* the topic ends behind the event, or at once if `text` is empty */
    bool only;        /* what the topic kept before it is trimmed, in the same step */
    uint64_t wait_ms; /* for subscribers with the policy block */
    /* On the reader's loop, unless publication_send returned a result itself: 0, what the
     * store failed with, or UV_ESHUTDOWN: the topic was closed meanwhile. */
    void (*done)(struct publication *publication, int error);
    void *owner;
    event_id id;      /* result: the event's id, or the end's if it closes the topic */
    uint32_t streams; /* result: how many streams were subscribed */
    /* The rest is the hub's. */
    struct reader *reader;
    struct topic *at;
    event_id event;   /* the event's id; 0: `text` is empty */
    struct list link; /* hub.waiting, hub.pending, or its reader's completed */
    struct timer deadline;
    struct stored_event stored;
    uint64_t sent;   /* when it began to wait, ms, monotonic */
    bool waiting;    /* in hub.waiting, until `deadline` */
    bool ends_piece; /* the last that the store was given at once */
    int error;
};

#define PUBLICATION_LATER 1
#define PUBLICATION_WOULD_WAIT 2
#define PUBLICATION_CLOSED 3

/* Appends the event, on behalf of `reader`'s worker. 0: it is in its topic, and every worker with
 * subscribers has been told. PUBLICATION_LATER: `done` will be called; _WOULD_WAIT: nothing was
 * done, since `done` is NULL, wait_ms 0, and the topic durable; _CLOSED: nor was it, for the topic
 * is closed. A name or size that is not allowed must have been refused before. */
int publication_send(struct publication *publication, struct reader *reader);

/* The id up to which all events of all topics can be read now; those to come have larger ones. */
event_id hub_position(void);

/* --- for core/hub and core/read, under the lock --- */

/* A position with the policy block has caught up, or is gone: who waited for it goes on. */
void publications_go_on(struct reader *self);
/* The reader's loop has ended: what waits is sent, awaited, and its publishers are told. Gives up
 * the lock meanwhile. */
void publications_finish(struct reader *reader);
/* Of a reader: publishers are to be told; the turn ends. */
void publications_on_mail(struct mail *mail);
void publications_on_turn_end(struct chore *chore);
/* The newest id up to which every event is visible, or failed: what is still to be committed lies
 * beyond. */
event_id publications_visible(void);

#endif

/* store_rig: a store in a folder that goes away, events that wait, and what became of them. */
#ifndef TESTS_STORE_RIG_H
#define TESTS_STORE_RIG_H

#include "store/store.h"

#include <pthread.h>

#define RIG_DONE_MAX 4096

struct store_rig {
    char folder[64];
    struct store *store;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int pending;                /* events and pages whose done is to come */
    size_t count;               /* of */
    uint64_t ids[RIG_DONE_MAX]; /* in the order in which done was called, */
    int errors[RIG_DONE_MAX];   /* and with what */
    bool held, reached;         /* the writer is to wait, and does */
    int holds;                  /* each is an event of a topic of its own */
    int logged[4];              /* lines by level */
};

/* Where the folders are made. */
extern const char *srig_place;
int store_rig_setup(void **state);
int store_rig_teardown(void **state);
void srig_open(struct store_rig *rig);
void srig_close(struct store_rig *rig);
void srig_reopen(struct store_rig *rig);
/* "folder/name" in a static place. */
const char *srig_path(struct store_rig *rig, const char *name);

/* Queues an event; its memory goes with its done. */
void srig_put(struct store_rig *rig, uint64_t id, const char *topic, const char *key,
              const char *text, struct retention keep);
/* srig_put with text "text ID" and nothing trimmed. */
void srig_add(struct store_rig *rig, uint64_t id, const char *topic);
/* Waits until all of it is done. */
void srig_wait(struct store_rig *rig);
/* The writer stands still: what is queued before srig_release becomes one group. */
void srig_hold(struct store_rig *rig);
void srig_release(struct store_rig *rig);
/* Reads a page, and waits for it. */
void srig_read(struct store_rig *rig, struct page *page);
/* The ids of all events of the topics (a string with one letter each), "1 2 3". */
const char *srig_ids(struct store_rig *rig, const char *letters, uint64_t after);

#endif

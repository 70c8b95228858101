/* own: what the files of the store share, and nobody else knows. */
#ifndef STORE_OWN_H
#define STORE_OWN_H

#include "store/store.h"
#include "store/db.h"
#include "store/folder.h"
#include "store/kv.h"
#include "store/topics.h"

#include <pthread.h>

enum op_kind { OP_APPEND, OP_TRIM, OP_RULES, OP_RUN, OP_PAGE, OP_KV };

struct topic_op { /* a trim; or the rules; or a run */
    struct store_op op;
    struct retention keep;
    struct buf rules;
    struct stored_run run;
    size_t name_len;
    char name[];
};

struct store_queue { /* a thread and what it is to do */
    pthread_t thread;
    pthread_cond_t wake;
    struct list ops;
    bool idle; /* it waits for `wake` */
};

struct store {
    struct folder folder;

    pthread_mutex_t lock; /* over the queues, kv_call->state, and `closing` */
    struct store_queue writer, reader;
    bool closing;

    /* The two connections. In memory there is one database and so one connection, which whoever
     * uses it locks, `shared`, for as long as a transaction takes. */
    struct store_db write_db, own_read_db;
    struct store_db *read_db;
    pthread_mutex_t shared;

    struct topics topics;
    struct buf rules;         /* the file's rules when it was opened, see stored_rule_next */
    struct buf runs;          /* struct stored_run: the file's runs when it was opened */
    struct histogram commits; /* the writer's, how long they took; any thread may read */
    struct list again;        /* the writer's: what it is to try again with its next group */
    bool failing;             /* the writer's last group failed: it was said */
    bool stopped;             /* a sync has failed; set by the writer, read by anybody */
    int64_t purge_next;       /* when the writer looks for expired pairs again, wall clock, ms */
};

static inline bool store_shares(const struct store *store) {
    return store->folder.path == NULL;
}

/* The writer's thread; `store` is the store. It returns when the store closes. */
void *writer_main(void *store);
/* What the writer does with one operation of a group: 0, or the error that undoes the group. */
int events_append(struct store *store, struct stored_event *event);
int events_trim(struct store *store, struct str topic, struct retention keep);
/* Forgets empty topics if there are too many of them. */
int events_cull(struct store *store);
int run_write(struct store *store, struct stored_run run);
int rules_write(struct store *store, const struct buf *rules);
int kv_write(struct store *store, struct kv_call *call);
/* Now and then deletes pairs whose time has come. */
int kv_purge(struct store *store);

/* What the reader does. A page that costs more than one may take at a time is filled in several
 * steps, others come in between; false: it is to be called again. */
bool page_fill(struct store *store, struct page *page);
void kv_read(struct store *store, struct kv_call *call);

/* Gives the call back to its loop, or frees it when it was abandoned. */
void kv_finish(struct store *store, struct kv_call *call);
static inline struct kv_call *kv_call_of(struct store_op *op) {
    return CONTAINER_OF(op, struct kv_call, op);
}

/* Queues, and wakes the thread if it sleeps. */
void store_queue_op(struct store *store, struct store_queue *queue, struct store_op *op, int kind);
/* Waits for work, and takes one or all of it. False: the store closes and nothing is left. */
bool store_take(struct store *store, struct store_queue *queue, struct list *into, bool all);

#endif

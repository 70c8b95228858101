/* writer: the thread that writes: the groups.
 *
 *     queue: e1 e2 kv e3 ...     the writer takes all of it:
 *
 *       BEGIN, e1, e2, kv, e3, COMMIT ---------> topics_commit, then done(0) for each, in order
 *                 \-- an error anywhere: ROLLBACK, topics_rollback, then done(error) for each
 *
 * A commit costs a sync of the disk, a thousand times what one event costs; what is queued during
 * it makes the next group, so the load itself decides how large groups are and nobody waits for a
 * timer. If one member is at fault all of its group are told so: which of them it was cannot always
 * be known (a full disk speaks at the commit), and publishers have to be ready for it anyway.
 *
 * A sync that fails is the end of writing until the file is reopened: kernels mark what they
 * could not write as written, so a second sync says that all is well, and is wrong. Checkpoints,
 * which sync too, are therefore made here, after the group was told, and not by SQLite, which keeps
 * their errors to itself. Closing then makes none either: the log is the only copy. What the disk
 * has of the group whose sync failed nobody knows; that is the one case where an event that failed
 * may be there after the restart.
 *
 * Events and calls of kv.c belong to their callers. What the members of a group are is written in
 * events.c and kv.c; here they are a list that succeeds or fails. */
#include "store/own.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

#include <stdlib.h>

static struct stored_event *event_of(struct store_op *op) {
    return CONTAINER_OF(op, struct stored_event, op);
}

static int write_op(struct store *store, struct store_op *op) {
    struct topic_op *about = CONTAINER_OF(op, struct topic_op, op);
    switch (op->kind) {
    case OP_APPEND:
        return events_append(store, event_of(op));
    case OP_TRIM:
        return events_trim(store, (struct str){about->name, about->name_len}, about->keep);
    case OP_RULES:
        return rules_write(store, &about->rules);
    case OP_RUN:
        return run_write(store, about->run);
    default:
        return kv_write(store, kv_call_of(op));
    }
}

static int write_all(struct store *store, struct list *group) {
    struct store_db *db = &store->write_db;
    int rc = db_run(db_use(db, DB_BEGIN_WRITE));
    for (struct list *node = group->next; rc == 0 && node != group; node = node->next)
        rc = write_op(store, CONTAINER_OF(node, struct store_op, link));
    if (rc == 0)
        rc = events_cull(store);
    if (rc == 0)
        rc = kv_purge(store);
    if (rc == 0)
        rc = fault("store_commit");
    if (rc == 0)
        rc = db_commit(db);
    return rc;
}

/* It is said once: nothing is tried any more. */
static void stop(struct store *store) {
    log_error("%s could not be synced to the disk (%s): whatever the disk says from now on may be "
              "wrong, so nothing durable is written until the restart; see what the kernel's log "
              "says of the disk, then restart weir",
              store->folder.file, db_reason(&store->write_db));
    __atomic_store_n(&store->stopped, true, __ATOMIC_RELEASE);
}

/* Once when it begins to fail and once when it is well again: a full disk must not fill the log.
 * Before the rollback, which would say why it succeeded. */
static void tell(struct store *store, int rc) {
    if (rc < 0 && db_sync_has_failed(&store->write_db))
        stop(store);
    else if (rc < 0 && !store->failing)
        log_error("%s cannot be written: %s (%s); what is stored meanwhile fails, each group is "
                  "tried afresh",
                  store->folder.file ? store->folder.file : "the store in memory", uv_strerror(rc),
                  db_reason(&store->write_db));
    else if (rc == 0 && store->failing)
        log_info("the store writes again");
    store->failing = rc < 0;
}

/* The transaction, from its begin to its end. 0, or why nothing of it was. */
static int transact(struct store *store, struct list *group) {
    struct store_db *db = &store->write_db;
    if (store_has_stopped(store))
        return UV_EIO;
    uint64_t begun = clock_mono_ms();
    int rc = write_all(store, group);
    histogram_add(&store->commits, clock_mono_ms() - begun);
    tell(store, rc);
    if (!sqlite3_get_autocommit(db->sql))
        db_run(db_use(db, DB_ROLLBACK));
    if (rc == 0)
        topics_commit(&store->topics);
    else
        topics_rollback(&store->topics);
    return rc;
}

static void end_op(struct store *store, struct store_op *op, int error) {
    if (op->kind == OP_APPEND) {
        event_of(op)->done(event_of(op), error);
    } else if (op->kind == OP_KV) {
        if (error < 0)
            kv_call_of(op)->error = error;
        kv_finish(store, kv_call_of(op));
    } else {
        buf_fini(&CONTAINER_OF(op, struct topic_op, op)->rules);
        free(CONTAINER_OF(op, struct topic_op, op));
    }
}

/* Of what is committed already; without room for it the log goes on growing. Where the disk has no
 * room for that, what is copied can be overwritten: who deletes needs no room beyond it. */
static void checkpoint(struct store *store, bool full) {
    if (!store_has_stopped(store) && db_checkpoint(&store->write_db, full) < 0 &&
        db_sync_has_failed(&store->write_db))
        stop(store);
}

/* What the store is told of itself is not given up with its group: it goes before the next one. */
static void keep_or_end(struct store *store, struct store_op *op, int error) {
    bool again = error < 0 && (op->kind == OP_RULES || op->kind == OP_RUN);
    if (again)
        list_push(&store->again, &op->link);
    else
        end_op(store, op, error);
}

static bool take_group(struct store *store, struct list *group) {
    list_splice(group, &store->again);
    return store_take(store, &store->writer, group, true);
}

static void end_all(struct store *store, struct list *group, int error) {
    struct list *node;
    while ((node = list_pop(group)) != NULL)
        keep_or_end(store, CONTAINER_OF(node, struct store_op, link), error);
}

void *writer_main(void *arg) {
    struct store *store = arg;
    struct list group;
    list_init(&group);
    list_init(&store->again);
    while (take_group(store, &group)) {
        if (store_shares(store))
            pthread_mutex_lock(&store->shared);
        int error = transact(store, &group);
        if (store_shares(store))
            pthread_mutex_unlock(&store->shared);
        end_all(store, &group, error);
        checkpoint(store, error == UV_ENOSPC);
    }
    end_all(store, &group, 0); /* it closes: they go */
    return NULL;
}

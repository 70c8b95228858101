/* store: what outlives the process: opening the file, the writer's thread, the groups.
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
 * Events, pages and calls of kv.c belong to their callers. The store knows neither what a text
 * means nor who listens. */
#include "store/store.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct topic_op { /* a trim; or the rules; or a run */
    struct store_op op;
    struct retention keep;
    struct buf rules;
    struct stored_run run;
    size_t name_len;
    char name[];
};

/* --- queues --- */

static void queue_ops(struct store *store, struct store_queue *queue, struct list *ops) {
    pthread_mutex_lock(&store->lock);
    list_splice(&queue->ops, ops);
    bool wake = queue->idle;
    queue->idle = false;
    pthread_mutex_unlock(&store->lock);
    if (wake)
        pthread_cond_signal(&queue->wake);
}

void store_queue_op(struct store *store, struct store_queue *queue, struct store_op *op, int kind) {
    struct list one;
    list_init(&one);
    list_push(&one, &op->link);
    op->kind = kind;
    queue_ops(store, queue, &one);
}

/* Waits for work, and takes one or all of it. False: the store closes and nothing is left. */
static bool take(struct store *store, struct store_queue *queue, struct list *into, bool all) {
    pthread_mutex_lock(&store->lock);
    while (list_empty(&queue->ops) && !store->closing) {
        queue->idle = true;
        pthread_cond_wait(&queue->wake, &store->lock);
    }
    bool any = !list_empty(&queue->ops);
    if (all)
        list_splice(into, &queue->ops);
    else if (any)
        list_push(into, list_pop(&queue->ops));
    pthread_mutex_unlock(&store->lock);
    return any;
}

void store_append(struct store *store, struct list *events) {
    for (struct list *at = events->next; at != events; at = at->next)
        CONTAINER_OF(at, struct store_op, link)->kind = OP_APPEND;
    queue_ops(store, &store->writer, events);
}

void store_trim(struct store *store, struct str topic, struct retention keep) {
    struct topic_op *op = mem_zalloc(sizeof *op + topic.len);
    op->keep = keep;
    op->name_len = topic.len;
    memcpy(op->name, topic.ptr, topic.len);
    store_queue_op(store, &store->writer, &op->op, OP_TRIM);
}

void store_note_run(struct store *store, struct stored_run run) {
    struct topic_op *op = mem_zalloc(sizeof *op);
    op->run = run;
    store_queue_op(store, &store->writer, &op->op, OP_RUN);
}

void store_set_rules(struct store *store, struct buf *rules) {
    struct topic_op *op = mem_zalloc(sizeof *op);
    op->rules = *rules;
    *rules = (struct buf){0};
    store_queue_op(store, &store->writer, &op->op, OP_RULES);
}

void store_read(struct store *store, struct page *page) {
    page->cancelled = false;
    store_queue_op(store, &store->reader, &page->op, OP_PAGE);
}

void store_page_cancel(struct store *store, struct page *page) {
    (void)store;
    __atomic_store_n(&page->cancelled, true, __ATOMIC_RELAXED);
}

/* --- the writer --- */

static struct stored_event *event_of(struct store_op *op) {
    return CONTAINER_OF(op, struct stored_event, op);
}

static struct kv_call *call_of(struct store_op *op) {
    return CONTAINER_OF(op, struct kv_call, op);
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
        return kv_write(store, call_of(op));
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
              store->path, db_reason(&store->write_db));
    __atomic_store_n(&store->stopped, true, __ATOMIC_RELEASE);
}

bool store_has_stopped(const struct store *store) {
    return __atomic_load_n(&store->stopped, __ATOMIC_ACQUIRE);
}

/* Once when it begins to fail and once when it is well again: a full disk must not fill the log.
 * Before the rollback, which would say why it succeeded. */
static void tell(struct store *store, int rc) {
    if (rc < 0 && db_sync_has_failed(&store->write_db))
        stop(store);
    else if (rc < 0 && !store->failing)
        log_error("%s cannot be written: %s (%s); what is stored meanwhile fails, each group is "
                  "tried afresh",
                  store->path ? store->path : "the store in memory", uv_strerror(rc),
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
    int rc = write_all(store, group);
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
            call_of(op)->error = error;
        kv_finish(store, call_of(op));
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
    return take(store, &store->writer, group, true);
}

static void end_all(struct store *store, struct list *group, int error) {
    struct list *node;
    while ((node = list_pop(group)) != NULL)
        keep_or_end(store, CONTAINER_OF(node, struct store_op, link), error);
}

static void *write_main(void *arg) {
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

/* --- the reader --- */

static void end_read(struct store *store, struct store_op *op) {
    if (op->kind == OP_PAGE)
        CONTAINER_OF(op, struct page, op)->done(CONTAINER_OF(op, struct page, op));
    else
        kv_finish(store, call_of(op));
}

static void read_op(struct store *store, struct store_op *op) {
    bool whole = true;
    if (store_shares(store))
        pthread_mutex_lock(&store->shared);
    if (op->kind == OP_PAGE)
        whole = page_fill(store, CONTAINER_OF(op, struct page, op));
    else
        kv_read(store, call_of(op));
    if (store_shares(store))
        pthread_mutex_unlock(&store->shared);
    if (whole)
        end_read(store, op);
    else
        store_queue_op(store, &store->reader, op, OP_PAGE); /* behind what waits */
}

static void *read_main(void *arg) {
    struct store *store = arg;
    struct list one;
    list_init(&one);
    while (take(store, &store->reader, &one, false))
        read_op(store, CONTAINER_OF(list_pop(&one), struct store_op, link));
    return NULL;
}

/* --- opening --- */

static char *join(const char *folder, const char *name) {
    struct buf path = {0};
    buf_printf(&path, "%s/%s", folder, name);
    buf_add_char(&path, '\0');
    return path.data;
}

static int refuse(char *why, size_t why_size, const char *path, const char *remedy) {
    snprintf(why, why_size, "%s: %s; %s", path, strerror(errno), remedy);
    return -1;
}

static int refuse_second(const struct store *store, char *why, size_t why_size) {
    snprintf(why, why_size,
             "%s is in use by another server; stop that one, or give this one a folder of its own",
             store->folder);
    return -1;
}

/* Of the folder itself, which nobody removes while the database is in it. Not every network file
 * system has locks of folders; there the lock file alone must do. */
static bool folder_is_taken(struct store *store) {
    store->folder_fd = open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return store->folder_fd >= 0 && flock(store->folder_fd, LOCK_EX | LOCK_NB) < 0 &&
           errno == EWOULDBLOCK;
}

/* The locks are the kernel's and go with the process, however it ends; the lock file stays. */
static int take_lock(struct store *store, char *why, size_t why_size) {
    if (folder_is_taken(store))
        return refuse_second(store, why, why_size);
    char *path = join(store->folder, "weir.lock");
    int rc = 0;
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock_fd < 0)
        rc = refuse(why, why_size, path, "see that this user may write there");
    else if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0)
        rc = refuse_second(store, why, why_size);
    free(path);
    return rc;
}

/* Makes the file before SQLite does, so that nobody else can read it whatever the umask. */
static int make_file(struct store *store, char *why, size_t why_size) {
    int fd = open(store->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return refuse(why, why_size, store->path, "see that this user may read and write it");
    close(fd);
    return 0;
}

/* The names of the file and its log, which are there when both connections are. Where folders
 * cannot be synced they need not be. */
static int sync_folder(struct store *store, char *why, size_t why_size) {
    int folder = open(store->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return 0;
    int rc = fault("store_sync_folder");
    if (rc == 0 && fsync(folder) < 0 && errno != EINVAL)
        rc = -errno;
    close(folder);
    if (rc == 0)
        return 0;
    errno = -rc;
    return refuse(why, why_size, store->folder,
                  "it cannot be synced to the disk; see what the kernel's log says of that");
}

static int open_files(struct store *store, char *why, size_t why_size) {
    if (mkdir(store->folder, 0700) < 0 && errno != EEXIST)
        return refuse(why, why_size, store->folder,
                      "make the folder above it, and see that this user may write there");
    if (take_lock(store, why, why_size) < 0 || make_file(store, why, why_size) < 0)
        return -1;
    if (db_open(&store->write_db, store->path, true, why, why_size) < 0)
        return -1;
    store->read_db = &store->own_read_db;
    if (db_open(store->read_db, store->path, false, why, why_size) < 0)
        return -1;
    return sync_folder(store, why, why_size);
}

/* A number of `meta`; 0 if it is not there. */
static int get_meta(struct store *store, struct str name, uint64_t *value) {
    sqlite3_stmt *stmt = db_use(&store->write_db, META_GET);
    db_bind_bytes(stmt, 1, name);
    int rc = db_step(stmt);
    *value = rc == 1 ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
    if (rc == 1)
        sqlite3_reset(stmt);
    return rc < 0 ? rc : 0;
}

static int load_runs(struct store *store) {
    int rc;
    sqlite3_stmt *stmt = db_use(&store->write_db, RUNS_ALL);
    while ((rc = db_step(stmt)) == 1) {
        struct stored_run run = {(uint64_t)sqlite3_column_int64(stmt, 0),
                                 (uint64_t)sqlite3_column_int64(stmt, 1)};
        buf_append(&store->runs, &run, sizeof run);
    }
    return rc;
}

static int load_rules(struct store *store) {
    int rc;
    sqlite3_stmt *stmt = db_use(&store->write_db, RULES_ALL);
    while ((rc = db_step(stmt)) == 1)
        stored_rule_add(&store->rules, db_column(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1));
    return rc;
}

static int load_rows(struct store *store) {
    struct topics *topics = &store->topics;
    int rc;
    sqlite3_stmt *stmt = db_use(&store->write_db, TOPICS_ALL);
    while ((rc = db_step(stmt)) == 1)
        topics_load(topics, sqlite3_column_int64(stmt, 0), db_column(stmt, 1),
                    (uint64_t)sqlite3_column_int64(stmt, 2),
                    (uint64_t)sqlite3_column_int64(stmt, 3),
                    (uint64_t)sqlite3_column_int64(stmt, 4));
    stmt = db_use(&store->write_db, META_ENDS);
    while (rc >= 0 && (rc = db_step(stmt)) == 1)
        topics_load_end(topics, db_column(stmt, 0), (uint64_t)sqlite3_column_int64(stmt, 1));
    if (rc == 0)
        rc = load_rules(store);
    return rc == 0 ? load_runs(store) : rc;
}

static int load_topics(struct store *store, char *why, size_t why_size) {
    struct topics *topics = &store->topics;
    int rc = get_meta(store, STR("last_id"), &topics->spent);
    if (rc == 0)
        rc = get_meta(store, STR("gone"), &topics->gone);
    topics->last_id = topics->spent;
    topics->now_gone = topics->gone;
    if (rc == 0)
        rc = load_rows(store);
    if (rc < 0)
        return db_refuse(&store->write_db, why, why_size);
    return 0;
}

static void init_queue(struct store_queue *queue) {
    list_init(&queue->ops);
    pthread_cond_init(&queue->wake, NULL);
}

static void start(struct store_queue *queue, void *(*run)(void *), struct store *store) {
    if (pthread_create(&queue->thread, NULL, run, store) != 0) {
        log_error("cannot start a thread for the store");
        abort();
    }
}

static void free_store(struct store *store) {
    bool keep_log = store_has_stopped(store);
    if (store->read_db == &store->own_read_db)
        db_close(store->read_db, keep_log);
    if (store->write_db.sql)
        db_close(&store->write_db, keep_log);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    if (store->folder_fd >= 0)
        close(store->folder_fd);
    topics_fini(&store->topics);
    buf_fini(&store->rules);
    buf_fini(&store->runs);
    pthread_cond_destroy(&store->writer.wake);
    pthread_cond_destroy(&store->reader.wake);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->shared);
    free(store->folder);
    free(store->path);
    free(store);
}

int store_open(const char *dir, struct store **out, char *why, size_t why_size) {
    struct store *store = mem_zalloc(sizeof *store);
    store->lock_fd = store->folder_fd = -1;
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->shared, NULL);
    init_queue(&store->writer);
    init_queue(&store->reader);
    topics_init(&store->topics);
    int rc;
    if (dir) {
        store->folder = mem_strdup(dir);
        store->path = join(dir, "weir.db");
        rc = open_files(store, why, why_size);
    } else {
        store->read_db = &store->write_db;
        rc = db_open(store->read_db, NULL, true, why, why_size);
    }
    if (rc == 0)
        rc = load_topics(store, why, why_size);
    if (rc < 0) {
        free_store(store);
        return UV_EIO;
    }
    start(&store->writer, write_main, store);
    start(&store->reader, read_main, store);
    *out = store;
    return 0;
}

void store_close(struct store *store) {
    pthread_mutex_lock(&store->lock);
    store->closing = true;
    pthread_mutex_unlock(&store->lock);
    pthread_cond_signal(&store->writer.wake);
    pthread_cond_signal(&store->reader.wake);
    pthread_join(store->writer.thread, NULL);
    pthread_join(store->reader.thread, NULL);
    free_store(store);
}

/* --- what is known at once --- */

const char *store_folder(const struct store *store) {
    return store->folder;
}

static struct stored_topic describe(const struct kept_topic *topic) {
    const struct topic_state *state = &topic->committed;
    return (struct stored_topic){topic->node.key, state->floor, state->oldest, state->last,
                                 state->end};
}

void store_topics(struct store *store, void (*each)(void *arg, const struct stored_topic *topic),
                  void *arg) {
    struct topics *topics = &store->topics;
    pthread_mutex_lock(&topics->lock);
    const struct kept_topic *topic = NULL;
    while ((topic = topics_next(topics, topic)) != NULL) {
        struct stored_topic described = describe(topic);
        each(arg, &described);
    }
    pthread_mutex_unlock(&topics->lock);
}

bool store_topic(struct store *store, struct str name, struct stored_topic *out) {
    pthread_mutex_lock(&store->topics.lock);
    const struct kept_topic *topic = topics_committed(&store->topics, name);
    if (topic) {
        *out = describe(topic);
        out->name = name;
    }
    pthread_mutex_unlock(&store->topics.lock);
    return topic != NULL;
}

uint64_t store_last_id(struct store *store) {
    pthread_mutex_lock(&store->topics.lock);
    uint64_t last = store->topics.last_id;
    pthread_mutex_unlock(&store->topics.lock);
    return last;
}

uint64_t store_gone(struct store *store) {
    pthread_mutex_lock(&store->topics.lock);
    uint64_t gone = store->topics.gone;
    pthread_mutex_unlock(&store->topics.lock);
    return gone;
}

/* --- the list of rules: an id, a length, a pattern, the next --- */

void stored_rule_add(struct buf *rules, struct str pattern, uint64_t since) {
    buf_append(rules, &since, sizeof since);
    buf_append(rules, &pattern.len, sizeof pattern.len);
    buf_add(rules, pattern);
}

bool stored_rule_next(struct str *rules, struct str *pattern, uint64_t *since) {
    if (rules->len == 0)
        return false;
    memcpy(since, rules->ptr, sizeof *since);
    memcpy(&pattern->len, rules->ptr + sizeof *since, sizeof pattern->len);
    size_t head = sizeof *since + sizeof pattern->len;
    pattern->ptr = rules->ptr + head;
    *rules = (struct str){pattern->ptr + pattern->len, rules->len - head - pattern->len};
    return true;
}

struct str store_runs(const struct store *store) {
    return buf_str(&store->runs);
}

struct str store_rules(const struct store *store) {
    return buf_str(&store->rules);
}

/* --- the process's store --- */

static pthread_mutex_t default_lock = PTHREAD_MUTEX_INITIALIZER;
static struct store *default_store;

bool store_default_is_open(void) {
    pthread_mutex_lock(&default_lock);
    bool open = default_store != NULL;
    pthread_mutex_unlock(&default_lock);
    return open;
}

static uint64_t read_stopped(size_t at) {
    (void)at;
    pthread_mutex_lock(&default_lock);
    bool stopped = default_store && store_has_stopped(default_store);
    pthread_mutex_unlock(&default_lock);
    return stopped;
}

const struct counter_row store_counter_rows[] = {
    {"store_stopped",
     "Whether the disk could not sync: nothing durable is written until a restart.", GAUGE,
     read_stopped, 0},
    {0},
};

struct store *store_default(void) {
    char why[STORE_WHY_BYTES];
    pthread_mutex_lock(&default_lock);
    if (default_store == NULL && store_open(NULL, &default_store, why, sizeof why) < 0) {
        log_error("%s", why);
        abort(); /* a database in memory needs nothing but memory */
    }
    struct store *store = default_store;
    pthread_mutex_unlock(&default_lock);
    return store;
}

void store_set_default(struct store *store) {
    pthread_mutex_lock(&default_lock);
    default_store = store;
    pthread_mutex_unlock(&default_lock);
}

void store_close_default(void) {
    if (default_store)
        store_close(default_store);
    default_store = NULL;
}

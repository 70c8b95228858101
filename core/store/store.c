/* store: what outlives the process: opening and closing it, the queues of its two threads, and what
 * is known of it without asking them.
 *
 *     queue --store_take--> writer (writer.c): all that is there, one group
 *     queue --store_take--> reader (below): one page, or one call of kv.c
 *
 * The writer's work is to make what it is given lasting, the reader's to find what was asked for;
 * neither waits for the other, since each has a connection of its own to the file. In memory there
 * is one database, which has one connection: there they take turns.
 *
 * What a server has to know at once, from any thread, is in memory: of topics what is committed
 * (topics.c), of rules and earlier runs what the file had when it was opened. The store knows
 * neither what a text means nor who listens. */
#include "store/store.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/own.h"

#include <stdlib.h>
#include <string.h>

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

bool store_take(struct store *store, struct store_queue *queue, struct list *into, bool all) {
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

/* --- the reader --- */

static void end_read(struct store *store, struct store_op *op) {
    if (op->kind == OP_PAGE)
        CONTAINER_OF(op, struct page, op)->done(CONTAINER_OF(op, struct page, op));
    else
        kv_finish(store, kv_call_of(op));
}

static void read_op(struct store *store, struct store_op *op) {
    bool whole = true;
    if (store_shares(store))
        pthread_mutex_lock(&store->shared);
    if (op->kind == OP_PAGE)
        whole = page_fill(store, CONTAINER_OF(op, struct page, op));
    else
        kv_read(store, kv_call_of(op));
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
    while (store_take(store, &store->reader, &one, false))
        read_op(store, CONTAINER_OF(list_pop(&one), struct store_op, link));
    return NULL;
}

/* --- opening --- */

static int open_files(struct store *store, const char *dir, char *why, size_t why_size) {
    if (folder_take(&store->folder, dir, why, why_size) < 0)
        return -1;
    if (db_open(&store->write_db, store->folder.file, true, why, why_size) < 0)
        return -1;
    store->read_db = &store->own_read_db;
    if (db_open(store->read_db, store->folder.file, false, why, why_size) < 0)
        return -1;
    return folder_sync(&store->folder, why, why_size);
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
    if (pthread_create(&queue->thread, NULL, run, store) != 0)
        log_fatal("cannot start a thread for the store");
}

static void free_store(struct store *store) {
    bool keep_log = store_has_stopped(store);
    if (store->read_db == &store->own_read_db)
        db_close(store->read_db, keep_log);
    if (store->write_db.sql)
        db_close(&store->write_db, keep_log);
    folder_leave(&store->folder);
    topics_fini(&store->topics);
    buf_fini(&store->rules);
    buf_fini(&store->runs);
    pthread_cond_destroy(&store->writer.wake);
    pthread_cond_destroy(&store->reader.wake);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->shared);
    free(store);
}

int store_open(const char *dir, struct store **out, char *why, size_t why_size) {
    struct store *store = mem_zalloc(sizeof *store);
    pthread_mutex_init(&store->lock, NULL);
    pthread_mutex_init(&store->shared, NULL);
    init_queue(&store->writer);
    init_queue(&store->reader);
    topics_init(&store->topics);
    int rc;
    if (dir) {
        rc = open_files(store, dir, why, why_size);
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
    start(&store->writer, writer_main, store);
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

bool store_has_stopped(const struct store *store) {
    return __atomic_load_n(&store->stopped, __ATOMIC_ACQUIRE);
}

const char *store_folder(const struct store *store) {
    return store->folder.path;
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

bool store_default_has_stopped(void) {
    pthread_mutex_lock(&default_lock);
    bool stopped = default_store && store_has_stopped(default_store);
    pthread_mutex_unlock(&default_lock);
    return stopped;
}

void store_commits(struct histogram *commits) {
    *commits = (struct histogram){0};
    pthread_mutex_lock(&default_lock);
    if (default_store)
        histogram_merge(commits, &default_store->commits);
    pthread_mutex_unlock(&default_lock);
}

static uint64_t read_stopped(size_t at) {
    (void)at;
    return store_default_has_stopped();
}

const struct counter_row store_counter_rows[] = {
    {"store_stopped",
     "Whether the disk could not sync: nothing durable is written until a restart.", GAUGE,
     read_stopped, 0, NULL, NULL},
    {0},
};

struct store *store_default(void) {
    char why[STORE_WHY_BYTES];
    pthread_mutex_lock(&default_lock);
    if (default_store == NULL && store_open(NULL, &default_store, why, sizeof why) < 0) {
        log_fatal("%s", why); /* a database in memory needs nothing but memory */
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

/* events: what the writer does with the events of topics: append, trim, forget.
 *
 * Appending to a topic that is full would cost a deletion for each event. So trimming has two
 * steps. The *floor* moves at once and by exactly what the retention asks; readers begin above it.
 * What lies below it is *hidden*, and deleted when enough has gathered. Until then the floor is in
 * the file with the newest event:
 *
 *       deleted    |   hidden   |        kept                 |  appended
 *     -------------+------------+-----------------------------+----------> id
 *         floor of the file   floor                         last
 *
 * A topic of which nothing is left stays, as its floor: that is how it tells, born again, what
 * went. Only when there are very many of those are the oldest forgotten; the largest of their ids
 * is from then on the floor of every topic that is made. Ids and lengths of the oldest kept events
 * are read ahead, some at a time, so that moving the floor is mostly arithmetic. How much a topic
 * holds is counted when it is first written to, from the records' heads alone.
 *
 * All of it runs on the writer's thread within a transaction; an error undoes the whole group, the
 * state of the topics included (topics.c). */
#include "store/own.h"

#include "base/fault.h"
#include "base/mem.h"

#define HIDDEN_LEAST 16 /* events, before they are deleted: an eighth of what is kept, */
#define HIDDEN_MOST 1024
#define EMPTY_TOPICS 4096        /* are remembered; up to twice as many before some are forgotten */
#define HIDDEN_BYTES (64u << 10) /* or an eighth of the bytes, at least this */

static sqlite3_stmt *use_for(struct store *store, enum statement which,
                             const struct kept_topic *topic) {
    sqlite3_stmt *stmt = db_use(&store->write_db, which);
    sqlite3_bind_int64(stmt, 1, topic->number);
    return stmt;
}

/* --- trimming --- */

/* Counts what is above the floor; what is below it in the file still counts as hidden, whatever its
 * number. */
static int count(struct store *store, struct kept_topic *topic) {
    sqlite3_stmt *stmt = use_for(store, EVENTS_COUNT, topic);
    sqlite3_bind_int64(stmt, 2, (int64_t)topic->now.floor);
    int rc = db_step(stmt);
    if (rc < 0)
        return rc;
    topic->now.count = (uint64_t)sqlite3_column_int64(stmt, 0);
    topic->now.bytes = (uint64_t)sqlite3_column_int64(stmt, 1);
    topic->now.counted = true;
    sqlite3_reset(stmt);
    return 0;
}

static int read_ahead(struct store *store, struct kept_topic *topic) {
    if (topic->ahead == NULL)
        topic->ahead = mem_zalloc(sizeof *topic->ahead);
    struct topic_ahead *ahead = topic->ahead;
    ahead->at = ahead->count = 0;
    sqlite3_stmt *stmt = use_for(store, EVENTS_OLDEST, topic);
    sqlite3_bind_int64(stmt, 2, (int64_t)topic->now.floor);
    sqlite3_bind_int64(stmt, 3, TOPIC_AHEAD);
    int rc;
    while ((rc = db_step(stmt)) == 1) {
        ahead->id[ahead->count] = (uint64_t)sqlite3_column_int64(stmt, 0);
        ahead->len[ahead->count++] = (uint64_t)sqlite3_column_int64(stmt, 1);
    }
    return rc;
}

/* Whether the oldest event is one too many; `*oldest` is its place ahead. 1, 0, or an error. */
static int exceeds(struct store *store, struct kept_topic *topic, const struct retention *keep) {
    const struct topic_state *now = &topic->now;
    bool many = now->count > keep->count || (now->bytes > keep->bytes && now->count > 1);
    if (now->count == 0 || (!many && keep->after <= now->floor))
        return 0;
    if (topic->ahead == NULL || topic->ahead->at == topic->ahead->count) {
        int rc = read_ahead(store, topic);
        if (rc < 0)
            return rc;
        if (topic->ahead->count == 0)
            return 0;
    }
    return many || topic->ahead->id[topic->ahead->at] <= keep->after;
}

static int find_oldest(struct store *store, struct kept_topic *topic) {
    struct topic_state *now = &topic->now;
    if (now->oldest > 0 || now->count == 0)
        return 0;
    if (topic->ahead == NULL || topic->ahead->at == topic->ahead->count) {
        int rc = read_ahead(store, topic);
        if (rc < 0 || topic->ahead->count == 0)
            return rc;
    }
    now->oldest = topic->ahead->id[topic->ahead->at];
    return 0;
}

static int raise_floor(struct store *store, struct kept_topic *topic,
                       const struct retention *keep) {
    int rc;
    while ((rc = exceeds(store, topic, keep)) == 1) {
        struct topic_state *now = &topic->now;
        uint64_t len = topic->ahead->len[topic->ahead->at];
        now->floor = topic->ahead->id[topic->ahead->at++];
        now->count--;
        now->bytes -= len;
        now->hidden++;
        now->hidden_bytes += len;
        now->oldest = 0;
    }
    return rc < 0 ? rc : find_oldest(store, topic);
}

static bool is_worth_deleting(const struct topic_state *now, const struct retention *keep) {
    uint64_t most = keep->count / 8, most_bytes = keep->bytes / 8;
    if (most < HIDDEN_LEAST)
        most = HIDDEN_LEAST;
    if (most > HIDDEN_MOST)
        most = HIDDEN_MOST;
    if (most_bytes < HIDDEN_BYTES)
        most_bytes = HIDDEN_BYTES;
    return now->hidden >= most || now->hidden_bytes >= most_bytes;
}

static int delete_hidden(struct store *store, struct kept_topic *topic) {
    sqlite3_stmt *stmt = use_for(store, EVENTS_DELETE, topic);
    sqlite3_bind_int64(stmt, 2, (int64_t)topic->now.floor);
    int rc = db_run(stmt);
    if (rc < 0)
        return rc;
    stmt = use_for(store, TOPICS_SET_FLOOR, topic);
    sqlite3_bind_int64(stmt, 2, (int64_t)topic->now.floor);
    topic->now.hidden = topic->now.hidden_bytes = 0;
    return db_run(stmt);
}

/* --- appending --- */

static int add_topic(struct store *store, struct str name, struct kept_topic **out) {
    struct kept_topic *topic = *out = topics_add(&store->topics, name);
    topic->now.counted = true; /* as empty */
    topic->now.floor = store->topics.now_gone;
    sqlite3_stmt *stmt = use_for(store, TOPICS_INSERT, topic);
    db_bind_bytes(stmt, 2, name);
    sqlite3_bind_int64(stmt, 3, (int64_t)topic->now.floor);
    return db_run(stmt);
}

/* Counts it before it is there, so that it is written with the floor that it brings. */
static int make_room(struct store *store, struct kept_topic *topic,
                     const struct stored_event *event) {
    if (event->text.ptr) {
        topic->now.last = event->id;
        topic->now.count++;
        topic->now.bytes += event->text.len;
    }
    return raise_floor(store, topic, &event->keep);
}

static int insert(struct store *store, struct kept_topic *topic, const struct stored_event *event) {
    sqlite3_stmt *stmt = use_for(store, EVENTS_INSERT, topic);
    sqlite3_bind_int64(stmt, 2, (int64_t)event->id);
    if (event->key.len)
        db_bind_bytes(stmt, 3, event->key);
    else
        sqlite3_bind_null(stmt, 3);
    db_bind_bytes(stmt, 4, event->text);
    sqlite3_bind_int64(stmt, 5, (int64_t)topic->now.floor);
    if (topic->now.oldest == 0)
        topic->now.oldest = event->id;
    return db_run(stmt);
}

static int close_topic(struct store *store, struct kept_topic *topic, uint64_t end) {
    sqlite3_stmt *stmt = db_use(&store->write_db, META_SET_END);
    db_bind_bytes(stmt, 1, topic->node.key);
    sqlite3_bind_int64(stmt, 2, (int64_t)end);
    topic->now.end = topic->now.last = end;
    return db_run(stmt);
}

int events_append(struct store *store, struct stored_event *event) {
    struct kept_topic *topic = topics_find(&store->topics, event->topic);
    int rc = fault("store_write");
    if (rc == 0 && topic == NULL)
        rc = add_topic(store, event->topic, &topic);
    if (rc < 0)
        return rc;
    topics_touch(&store->topics, topic);
    if (!topic->now.counted)
        rc = count(store, topic);
    if (rc == 0)
        rc = make_room(store, topic, event);
    if (rc == 0 && event->text.ptr)
        rc = insert(store, topic, event);
    if (rc == 0 && event->end > 0)
        rc = close_topic(store, topic, event->end);
    bool hides = event->text.ptr == NULL && topic->now.hidden > 0; /* no row says the floor */
    if (rc == 0 && (hides || is_worth_deleting(&topic->now, &event->keep)))
        rc = delete_hidden(store, topic);
    return rc;
}

/* --- what comes without an event --- */

static int set_meta(struct store *store, struct str name, uint64_t value) {
    sqlite3_stmt *stmt = db_use(&store->write_db, META_SET);
    db_bind_bytes(stmt, 1, name);
    sqlite3_bind_int64(stmt, 2, (int64_t)value);
    return db_run(stmt);
}

static int spend(struct store *store, uint64_t id) {
    if (store->topics.spent < id)
        store->topics.spent = id;
    return set_meta(store, STR("last_id"), store->topics.spent);
}

/* That the topic is closed is forgotten: the end is as old as an event may be. */
static int delete_end(struct store *store, struct kept_topic *topic) {
    uint64_t end = topic->now.end;
    sqlite3_stmt *stmt = db_use(&store->write_db, META_DELETE_END);
    db_bind_bytes(stmt, 1, topic->node.key);
    topic->now.end = 0;
    topic->now.last = topic->now.floor;
    int rc = db_run(stmt);
    return rc < 0 ? rc : spend(store, end);
}

int events_trim(struct store *store, struct str name, struct retention keep) {
    struct kept_topic *topic = topics_find(&store->topics, name);
    if (topic == NULL)
        return 0;
    int rc = fault("store_write");
    topics_touch(&store->topics, topic);
    if (rc == 0 && !topic->now.counted)
        rc = count(store, topic);
    if (rc == 0)
        rc = raise_floor(store, topic, &keep);
    if (rc == 0 && topic->now.hidden > 0)
        rc = delete_hidden(store, topic);
    if (rc == 0 && topic->now.end > 0 && topic->now.end <= keep.after)
        rc = delete_end(store, topic);
    return rc;
}

/* One that is empty: some of what is hidden may still be in the file. */
static int forget(struct store *store, struct kept_topic *topic) {
    int rc = fault("store_write");
    topics_touch(&store->topics, topic);
    topic->gone = true;
    if (store->topics.now_gone < topic->now.last)
        store->topics.now_gone = topic->now.last;
    sqlite3_stmt *stmt = use_for(store, EVENTS_DELETE, topic);
    sqlite3_bind_int64(stmt, 2, INT64_MAX);
    if (rc == 0)
        rc = db_run(stmt);
    if (rc == 0)
        rc = db_run(use_for(store, TOPICS_DELETE, topic));
    if (rc == 0)
        rc = set_meta(store, STR("gone"), store->topics.now_gone);
    return rc < 0 ? rc : spend(store, topic->now.last);
}

int events_cull(struct store *store) {
    struct topics *topics = &store->topics;
    if (topics->empty <= 2 * EMPTY_TOPICS)
        return 0;
    uint64_t limit = topics_oldest_empty(topics, EMPTY_TOPICS);
    int rc = 0;
    const struct kept_topic *at = NULL;
    while (rc == 0 && (at = topics_next(topics, at)) != NULL)
        if (topic_is_spent(&at->now) && at->now.last <= limit)
            rc = forget(store, topics_find(topics, at->node.key));
    return rc;
}

int run_write(struct store *store, struct stored_run run) {
    sqlite3_stmt *stmt = db_use(&store->write_db, RUNS_SET);
    sqlite3_bind_int64(stmt, 1, (int64_t)run.start);
    sqlite3_bind_int64(stmt, 2, (int64_t)run.last);
    int rc = db_run(stmt);
    stmt = db_use(&store->write_db, RUNS_TRIM);
    sqlite3_bind_int64(stmt, 1, RUNS_KEPT);
    if (rc == 0)
        rc = db_run(stmt);
    return rc < 0 ? rc : spend(store, run.last);
}

int rules_write(struct store *store, const struct buf *rules) {
    struct str rest = buf_str(rules), pattern;
    uint64_t since;
    int rc = db_run(db_use(&store->write_db, RULES_CLEAR));
    while (rc == 0 && stored_rule_next(&rest, &pattern, &since)) {
        sqlite3_stmt *stmt = db_use(&store->write_db, RULES_INSERT);
        db_bind_bytes(stmt, 1, pattern);
        sqlite3_bind_int64(stmt, 2, (int64_t)since);
        rc = db_run(stmt);
    }
    return rc;
}

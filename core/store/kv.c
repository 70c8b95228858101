/* kv: the pairs of weir.store.
 *
 *     kv_new, kv_submit --> queued --thread--> worked on --> posted to the loop --> done, kv_free
 *                              \------------------\---------------\--kv_abandon--> freed, by the
 *                                                                   last who has it in hand
 *
 * Writes go through the store's groups, so that an answer means that the pair is on the disk; reads
 * go to the reader. A compare-and-set compares bytes: whoever computed a new value from an old one
 * may write it if the old one stands there, even if it has come back.
 *
 * A pair whose time has come is not seen from that moment on, and deleted some time later, with a
 * group. A call belongs to its loop's thread, but for the time between kv_submit and `done`. */
#include "store/kv.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "store/own.h"

#include <stdlib.h>
#include <string.h>

#define PURGE_MS 1000 /* at most so often, */
#define PURGE_PAIRS 256

enum { CALL_OUT, CALL_ABANDONED, CALL_POSTED };

static int64_t now_ms(void) {
    return clock_wall_ms();
}

/* --- life --- */

static void run(struct mail *mail) {
    struct kv_call *call = CONTAINER_OF(mail, struct kv_call, mail);
    call->done(call);
}

struct kv_call *kv_new(struct loop *loop, enum kv_kind kind, void (*done)(struct kv_call *call),
                       void *arg) {
    struct kv_call *call = mem_zalloc(sizeof *call);
    call->loop = loop;
    call->kind = kind;
    call->done = done;
    call->arg = arg;
    call->mail.run = run;
    list_init(&call->op.link);
    return call;
}

void kv_free(struct kv_call *call) {
    buf_fini(&call->name);
    buf_fini(&call->key);
    buf_fini(&call->value);
    buf_fini(&call->expected);
    buf_fini(&call->from);
    buf_fini(&call->bytes);
    free(call->pairs);
    free(call);
}

void kv_submit(struct store *store, struct kv_call *call) {
    bool reads = call->kind == KV_GET || call->kind == KV_LIST;
    store_queue_op(store, reads ? &store->reader : &store->writer, &call->op, OP_KV);
}

void kv_finish(struct store *store, struct kv_call *call) {
    pthread_mutex_lock(&store->lock);
    bool wanted = call->state == CALL_OUT;
    if (wanted) {
        call->state = CALL_POSTED;
        loop_post(call->loop, &call->mail); /* under the lock: after kv_abandon the loop may go */
    }
    pthread_mutex_unlock(&store->lock);
    if (!wanted)
        kv_free(call);
}

void kv_abandon(struct store *store, struct kv_call *call) {
    pthread_mutex_lock(&store->lock);
    bool posted = call->state == CALL_POSTED;
    call->state = CALL_ABANDONED;
    pthread_mutex_unlock(&store->lock);
    if (posted) {
        loop_retract(call->loop, &call->mail);
        kv_free(call);
    }
}

/* --- reading --- */

static sqlite3_stmt *use_for(struct store_db *db, enum statement which,
                             const struct kv_call *call) {
    sqlite3_stmt *stmt = db_use(db, which);
    db_bind_bytes(stmt, 1, buf_str(&call->name));
    if (which != KV_STMT_LIST)
        db_bind_bytes(stmt, 2, buf_str(&call->key));
    return stmt;
}

/* Sets `found` and `bytes`. */
static int get(struct store_db *db, struct kv_call *call) {
    sqlite3_stmt *stmt = use_for(db, KV_STMT_GET, call);
    sqlite3_bind_int64(stmt, 3, now_ms());
    int rc = db_step(stmt);
    call->found = rc == 1;
    call->bytes.len = 0;
    if (call->found) {
        buf_add(&call->bytes, db_column(stmt, 0));
        sqlite3_reset(stmt);
    }
    return rc < 0 ? rc : 0;
}

static void add_pair(struct kv_call *call, struct str key, struct str value) {
    if (call->npairs == call->pairs_cap) {
        call->pairs_cap = call->pairs_cap ? call->pairs_cap * 2 : 16;
        call->pairs = mem_resize(call->pairs, call->pairs_cap * sizeof *call->pairs);
    }
    call->pairs[call->npairs++] = (struct kv_pair){call->bytes.len, key.len, value.len};
    buf_add(&call->bytes, key);
    buf_add(&call->bytes, value);
}

/* Keys in order. A prefix is the least of its keys; the next key after another is that and a NUL.
 */
static int list(struct store_db *db, struct kv_call *call) {
    sqlite3_stmt *stmt = use_for(db, KV_STMT_LIST, call);
    struct str prefix = buf_str(&call->key);
    if (call->from.len > 0)
        buf_add_char(&call->from, '\0');
    db_bind_bytes(stmt, 2, call->from.len > 0 ? buf_str(&call->from) : prefix);
    sqlite3_bind_int64(stmt, 3, now_ms());
    int rc;
    while ((rc = db_step(stmt)) == 1) {
        struct str key = db_column(stmt, 0), value = db_column(stmt, 1);
        if (!str_starts(key, prefix))
            break;
        size_t size = call->bytes.len + key.len + value.len;
        call->more =
            call->npairs == call->pairs_max || (call->npairs > 0 && size > call->bytes_max);
        if (call->more)
            break;
        add_pair(call, key, value);
    }
    sqlite3_reset(stmt);
    return rc < 0 ? rc : 0;
}

void kv_read(struct store *store, struct kv_call *call) {
    int rc = fault("store_read");
    if (rc == 0)
        rc = call->kind == KV_GET ? get(store->read_db, call) : list(store->read_db, call);
    call->error = rc;
}

/* --- writing --- */

static int set(struct store_db *db, struct kv_call *call) {
    sqlite3_stmt *stmt = use_for(db, KV_STMT_SET, call);
    db_bind_bytes(stmt, 3, buf_str(&call->value));
    if (call->ttl_ms)
        sqlite3_bind_int64(stmt, 4, now_ms() + (int64_t)call->ttl_ms);
    else
        sqlite3_bind_null(stmt, 4);
    return db_run(stmt);
}

static int delete_pair(struct store_db *db, struct kv_call *call) {
    int rc = get(db, call);
    return rc < 0 ? rc : db_run(use_for(db, KV_STMT_DELETE, call));
}

static int replace(struct store_db *db, struct kv_call *call) {
    sqlite3_stmt *stmt = use_for(db, KV_STMT_REPLACE, call);
    db_bind_bytes(stmt, 3, buf_str(&call->value));
    return db_run(stmt);
}

static int swap(struct store_db *db, struct kv_call *call) {
    int rc = get(db, call);
    if (rc < 0)
        return rc;
    bool same = call->found == call->has_expected &&
                (!call->found || str_eq(buf_str(&call->bytes), buf_str(&call->expected)));
    if (!same)
        return 0;
    call->swapped = true;
    if (!call->has_value)
        return db_run(use_for(db, KV_STMT_DELETE, call));
    return call->found ? replace(db, call) : set(db, call);
}

int kv_write(struct store *store, struct kv_call *call) {
    struct store_db *db = &store->write_db;
    int rc = fault("store_write");
    if (rc < 0)
        return rc;
    switch (call->kind) {
    case KV_SET:
        return set(db, call);
    case KV_DELETE:
        return delete_pair(db, call);
    case KV_CLEAR:
        return db_run(db_use(db, KV_STMT_CLEAR));
    default:
        return swap(db, call);
    }
}

int kv_purge(struct store *store) {
    int64_t now = now_ms();
    if (now < store->purge_next && store->purge_next - now <= PURGE_MS)
        return 0;
    store->purge_next = now + PURGE_MS;
    sqlite3_stmt *stmt = db_use(&store->write_db, KV_STMT_PURGE);
    sqlite3_bind_int64(stmt, 1, now);
    sqlite3_bind_int64(stmt, 2, PURGE_PAIRS);
    return db_run(stmt);
}

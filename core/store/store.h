/* store: what outlives the process: the events of durable topics, and the pairs of weir.store
 * (kv.h). A store is one SQLite file, or a database in memory that goes with it.
 *
 *     hub, under its lock --store_append--> queue --writer: BEGIN .. COMMIT--> done(event, 0)
 *     a stream that resumes --store_read--> queue --reader: one page of history--> done(page)
 *
 * Two threads belong to a store. The writer takes all that is queued and puts it into one
 * transaction (WAL, synchronous=FULL: a commit that returned is on the disk); while the disk works
 * the next group gathers. The reader fills one page at a time and never waits for the writer. Both
 * call `done` with no lock of the store held, so `done` may take the hub's lock, and the hub may
 * call every function here while it holds that lock; only open and close it must not.
 *
 * Who owns what: an event, a page, belongs to the caller, who must keep it and all it points to in
 * place until `done` is called; `done` may free it. Every event and every page gets its `done`
 * exactly once, store_close included. Errors are libuv's codes: UV_ENOSPC, UV_EIO, UV_ECANCELED.
 *
 * Of a topic the store keeps its events and its *floor*: the largest id that was trimmed from it, 0
 * when none was. A position below the floor has lost something. The floor stays when all events
 * have gone, so that a topic that begins again tells of it. Of the many that have gone only so many
 * are remembered: what the others lost is no later than store_gone. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/buf.h"
#include "base/histogram.h"
#include "base/list.h"
#include "base/str.h"
#include "store/keys.h"

#include <stdbool.h>
#include <stdint.h>

struct store;

#define STORE_WHY_BYTES 512 /* room for any reason of store_open */

/* ---- life -------------------------------------------------------------------------------------*/

/* Opens `dir`/weir.db, making the folder (0700, not the folders above it) and the file. `dir` NULL:
 * a store in memory. Nobody else may have it open: a lock on `dir`/weir.lock says so. 0, or an
 * error with `why` filled: what, where and the remedy, one line. A file that is not a store of this
 * version is left as it is. */
int store_open(const char *dir, struct store **out, char *why, size_t why_size);
/* Commits what is queued, tells everybody, joins both threads, frees. Nothing may be called any
 * more, nor meanwhile. */
void store_close(struct store *store);
/* The folder that it was opened in; NULL: in memory. */
const char *store_folder(const struct store *store);

/* Whether a sync has failed: nothing is written any more until the file is reopened, whatever is
 * given to it fails with UV_EIO. What is there can be read. From any thread. */
bool store_has_stopped(const struct store *store);

/* The process's store: the one that was given to store_set_default, or else one in memory, made by
 * the first who asks. From any thread. */
struct store *store_default(void);
/* Whether somebody has needed it yet. */
bool store_default_is_open(void);
/* store_has_stopped of it. */
bool store_default_has_stopped(void);
extern const struct counter_row store_counter_rows[]; /* of it */
/* How long its transactions took, failed ones too. */
void store_commits(struct histogram *commits);
/* For the command line, before any other thread exists. Takes `store`. */
void store_set_default(struct store *store);
/* For the command line, when the other threads are gone: closes the default store if there is one.
 */
void store_close_default(void);

/* ---- events -----------------------------------------------------------------------------------*/

/* What a topic keeps: at most `count` events whose texts have at most `bytes` in all, and none with
 * an id up to `after` (too old). The newest event is kept whatever its length. */
struct retention {
    uint64_t count;
    uint64_t bytes;
    uint64_t after;
};
#define RETENTION_ALL ((struct retention){UINT64_MAX, UINT64_MAX, 0})

struct store_op { /* the store's own: a place in one of its queues */
    struct list link;
    int kind;
};

struct stored_event {
    struct store_op op;
    uint64_t id; /* below 2^63, larger than every id before it */
    struct str topic;
    struct str key;        /* may be empty */
    struct str text;       /* as it is to be sent, without its id line; ptr NULL: just the end */
    uint64_t end;          /* the topic is closed behind it, with this id; 0: it goes on */
    struct retention keep; /* of the topic, from here on */
    /* On the writer's thread, in order of ids. 0: it is on the disk. Else nothing of its group is:
     * the group was rolled back, each of it is told, and the next group is tried afresh. */
    void (*done)(struct stored_event *event, int error);
};

/* Queues events, by their `op.link`, which are committed together; the list is empty afterwards.
 * From any thread, but in order of ids: the caller's lock sees to it. */
void store_append(struct store *store, struct list *events);
/* Queues a new retention for a topic: its rule has changed, or time has passed; `topic` is copied.
 * For one the store does not know it does nothing. A retention is not in the file: after a restart
 * it is to be given again, with the next event or with this. */
void store_trim(struct store *store, struct str topic, struct retention keep);
/* A server that has had the file: its ids lie between. */
struct stored_run {
    uint64_t start, last;
};
/* Queues what is known of one, by its start. Its ids count as spent (store_last_id). */
void store_note_run(struct store *store, struct stored_run run);
/* Those that were noted when the store was opened, in order: an array. The file keeps the newest
 * RUNS_KEPT. */
#define RUNS_KEPT 1000
struct str store_runs(const struct store *store);

struct stored_topic {
    struct str name;
    uint64_t floor;
    uint64_t oldest;  /* of its oldest event that is kept; 0: none is left */
    uint64_t last_id; /* of its newest event that is on the disk, or its end; the floor when none is
                         left */
    uint64_t end;     /* it is closed, with this id; 0: it is not */
};

/* Calls `each` for every topic the store knows, in no order. `each` must not call the store. */
void store_topics(struct store *store, void (*each)(void *arg, const struct stored_topic *topic),
                  void *arg);
/* One topic; false when it is not known. `out->name` is `topic` itself. */
bool store_topic(struct store *store, struct str topic, struct stored_topic *out);
/* The largest id that is or ever was in the file, trimmed or forgotten since or not, or was spent.
 * Ids given out after a restart must be larger. */
uint64_t store_last_id(struct store *store);
/* What topics that the store does not know may have lost: events up to this id. */
uint64_t store_gone(struct store *store);

/* Which names are durable is the caller's business, and so what these say; the store keeps a list
 * of patterns for it, each with an id. */
void stored_rule_add(struct buf *rules, struct str pattern, uint64_t since);
/* Cuts one off `*rules`; false: no more. */
bool stored_rule_next(struct str *rules, struct str *pattern, uint64_t *since);
/* Queues a new list in place of the old one; takes `rules`, which is empty afterwards. */
void store_set_rules(struct store *store, struct buf *rules);
/* The list when the store was opened. */
struct str store_rules(const struct store *store);

/* ---- history ----------------------------------------------------------------------------------*/

struct page_entry {
    uint64_t id;
    uint32_t topic;   /* index in page->topics */
    uint32_t key_len; /* the key, then the text, stand in page->bytes from `at` on */
    uint32_t text_len;
    size_t at;
};

/* Of a topic only the newest events are wanted, `count` of those up to `upto`; what comes beyond is
 * given as well. At least 1. */
struct page_newest {
    uint64_t count;
    uint64_t upto;
};

/* A piece of history: the events of some topics with after < id <= upto, merged in order of ids, as
 * many as fit in `bytes_max` (keys and texts), at least one when there is any.
 *
 * A page begins zeroed, with the first group of fields set. It may be read again, after `after` was
 * moved to `reached`: the buffers are used again. page_fini gives them back. */
struct page {
    const struct str *topics;
    size_t ntopics; /* a topic twice gives its events twice; one that is not known has none */
    const struct page_newest *newest; /* one for each topic; NULL: all are wanted */
    uint64_t after;
    uint64_t upto; /* UINT64_MAX is allowed */
    size_t bytes_max;
    /* Of events of a topic with one key only the newest of those up to here is wanted; 0: all are.
     * The same for all pages. */
    uint64_t conflate;
    void (*done)(struct page *page); /* on the reader's thread */
    void *arg;                       /* the caller's */

    /* The result, for `done` and afterwards. */
    int error;        /* 0; UV_EIO; UV_ECANCELED. Other than 0: there are no entries */
    bool more;        /* there may be events up to `upto` with larger ids than */
    uint64_t reached; /* this, that of the last entry or of one behind it that is not wanted */
    size_t count;
    struct page_entry *entries;
    struct buf bytes;
    /* The largest id above `after` that was trimmed from any of the topics; 0: none was, nothing is
     * missing between `after` and the last entry. And of each topic, `ntopics` of them. Who wants
     * the newest of a topic misses nothing while so many are there. */
    uint64_t floor;
    uint64_t *floors;

    /* The store's own. */
    struct store_op op;
    size_t entries_cap;
    struct keys keys; /* of who conflates, from page to page */
    bool cancelled;
};

/* Rows of the file that are looked at for one page, or before one who conflates makes way for
 * others. For tests. */
extern size_t page_rows_most;

/* Queues a page. From any thread. */
void store_read(struct store *store, struct page *page);
/* Its reader has left. Does not wait: `done` is still called, exactly once, with UV_ECANCELED
 * unless the page was complete already. From any thread, while the page is still the store's: the
 * caller must know that `done` has not freed it, so free it where cancelling happens: on the loop
 * that `done` posts to, or under the lock that `done` takes. */
void store_page_cancel(struct store *store, struct page *page);
/* Frees the result. */
void page_fini(struct page *page);

static inline struct str page_key(const struct page *page, size_t i) {
    const struct page_entry *entry = &page->entries[i];
    return (struct str){page->bytes.data + entry->at, entry->key_len};
}

static inline struct str page_text(const struct page *page, size_t i) {
    const struct page_entry *entry = &page->entries[i];
    return (struct str){page->bytes.data + entry->at + entry->key_len, entry->text_len};
}

#endif

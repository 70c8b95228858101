/* read: one page of history: events of some topics, merged in order of ids.
 *
 * One statement walks one topic from a position on; many topics are merged with that same statement
 * over and over. Each topic that has news is known by the id of its next event; a heap gives the
 * smallest, and the walk along that topic goes on until it passes the next smallest:
 *
 *     A: 3 4 9      heap: A3 B5 C8     walk A: 3 4, stop before 9    -> heap: B5 C8 A9
 *     B: 5 6                           walk B: 5 6, end              -> heap: C8 A9
 *     C: 8                             ...
 *
 * So a page costs one lookup for each topic that has news, and one for each change of topic; a page
 * of one topic is a single range. Nothing is sorted, nothing is skipped over. Where only the newest
 * ones of each topic are wanted one more lookup says where they begin, counting back.
 *
 * Who conflates does not get what is superseded. So before its first page a pass notes the newest
 * event of each key (keys.c). Of a million events with one key one is wanted: the pass stops
 * after some thousand of them, and goes on when all who wait for the store have been served; and a
 * page ends after so many, even if it is empty.
 *
 * What is trimmed must not be lost without a word. The snapshot is taken first, then the floors are
 * read: those in memory, which may be newer (what is hidden is not given), and those in the file,
 * which are as old as the snapshot (what was deleted is told, though the writer has not yet
 * published it). */
#include "store/own.h"

#include "base/fault.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define CANCEL_EVERY 64 /* events between two looks at `cancelled` */

size_t page_rows_most = 8192;

struct source { /* a topic with news */
    uint64_t after;
    uint64_t next; /* the id of its next event, or less */
    uint64_t last; /* of its newest one */
    int64_t number;
    uint32_t index; /* in page->topics */
};

struct merge {
    struct store_db *db;
    struct page *page;
    uint64_t upto;          /* fits SQLite's integers */
    struct source *sources; /* a heap over `next` once all are known */
    size_t count;
    size_t rows; /* looked at */
};

/* --- the heap --- */

static void sift_down(struct merge *merge, size_t i) {
    struct source *sources = merge->sources;
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < merge->count; child++)
            if (sources[child].next < sources[least].next)
                least = child;
        if (least == i)
            return;
        struct source moved = sources[i];
        sources[i] = sources[least];
        sources[least] = moved;
        i = least;
    }
}

static void heapify(struct merge *merge) {
    for (size_t i = merge->count / 2; i-- > 0;)
        sift_down(merge, i);
}

static uint64_t second_least(const struct merge *merge) {
    uint64_t least = UINT64_MAX;
    for (size_t i = 1; i <= 2 && i < merge->count; i++)
        if (merge->sources[i].next < least)
            least = merge->sources[i].next;
    return least;
}

/* --- which topics --- */

static void note_floor(struct page *page, size_t index, uint64_t floor) {
    if (floor <= page->after)
        return;
    if (floor > page->floor)
        page->floor = floor;
    if (floor > page->floors[index])
        page->floors[index] = floor;
}

static void see_floor(struct source *source, uint64_t floor) {
    if (floor > source->after)
        source->after = floor;
}

/* The topics that were written to after page->after. */
static void find_sources(struct store *store, struct merge *merge) {
    struct page *page = merge->page;
    merge->sources = mem_alloc(page->ntopics * sizeof *merge->sources);
    pthread_mutex_lock(&store->topics.lock);
    for (size_t i = 0; i < page->ntopics; i++) {
        const struct kept_topic *topic = topics_committed(&store->topics, page->topics[i]);
        if (topic == NULL) /* if it was there, it is forgotten */
            note_floor(page, i, store->topics.gone);
        if (topic == NULL || topic->committed.last <= page->after)
            continue;
        struct source *source = &merge->sources[merge->count++];
        *source = (struct source){.after = page->after,
                                  .last = topic->committed.last,
                                  .number = topic->number,
                                  .index = (uint32_t)i};
        see_floor(source, topic->committed.floor);
    }
    pthread_mutex_unlock(&store->topics.lock);
}

static sqlite3_stmt *use_for(struct merge *merge, enum statement which,
                             const struct source *source) {
    sqlite3_stmt *stmt = db_use(merge->db, which);
    sqlite3_bind_int64(stmt, 1, source->number);
    return stmt;
}

static sqlite3_stmt *use_range(struct merge *merge, enum statement which,
                               const struct source *source) {
    sqlite3_stmt *stmt = use_for(merge, which, source);
    sqlite3_bind_int64(stmt, 2, (int64_t)source->after);
    sqlite3_bind_int64(stmt, 3, (int64_t)merge->upto);
    return stmt;
}

/* Moves it to the first of its newest ones. 1: so many are there; 0: not so many; or an error. */
static int find_newest(struct merge *merge, struct source *source) {
    const struct page_newest *newest = &merge->page->newest[source->index];
    sqlite3_stmt *stmt = use_range(merge, EVENTS_NEWEST, source);
    uint64_t upto = newest->upto < merge->upto ? newest->upto : merge->upto;
    uint64_t before = newest->count - 1 < INT64_MAX ? newest->count - 1 : INT64_MAX;
    sqlite3_bind_int64(stmt, 3, (int64_t)upto);
    sqlite3_bind_int64(stmt, 4, (int64_t)before);
    int rc = db_step(stmt);
    if (rc == 1)
        source->after = (uint64_t)sqlite3_column_int64(stmt, 0) - 1;
    sqlite3_reset(stmt);
    return rc;
}

/* 1: the source has an event; 0: none; or an error. */
static int peek(struct merge *merge, struct source *source) {
    sqlite3_stmt *stmt = use_for(merge, TOPICS_FLOOR, source);
    int rc = db_step(stmt);
    if (rc < 0)
        return rc;
    /* if it is not there, it is forgotten, with all it had */
    see_floor(source, rc ? (uint64_t)sqlite3_column_int64(stmt, 0) : source->last);
    sqlite3_reset(stmt);
    rc = merge->page->newest ? find_newest(merge, source) : 0;
    if (rc < 0)
        return rc;
    if (rc == 0)
        note_floor(merge->page, source->index, source->after); /* not all that is wanted is there */
    if (source->after >= merge->upto)
        return 0;
    stmt = use_range(merge, EVENTS_PEEK, source);
    rc = db_step(stmt);
    if (rc == 1)
        source->next = (uint64_t)sqlite3_column_int64(stmt, 0);
    sqlite3_reset(stmt);
    return rc;
}

static int peek_all(struct merge *merge) {
    size_t left = 0;
    for (size_t i = 0; i < merge->count; i++) {
        int rc = peek(merge, &merge->sources[i]);
        if (rc < 0)
            return rc;
        if (rc == 1)
            merge->sources[left++] = merge->sources[i];
    }
    merge->count = left;
    return 0;
}

/* --- the newest of each key --- */

/* 1: all of it is noted; 0: so many for now; or an error. */
static int note_source(struct merge *merge, const struct source *source) {
    struct keys *keys = &merge->page->keys;
    sqlite3_stmt *stmt = use_range(merge, EVENTS_KEYS, source);
    sqlite3_bind_int64(stmt, 3, (int64_t)merge->page->conflate);
    if (source->index == keys->topic && keys->at > source->after)
        sqlite3_bind_int64(stmt, 2, (int64_t)keys->at);
    int rc = 0;
    while (merge->rows < page_rows_most && (rc = db_step(stmt)) == 1) {
        uint64_t id = (uint64_t)sqlite3_column_int64(stmt, 0);
        keys_note(keys, source->index, db_column(stmt, 1), id);
        keys->topic = source->index;
        keys->at = id;
        merge->rows++;
    }
    sqlite3_reset(stmt);
    return merge->rows == page_rows_most ? 0 : rc < 0 ? rc : 1;
}

/* The sources stand in the order of their topics. 1: all is noted; 0: so much for now; or an error.
 */
static int note_keys(struct merge *merge) {
    struct keys *keys = &merge->page->keys;
    int rc = 1;
    for (size_t i = 0; rc == 1 && i < merge->count; i++)
        if (merge->sources[i].index >= keys->topic)
            rc = note_source(merge, &merge->sources[i]);
    keys->whole = rc == 1;
    return rc;
}

/* --- the events --- */

static void add_entry(struct page *page, const struct source *source, sqlite3_stmt *stmt) {
    struct str key = db_column(stmt, 1), text = db_column(stmt, 2);
    if (page->count == page->entries_cap) {
        page->entries_cap = page->entries_cap ? page->entries_cap * 2 : 64;
        page->entries = mem_resize(page->entries, page->entries_cap * sizeof *page->entries);
    }
    page->entries[page->count++] =
        (struct page_entry){.id = (uint64_t)sqlite3_column_int64(stmt, 0),
                            .topic = source->index,
                            .key_len = (uint32_t)key.len,
                            .text_len = (uint32_t)text.len,
                            .at = page->bytes.len};
    buf_add(&page->bytes, key);
    buf_add(&page->bytes, text);
}

static bool fits(const struct page *page, sqlite3_stmt *stmt) {
    size_t size = (size_t)sqlite3_column_bytes(stmt, 1) + (size_t)sqlite3_column_bytes(stmt, 2);
    return page->count == 0 || page->bytes.len + size <= page->bytes_max;
}

static bool is_cancelled(struct page *page) {
    return __atomic_load_n(&page->cancelled, __ATOMIC_RELAXED);
}

static bool is_superseded(struct page *page, const struct source *source, sqlite3_stmt *stmt) {
    return page->conflate > 0 &&
           keys_supersede(&page->keys, source->index, db_column(stmt, 1), source->next);
}

/* Takes from the first source what comes before `limit`. 1: there is more of it, at source->next;
 * 0: it has ended; or an error. */
static int walk(struct merge *merge, uint64_t limit) {
    struct page *page = merge->page;
    struct source *source = &merge->sources[0];
    sqlite3_stmt *stmt = use_range(merge, EVENTS_SCAN, source);
    int rc;
    while ((rc = db_step(stmt)) == 1) {
        uint64_t id = (uint64_t)sqlite3_column_int64(stmt, 0);
        source->next = id;
        if (id > limit)
            break;
        bool wanted = !is_superseded(page, source, stmt);
        page->more = merge->rows == page_rows_most || (wanted && !fits(page, stmt));
        if (page->more)
            break;
        if (wanted)
            add_entry(page, source, stmt);
        source->after = page->reached = id;
        if (++merge->rows % CANCEL_EVERY == 0 && is_cancelled(page)) {
            rc = UV_ECANCELED;
            break;
        }
    }
    sqlite3_reset(stmt);
    return rc;
}

static int take_events(struct merge *merge) {
    while (merge->count > 0) {
        int rc = walk(merge, second_least(merge));
        if (rc < 0)
            return rc;
        if (merge->page->more)
            return 0;
        if (rc == 0)
            merge->sources[0] = merge->sources[--merge->count];
        sift_down(merge, 0);
    }
    return 0;
}

/* 1: it is filled; 0: not yet; or an error. */
static int fill(struct store *store, struct merge *merge) {
    const struct page *page = merge->page;
    int rc = fault("store_read");
    if (rc == 0)
        rc = db_run(db_use(merge->db, DB_BEGIN_READ));
    struct source nobody = {0};
    if (rc == 0)
        rc = db_run(use_for(merge, TOPICS_FLOOR, &nobody)); /* takes the snapshot */
    if (rc < 0)
        return rc;
    find_sources(store, merge);
    rc = peek_all(merge);
    if (rc == 0)
        rc = page->conflate > 0 && !page->keys.whole ? note_keys(merge) : 1;
    if (rc <= 0)
        return rc;
    merge->rows = 0;
    heapify(merge);
    rc = take_events(merge);
    return rc < 0 ? rc : 1;
}

bool page_fill(struct store *store, struct page *page) {
    struct merge merge = {.db = store->read_db, .page = page, .upto = page->upto};
    if (merge.upto > INT64_MAX)
        merge.upto = INT64_MAX;
    page->count = 0;
    page->bytes.len = 0;
    page->more = false;
    page->floor = 0;
    page->reached = page->after;
    page->floors = mem_resize(page->floors, (page->ntopics + 1) * sizeof *page->floors);
    memset(page->floors, 0, page->ntopics * sizeof *page->floors);
    int rc = is_cancelled(page) ? UV_ECANCELED : 1;
    if (rc == 1 && page->after < merge.upto)
        rc = fill(store, &merge);
    page->error = rc < 0 ? rc : 0;
    if (!sqlite3_get_autocommit(merge.db->sql))
        db_run(db_use(merge.db, DB_ROLLBACK));
    free(merge.sources);
    if (page->error < 0) {
        page->count = 0;
        page->more = false;
    }
    return rc != 0;
}

void page_fini(struct page *page) {
    buf_fini(&page->bytes);
    keys_fini(&page->keys);
    free(page->entries);
    free(page->floors);
    page->entries = NULL;
    page->floors = NULL;
    page->count = page->entries_cap = 0;
}

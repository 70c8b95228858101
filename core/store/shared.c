/* shared: named dictionaries that all workers see.
 *
 *     dictionaries: name -> struct shared { map: key -> entry }         all under one lock
 *     expiry:       the entries with a time to live, soonest first
 *     bytes:        what all of that takes  <=  limit, for what is new
 *
 *     entry:   absent --set, add, incr--> there --delete--> absent
 *                                          `--its time is over--> expired --reclaimed--> absent
 *
 * An expired entry counts as absent at once, for the clock decides. Its memory comes back without
 * anybody asking for its key: every operation, on whichever dictionary, frees up to RECLAIM expired
 * ones, which is more than it can add; and one that meets the limit frees as many as it needs. So
 * no operation takes long, and there is no thread or timer that could be late.
 *
 * One lock for all: what is done under it takes less than a microsecond, since values are copied
 * before it is taken, or shared by reference and copied after it was given back. Nothing under it
 * calls out, so no lock is ever waited for with this one held.
 *
 * A dictionary belongs to those who have opened it and to its entries; with the last of both it
 * goes. The bytes of a string belong to its entry and to whoever reads them just now.
 *
 * It knows no Lua, and it does not survive the process: that is the store's business. */
#include "store/shared.h"

#include "base/clock.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/limits.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define RECLAIM 16

/* What a block takes beyond its size, and the places in the map and the heap that come with it;
 * about the average. */
#define OVERHEAD 48

struct shared_bytes {
    atomic_uint refs;
    size_t len;
    char data[];
};

struct shared {
    struct map_node node; /* in `dictionaries` */
    struct map entries;
    unsigned opened;
    char name[];
};

struct entry {
    struct map_node node;
    struct heap_node expiry; /* in no heap: stays */
    struct shared *shared;
    enum shared_kind kind;
    bool boolean;
    double number;
    struct shared_bytes *string; /* NULL but for a string */
    char key[];
};

static struct {
    pthread_mutex_t lock; /* of all that follows, and of what hangs on it */
    struct map dictionaries;
    struct heap expiry;
    uint64_t bytes, limit;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER, .limit = LIMITS_SHARED_MEMORY};

/* --- the bytes of strings --- */

static struct shared_bytes *bytes_new(struct str s) {
    struct shared_bytes *bytes = mem_alloc(sizeof *bytes + s.len);
    atomic_init(&bytes->refs, 1);
    bytes->len = s.len;
    if (s.len > 0)
        memcpy(bytes->data, s.ptr, s.len);
    return bytes;
}

static void bytes_unref(struct shared_bytes *bytes) {
    if (bytes && atomic_fetch_sub_explicit(&bytes->refs, 1, memory_order_acq_rel) == 1)
        free(bytes);
}

void shared_value_fini(struct shared_value *value) {
    bytes_unref(value->held);
    *value = (struct shared_value){0};
}

/* --- dictionaries; under the lock --- */

static uint64_t shared_cost(size_t name_len) {
    return sizeof(struct shared) + name_len + OVERHEAD;
}

static struct shared *find_or_make(struct str name) {
    struct map_node *node = map_find(&all.dictionaries, name);
    if (node)
        return CONTAINER_OF(node, struct shared, node);
    struct shared *shared = mem_zalloc(sizeof *shared + name.len);
    memcpy(shared->name, name.ptr, name.len);
    map_insert(&all.dictionaries, &shared->node, (struct str){shared->name, name.len});
    all.bytes += shared_cost(name.len);
    return shared;
}

static void free_if_unused(struct shared *shared) {
    if (shared->opened > 0 || shared->entries.count > 0)
        return;
    all.bytes -= shared_cost(shared->node.key.len);
    map_remove(&all.dictionaries, &shared->node);
    free(shared);
}

/* --- entries; under the lock --- */

static uint64_t string_cost(const struct shared_bytes *string) {
    return string ? sizeof *string + string->len + OVERHEAD : 0;
}

static uint64_t entry_cost(size_t key_len) {
    return sizeof(struct entry) + key_len + OVERHEAD;
}

static void free_entry(struct entry *entry) {
    struct shared *shared = entry->shared;
    all.bytes -= entry_cost(entry->node.key.len) + string_cost(entry->string);
    map_remove(&shared->entries, &entry->node);
    heap_remove(&all.expiry, &entry->expiry);
    bytes_unref(entry->string);
    free(entry);
    free_if_unused(shared);
}

/* Frees the entry whose time ended first; false: no time has ended. */
static bool reclaim_one(uint64_t now) {
    struct heap_node *first = heap_first(&all.expiry);
    if (first == NULL || first->rank > now)
        return false;
    free_entry(CONTAINER_OF(first, struct entry, expiry));
    return true;
}

/* Locks, for an operation. Returns the time at which it takes place. */
static uint64_t enter(void) {
    pthread_mutex_lock(&all.lock);
    uint64_t now = clock_mono_ns();
    for (int i = 0; i < RECLAIM && reclaim_one(now); i++) {
    }
    return now;
}

static void leave(void) {
    pthread_mutex_unlock(&all.lock);
}

/* NULL: there is none whose time is not over. One that is over is freed, so that the key is free.
 */
static struct entry *find(struct shared *shared, struct str key, uint64_t now) {
    struct map_node *node = map_find(&shared->entries, key);
    struct entry *entry = node ? CONTAINER_OF(node, struct entry, node) : NULL;
    if (entry && entry->expiry.place != 0 && entry->expiry.rank <= now) {
        free_entry(entry); /* the dictionary stays, it is open */
        return NULL;
    }
    return entry;
}

/* Room for `more` bytes in place of `less`. What takes no more than before always has room, be it
 * that the limit was lowered. */
static bool has_room(uint64_t less, uint64_t more, uint64_t now) {
    while (more > less && (more - less > all.limit || all.bytes > all.limit - (more - less)))
        if (!reclaim_one(now))
            return false;
    return true;
}

/* The same for the number of a dictionary's entries. */
static bool has_place(const struct shared *shared, size_t most, uint64_t now) {
    while (shared->entries.count >= most)
        if (!reclaim_one(now))
            return false;
    return true;
}

static struct entry *new_entry(struct shared *shared, struct str key) {
    struct entry *entry = mem_zalloc(sizeof *entry + key.len);
    entry->shared = shared;
    if (key.len > 0)
        memcpy(entry->key, key.ptr, key.len);
    map_insert(&shared->entries, &entry->node, (struct str){entry->key, key.len});
    all.bytes += entry_cost(key.len);
    return entry;
}

/* After a time that is too long to be told the entry just stays. */
static void set_expiry(struct entry *entry, uint64_t now, uint64_t ttl_ns) {
    if (ttl_ns < SHARED_FOREVER - now)
        heap_put(&all.expiry, &entry->expiry, now + ttl_ns);
    else
        heap_remove(&all.expiry, &entry->expiry);
}

/* Takes the reference to `string`, and gives back the one of the value before. */
static void set_value(struct entry *entry, const struct shared_value *value,
                      struct shared_bytes **string) {
    struct shared_bytes *before = entry->string;
    all.bytes += string_cost(*string);
    all.bytes -= string_cost(before);
    entry->kind = value->kind;
    entry->boolean = value->boolean;
    entry->number = value->number;
    entry->string = *string;
    *string = before;
}

/* With `most` only what is new, and only so many. Takes the bytes of what it has replaced, or of
 * what it has not stored, out in `*string`: they are for the caller to free, without the lock. */
static int put(struct shared *shared, struct str key, const struct shared_value *value,
               struct shared_bytes **string, uint64_t ttl_ns, const size_t *most) {
    uint64_t now = enter();
    struct entry *entry = find(shared, key, now);
    uint64_t less = entry ? entry_cost(key.len) + string_cost(entry->string) : 0;
    int rc = 0;
    if (entry && most) {
        rc = -EEXIST;
    } else if ((most && !has_place(shared, *most, now)) ||
               !has_room(less, entry_cost(key.len) + string_cost(*string), now)) {
        limits_reached(REACHED_SHARED_MEMORY);
        rc = -ENOSPC;
    } else {
        entry = entry ? entry : new_entry(shared, key);
        set_value(entry, value, string);
        set_expiry(entry, now, ttl_ns);
    }
    leave();
    return rc;
}

static int store(struct shared *shared, struct str key, const struct shared_value *value,
                 uint64_t ttl_ns, const size_t *most) {
    struct shared_bytes *string = value->kind == SHARED_STRING ? bytes_new(value->string) : NULL;
    int rc = put(shared, key, value, &string, ttl_ns, most);
    bytes_unref(string);
    return rc;
}

/* --- for all threads --- */

struct shared *shared_open(struct str name) {
    enter();
    struct shared *shared = find_or_make(name);
    shared->opened++;
    leave();
    return shared;
}

void shared_close(struct shared *shared) {
    pthread_mutex_lock(&all.lock);
    shared->opened--;
    free_if_unused(shared);
    leave();
}

void shared_get(struct shared *shared, struct str key, struct shared_value *out) {
    *out = (struct shared_value){0};
    struct entry *entry = find(shared, key, enter());
    if (entry) {
        out->kind = entry->kind;
        out->boolean = entry->boolean;
        out->number = entry->number;
        out->held = entry->string;
    }
    if (out->held) {
        atomic_fetch_add_explicit(&out->held->refs, 1, memory_order_relaxed);
        out->string = (struct str){out->held->data, out->held->len};
    }
    leave();
}

int shared_set(struct shared *shared, struct str key, const struct shared_value *value,
               uint64_t ttl_ns) {
    return store(shared, key, value, ttl_ns, NULL);
}

int shared_add(struct shared *shared, struct str key, const struct shared_value *value,
               uint64_t ttl_ns, size_t most) {
    return store(shared, key, value, ttl_ns, &most);
}

int shared_incr(struct shared *shared, struct str key, double by, uint64_t ttl_ns, double *sum) {
    uint64_t now = enter();
    struct entry *entry = find(shared, key, now);
    int rc = 0;
    if (entry && entry->kind != SHARED_NUMBER) {
        rc = -EINVAL;
    } else if (entry) {
        *sum = entry->number += by;
    } else if (!has_room(0, entry_cost(key.len), now)) {
        limits_reached(REACHED_SHARED_MEMORY);
        rc = -ENOSPC;
    } else {
        entry = new_entry(shared, key);
        entry->kind = SHARED_NUMBER;
        *sum = entry->number = by;
        set_expiry(entry, now, ttl_ns);
    }
    leave();
    return rc;
}

bool shared_delete(struct shared *shared, struct str key) {
    struct entry *entry = find(shared, key, enter());
    if (entry)
        free_entry(entry); /* the dictionary stays, it is open */
    leave();
    return entry != NULL;
}

static void empty(struct shared *shared) {
    size_t left = shared->entries.count;
    struct map_node *next, *node = map_next(&shared->entries, NULL);
    for (; left > 0; left--, node = next) { /* the dictionary may go with the last of them */
        next = left > 1 ? map_next(&shared->entries, node) : NULL;
        free_entry(CONTAINER_OF(node, struct entry, node));
    }
}

void shared_clear(void) {
    pthread_mutex_lock(&all.lock);
    struct map_node *next, *node = map_next(&all.dictionaries, NULL);
    for (; node; node = next) {
        next = map_next(&all.dictionaries, node);
        empty(CONTAINER_OF(node, struct shared, node));
    }
    leave();
}

void shared_set_limit(uint64_t bytes) {
    pthread_mutex_lock(&all.lock);
    all.limit = bytes;
    leave();
}

uint64_t shared_memory(void) {
    enter();
    uint64_t bytes = all.bytes;
    leave();
    return bytes;
}

static uint64_t read_memory(size_t at) {
    (void)at;
    return shared_memory();
}

const struct counter_row shared_counter_rows[] = {
    {"shared_memory", "Bytes that shared dictionaries take.", GAUGE, read_memory, 0,
     "shared_memory_bytes", NULL},
    {0},
};

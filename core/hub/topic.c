/* topic: an append-only log of events, ready to be sent.
 *
 *     trimmed | first ........ next        ordinals: entries in a ring
 *             floor                        the id of the last one trimmed
 *     [slab 512 B][slab 1 KiB][ 2 KiB ..   the bytes, each entry in one piece
 *
 * An entry is kept as it leaves over HTTP/1.1, chunk and SSE fields and all, so that sending a run
 * of them is handing a range of memory to the kernel. Slabs start small, because a hundred thousand
 * topics must fit, and double. The topic holds one reference for each slab that has entries;
 * readers take their own.
 *
 * A key's newest entry supersedes the one before it: whoever conflates skips those marked.
 *
 * Owned by the hub and touched under its lock only; it must not know of subscribers' positions. */
#include "hub/topic.h"

#include "base/mem.h"
#include "base/must.h"
#include "hub/lock.h"
#include "hub/name.h"
#include "hub/order.h"

#include <stdlib.h>
#include <string.h>

#define SLAB_MIN 512
#define SLAB_MAX 65536
#define RING_MIN 4

struct key {
    struct map_node node;
    uint64_t oldest, newest; /* ordinals */
    uint32_t entries;        /* kept ones that have it */
    uint32_t len;
    char text[];
};

static void count(struct topic *topic, int64_t bytes) {
    atomic_fetch_add_explicit(topic->total, (uint_fast64_t)bytes, memory_order_relaxed);
}

struct topic *topic_new(struct name *name, event_id floor, enum gap_reason reason,
                        atomic_uint_fast64_t *total) {
    struct topic *topic = mem_zalloc(sizeof *topic);
    topic->name = name;
    topic->floor = floor;
    topic->floor_reason = (uint8_t)reason;
    topic->total = total;
    trail_init(&topic->trail, floor);
    map_init(&topic->keys);
    crowd_init(&topic->crowd);
    list_init(&topic->feeds);
    list_init(&topic->unread);
    name->topic = topic;
    count(topic, (int64_t)(sizeof *topic + sizeof *name));
    return topic;
}

void topic_free(struct topic *topic) {
    MUST(topic->holds == 0);
    topic_trim(topic, topic->next);
    list_remove(&topic->unread);
    timer_clear(&topic->age);
    topic->name->topic = NULL;
    name_release(topic->name);
    crowd_fini(&topic->crowd);
    trail_fini(&topic->trail, topic->total);
    map_fini(&topic->keys);
    count(topic,
          -(int64_t)(sizeof *topic + sizeof *topic->name + topic->ring_cap * sizeof *topic->ring));
    free(topic->ring);
    free(topic);
}

/* --- reading --- */

struct entry *topic_entry(const struct topic *topic, uint64_t ordinal) {
    MUST(ordinal >= topic->first && ordinal < topic->next);
    return &topic->ring[ordinal & (topic->ring_cap - 1)];
}

uint64_t topic_after(const struct topic *topic, event_id id) {
    uint64_t low = topic->first, high = topic->next;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (topic_entry(topic, middle)->id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool topic_after_any(const struct topic *topic, event_id id, uint64_t *ordinal) {
    bool known = trail_after(&topic->trail, id, ordinal);
    if (*ordinal == topic->first)
        *ordinal = topic_after(topic, id);
    return known;
}

int64_t topic_count(const struct topic *topic, event_id after, event_id upto) {
    uint64_t from, end;
    bool known = topic_after_any(topic, after, &from) && topic_after_any(topic, upto, &end);
    return !known ? -1 : end > from ? (int64_t)(end - from) : 0;
}

event_id topic_lacks(const struct topic *topic) {
    return topic->floor_reason == GAP_TRIMMED ? topic->floor : topic->before;
}

event_id topic_last_id(const struct topic *topic) {
    return topic_is_empty(topic) ? topic->floor : topic_entry(topic, topic->next - 1)->id;
}

event_id topic_id_before(const struct topic *topic, uint64_t ordinal) {
    if (ordinal > topic->first)
        return topic_entry(topic, ordinal - 1)->id;
    return ordinal > 0 && ordinal == topic->first ? topic->floor : 0;
}

struct str entry_text(const struct entry *entry) {
    const char *chunk = entry->slab->data + entry->off;
    const char *text = (const char *)memchr(chunk, '\n', entry->len) + 1;
    return (struct str){text, entry->len - (size_t)(text - chunk) - 2};
}

struct str entry_key(const struct entry *entry) {
    return entry->key ? (struct str){entry->key->text, entry->key->len} : (struct str){NULL, 0};
}

/* --- the ring --- */

static void resize_ring(struct topic *topic, uint32_t cap) {
    struct entry *ring = mem_alloc(cap * sizeof *ring);
    for (uint64_t at = topic->first; at < topic->next; at++)
        ring[at & (cap - 1)] = *topic_entry(topic, at);
    count(topic, ((int64_t)cap - topic->ring_cap) * (int64_t)sizeof *ring);
    free(topic->ring);
    topic->ring = ring;
    topic->ring_cap = cap;
}

static struct entry *push_entry(struct topic *topic) {
    if (topic->next - topic->first == topic->ring_cap)
        resize_ring(topic, topic->ring_cap ? topic->ring_cap * 2 : RING_MIN);
    return topic_entry(topic, topic->next++);
}

/* --- appending --- */

/* `n` bytes at the end of the newest slab, or of a new one. */
static char *take_room(struct topic *topic, size_t n) {
    struct slab *tail = topic->tail;
    if (tail == NULL || tail->cap - tail->len < n) {
        size_t cap = tail ? ((size_t)tail->cap + sizeof *tail) * 2 : SLAB_MIN;
        if (cap > SLAB_MAX)
            cap = SLAB_MAX;
        if (cap < n + sizeof *tail)
            cap = n + sizeof *tail;
        topic->tail = tail = slab_new((uint32_t)(cap - sizeof *tail), topic->total);
    }
    char *room = tail->data + tail->len;
    tail->len += (uint32_t)n;
    return room;
}

static struct key *take_key(struct topic *topic, struct str text) {
    struct map_node *node = map_find(&topic->keys, text);
    if (node)
        return CONTAINER_OF(node, struct key, node);
    struct key *key = mem_zalloc(sizeof *key + text.len);
    key->len = (uint32_t)text.len;
    memcpy(key->text, text.ptr, text.len);
    map_insert(&topic->keys, &key->node, (struct str){key->text, key->len});
    count(topic, (int64_t)(sizeof *key + key->len));
    return key;
}

/* The first entry goes. */
static void drop_key(struct topic *topic, const struct entry *entry) {
    struct key *key = entry->key;
    if (key == NULL)
        return;
    key->oldest += entry->superseded;
    if (--key->entries > 0)
        return;
    map_remove(&topic->keys, &key->node);
    count(topic, -(int64_t)(sizeof *key + key->len));
    free(key);
}

bool topic_is_superseded(const struct topic *topic, uint64_t ordinal, event_id end) {
    uint32_t on = topic_entry(topic, ordinal)->superseded;
    return on > 0 && (end == 0 || topic_entry(topic, ordinal + on)->id <= end);
}

event_id topic_oldest_of(const struct topic *topic, struct str key) {
    const struct map_node *node = map_find(&topic->keys, key);
    return node ? topic_entry(topic, CONTAINER_OF(node, struct key, node)->oldest)->id : 0;
}

/* The key of the entry at `ordinal`, whose older one is superseded from now on. */
static struct key *supersede(struct topic *topic, struct str text, uint64_t ordinal) {
    struct key *key = take_key(topic, text);
    if (key->entries > 0)
        topic_entry(topic, key->newest)->superseded = (uint32_t)(ordinal - key->newest);
    else
        key->oldest = ordinal;
    key->newest = ordinal;
    key->entries++;
    return key;
}

size_t entry_put(char *out, event_id id, struct str text) {
    char line[EVENT_ID_TEXT + 8] = "id: ";
    size_t n = 4 + event_id_format(id, line + 4),
           fields = text.len - 1; /* but for the empty line */
    memcpy(line + n, "\n\n\r\n", 4);
    char *at = out + chunk_head(out, fields + n + 2);
    memcpy(at, text.ptr, fields);
    memcpy(at + fields, line, n + 4);
    return (size_t)(at - out) + fields + n + 4;
}

static void trim_to_size(struct topic *topic) {
    uint64_t from = topic->first;
    if (topic->next - from > topic->keep.count)
        from = topic->next - topic->keep.count;
    while (from + 1 < topic->next && topic->end - topic_entry(topic, from)->at > topic->keep.bytes)
        from++;
    topic_trim(topic, from);
}

void topic_append(struct topic *topic, event_id id, struct str text, struct str key,
                  uint64_t now_ms) {
    MUST(topic_is_empty(topic) || id > topic_last_id(topic));
    size_t room = text.len + ENTRY_OVERHEAD;
    char *out = take_room(topic, room);
    size_t n = entry_put(out, id, text);
    topic->tail->len -= (uint32_t)(room - n);
    uint64_t ordinal = topic->next;
    struct entry *entry = push_entry(topic);
    *entry = (struct entry){.id = id,
                            .slab = topic->tail,
                            .off = (uint32_t)(out - topic->tail->data),
                            .len = (uint32_t)n,
                            .at = topic->end,
                            .born = now_ms};
    topic->end += n;
    if (key.len > 0)
        entry->key = supersede(topic, key, ordinal);
    trim_to_size(topic);
}

/* --- trimming --- */

static void drop_first(struct topic *topic) {
    MUST(!topic_is_empty(topic));
    struct entry *entry = topic_entry(topic, topic->first);
    topic->first++;
    *(entry->superseded ? &topic->trimmed_superseded : &topic->trimmed) = topic->first;
    topic->floor = entry->id;
    trail_add(&topic->trail, entry->id, topic->total);
    topic->floor_reason = GAP_TRIMMED;
    order_note_trim(topic, entry);
    topic->trimmed_when = hub.trims;
    drop_key(topic, entry);
    bool last_of_slab =
        topic_is_empty(topic) || topic_entry(topic, topic->first)->slab != entry->slab;
    if (!last_of_slab)
        return;
    if (entry->slab == topic->tail)
        topic->tail = NULL;
    slab_unref(entry->slab);
}

void topic_trim(struct topic *topic, uint64_t ordinal) {
    if (topic->first >= ordinal)
        return;
    while (topic->first < ordinal)
        drop_first(topic);
    if (topic_is_empty(topic) && !topic->stored)
        trail_forget(&topic->trail, topic->floor, topic->total);
    uint64_t kept = topic->next - topic->first;
    uint32_t cap = topic->ring_cap;
    while (cap >= RING_MIN * 4 && kept <= cap / 8)
        cap /= 4;
    if (cap < topic->ring_cap)
        resize_ring(topic, cap);
}

void topic_trim_age(struct topic *topic, uint64_t now_ms) {
    uint64_t at = topic->first;
    while (at < topic->next && topic_entry(topic, at)->born + topic->keep.age_ms < now_ms)
        at++;
    topic_trim(topic, at);
}

/* keys: which event is the newest of its key, for one who conflates.
 *
 *     pass:    1a 2b 3- 4a 5a 6b     a -> 5, b -> 6      keys and ids alone, before the first page
 *     pages:         3-    5a 6b     what is older than its key says is not given
 *
 * An index in the file would know it too, and costs whoever publishes with keys more than the event
 * itself does: in groups of 64 with a thousand keys four times SQLite's time, since each key lies
 * on a page of its own. So who reads pays: each replay looks once through what it is going to read.
 *
 * How many keys there are is up to publishers, so there is a bound. A key that is not noted is not
 * conflated: all of its events come.
 *
 * Belongs to its page, and is touched by the store's reader. It knows nothing of SQLite. */
#include "store/keys.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 16384

size_t keys_bytes_most = 8 << 20;

struct kept_key {
    struct map_node node;
    uint64_t newest;
    char text[];
};

struct keys_chunk {
    struct keys_chunk *next;
    size_t used, cap;
    struct kept_key data[];
};

void keys_fini(struct keys *keys) {
    struct keys_chunk *next;
    for (struct keys_chunk *chunk = keys->chunks; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    map_fini(&keys->map);
    buf_fini(&keys->text);
    *keys = (struct keys){0};
}

/* Memory for one; NULL: the bound is reached. */
static struct kept_key *take(struct keys *keys, size_t n) {
    struct keys_chunk *chunk = keys->chunks;
    n = (n + 7) & ~(size_t)7;
    if (chunk == NULL || chunk->cap - chunk->used < n) {
        size_t cap = n > CHUNK ? n : CHUNK;
        if (keys->bytes + cap > keys_bytes_most)
            return NULL;
        chunk = mem_alloc(sizeof *chunk + cap);
        *chunk = (struct keys_chunk){.next = keys->chunks, .cap = cap};
        keys->chunks = chunk;
        keys->bytes += cap;
    }
    chunk->used += n;
    return (struct kept_key *)((char *)chunk->data + chunk->used - n);
}

static struct str text_of(struct keys *keys, uint32_t topic, struct str key) {
    keys->text.len = 0;
    buf_append(&keys->text, &topic, sizeof topic);
    buf_add(&keys->text, key);
    return buf_str(&keys->text);
}

static struct kept_key *find(const struct keys *keys, struct str text) {
    struct map_node *node = map_find(&keys->map, text);
    return node ? CONTAINER_OF(node, struct kept_key, node) : NULL;
}

static struct kept_key *add(struct keys *keys, struct str text) {
    struct kept_key *kept = take(keys, sizeof *kept + text.len);
    if (kept == NULL)
        return NULL;
    memcpy(kept->text, text.ptr, text.len);
    map_insert(&keys->map, &kept->node, (struct str){kept->text, text.len});
    return kept;
}

void keys_note(struct keys *keys, uint32_t topic, struct str key, uint64_t id) {
    if (key.len == 0)
        return;
    struct str text = text_of(keys, topic, key);
    struct kept_key *kept = find(keys, text);
    if (kept == NULL)
        kept = add(keys, text);
    if (kept)
        kept->newest = id;
}

bool keys_supersede(struct keys *keys, uint32_t topic, struct str key, uint64_t id) {
    if (keys->map.count == 0 || key.len == 0)
        return false;
    const struct kept_key *kept = find(keys, text_of(keys, topic, key));
    return kept && kept->newest > id;
}

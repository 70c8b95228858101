/* tally: how many there are of each key now.
 *
 * A map from keys to counts under one lock, which is held for a lookup. Whoever counts keeps the
 * entry it was counted under, so that leaving needs no key, and an entry is there only as long as
 * somebody does. A limit that is not set costs nothing: nobody joins. It must not know what its
 * keys stand for. */
#include "count/tally.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

struct tallied {
    struct map_node node;
    uint64_t count;
    char key[];
};

static struct tallied *add(struct tally *tally, struct str key) {
    struct tallied *tallied = mem_zalloc(sizeof *tallied + key.len);
    if (key.len > 0)
        memcpy(tallied->key, key.ptr, key.len);
    map_insert(&tally->keys, &tallied->node, (struct str){tallied->key, key.len});
    return tallied;
}

struct tallied *tally_join(struct tally *tally, struct str key, uint64_t limit) {
    if (limit == 0)
        return NULL;
    pthread_mutex_lock(&tally->lock);
    struct map_node *node = map_find(&tally->keys, key);
    struct tallied *tallied = node ? CONTAINER_OF(node, struct tallied, node) : add(tally, key);
    if (tallied->count >= limit) /* it may have been lowered */
        tallied = NULL;
    else
        tallied->count++;
    pthread_mutex_unlock(&tally->lock);
    return tallied;
}

void tally_leave(struct tally *tally, struct tallied *tallied) {
    pthread_mutex_lock(&tally->lock);
    MUST(tallied->count > 0);
    if (--tallied->count == 0) {
        map_remove(&tally->keys, &tallied->node);
        free(tallied);
    }
    pthread_mutex_unlock(&tally->lock);
}

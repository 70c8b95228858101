/* map: a hash map whose nodes are part of what they find.
 *
 *     hash    0 ............ 2^64       the highest bits of a hash are the number of its bucket,
 *     bucket  [ 0 ][ 1 ][ 2 ][ 3 ]      and each chain is sorted by hash. So one order goes through
 *               |         |    |        the whole table, and it stays the same when the table
 *             a -> b      c    d        doubles or halves: who steps through it keeps the place.
 *
 * It doubles when there are as many nodes as buckets, halves when a quarter of them is left, and
 * is freed when none is. A lookup that finds nothing stops at the first larger hash.
 *
 * Keys come from clients and scripts, so the hash has a secret key, drawn once per process.
 * Belongs to whoever embeds it, who also guards it against other threads. */
#include "base/map.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/siphash.h"

#include <stdlib.h>
#include <sys/random.h>

#define CAP_MIN 8

static uint64_t secret[2];

/* So few bytes come whole and uninterrupted, or not at all: a kernel without the call. */
__attribute__((constructor)) static void draw_secret(void) {
    if (getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret)
        abort();
}

void map_init(struct map *map) {
    *map = (struct map){0};
}

void map_fini(struct map *map) {
    free(map->buckets);
    map_init(map);
}

static size_t bucket_of(const struct map *map, uint64_t hash) {
    return hash >> (64 - __builtin_ctzll(map->cap));
}

/* The first place in the chain whose node does not come before `hash`. */
static struct map_node **seek(const struct map *map, uint64_t hash) {
    struct map_node **at = &map->buckets[bucket_of(map, hash)];
    while (*at && (*at)->hash < hash)
        at = &(*at)->next;
    return at;
}

/* The nodes keep their order, so each goes behind the one before it. */
static void resize(struct map *map, size_t cap) {
    struct map old = *map;
    struct map_node **end = NULL, *next;
    size_t last = 0;
    map->buckets = mem_zalloc(cap * sizeof *map->buckets);
    map->cap = cap;
    for (size_t i = 0; i < old.cap; i++) {
        for (struct map_node *node = old.buckets[i]; node; node = next) {
            size_t bucket = bucket_of(map, node->hash);
            next = node->next;
            if (end == NULL || bucket != last)
                end = &map->buckets[bucket];
            *end = node;
            node->next = NULL;
            end = &node->next;
            last = bucket;
        }
    }
    free(old.buckets);
}

struct map_node *map_find(const struct map *map, struct str key) {
    if (map->count == 0)
        return NULL;
    uint64_t hash = siphash13(secret, key);
    struct map_node *node = *seek(map, hash);
    for (; node && node->hash == hash; node = node->next)
        if (str_eq(node->key, key))
            return node;
    return NULL;
}

void map_insert(struct map *map, struct map_node *node, struct str key) {
    if (map->count == map->cap)
        resize(map, map->cap ? map->cap * 2 : CAP_MIN);
    node->key = key;
    node->hash = siphash13(secret, key);
    struct map_node **at = seek(map, node->hash);
    node->next = *at;
    *at = node;
    map->count++;
}

void map_remove(struct map *map, struct map_node *node) {
    struct map_node **at = seek(map, node->hash);
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    MUST(map->count > 0);
    map->count--;
    if (map->count == 0)
        map_fini(map);
    else if (map->cap > CAP_MIN && map->count <= map->cap / 4)
        resize(map, map->cap / 2);
}

struct map_node *map_next(const struct map *map, const struct map_node *node) {
    if (node && node->next)
        return node->next;
    size_t at = node ? bucket_of(map, node->hash) + 1 : 0;
    while (at < map->cap && map->buckets[at] == NULL)
        at++;
    return at < map->cap ? map->buckets[at] : NULL;
}

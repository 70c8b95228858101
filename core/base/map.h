/* map: a hash map from strings to whatever embeds its nodes. Nothing is allocated for a node: put a
 * `struct map_node` into your struct, and get from one to the other with CONTAINER_OF. Keys are any
 * bytes, chosen by anyone: the hash has a secret key. Not thread-safe. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/list.h" /* CONTAINER_OF */
#include "base/str.h"

struct map_node {
    struct map_node *next; /* in its bucket */
    struct str key;        /* borrowed */
    uint64_t hash;
};

struct map { /* all zeroes: empty, no memory */
    struct map_node **buckets;
    size_t count, cap; /* cap: buckets, a power of 2 or 0 */
};

void map_init(struct map *map);
/* Gives back the map's own memory; its nodes are their owners'. */
void map_fini(struct map *map);
/* The node with that key; NULL: none. */
struct map_node *map_find(const struct map *map, struct str key);
/* `key` must stay where it is as long as the node is in the map (a part of the struct that embeds
 * it, say), and must not be there yet. */
void map_insert(struct map *map, struct map_node *node, struct str key);
/* `node` must be in the map. An emptied map holds no memory. */
void map_remove(struct map *map, struct map_node *node);
/* Steps through all in no useful order: from NULL to the first, from a node to the one behind it;
 * NULL: that was the last. Whatever is inserted and removed between two steps, a node that is there
 * all the time comes exactly once, one that is not comes at most once. `node` must be in the map,
 * so whoever removes it takes the step first:
 *
 *     for (node = map_next(map, NULL); node; node = next) {
 *         next = map_next(map, node);
 *         ... may remove node, but not next ...
 *     }
 */
struct map_node *map_next(const struct map *map, const struct map_node *node);

#endif

/* map: a hash map whose nodes are part of what they find. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/str.h"

/* Embedded in what is to be found: see CONTAINER_OF. */
struct map_node {
    struct map_node *next; /* in its bucket */
    struct str key;
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
/* `key` is borrowed as long as the node is in the map, and must not be there yet. */
void map_insert(struct map *map, struct map_node *node, struct str key);
/* `node` must be in the map. */
void map_remove(struct map *map, struct map_node *node);
/* Steps through all in no order: first with `node` NULL, then with what was returned; NULL: that
 * was the last. Nothing may be inserted or removed meanwhile. */
struct map_node *map_next(const struct map *map, const struct map_node *node);

#endif

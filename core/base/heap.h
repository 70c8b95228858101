/* heap: a priority queue whose nodes are part of what it orders. Unlike the wheel it gives back
 * what is due one by one, so that who takes them can stop in between. Not thread-safe. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node { /* all zeroes: in no heap */
    uint64_t rank;
    size_t place; /* from 1 on; 0: in no heap */
};

struct heap { /* all zeroes: empty, no memory */
    struct heap_node **nodes;
    size_t count, cap;
};

/* Puts a node in, or moves one that is in. */
void heap_put(struct heap *heap, struct heap_node *node, uint64_t rank);
/* Harmless when it is in no heap. An emptied heap holds no memory. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* One with the lowest rank, still in; NULL: empty. */
struct heap_node *heap_first(const struct heap *heap);

#endif

/* heap: a binary heap in an array of pointers.
 *
 *     place      1             the children of place n are 2n and 2n + 1, and none has a lower rank
 *              /   \           than its parent
 *             2     3
 *            / \   /
 *           4   5 6
 *
 * A node knows its place, so that one in the middle can be moved or taken out. The array doubles
 * when it is full and halves when a quarter of it is in use. Whoever embeds it guards it. */
#include "base/heap.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>

#define CAP_MIN 8

static struct heap_node **slot(const struct heap *heap, size_t place) {
    MUST(place >= 1 && place <= heap->cap);
    return &heap->nodes[place - 1];
}

static void resize(struct heap *heap, size_t cap) {
    heap->nodes = mem_resize(heap->nodes, cap * sizeof *heap->nodes);
    heap->cap = cap;
}

static void settle(struct heap *heap, struct heap_node *node, size_t place) {
    *slot(heap, place) = node;
    node->place = place;
}

/* Finds where a node belongs, from a place that nobody else has, and puts it there. */
static void sift(struct heap *heap, struct heap_node *node, size_t place) {
    for (; place > 1 && (*slot(heap, place / 2))->rank > node->rank; place /= 2)
        settle(heap, *slot(heap, place / 2), place);
    for (size_t child; (child = place * 2) <= heap->count; place = child) {
        if (child < heap->count && (*slot(heap, child + 1))->rank < (*slot(heap, child))->rank)
            child++;
        if ((*slot(heap, child))->rank >= node->rank)
            break;
        settle(heap, *slot(heap, child), place);
    }
    settle(heap, node, place);
}

void heap_put(struct heap *heap, struct heap_node *node, uint64_t rank) {
    node->rank = rank;
    if (node->place == 0) {
        if (heap->count == heap->cap)
            resize(heap, heap->cap ? heap->cap * 2 : CAP_MIN);
        node->place = ++heap->count;
    }
    sift(heap, node, node->place);
}

void heap_remove(struct heap *heap, struct heap_node *node) {
    if (node->place == 0)
        return;
    MUST(*slot(heap, node->place) == node); /* in this heap, and no other */
    struct heap_node *last = *slot(heap, heap->count--);
    if (last != node)
        sift(heap, last, node->place);
    node->place = 0;
    if (heap->count == 0) {
        free(heap->nodes);
        *heap = (struct heap){0};
    } else if (heap->cap > CAP_MIN && heap->count <= heap->cap / 4) {
        resize(heap, heap->cap / 2);
    }
}

struct heap_node *heap_first(const struct heap *heap) {
    return heap->count > 0 ? heap->nodes[0] : NULL;
}

/* list: an intrusive, circular, doubly linked list. A node belongs to at most one list; an unlinked
 * node points to itself, so unlinking twice is harmless. Nothing is allocated. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *l) {
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l) {
    return l->next == l;
}

/* Links `node` as the last of `head`. */
static inline void list_push(struct list *head, struct list *node) {
    MUST(node->next == node || node->next == NULL); /* in no list, or never yet */
    MUST(head->next->prev == head && head->prev->next == head);
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

/* Unlinks `node`, from whichever list it is in. */
static inline void list_remove(struct list *node) {
    MUST(node->prev->next == node && node->next->prev == node);
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The first node, unlinked; NULL when empty. */
static inline struct list *list_pop(struct list *head) {
    struct list *node = head->next;
    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}

/* Moves all of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice(struct list *to, struct list *from) {
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif

/* pool: blocks of small sizes, cut from larger chunks. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define POOL_STEP 16    /* sizes are rounded up to a multiple of it */
#define POOL_CLASSES 64 /* so blocks up to 1 KiB come from chunks, larger ones from malloc */
#define POOL_CHUNK 16384

struct pool_link { /* what a block that nobody uses holds */
    struct pool_link *next;
};

struct pool { /* all zeroes: empty */
    struct pool_class {
        struct pool_link *free; /* blocks given back */
        size_t nfree;           /* how many blocks are in `free` */
        char *at, *end;         /* the part of the newest chunk that is not cut into blocks yet */
    } classes[POOL_CLASSES];
    struct list regions;
};

/* Which class a size has, counted from 0; not less than POOL_CLASSES: none, it is malloc's. */
static inline size_t pool_class_of(size_t n) {
#ifdef __SANITIZE_ADDRESS__
    return POOL_CLASSES + n;
#else
    return (n - 1) / POOL_STEP;
#endif
}

/* pool_alloc where no block is free, or the size has no class. */
void *pool_cut(struct pool *pool, size_t n);

/* Never NULL; not zeroed, aligned to 16. Inline, like what follows: sizes are constants nearly
 * everywhere, and of most of a request's objects no more is left than two loads and two stores. */
static inline void *pool_alloc(struct pool *pool, size_t n) {
    size_t index = pool_class_of(n);
    if (index >= POOL_CLASSES || pool->classes[index].free == NULL)
        return pool_cut(pool, n);
    struct pool_class *class = &pool->classes[index];
    struct pool_link *block = class->free;
    class->free = block->next;
    class->nfree--;
    return block;
}

static inline void *pool_zalloc(struct pool *pool, size_t n) {
    void *block = pool_alloc(pool, n);
    __asm__("" : "+r"(n)); /* of a constant GCC makes `rep stos`, which is slow to begin */
    return memset(block, 0, n);
}

/* `n` as it was allocated with. NULL is allowed. */
static inline void pool_free(struct pool *pool, void *block, size_t n) {
    size_t index = pool_class_of(n);
    if (index >= POOL_CLASSES || block == NULL) {
        free(block);
        return;
    }
    struct pool_class *class = &pool->classes[index];
    struct pool_link *link = (struct pool_link *)block;
    link->next = class->free;
    class->free = link;
    class->nfree++;
}

/* As realloc, with the size that the block has. */
void *pool_resize(struct pool *pool, void *block, size_t old_size, size_t new_size);
/* Returns memory that is not used, if there is much: costs a look at every free block. */
void pool_trim(struct pool *pool);
/* Gives all chunks back, whatever is still in use in them; blocks over 1 KiB must have been freed.
 */
void pool_fini(struct pool *pool);

#endif

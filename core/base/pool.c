/* pool: blocks of small sizes, cut from larger chunks.
 *
 *     class 3 (33..48 bytes):  free -> [ ] -> [ ]      at .... end   (of the newest chunk)
 *
 * For what comes and goes with each request and for what Lua allocates. Against malloc it saves the
 * header of each block, keeps what lives long apart from the garbage that came between, and it
 * serves the many equal objects of one turn, which are more than malloc's per-thread cache holds.
 * What was once used stays with the pool: its size is that of the busiest moment. One thread only:
 * each loop has one, and each Lua state.
 *
 * Under AddressSanitizer every block is malloc's, so that a use after free is seen. */
#include "base/pool.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* What a block or chunk that nobody uses holds. */
struct link {
    struct link *next;
};

static struct pool_class *class_of(struct pool *pool, size_t n) {
#ifdef __SANITIZE_ADDRESS__
    (void)pool;
    (void)n;
    return NULL;
#else
    size_t index = (n + POOL_STEP - 1) / POOL_STEP;
    return index >= 1 && index <= POOL_CLASSES ? &pool->classes[index - 1] : NULL;
#endif
}

static void *cut(struct pool *pool, struct pool_class *class) {
    size_t size = (size_t)(class - pool->classes + 1) * POOL_STEP;
    if ((size_t)(class->end - class->at) < size) {
        struct link *chunk = mem_alloc(POOL_CHUNK);
        chunk->next = pool->chunks;
        pool->chunks = chunk;
        class->at = (char *)chunk + POOL_STEP; /* behind the link, still aligned */
        class->end = (char *)chunk + POOL_CHUNK;
    }
    void *block = class->at;
    class->at += size;
    return block;
}

void *pool_alloc(struct pool *pool, size_t n) {
    struct pool_class *class = class_of(pool, n);
    if (class == NULL)
        return mem_alloc(n);
    struct link *block = class->free;
    if (block == NULL)
        return cut(pool, class);
    class->free = block->next;
    return block;
}

void *pool_zalloc(struct pool *pool, size_t n) {
    return memset(pool_alloc(pool, n), 0, n);
}

void *pool_resize(struct pool *pool, void *block, size_t old_size, size_t new_size) {
    struct pool_class *from = block ? class_of(pool, old_size) : NULL;
    struct pool_class *to = class_of(pool, new_size);
    if (from == NULL && to == NULL)
        return mem_resize(block, new_size);
    if (from == to)
        return block;
    void *moved = pool_alloc(pool, new_size);
    if (block)
        memcpy(moved, block, old_size < new_size ? old_size : new_size);
    pool_free(pool, block, old_size);
    return moved;
}

void pool_free(struct pool *pool, void *block, size_t n) {
    struct pool_class *class = class_of(pool, n);
    if (block == NULL || class == NULL) {
        free(block);
        return;
    }
    struct link *link = block;
    link->next = class->free;
    class->free = link;
}

void pool_fini(struct pool *pool) {
    struct link *chunk;
    while ((chunk = pool->chunks) != NULL) {
        pool->chunks = chunk->next;
        free(chunk);
    }
    memset(pool, 0, sizeof *pool);
}

/* pool: small blocks kept for the next who needs one of that size.
 *
 * A request takes and gives back the same few objects each time (its head, stream, task, a segment
 * of output), many at once in one turn, which is more than malloc's own per-thread cache holds.
 * Blocks are kept in lists by size, linked through their first word. One thread only: each loop has
 * a pool.
 *
 * Under AddressSanitizer nothing is kept, so that a use after free is seen. */
#include "base/pool.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

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

void *pool_alloc(struct pool *pool, size_t n) {
    struct pool_class *class = class_of(pool, n);
    if (class == NULL)
        return mem_alloc(n);
    void *block = class->free;
    if (block == NULL)
        return mem_alloc((n + POOL_STEP - 1) / POOL_STEP * POOL_STEP);
    memcpy(&class->free, block, sizeof class->free);
    class->count--;
    return block;
}

void *pool_zalloc(struct pool *pool, size_t n) {
    return memset(pool_alloc(pool, n), 0, n);
}

void pool_free(struct pool *pool, void *block, size_t n) {
    struct pool_class *class = class_of(pool, n);
    if (block == NULL || class == NULL || class->count == POOL_KEPT_MAX) {
        free(block);
        return;
    }
    memcpy(block, &class->free, sizeof class->free);
    class->free = block;
    class->count++;
}

void pool_fini(struct pool *pool) {
    for (int i = 0; i < POOL_CLASSES; i++) {
        void *block;
        while ((block = pool->classes[i].free) != NULL) {
            memcpy(&pool->classes[i].free, block, sizeof block);
            free(block);
        }
        pool->classes[i].count = 0;
    }
}

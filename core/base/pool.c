/* pool: blocks of small sizes, cut from larger chunks.
 *
 *     class 3 (33..48 bytes):  current [xxx.x.....]   others [x....x....][..........] freed
 *
 * For what comes and goes with each request and for what Lua allocates. Against malloc it saves the
 * header of each block, keeps what lives long apart from the garbage that came between, and it
 * serves the many equal objects of one turn, which are more than malloc's per-thread cache holds.
 *
 * A chunk has blocks of one size. It begins at a multiple of its length, so a block finds its chunk
 * by its address, and the memory of a chunk whose last block comes back goes back to the system,
 * unless it is the current one: after its busiest moment a server does not keep what that took.
 * Chunks lie in regions, which are address space only: what is not used of one takes no memory. One
 * thread only: each loop has one, and each Lua state.
 *
 * Under AddressSanitizer every block is malloc's, so that a use after free is seen. */
#include "base/pool.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* What a block that nobody uses holds. */
struct link {
    struct link *next;
};

struct chunk {
    struct list others; /* the class's; unlinked: current, or full */
    struct link *free;  /* blocks given back */
    char *at;           /* behind the blocks that were cut */
    size_t used;        /* blocks */
};

#define CHUNK_HEAD ((sizeof(struct chunk) + POOL_STEP - 1) / POOL_STEP * POOL_STEP)

#define REGION_CHUNKS 64
#define REGION_BYTES ((size_t)REGION_CHUNKS * POOL_CHUNK)

struct region { /* in place of its first chunk */
    struct list link;
    uint64_t taken; /* a bit for each chunk */
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

static size_t size_of(const struct pool *pool, const struct pool_class *class) {
    return (size_t)(class - pool->classes + 1) * POOL_STEP;
}

static void *start_of(const void *at, size_t length) {
    return (void *)((uintptr_t)at & ~(uintptr_t)(length - 1));
}

static void *map(size_t size) {
    /* cppcheck-suppress invalidFunctionArg ; no file, as MAP_ANONYMOUS wants it */
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        mem_die(size);
    return at;
}

/* Begins at a multiple of its length: of twice as much what lies before and behind goes back. */
static struct region *region_new(struct pool *pool) {
    char *at = map(2 * REGION_BYTES);
    char *start = start_of(at + REGION_BYTES - 1, REGION_BYTES);
    if (start > at)
        munmap(at, (size_t)(start - at));
    munmap(start + REGION_BYTES, (size_t)(at + REGION_BYTES - start));
    struct region *region = (struct region *)start;
    region->taken = 1;
    list_push(&pool->regions, &region->link);
    return region;
}

static struct region *region_with_room(struct pool *pool) {
    if (pool->regions.next == NULL)
        list_init(&pool->regions);
    for (struct list *at = pool->regions.next; at != &pool->regions; at = at->next)
        if (~CONTAINER_OF(at, struct region, link)->taken != 0)
            return CONTAINER_OF(at, struct region, link);
    return region_new(pool);
}

static struct chunk *chunk_new(struct pool *pool) {
    struct region *region = region_with_room(pool);
    int index = __builtin_ctzll(~region->taken);
    struct chunk *chunk = (struct chunk *)((char *)region + (size_t)index * POOL_CHUNK);
    region->taken |= 1ull << index;
    list_init(&chunk->others);
    chunk->free = NULL;
    chunk->at = (char *)chunk + CHUNK_HEAD;
    chunk->used = 0;
    return chunk;
}

static void chunk_free(struct chunk *chunk) {
    struct region *region = start_of(chunk, REGION_BYTES);
    list_remove(&chunk->others);
    region->taken &= ~(1ull << (size_t)((char *)chunk - (char *)region) / POOL_CHUNK);
    if (region->taken > 1) {
        madvise(chunk, POOL_CHUNK, MADV_DONTNEED);
        return;
    }
    list_remove(&region->link);
    munmap(region, REGION_BYTES);
}

static bool has_room(const struct chunk *chunk, size_t size) {
    return chunk->free || chunk->at + size <= (const char *)chunk + POOL_CHUNK;
}

/* The next chunk with room for a block, which is the current one from now on. */
static struct chunk *advance(struct pool *pool, struct pool_class *class) {
    if (class->others.next == NULL)
        list_init(&class->others);
    struct list *node = list_pop(&class->others);
    return class->current = node ? CONTAINER_OF(node, struct chunk, others) : chunk_new(pool);
}

void *pool_alloc(struct pool *pool, size_t n) {
    struct pool_class *class = class_of(pool, n);
    if (class == NULL)
        return mem_alloc(n);
    size_t size = size_of(pool, class);
    struct chunk *chunk = class->current;
    if (chunk == NULL || !has_room(chunk, size))
        chunk = advance(pool, class);
    chunk->used++;
    struct link *block = chunk->free;
    if (block) {
        chunk->free = block->next;
        return block;
    }
    void *fresh = chunk->at;
    chunk->at += size;
    return fresh;
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
    struct chunk *chunk = start_of(block, POOL_CHUNK);
    bool full = !has_room(chunk, size_of(pool, class));
    struct link *link = block;
    link->next = chunk->free;
    chunk->free = link;
    chunk->used--;
    if (chunk == class->current)
        return;
    if (chunk->used == 0)
        chunk_free(chunk);
    else if (full)
        list_push(&class->others, &chunk->others);
}

void pool_fini(struct pool *pool) {
    struct list *node;
    while (pool->regions.next && (node = list_pop(&pool->regions)) != NULL)
        munmap(CONTAINER_OF(node, struct region, link), REGION_BYTES);
    memset(pool, 0, sizeof *pool);
}

/* pool: blocks of small sizes, cut from larger chunks.
 *
 *     class 3 (33..48 bytes):  free -> [ ] -> [ ]      at .... end   (of the newest chunk)
 *
 * For what comes and goes with each request and for what Lua allocates. Against malloc it saves the
 * header of each block, keeps what lives long apart from the garbage that came between, and it
 * serves the many equal objects of one turn, which are more than malloc's per-thread cache holds.
 *
 * Giving back and taking are two or three stores. From time to time pool_trim looks whether whole
 * chunks are among the free blocks, and returns their memory to the system: after its busiest
 * moment a server does not keep what that took. A chunk begins at a multiple of its length, so a
 * block finds its chunk by its address. Chunks lie in regions, which are address space only: what
 * is not used of one takes no memory. One thread only: each loop has one, and each Lua state.
 *
 * Under AddressSanitizer every block is malloc's, so that a use after free is seen. */
#include "base/pool.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct chunk {     /* its first bytes */
    uint32_t free; /* blocks, while they are counted */
};

#define CHUNK_HEAD POOL_STEP /* blocks stay aligned */
#define TRIM_BYTES 65536     /* of free blocks in a class: fewer are not worth a look */

#define REGION_CHUNKS 64
#define REGION_BYTES ((size_t)REGION_CHUNKS * POOL_CHUNK)

struct region { /* in place of its first chunk */
    struct list link;
    uint64_t taken; /* a bit for each chunk */
};

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
    region->taken |= 1ull << index;
    return (struct chunk *)((char *)region + (size_t)index * POOL_CHUNK);
}

static void chunk_free(struct chunk *chunk) {
    struct region *region = start_of(chunk, REGION_BYTES);
    region->taken &= ~(1ull << (size_t)((char *)chunk - (char *)region) / POOL_CHUNK);
    if (region->taken > 1) {
        madvise(chunk, POOL_CHUNK, MADV_DONTNEED);
        return;
    }
    list_remove(&region->link);
    munmap(region, REGION_BYTES);
}

/* --- whole chunks among the free blocks --- */

static struct chunk *chunk_of(const void *block) {
    return start_of(block, POOL_CHUNK);
}

static bool is_whole(const struct chunk *chunk, size_t size) {
    return chunk->free == (POOL_CHUNK - CHUNK_HEAD) / size;
}

/* Returns the chunks without a block in use; the newest one, which is not cut up yet, stays. */
static void return_chunks(struct pool *pool, struct pool_class *class) {
    size_t size = size_of(pool, class);
    struct pool_link *next, *kept = NULL, *last = NULL; /* `last`: of each whole chunk one block */
    for (struct pool_link *at = class->free; at; at = at->next)
        chunk_of(at)->free = 0;
    for (struct pool_link *at = class->free; at; at = at->next)
        chunk_of(at)->free++;
    struct chunk *newest = chunk_of(class->end - 1);
    for (struct pool_link *at = class->free; at; at = next) {
        struct chunk *chunk = chunk_of(at);
        next = at->next;
        bool whole = chunk != newest && is_whole(chunk, size);
        if (whole && (char *)at != (char *)chunk + CHUNK_HEAD) {
            class->nfree--;
            continue;
        }
        class->nfree -= whole;
        struct pool_link **list = whole ? &last : &kept;
        at->next = *list;
        *list = at;
    }
    for (; last; last = next) {
        next = last->next;
        chunk_free(chunk_of(last));
    }
    class->free = kept;
}

/* --- blocks --- */

void *pool_cut(struct pool *pool, size_t n) {
    size_t index = pool_class_of(n);
    if (index >= POOL_CLASSES)
        return mem_alloc(n);
    struct pool_class *class = &pool->classes[index];
    size_t size = size_of(pool, class);
    if ((size_t)(class->end - class->at) < size) {
        struct chunk *chunk = chunk_new(pool);
        class->at = (char *)chunk + CHUNK_HEAD;
        class->end = (char *)chunk + POOL_CHUNK;
    }
    void *block = class->at;
    class->at += size;
    return block;
}

void *pool_resize(struct pool *pool, void *block, size_t old_size, size_t new_size) {
    size_t from = pool_class_of(old_size), to = pool_class_of(new_size);
    if (block == NULL)
        return pool_alloc(pool, new_size);
    if (from >= POOL_CLASSES && to >= POOL_CLASSES)
        return mem_resize(block, new_size);
    if (from == to)
        return block;
    void *moved = pool_alloc(pool, new_size);
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    pool_free(pool, block, old_size);
    return moved;
}

void pool_trim(struct pool *pool) {
    for (int i = 0; i < POOL_CLASSES; i++) {
        struct pool_class *class = &pool->classes[i];
        if (class->nfree * size_of(pool, class) >= TRIM_BYTES)
            return_chunks(pool, class);
    }
}

void pool_fini(struct pool *pool) {
    struct list *node;
    while (pool->regions.next && (node = list_pop(&pool->regions)) != NULL)
        munmap(CONTAINER_OF(node, struct region, link), REGION_BYTES);
    memset(pool, 0, sizeof *pool);
}

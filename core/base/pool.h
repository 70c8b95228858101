/* pool: blocks of small sizes, cut from larger chunks. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/list.h"

#include <stdint.h>

#define POOL_STEP 16    /* sizes are rounded up to a multiple of it */
#define POOL_CLASSES 64 /* so blocks up to 1 KiB come from chunks, larger ones from malloc */
#define POOL_CHUNK 16384

struct link;

struct pool { /* all zeroes: empty */
    struct pool_class {
        struct link *free; /* blocks given back */
        size_t nfree;      /* how many blocks are in `free` */
        char *at, *end;    /* the part of the newest chunk that is not cut into blocks yet */
    } classes[POOL_CLASSES];
    struct list regions;
};

/* Never NULL; not zeroed, aligned to 16. */
void *pool_alloc(struct pool *pool, size_t n);
void *pool_zalloc(struct pool *pool, size_t n);
/* As realloc, with the size that the block has. */
void *pool_resize(struct pool *pool, void *block, size_t old_size, size_t new_size);
/* `n` as it was allocated with. NULL is allowed. */
void pool_free(struct pool *pool, void *block, size_t n);
/* Returns memory that is not used, if there is much: costs a look at every free block. */
void pool_trim(struct pool *pool);
/* Gives all chunks back, whatever is still in use in them; blocks over 1 KiB must have been freed.
 */
void pool_fini(struct pool *pool);

#endif

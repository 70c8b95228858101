/* pool: blocks of small sizes, cut from larger chunks. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/list.h"

#define POOL_STEP 16    /* sizes are rounded up to a multiple of it */
#define POOL_CLASSES 64 /* so blocks up to 1 KiB come from chunks, larger ones from malloc */
#define POOL_CHUNK 16384

struct pool { /* all zeroes: empty */
    struct list regions;
    struct pool_class {
        struct chunk *current; /* where blocks come from; NULL: none has room */
        struct list others;    /* chunks with room */
    } classes[POOL_CLASSES];
};

/* Never NULL; not zeroed, aligned to 16. */
void *pool_alloc(struct pool *pool, size_t n);
void *pool_zalloc(struct pool *pool, size_t n);
/* As realloc, with the size that the block has. */
void *pool_resize(struct pool *pool, void *block, size_t old_size, size_t new_size);
/* `n` as it was allocated with. NULL is allowed. */
void pool_free(struct pool *pool, void *block, size_t n);
/* Gives all chunks back, whatever is still in use in them; blocks over 1 KiB must have been freed.
 */
void pool_fini(struct pool *pool);

#endif

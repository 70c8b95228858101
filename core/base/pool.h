/* pool: small blocks kept for the next who needs one of that size. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

#define POOL_STEP 64      /* sizes are rounded up to a multiple of it */
#define POOL_CLASSES 16   /* larger blocks come from malloc */
#define POOL_KEPT_MAX 128 /* blocks kept of one size */

struct pool { /* all zeroes: empty */
    struct pool_class {
        void *free;
        unsigned count;
    } classes[POOL_CLASSES];
};

/* Never NULL; not zeroed. */
void *pool_alloc(struct pool *pool, size_t n);
void *pool_zalloc(struct pool *pool, size_t n);
/* `n` as it was allocated with. NULL is allowed. */
void pool_free(struct pool *pool, void *block, size_t n);
/* Gives all kept blocks back. */
void pool_fini(struct pool *pool);

#endif

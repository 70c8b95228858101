/* slab: a block of bytes that is only ever appended to, shared by reference. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stdatomic.h>
#include <stdint.h>

struct slab {
    atomic_uint refs;
    uint32_t len, cap; /* of `data`; only its writer looks at them */
    /* What all slabs of one owner take together, this one's cap and header included. */
    atomic_uint_fast64_t *total;
    char data[];
};

/* With one reference, the caller's; counts in `*total` until the last is given back. */
struct slab *slab_new(uint32_t cap, atomic_uint_fast64_t *total);
struct slab *slab_ref(struct slab *slab);
/* From any thread. NULL is allowed. */
void slab_unref(struct slab *slab);

#endif

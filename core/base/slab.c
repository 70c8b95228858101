/* slab: a block of bytes that is only ever appended to, shared by reference.
 *
 * One writer fills it from the front; whoever holds a reference may read what was there when he
 * was told of it, since those bytes never change. So a reader needs no lock while it sends, and
 * memory goes back when the last reader has let go, whatever the writer did meanwhile.
 *
 * References may be taken and given back by any thread. It knows nothing of what its bytes mean. */
#include "base/slab.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>

struct slab *slab_new(uint32_t cap, atomic_uint_fast64_t *total) {
    struct slab *slab = mem_alloc(sizeof *slab + cap);
    slab->refs = 1;
    slab->len = 0;
    slab->cap = cap;
    slab->total = total;
    atomic_fetch_add_explicit(total, sizeof *slab + cap, memory_order_relaxed);
    return slab;
}

struct slab *slab_ref(struct slab *slab) {
    MUST(atomic_load_explicit(&slab->refs, memory_order_relaxed) > 0);
    atomic_fetch_add_explicit(&slab->refs, 1, memory_order_relaxed);
    return slab;
}

void slab_unref(struct slab *slab) {
    MUST(slab == NULL || atomic_load_explicit(&slab->refs, memory_order_relaxed) > 0);
    if (slab == NULL || atomic_fetch_sub_explicit(&slab->refs, 1, memory_order_acq_rel) > 1)
        return;
    atomic_fetch_sub_explicit(slab->total, sizeof *slab + slab->cap, memory_order_relaxed);
    free(slab);
}

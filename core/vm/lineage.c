/* lineage: the generations of one app, of which one answers in the whole process.
 *
 *     1 (answered, ended) --> 2 (answers: `current`) --> 3 (loads in each worker) ...
 *
 * A generation belongs to one worker and knows of the others by this alone: which number answers
 * now, and whom to ask for a newer one. `current` is stored once, by whoever reloads, and from that
 * moment on each request of each worker is the newer one's. It must not know how that comes to be.
 */
#include "vm/lineage.h"

struct lineage_counters lineage_counters;

unsigned lineage_current(const struct lineage *lineage) {
    return atomic_load_explicit(&lineage->current, memory_order_acquire);
}

void lineage_totals(struct lineage_totals *totals) {
    *totals = (struct lineage_totals){
        atomic_load(&lineage_counters.live), atomic_load(&lineage_counters.reloads),
        atomic_load(&lineage_counters.failures), atomic_load(&lineage_counters.expelled)};
}

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

static uint64_t read_count(size_t at) {
    return atomic_load((atomic_uint_fast64_t *)((char *)&lineage_counters + at));
}

#define ROW(name, counter, kind, help)                                                             \
    { name, help, kind, read_count, offsetof(struct lineage_counters, counter) }

const struct counter_row lineage_counter_rows[] = {
    ROW("generations", live, GAUGE, "Versions of apps that live, in all workers."),
    ROW("reloads", reloads, COUNTER, "Reloads that took over."),
    ROW("reloads_failed", failures, COUNTER, "Reloads that did not."),
    ROW("streams_expelled", expelled, COUNTER,
        "Streams that ended since four newer versions lived."),
    {0},
};

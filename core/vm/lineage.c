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

#define ROW(name, counter, kind, metric, label, help)                                              \
    { name, help, kind, read_count, offsetof(struct lineage_counters, counter), metric, label }
#define RELOAD(name, counter, result)                                                              \
    ROW(name, counter, COUNTER, "reloads", "result=\"" result "\"",                                \
        "Reloads, by whether the newer version took over.")

const struct counter_row lineage_counter_rows[] = {
    ROW("generations", live, GAUGE, NULL, NULL, "Versions of apps that live, in all workers."),
    RELOAD("reloads", reloads, "done"),
    RELOAD("reloads_failed", failures, "failed"),
    ROW("streams_expelled", expelled, COUNTER, NULL, NULL,
        "Streams that ended since four newer versions lived."),
    {0},
};

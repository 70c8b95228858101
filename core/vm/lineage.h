/* lineage: the generations of one app, of which one answers in the whole process. */
#ifndef VM_LINEAGE_H
#define VM_LINEAGE_H

#include "base/counter.h"

#include <stdatomic.h>
#include <stdbool.h>

struct lineage;

struct lineage_ops {
    /* Asks for a newer generation. */
    void (*request)(struct lineage *lineage);
    /* A generation has loaded that file, or looked for it. */
    void (*looked)(struct lineage *lineage, const char *path);
};

/* Belongs to whoever makes the generations (serve/reload); read from any thread. */
struct lineage {
    const struct lineage_ops *ops; /* may be called from any thread */
    atomic_uint current;           /* the number of the generation that answers; 0: none does */
    bool watched;                  /* ops->looked wants to be told */
};

/* The number of the generation that answers; 0: none does. */
unsigned lineage_current(const struct lineage *lineage);

/* Of all apps and workers. */
extern struct lineage_counters {
    atomic_uint_fast64_t live;     /* generations that there are */
    atomic_uint_fast64_t reloads;  /* that took over */
    atomic_uint_fast64_t failures; /* that did not */
    atomic_uint_fast64_t expelled; /* streams ended because their generation was too old */
} lineage_counters;
extern const struct counter_row lineage_counter_rows[];

#endif

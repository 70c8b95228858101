/* stats: what the process counts. */
#ifndef BIND_STATS_H
#define BIND_STATS_H

#include "base/counter.h"

/* The tables of all areas; the last one is NULL. No two of their rows have the same name. */
extern const struct counter_row *const stats_tables[];

#endif

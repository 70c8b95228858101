/* count: what is counted of those who look at logs. */
#ifndef LOGS_COUNT_H
#define LOGS_COUNT_H

#include "base/counter.h"

enum logs_count { LOGS_VIEWERS, LOGS_BATCHES, LOGS_BYTES, LOGS_SKIPPED, LOGS_COUNTS };

/* From any thread. */
void logs_count(enum logs_count which, int64_t n);
extern const struct counter_row logs_counter_rows[];

#endif

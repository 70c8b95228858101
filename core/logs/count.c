/* count: the numbers of logs/ that the process shows.
 *
 * Sums over all workers; what files cost, tail/follower counts. It knows nothing of who counts. */
#include "logs/count.h"

static uint64_t counts[LOGS_COUNTS];

void logs_count(enum logs_count which, int64_t n) {
    __atomic_add_fetch(&counts[which], (uint64_t)n, __ATOMIC_RELAXED);
}

static uint64_t read_count(size_t at) {
    return counter_read(&counts[at]);
}

const struct counter_row logs_counter_rows[] = {
    {"logs_viewers", "Viewers of logs.", GAUGE, read_count, LOGS_VIEWERS, NULL, NULL},
    {"logs_batches", "Batches of lines that viewers of logs got.", COUNTER, read_count,
     LOGS_BATCHES, NULL, NULL},
    {"logs_bytes", "Bytes of these batches.", COUNTER, read_count, LOGS_BYTES, "logs_sent_bytes",
     NULL},
    {"logs_skipped", "Lines that viewers of logs were moved past, being behind.", COUNTER,
     read_count, LOGS_SKIPPED, NULL, NULL},
    {0},
};

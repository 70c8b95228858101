/* stall: what readers that read no more do to a server and to those who go on reading.
 *
 *   stall PORT PID READERS DEAF together|apart stay|go
 *
 *   publish until the topic is full -> READERS -> publish, measure
 *   -> DEAF more, who get the head and read no more -> memory -> publish until they are stalled
 *   -> publish, measure again, memory at times -> the deaf must still be there,
 *      unless the server may end their streams (go)
 *
 * The topic is filled up to its retention first, so that what it holds is in all figures of memory
 * alike. Deaf readers have the least receive buffer there is, so some twenty kilobytes stall them;
 * they get some hundreds. Latency is a delivery's, from before the publish is sent until the client
 * has read the whole event, in the same closed loop with and without deaf readers, and the readers
 * whose latency counts are the same. Prints four numbers: MiB that the deaf readers added at most
 * after they were subscribed, the 99th percentile of latency with them as a multiple of that
 * without, and both in microseconds. Memory is that of PID.
 */
#include "audience.h"
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA_SIZE 1000
#define FILLING 1100 /* events: beyond a topic's default retention */
#define STALLING 320 /* events: beyond what the kernel takes for a deaf reader */
#define MEASURED 100 /* publishes of one event */
#define BURST 20     /* events at once where nothing is measured */
#define SAMPLE 10    /* publishes between two looks at memory */

struct bench {
    struct audience audience;
    uint32_t readers; /* who read */
    uint32_t published;
    bool in_one;
    pid_t pid;
    long memory; /* the most there has been since it was last set */
};

static void publish(struct bench *bench, uint32_t count) {
    struct audience *audience = &bench->audience;

    audience_publish(audience, 0, bench->published, count, bench->in_one);
    audience_await(audience, audience->delivered + (uint64_t)count * bench->readers);
    bench->published += count;
}

static void publish_bursts(struct bench *bench, uint32_t count) {
    for (uint32_t i = 0; i < count; i += BURST)
        publish(bench, BURST);
}

static void look(struct bench *bench) {
    long memory = rig_memory(bench->pid);

    if (memory > bench->memory)
        bench->memory = memory;
}

/* Before there are readers: what is published then costs little. */
static void fill(struct bench *bench) {
    uint32_t readers = bench->readers;

    bench->readers = 0;
    publish_bursts(bench, FILLING);
    bench->readers = readers;
}

/* The 99th percentile of latency, in microseconds. */
static double measure(struct bench *bench) {
    static uint32_t latencies[LATENCY_BUCKETS];
    double p99;

    bench->audience.latencies = latencies;
    for (uint32_t i = 0; i < MEASURED; i++) {
        publish(bench, 1);
        if (i % SAMPLE == 0)
            look(bench);
    }
    p99 = audience_latency(&bench->audience, 0.99);
    bench->audience.latencies = NULL;
    return p99;
}

int main(int argc, char **argv) {
    static struct bench bench;
    struct opening opening = {0};
    double alone, beside;
    uint32_t deaf;
    long before;

    if (argc != 7)
        rig_fail("usage: stall PORT PID READERS DEAF together|apart stay|go");
    bench.pid = (pid_t)rig_number(argv[2], "PID", 1, INT32_MAX);
    bench.in_one = strcmp(argv[5], "together") == 0;
    deaf = (uint32_t)rig_number(argv[4], "DEAF", 1, 100000);
    bench.readers = (uint32_t)rig_number(argv[3], "READERS", 1, 100000);
    audience_init(&bench.audience, (int)rig_number(argv[1], "PORT", 1, 65535), bench.readers + deaf,
                  1, DATA_SIZE);

    fill(&bench);
    opening.next = bench.published;
    audience_open(&bench.audience, bench.readers, opening);
    publish_bursts(&bench, BURST);
    alone = measure(&bench);

    opening = (struct opening){.next = bench.published, .is_deaf = true};
    audience_open(&bench.audience, bench.readers + deaf, opening);
    before = rig_memory(bench.pid);
    bench.memory = 0;
    publish_bursts(&bench, STALLING);
    beside = measure(&bench);
    if (strcmp(argv[6], "stay") == 0)
        audience_check_deaf(&bench.audience);
    printf("%.3f %.3f %.0f %.0f\n", (double)(bench.memory - before) / (1 << 20), beside / alone,
           alone, beside);
    return 0;
}

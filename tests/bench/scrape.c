/* scrape: what it costs a server under load that its admin port is asked each second.
 *
 *   scrape PORT PID ADMIN READERS TOPICS BLOCKS [PATH TEXT]...
 *
 *   publish to all topics -> all readers have it -> publish ...        without a pause
 *   a block:  | ask | nothing | nothing | ask |                        a second each
 *
 * What changes on the machine from one second to the next is larger than what is looked for. So both
 * sides of the ratio are seconds of one run of one server, in an order in which what drifts meets
 * both alike, and each block gives a ratio of its own. As asked counts a second at whose beginning
 * each PATH of port ADMIN is asked for, one after the other, on a connection of its own as curl has
 * it; the second lasts until the last answer is there. An answer that is not a whole 200 with TEXT
 * in it ends the program. Without a PATH both sides are the same: what it prints then is its error.
 *
 * Before, with all readers there and nothing published, it asks too, and reads the server's CPU clock
 * around it: that figure is quiet, and knows nothing of what waits for locks and caches.
 *
 * Prints the median of the blocks' ratios of CPU per delivery; of that, in thousandths, where its
 * median lies with a probability of 95 %, from and to; the median ratio of deliveries a second,
 * in thousandths; microseconds of the server's CPU that asking took while all was quiet; the median
 * and the longest time of an answer under load, in microseconds; and the percentage of the time in
 * which the server was on a CPU.
 */
#include "audience.h"
#include "rig.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define DATA_SIZE 100
#define BLOCKS_MAX 1000
#define QUIET 20 /* times that it asks before */
#define SECOND 1000000000u
#define ANSWER_MAX 4000000
#define PATIENCE 20 /* seconds */

/* Who asks, on a thread of its own: the audience's never waits. */
struct scraper {
    int port, count;
    char **asked; /* a path and a text each */
    sem_t wanted, done;
    double *latencies; /* microseconds */
    size_t answers;
};

struct bench {
    struct audience audience;
    struct scraper scraper;
    pid_t pid;
    uint32_t number; /* of the event that is next in every topic */
};

/* What some seconds took. */
struct span {
    double cpu, wall, deliveries;
};

/* --- asking --- */

static int connect_patiently(int port) {
    struct timeval patience = {PATIENCE, 0};
    int fd = rig_connect(port);

    if (fcntl(fd, F_SETFL, 0) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        rig_fail("cannot set up a connection: %m");
    return fd;
}

/* All that comes, until the connection ends; with a NUL. */
static size_t read_all(int fd, char *answer) {
    size_t size = 0;
    ssize_t got;

    while ((got = read(fd, answer + size, ANSWER_MAX - size)) > 0)
        size += (size_t)got;
    if (got < 0 || size == ANSWER_MAX)
        rig_fail("the admin port gives no answer, or one without an end: %m");
    answer[size] = '\0';
    return size;
}

static void check(const char *path, const char *text, const char *answer, size_t size) {
    static const char name[] = "\r\ncontent-length:";
    const char *length = strcasestr(answer, name), *body = strstr(answer, "\r\n\r\n");
    size_t head = body ? (size_t)(body - answer) + 4 : size;

    if (strncmp(answer, "HTTP/1.1 200 ", 13) != 0)
        rig_fail("%s: not a 200:\n%.300s", path, answer);
    if (!length || strtoul(strchr(length, ':') + 1, NULL, 10) != size - head)
        rig_fail("%s: an answer of %zu bytes that is not whole", path, size);
    if (!strstr(answer + head, text))
        rig_fail("%s: no '%s' in\n%.1000s", path, text, answer + head);
}

static void ask(int port, const char *path, const char *text) {
    static char answer[ANSWER_MAX + 1];
    char request[512];
    int fd = connect_patiently(port);
    int size =
        snprintf(request, sizeof request,
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n", path, port);

    if (write(fd, request, (size_t)size) != size)
        rig_fail("the admin port does not take a request: %m");
    check(path, text, answer, read_all(fd, answer));
    close(fd);
}

static void ask_all(struct scraper *scraper) {
    for (int i = 0; i < scraper->count; i++) {
        uint64_t began = rig_now();

        ask(scraper->port, scraper->asked[2 * i], scraper->asked[2 * i + 1]);
        scraper->latencies[scraper->answers++] = (double)(rig_now() - began) / 1000;
    }
}

static void *scrape(void *arg) {
    struct scraper *scraper = arg;

    for (;;) {
        sem_wait(&scraper->wanted);
        ask_all(scraper);
        sem_post(&scraper->done);
    }
    return NULL;
}

/* --- the load --- */

static void publish(struct bench *bench) {
    struct audience *audience = &bench->audience;

    for (uint32_t topic = 0; topic < audience->topics; topic++)
        audience_publish(audience, topic, bench->number, 1, true);
    bench->number++;
    audience_await(audience, audience->delivered + audience->opened);
}

static void add_second(struct bench *bench, bool asks, struct span *span) {
    uint64_t cpu = rig_cpu(bench->pid), began = rig_now(), delivered = bench->audience.delivered;

    if (asks)
        sem_post(&bench->scraper.wanted);
    do
        publish(bench);
    while (rig_now() - began < SECOND || (asks && sem_trywait(&bench->scraper.done) != 0));
    span->cpu += (double)(rig_cpu(bench->pid) - cpu);
    span->wall += (double)(rig_now() - began);
    span->deliveries += (double)(bench->audience.delivered - delivered);
}

static void add_block(struct bench *bench, struct span *asked, struct span *alone) {
    add_second(bench, true, asked);
    add_second(bench, false, alone);
    add_second(bench, false, alone);
    add_second(bench, true, asked);
}

/* --- figures --- */

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts them. */
static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_size);
    return count ? (values[(count - 1) / 2] + values[count / 2]) / 2 : 0;
}

/* Microseconds of CPU that asking takes while nothing is published. */
static double measure_quiet(struct bench *bench) {
    double costs[QUIET];

    rig_mark();
    for (int i = 0; i < QUIET; i++) {
        uint64_t cpu = rig_cpu(bench->pid);

        ask_all(&bench->scraper);
        costs[i] = (double)(rig_cpu(bench->pid) - cpu) / 1000;
    }
    rig_mark();
    bench->scraper.answers = 0;
    return median(costs, QUIET);
}

static void measure(struct bench *bench, int blocks) {
    static double cpu[BLOCKS_MAX], rate[BLOCKS_MAX];
    struct scraper *scraper = &bench->scraper;
    struct span both = {0};
    double quiet = measure_quiet(bench), slowest = 0;

    add_block(bench, &both, &both); /* to warm up */
    scraper->answers = 0;
    both = (struct span){0};
    for (int i = 0; i < blocks; i++) {
        struct span asked = {0}, alone = {0};

        add_block(bench, &asked, &alone);
        cpu[i] = asked.cpu / asked.deliveries / (alone.cpu / alone.deliveries);
        rate[i] = asked.deliveries / asked.wall / (alone.deliveries / alone.wall);
        both.cpu += asked.cpu + alone.cpu;
        both.wall += asked.wall + alone.wall;
    }
    double middle = median(cpu, (size_t)blocks),
           typical = median(scraper->latencies, scraper->answers);
    int off = (int)floor(blocks / 2.0 - 0.98 * sqrt(blocks)); /* of a binomial distribution */

    off = off > 0 ? off : 0;
    if (scraper->answers)
        slowest = scraper->latencies[scraper->answers - 1];
    if (scraper->answers != (size_t)(2 * blocks * scraper->count))
        rig_fail("%zu answers", scraper->answers);
    printf("%.4f %.1f %.1f %.1f %.0f %.0f %.0f %.0f\n", middle, 1000 * cpu[off],
           1000 * cpu[blocks - 1 - off], 1000 * median(rate, (size_t)blocks), quiet, typical,
           slowest, 100 * both.cpu / both.wall);
}

static void start(struct scraper *scraper, int port, int count, char **asked) {
    pthread_t thread;

    *scraper = (struct scraper){.port = port, .count = count, .asked = asked};
    scraper->latencies =
        calloc((size_t)(2 * BLOCKS_MAX + QUIET) * (size_t)(count + 1), sizeof(double));
    if (!scraper->latencies || sem_init(&scraper->wanted, 0, 0) || sem_init(&scraper->done, 0, 0) ||
        pthread_create(&thread, NULL, scrape, scraper) != 0)
        rig_fail("cannot start the thread that asks");
}

int main(int argc, char **argv) {
    struct bench bench = {0};

    if (argc < 7 || argc % 2 == 0)
        rig_fail("usage: scrape PORT PID ADMIN READERS TOPICS BLOCKS [PATH TEXT]...");
    uint32_t readers = (uint32_t)rig_number(argv[4], "READERS", 1, 1000000);
    uint32_t topics = (uint32_t)rig_number(argv[5], "TOPICS", 1, 100);

    bench.pid = (pid_t)rig_number(argv[2], "PID", 1, INT32_MAX);
    if (readers % topics)
        rig_fail("READERS must be a multiple of TOPICS");
    audience_init(&bench.audience, (int)rig_number(argv[1], "PORT", 1, 65535), readers, topics,
                  DATA_SIZE);
    audience_open(&bench.audience, readers, (struct opening){0});
    start(&bench.scraper, (int)rig_number(argv[3], "ADMIN", 1, 65535), (argc - 7) / 2, argv + 7);
    measure(&bench, (int)rig_number(argv[6], "BLOCKS", 1, BLOCKS_MAX));
    return 0;
}

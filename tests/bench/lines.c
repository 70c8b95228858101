/* lines: appends numbered lines to a log that viewers follow, and reads the server's CPU clock.
 *
 *   lines PORT PID PATH LOG VIEWERS RATE LINES
 *
 *   first line -> open VIEWERS, each asks for PATH -> each has that line: all are live
 *   -> each millisecond the lines that are due, in one write -> ... -> LINES -> all have all
 *
 * A line has 100 bytes: the time, a level and the data that audience.c checks, so that each line is
 * checked for each viewer: whole, in order, once. A gap is a number that is missing, and fails. Before
 * it counts it appends for a tenth as long. Lines are written at RATE a second, but not while one of
 * the viewers is AHEAD_MOST of them behind: where the machine is too slow for all of it, the rate is
 * what suffers, and is told.
 *
 * Prints four numbers: nanoseconds of PID's CPU for each line of each viewer, the lines a second that
 * were reached, the bytes that PID has read by any call in percent of those that were appended, and
 * the most MiB of memory that it had. */
#include "audience.h"
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE 100
#define HEAD 30 /* "2026-01-31T12:00:00.000Z info " */
#define DATA (LINE - HEAD - 1)
#define AT_ONCE_MOST 1000
#define AHEAD_MOST 5000
#define MILLISECOND 1000000u
#define SAMPLE 100 /* milliseconds between two looks at memory */

struct bench {
    struct audience audience;
    pid_t pid;
    int log;
    uint32_t viewers, written; /* lines */
    uint64_t rate;
    long memory; /* the most that was seen */
};

static void write_head(char *out) {
    struct timespec now;
    struct tm parts;
    char text[HEAD + 1];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + size, sizeof text - size, ".%03uZ info ",
             (unsigned)(now.tv_nsec / MILLISECOND) % 1000);
    memcpy(out, text, HEAD);
}

static void append(struct bench *bench, uint32_t count) {
    static char bytes[AT_ONCE_MOST * LINE];
    char *at = bytes;

    for (uint32_t i = 0; i < count; i++, at += LINE) {
        write_head(at);
        audience_write(&bench->audience, bench->written++, at + HEAD);
        at[LINE - 1] = '\n';
    }
    if (write(bench->log, bytes, count * LINE) != (ssize_t)(count * LINE))
        rig_fail("cannot append to the log: %m");
}

/* How many lines are due and may be written. */
static uint32_t count_due(const struct bench *bench, uint64_t due) {
    uint64_t count = due - bench->written;
    uint32_t behind = bench->written - audience_slowest(&bench->audience);

    if (behind >= AHEAD_MOST)
        return 0;
    return (uint32_t)(count < AT_ONCE_MOST ? count : AT_ONCE_MOST);
}

static void look_at_memory(struct bench *bench) {
    long bytes = rig_memory(bench->pid);

    if (bytes > bench->memory)
        bench->memory = bytes;
}

/* Appends `lines` lines at the rate; returns when each viewer has them all. */
static void run(struct bench *bench, uint32_t lines) {
    uint32_t first = bench->written, end = first + lines;
    uint64_t began = rig_now(), ticks = 0;

    while (bench->written < end) {
        uint64_t passed = rig_now() - began;
        uint64_t due = first + passed / 1000 * bench->rate / 1000000;

        if (passed / MILLISECOND > ticks) {
            append(bench, count_due(bench, due < end ? due : end));
            if (passed / MILLISECOND / SAMPLE > ticks / SAMPLE)
                look_at_memory(bench);
            ticks = passed / MILLISECOND;
        }
        audience_attend(&bench->audience);
    }
    audience_await(&bench->audience, (uint64_t)end * bench->viewers);
}

/* Bytes that the server has read, by whatever call but those of sockets alone. */
static uint64_t read_bytes(pid_t pid) {
    char path[64];
    unsigned long long bytes;

    snprintf(path, sizeof path, "/proc/%ld/io", (long)pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "rchar: %llu", &bytes) != 1)
        rig_fail("cannot read %s: %m", path);
    fclose(file);
    return bytes;
}

/* They have the log's last line when they are live. */
static void open_viewers(struct bench *bench, const char *path) {
    append(bench, 1);
    audience_open(&bench->audience, bench->viewers, (struct opening){.path = path});
    audience_await(&bench->audience, bench->viewers);
}

static void measure(struct bench *bench, uint32_t lines) {
    double delivered = (double)lines * bench->viewers;

    rig_mark();
    uint64_t read = read_bytes(bench->pid), cpu = rig_cpu(bench->pid), wall = rig_now();
    run(bench, lines);
    cpu = rig_cpu(bench->pid) - cpu;
    wall = rig_now() - wall;
    read = read_bytes(bench->pid) - read;
    rig_mark();
    printf("%.2f %.0f %.1f %.1f\n", (double)cpu / delivered, lines * 1e9 / (double)wall,
           100.0 * (double)read / ((double)lines * LINE), (double)bench->memory / (1 << 20));
}

int main(int argc, char **argv) {
    static struct bench bench;

    if (argc != 8)
        rig_fail("usage: lines PORT PID PATH LOG VIEWERS RATE LINES");
    bench.pid = (pid_t)rig_number(argv[2], "PID", 1, INT32_MAX);
    bench.viewers = (uint32_t)rig_number(argv[5], "VIEWERS", 1, 100000);
    bench.rate = (uint64_t)rig_number(argv[6], "RATE", 1000, 10000000);
    uint32_t lines = (uint32_t)rig_number(argv[7], "LINES", 10, 50000000);
    bench.log = open(argv[4], O_WRONLY | O_APPEND | O_CLOEXEC);
    if (bench.log < 0)
        rig_fail("cannot append to %s: %m", argv[4]);
    audience_init(&bench.audience, (int)rig_number(argv[1], "PORT", 1, 65535), bench.viewers, 0,
                  DATA);
    open_viewers(&bench, argv[3]);
    run(&bench, lines / 10);
    measure(&bench, lines);
    return 0;
}

/* paced: ordinary clients, who ask now and then.
 *
 *   paced PORT CONNECTIONS PER_SECOND SECONDS
 *
 * Asks GET / on each of CONNECTIONS kept-alive connections in turn, PER_SECOND times a second in
 * all, whether or not the server keeps up: a request that could not be sent in time is late from
 * when it was due. Prints two numbers: the 99th percentile of latency in microseconds, and requests
 * a second. An answer that is not a 200, or none within ten seconds, ends it.
 */
#include "rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void wait_until(uint64_t due) {
    struct timespec at = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* It waits ten seconds for an answer, and no longer. */
static void make_patient(int fd) {
    struct timeval patience = {10, 0};
    if (fcntl(fd, F_SETFL, 0) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
        rig_fail("cannot set up a connection: %m");
}

/* Answers are small and come whole: one without its end is read on. */
static void ask(int fd) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
                      body[] = "\r\n\r\nhello";
    char answer[4096];
    size_t got = 0, end = sizeof body - 1;
    if (write(fd, request, sizeof request - 1) != (ssize_t)(sizeof request - 1))
        rig_fail("a request could not be sent");
    do {
        ssize_t n = read(fd, answer + got, sizeof answer - got);
        if (n <= 0)
            rig_fail("no answer");
        got += (size_t)n;
    } while (got < end || memcmp(answer + got - end, body, end) != 0);
    if (memcmp(answer, "HTTP/1.1 200 ", 13) != 0)
        rig_fail("an answer that is not a 200");
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    int fds[1000];
    if (argc != 5)
        rig_fail("usage: paced PORT CONNECTIONS PER_SECOND SECONDS");
    int port = (int)rig_number(argv[1], "PORT", 1, 65535);
    size_t connections = (size_t)rig_number(argv[2], "CONNECTIONS", 1, 1000);
    uint64_t rate = (uint64_t)rig_number(argv[3], "PER_SECOND", 1, 100000);
    size_t count = (size_t)(rate * (uint64_t)rig_number(argv[4], "SECONDS", 1, 1000));
    uint64_t *latencies = calloc(count, sizeof *latencies);
    for (size_t i = 0; i < connections; i++)
        make_patient(fds[i] = rig_connect(port));
    uint64_t start = rig_now();
    for (size_t i = 0; i < count; i++) {
        uint64_t due = start + i * 1000000000u / rate;
        wait_until(due);
        ask(fds[i % connections]);
        latencies[i] = rig_now() - due;
    }
    double seconds = (double)(rig_now() - start) / 1e9;
    qsort(latencies, count, sizeof *latencies, by_size);
    printf("%.1f %.0f\n", (double)latencies[count * 99 / 100] / 1000, (double)count / seconds);
    free(latencies);
    return 0;
}

/* return: clients that all come back at once, each with what it missed.
 *
 *   return PORT PID CLIENTS EVENTS together|apart
 *
 *   a first event, whose id is learnt -> EVENTS more that nobody hears
 *   -> CLIENTS connect -> all ask at once, with Last-Event-ID -> each has EVENTS -> all leave
 *   -> once more, and again: PASSES times
 *
 * As after a network's failure: connections come at once, and each has the same to catch up. The
 * first pass warms up; of the others the clocks are read from the first request to the last event,
 * so that connecting is not measured. Events have 100 bytes of data, as those of fan.c. Prints
 * three numbers: microseconds of PID's CPU per delivered event, deliveries per second, and the
 * percentage of the time in which PID was on a CPU.
 */
#include "audience.h"
#include "rig.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATA_SIZE 100
#define PASSES 4
#define BATCH 100 /* events published at a time */
#define PATIENCE 10000

/* The id in what a stream has sent up to the end of its first event, or NULL if it is not whole. */
static char *find_id(char *stream) {
    char *event = strchr(stream, '#'), *end = event ? strstr(event, "\n\n") : NULL;
    char *id = NULL;

    if (!end)
        return NULL;
    for (char *line = strstr(stream, "\nid:"); line && line < end; line = strstr(line, "\nid:"))
        id = line += 4;
    if (id) {
        id += strspn(id, " ");
        id[strcspn(id, "\r\n")] = '\0';
    } else {
        rig_fail("an event has no id:\n%s", stream);
    }
    return id;
}

/* Subscribes to topic t0, publishes event 0 and returns its id. */
static char *learn_id(struct audience *audience) {
    static char stream[8192];
    struct pollfd readable = {.fd = rig_connect(audience->port), .events = POLLIN};
    size_t size = 0;
    bool is_published = false;
    char *id = NULL;

    rig_reset_on_close(readable.fd);
    dprintf(readable.fd,
            "GET /events?topic=t0 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
            "Accept: text/event-stream\r\n\r\n",
            audience->port);
    while (!id) {
        ssize_t got = poll(&readable, 1, PATIENCE) == 1
                          ? read(readable.fd, stream + size, sizeof stream - 1 - size)
                          : 0;

        if (got <= 0)
            rig_fail("no event with an id:\n%s", stream);
        stream[size += (size_t)got] = '\0';
        if (!is_published && strstr(stream, "\r\n\r\n")) {
            audience_publish(audience, 0, 0, 1, true);
            is_published = true;
        }
        id = find_id(stream);
    }
    close(readable.fd);
    return id;
}

int main(int argc, char **argv) {
    struct audience audience;
    struct opening opening = {.next = 1};
    uint64_t cpu = 0, wall = 0, deliveries;
    uint32_t clients, events;
    pid_t pid;

    if (argc != 6)
        rig_fail("usage: return PORT PID CLIENTS EVENTS together|apart");
    pid = (pid_t)rig_number(argv[2], "PID", 1, INT32_MAX);
    clients = (uint32_t)rig_number(argv[3], "CLIENTS", 1, 100000);
    events = (uint32_t)rig_number(argv[4], "EVENTS", BATCH, 1000000);
    audience_init(&audience, (int)rig_number(argv[1], "PORT", 1, 65535), clients, 1, DATA_SIZE);
    opening.last_id = learn_id(&audience);
    for (uint32_t i = 1; i <= events; i += BATCH) {
        audience_publish(&audience, 0, i, BATCH, strcmp(argv[5], "together") == 0);
        audience_await(&audience, 0);
    }

    for (int pass = 0; pass < PASSES; pass++) {
        uint64_t cpu_before, wall_before;

        audience_connect(&audience, clients);
        cpu_before = rig_cpu(pid);
        wall_before = rig_now();
        audience_request(&audience, opening);
        audience_await(&audience, audience.delivered + (uint64_t)clients * events);
        if (pass > 0) {
            cpu += rig_cpu(pid) - cpu_before;
            wall += rig_now() - wall_before;
        }
        audience_close(&audience);
    }
    deliveries = (uint64_t)(PASSES - 1) * clients * events;
    printf("%.4f %.0f %.0f\n", (double)cpu / 1e3 / (double)deliveries,
           (double)deliveries * 1e9 / (double)wall, 100.0 * (double)cpu / (double)wall);
    return 0;
}

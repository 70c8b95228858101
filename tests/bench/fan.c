/* fan: publishes to subscribers and reads the server's CPU clock.
 *
 *   fan PORT PID READERS TOPICS PUBLISHES BURST together|apart
 *
 *   open READERS -> publish BURST events to a topic -> each of its readers has them, the publish
 *   has its answer -> publish to the next topic -> ... -> PUBLISHES times
 *
 * A closed loop with one publish under way. Before it counts it publishes for a tenth as long, to
 * every topic once at least. The events of a burst are sent in one request (together) or, to a
 * server that takes only one event in each, in as many requests in one write (apart). Events have
 * 100 bytes of data: with id and framing some 150 bytes leave the server, and a name or two, a
 * number and a time in JSON are about that. Prints three numbers: microseconds of PID's CPU per
 * delivery, deliveries per second, and the percentage of the time in which PID was on a CPU.
 */
#include "audience.h"
#include "rig.h"

#include <stdio.h>
#include <string.h>

#define DATA_SIZE 100

/* Of all publishes number `first` to `end - 1`; each topic has equally many readers. */
static void publish(struct audience *audience, uint32_t first, uint32_t end, uint32_t burst,
                    bool in_one) {
    uint32_t share = audience->opened / audience->topics;

    for (uint32_t i = first; i < end; i++) {
        uint32_t number = i / audience->topics * burst;

        audience_publish(audience, i % audience->topics, number, burst, in_one);
        audience_await(audience, audience->delivered + (uint64_t)burst * share);
    }
}

int main(int argc, char **argv) {
    struct audience audience;
    uint32_t readers, topics, publishes, warming, burst;
    uint64_t cpu, wall, deliveries;
    pid_t pid;
    bool in_one;

    if (argc != 8)
        rig_fail("usage: fan PORT PID READERS TOPICS PUBLISHES BURST together|apart");
    pid = (pid_t)rig_number(argv[2], "PID", 1, INT32_MAX);
    readers = (uint32_t)rig_number(argv[3], "READERS", 1, 1000000);
    topics = (uint32_t)rig_number(argv[4], "TOPICS", 1, readers);
    publishes = (uint32_t)rig_number(argv[5], "PUBLISHES", 10, 10000000);
    burst = (uint32_t)rig_number(argv[6], "BURST", 1, 1000);
    in_one = strcmp(argv[7], "together") == 0;
    if (readers % topics)
        rig_fail("READERS must be a multiple of TOPICS");
    audience_init(&audience, (int)rig_number(argv[1], "PORT", 1, 65535), readers, topics,
                  DATA_SIZE);
    audience_open(&audience, readers, (struct opening){0});

    warming = publishes / 10 > topics ? publishes / 10 : topics;
    publish(&audience, 0, warming, burst, in_one);
    deliveries = audience.delivered;
    rig_mark();
    cpu = rig_cpu(pid);
    wall = rig_now();
    publish(&audience, warming, warming + publishes, burst, in_one);
    cpu = rig_cpu(pid) - cpu;
    wall = rig_now() - wall;
    rig_mark();
    deliveries = audience.delivered - deliveries;
    printf("%.4f %.0f %.0f\n", (double)cpu / 1e3 / (double)deliveries,
           (double)deliveries * 1e9 / (double)wall, 100.0 * (double)cpu / (double)wall);
    return 0;
}

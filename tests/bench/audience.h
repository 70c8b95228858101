/* audience: the subscribers of a row and the one who publishes to them. */
#ifndef BENCH_AUDIENCE_H
#define BENCH_AUDIENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LATENCY_BUCKETS 1000000 /* of 10 microseconds each */

struct audience {
    int port;
    int epoll;
    struct reader *readers;
    uint32_t room, opened; /* readers there may be, and are */
    uint32_t started;      /* of those, the ones whose head has come */
    uint32_t topics;       /* reader number i has topic number i % topics; 0: nobody publishes */
    char *data;            /* of the event that was looked at last, and the number in it */
    size_t data_size;
    uint32_t data_number;
    uint64_t delivered; /* events, to all readers together */
    int publisher;
    char *request; /* the publisher's */
    uint32_t due;  /* answers that it waits for */
    char answers[8192];
    size_t answered; /* bytes in them */
    uint64_t published_at;
    uint32_t *latencies; /* deliveries by 10 microseconds since published_at; NULL: not wanted */
};

/* How readers are opened. */
struct opening {
    const char *path;    /* what they ask for; NULL: their topic */
    const char *last_id; /* their Last-Event-ID, or NULL */
    uint32_t next;       /* the number of the first event that they are to get */
    bool is_deaf;        /* having got the head they read no more, and little fits in between */
};

/* An audience of up to `room` for events of `data_size` bytes of data; without topics, of one who
 * does not publish over HTTP. */
void audience_init(struct audience *audience, int port, uint32_t room, uint32_t topics,
                   size_t data_size);
/* Opens readers until there are `count`; returns when each has its head, that is, is subscribed. */
void audience_open(struct audience *audience, uint32_t count, struct opening opening);
/* Connects readers until there are `count`, and lets `audience_request` ask for all at once. */
void audience_connect(struct audience *audience, uint32_t count);
void audience_request(struct audience *audience, struct opening opening);
/* Ends all readers. */
void audience_close(struct audience *audience);
/* Publishes events `first` to `first + count - 1` of a topic: in one request, a line each, or in
 * one request each, all sent together. Returns when they are sent. */
void audience_publish(struct audience *audience, uint32_t topic, uint32_t first, uint32_t count,
                      bool in_one);
/* Reads until the readers have got `deliveries` events since the start and each publish has its
 * answer. Fails when an event is wrong, comes twice or late, or not at all. */
void audience_await(struct audience *audience, uint64_t deliveries);
/* Reads what has come, without waiting; fails when nothing has for too long. */
void audience_attend(struct audience *audience);
/* The number of the event that the reader waits for who is the furthest behind. */
uint32_t audience_slowest(const struct audience *audience);
/* Writes the data of event `number`, data_size bytes. */
void audience_write(struct audience *audience, uint32_t number, char *out);
/* Fails if a deaf reader's connection has ended. */
void audience_check_deaf(const struct audience *audience);
/* The latency in microseconds that `share` of the deliveries had at most; forgets them all. */
double audience_latency(struct audience *audience, double share);

#endif

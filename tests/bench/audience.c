/* audience: thousands of subscribers that check what they get, in one thread.
 *
 *   reader:     connect -> GET, Chromium's headers -> head is a 200 of SSE -> subscribed
 *               -> "#00000000 ..." -> "#00000001 ..." -> ... each whole, in order, once
 *   publisher:  POST with lines "#00000007 ..." -> 2xx -> the next
 *
 * An event's data begins with # and its number in its topic; the rest is always the same. A reader
 * knows the number it waits for and how much of that data has come, and compares what arrives with
 * what has to arrive: a # elsewhere, a wrong number or a wrong byte ends the program, a missing
 * event lets it stall, which ends it too. So each delivery is checked, at the price of a memchr
 * over the framing (ids and heartbeats have no #) and a memcmp. What is not checked is the framing
 * itself.
 *
 * Without a topic they follow something else, to which the program of that row adds the data in its
 * own way (lines): then there is no publisher, and where an event is spoken of it is that data.
 *
 * It polls without sleeping, for the reason that load.c gives, and reads one buffer at a time from
 * whoever has something: the reader's own state is sixteen bytes. The readers' end is a reset.
 *
 * Simplified as the other programs of the bench are: a response's head comes in one piece, and the
 * answers to a publisher have a Content-Length.
 */
#include "audience.h"
#include "chromium.h"
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 256
#define OPENING_MAX 128 /* readers between connect and their head */
#define STALL_SECONDS 20
#define PUBLISHER UINT32_MAX /* its number among what epoll watches */
#define REQUEST_MAX 1000000
#define NUMBER 9 /* bytes of "#00000000" */

struct reader {
    int fd;
    uint32_t next;  /* the number of the event it waits for */
    uint32_t place; /* bytes of that event's data that have come */
    bool is_started;
    bool is_deaf;
};

void audience_init(struct audience *audience, int port, uint32_t room, uint32_t topics,
                   size_t data_size) {
    *audience =
        (struct audience){.port = port, .room = room, .topics = topics, .data_size = data_size};
    audience->epoll = rig_epoll();
    audience->readers = calloc(room, sizeof *audience->readers);
    audience->data = malloc(data_size + 1);
    audience->request = malloc(REQUEST_MAX);
    if (!audience->readers || !audience->data || !audience->request || data_size <= NUMBER)
        rig_fail("no memory for %u readers", room);
    memset(audience->data, 'x', data_size);
    memcpy(audience->data, "#00000000 ", NUMBER + 1);
    if (topics == 0)
        return;
    audience->publisher = rig_connect(port);
    rig_watch(audience->epoll, audience->publisher, PUBLISHER);
}

/* The data of event `number`; valid until that of another one is asked for. */
static const char *show_data(struct audience *audience, uint32_t number) {
    if (number != audience->data_number) {
        uint32_t rest = audience->data_number = number;

        for (int digit = NUMBER - 1; digit > 0; digit--, rest /= 10)
            audience->data[digit] = (char)('0' + rest % 10);
    }
    return audience->data;
}

void audience_write(struct audience *audience, uint32_t number, char *out) {
    memcpy(out, show_data(audience, number), audience->data_size);
}

static void connect_reader(struct audience *audience, bool is_deaf) {
    struct reader *reader = &audience->readers[audience->opened];

    reader->fd = is_deaf ? rig_connect_narrow(audience->port) : rig_connect(audience->port);
    reader->is_deaf = is_deaf;
    rig_reset_on_close(reader->fd);
    rig_watch(audience->epoll, reader->fd, audience->opened++);
}

static void request_stream(struct audience *audience, uint32_t number, struct opening opening) {
    struct reader *reader = &audience->readers[number];
    char path[64], request[1024];

    if (!opening.path)
        snprintf(path, sizeof path, "/events?topic=t%u%s", number % audience->topics,
                 reader->is_deaf ? "&deaf" : "");
    int size =
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" CHROMIUM_HEADERS "%s%s%s\r\n",
                 opening.path ? opening.path : path, audience->port, audience->port, number,
                 ~number, opening.last_id ? "Last-Event-ID: " : "",
                 opening.last_id ? opening.last_id : "", opening.last_id ? "\r\n" : "");

    reader->next = opening.next;
    if (write(reader->fd, request, (size_t)size) != size)
        rig_fail("the server does not take a request: %m");
}

static void count_delivery(struct audience *audience, struct reader *reader) {
    reader->place = 0;
    reader->next++;
    audience->delivered++;
    if (audience->latencies) {
        uint64_t bucket = (rig_now() - audience->published_at) / 10000;

        audience->latencies[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1]++;
    }
}

/* Compares what has come with what had to come. */
static void check(struct audience *audience, struct reader *reader, const char *bytes,
                  size_t size) {
    const char *end = bytes + size;

    while (bytes < end) {
        size_t part = audience->data_size - reader->place;

        if (reader->place == 0)
            bytes = memchr(bytes, '#', (size_t)(end - bytes));
        if (!bytes)
            return;
        if (part > (size_t)(end - bytes))
            part = (size_t)(end - bytes);
        if (memcmp(bytes, show_data(audience, reader->next) + reader->place, part) != 0)
            rig_fail("a reader waits for the rest of \"%.*s\" and gets \"%.*s\"", NUMBER,
                     audience->data, part < 40 ? (int)part : 40, bytes);
        bytes += part;
        reader->place += (uint32_t)part;
        if (reader->place == audience->data_size)
            count_delivery(audience, reader);
    }
}

/* Reads a head that ends with NUL; returns how long it is. */
static size_t start(struct audience *audience, struct reader *reader, const char *head) {
    const char *body = strstr(head, "\r\n\r\n");
    const char *type = strcasestr(head, "\r\ncontent-type: text/event-stream");

    if (strncmp(head, "HTTP/1.1 200 ", 13) != 0 || !body || !type || type > body)
        rig_fail("not the head of an SSE stream:\n%s", head);
    reader->is_started = true;
    audience->started++;
    if (reader->is_deaf && epoll_ctl(audience->epoll, EPOLL_CTL_DEL, reader->fd, NULL))
        rig_fail("epoll_ctl: %m");
    return (size_t)(body + 4 - head);
}

static void on_reader(struct audience *audience, struct reader *reader) {
    static char bytes[65536 + 1];
    ssize_t got;

    do {
        size_t head = 0;

        got = read(reader->fd, bytes, sizeof bytes - 1);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0)
            rig_fail("a reader's stream %s after %u events", got ? "broke" : "ended", reader->next);
        bytes[got] = '\0';
        if (!reader->is_started)
            head = start(audience, reader, bytes);
        check(audience, reader, bytes + head, (size_t)got - head);
    } while (got ==
             sizeof bytes - 1); /* less: nothing was left, and epoll will say when there is */
}

/* Takes whole answers from the front; what is left of one that is not whole stays. */
static void take_answers(struct audience *audience) {
    char *at = audience->answers, *body;

    while ((body = strstr(at, "\r\n\r\n"))) {
        const char *name = "\r\ncontent-length:";
        const char *length = strcasestr(at, name);

        if (strncmp(at, "HTTP/1.1 20", 11) == 0 && length && length < body && audience->due)
            body += 4 + strtoul(length + strlen(name), NULL, 10);
        else
            rig_fail("not the answer to a publish:\n%s", at);
        if (body > audience->answers + audience->answered)
            break;
        at = body;
        audience->due--;
    }
    audience->answered -= (size_t)(at - audience->answers);
    memmove(audience->answers, at, audience->answered + 1);
}

static void on_answer(struct audience *audience) {
    ssize_t got;

    while ((got = read(audience->publisher, audience->answers + audience->answered,
                       sizeof audience->answers - 1 - audience->answered)) > 0) {
        audience->answered += (size_t)got;
        audience->answers[audience->answered] = '\0';
        take_answers(audience);
    }
    if (got == 0 || errno != EAGAIN)
        rig_fail("the publisher's connection ended");
}

/* Fails if nothing that counts has come for too long; heartbeats do not. */
static void check_progress(const struct audience *audience) {
    static uint64_t seen, since;
    uint64_t progress = audience->delivered + audience->started + audience->due;

    if (progress != seen || !since) {
        seen = progress;
        since = rig_now();
    } else if (rig_now() - since > STALL_SECONDS * 1000000000ull) {
        rig_fail("nothing for %d seconds: %u of %u streams, %llu deliveries, %u answers due",
                 STALL_SECONDS, audience->started, audience->opened,
                 (unsigned long long)audience->delivered, audience->due);
    }
}

void audience_attend(struct audience *audience) {
    struct epoll_event ready[EVENTS];
    int count = epoll_wait(audience->epoll, ready, EVENTS, 0);

    for (int i = 0; i < count; i++) {
        if (ready[i].data.u32 == PUBLISHER)
            on_answer(audience);
        else
            on_reader(audience, &audience->readers[ready[i].data.u32]);
    }
    if (count > 0)
        return;
    check_progress(audience);
    sched_yield(); /* where both share one CPU the server must get its turn */
}

void audience_open(struct audience *audience, uint32_t count, struct opening opening) {
    while (audience->started < count) {
        if (audience->opened < count && audience->opened - audience->started < OPENING_MAX) {
            connect_reader(audience, opening.is_deaf);
            request_stream(audience, audience->opened - 1, opening);
        } else {
            audience_attend(audience);
        }
    }
}

void audience_connect(struct audience *audience, uint32_t count) {
    while (audience->opened < count)
        connect_reader(audience, false);
}

void audience_request(struct audience *audience, struct opening opening) {
    for (uint32_t i = 0; i < audience->opened; i++)
        request_stream(audience, i, opening);
}

void audience_close(struct audience *audience) {
    for (uint32_t i = 0; i < audience->opened; i++)
        close(audience->readers[i].fd);
    memset(audience->readers, 0, audience->opened * sizeof *audience->readers);
    audience->opened = audience->started = 0;
}

/* Adds a request for events `first` to `first + count - 1` behind the `size` bytes of requests that
 * there are; returns how many there are then. */
static size_t add_request(struct audience *audience, size_t size, uint32_t topic, uint32_t first,
                          uint32_t count) {
    if (REQUEST_MAX - size < 256 + count * (audience->data_size + 1))
        rig_fail("a publish of more than %d bytes", REQUEST_MAX);
    size += (size_t)snprintf(audience->request + size, 256,
                             "POST /publish?topic=t%u HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                             "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                             topic, audience->port, count * (audience->data_size + 1) - 1);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(audience->request + size, show_data(audience, first + i), audience->data_size);
        size += audience->data_size;
        if (i + 1 < count)
            audience->request[size++] = '\n';
    }
    audience->due++;
    return size;
}

void audience_publish(struct audience *audience, uint32_t topic, uint32_t first, uint32_t count,
                      bool in_one) {
    struct pollfd writable = {.fd = audience->publisher, .events = POLLOUT};
    size_t size = 0, sent = 0;

    if (in_one)
        size = add_request(audience, 0, topic, first, count);
    else
        for (uint32_t i = 0; i < count; i++)
            size = add_request(audience, size, topic, first + i, 1);
    audience->published_at = rig_now();
    while (sent < size) {
        ssize_t part = write(audience->publisher, audience->request + sent, size - sent);

        if (part > 0)
            sent += (size_t)part;
        else if (errno != EAGAIN || poll(&writable, 1, STALL_SECONDS * 1000) != 1)
            rig_fail("the server does not take a publish: %m");
    }
}

void audience_await(struct audience *audience, uint64_t deliveries) {
    while (audience->delivered < deliveries || audience->due)
        audience_attend(audience);
    if (audience->delivered > deliveries)
        rig_fail("%llu deliveries of %llu", (unsigned long long)audience->delivered,
                 (unsigned long long)deliveries);
}

uint32_t audience_slowest(const struct audience *audience) {
    uint32_t least = UINT32_MAX;

    for (uint32_t i = 0; i < audience->opened; i++)
        if (audience->readers[i].next < least)
            least = audience->readers[i].next;
    return least;
}

void audience_check_deaf(const struct audience *audience) {
    for (uint32_t i = 0; i < audience->opened; i++) {
        struct pollfd end = {.fd = audience->readers[i].fd, .events = POLLRDHUP};

        if (audience->readers[i].is_deaf && poll(&end, 1, 0) != 0)
            rig_fail("the server ended the stream of a reader that does not read");
    }
}

double audience_latency(struct audience *audience, double share) {
    uint64_t all = 0, below = 0;
    uint32_t bucket = 0;

    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++)
        all += audience->latencies[i];
    while (bucket < LATENCY_BUCKETS && (double)below < share * (double)all)
        below += audience->latencies[bucket++];
    memset(audience->latencies, 0, LATENCY_BUCKETS * sizeof *audience->latencies);
    return 10.0 * bucket;
}

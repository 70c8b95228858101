/* least_hub: the least program that could do the job of the hub's rows, their measure of 1.
 *
 *   GET              -> head of an SSE stream -> subscribed, at the log's end or behind
 * Last-Event-ID POST lines       -> each line an event at the log's end -> one write to each
 * subscriber -> 200 kernel is full   -> what is left goes when it is writable again
 *
 * One thread, one topic, and one log of ready-made bytes that never shrinks: events with ids, each
 * in a chunk of its own as HTTP/1.1 frames it. A subscriber is an offset in it, so a burst leaves
 * with one write for each, and so does all that somebody missed. That is the whole of it: no
 * limits, no heartbeats, no names, no presence, no log of accesses, and it waits for the rest of a
 * publish.
 */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READY 64
#define DESCRIPTORS 20000
#define LOG_SIZE (256u << 20)
#define EVENTS_MAX 1000000
#define REQUEST_MAX (1 << 20)

static const char HEAD[] = "HTTP/1.1 200 OK\r\n"
                           "Content-Type: text/event-stream\r\n"
                           "Cache-Control: no-cache, no-transform\r\n"
                           "X-Accel-Buffering: no\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n";
static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

static char *log_bytes;
static size_t log_size;
static size_t ends[EVENTS_MAX]; /* where each event ends in it; its number is in its id */
static unsigned events;
static int subscribers[DESCRIPTORS];
static int subscriber_count;
static size_t positions[DESCRIPTORS]; /* by descriptor: what has been written of the log */
static bool is_subscribed[DESCRIPTORS];

static void append(const char *data, size_t size, unsigned long long milliseconds) {
    char id[64];
    int id_size = snprintf(id, sizeof id, "id: %013llu-%07u\n", milliseconds, events);
    size_t event_size = (size_t)id_size + strlen("data: ") + size + strlen("\n\n");

    if (LOG_SIZE - log_size < event_size + 32 || events == EVENTS_MAX)
        rig_fail("the log is full after %u events", events);
    log_size += (size_t)sprintf(log_bytes + log_size, "%zx\r\ndata: %.*s\n%s\n\r\n", event_size,
                                (int)size, data, id);
    ends[events++] = log_size;
}

static void leave(int fd) {
    for (int i = 0; is_subscribed[fd] && i < subscriber_count; i++) {
        if (subscribers[i] != fd)
            continue;
        subscribers[i] = subscribers[--subscriber_count];
        is_subscribed[fd] = false;
    }
    close(fd);
}

/* Writes what is new for `fd`; false: it is gone. */
static bool send_news(int fd) {
    ssize_t sent = write(fd, log_bytes + positions[fd], log_size - positions[fd]);

    if (sent > 0)
        positions[fd] += (size_t)sent;
    return sent >= 0 || errno == EAGAIN;
}

static bool subscribe(int fd, const char *request) {
    const char *last = strstr(request, "\r\nLast-Event-ID: ");

    if (write(fd, HEAD, sizeof HEAD - 1) != sizeof HEAD - 1)
        return false;
    positions[fd] = log_size;
    is_subscribed[fd] = true;
    subscribers[subscriber_count++] = fd;
    if (!last)
        return true;
    last = strchr(last + sizeof "\r\nLast-Event-ID: " - 1, '-');
    if (last && strtoul(last + 1, NULL, 10) < events)
        positions[fd] = ends[strtoul(last + 1, NULL, 10)];
    return send_news(fd);
}

static bool publish(int fd, const char *lines) {
    struct timespec now;
    unsigned long long milliseconds;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    milliseconds =
        (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
    for (size_t size; *lines; lines += size + (lines[size] == '\n')) {
        size = strcspn(lines, "\n");
        append(lines, size, milliseconds);
    }
    for (int i = subscriber_count - 1; i >= 0; i--)
        if (!send_news(subscribers[i]))
            leave(subscribers[i]);
    return write(fd, ANSWER, sizeof ANSWER - 1) == sizeof ANSWER - 1;
}

/* Whether the request is whole; a client of the bench has sent all of it by then. */
static bool is_whole(const char *request, size_t size) {
    const char *body = strstr(request, "\r\n\r\n");
    const char *length = strstr(request, "\r\nContent-Length: ");

    return body && (!length || size >= (size_t)(body + 4 - request) +
                                           strtoul(strchr(length, ':') + 2, NULL, 10));
}

/* One that is longer than a segment of the loopback is read as it comes. */
static void on_readable(int fd) {
    static char request[REQUEST_MAX + 1];
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    ssize_t got = read(fd, request, REQUEST_MAX);
    size_t size = 0;

    if (got < 0 && errno == EAGAIN)
        return;
    while (got > 0) {
        size += (size_t)got;
        request[size] = '\0';
        if (is_whole(request, size) || request[0] != 'P' || poll(&readable, 1, 1000) != 1)
            break;
        got = read(fd, request + size, REQUEST_MAX - size);
    }
    if (got <= 0 || !is_whole(request, size) ||
        !(request[0] == 'P' ? publish(fd, strstr(request, "\r\n\r\n") + 4)
                            : subscribe(fd, request)))
        leave(fd);
}

int main(void) {
    struct epoll_event ready[READY];
    int listener = rig_listen("least_hub");
    int epoll = rig_epoll();

    signal(SIGPIPE, SIG_IGN);
    log_bytes = malloc(LOG_SIZE);
    if (!log_bytes)
        rig_fail("no memory for the log");
    rig_watch(epoll, listener, (uint32_t)listener);
    for (;;) {
        int count = epoll_wait(epoll, ready, READY, -1);

        for (int i = 0; i < count; i++) {
            int fd = (int)ready[i].data.u32;

            if (fd == listener) {
                rig_admit(epoll, listener, true, DESCRIPTORS);
                continue;
            }
            if (ready[i].events & EPOLLOUT && is_subscribed[fd] && !send_news(fd))
                leave(fd);
            else if (ready[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
                on_readable(fd);
        }
    }
}

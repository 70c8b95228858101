/* hold: a crowd of browsers that each hold one SSE stream open and wait.
 *
 *   hold PORT PATH FIRST COUNT [COUNT...]
 *
 *   open up to COUNT -> each: GET PATH -> head is a 200 of SSE -> event FIRST -> held
 *                    -> print "holding COUNT" -> a line on stdin: the next COUNT
 *                                             -> stdin closed: end
 *
 * FIRST is the data of the first event; when it is empty a stream is held as soon as its head has
 * come. COUNT is a total, so that memory can be read at several of them and the slope taken. The
 * request is Chromium's for an EventSource, with a cookie of its own for each stream: what a server
 * keeps of it is kept as often as there are streams. What arrives later (heartbeats) is read and
 * dropped; a stream that the server ends is a failure, because its memory would be missing from the
 * figure. Streams are closed by a reset, so that tens of thousands leave no TIME_WAIT behind.
 */
#include "chromium.h"
#include "rig.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 256
#define OPENING_MAX 128 /* streams between connect and their first event */
#define START_MAX 2048
#define STALL_MS 10000
#define STDIN UINT32_MAX /* its number among what epoll watches */

static const char REQUEST[] = "GET %s HTTP/1.1\r\n" CHROMIUM_HEADERS "\r\n";

struct browser {
    int fd;
    size_t got;  /* bytes kept of the response's start */
    char *start; /* them, ended by NUL; NULL once the stream is held */
};

struct crowd {
    int port;
    const char *path;
    char first[64]; /* the first event's data as it comes, or "" */
    int epoll;
    struct browser *browsers;
    uint32_t opened;
    uint32_t held;
    bool told; /* stdin had a line since it was last looked at */
    bool over; /* stdin was closed */
};

static void open_stream(struct crowd *crowd) {
    struct browser *browser = &crowd->browsers[crowd->opened];
    char request[1024];
    int size = snprintf(request, sizeof request, REQUEST, crowd->path, crowd->port, crowd->port,
                        crowd->opened, ~crowd->opened);

    browser->fd = rig_connect(crowd->port);
    browser->start = malloc(START_MAX);
    if (!browser->start)
        rig_fail("no memory for a stream");
    rig_reset_on_close(browser->fd);
    rig_watch(crowd->epoll, browser->fd, crowd->opened++);
    if (write(browser->fd, request, (size_t)size) != size)
        rig_fail("the server does not take a request: %m");
}

/* Whether the response's start holds a right head and the first event; fails if it is wrong. */
static bool is_started(const struct crowd *crowd, const struct browser *browser) {
    const char *body = strstr(browser->start, "\r\n\r\n");
    const char *type = strcasestr(browser->start, "\r\ncontent-type: text/event-stream");

    if (!body)
        return false;
    if (strncmp(browser->start, "HTTP/1.1 200 ", 13) != 0 || !type || type > body)
        rig_fail("not an SSE stream:\n%s", browser->start);
    return strstr(body, crowd->first) != NULL;
}

static void keep(struct crowd *crowd, struct browser *browser, const char *bytes, size_t size) {
    if (size >= START_MAX - browser->got)
        rig_fail("no event in the first %zu bytes:\n%s", browser->got, browser->start);
    memcpy(browser->start + browser->got, bytes, size);
    browser->got += size;
    browser->start[browser->got] = '\0';
    if (!is_started(crowd, browser))
        return;
    free(browser->start);
    browser->start = NULL;
    crowd->held++;
}

static void on_readable(struct crowd *crowd, uint32_t number) {
    struct browser *browser = &crowd->browsers[number];
    char bytes[4096];
    ssize_t got;

    while ((got = read(browser->fd, bytes, sizeof bytes)) > 0)
        if (browser->start)
            keep(crowd, browser, bytes, (size_t)got);
    if (got == 0 || errno != EAGAIN)
        rig_fail("the server ended stream %u, with %u held", number, crowd->held);
}

static void on_stdin(struct crowd *crowd, uint32_t events) {
    char line[256];

    crowd->told = read(STDIN_FILENO, line, sizeof line) > 0;
    /* A line and the end right behind it come as one event. */
    crowd->over = !crowd->told || events & EPOLLHUP;
}

/* Handles what happened, waiting for it up to `timeout` milliseconds; whether anything did. */
static bool attend(struct crowd *crowd, int timeout) {
    struct epoll_event ready[EVENTS];
    int count = epoll_wait(crowd->epoll, ready, EVENTS, timeout);

    for (int i = 0; i < count; i++) {
        if (ready[i].data.u32 == STDIN)
            on_stdin(crowd, ready[i].events);
        else
            on_readable(crowd, ready[i].data.u32);
    }
    return count > 0;
}

static void fill(struct crowd *crowd, uint32_t count) {
    while (crowd->held < count && !crowd->over) {
        if (crowd->opened < count && crowd->opened - crowd->held < OPENING_MAX)
            open_stream(crowd);
        else if (!attend(crowd, STALL_MS))
            rig_fail("%u streams of %u opened have an event", crowd->held, crowd->opened);
    }
}

int main(int argc, char **argv) {
    struct crowd crowd = {0};
    long most;

    if (argc < 5 || strlen(argv[3]) > sizeof crowd.first / 2)
        rig_fail("usage: hold PORT PATH FIRST COUNT [COUNT...], FIRST being short or empty");
    crowd.path = argv[2];
    if (argv[3][0])
        snprintf(crowd.first, sizeof crowd.first, "\ndata: %s\n", argv[3]);
    crowd.port = (int)rig_number(argv[1], "PORT", 1, 65535);
    most = rig_number(argv[argc - 1], "COUNT", 1, 1000000);
    crowd.browsers = calloc((size_t)most, sizeof *crowd.browsers);
    if (!crowd.browsers)
        rig_fail("no memory for %s streams", argv[argc - 1]);
    crowd.epoll = rig_epoll();
    rig_watch(crowd.epoll, STDIN_FILENO, STDIN);

    for (int i = 4; i < argc && !crowd.over; i++) {
        fill(&crowd, (uint32_t)rig_number(argv[i], "COUNT", crowd.held, most));
        printf("holding %u\n", crowd.held);
        fflush(stdout);
        crowd.told = false;
        while (!crowd.told && !crowd.over)
            attend(&crowd, -1);
    }
    while (!crowd.over)
        attend(&crowd, -1);
    return 0;
}

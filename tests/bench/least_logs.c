/* least_logs: the least program that could do the job of the rows logs-*, their measure of 1.
 *
 *   least_logs LOG
 *
 *   inotify -> pread what was appended -> each line a record -> batch -> one write to each viewer
 *   GET     -> head of an SSE stream -> a viewer, from the oldest batch on
 *   kernel is full -> what is left goes when it is writable again
 *
 * One thread, one log that only grows, and a ring of batches that are ready to be sent: an event in
 * a chunk, of BATCH bytes or of 50 ms, made once for all. A viewer is a batch and an offset in it.
 * What leaves is what Weir sends, so that the same bytes are copied to the same sockets; but the
 * hash in the ids is zeros. It takes a time of one form at one place, lines of ASCII and a day that
 * does not end; it knows no rotation, no filters, no limits and no going back, and whoever falls a
 * ring behind is dropped.
 */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READY 64
#define DESCRIPTORS 20000
#define BATCH 65536 /* bytes of records */
#define BATCHES 128
#define LINE_MAX_BYTES 4096
#define RECORD_MAX (6 * LINE_MAX_BYTES + 256)
#define REST_NS 50000000u
#define TIME "2026-01-31T12:00:00.000Z "

static const char HEAD[] = "HTTP/1.1 200 OK\r\n"
                           "Content-Type: text/event-stream\r\n"
                           "Cache-Control: no-cache, no-transform\r\n"
                           "X-Accel-Buffering: no\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n";
static const char OPENING[] = "00000000\r\nevent: lines\n"; /* the chunk's size comes later */

struct batch {
    size_t size;
    char bytes[sizeof OPENING + BATCH + RECORD_MAX + 256];
};

struct viewer {
    bool is_there;
    uint64_t batch; /* which one it gets, and how much of it has gone */
    size_t sent;
};

static struct batch ring[BATCHES];
static uint64_t batches; /* that are done; the next is being made */
static struct viewer viewers[DESCRIPTORS];
static int last_viewer;
static uint64_t last_ns; /* when the last batch went */
static int log_file;
static char unread[BATCH + LINE_MAX_BYTES]; /* what is no whole line yet */
static size_t unread_size;
static uint64_t offset; /* in the file, of the first byte there */
static char place[64];  /* how the ids begin */
static size_t place_size;

/* ---- records ----------------------------------------------------------------------------------*/

static char *put(char *out, const void *bytes, size_t size) {
    memcpy(out, bytes, size);
    return out + size;
}

static char *put_id(char *out, uint64_t at) {
    unsigned digits = at ? (67 - (unsigned)__builtin_clzll(at)) / 4 : 1;

    out = put(out, place, place_size);
    for (unsigned i = digits; i > 0; i--)
        *out++ = "0123456789abcdef"[at >> (4 * (i - 1)) & 15];
    return out;
}

static unsigned two(const char *digits) {
    return (unsigned)(digits[0] - '0') * 10 + (unsigned)(digits[1] - '0');
}

/* The seconds of the day and the thousandths are read, the day is that of the first line. */
static char *put_time(char *out, const char *text) {
    static uint64_t day;
    struct tm parts = {0};

    if (day == 0) {
        strptime(text, "%Y-%m-%d", &parts);
        day = (uint64_t)timegm(&parts);
    }
    uint64_t seconds = day + two(text + 11) * 3600 + two(text + 14) * 60 + two(text + 17);
    for (char *digit = out + 9; digit >= out; digit--, seconds /= 10)
        *digit = (char)('0' + seconds % 10);
    out[10] = '.';
    return put(out + 11, text + 20, 3);
}

static char *put_text(char *out, const char *text, size_t size) {
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '"' || c == '\\')
            *out++ = '\\';
        if (c >= 0x20)
            *out++ = (char)c;
        else
            out += sprintf(out, "\\u%04x", c);
    }
    return out;
}

static bool is_plain(const char *text, size_t size) {
    bool is_special = false;

    for (size_t i = 0; i < size; i++)
        is_special |= (unsigned char)text[i] < 0x20 || text[i] == '"' || text[i] == '\\';
    return !is_special;
}

static char *put_record(char *out, const char *line, size_t size, uint64_t end) {
    const char *level = line + sizeof TIME - 1;
    const char *space = memchr(level, ' ', size - sizeof TIME + 1);

    out = put_id(put(out, "data: {\"id\":\"", 13), end);
    out = put_time(put(out, "\",\"t\":", 6), line);
    out = put(put(out, ",\"level\":\"", 10), level, space ? (size_t)(space - level) : 0);
    out = put(out, "\",\"line\":\"", 10);
    out = is_plain(line, size) ? put(out, line, size) : put_text(out, line, size);
    return put(out, "\"}\n", 3);
}

/* ---- viewers ----------------------------------------------------------------------------------*/

static void leave(int fd) {
    viewers[fd].is_there = false;
    close(fd);
}

static void send_news(int fd) {
    struct viewer *viewer = &viewers[fd];

    if (batches - viewer->batch >= BATCHES) {
        leave(fd);
        return;
    }
    while (viewer->batch < batches) {
        const struct batch *batch = &ring[viewer->batch % BATCHES];
        ssize_t sent = write(fd, batch->bytes + viewer->sent, batch->size - viewer->sent);

        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0) {
            leave(fd);
            return;
        }
        viewer->sent += (size_t)sent;
        if (viewer->sent < batch->size)
            return;
        viewer->batch++;
        viewer->sent = 0;
    }
}

static void subscribe(int fd) {
    viewers[fd] = (struct viewer){.is_there = true};
    if (fd > last_viewer)
        last_viewer = fd;
    if (write(fd, HEAD, sizeof HEAD - 1) != sizeof HEAD - 1)
        leave(fd);
    else
        send_news(fd);
}

static void on_viewer(int fd, uint32_t events) {
    char request[4096];

    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        ssize_t got = read(fd, request, sizeof request);
        if (got > 0 && !viewers[fd].is_there)
            subscribe(fd);
        else if (got == 0 || (got < 0 && errno != EAGAIN))
            leave(fd);
    }
    if (events & EPOLLOUT && viewers[fd].is_there)
        send_news(fd);
}

/* ---- the log ----------------------------------------------------------------------------------*/

/* Sends the batch that is being made and begins the next. */
static void finish(void) {
    struct batch *batch = &ring[batches % BATCHES];
    char *end = batch->bytes + batch->size, size[9];

    end = put(put_id(put(end, "id: ", 4), offset), "\n\n\r\n", 4);
    batch->size = (size_t)(end - batch->bytes);
    snprintf(size, sizeof size, "%08zx", batch->size - 12); /* without its head and its own end */
    memcpy(batch->bytes, size, 8);
    batches++;
    ring[batches % BATCHES].size = 0;
    last_ns = rig_now();
    for (int fd = 0; fd <= last_viewer; fd++)
        if (viewers[fd].is_there)
            send_news(fd);
}

static void add_line(const char *line, size_t size) {
    struct batch *batch = &ring[batches % BATCHES];

    if (size < sizeof TIME || size > LINE_MAX_BYTES)
        rig_fail("a line of %zu bytes", size);
    if (batch->size == 0)
        batch->size = (size_t)(put(batch->bytes, OPENING, sizeof OPENING - 1) - batch->bytes);
    offset += size + 1;
    char *end = put_record(batch->bytes + batch->size, line, size, offset);
    batch->size = (size_t)(end - batch->bytes);
    if (batch->size > BATCH)
        finish();
}

static void take_lines(void) {
    char *line = unread, *end = unread + unread_size, *lf;

    while ((lf = memchr(line, '\n', (size_t)(end - line)))) {
        add_line(line, (size_t)(lf - line));
        line = lf + 1;
    }
    unread_size = (size_t)(end - line);
    memmove(unread, line, unread_size);
}

static void on_change(int watch) {
    char events[4096];
    ssize_t got;

    while (read(watch, events, sizeof events) > 0)
        ;
    do {
        size_t room = sizeof unread - unread_size;
        got = pread(log_file, unread + unread_size, room, (off_t)(offset + unread_size));
        if (got < 0 || room == 0)
            rig_fail("cannot read the log: %m");
        unread_size += (size_t)got;
        take_lines();
    } while (got > 0);
}

/* Milliseconds until the batch must go, -1: there is none. */
static int send_what_is_due(void) {
    if (ring[batches % BATCHES].size == 0)
        return -1;
    uint64_t rested = rig_now() - last_ns;
    if (rested < REST_NS)
        return (int)((REST_NS - rested) / 1000000) + 1;
    finish();
    return -1;
}

static int watch_log(const char *path) {
    struct stat status;
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    log_file = open(path, O_RDONLY | O_CLOEXEC);
    if (log_file < 0 || fstat(log_file, &status) || inotify_add_watch(watch, path, IN_MODIFY) < 0)
        rig_fail("cannot watch %s: %m", path);
    place_size = (size_t)snprintf(place, sizeof place, "00000000~%lx.100.0000000000000000.",
                                  (unsigned long)status.st_ino);
    return watch;
}

int main(int argc, char **argv) {
    struct epoll_event ready[READY];

    if (argc != 2)
        rig_fail("usage: least_logs LOG");
    int watch = watch_log(argv[1]), epoll = rig_epoll();
    int listener = rig_listen("least_logs");

    signal(SIGPIPE, SIG_IGN);
    rig_watch(epoll, listener, (uint32_t)listener);
    rig_watch(epoll, watch, (uint32_t)watch);
    for (;;) {
        int count = epoll_wait(epoll, ready, READY, send_what_is_due());

        for (int i = 0; i < count; i++) {
            int fd = (int)ready[i].data.u32;

            if (fd == listener)
                rig_admit(epoll, listener, true, DESCRIPTORS);
            else if (fd == watch)
                on_change(watch);
            else
                on_viewer(fd, ready[i].events);
        }
    }
}

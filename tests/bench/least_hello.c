/* least_hello: the least program that could do the job of the row `hello`, its measure of 1.
 *
 *   epoll -> readable -> one read -> is the head whole? -> one write of a ready-made response
 *                     -> end of file -> close
 *
 * One thread, one buffer for all connections, no state for any of them. It looks for the end of the
 * head, because a server that answers before the request is whole is wrong, and no further, because
 * nothing else is needed to answer every request alike. A head that does not arrive in one piece
 * closes its connection, which the load generator takes as a failure: on the loopback, with
 * requests of some 40 bytes, it does not happen. Date is real (RFC 9110 section 6.6.1), made
 * anew when the second changes. No log: the ratios of others include what theirs costs.
 */
#include "rig.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 64
#define BODY "Hello, World!\n"

static char response[256];
static size_t response_size;

/* Makes the response anew if the second has changed since the last time. */
static void refresh_response(void) {
    static time_t made_at;
    time_t now = time(NULL);
    char date[64];
    struct tm utc;

    if (now == made_at)
        return;
    made_at = now;
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
    response_size = (size_t)snprintf(response, sizeof response,
                                     "HTTP/1.1 200 OK\r\n"
                                     "Date: %s\r\n"
                                     "Content-Type: text/plain; charset=utf-8\r\n"
                                     "Content-Length: %zu\r\n"
                                     "\r\n%s",
                                     date, sizeof BODY - 1, BODY);
}

static void answer(int fd) {
    static char request[16384];
    ssize_t got = read(fd, request, sizeof request);

    if (got < 0 && errno == EAGAIN)
        return;
    if (got <= 0 || !memmem(request, (size_t)got, "\r\n\r\n", 4) ||
        write(fd, response, response_size) != (ssize_t)response_size)
        close(fd);
}

int main(void) {
    struct epoll_event ready[EVENTS];
    int listener = rig_listen("least_hello");
    int epoll = rig_epoll();

    signal(SIGPIPE, SIG_IGN);
    rig_watch(epoll, listener, (uint32_t)listener);
    for (;;) {
        int count = epoll_wait(epoll, ready, EVENTS, -1);

        refresh_response();
        for (int i = 0; i < count; i++) {
            int fd = (int)ready[i].data.u32;

            if (fd == listener)
                rig_admit(epoll, listener, false, INT_MAX);
            else
                answer(fd);
        }
    }
}

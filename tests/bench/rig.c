/* rig: the ground that the programs of the bench stand on.
 *
 * Each of them is short because of three simplifications that live here: every error ends the
 * program, so that nothing false is ever measured; all traffic is IPv4 on 127.0.0.1; and every
 * socket is non-blocking and watched edge-triggered, the cheapest way to wait, so that what is
 * measured is the server and the least program is in truth the least.
 *
 * The server's CPU time is read from its process's CPU clock. It counts what utime and stime of
 * /proc/PID/stat count, all threads included, but in nanoseconds instead of ticks of 10 ms, and it
 * can be read between two requests. Nothing here knows HTTP.
 */
#include "rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 511
#define ETHERNET_SEGMENT 1460
#define NANOSECONDS 1000000000u

void rig_fail(const char *format, ...) {
    va_list args;

    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

long rig_number(const char *text, const char *what, long low, long high) {
    char *end;
    long number;

    errno = 0;
    number = strtol(text, &end, 10);
    if (end == text || *end || errno || number < low || number > high)
        rig_fail("%s must be a number from %ld to %ld, not '%s'", what, low, high, text);
    return number;
}

static struct sockaddr_in local(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int rig_listen(const char *name) {
    struct sockaddr_in address = local(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, BACKLOG) ||
        getsockname(fd, (struct sockaddr *)&address, &size))
        rig_fail("cannot listen: %m");
    printf("%s: listening on http://127.0.0.1:%d\n", name, ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void connect_to(int fd, int port) {
    struct sockaddr_in address = local(port);
    int on = 1;

    /* Connecting blocks: the server's backlog, not the bench, sets the pace. */
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        rig_fail("cannot connect to port %d: %m", port);
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) || fcntl(fd, F_SETFL, O_NONBLOCK))
        rig_fail("cannot set up a connection: %m");
}

int rig_connect(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    connect_to(fd, port);
    return fd;
}

int rig_connect_narrow(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int segment = ETHERNET_SEGMENT,
        buffer = 1; /* the kernel makes the least of it that it allows */

    if (setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer))
        rig_fail("cannot narrow a connection: %m");
    connect_to(fd, port);
    return fd;
}

void rig_reset_on_close(int fd) {
    struct linger reset = {.l_onoff = 1, .l_linger = 0};

    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset))
        rig_fail("cannot set up a connection: %m");
}

int rig_epoll(void) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0)
        rig_fail("epoll_create1: %m");
    return epoll;
}

static void watch(int epoll, int fd, uint32_t number, bool writes) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET | (writes ? EPOLLOUT : 0u),
                                .data = {.u32 = number}};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        rig_fail("epoll_ctl: %m");
}

void rig_watch(int epoll, int fd, uint32_t number) {
    watch(epoll, fd, number, false);
}

void rig_admit(int epoll, int listener, bool writes, int most) {
    int fd;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= most)
            rig_fail("descriptor %d is one too many", fd);
        watch(epoll, fd, (uint32_t)fd, writes);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        rig_fail("accept: %m");
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;

    if (clock_gettime(clock, &time))
        rig_fail("cannot read a clock: %m");
    return (uint64_t)time.tv_sec * NANOSECONDS + (uint64_t)time.tv_nsec;
}

uint64_t rig_cpu(pid_t pid) {
    clockid_t clock;

    errno = clock_getcpuclockid(pid, &clock);
    if (errno)
        rig_fail("process %ld has no CPU clock: %m", (long)pid);
    return read_clock(clock);
}

void rig_mark(void) {
    const char *command = getenv("MARK");

    if (command && system(command) != 0)
        rig_fail("cannot mark with '%s'", command);
}

long rig_memory(pid_t pid) {
    char path[64], line[256];
    long kibibytes = -1;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
    file = fopen(path, "r");
    if (!file)
        rig_fail("cannot read %s: %m", path);
    while (kibibytes < 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "Pss_Anon:", 9) == 0)
            kibibytes = strtol(line + 9, NULL, 10);
    fclose(file);
    if (kibibytes < 0)
        rig_fail("no Pss_Anon in %s", path);
    return kibibytes * 1024;
}

uint64_t rig_now(void) {
    return read_clock(CLOCK_MONOTONIC);
}

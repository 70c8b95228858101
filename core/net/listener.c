/* listener: one worker's listening socket.
 *
 * It accepts by itself (accept4 on a polled descriptor) rather than through uv_listen, because
 * libuv answers exhausted descriptors by accepting and dropping whoever waits. Here the listener
 * rests and tries again: those clients wait in the kernel's queue and are served when a descriptor
 * is free.
 *
 *     watching --EMFILE--> starved (timer) --an accept succeeds--> watching
 *
 * Owned by whoever serves; it knows nothing of what is spoken on the connections. */
#include "net/listener.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64 /* others on this loop get their turn too */
#define STARVED_RETRY_MS 100
#define BACKLOG 4096
/* Bytes that the kernel keeps unsent for a slow peer; by itself it takes up to 4 MiB for each, and
 * a thousand of them hold up the others while it does. */
#define UNSENT_MAX (32 * 1024)

static int resolve(const char *host, uint16_t port, struct addrinfo **out) {
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    switch (getaddrinfo(host, service, &hints, out)) {
    case 0:
        return 0;
    case EAI_AGAIN:
        return UV_EAI_AGAIN;
    default:
        return UV_EAI_NONAME;
    }
}

/* Who comes by IPv4 has an IPv4 address, whatever the socket: limits and trust go by it. */
static void take_address(const struct sockaddr_storage *from, struct address *to) {
    *to = (struct address){.v6 = from->ss_family == AF_INET6};
    if (to->v6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
        to->port = ntohs(in6->sin6_port);
        to->v6 = !IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr); /* by a socket that takes both */
        if (to->v6)
            memcpy(to->ip, &in6->sin6_addr, 16);
        else
            memcpy(to->ip, in6->sin6_addr.s6_addr + 12, 4);
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        memcpy(to->ip, &in->sin_addr, 4);
        to->port = ntohs(in->sin_port);
    }
}

static void bound_address(int fd, struct address *out) {
    struct sockaddr_storage addr = {0};
    socklen_t len = sizeof addr;
    getsockname(fd, (struct sockaddr *)&addr, &len);
    take_address(&addr, out);
}

/* Accepted sockets inherit these. */
static void tune(int fd) {
    int on = 1, unsent = UNSENT_MAX;
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void listener_adopt(int fd, struct address *bound) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    tune(fd);
    bound_address(fd, bound);
}

static int open_socket(const struct addrinfo *ai, bool share) {
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (share)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    tune(fd);
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

int listener_claim(const char *host, uint16_t *port, bool share) {
    struct addrinfo *list;
    int fd = resolve(host, *port, &list);
    if (fd < 0)
        return fd;
    fd = open_socket(list, share);
    struct address bound;
    if (fd >= 0) {
        bound_address(fd, &bound);
        *port = bound.port;
    }
    freeaddrinfo(list);
    return fd;
}

int listener_open(int fd) {
    return listen(fd, BACKLOG) == 0 ? 0 : -errno;
}

int listener_bind(const char *host, uint16_t *port, bool share) {
    int fd = listener_claim(host, port, share);
    int rc = fd < 0 ? fd : listener_open(fd);
    if (rc < 0 && fd >= 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

static int accept_one(struct listener *listener, struct address *peer) {
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;
    int fd = fault("accept");
    if (fd == 0)
        fd = accept4(listener->fd, (struct sockaddr *)&addr, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    else
        errno = -fd, fd = -1;
    if (fd < 0)
        return -errno;
    take_address(&addr, peer);
    return fd;
}

static void starve(struct listener *listener, int error) {
    uv_poll_stop(&listener->poll);
    loop_timer(listener->loop, &listener->retry, STARVED_RETRY_MS);
    static struct log_kind starving = LOG_KIND("accepting connections");
    if (!listener->starved && log_admits(&starving, LOG_ERROR))
        log_error("cannot accept connections: %s; new ones wait until some are closed "
                  "(raise the limit with ulimit -n)",
                  uv_strerror(error));
    listener->starved = true;
}

static void watch(struct listener *listener);

static void accept_some(struct listener *listener) {
    for (int i = 0; i < ACCEPTS_PER_TURN && !listener->closing && !listener->paused; i++) {
        struct address peer;
        int fd = accept_one(listener, &peer);
        if (fd == -EAGAIN)
            break;
        if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
            starve(listener, fd);
            return;
        }
        if (fd < 0)
            continue; /* that connection is gone already (ECONNABORTED and the like) */
        if (listener->starved)
            log_debug("accepting connections again");
        listener->starved = false;
        listener->on_accept(listener, fd, &peer);
    }
    watch(listener);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    accept_some(poll->data);
}

static void watch(struct listener *listener) {
    if (!listener->closing && !listener->paused && !uv_is_active((uv_handle_t *)&listener->poll))
        uv_poll_start(&listener->poll, UV_READABLE, on_readable);
}

static void on_retry(struct timer *timer) {
    accept_some(CONTAINER_OF(timer, struct listener, retry));
}

void listener_pause(struct listener *listener, bool pause) {
    listener->paused = pause;
    if (!pause) {
        watch(listener);
    } else {
        timer_clear(&listener->retry);
        uv_poll_stop(&listener->poll);
    }
}

int listener_init(struct listener *listener, struct loop *loop, int fd,
                  void (*on_accept)(struct listener *, int, const struct address *)) {
    *listener = (struct listener){.loop = loop, .fd = fd, .on_accept = on_accept};
    timer_init(&listener->retry, on_retry);
    int rc = uv_poll_init(&loop->uv, &listener->poll, fd);
    if (rc < 0)
        return rc;
    listener->poll.data = listener;
    watch(listener);
    return 0;
}

static void on_closed(uv_handle_t *handle) {
    struct listener *listener = handle->data;
    if (listener->on_closed)
        listener->on_closed(listener);
}

void listener_close(struct listener *listener) {
    if (listener->closing)
        return;
    listener->closing = true;
    timer_clear(&listener->retry);
    uv_poll_stop(&listener->poll);
    close(listener->fd);
    uv_close((uv_handle_t *)&listener->poll, on_closed);
}

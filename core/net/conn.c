/* conn: one TCP connection.
 *
 *     open --conn_end--> ending: queue empties --> lingering: drops what comes --> closing, freed
 *       \________________ conn_close, an error, a stalled write ___________________/
 *
 * A close with bytes unread, and each byte that comes after it, makes the kernel send a reset, and
 * a reset destroys what the peer has not read yet, at either end. So who ends stays, sending side
 * closed, and drops what comes; TCP drops it in the kernel, without a copy. A conn that must end
 * with a reset stays until the peer has acknowledged what is owed to it. Both are bounded by time.
 *
 * Writing: conn_write copies into the queue and enlists the conn in its loop; at the end of the
 * turn conn_flush makes one system call. When the kernel takes less than all, the rest stays in the
 * queue, the socket is watched for room too, and the progress deadline runs.
 *
 * Reading and writing are system calls of our own on a polled descriptor, not a uv_tcp_t: that is a
 * third smaller, has no request objects, and tells exactly how much a slow peer has taken.
 *
 * The protocol embeds the conn, owns its memory until on_closed, and is told of bytes, EOF, failure
 * and room through conn_ops. The conn knows nothing of HTTP. */
#include "net/conn.h"

#include "base/fault.h"
#include "base/must.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define IOV_MAX_SEGS 64
#define LINGER_REST_MS 5000 /* of silence end it, */
#define LINGER_MS 120000    /* and this in any case */
#define LOOK_MAX_MS 500     /* between two looks whether the peer has all */

static void on_closed(uv_handle_t *handle) {
    struct conn *conn = handle->data;
    wqueue_clear(&conn->out, &conn->loop->pool);
    conn->ops->on_closed(conn);
}

void conn_close(struct conn *conn, bool reset) {
    if (conn->closing)
        return;
    MUST(loop_is_mine(conn->loop));
    conn->closing = true;
    list_remove(&conn->unsent);
    timer_clear(&conn->deadline);
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    uv_close((uv_handle_t *)&conn->poll, on_closed);
    close(conn->fd);
}

static void fail(struct conn *conn, int error) {
    if (conn->closing)
        return;
    if (!conn->lingering)
        conn->ops->on_error(conn, error);
    conn_close(conn, true);
}

static void on_ready(uv_poll_t *poll, int status, int events);

/* Asks for the events that matter now. When none does, for one that HTTP's clients do not cause:
 * with it a reset is told. */
static void watch(struct conn *conn) {
    int events = (conn->reading ? UV_READABLE : 0) | (conn->blocked ? UV_WRITABLE : 0);
    if (!conn->reading && !conn->eof && !conn->hangup)
        events |= UV_DISCONNECT;
    uv_poll_start(&conn->poll, events ? events : UV_PRIORITIZED, on_ready);
}

/* --- the end --- */

/* Bytes that the kernel has taken and the peer has not. */
static uint32_t unacknowledged(const struct conn *conn) {
    int n = 0;
    return ioctl(conn->fd, SIOCOUTQ, &n) == 0 ? (uint32_t)n : 0;
}

static uint32_t lingers_for(const struct conn *conn) {
    return (uint32_t)loop_now(conn->loop) - conn->lingers;
}

static bool has_arrived(const struct conn *conn, uint32_t unacked) {
    return conn->taken >= conn->owed && conn->taken - conn->owed >= unacked;
}

/* When to look again whether lingering is over. */
static void look_later(struct conn *conn) {
    conn->look_ms *= 2;
    if (conn->look_ms > LOOK_MAX_MS)
        conn->look_ms = LOOK_MAX_MS;
    if (conn->more && !conn->cut)
        conn->look_ms = LINGER_REST_MS;
    loop_timer(conn->loop, &conn->deadline, conn->look_ms);
}

static void linger(struct conn *conn) {
    if (!conn->cut && (conn->eof || shutdown(conn->fd, SHUT_WR) != 0)) {
        conn_close(conn, false);
        return;
    }
    conn->lingering = true;
    conn->came = false;
    conn->unacked = unacknowledged(conn);
    conn->lingers = (uint32_t)loop_now(conn->loop);
    conn->look_ms = CONN_LOOK_MS / 2;
    conn_read(conn, true);
    look_later(conn);
}

static bool is_over(const struct conn *conn, uint32_t before) {
    if (conn->cut)
        return has_arrived(conn, conn->unacked);
    if (conn->more)
        return !conn->came && conn->unacked == before;
    return conn->unacked == 0 || lingers_for(conn) >= LINGER_REST_MS;
}

static void linger_on(struct conn *conn) {
    uint32_t before = conn->unacked;
    bool late = lingers_for(conn) >= LINGER_MS;
    conn->unacked = unacknowledged(conn);
    conn->more = conn->more || conn->came;
    if (late || is_over(conn, before)) {
        conn_close(conn, conn->cut);
        return;
    }
    conn->came = false;
    look_later(conn);
}

/* The queue sank: tells the protocol, goes on ending. */
static void sank(struct conn *conn) {
    size_t left = conn->out.bytes;
    if (left == 0 && conn->ending) {
        linger(conn);
    } else if (left == 0 || (conn->above_low && left <= conn->low_mark)) {
        conn->above_low = false;
        conn->ops->on_drain(conn);
    }
}

static void on_deadline(struct timer *timer) {
    struct conn *conn = CONTAINER_OF(timer, struct conn, deadline);
    if (conn->lingering)
        linger_on(conn);
    else
        fail(conn, UV_ETIMEDOUT);
}

static void set_blocked(struct conn *conn, bool blocked) {
    conn->blocked = blocked;
    watch(conn);
    if (blocked) /* again whenever the kernel has taken some */
        loop_timer(conn->loop, &conn->deadline, conn->progress_ms);
    else
        timer_clear(&conn->deadline);
}

/* glibc's recv and send are cancellation points, which in a program with threads costs each call
 * two atomic operations: a fiftieth of a small request. Nobody cancels our threads. The kernel's
 * read passes what files need before it comes to the socket. */
static ssize_t receive_bytes(int fd, void *into, size_t n, int flags) {
    return syscall(SYS_recvfrom, fd, into, n, flags, NULL, NULL);
}

static ssize_t send_bytes(int fd, const void *bytes, size_t n) {
    return syscall(SYS_sendto, fd, bytes, n, MSG_NOSIGNAL, NULL, 0);
}

/* How many bytes went out, or a negative errno. */
static ssize_t send_iov(struct conn *conn, const struct iovec *iov, size_t count) {
    ssize_t n = fault("conn_write");
    if (n < 0)
        return n;
    struct msghdr message = {.msg_iov = (struct iovec *)iov, .msg_iovlen = count};
    if (count == 1) /* the usual case, and the cheaper call */
        n = send_bytes(conn->fd, iov[0].iov_base, iov[0].iov_len);
    else
        n = sendmsg(conn->fd, &message, MSG_NOSIGNAL);
    if (n < 0)
        return -errno;
    conn->taken += (uint64_t)n;
    return n;
}

/* One system call, about `most` bytes. How many went out, or a negative errno. */
static ssize_t send_some(struct conn *conn, size_t most) {
    struct iovec iov[IOV_MAX_SEGS];
    size_t count = 0, bytes = 0;
    for (struct wseg *seg = conn->out.head; seg && count < IOV_MAX_SEGS && bytes < most;
         seg = seg->next) {
        iov[count++] = (struct iovec){(char *)seg->bytes + seg->off, seg->len - seg->off};
        bytes += seg->len - seg->off;
    }
    return send_iov(conn, iov, count);
}

void conn_flush(struct conn *conn) {
    list_remove(&conn->unsent);
    if (conn->closing || conn->blocked)
        return;
    size_t sent = 0;
    while (conn->out.bytes > 0) {
        if (sent >= conn->turn_bytes) {
            list_push(&conn->loop->unsent, &conn->unsent);
            break;
        }
        ssize_t n = send_some(conn, conn->turn_bytes - sent);
        if (n == -EINTR)
            continue;
        if (n == -EAGAIN) {
            set_blocked(conn, true);
            break;
        }
        if (n < 0) {
            fail(conn, (int)n);
            return;
        }
        wqueue_drop(&conn->out, &conn->loop->pool, (size_t)n);
        sent += (size_t)n;
    }
    sank(conn);
}

static void flush_unsent(struct list *unsent) {
    conn_flush(CONTAINER_OF(unsent, struct conn, unsent));
}

static void added(struct conn *conn) {
    if (conn->out.bytes > conn->low_mark)
        conn->above_low = true;
    if (list_empty(&conn->unsent) && !conn->blocked)
        list_push(&conn->loop->unsent, &conn->unsent);
}

static bool takes_bytes(const struct conn *conn) {
    return !conn->ending && !conn->closing;
}

void conn_write(struct conn *conn, const void *bytes, size_t n) {
    if (n == 0 || !takes_bytes(conn))
        return;
    wqueue_add(&conn->out, &conn->loop->pool, bytes, n);
    added(conn);
}

char *conn_reserve(struct conn *conn, size_t n) {
    return wqueue_reserve(&conn->out, &conn->loop->pool, n);
}

void conn_commit(struct conn *conn, size_t n) {
    if (n == 0 || !takes_bytes(conn))
        return;
    wqueue_commit(&conn->out, n);
    added(conn);
}

void conn_write_slab(struct conn *conn, struct slab *slab, const char *bytes, size_t n) {
    if (!takes_bytes(conn))
        return;
    wqueue_add_slab(&conn->out, &conn->loop->pool, slab, bytes, n);
    added(conn);
}

size_t conn_send(struct conn *conn, const struct iovec *iov, int count, size_t bytes) {
    if (conn->out.bytes > 0)
        conn_flush(conn);
    if (!takes_bytes(conn) || conn->blocked || conn->out.bytes > 0)
        return 0;
    ssize_t n;
    do
        n = send_iov(conn, iov, (size_t)count);
    while (n == -EINTR);
    if (n < 0 && n != -EAGAIN) {
        fail(conn, (int)n);
        return 0;
    }
    if (n < 0 || (size_t)n < bytes)
        set_blocked(conn, true);
    return n < 0 ? 0 : (size_t)n;
}

size_t conn_queued(const struct conn *conn) {
    return conn->out.bytes;
}

/* What comes is dropped from here on, and read: who still sends must come to an end. */
static void begin_to_end(struct conn *conn) {
    conn->ending = true;
    if (conn->out.bytes == 0)
        linger(conn);
    else
        conn_read(conn, true);
}

void conn_end(struct conn *conn, bool more) {
    if (conn->ending || conn->closing)
        return;
    conn->more = more;
    begin_to_end(conn);
}

void conn_owe(struct conn *conn) {
    conn->owed = conn->taken + conn->out.bytes;
}

void conn_cut(struct conn *conn, bool reset) {
    if (conn->ending || conn->closing)
        return;
    if (conn->owed == 0 || has_arrived(conn, unacknowledged(conn))) {
        conn_close(conn, reset);
        return;
    }
    conn->cut = reset && conn->taken > conn->owed;
    conn->more = true;
    wqueue_keep(&conn->out, &conn->loop->pool,
                conn->taken < conn->owed ? (size_t)(conn->owed - conn->taken) : 0);
    if (conn->out.bytes == 0) {
        list_remove(&conn->unsent);
        set_blocked(conn, false);
    }
    begin_to_end(conn);
}

static void take_eof(struct conn *conn) {
    conn->eof = true;
    conn_read(conn, false);
    if (!conn->lingering)
        conn->ops->on_eof(conn);
    else if (!conn->cut)
        conn_close(conn, false);
}

/* The kernel drops what nobody wants: with MSG_TRUNC TCP copies nothing. */
static void receive(struct conn *conn) {
    ssize_t n = receive_bytes(conn->fd, conn->loop->read_buf, LOOP_READ_BYTES,
                              conn->ending ? MSG_TRUNC : 0);
    if (n == 0) {
        take_eof(conn);
    } else if (n < 0) {
        if (errno != EAGAIN && errno != EINTR)
            fail(conn, -errno);
    } else if (conn->ending) {
        conn->came = true;
    } else {
        conn->ops->on_data(conn, conn->loop->read_buf, (size_t)n);
    }
}

static int socket_error(int fd) {
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error ? -error : UV_ECONNRESET;
}

static void take_hangup(struct conn *conn) {
    conn->hangup = true;
    watch(conn);
    if (conn->ops->on_hangup)
        conn->ops->on_hangup(conn);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
    struct conn *conn = poll->data;
    if (status < 0 || events & UV_PRIORITIZED) { /* libuv's ways to tell of EPOLLERR */
        fail(conn, socket_error(conn->fd));
        return;
    }
    if (events & UV_READABLE && conn->reading)
        receive(conn);
    if (events & UV_DISCONNECT && !conn->reading)
        take_hangup(conn);
    if (events & UV_WRITABLE && conn->blocked && !conn->closing) {
        set_blocked(conn, false);
        conn_flush(conn);
    }
}

void conn_read(struct conn *conn, bool on) {
    if (conn->closing || conn->reading == on || (on && conn->eof))
        return;
    conn->reading = on;
    watch(conn);
}

int conn_init(struct conn *conn, struct loop *loop, int fd, const struct conn_ops *ops) {
    *conn = (struct conn){.ops = ops,
                          .loop = loop,
                          .fd = fd,
                          .progress_ms = 30000,
                          .low_mark = 16384,
                          .turn_bytes = 262144};
    list_init(&conn->unsent);
    loop->flush = flush_unsent;
    timer_init(&conn->deadline, on_deadline);
    int rc = uv_poll_init(&loop->uv, &conn->poll, fd);
    if (rc == 0) {
        conn->poll.data = conn;
        return 0;
    }
    close(fd);
    conn->closing = true;
    conn->ops->on_closed(conn);
    return rc;
}

void address_format(const struct address *address, char out[ADDRESS_TEXT]) {
    inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->ip, out, ADDRESS_TEXT);
}

/* conn: one TCP connection.
 *
 *     open --conn_end--> ending (queue empties) --> lingering (drops what comes) --> closing -->
 * freed
 *       \________________ conn_close, an error, a stalled write ________________________/
 *
 * Writing: conn_write copies into the queue and enlists the conn in its loop; at the end of the
 * turn conn_flush makes one system call. Only when the kernel takes less than all does libuv's
 * write machinery come in: the queue moves into a `struct write` that libuv holds until it is done,
 * and the progress deadline runs. So a connection that keeps up never costs a request object.
 *
 * The protocol embeds the conn, owns its memory until on_closed, and is told of bytes, EOF, failure
 * and room through conn_ops. The conn knows nothing of HTTP. */
#include "net/conn.h"

#include "base/fault.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define IOV_MAX_SEGS 64
#define LINGER_MS 2000
#define LINGER_BYTES (1024 * 1024)

struct write { /* what libuv sends after the kernel's buffer was full */
    uv_write_t req;
    struct wqueue bytes;
};

static void on_closed(uv_handle_t *handle) {
    struct conn *conn = handle->data;
    wqueue_clear(&conn->out, &conn->loop->pool);
    conn->ops->on_closed(conn);
}

void conn_close(struct conn *conn, bool reset) {
    if (conn->closing)
        return;
    conn->closing = true;
    list_remove(&conn->unsent);
    timer_clear(&conn->deadline);
    if (!reset || uv_tcp_close_reset(&conn->tcp, on_closed) != 0)
        uv_close((uv_handle_t *)&conn->tcp, on_closed);
}

static void fail(struct conn *conn, int error) {
    if (conn->closing)
        return;
    if (!conn->lingering)
        conn->ops->on_error(conn, error);
    conn_close(conn, true);
}

static void linger(struct conn *conn) {
    uv_os_fd_t fd;
    if (conn->eof || uv_fileno((uv_handle_t *)&conn->tcp, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        conn_close(conn, false);
        return;
    }
    conn->lingering = true;
    conn->stalled_at = 0;
    conn_read(conn, true);
    loop_timer(conn->loop, &conn->deadline, LINGER_MS);
}

/* The kernel has all that was queued, or the queue sank: tells the protocol, goes on ending. */
static void sank(struct conn *conn) {
    size_t left = conn_queued(conn);
    if (left == 0 && conn->ending) {
        linger(conn);
        return;
    }
    if (left == 0 || (conn->above_low && left <= conn->low_mark)) {
        conn->above_low = false;
        conn->ops->on_drain(conn);
    }
}

static void watch_progress(struct conn *conn) {
    conn->stalled_at = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);
    loop_timer(conn->loop, &conn->deadline, conn->progress_ms);
}

static void on_deadline(struct timer *timer) {
    struct conn *conn = CONTAINER_OF(timer, struct conn, deadline);
    if (conn->lingering)
        conn_close(conn, false);
    else if (uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp) < conn->stalled_at)
        watch_progress(conn);
    else
        fail(conn, UV_ETIMEDOUT);
}

static void on_written(uv_write_t *req, int status) {
    struct write *write = CONTAINER_OF(req, struct write, req);
    struct conn *conn = req->handle->data;
    wqueue_clear(&write->bytes, &conn->loop->pool);
    free(write);
    conn->inflight = NULL;
    if (conn->closing)
        return;
    timer_clear(&conn->deadline);
    if (status < 0) {
        fail(conn, status);
        return;
    }
    conn_flush(conn);
    if (!conn->closing && conn->inflight)
        sank(conn); /* more went out at once; what was in flight is gone */
}

static unsigned gather(const struct wqueue *q, uv_buf_t *bufs, unsigned max) {
    unsigned n = 0;
    for (struct wseg *seg = q->head; seg && n < max; seg = seg->next)
        bufs[n++] = uv_buf_init(seg->data + seg->off, seg->len - seg->off);
    return n;
}

/* Gives the whole queue to libuv, which writes when the socket takes bytes again. */
static void write_later(struct conn *conn) {
    unsigned count = 0;
    for (struct wseg *seg = conn->out.head; seg; seg = seg->next)
        count++;
    uv_buf_t *bufs = mem_alloc(count * sizeof *bufs);
    struct write *write = mem_alloc(sizeof *write);
    write->bytes = conn->out;
    conn->out = (struct wqueue){0};
    conn->inflight = write;
    gather(&write->bytes, bufs, count);
    int rc = uv_write(&write->req, (uv_stream_t *)&conn->tcp, bufs, count, on_written);
    free(bufs); /* libuv copies the array */
    if (rc < 0) {
        wqueue_clear(&write->bytes, &conn->loop->pool);
        free(write);
        conn->inflight = NULL;
        fail(conn, rc);
        return;
    }
    watch_progress(conn);
}

void conn_flush(struct conn *conn) {
    list_remove(&conn->unsent);
    if (conn->closing || conn->inflight)
        return;
    while (conn->out.bytes > 0) {
        uv_buf_t bufs[IOV_MAX_SEGS];
        unsigned count = gather(&conn->out, bufs, IOV_MAX_SEGS);
        int n = fault("conn_write");
        if (n == 0)
            n = uv_try_write((uv_stream_t *)&conn->tcp, bufs, count);
        if (n == UV_EAGAIN) {
            write_later(conn);
            return;
        }
        if (n < 0) {
            fail(conn, n);
            return;
        }
        wqueue_drop(&conn->out, &conn->loop->pool, (size_t)n);
    }
    sank(conn);
}

void conn_write(struct conn *conn, const void *bytes, size_t n) {
    if (n == 0 || conn->ending || conn->closing)
        return;
    wqueue_add(&conn->out, &conn->loop->pool, bytes, n);
    if (conn_queued(conn) > conn->low_mark)
        conn->above_low = true;
    if (list_empty(&conn->unsent))
        list_push(&conn->loop->unsent, &conn->unsent);
}

size_t conn_queued(const struct conn *conn) {
    return conn->out.bytes +
           (conn->inflight ? uv_stream_get_write_queue_size((const uv_stream_t *)&conn->tcp) : 0);
}

void conn_end(struct conn *conn) {
    if (conn->ending || conn->closing)
        return;
    conn->ending = true;
    if (conn_queued(conn) == 0)
        linger(conn);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    (void)suggested;
    struct conn *conn = handle->data;
    *buf = uv_buf_init(conn->loop->read_buf, LOOP_READ_BYTES);
}

static void on_read(uv_stream_t *tcp, ssize_t n, const uv_buf_t *buf) {
    struct conn *conn = tcp->data;
    if (n == 0 || conn->closing)
        return;
    if (n == UV_EOF) {
        conn->eof = true;
        conn_read(conn, false);
        if (conn->lingering)
            conn_close(conn, false);
        else
            conn->ops->on_eof(conn);
    } else if (n < 0) {
        fail(conn, (int)n);
    } else if (!conn->lingering) {
        conn->ops->on_data(conn, buf->base, (size_t)n);
    } else if ((conn->stalled_at += (size_t)n) > LINGER_BYTES) {
        conn_close(conn, true);
    }
}

void conn_read(struct conn *conn, bool on) {
    if (conn->closing || conn->reading == on || (on && conn->eof))
        return;
    conn->reading = on;
    if (on)
        uv_read_start((uv_stream_t *)&conn->tcp, on_alloc, on_read);
    else
        uv_read_stop((uv_stream_t *)&conn->tcp);
}

int conn_init(struct conn *conn, struct loop *loop, int fd, const struct conn_ops *ops) {
    *conn = (struct conn){.ops = ops, .loop = loop, .progress_ms = 30000, .low_mark = 16384};
    list_init(&conn->unsent);
    timer_init(&conn->deadline, on_deadline);
    uv_tcp_init(&loop->uv, &conn->tcp);
    conn->tcp.data = conn;
    int rc = uv_tcp_open(&conn->tcp, fd);
    if (rc < 0) {
        close(fd);
        conn_close(conn, false);
    }
    return rc;
}

void address_format(const struct address *address, char out[ADDRESS_TEXT]) {
    inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->ip, out, ADDRESS_TEXT);
}

/* http1_out: what answers become on an HTTP/1 connection: the operations of its stream.
 *
 * The framing of answers is decided here: Content-Length when the length is known,
 * chunked for HTTP/1.1 clients that keep the connection, the connection's end for the others. It
 * must not look at what arrives. */
#include "wire/http1_own.h"

static struct http1 *of_stream(const struct stream *stream) {
    return stream->transport;
}

/* How the body is delimited, and whether the connection is kept (RFC 9112 sections 6 and 9.3). */
static void decide_framing(struct http1 *c, const struct stream *stream) {
    const struct request *request = stream->request;
    if (stream->length < 0 && !stream->bodiless && !stream->head_only) {
        c->chunked = request->minor >= 1 && request->keep_alive;
        c->close_delimited = !c->chunked;
    }
    /* Its body never comes, or is too long to be dropped after a complete answer, or the server
     * goes. */
    bool unread =
        c->state == BODY && stream->length >= 0 && !stream->in_ended && !http1_can_drop_rest(c);
    if (c->close_delimited || c->continue_due || unread || c->server->draining)
        c->keep_alive = false;
}

void http1_send_head(struct http1 *c, const struct http_head *head, struct http1_framing framing) {
    char *at = conn_reserve(&c->conn, head_max(head));
    conn_commit(&c->conn, (size_t)(http1_head_put(at, head, framing) - at));
}

static void send_head(struct stream *stream, const struct http_head *head) {
    struct http1 *c = of_stream(stream);
    decide_framing(c, stream);
    http1_send_head(c, head,
                    (struct http1_framing){c->chunked, c->keep_alive, stream->request->minor == 0});
    if (stream->write_timeout_ms)
        c->conn.progress_ms = stream->write_timeout_ms;
    if (http1_unheard(c))
        loop_timer(c->server->loop, &c->deadline, 0); /* finished within this turn, or over */
}

static void send_informational(struct stream *stream, int status, struct str fields) {
    struct http1 *c = of_stream(stream);
    if (stream->request->minor == 0) /* RFC 9110 section 15.2 */
        return;
    char *at = conn_reserve(&c->conn, HTTP1_INFORMATIONAL_MAX + fields.len);
    conn_commit(&c->conn, (size_t)(http1_informational_put(at, status, fields) - at));
}

static void send_data(struct stream *stream, const void *bytes, size_t n) {
    struct http1 *c = of_stream(stream);
    counter_add(&c->server->counters.bytes_sent, n);
    if (!c->chunked) {
        conn_write(&c->conn, bytes, n);
        return;
    }
    char *head = conn_reserve(&c->conn, CHUNK_HEAD_MAX);
    conn_commit(&c->conn, chunk_head(head, n));
    conn_write(&c->conn, bytes, n);
    conn_write(&c->conn, "\r\n", 2);
}

static bool takes_chunks(const struct stream *stream) {
    return of_stream(stream)->chunked;
}

static size_t send_chunks(struct stream *stream, const struct iovec *iov, int count, size_t bytes) {
    struct http1 *c = of_stream(stream);
    size_t taken = conn_send(&c->conn, iov, count, bytes);
    counter_add(&c->server->counters.bytes_sent, taken);
    return taken;
}

static void queue_chunks(struct stream *stream, struct slab *slab, const char *bytes, size_t n) {
    struct http1 *c = of_stream(stream);
    counter_add(&c->server->counters.bytes_sent, n);
    if (slab)
        conn_write_slab(&c->conn, slab, bytes, n);
    else
        conn_write(&c->conn, bytes, n);
}

static void finish(struct stream *stream) {
    struct http1 *c = of_stream(stream);
    if (c->chunked)
        conn_write(&c->conn, CHUNK_LAST, sizeof CHUNK_LAST - 1);
    c->answered = true;
    if (stream->in.len > 0 || !stream->in_ended)
        stream->in_dropped = true;
    buf_fini(&stream->in);
    stream_body_came(stream);
    http1_balance_reading(c);
    if (!c->feeding)
        http1_try_next(c);
}

/* A chunked answer is incomplete without its last chunk; one delimited by the connection's end can
 * only be told from a good one by a reset. The answers before it are complete, and arrive. */
static void abort_exchange(struct stream *stream) {
    struct http1 *c = of_stream(stream);
    c->stream = NULL;
    conn_flush(&c->conn);
    conn_cut(&c->conn, c->close_delimited || conn_queued(&c->conn) > 0);
}

static void want_read(struct stream *stream) {
    struct http1 *c = of_stream(stream);
    if (c->continue_due && !stream->in_dropped) {
        c->continue_due = false;
        if (stream->state == STREAM_OPEN) /* else the final head went out in its place */
            send_informational(stream, 100, STR(""));
        http1_set_deadline(c);
    }
    http1_balance_reading(c);
}

static size_t queued(const struct stream *stream) {
    return conn_queued(&of_stream(stream)->conn);
}

const struct stream_ops http1_stream_ops = {
    .send_head = send_head,
    .send_informational = send_informational,
    .send_data = send_data,
    .takes_chunks = takes_chunks,
    .send_chunks = send_chunks,
    .queue_chunks = queue_chunks,
    .finish = finish,
    .abort = abort_exchange,
    .want_read = want_read,
    .queued = queued,
};

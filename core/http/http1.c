/* http1: HTTP/1.0 and 1.1 on one connection (RFC 9112).
 *
 *     IDLE --first byte--> HEAD --head complete--> BODY --body complete--> ANSWERING --> IDLE
 *       ^                    |  (stream dispatched)                            |
 *       |                    +-- refused: an answer, then the end              |
 *       +------------------ answer handed over, connection kept <--------------+
 *
 * llhttp turns the bytes of a head into spans; it is paused at the head's end, so that nothing
 * above ever runs below it. Bodies are counted or go through the chunk decoder. The stream is
 * dispatched when its head is complete, and may answer before its body has come. What arrives
 * behind the current request (pipelining) is kept in `pending`, and reading goes on so that the
 * peer's leaving is seen: behind an endless answer at most 4 KiB are kept, behind others reading
 * rests. An exchange is over when its answer is complete and nearly all handed to the kernel, and
 * its body has been read or dropped.
 *
 * The framing of answers is decided here and nowhere else: Content-Length when the length is known,
 * chunked for HTTP/1.1 clients that keep the connection, the connection's end for the others. */
#include "http/http1.h"

#include "base/log.h"
#include "http/http1_head.h"
#include "http/http1_parse.h"
#include "http/stream.h"
#include "proto/chunked.h"
#include "proto/header.h"

#include <llhttp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_BEHIND_ENDLESS 4096
#define BULK_PROGRESS 1024 /* bytes of a whole-body read that count as progress */
#define HEAD_TOO_LARGE "the request's head is too large"
#define DROP_BODY_MAX 65536 /* an unread body up to this is dropped to keep the connection */

enum state { IDLE, HEAD, BODY, ANSWERING };

struct incoming { /* a request's head while it arrives */
    llhttp_t parser;
    struct request *request;
    struct head_scan scan;
    const char *why;  /* of a refusal from within the parser, */
    uint16_t refusal; /* and its status */
    bool value_open;  /* the last field has its name */
};

struct pending { /* bytes behind the current request, */
    struct buf bytes;
    size_t at; /* from here on not yet parsed */
};

struct http1 {
    struct conn conn;
    struct http_server *server;
    struct list link; /* server->conns */
    struct stream *stream;
    struct incoming *incoming; /* NULL: no head is arriving */
    struct pending *pending;   /* NULL: nothing waits */
    struct timer deadline;     /* of the state: idle, head, body */
    union {                    /* of the body that arrives: */
        struct chunk_decoder chunks;
        uint64_t left; /* bytes still to come */
    };
    struct tallied *tallied; /* http_server_left's */
    uint32_t progress;       /* body bytes since the deadline was set */
    uint8_t state;
    unsigned keep_alive : 1, answered : 1, chunked : 1, close_delimited : 1, continue_due : 1,
        feeding : 1, served : 1;
};

static const struct stream_ops stream_ops;
static void feed_pending(struct http1 *c);
static void balance_reading(struct http1 *c);
static void after_eof(struct http1 *c);
static void try_next(struct http1 *c);

static struct http1 *of_conn(struct conn *conn) {
    return CONTAINER_OF(conn, struct http1, conn);
}

/* --- deadlines --- */

static void set_deadline(struct http1 *c) {
    const struct limits *limits = &c->server->limits;
    uint64_t after = 0;
    if (c->state == IDLE && c->served)
        after = limits->keepalive_timeout;
    else if (c->state <= HEAD)
        after = limits->head_timeout;
    else if (c->state == BODY && c->conn.reading && !c->continue_due)
        after = limits->progress_timeout;
    c->progress = 0;
    if (after)
        loop_timer(c->server->loop, &c->deadline, after);
    else
        timer_clear(&c->deadline);
}

static void enter(struct http1 *c, enum state state) {
    c->state = state;
    set_deadline(c);
}

/* The answer is complete, the rest of the request is not here: worth reading it to keep the
 * connection? */
static bool can_drop_rest(const struct http1 *c) {
    const struct stream *stream = c->stream;
    if (c->continue_due || !c->keep_alive || stream->in_failed)
        return false;
    return !stream->request->chunked && c->left <= DROP_BODY_MAX;
}

/* --- refusing --- */

static void refuse_until(struct http1 *c, int status, const char *why, unsigned retry_s) {
    bool head_only = c->incoming && str_eq(request_method(c->incoming->request), STR("HEAD"));
    char text[512], retry[32] = "";
    char peer[ADDRESS_TEXT];
    address_format(&c->conn.peer, peer);
    log_info("%s: %d %s: %s", peer, status, http_reason(status), why);
    counter_add(&c->server->counters.bad_requests, 1);
    int body = snprintf(NULL, 0, "%d %s: %s\n", status, http_reason(status), why);
    if (retry_s > 0)
        snprintf(retry, sizeof retry, "Retry-After: %u\r\n", retry_s);
    int n = snprintf(
        text, sizeof text,
        "HTTP/1.1 %d %s\r\nDate: %s\r\nServer: weir\r\nX-Content-Type-Options: nosniff\r\n%s"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n"
        "\r\n%d %s: %s\n",
        status, http_reason(status), http_server_date(c->server), retry, body, status,
        http_reason(status), why);
    conn_write(&c->conn, text, (size_t)(head_only ? n - body : n));
    timer_clear(&c->deadline);
    c->state = ANSWERING;
    c->keep_alive = false;
    conn_end(&c->conn);
}

static void refuse(struct http1 *c, int status, const char *why) {
    refuse_until(c, status, why, 0);
}

/* The body's framing broke. Its answer, if it is still due, is 400. */
static void refuse_body(struct http1 *c, int status, const char *why) {
    struct stream *stream = c->stream;
    char peer[ADDRESS_TEXT];
    address_format(&c->conn.peer, peer);
    log_info("%s: %d %s: %s", peer, status, http_reason(status), why);
    counter_add(&c->server->counters.bad_requests, 1);
    c->keep_alive = false;
    c->state = ANSWERING; /* what follows is not looked at */
    timer_clear(&c->deadline);
    stream->in_failed = true;
    stream->reason = REASON_CLIENT;
    if (stream->state == STREAM_OPEN)
        stream_reset_head(stream);
    if (!c->answered)
        stream_fail(stream, status, why);
}

/* --- llhttp's callbacks: only take bytes in --- */

static struct http1 *of_parser(llhttp_t *parser) {
    return parser->data;
}

/* Refuses from within the parser: feed() answers once it has returned. */
static int refuse_later(struct http1 *c, int status, const char *why) {
    c->incoming->refusal = (uint16_t)status;
    c->incoming->why = why;
    return HPE_USER;
}

static int on_method(llhttp_t *parser, const char *at, size_t n) {
    struct http1 *c = of_parser(parser);
    buf_append(&c->incoming->request->bytes, at, n);
    c->incoming->request->method_len += (uint16_t)n;
    return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t n) {
    struct http1 *c = of_parser(parser);
    if (c->incoming->request->target_len + n > c->server->limits.target_bytes)
        return refuse_later(c, 414, "the request target is too long");
    buf_append(&c->incoming->request->bytes, at, n);
    c->incoming->request->target_len += (uint16_t)n;
    return 0;
}

static struct field *last_field(struct http1 *c) {
    return &c->incoming->request->fields[c->incoming->request->nfields - 1];
}

static void append_lower(struct buf *buf, const char *at, size_t n) {
    char *out = buf_reserve(buf, n);
    for (size_t i = 0; i < n; i++)
        out[i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] | 0x20) : at[i];
    buf->len += n;
}

static int on_field(llhttp_t *parser, const char *at, size_t n) {
    struct http1 *c = of_parser(parser);
    struct request *request = c->incoming->request;
    if (request->nfields == 0 || c->incoming->value_open) {
        if (request->nfields == c->server->limits.head_fields)
            return refuse_later(c, 431, "too many header fields");
        request_add_field(request);
        c->incoming->value_open = false;
    }
    if (request->bytes.len + n > REQUEST_BYTES_MAX)
        return refuse_later(c, 431, HEAD_TOO_LARGE);
    append_lower(&request->bytes, at, n);
    last_field(c)->name_len += (uint16_t)n;
    return 0;
}

static int on_field_complete(llhttp_t *parser) {
    struct http1 *c = of_parser(parser);
    if (c->incoming->request->nfields == 0 || c->incoming->value_open ||
        last_field(c)->name_len == 0)
        return HPE_USER; /* a line that begins with its colon; llhttp makes the error its own */
    last_field(c)->value = (uint16_t)c->incoming->request->bytes.len;
    c->incoming->value_open = true;
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t n) {
    struct http1 *c = of_parser(parser);
    if (c->incoming->request->bytes.len + n > REQUEST_BYTES_MAX)
        return refuse_later(c, 431, HEAD_TOO_LARGE);
    buf_append(&c->incoming->request->bytes, at, n);
    last_field(c)->value_len += (uint16_t)n;
    return 0;
}

static int on_headers_complete(llhttp_t *parser) {
    parser->upgrade = 0; /* we never switch protocols: the request is answered as it stands */
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_method = on_method,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
};

/* --- bytes in --- */

static int status_of(const struct http1 *c, llhttp_errno_t error) {
    switch (error) {
    case HPE_USER:
        return c->incoming->refusal;
    case HPE_INVALID_VERSION:
    case HPE_PAUSED_H2_UPGRADE: /* "PRI * HTTP/2.0" without TLS: not offered */
        return 505;
    case HPE_INVALID_TRANSFER_ENCODING:
        return c->incoming->parser.http_minor == 0 ? 400 : 501;
    default:
        return 400;
    }
}

static void begin(struct http1 *c) {
    c->incoming = pool_zalloc(&c->server->loop->pool, sizeof *c->incoming);
    llhttp_init(&c->incoming->parser, HTTP_REQUEST, &settings);
    c->incoming->parser.data = c;
    c->incoming->request = http_server_take_request(c->server);
    c->answered = c->continue_due = false;
    c->state = HEAD;
}

/* The request, unless a stream has taken it, goes back too. */
static void free_incoming(struct http1 *c) {
    if (c->incoming == NULL)
        return;
    http_server_give_request(c->server, c->incoming->request);
    pool_free(&c->server->loop->pool, c->incoming, sizeof *c->incoming);
    c->incoming = NULL;
}

/* The head is complete: from here on there is a stream. False: it was refused. */
static bool start_exchange(struct http1 *c) {
    struct request *request = c->incoming->request;
    const char *why = NULL;
    int status = request_complete(request, c->incoming->parser.http_major,
                                  c->incoming->parser.http_minor, &why);
    if (status == 0 && http_server_split_path(c->server, request) < 0)
        status = 400, why = "malformed path";
    if (status != 0) {
        refuse(c, status, why);
        return false;
    }
    c->incoming->request = NULL;
    c->keep_alive = request->keep_alive && !c->server->draining;
    c->continue_due = request->expect_continue;
    c->close_delimited = c->chunked = false;
    c->stream = stream_new(c->server, &stream_ops, c, request, &c->conn.peer);
    c->served = true;
    bool has_body = request->chunked || request->content_length > 0;
    if (request->chunked)
        c->chunks = (struct chunk_decoder){.limit = (uint32_t)c->server->limits.head_bytes};
    else
        c->left = has_body ? (uint64_t)request->content_length : 0;
    free_incoming(c);
    enter(c, has_body ? BODY : ANSWERING);
    c->stream->in_ended = c->state == ANSWERING;
    return true;
}

static void request_ended(struct http1 *c) {
    c->continue_due = false;
    enter(c, ANSWERING);
    stream_body_end(c->stream);
}

/* How many of `n` bytes the parser took before it paused. */
static size_t taken(const struct http1 *c, const char *bytes, size_t n) {
    const char *pos = llhttp_get_error_pos(&c->incoming->parser);
    return pos ? (size_t)(pos - bytes) : n;
}

static size_t refused(struct http1 *c, int status, const char *why, size_t n) {
    refuse(c, status, why);
    return n;
}

/* Bytes of a head. Returns how many were used; the stream is dispatched when it is complete. */
static size_t feed_head(struct http1 *c, const char *bytes, size_t n) {
    uint64_t limit = c->server->limits.head_bytes;
    if (head_scan(&c->incoming->scan, bytes, n) != 0)
        return refused(c, 400, "a folded header field or a protocol other than HTTP", n);
    llhttp_errno_t error = llhttp_execute(&c->incoming->parser, bytes, n);
    size_t used = error == HPE_PAUSED ? taken(c, bytes, n) : n;
    if (error != HPE_OK && error != HPE_PAUSED)
        return refused(c, status_of(c, error),
                       error == HPE_USER ? c->incoming->why : "malformed request", n);
    if (c->incoming->scan.bytes + used > limit)
        return refused(c, 431, HEAD_TOO_LARGE, n);
    bool first = c->incoming->scan.bytes == 0;
    c->incoming->scan.bytes += (uint32_t)used;
    if (error == HPE_OK) {
        if (first) /* one that comes whole, as nearly all do, needs no deadline */
            set_deadline(c);
        return n;
    }
    if (!start_exchange(c))
        return n;
    stream_dispatch(c->stream);
    return used;
}

static void take_body(struct http1 *c, struct str data) {
    c->progress += (uint32_t)data.len;
    if (!c->answered) /* after the answer the rest is dropped */
        stream_body(c->stream, data.ptr, data.len);
}

/* Both take what they can from the front of `in`: 1 when the body has ended, 0, or CHUNK_EBAD or
 * _ELIMIT. */
static int take_counted(struct http1 *c, struct str *in) {
    struct str data = {in->ptr, in->len < c->left ? in->len : (size_t)c->left};
    take_body(c, data);
    in->ptr += data.len;
    in->len -= data.len;
    c->left -= data.len;
    return c->left == 0;
}

static int take_chunks(struct http1 *c, struct str *in) {
    struct str data;
    int rc;
    do {
        rc = chunk_decode(&c->chunks, in, &data);
        take_body(c, data);
    } while (rc == 0 && in->len > 0);
    return rc;
}

static size_t feed_body(struct http1 *c, const char *bytes, size_t n) {
    struct stream *stream = stream_ref(c->stream);
    struct str in = {bytes, n};
    uint32_t before = c->progress;
    int rc = stream->request->chunked ? take_chunks(c, &in) : take_counted(c, &in);
    bool came = c->progress != before;
    if (rc == CHUNK_ELIMIT)
        refuse_body(c, 431, "trailer fields or chunk extensions too large");
    else if (rc < 0)
        refuse_body(c, 400, "malformed chunked body");
    else if (rc == 1)
        request_ended(c);
    else if (came && (!stream->bulk || c->progress >= BULK_PROGRESS))
        set_deadline(c);
    if (came && rc == 0)
        stream_body_came(stream);
    stream_unref(stream);
    return rc < 0 ? n : n - in.len;
}

static bool is_behind(const struct http1 *c) {
    return c->pending && c->pending->bytes.len - c->pending->at > PENDING_BEHIND_ENDLESS;
}

/* Why an open-ended answer that goes on is over: nobody hears it any more, or that nobody does
 * could not be seen. NULL: it is not. */
static const char *unheard(const struct http1 *c) {
    if (c->stream == NULL || !c->stream->open_ended || c->stream->state != STREAM_STARTED)
        return NULL;
    if (c->conn.eof)
        return "the client closed its side";
    return is_behind(c) ? "too many bytes behind an endless answer" : NULL;
}

static void end_unheard(struct http1 *c) {
    const char *why = unheard(c);
    if (why)
        stream_abort(c->stream, REASON_CLIENT, why);
}

/* Bytes behind the current request: they wait for their turn. */
static void keep(struct http1 *c, const char *bytes, size_t n) {
    if (c->pending == NULL)
        c->pending = pool_zalloc(&c->server->loop->pool, sizeof *c->pending);
    buf_drop(&c->pending->bytes, c->pending->at);
    c->pending->at = 0;
    buf_append(&c->pending->bytes, bytes, n);
    if (is_behind(c))
        conn_read(&c->conn, false);
    end_unheard(c);
}

/* Parses until the bytes are used up or a request waits for its answer. Returns how many were used.
 */
static size_t feed(struct http1 *c, const char *bytes, size_t n) {
    size_t at = 0;
    c->feeding = true;
    while (!c->conn.ending && !c->conn.closing) {
        if (c->answered)
            try_next(c);
        if (c->state == ANSWERING || c->conn.ending || c->conn.closing)
            break;
        if (at == n)
            break;
        if (c->state == IDLE)
            begin(c);
        at +=
            c->state == HEAD ? feed_head(c, bytes + at, n - at) : feed_body(c, bytes + at, n - at);
    }
    c->feeding = false;
    return at;
}

static void free_pending(struct http1 *c) {
    if (c->pending == NULL)
        return;
    buf_fini(&c->pending->bytes);
    pool_free(&c->server->loop->pool, c->pending, sizeof *c->pending);
    c->pending = NULL;
}

static void feed_pending(struct http1 *c) {
    struct pending *pending = c->pending;
    pending->at += feed(c, pending->bytes.data + pending->at, pending->bytes.len - pending->at);
    if (pending->at == pending->bytes.len)
        free_pending(c);
    if (c->conn.ending || c->conn.closing)
        return;
    if (!is_behind(c))
        conn_read(&c->conn, true);
    balance_reading(c);
    if (c->conn.eof)
        after_eof(c);
    else
        end_unheard(c);
}

/* Reading rests while the handler is behind; the deadline rests with it. */
static void balance_reading(struct http1 *c) {
    if (c->state != BODY || c->stream == NULL)
        return;
    bool on = c->stream->in.len <= c->server->limits.high_mark;
    if (on == c->conn.reading || c->conn.eof)
        return;
    conn_read(&c->conn, on);
    set_deadline(c);
}

static void on_data(struct conn *conn, const char *data, size_t n) {
    struct http1 *c = of_conn(conn);
    size_t used = c->state == ANSWERING ? 0 : feed(c, data, n);
    if (used < n && !conn->ending && !conn->closing)
        keep(c, data + used, n - used);
    balance_reading(c);
}

/* --- the end of an exchange --- */

/* Goes on to the next request if this exchange is over. */
static void try_next(struct http1 *c) {
    if (!c->answered || c->stream == NULL || conn_queued(&c->conn) > c->conn.low_mark)
        return;
    bool request_over = c->state == ANSWERING;
    if (!request_over && can_drop_rest(c))
        return;
    if (!request_over)
        c->keep_alive = false;
    struct stream *stream = c->stream;
    c->stream = NULL;
    stream_closed(stream, REASON_DONE, NULL);
    if (!c->keep_alive || c->server->draining || (c->conn.eof && c->pending == NULL)) {
        timer_clear(&c->deadline);
        conn_end(&c->conn);
        return;
    }
    c->conn.progress_ms = (uint32_t)c->server->limits.progress_timeout;
    enter(c, IDLE);
    if (!c->feeding && c->pending)
        feed_pending(c);
}

/* --- stream_ops: the answer --- */

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
    bool unread = c->state == BODY && stream->length >= 0 && !stream->in_ended && !can_drop_rest(c);
    if (c->close_delimited || c->continue_due || unread || c->server->draining)
        c->keep_alive = false;
}

static void send_head(struct stream *stream, int64_t length) {
    (void)length; /* decided from stream->length, which is the same */
    struct http1 *c = of_stream(stream);
    char *head = conn_reserve(&c->conn, http1_head_max(stream));
    decide_framing(c, stream);
    char *end = http1_head_put(head, stream, c->chunked, c->keep_alive);
    conn_commit(&c->conn, (size_t)(end - head));
    if (stream->write_timeout_ms)
        c->conn.progress_ms = stream->write_timeout_ms;
    if (unheard(c))
        loop_timer(c->server->loop, &c->deadline, 0); /* finished within this turn, or over */
}

static void send_informational(struct stream *stream, int status, struct str fields) {
    struct http1 *c = of_stream(stream);
    if (stream->request->minor == 0) /* RFC 9110 section 15.2 */
        return;
    char *head = conn_reserve(&c->conn, HTTP1_HEAD_OWN_MAX + fields.len);
    char *end = http1_informational_put(head, status, fields);
    conn_commit(&c->conn, (size_t)(end - head));
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
    balance_reading(c);
    if (!c->feeding)
        try_next(c);
}

/* A chunked answer is incomplete without its last chunk; one delimited by the connection's end can
 * only be told from a good one by a reset. */
static void abort_exchange(struct stream *stream) {
    struct http1 *c = of_stream(stream);
    c->stream = NULL;
    conn_flush(&c->conn);
    conn_close(&c->conn, c->close_delimited || conn_queued(&c->conn) > 0);
}

static void want_read(struct stream *stream) {
    struct http1 *c = of_stream(stream);
    if (c->continue_due) {
        c->continue_due = false;
        if (stream->state == STREAM_OPEN) /* else the final head went out in its place */
            conn_write(&c->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        set_deadline(c);
    }
    balance_reading(c);
}

static size_t queued(const struct stream *stream) {
    return conn_queued(&of_stream(stream)->conn);
}

static const struct stream_ops stream_ops = {
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

/* --- the connection's other events --- */

/* The peer will send no more; what it has sent is still answered, as far as it is whole. */
static void after_eof(struct http1 *c) {
    if (c->state <= HEAD) {
        conn_end(&c->conn);
        return;
    }
    if (c->pending == NULL)
        c->keep_alive = false;
    if (c->state == BODY) {
        timer_clear(&c->deadline);
        if (c->answered) {
            try_next(c);
            return;
        }
        stream_body_fail(c->stream, false);
    }
    end_unheard(c);
}

static void on_eof(struct conn *conn) {
    after_eof(of_conn(conn));
}

static void on_drain(struct conn *conn) {
    struct http1 *c = of_conn(conn);
    if (c->stream && c->answered)
        try_next(c);
    else if (c->stream)
        stream_drained(c->stream);
}

static void on_error(struct conn *conn, int error) {
    struct http1 *c = of_conn(conn);
    struct stream *stream = c->stream;
    c->stream = NULL;
    if (stream)
        stream_closed(stream, error == UV_ETIMEDOUT ? REASON_TIMEOUT : REASON_CLIENT,
                      uv_strerror(error));
}

static void on_deadline(struct timer *timer) {
    struct http1 *c = CONTAINER_OF(timer, struct http1, deadline);
    if (c->conn.ending || c->conn.closing) /* an event of the same turn came first */
        return;
    if (unheard(c)) {
        end_unheard(c);
        return;
    }
    switch (c->state) {
    case IDLE:
        conn_end(&c->conn);
        break;
    case HEAD:
        refuse(c, 408, "the request's head did not come in time");
        break;
    case BODY:
        c->keep_alive = false;
        if (c->answered)
            try_next(c);
        else
            stream_body_fail(c->stream, true);
        break;
    case ANSWERING:
        break;
    }
}

static void on_closed(struct conn *conn) {
    struct http1 *c = of_conn(conn);
    list_remove(&c->link);
    timer_clear(&c->deadline);
    free_incoming(c);
    free_pending(c);
    struct http_server *server = c->server;
    struct tallied *tallied = c->tallied;
    pool_free(&server->loop->pool, c, sizeof *c);
    http_server_left(server, tallied);
}

static const struct conn_ops conn_ops = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};

/* --- connections --- */

void http1_accept(struct http_server *server, int fd, const struct address *peer,
                  struct tallied *tallied, const struct refusal *refusal) {
    struct http1 *c = pool_zalloc(&server->loop->pool, sizeof *c);
    c->server = server;
    c->tallied = tallied;
    timer_init(&c->deadline, on_deadline);
    list_push(&server->conns, &c->link);
    if (conn_init(&c->conn, server->loop, fd, &conn_ops) < 0)
        return;
    c->conn.peer = *peer;
    c->conn.low_mark = (uint32_t)server->limits.low_mark;
    c->conn.turn_bytes = (uint32_t)server->limits.turn_bytes;
    c->conn.progress_ms = (uint32_t)server->limits.progress_timeout;
    if (refusal->status != 0) {
        refuse_until(c, refusal->status, refusal->why, refusal->retry_s);
        return;
    }
    enter(c, IDLE);
    conn_read(&c->conn, true);
}

/* Calls `each` for every connection; it may close the one it is given. */
static void for_each(struct http_server *server, void (*each)(struct http1 *)) {
    struct list *next;
    for (struct list *at = server->conns.next; at != &server->conns; at = next) {
        next = at->next;
        each(CONTAINER_OF(at, struct http1, link));
    }
}

static void drain(struct http1 *c) {
    if (c->state == IDLE)
        conn_end(&c->conn);
    c->keep_alive = false;
}

static void close_now(struct http1 *c) {
    struct stream *stream = c->stream;
    if (stream)
        stream_abort(stream, REASON_DRAIN, "the server stops");
    conn_close(&c->conn, false);
}

void http1_drain(struct http_server *server) {
    for_each(server, drain);
}

void http1_stop(struct http_server *server) {
    for_each(server, close_now);
}

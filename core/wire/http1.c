/* http1: HTTP/1.0 and 1.1 on one connection (RFC 9112): its life.
 *
 *     IDLE --first byte--> HEAD --head complete--> BODY --body complete--> ANSWERING --> IDLE
 *       ^                    |  (stream dispatched)                            |
 *       |                    +-- refused: an answer, then the end              |
 *       +------------------ answer handed over, connection kept <--------------+
 *
 * What arrives is http1_in's, what is answered http1_out's. An exchange is over when its answer is
 * complete and nearly all handed to the kernel, and its body has been read or dropped. */
#include "wire/http1.h"

#include "base/log.h"
#include "wire/http1_own.h"
#include "proto/header.h"

#include <stdio.h>

#define DROP_BODY_MAX 65536 /* an unread body up to this is dropped to keep the connection */

static struct http1 *of_conn(struct conn *conn) {
    return CONTAINER_OF(conn, struct http1, conn);
}

/* --- deadlines --- */

void http1_set_deadline(struct http1 *c) {
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

void http1_enter(struct http1 *c, enum state state) {
    c->state = state;
    http1_set_deadline(c);
}

/* The answer is complete, the rest of the request is not here: worth reading it to keep the
 * connection? */
bool http1_can_drop_rest(const struct http1 *c) {
    const struct stream *stream = c->stream;
    if (c->continue_due || !c->keep_alive || stream->in_failed)
        return false;
    return !stream->request->chunked && c->left <= DROP_BODY_MAX;
}

/* --- refusing --- */

static void count_limit(const struct http_server *server, int status) {
    if (server->apart)
        return;
    if (status == 408)
        limits_reached(REACHED_HEAD_TIMEOUT);
    else if (status == 414)
        limits_reached(REACHED_TARGET_BYTES);
    else if (status == 431)
        limits_reached(REACHED_HEAD_BYTES);
}

void http1_tell_refusal(struct http1 *c, int status, const char *why) {
    static struct log_kind refusals = LOG_KIND("refused requests");
    char peer[ADDRESS_TEXT];
    counter_add(&c->server->counters.bad_requests, 1);
    count_limit(c->server, status);
    if (!log_admits(&refusals, LOG_INFO))
        return;
    address_format(&c->conn.peer, peer);
    log_info("%s: %d %s: %s", peer, status, http_reason(status), why);
}

static void refuse_until(struct http1 *c, int status, const char *why, unsigned retry_s) {
    bool head_only = http1_asks_for_head(c);
    char body[HEAD_REFUSAL_MAX], retry[32] = "";
    http1_tell_refusal(c, status, why);
    if (retry_s > 0)
        snprintf(retry, sizeof retry, "Retry-After: %u\r\n", retry_s);
    struct http_head head = {status, http_server_date(c->server), HEAD_REFUSAL_TYPE, str_of(retry),
                             (int64_t)head_refusal(body, status, why)};
    http1_send_head(c, &head, (struct http1_framing){0});
    if (!head_only)
        conn_write(&c->conn, body, (size_t)head.length);
    timer_clear(&c->deadline);
    c->state = ANSWERING;
    c->keep_alive = false;
    conn_end(&c->conn, true);
}

void http1_refuse(struct http1 *c, int status, const char *why) {
    refuse_until(c, status, why, 0);
}

/* Why an open-ended answer that goes on is over: nobody hears it any more, or that nobody does
 * could not be seen. NULL: it is not. */
const char *http1_unheard(const struct http1 *c) {
    if (c->stream == NULL || !c->stream->open_ended || !stream_is_live(c->stream))
        return NULL;
    if (c->conn.eof || c->conn.hangup)
        return "the client closed its side";
    return http1_is_behind(c) ? "too many bytes behind an endless answer" : NULL;
}

void http1_end_unheard(struct http1 *c) {
    const char *why = http1_unheard(c);
    if (why)
        stream_abort(c->stream, REASON_CLIENT, why);
}

/* --- the end of an exchange --- */

/* Goes on to the next request if this exchange is over. */
void http1_try_next(struct http1 *c) {
    if (!c->answered || c->stream == NULL || conn_queued(&c->conn) > c->conn.low_mark)
        return;
    bool request_over = c->state == ANSWERING;
    if (!request_over && http1_can_drop_rest(c))
        return;
    if (!request_over)
        c->keep_alive = false;
    struct stream *stream = c->stream;
    c->stream = NULL;
    stream_closed(stream, REASON_DONE, NULL);
    if (!c->keep_alive || c->server->draining || (c->conn.eof && c->pending == NULL)) {
        timer_clear(&c->deadline);
        conn_end(&c->conn, !request_over || c->pending != NULL);
        return;
    }
    c->conn.progress_ms = (uint32_t)c->server->limits.progress_timeout;
    http1_enter(c, IDLE);
    if (!c->feeding && c->pending)
        http1_take_pending(c);
}

/* --- the connection's other events --- */

/* The peer will send no more; what it has sent is still answered, as far as it is whole. */
void http1_after_eof(struct http1 *c) {
    if (c->state <= HEAD) {
        conn_end(&c->conn, false);
        return;
    }
    if (c->pending == NULL)
        c->keep_alive = false;
    if (c->state == BODY) {
        timer_clear(&c->deadline);
        if (c->answered) {
            http1_try_next(c);
            return;
        }
        stream_body_fail(c->stream, false);
    }
    http1_end_unheard(c);
}

static void on_data(struct conn *conn, const char *data, size_t n) {
    http1_take(of_conn(conn), data, n);
}

static void on_eof(struct conn *conn) {
    http1_after_eof(of_conn(conn));
}

/* Behind a body that its handler is slow to read, or never will. */
static void on_hangup(struct conn *conn) {
    http1_end_unheard(of_conn(conn));
}

static void on_drain(struct conn *conn) {
    struct http1 *c = of_conn(conn);
    if (c->stream && c->answered)
        http1_try_next(c);
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
    if (http1_unheard(c)) {
        http1_end_unheard(c);
        return;
    }
    switch (c->state) {
    case IDLE:
        conn_end(&c->conn, false);
        break;
    case HEAD:
        http1_refuse(c, 408, "the request's head did not come in time");
        break;
    case BODY:
        c->keep_alive = false;
        if (c->answered)
            http1_try_next(c);
        else
            stream_body_fail(c->stream, true);
        break;
    case ANSWERING:
        break;
    }
}

static void on_closed(struct conn *conn) {
    struct http1 *c = of_conn(conn);
    list_remove(&c->connection.link);
    timer_clear(&c->deadline);
    http1_free_in(c);
    struct http_server *server = c->server;
    struct tallied *tallied = c->tallied;
    pool_free(&server->loop->pool, c, sizeof *c);
    http_server_left(server, tallied);
}

static const struct conn_ops conn_ops = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_hangup = on_hangup,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};

/* --- connections --- */

static struct http1 *of_connection(struct connection *connection) {
    return CONTAINER_OF(connection, struct http1, connection);
}

static void drain(struct connection *connection) {
    struct http1 *c = of_connection(connection);
    if (c->state == IDLE)
        conn_end(&c->conn, false);
    c->keep_alive = false;
}

static void stop(struct connection *connection) {
    struct http1 *c = of_connection(connection);
    struct stream *stream = c->stream;
    c->stream = NULL;
    conn_flush(&c->conn);
    conn_close(&c->conn, stream && c->close_delimited);
    if (stream)
        stream_closed(stream, REASON_DRAIN, "the server stops");
}

static void accept_connection(struct http_server *server, int fd, const struct address *peer,
                              struct tallied *tallied, const struct refusal *refusal) {
    struct http1 *c = pool_zalloc(&server->loop->pool, sizeof *c);
    c->server = server;
    c->tallied = tallied;
    timer_init(&c->deadline, on_deadline);
    list_push(&server->connections, &c->connection.link);
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
    http1_enter(c, IDLE);
    conn_read(&c->conn, true);
}

const struct protocol http1 = {accept_connection, drain, stop};

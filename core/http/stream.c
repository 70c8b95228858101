/* stream: one HTTP request/response exchange, the same object whatever the protocol below.
 *
 *     OPEN --start--> STARTED --finish--> FINISHED --all handed over--> CLOSED(done)
 *       \______________\_____ the peer left, a deadline, abort ________/ CLOSED(reason)
 *
 * The state only moves forward. Below stands a protocol (`ops`: how bytes are framed and sent),
 * above whoever answers (`events`: a Lua task, or a C handler), beside it at most one producer that
 * fills it as fast as the peer reads. Framing is the protocol's alone: nobody above can set a field
 * of it.
 *
 * Shared by protocol and owner through references; the protocol's ends with stream_closed, after
 * which every call is answered with STREAM_ECLOSED. It must not know of sockets, nor of Lua. */
#include "http/stream.h"

#include "base/clock.h"
#include "base/must.h"
#include "http/grant.h"
#include "proto/field_lines.h"
#include "proto/header.h"

#include <string.h>
#include <sys/random.h>

static const char *const reason_names[] = {"done",    "client",  "timeout", "overflow", "drain",
                                           "expired", "revoked", "error",   "cancelled"};

const char *stream_reason_name(enum stream_reason reason) {
    return reason_names[reason];
}

/* --- life --- */

struct stream *stream_new(struct http_server *server, const struct stream_ops *ops, void *transport,
                          struct request *request, const struct address *peer) {
    struct stream *stream = pool_zalloc(&server->loop->pool, sizeof *stream);
    stream->ops = ops;
    stream->transport = transport;
    stream->server = server;
    stream->request = request;
    if (peer)
        stream->peer = *peer;
    stream->refs = 1;
    stream->length = -1;
    stream->id = http_server_next_id();
    stream->started = loop_now(server->loop);
    stream->head_only = str_eq(request_method(request), STR("HEAD"));
    server->alive++;
    list_push(&server->streams, &stream->link);
    counter_add(&server->counters.streams, 1);
    counter_add(&server->counters.requests, 1);
    return stream;
}

/* Only ever forward. */
static void enter(struct stream *stream, enum stream_state state) {
    MUST(state > stream->state);
    stream->state = (uint8_t)state;
}

struct stream *stream_ref(struct stream *stream) {
    MUST(stream->refs > 0 && stream->refs < UINT16_MAX);
    stream->refs++;
    return stream;
}

void stream_unref(struct stream *stream) {
    MUST(stream->refs > 0);
    if (--stream->refs > 0)
        return;
    MUST(stream->state == STREAM_CLOSED && stream->producer == NULL);
    struct http_server *server = stream->server;
    http_server_give_request(server, stream->request);
    buf_fini(&stream->in);
    buf_fini(&stream->fields);
    pool_free(&server->loop->pool, stream, sizeof *stream);
    MUST(server->alive > 0);
    if (--server->alive == 0 && server->on_left)
        server->on_left(server);
}

static void tell(struct stream *stream, void (*event)(struct stream *)) {
    if (event)
        event(stream);
}

/* `class` is that of the status; 0: it is over without an answer. */
static inline void count_answered(struct stream *stream, unsigned class) {
    struct traffic *traffic = &stream->server->traffic;
    if (__builtin_expect(stream->asked.route == NULL, 0)) /* whoever answers is no app */
        traffic_routed(&stream->asked, traffic_none(traffic),
                       traffic_method(request_method(stream->request)));
    traffic_answered(traffic, &stream->asked, class, stream->started);
}

static void log_stream(struct stream *stream) {
    if (stream->server->access_log)
        stream->server->log(stream->server->access_log, stream);
}

static void count_closed(struct stream *stream) {
    struct http_server *server = stream->server;
    if (stream->state == STREAM_OPEN)
        count_answered(stream, 0);
    if (stream->asked.kind)
        traffic_closed(&stream->asked);
    counter_add(&server->counters.streams, (uint64_t)-1);
    counter_add(&server->counters.closed[stream->reason], 1);
}

void stream_closed(struct stream *stream, enum stream_reason reason, const char *detail) {
    if (stream->state == STREAM_CLOSED)
        return;
    if (stream->reason == REASON_DONE)
        stream->reason = reason;
    count_closed(stream);
    enter(stream, STREAM_CLOSED);
    stream->detail = detail;
    log_stream(stream);
    stream->transport = NULL;
    stream_set_manner(stream, NULL);
    grant_free(stream->grant);
    stream->grant = NULL;
    list_remove(&stream->link);
    struct producer *producer = stream->producer;
    stream->producer = NULL;
    if (producer)
        producer->ops->stop(producer, stream);
    if (stream->events)
        tell(stream, stream->events->on_close);
    stream_unref(stream);
}

/* --- the request's body --- */

void stream_body(struct stream *stream, const char *bytes, size_t n) {
    stream->received += n;
    counter_add(&stream->server->counters.bytes_received, n);
    buf_append(&stream->in, bytes, n);
}

void stream_body_came(struct stream *stream) {
    if (stream->events)
        tell(stream, stream->events->on_readable);
}

void stream_body_end(struct stream *stream) {
    stream->in_ended = true;
    stream_body_came(stream);
}

void stream_body_fail(struct stream *stream, bool timeout) {
    stream->in_failed = true;
    stream->in_timeout = timeout;
    stream_body_came(stream);
}

size_t stream_take(struct stream *stream, void *out, size_t n) {
    if (n > stream->in.len)
        n = stream->in.len;
    if (n == 0)
        return 0;
    if (out)
        memcpy(out, stream->in.data, n);
    buf_drop(&stream->in, n);
    if (stream->state != STREAM_CLOSED)
        stream->ops->want_read(stream);
    return n;
}

size_t stream_take_all(struct stream *stream, struct buf *into) {
    size_t n = stream->in.len;
    if (into->len > 0) {
        buf_append(into, stream->in.data, n);
        stream_take(stream, NULL, n);
        return n;
    }
    if (stream->in_ended) /* it needs no more */
        buf_fini(into);
    struct buf empty = *into;
    *into = stream->in;
    stream->in = empty;
    if (n > 0 && stream->state != STREAM_CLOSED)
        stream->ops->want_read(stream);
    return n;
}

void stream_want_body(struct stream *stream, uint64_t whole) {
    stream->in_wanted = whole;
    if (stream->state != STREAM_CLOSED)
        stream->ops->want_read(stream);
}

void stream_drop_body(struct stream *stream) {
    if (stream->state == STREAM_CLOSED || (stream->in_ended && stream->in.len == 0))
        return;
    stream->in_dropped = true;
    buf_fini(&stream->in);
    stream_body_came(stream);
    if (stream->state != STREAM_CLOSED)
        stream->ops->want_read(stream);
}

/* --- the answer's head --- */

int stream_set_status(struct stream *stream, int status) {
    if (stream->state != STREAM_OPEN)
        return STREAM_EHEAD;
    if (status < 200 || status > 599)
        return STREAM_EVALUE;
    stream->status = (uint16_t)status;
    return 0;
}

static int check_field(struct stream *stream, struct str name, struct str value) {
    if (stream->state != STREAM_OPEN)
        return STREAM_EHEAD;
    if (!header_is_token(name) || !header_is_value(value))
        return STREAM_EVALUE;
    return header_is_framing(name) ? STREAM_EFRAMING : 0;
}

struct str stream_get_header(const struct stream *stream, struct str name) {
    return field_lines_get(buf_str(&stream->fields), name);
}

int stream_set_header(struct stream *stream, struct str name, struct str value) {
    int rc = check_field(stream, name, value);
    if (rc < 0)
        return rc;
    stream_remove_header(stream, name);
    field_lines_add(&stream->fields, name, value);
    return 0;
}

int stream_set_lasting(struct stream *stream, struct str name, struct str value) {
    size_t line = field_lines_size(name, value);
    int rc = check_field(stream, name, value);
    if (rc < 0)
        return rc;
    if (stream->lasting + line > UINT16_MAX)
        return STREAM_ELENGTH;
    stream->lasting -= (uint16_t)field_lines_remove(&stream->fields, 0, stream->lasting, name);
    field_lines_insert(&stream->fields, stream->lasting, name, value);
    stream->lasting += (uint16_t)line;
    return 0;
}

void stream_remove_header(struct stream *stream, struct str name) {
    field_lines_remove(&stream->fields, stream->lasting, stream->fields.len, name);
}

int stream_add_header(struct stream *stream, struct str name, struct str value) {
    int rc = check_field(stream, name, value);
    if (rc == 0)
        field_lines_add(&stream->fields, name, value);
    return rc;
}

void stream_set_manner(struct stream *stream, struct manner *manner) {
    if (stream->manner)
        stream->manner->ops->free(stream->manner);
    stream->manner = manner;
}

void stream_reset_head(struct stream *stream) {
    if (stream->state != STREAM_OPEN)
        return;
    stream->status = 0;
    stream->fields.len = stream->lasting;
    stream_set_manner(stream, NULL);
}

int stream_informational(struct stream *stream, int status, struct str fields) {
    if (stream->state == STREAM_CLOSED)
        return STREAM_ECLOSED;
    if (stream->state != STREAM_OPEN)
        return STREAM_EHEAD;
    stream->ops->send_informational(stream, status, fields);
    return 0;
}

/* What keeps proxies from holding a stream back; what the application set wins. */
static void mark_open_ended(struct stream *stream) {
    stream->open_ended = true;
    request_seal(stream->request);
    if (stream_get_header(stream, STR("X-Accel-Buffering")).ptr == NULL)
        field_lines_add(&stream->fields, STR("X-Accel-Buffering"), STR("no"));
    if (stream_get_header(stream, STR("Cache-Control")).ptr == NULL)
        field_lines_add(&stream->fields, STR("Cache-Control"), STR("no-cache"));
    if (stream->head_only)
        return;
    stream->request->identified = true; /* by the id its two lines in the log belong together */
    log_stream(stream);
}

/* A 205 has no content either (RFC 9110 section 15.3.6), but its framing is that of any other
 * answer (RFC 9112 section 6.3): so it says so. */
static struct http_head head_of(const struct stream *stream) {
    int64_t length = stream->status == 205 ? 0 : stream->bodiless ? -1 : stream->length;
    return (struct http_head){stream->status, http_server_date(stream->server), stream->type,
                              buf_str(&stream->fields), length};
}

int stream_start(struct stream *stream, int64_t length) {
    if (stream->state != STREAM_OPEN)
        return stream->state == STREAM_CLOSED ? STREAM_ECLOSED : STREAM_EHEAD;
    if (stream->status == 0)
        stream->status = 200;
    else
        stream->bodiless = stream->status == 204 || stream->status == 205 || stream->status == 304;
    stream->length = length;
    if (stream->request->identified)
        identity_answer(stream->request, stream->id, &stream->fields);
    if (length < 0 && !stream->bodiless)
        mark_open_ended(stream);
    enter(stream, STREAM_STARTED);
    count_answered(stream, stream->status / 100 - 1u);
    if (stream->open_ended)
        traffic_opened(&stream->asked, stream->manner ? TRAFFIC_SSE : TRAFFIC_STREAM);
    struct http_head head = head_of(stream);
    stream->ops->send_head(stream, &head);
    buf_fini(&stream->fields);
    if (stream->open_ended && stream->head_only) { /* whoever writes is told that it is over */
        stream_finish(stream);
        return 0;
    }
    if (stream->manner)
        stream->manner->ops->opened(stream);
    if (stream->open_ended)
        grant_opened(stream);
    return 0;
}

/* --- the answer's body --- */

size_t stream_queued(const struct stream *stream) {
    return stream->state == STREAM_CLOSED ? 0 : stream->ops->queued(stream);
}

bool stream_is_full(const struct stream *stream) {
    return stream_queued(stream) > stream->server->limits.high_mark;
}

/* Applies the write policy of a stream whose peer is behind. */
static int overflow(struct stream *stream) {
    if (stream->policy == WRITE_DROP_NEWEST) {
        counter_add(&stream->server->counters.writes_dropped, 1);
        stream->lost++;
        return STREAM_EDROPPED;
    }
    stream_abort(stream, REASON_OVERFLOW, "the client reads too slowly");
    return STREAM_ECLOSED;
}

static int put(struct stream *stream, const void *bytes, size_t n) {
    if (stream->length >= 0 && stream->sent + n > (uint64_t)stream->length)
        return STREAM_ELENGTH;
    stream->sent += n;
    stream->wrote = loop_now(stream->server->loop);
    if (n > 0 && !stream->head_only && !stream->bodiless)
        stream->ops->send_data(stream, bytes, n);
    return stream->state == STREAM_CLOSED ? STREAM_ECLOSED : 0;
}

int stream_write(struct stream *stream, const void *bytes, size_t n) {
    if (stream->state == STREAM_OPEN)
        stream_start(stream, -1);
    if (stream->state != STREAM_STARTED)
        return STREAM_ECLOSED;
    if (n > 0 && stream->policy != WRITE_BLOCK && stream_is_full(stream))
        return overflow(stream);
    return put(stream, bytes, n);
}

int stream_produce(struct stream *stream, const void *bytes, size_t n) {
    return stream_is_live(stream) ? put(stream, bytes, n) : STREAM_ECLOSED;
}

size_t stream_send_chunks(struct stream *stream, const struct iovec *iov, int count, size_t bytes) {
    size_t taken = stream->ops->send_chunks(stream, iov, count, bytes);
    stream->sent += taken;
    stream->wrote = loop_now(stream->server->loop);
    return taken;
}

void stream_queue_chunks(struct stream *stream, struct slab *slab, const char *bytes, size_t n) {
    stream->sent += n;
    stream->ops->queue_chunks(stream, slab, bytes, n);
}

int stream_respond(struct stream *stream, const char *type, const void *bytes, size_t n) {
    struct buf end = {0};
    stream->type = type;
    stream_end_page(stream, type, &end);
    int rc = stream_start(stream, (int64_t)(n + end.len));
    if (rc == 0) {
        stream_write(stream, bytes, n);
        if (end.len > 0)
            stream_write(stream, end.data, end.len);
        stream_finish(stream);
    }
    buf_fini(&end);
    return rc;
}

void stream_fail(struct stream *stream, int status, const char *detail) {
    if (stream->state != STREAM_OPEN) {
        stream_abort(stream, REASON_ERROR, detail);
        return;
    }
    char text[HEAD_REFUSAL_MAX];
    size_t n = head_refusal(text, status, detail);
    stream_set_manner(stream, NULL);
    stream_remove_header(stream, STR("Content-Type"));
    stream_remove_header(stream, STR("Content-Disposition"));
    stream->status = (uint16_t)status;
    stream_respond(stream, HEAD_REFUSAL_TYPE, text, n);
}

void stream_finish(struct stream *stream) {
    if (stream->state == STREAM_OPEN) {
        if (stream->status == 0 && !stream->manner) /* at a 204 an EventSource gives up for ever */
            stream->status = 204;
        stream_start(stream, stream->manner ? -1 : 0);
    }
    if (!stream_is_live(stream))
        return;
    if (stream->length >= 0 && !stream->head_only && stream->sent < (uint64_t)stream->length) {
        stream_abort(stream, REASON_ERROR, "the body is shorter than its Content-Length");
        return;
    }
    enter(stream, STREAM_FINISHED);
    stream->ops->finish(stream);
}

void stream_end(struct stream *stream, enum stream_reason reason) {
    struct producer *producer = stream->producer;
    if (stream->state >= STREAM_ENDING)
        return;
    if (producer && producer->ops->end) {
        if (stream->manner)
            stream->manner->ops->open(stream);
        else
            stream_start(stream, -1);
        if (stream->state == STREAM_STARTED) { /* for HEAD the opening is the end already */
            stream->reason = reason;
            enter(stream, STREAM_ENDING);
            producer->ops->end(producer, stream);
        }
        return;
    }
    stream_finish_because(stream, reason);
}

bool stream_end_well(struct stream *stream, enum stream_reason reason, uint32_t least_ms,
                     uint32_t most_ms) {
    uint32_t random = 0;
    if (stream->manner == NULL)
        return false;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
        random = (uint32_t)clock_mono_ns();
    const struct manner_ops *manner = stream->manner->ops;
    stream->policy = WRITE_BLOCK; /* what is said at the end is not dropped */
    stream_ref(stream);           /* for HEAD its opening is its end already */
    manner->open(stream);
    manner->retry(stream, least_ms + random % (most_ms - least_ms + 1));
    stream_end(stream, reason);
    stream_unref(stream);
    return true;
}

void stream_finish_because(struct stream *stream, enum stream_reason reason) {
    if (stream->state < STREAM_FINISHED)
        stream->reason = reason;
    stream_finish(stream);
}

void stream_abort(struct stream *stream, enum stream_reason reason, const char *detail) {
    if (stream->state < STREAM_FINISHED) /* a complete answer is not taken back */
        stream_cut(stream, reason, detail);
}

void stream_cut(struct stream *stream, enum stream_reason reason, const char *detail) {
    if (stream->state == STREAM_CLOSED)
        return;
    stream_ref(stream);
    stream->ops->abort(stream);
    stream_closed(stream, reason, detail);
    stream_unref(stream);
}

/* --- producers --- */

void stream_drained(struct stream *stream) {
    if (stream->producer)
        stream->producer->ops->proceed(stream->producer, stream);
    if (stream->state != STREAM_CLOSED && stream->events)
        tell(stream, stream->events->on_writable);
}

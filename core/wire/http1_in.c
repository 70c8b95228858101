/* http1_in: the bytes that arrive on an HTTP/1 connection.
 *
 * The method is taken first, since it may be any token; the parser is told of POST, or of CONNECT
 * for its target. llhttp turns the other bytes of a head into spans; it is paused at the head's
 * end, so that nothing above ever runs below it. Bodies are counted or go through the chunk
 * decoder. The stream is dispatched when its head is complete, and may answer before its body has
 * come. What arrives behind the current request (pipelining) is kept in `pending`, and reading goes
 * on so that the peer's leaving is seen: behind an endless answer at most 4 KiB are kept, behind
 * others reading rests. It must not know how an answer is framed. */
#include "base/log.h"
#include "wire/http1_own.h"
#include "wire/http1_check.h"
#include "proto/header.h"

#include <llhttp.h>
#include <pthread.h>

#define PENDING_BEHIND_ENDLESS 4096
#define BULK_PROGRESS 1024 /* bytes of a whole-body read that count as progress */
#define HEAD_TOO_LARGE "the request's head is too large"

struct incoming { /* a request's head while it arrives */
    llhttp_t parser;
    struct request *request;
    struct head_scan scan;
    const char *why;  /* of a refusal from within the parser, */
    uint16_t refusal; /* and its status */
    bool has_method;  /* the parser has begun */
    bool value_open;  /* the last field has its name */
};

struct pending { /* bytes behind the current request, */
    struct buf bytes;
    size_t at; /* from here on not yet parsed */
};

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
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
};

/* --- bytes in --- */

static void begin(struct http1 *c) {
    c->incoming = pool_zalloc(&c->server->loop->pool, sizeof *c->incoming);
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
    if (status != 0) {
        http1_refuse(c, status, why);
        return false;
    }
    c->incoming->request = NULL;
    c->keep_alive = request->keep_alive && !c->server->draining;
    c->continue_due = request->expect_continue;
    c->close_delimited = c->chunked = false;
    conn_owe(&c->conn);
    c->stream = stream_new(c->server, &http1_stream_ops, c, request, &c->conn.peer);
    c->served = true;
    bool has_body = request->chunked || request->content_length > 0;
    if (request->chunked)
        c->chunks = (struct chunk_decoder){.limit = (uint32_t)c->server->limits.head_bytes};
    else
        c->left = has_body ? (uint64_t)request->content_length : 0;
    free_incoming(c);
    http1_enter(c, has_body ? BODY : ANSWERING);
    c->stream->in_ended = c->state == ANSWERING;
    return true;
}

bool http1_asks_for_head(const struct http1 *c) {
    return c->incoming && str_eq(request_method(c->incoming->request), STR("HEAD"));
}

static void request_ended(struct http1 *c) {
    c->continue_due = false;
    http1_enter(c, ANSWERING);
    stream_body_end(c->stream);
}

/* Parsers that stand behind a method, to be copied. Only of CONNECT the target is different.
 * Framing and versions are request_complete's to judge. */
static llhttp_t behind_post, behind_connect;

static void prepare(llhttp_t *parser, struct str method) {
    llhttp_init(parser, HTTP_REQUEST, &settings);
    parser->lenient_flags = LENIENT_TRANSFER_ENCODING | LENIENT_VERSION;
    llhttp_execute(parser, method.ptr, method.len);
}

static void prepare_both(void) {
    prepare(&behind_post, STR("POST "));
    prepare(&behind_connect, STR("CONNECT "));
}

static void begin_parser(struct http1 *c) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare_both);
    bool connect = str_eq(request_method(c->incoming->request), STR("CONNECT"));
    c->incoming->parser = connect ? behind_connect : behind_post;
    c->incoming->parser.data = c;
    c->incoming->has_method = true;
}

/* Bytes of a head: 1 when it is complete and `in` begins behind it, 0, or the status to refuse it
 * with. */
static int parse_head(struct http1 *c, struct str *in, const char **why) {
    struct incoming *incoming = c->incoming;
    *why = "malformed request";
    if (!incoming->has_method) {
        int rc = head_take_method(incoming->request, in);
        if (rc != 1)
            return rc;
        begin_parser(c);
    }
    if (head_scan(&incoming->scan, in->ptr, in->len) != 0) {
        *why = "a folded header field or a protocol other than HTTP";
        return 400;
    }
    llhttp_errno_t error = llhttp_execute(&incoming->parser, in->ptr, in->len);
    const char *end = in->ptr + in->len;
    const char *at = error == HPE_PAUSED ? llhttp_get_error_pos(&incoming->parser) : end;
    *in = (struct str){at, (size_t)(end - at)};
    if (error == HPE_USER)
        *why = incoming->why;
    if (error == HPE_OK || error == HPE_PAUSED)
        return error == HPE_PAUSED;
    return error == HPE_USER ? incoming->refusal : 400;
}

static size_t refused(struct http1 *c, int status, const char *why, size_t n) {
    http1_refuse(c, status, why);
    return n;
}

/* Bytes of a head. Returns how many were used; the stream is dispatched when it is complete. */
static size_t feed_head(struct http1 *c, const char *bytes, size_t n) {
    struct head_scan *scan = &c->incoming->scan;
    struct str in = {bytes, n};
    const char *why;
    int rc = parse_head(c, &in, &why);
    size_t used = n - in.len;
    if (rc > 1)
        return refused(c, rc, why, n);
    if (scan->bytes + used > c->server->limits.head_bytes)
        return refused(c, 431, HEAD_TOO_LARGE, n);
    bool first = scan->bytes == 0;
    scan->bytes += (uint32_t)used;
    if (rc == 0) {
        if (first) /* one that comes whole, as nearly all do, needs no deadline */
            http1_set_deadline(c);
        return n;
    }
    if (!start_exchange(c))
        return n;
    c->server->on_request(c->server, c->stream);
    return used;
}

/* The body's framing broke. Its answer, if it is still due, is 400. */
static void refuse_body(struct http1 *c, int status, const char *why) {
    struct stream *stream = c->stream;
    http1_tell_refusal(c, status, why);
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

static void take_body(struct http1 *c, struct str data) {
    c->progress += (uint32_t)data.len;
    if (!c->answered && !c->stream->in_dropped) /* after the answer the rest is dropped */
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
    else if (came && (stream->in_wanted == 0 || c->progress >= BULK_PROGRESS))
        http1_set_deadline(c);
    if (came && rc == 0)
        stream_body_came(stream);
    stream_unref(stream);
    return rc < 0 ? n : n - in.len;
}

bool http1_is_behind(const struct http1 *c) {
    return c->pending && c->pending->bytes.len - c->pending->at > PENDING_BEHIND_ENDLESS;
}

/* Bytes behind the current request: they wait for their turn. */
static void keep(struct http1 *c, const char *bytes, size_t n) {
    if (c->pending == NULL)
        c->pending = pool_zalloc(&c->server->loop->pool, sizeof *c->pending);
    buf_drop(&c->pending->bytes, c->pending->at);
    c->pending->at = 0;
    buf_append(&c->pending->bytes, bytes, n);
    if (http1_is_behind(c))
        conn_read(&c->conn, false);
    http1_end_unheard(c);
}

/* Parses until the bytes are used up or a request waits for its answer. Returns how many were used.
 */
static size_t feed(struct http1 *c, const char *bytes, size_t n) {
    size_t at = 0;
    c->feeding = true;
    while (!c->conn.ending && !c->conn.closing) {
        if (c->answered)
            http1_try_next(c);
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

void http1_take_pending(struct http1 *c) {
    struct pending *pending = c->pending;
    pending->at += feed(c, pending->bytes.data + pending->at, pending->bytes.len - pending->at);
    if (pending->at == pending->bytes.len)
        free_pending(c);
    if (c->conn.ending || c->conn.closing)
        return;
    if (!http1_is_behind(c))
        conn_read(&c->conn, true);
    http1_balance_reading(c);
    if (c->conn.eof)
        http1_after_eof(c);
    else
        http1_end_unheard(c);
}

/* Reading rests while the handler is behind; the deadline rests with it. */
void http1_balance_reading(struct http1 *c) {
    if (c->state != BODY || c->stream == NULL)
        return;
    const struct stream *stream = c->stream;
    bool on = stream->in.len <= c->server->limits.high_mark || stream->in.len < stream->in_wanted ||
              stream->in.len < stream->in_window;
    if (on == c->conn.reading || c->conn.eof)
        return;
    conn_read(&c->conn, on);
    http1_set_deadline(c);
}

void http1_take(struct http1 *c, const char *bytes, size_t n) {
    size_t used = c->state == ANSWERING ? 0 : feed(c, bytes, n);
    if (used < n && !c->conn.ending && !c->conn.closing)
        keep(c, bytes + used, n - used);
    http1_balance_reading(c);
}

void http1_free_in(struct http1 *c) {
    free_incoming(c);
    free_pending(c);
}

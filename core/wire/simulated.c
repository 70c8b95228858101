/* simulated: a request without a socket, its answer collected.
 *
 *     init, fields --send--> the stream is dispatched --finish, abort--> on_over --> fini
 *                                     \--leave: closed as by a client----------------^
 *
 * It does what a protocol does, for one stream and with no connection below: the same checks of the
 * head, but for its size, the same stream, then struct stream_ops that keep what they are given.
 * Its peer takes everything at once, so what answers is never above its high mark; an answer that
 * never ends is cut off at a limit instead. Informational responses are dropped, as most clients
 * do.
 *
 * Embedded by whoever asks, who frees it once it is over. It must not know who answers. */
#include "wire/simulated.h"

#include "base/mem.h"
#include "wire/http1_check.h"
#include "proto/methods.h"
#include "proto/header.h"

#include <stdio.h>
#include <string.h>

/* --- the request --- */

static void on_timer(struct timer *timer) {
    struct simulated *simulated = CONTAINER_OF(timer, struct simulated, over);
    simulated->on_over(simulated);
}

void simulated_init(struct simulated *simulated, struct http_server *server, struct str method,
                    struct str target, void (*on_over)(struct simulated *)) {
    *simulated = (struct simulated){.server = server, .on_over = on_over};
    timer_init(&simulated->over, on_timer);
    struct request *request = simulated->request = request_new();
    buf_add(&request->bytes, method);
    buf_add(&request->bytes, target);
    request->method_len = (uint32_t)method.len;
    request->target_len = (uint32_t)target.len;
}

int simulated_add_field(struct simulated *simulated, struct str name, struct str value) {
    struct buf *bytes = &simulated->request->bytes;
    if (!header_is_token(name) || !header_is_value(value))
        return -1;
    struct field *field = request_add_field(simulated->request);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        buf_add_char(bytes, c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
    }
    field->name_len = (uint32_t)name.len;
    field->value = (uint32_t)bytes->len;
    field->value_len = (uint32_t)value.len;
    buf_add(bytes, value);
    return 0;
}

static bool has_field(const struct simulated *simulated, struct str name) {
    return request_header(simulated->request, name).ptr != NULL;
}

static void add_missing_fields(struct simulated *simulated, struct str body) {
    char length[24];
    if (!has_field(simulated, STR("host")))
        simulated_add_field(simulated, STR("host"), STR("localhost"));
    if (body.len == 0 || has_field(simulated, STR("content-length")) ||
        has_field(simulated, STR("transfer-encoding")))
        return;
    int n = snprintf(length, sizeof length, "%zu", body.len);
    simulated_add_field(simulated, STR("content-length"), (struct str){length, (size_t)n});
}

/* What a parser would refuse before it asks for more. */
static int check_request_line(const struct simulated *simulated, const char **why) {
    struct str target = request_target(simulated->request);
    *why = "malformed request line";
    if (!method_is_valid(request_method(simulated->request)))
        return 400;
    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.ptr[i] <= ' ' || target.ptr[i] == 0x7f)
            return 400;
    *why = "the request target is too long";
    return target.len > simulated->server->limits.target_bytes ? 414 : 0;
}

/* --- stream_ops: the answer --- */

static struct simulated *of_stream(const struct stream *stream) {
    return stream->transport;
}

static void end(struct simulated *simulated) {
    loop_timer(simulated->server->loop, &simulated->over, 0);
    simulated->server->loop->ready = true; /* a turn comes by itself, the clock frozen or not */
}

static void send_head(struct stream *stream, const struct http_head *head) {
    struct simulated *simulated = of_stream(stream);
    simulated->status = head->status;
    char *at = buf_reserve(&simulated->fields, head_max(head));
    simulated->fields.len += (size_t)(head_put(at, head) - at);
}

static void send_informational(struct stream *stream, int status, struct str fields) {
    (void)stream;
    (void)status;
    (void)fields;
}

static void send_data(struct stream *stream, const void *bytes, size_t n) {
    struct simulated *simulated = of_stream(stream);
    if (simulated->body.len + n > SIMULATED_BODY_MAX)
        stream_abort(stream, REASON_OVERFLOW, "more than a simulated client keeps");
    else
        buf_append(&simulated->body, bytes, n);
}

static void finish(struct stream *stream) {
    struct simulated *simulated = of_stream(stream);
    simulated->complete = true;
    end(simulated);
    stream_closed(stream, REASON_DONE, NULL);
}

static void abort_exchange(struct stream *stream) {
    end(of_stream(stream));
}

static void want_read(struct stream *stream) {
    (void)stream; /* the body is here already */
}

static size_t queued(const struct stream *stream) {
    (void)stream;
    return 0;
}

static const struct stream_ops stream_ops = {
    .send_head = send_head,
    .send_informational = send_informational,
    .send_data = send_data,
    .finish = finish,
    .abort = abort_exchange,
    .want_read = want_read,
    .queued = queued,
};

/* --- its life --- */

int simulated_send(struct simulated *simulated, struct str body, const char **why) {
    struct request *request = simulated->request;
    add_missing_fields(simulated, body);
    int status = check_request_line(simulated, why);
    if (status == 0)
        status = request_complete(request, 1, 1, why);
    if (status != 0)
        return status;
    simulated->request = NULL;
    simulated->stream =
        stream_ref(stream_new(simulated->server, &stream_ops, simulated, request, NULL));
    stream_body(simulated->stream, body.ptr, body.len);
    stream_body_end(simulated->stream);
    simulated->server->on_request(simulated->server, simulated->stream);
    return 0;
}

void simulated_leave(struct simulated *simulated) {
    if (simulated->stream)
        stream_closed(simulated->stream, REASON_CLIENT, "the client left");
    timer_clear(&simulated->over);
}

void simulated_fini(struct simulated *simulated) {
    request_free(simulated->request);
    if (simulated->stream)
        stream_unref(simulated->stream);
    buf_fini(&simulated->fields);
    buf_fini(&simulated->body);
}

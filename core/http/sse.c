/* sse: an answer as text/event-stream (HTML standard, section 9.2).
 *
 *     sse_start: fields set --first write, flush, or the task waits--> head, retry:, hello
 *         --> events, heartbeats --> the stream ends
 *
 * The heartbeat is one timer per stream, re-armed lazily: it fires, and only if nothing was written
 * for a whole interval does it send. It runs here in C, so that a sleeping handler need not think
 * of it, and it says nothing while bytes are waiting: a peer that does not read is the write
 * timeout's business.
 *
 * Belongs to its stream, which frees it on closing. Knows nothing of topics. */
#include "http/sse.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

struct sse {
    struct manner manner;
    struct stream *stream;
    struct timer timer;
    uint32_t beat_ms;
    int32_t retry_ms; /* told at the opening; below 0: not */
    char *beat_event; /* as it is sent, to its NUL, which no name has; NULL: the comment */
    bool hello;
    bool nameless;
    bool resumed; /* it goes on where the client left */
};

static const struct manner_ops ops;

/* NULL: it is none. */
static struct sse *sse_of(const struct stream *stream) {
    bool is = stream->manner && stream->manner->ops == &ops;
    return is ? CONTAINER_OF(stream->manner, struct sse, manner) : NULL;
}

/* Due a whole interval after the last write. */
static void arm(struct sse *sse) {
    struct loop *loop = sse->stream->server->loop;
    if (sse->beat_ms > 0)
        wheel_set(&loop->wheel, &sse->timer, sse->stream->wrote + sse->beat_ms);
}

static void beat(struct sse *sse) {
    struct str text = sse->beat_event ? str_of(sse->beat_event) : STR(":\n\n");
    stream_write(sse->stream, text.ptr, text.len);
}

static void on_beat(struct timer *timer) {
    struct sse *sse = CONTAINER_OF(timer, struct sse, timer);
    struct stream *stream = sse->stream;
    uint64_t now = loop_now(stream->server->loop);
    if (now - stream->wrote < sse->beat_ms) {
        arm(sse); /* something was written meanwhile */
        return;
    }
    if (stream_queued(stream) == 0)
        beat(sse);
    else
        stream->wrote = now; /* the peer is behind: that is the write timeout's business */
    if (stream->state == STREAM_STARTED)
        arm(sse);
}

static void free_sse(struct manner *manner) {
    struct sse *sse = CONTAINER_OF(manner, struct sse, manner);
    timer_clear(&sse->timer);
    free(sse->beat_event);
    pool_free(&sse->stream->server->loop->pool, sse, sizeof *sse);
}

static int encode_beat(struct sse *sse, struct str name) {
    uint64_t replaced = 0;
    struct sse_event event = {.retry = -1, .event = name, .data = STR("{}")};
    struct buf text = {0};
    if (name.len == 0)
        return 0;
    int rc = sse_encode(&text, &event, &replaced);
    buf_add_char(&text, '\0');
    sse->beat_event = text.data;
    return rc;
}

static void encode_hello(struct sse *sse, struct buf *out) {
    struct buf data = {0};
    int64_t now = clock_wall_ms();
    buf_printf(&data, "{\"stream\":%llu,\"resumed\":%s,\"heartbeat\":",
               (unsigned long long)sse->stream->id, sse->resumed ? "true" : "false");
    if (sse->beat_ms)
        buf_printf(&data, "%g", sse->beat_ms / 1000.0);
    else
        buf_add(&data, STR("null"));
    buf_printf(&data, ",\"server_time\":%lld.%03d}", (long long)(now / 1000), (int)(now % 1000));
    uint64_t replaced = 0;
    struct sse_event hello = {.event = STR("weir.hello"), .data = buf_str(&data), .retry = -1};
    sse_encode(out, &hello, &replaced);
    buf_fini(&data);
}

static void set_fields(struct stream *stream) {
    stream_set_header(stream, STR("Content-Type"), STR("text/event-stream"));
    if (stream_get_header(stream, STR("Cache-Control")).ptr == NULL)
        stream_set_header(stream, STR("Cache-Control"), STR("no-cache, no-transform"));
}

int sse_start(struct stream *stream, const struct sse_options *options) {
    if (stream->state != STREAM_OPEN)
        return stream->state == STREAM_CLOSED ? STREAM_ECLOSED : STREAM_EHEAD;
    struct sse *sse = pool_zalloc(&stream->server->loop->pool, sizeof *sse);
    sse->manner.ops = &ops;
    sse->stream = stream;
    sse->beat_ms = options->heartbeat_ms;
    timer_init(&sse->timer, on_beat);
    int rc = encode_beat(sse, options->heartbeat_event);
    if (rc < 0) {
        free_sse(&sse->manner);
        return rc;
    }
    sse->retry_ms = options->retry_ms > INT32_MAX ? INT32_MAX : (int32_t)options->retry_ms;
    sse->hello = options->hello;
    sse->nameless = options->nameless;
    stream_set_manner(stream, &sse->manner);
    set_fields(stream);
    return 0;
}

void sse_open(struct stream *stream) {
    struct producer *producer = stream->producer;
    if (stream->manner == NULL || stream->state != STREAM_OPEN)
        return;
    if (producer && producer->ops->open && producer->ops->open(producer, stream))
        return;
    stream_start(stream, -1);
}

void sse_decline(struct stream *stream) {
    stream_set_manner(stream, NULL);
    stream_remove_header(stream, STR("Content-Type"));
    stream_set_status(stream, 204);
    stream_finish(stream);
}

bool sse_is_nameless(const struct stream *stream) {
    const struct sse *sse = sse_of(stream);
    return sse && sse->nameless;
}

void sse_resume(struct stream *stream, bool resumed) {
    struct sse *sse = sse_of(stream);
    if (sse)
        sse->resumed = resumed;
}

static void opened(struct stream *stream) {
    struct sse *sse = sse_of(stream);
    struct buf opening = {0};
    if (sse->retry_ms >= 0)
        buf_printf(&opening, "retry: %d\n\n", sse->retry_ms);
    if (sse->hello)
        encode_hello(sse, &opening);
    stream_write(stream, opening.data, opening.len);
    buf_fini(&opening);
    if (stream->state == STREAM_STARTED)
        arm(sse);
}

int sse_send(struct stream *stream, const struct sse_event *event) {
    struct buf text = {0};
    uint64_t replaced = 0;
    int rc = sse_encode(&text, event, &replaced);
    if (rc == 0) {
        counter_add(&stream->server->counters.utf8_replaced, replaced);
        rc = stream_write(stream, text.data, text.len);
        stream->delivered += rc == 0;
    }
    buf_fini(&text);
    return rc;
}

struct str sse_last_event_id(const struct stream *stream, struct buf *scratch) {
    struct str field = request_header(stream->request, STR("last-event-id"));
    if (field.len > 0)
        return field;
    struct str rest = request_query(stream->request), name, value;
    while (url_query_next(&rest, &name, &value)) {
        bool named = str_eq(name, STR("lastEventId")) || str_eq(name, STR("last_event_id"));
        if (!named || value.len == 0)
            continue;
        scratch->len = 0;
        buf_reserve(scratch, 1);
        url_decode_lenient(value, true, scratch);
        return buf_str(scratch);
    }
    return (struct str){NULL, 0};
}

/* --- as a manner --- */

static void retry(struct stream *stream, uint32_t ms) {
    char text[32];
    int n = snprintf(text, sizeof text, "retry: %u\n\n", ms);
    stream_write(stream, text, (size_t)n);
}

static void withdrawn(struct stream *stream, enum stream_reason reason) {
    char data[64];
    bool nameless = sse_is_nameless(stream);
    int n = snprintf(data, sizeof data, "{%s\"reason\":\"%s\"}",
                     nameless ? "\"event\":\"weir.auth\"," : "", stream_reason_name(reason));
    struct sse_event event = {.data = {data, (size_t)n}, .retry = -1};
    if (!nameless)
        event.event = STR("weir.auth");
    sse_send(stream, &event);
}

static const struct manner_ops ops = {sse_open, opened, retry, withdrawn, free_sse};

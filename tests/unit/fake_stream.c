/* fake_stream: stream_ops that keep what they are given. The stream closes as soon as it is
 * finished, within the call, as it does over a connection that has nothing queued. */
#include "fake_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake *of_stream(const struct stream *stream) {
    return stream->transport;
}

static void send_head(struct stream *stream, const struct http_head *head) {
    struct fake *fake = of_stream(stream);
    fake->status = head->status;
    fake->length = stream->length;
    buf_add(&fake->head, head->fields);
}

static void send_informational(struct stream *stream, int status, struct str fields) {
    struct fake *fake = of_stream(stream);
    fake->informed = status;
    buf_add(&fake->head, fields);
}

static void send_data(struct stream *stream, const void *bytes, size_t n) {
    struct fake *fake = of_stream(stream);
    buf_append(&fake->body, bytes, n);
    if (fake->holding)
        fake->queued += n;
}

static void finish(struct stream *stream) {
    of_stream(stream)->finished = true;
    stream_closed(stream, REASON_DONE, NULL);
}

static void abort_stream(struct stream *stream) {
    of_stream(stream)->aborted = true;
}

static void want_read(struct stream *stream) {
    of_stream(stream)->wants++;
}

static size_t queued(const struct stream *stream) {
    return of_stream(stream)->queued;
}

static const struct stream_ops ops = {
    .send_head = send_head,
    .send_informational = send_informational,
    .send_data = send_data,
    .finish = finish,
    .abort = abort_stream,
    .want_read = want_read,
    .queued = queued,
};

void fake_init(struct fake *fake) {
    *fake = (struct fake){.length = -2};
    if (loop_init(&fake->loop) < 0)
        abort();
    limits_init(&fake->limits);
    http_server_init(&fake->server, &fake->loop, &fake->limits);
}

static void forget(struct fake *fake) {
    if (fake->stream)
        stream_unref(fake->stream);
    buf_fini(&fake->head);
    buf_fini(&fake->body);
    fake->stream = NULL;
    fake->length = -2;
    fake->status = fake->informed = fake->wants = 0;
    fake->queued = 0;
    fake->finished = fake->aborted = fake->holding = false;
}

void fake_fini(struct fake *fake) {
    forget(fake);
    http_server_fini(&fake->server);
    loop_fini(&fake->loop);
}

static void add_fields(struct request *request, const char *fields) {
    struct str rest = str_of(fields);
    while (rest.len > 0) {
        struct str value = str_cut(&rest, '\n');
        struct str name = str_cut(&value, ':');
        struct field *field = request_add_field(request);
        value = str_trim(value);
        field->name_len = (uint32_t)name.len;
        field->value = field->name + field->name_len;
        field->value_len = (uint32_t)value.len;
        buf_add(&request->bytes, name);
        buf_add(&request->bytes, value);
    }
}

struct stream *fake_request(struct fake *fake, const char *method, const char *target,
                            const char *fields) {
    forget(fake);
    struct request *request = request_new();
    buf_add(&request->bytes, str_of(method));
    buf_add(&request->bytes, str_of(target));
    request->method_len = (uint32_t)strlen(method);
    request->target_len = (uint32_t)strlen(target);
    request->minor = 1;
    add_fields(request, fields);
    const char *why;
    if (request_split_target(request, &why) != 0)
        abort();
    fake->stream = stream_ref(stream_new(&fake->server, &ops, fake, request, NULL));
    return fake->stream;
}

void fake_run_until(struct fake *fake, bool (*done)(void *arg), void *arg) {
    while (!done(arg))
        uv_run(&fake->loop.uv, UV_RUN_ONCE);
}

static void on_readable(struct stream *stream) {
    ((struct fake *)stream->owner)->readable++;
}

static void on_writable(struct stream *stream) {
    ((struct fake *)stream->owner)->writable++;
}

static void on_close(struct stream *stream) {
    ((struct fake *)stream->owner)->closes++;
}

void fake_listen(struct fake *fake) {
    static const struct stream_events events = {on_readable, on_writable, on_close};
    fake->readable = fake->writable = fake->closes = 0;
    stream_own(fake->stream, &events, fake);
}

static bool is_closed(void *arg) {
    return ((struct fake *)arg)->stream->state == STREAM_CLOSED;
}

void fake_run(struct fake *fake) {
    fake_run_until(fake, is_closed, fake);
    buf_add_char(&fake->head, 0);
    buf_add_char(&fake->body, 0);
    fake->body.len--;
}

void fake_drain(struct fake *fake) {
    fake->queued = 0;
    stream_drained(fake->stream);
}

void fake_leave(struct fake *fake) {
    stream_closed(fake->stream, REASON_CLIENT, NULL);
}

const char *fake_field(struct fake *fake, const char *name) {
    static char value[1024];
    struct str rest = str_of(fake->head.data);
    while (rest.len > 0) {
        struct str text = str_cut(&rest, '\n');
        struct str found = str_cut(&text, ':');
        if (!str_ieq(found, str_of(name)))
            continue;
        snprintf(value, sizeof(value), "%.*s", (int)text.len - 2, text.ptr + 1);
        return value;
    }
    return NULL;
}

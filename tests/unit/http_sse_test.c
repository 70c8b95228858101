/* What http/sse promises: the fields, what opens the stream, heartbeats, the end. */
#include "http/sse.h"

#include "faked.h"

#include <stdio.h>

static struct stream *open_with(struct sse_options options) {
    struct stream *stream = ask_for("GET", "/", "");
    assert_int_equal(sse_start(stream, &options), 0);
    sse_open(stream);
    return stream;
}

static const struct sse_event event = {.retry = -1, .data = STR("a")};
#define EVENT "data: a\n\n"

static void fields_are_set(void **state) {
    (void)state;
    struct stream *stream = ask_for("GET", "/", "");
    struct sse_options options = {.retry_ms = -1};
    stream_set_header(stream, STR("Content-Type"), STR("text/plain"));
    assert_int_equal(sse_start(stream, &options), 0);
    assert_int_equal(stream->state, STREAM_OPEN);
    sse_open(stream);
    sse_open(stream);
    assert_int_equal(stream->state, STREAM_STARTED);
    assert_true(str_eq(buf_str(&fake.head), STR("Content-Type: text/event-stream\r\n"
                                                "Cache-Control: no-cache, no-transform\r\n"
                                                "X-Accel-Buffering: no\r\n")));
    assert_int_equal(fake.status, 200);
    assert_int_equal(fake.length, -1);
    body_is("");
    stream = ask_for("GET", "/", "");
    stream_set_header(stream, STR("cache-control"), STR("private"));
    sse_start(stream, &options);
    sse_open(stream);
    buf_add_char(&fake.head, 0);
    assert_string_equal(fake_field(&fake, "Cache-Control"), "private");
}

static void a_retry_comes_first(void **state) {
    (void)state;
    open_with((struct sse_options){.retry_ms = 3000});
    body_is("retry: 3000\n\n");
    struct stream *stream = ask_for("GET", "/", "");
    struct sse_options options = {.retry_ms = 0};
    sse_start(stream, &options);
    assert_int_equal(sse_send(stream, &event), 0); /* opens by itself */
    body_is("retry: 0\n\n" EVENT);
}

/* weir.hello: the stream, whether it resumes, its heartbeat in seconds, the server's time. */
static void hello_is_said(void **state) {
    (void)state;
    char want[300];
    for (int beats = 0; beats < 2; beats++) {
        struct stream *stream = open_with(
            (struct sse_options){.retry_ms = -1, .hello = true, .heartbeat_ms = beats ? 1500 : 0});
        int64_t now = clock_wall_ns() / 1000000;
        snprintf(want, sizeof want,
                 "event: weir.hello\ndata: {\"stream\":%llu,\"resumed\":false,"
                 "\"heartbeat\":%s,\"server_time\":%lld.%03d}\n\n",
                 (unsigned long long)stream->id, beats ? "1.5" : "null", (long long)(now / 1000),
                 (int)(now % 1000));
        struct buf text = fake.body;
        buf_add_char(&fake.body, 0);
        assert_int_equal(text.len, strlen(want));
        assert_non_null(strstr(fake.body.data, "event: weir.hello\n"));
        assert_non_null(strstr(fake.body.data, strstr(want, "data: ")));
    }
}

static void starting_fails_where_it_must(void **state) {
    (void)state;
    struct sse_options options = {.retry_ms = -1, .heartbeat_event = STR("a\nb")};
    struct stream *stream = ask_for("GET", "/", "");
    assert_int_equal(sse_start(stream, &options), SSE_EFIELD);
    assert_null(stream->manner);
    assert_null(stream_get_header(stream, STR("Content-Type")).ptr);
    options.heartbeat_event = STR("");
    stream_write(stream, "a", 1);
    assert_int_equal(sse_start(stream, &options), STREAM_EHEAD);
    fake_leave(&fake);
    assert_int_equal(sse_start(stream, &options), STREAM_ECLOSED);
    assert_int_equal(sse_send(stream, &event), STREAM_ECLOSED);
}

static void starting_twice_takes_the_last(void **state) {
    (void)state;
    struct stream *stream = ask_for("GET", "/", "");
    struct sse_options first = {.retry_ms = 1}, second = {.retry_ms = 2};
    assert_int_equal(sse_start(stream, &first), 0);
    assert_int_equal(sse_start(stream, &second), 0);
    sse_open(stream);
    body_is("retry: 2\n\n");
}

static void opening_needs_an_event_stream(void **state) {
    (void)state;
    struct stream *stream = ask_for("GET", "/", "");
    sse_open(stream);
    assert_int_equal(stream->state, STREAM_OPEN);
}

static void events_are_sent(void **state) {
    (void)state;
    struct stream *stream = open_with((struct sse_options){.retry_ms = -1});
    struct sse_event bad = {.retry = -1, .event = STR("a\r"), .data = STR("b")};
    assert_int_equal(sse_send(stream, &bad), SSE_EFIELD);
    body_is("");
    struct sse_event torn = {.retry = -1, .data = STR("a\xff\xfe")};
    assert_int_equal(sse_send(stream, &torn), 0);
    assert_int_equal(fake.server.counters.utf8_replaced, 2);
    body_is("data: a\xef\xbf\xbd\xef\xbf\xbd\n\n");
}

/* --- heartbeats --- */

static void silence_is_broken_by_heartbeats(void **state) {
    (void)state;
    open_with((struct sse_options){.retry_ms = -1, .heartbeat_ms = 15000});
    pass(14999);
    body_is("");
    pass(1);
    body_is(":\n\n");
    pass(15000);
    body_is(":\n\n:\n\n");
    fake.body.len = 0;
    open_with(
        (struct sse_options){.retry_ms = -1, .heartbeat_ms = 1000, .heartbeat_event = STR("ping")});
    pass(1000);
    body_is("event: ping\ndata: {}\n\n");
    open_with((struct sse_options){.retry_ms = -1});
    pass(1000000);
    body_is("");
}

/* Due a whole interval after what was last written. */
static void heartbeats_wait_behind_events(void **state) {
    (void)state;
    struct stream *stream = open_with((struct sse_options){.retry_ms = -1, .heartbeat_ms = 10000});
    pass(6000);
    sse_send(stream, &event);
    pass(9999);
    body_is(EVENT);
    pass(1);
    body_is(EVENT ":\n\n");
}

static void a_slow_client_gets_no_heartbeats(void **state) {
    (void)state;
    struct stream *stream = open_with((struct sse_options){.retry_ms = -1, .heartbeat_ms = 1000});
    fake.holding = true;
    sse_send(stream, &event);
    for (int i = 0; i < 5; i++)
        pass(1000);
    body_is(EVENT);
    fake_drain(&fake);
    fake.holding = false;
    pass(1000);
    body_is(EVENT ":\n\n");
}

static void heartbeats_end_with_the_stream(void **state) {
    (void)state;
    struct stream *stream = open_with((struct sse_options){.retry_ms = -1, .heartbeat_ms = 1000});
    stream_finish(stream);
    assert_null(stream->manner);
    pass(5000);
    body_is("");
}

/* --- the last id --- */

static void the_last_id_is_found(void **state) {
    (void)state;
    static const struct {
        const char *target, *fields, *want; /* NULL: none */
    } rows[] = {
        {"/", "", NULL},
        {"/", "last-event-id: 5-1\n", "5-1"},
        {"/?last_event_id=6-1", "", "6-1"},
        {"/?last_event_id=6-1", "last-event-id: 5-1\n", "5-1"},
        {"/?a=b&last_event_id=a%20b+c&last_event_id=d", "", "a b c"},
        {"/?lastEventId=6-2", "", "6-2"}, /* what some clients call it */
        {"/?lastEventId=6-2&last_event_id=6-1", "", "6-2"},
        {"/?last_event_id=&lastEventId=6-2", "", "6-2"},
        {"/?lasteventid=6-2", "", NULL},
        {"/?last_event_id=6-1", "last-event-id: \n", "6-1"}, /* what is empty is none */
        {"/", "last-event-id: \n", NULL},
        {"/?last_event_id=", "", NULL},
        {"/?last_event_id", "", NULL},
        {"/?last_event_ids=1", "", NULL},
    };
    struct buf scratch = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str row = str_of(rows[i].target);
        struct str id = sse_last_event_id(ask_for("GET", rows[i].target, rows[i].fields), &scratch);
        SAME_INT(row, id.ptr != NULL, rows[i].want != NULL);
        SAME_STR(row, id, str_of(rows[i].want));
    }
    buf_fini(&scratch);
}

/* --- the end --- */

static void the_end_spreads_the_clients(void **state) {
    (void)state;
    uint64_t wait, least = UINT64_MAX, most = 0;
    for (int i = 0; i < 200; i++) {
        struct stream *stream = open_with((struct sse_options){.retry_ms = -1});
        stream_end_well(stream, REASON_DRAIN, 1000, 1009);
        assert_true(fake.finished);
        assert_int_equal(stream->reason, REASON_DRAIN);
        struct str text = buf_str(&fake.body);
        assert_true(str_starts(text, STR("retry: ")));
        assert_memory_equal(text.ptr + text.len - 2, "\n\n", 2);
        assert_int_equal(str_to_u64((struct str){text.ptr + 7, text.len - 9}, &wait), 0);
        least = wait < least ? wait : least;
        most = wait > most ? wait : most;
    }
    assert_true(least >= 1000 && most <= 1009 && least < most);
    struct stream *stream = open_with((struct sse_options){.retry_ms = -1});
    stream_end_well(stream, REASON_DRAIN, 7, 7);
    body_is("retry: 7\n\n");
}

static void one_that_was_not_opened_ends_well(void **state) {
    (void)state;
    struct stream *stream = ask_for("GET", "/", "");
    struct sse_options options = {.retry_ms = 1};
    sse_start(stream, &options);
    stream_end_well(stream, REASON_DRAIN, 7, 7);
    assert_int_equal(fake.length, -1);
    body_is("retry: 1\n\nretry: 7\n\n");
    assert_true(fake.finished);
    stream = ask_for("HEAD", "/", "");
    sse_start(stream, &options);
    stream_end_well(stream, REASON_DRAIN, 7, 7); /* over when its head is out */
    body_is("");
    assert_true(fake.finished);
    assert_int_equal(stream->reason, REASON_DONE);
}

/* A policy for events does not keep the end from being said. */
static void a_slow_client_is_drained_too(void **state) {
    (void)state;
    static const char chunk[100000];
    struct stream *stream = open_with((struct sse_options){.retry_ms = -1});
    fake.holding = true;
    stream_write(stream, chunk, sizeof chunk);
    stream->policy = WRITE_DISCONNECT;
    stream_end_well(stream, REASON_DRAIN, 7, 7);
    assert_false(fake.aborted);
    assert_true(fake.finished);
    assert_int_equal(stream->reason, REASON_DRAIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FAKED(fields_are_set),
        FAKED(a_retry_comes_first),
        FAKED(hello_is_said),
        FAKED(starting_fails_where_it_must),
        FAKED(starting_twice_takes_the_last),
        FAKED(opening_needs_an_event_stream),
        FAKED(events_are_sent),
        FAKED(silence_is_broken_by_heartbeats),
        FAKED(heartbeats_wait_behind_events),
        FAKED(a_slow_client_gets_no_heartbeats),
        FAKED(heartbeats_end_with_the_stream),
        FAKED(the_last_id_is_found),
        FAKED(the_end_spreads_the_clients),
        FAKED(one_that_was_not_opened_ends_well),
        FAKED(a_slow_client_is_drained_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

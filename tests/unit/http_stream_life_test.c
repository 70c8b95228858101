/* What http/stream promises beyond the answer: room, the request's body, the end. */
#include "http/stream.h"

#include "faked.h"

static struct stream *ask(const char *method) {
    struct stream *stream = ask_for(method, "/", "host: a\n");
    fake_listen(&fake);
    return stream;
}

/* --- room --- */

static void policies_decide_about_a_slow_peer(void **state) {
    (void)state;
    static const char chunk[70000];
    struct stream *stream = ask("GET");
    fake.holding = true;
    assert_int_equal(stream_write(stream, chunk, fake.limits.high_mark), 0);
    assert_false(stream_is_full(stream)); /* at the mark is not above it */
    stream->policy = WRITE_DROP_NEWEST;
    assert_int_equal(stream_write(stream, chunk, 1), 0);
    assert_true(stream_is_full(stream));
    assert_int_equal(stream_queued(stream), fake.limits.high_mark + 1);
    stream->policy = WRITE_BLOCK;
    assert_int_equal(stream_write(stream, "a", 1), 0); /* who blocks has been told */
    stream->policy = WRITE_DROP_NEWEST;
    uint64_t sent = stream->sent;
    assert_int_equal(stream_write(stream, "b", 1), STREAM_EDROPPED);
    assert_int_equal(stream->lost, 1);
    assert_int_equal(stream->sent, sent);
    assert_int_equal(fake.server.counters.writes_dropped, 1);
    fake_drain(&fake);
    assert_int_equal(fake.writable, 1);
    assert_int_equal(stream_write(stream, chunk, 70000), 0);
    stream->policy = WRITE_DISCONNECT;
    assert_int_equal(stream_write(stream, "c", 1), STREAM_ECLOSED);
    assert_true(fake.aborted);
    assert_int_equal(stream->reason, REASON_OVERFLOW);
    assert_int_equal(stream_queued(stream), 0);
    assert_false(stream_is_full(stream));
}

static int proceeds, stops;

static void proceed(struct producer *producer, struct stream *stream) {
    (void)producer;
    if (++proceeds == 2)
        stream_finish(stream);
}

static void stop(struct producer *producer, struct stream *stream) {
    (void)producer;
    (void)stream;
    stops++;
}

static void producers_are_asked_for_more(void **state) {
    (void)state;
    static const struct producer_ops ops = {.proceed = proceed, .stop = stop};
    struct producer producer = {&ops};
    struct stream *stream = ask("GET");
    proceeds = stops = 0;
    stream_start(stream, -1);
    stream_attach(stream, &producer);
    assert_int_equal(proceeds, 0);
    stream_drained(stream);
    assert_int_equal(proceeds, 1);
    assert_int_equal(fake.writable, 1);
    stream_drained(stream); /* it ends the stream: nobody is told of room any more */
    assert_int_equal(fake.writable, 1);
    assert_int_equal(stops, 1);
    stream = ask("GET");
    stream_attach(stream, &producer);
    stream_attach(stream, NULL);
    stream_drained(stream);
    fake_leave(&fake);
    assert_int_equal(proceeds, 2);
    assert_int_equal(stops, 1);
}

/* --- the request's body --- */

static void bodies_are_taken(void **state) {
    (void)state;
    char out[10];
    struct stream *stream = ask("POST");
    assert_int_equal(stream_take(stream, out, sizeof out), 0);
    stream_want_body(stream, 100);
    assert_int_equal(stream->in_wanted, 100);
    assert_int_equal(fake.wants, 1);
    stream_body(stream, "abcdef", 6);
    assert_int_equal(fake.readable, 0); /* a parser stands below */
    stream_body_came(stream);
    assert_int_equal(fake.readable, 1);
    assert_int_equal(stream_take(stream, out, 2), 2);
    assert_memory_equal(out, "ab", 2);
    assert_int_equal(fake.wants, 2); /* there is room again */
    assert_int_equal(stream_take(stream, NULL, 1), 1);
    assert_int_equal(stream_take(stream, out, sizeof out), 3);
    assert_memory_equal(out, "def", 3);
    assert_int_equal(stream_take(stream, out, sizeof out), 0);
    assert_int_equal(stream->received, 6);
    assert_false(stream->in_ended);
    stream_body_end(stream);
    assert_true(stream->in_ended);
    assert_int_equal(fake.readable, 2);
}

/* Memory goes back and forth; behind the end there is no need of any. */
static void bodies_are_moved_whole(void **state) {
    (void)state;
    struct buf into = {0};
    struct stream *stream = ask("POST");
    stream_body(stream, "abcdef", 6);
    const char *first = stream->in.data;
    assert_int_equal(stream_take_all(stream, &into), 6);
    assert_ptr_equal(into.data, first);
    assert_int_equal(fake.wants, 1);
    assert_int_equal(stream_take_all(stream, &into), 0);
    assert_int_equal(fake.wants, 1);
    stream_body(stream, "gh", 2);
    assert_int_equal(stream_take_all(stream, &into), 2);
    assert_int_equal(fake.wants, 2);
    assert_memory_equal(into.data, "abcdefgh", 8);
    first = into.data;
    into.len = 0;
    stream_body(stream, "ij", 2);
    assert_int_equal(stream_take_all(stream, &into), 2);
    assert_ptr_equal(stream->in.data, first);
    stream_body(stream, "kl", 2);
    stream_body_end(stream);
    into.len = 0;
    assert_int_equal(stream_take_all(stream, &into), 2);
    assert_memory_equal(into.data, "kl", 2);
    assert_null(stream->in.data);
    fake_leave(&fake);
    assert_int_equal(stream_take_all(stream, &into), 0);
    assert_int_equal(fake.wants, 4);
    buf_fini(&into);
}

static void broken_bodies_are_told(void **state) {
    (void)state;
    struct stream *stream = ask("POST");
    stream_body_fail(stream, false);
    assert_true(stream->in_failed && !stream->in_timeout && !stream->in_ended);
    assert_int_equal(fake.readable, 1);
    stream = ask("POST");
    stream_body_fail(stream, true);
    assert_true(stream->in_failed && stream->in_timeout);
}

/* What has come stays readable after the end. */
static void a_closed_stream_gives_what_it_has(void **state) {
    (void)state;
    char out[10];
    struct stream *stream = ask("POST");
    stream_body(stream, "abc", 3);
    fake_leave(&fake);
    fake.wants = 0;
    assert_int_equal(stream_take(stream, out, sizeof out), 3);
    stream_want_body(stream, 0);
    assert_int_equal(fake.wants, 0);
}

/* --- the end --- */

static void a_closed_stream_refuses_all(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    stream_start(stream, -1);
    fake_leave(&fake);
    stream_closed(stream, REASON_ERROR, "again"); /* harmless */
    assert_int_equal(fake.closes, 1);
    assert_int_equal(stream->reason, REASON_CLIENT);
    assert_int_equal(stream_start(stream, 0), STREAM_ECLOSED);
    assert_int_equal(stream_write(stream, "a", 1), STREAM_ECLOSED);
    assert_int_equal(stream_respond(stream, NULL, "a", 1), STREAM_ECLOSED);
    assert_int_equal(stream_set_status(stream, 200), STREAM_EHEAD);
    assert_int_equal(stream_queued(stream), 0);
    stream_finish(stream);
    stream_abort(stream, REASON_ERROR, NULL);
    assert_false(fake.finished || fake.aborted);
    body_is("");
}

static void aborting_tells_the_peer_and_the_owner(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    stream_write(stream, "a", 1);
    stream_abort(stream, REASON_REVOKED, "no longer allowed");
    assert_true(fake.aborted);
    assert_int_equal(fake.closes, 1);
    assert_int_equal(stream->reason, REASON_REVOKED);
    assert_string_equal(stream->detail, "no longer allowed");
}

/* Members of `events` may be missing, and so may all. */
static void nobody_needs_to_listen(void **state) {
    (void)state;
    static const struct stream_events none;
    for (int i = 0; i < 2; i++) {
        struct stream *stream = ask("POST");
        stream_own(stream, i == 0 ? NULL : &none, NULL);
        stream_body_came(stream);
        stream_body_end(stream);
        stream_drained(stream);
        fake_leave(&fake);
        assert_int_equal(fake.readable + fake.writable + fake.closes, 0);
    }
}

static void streams_are_numbered_and_counted(void **state) {
    (void)state;
    uint64_t requests = fake.server.counters.requests;
    struct stream *stream = ask("GET");
    uint64_t id = stream->id;
    assert_true(id > 0);
    assert_int_equal(fake.server.counters.streams, 1);
    stream = ask("GET");
    assert_int_equal(stream->id, id + 1);
    assert_int_equal(fake.server.counters.streams, 1);
    assert_int_equal(fake.server.counters.requests, requests + 2);
}

static void reasons_have_the_contracts_names(void **state) {
    (void)state;
    static const char *const names[] = {"done",    "client",  "timeout", "overflow", "drain",
                                        "expired", "revoked", "error",   "cancelled"};
    for (size_t i = 0; i < COUNT(names); i++)
        assert_string_equal(stream_reason_name((enum stream_reason)i), names[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FAKED(policies_decide_about_a_slow_peer),
        FAKED(producers_are_asked_for_more),
        FAKED(bodies_are_taken),
        FAKED(bodies_are_moved_whole),
        FAKED(broken_bodies_are_told),
        FAKED(a_closed_stream_gives_what_it_has),
        FAKED(a_closed_stream_refuses_all),
        FAKED(aborting_tells_the_peer_and_the_owner),
        FAKED(nobody_needs_to_listen),
        FAKED(streams_are_numbered_and_counted),
        cmocka_unit_test(reasons_have_the_contracts_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

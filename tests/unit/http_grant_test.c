/* What http/grant promises: which streams end when, what they are told, whom they count for. */
#include "http/grant.h"

#include "faked.h"
#include "http/sse.h"

#include <math.h>

#define GOODBYE "event: weir.auth\ndata: {\"reason\":\"expired\"}\n\n"

static struct stream *ask(const char *method) {
    return ask_for(method, "/", "");
}

static int64_t in(int64_t ms) {
    return clock_wall_ns() / 1000000 + ms;
}

static const struct str ann = STR("ann"), nobody = {NULL, 0};

/* An event stream that is open, with a grant that ends so many ms from now. */
static struct stream *open_for(int64_t ms) {
    struct stream *stream = ask("GET");
    struct sse_options options = {.retry_ms = -1};
    assert_int_equal(grant_set(stream, ann, in(ms)), 0);
    assert_int_equal(sse_start(stream, &options), 0);
    sse_open(stream);
    return stream;
}

static void ends_are_read_from_seconds(void **state) {
    (void)state;
    assert_int_equal(grant_end_of(12.5), 12500);
    assert_int_equal(grant_end_of(0), 0);
    assert_int_equal(grant_end_of(-1), 0);
    assert_int_equal(grant_end_of(1e300), GRANT_FOREVER);
    assert_int_equal(grant_end_of(HUGE_VAL), GRANT_FOREVER);
    assert_int_equal(grant_end_of(NAN), GRANT_FOREVER);
}

static void a_stream_says_whose_it_is(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    assert_null(grant_subject(stream));
    grant_set(stream, ann, 5);
    assert_string_equal(grant_subject(stream), "ann");
    grant_renew(stream, 6);
    assert_string_equal(grant_subject(stream), "ann");
    grant_set(stream, STR(""), 7);
    assert_string_equal(grant_subject(stream), "");
    grant_set(stream, nobody, 8);
    assert_null(grant_subject(stream));
    fake_leave(&fake);
}

static void an_event_stream_ends_well(void **state) {
    (void)state;
    struct stream *stream = open_for(100);
    stream_write(stream, ":\n\n", 3);
    pass(99);
    assert_false(fake.finished);
    pass(1);
    body_is(":\n\n" GOODBYE);
    assert_true(fake.finished);
    assert_int_equal(stream->reason, REASON_EXPIRED);
}

static void one_that_is_far_away_is_looked_for_again(void **state) {
    (void)state;
    open_for(200000);
    for (int i = 0; i < 199; i++)
        pass(1000);
    assert_false(fake.finished);
    pass(1000);
    assert_true(fake.finished);
}

static void a_slow_client_is_told_behind_what_waits(void **state) {
    (void)state;
    static const char chunk[100000];
    struct stream *stream = open_for(100);
    fake.holding = true;
    stream_write(stream, chunk, sizeof chunk);
    stream->policy = WRITE_DROP_NEWEST;
    pass(100);
    assert_true(fake.finished);
    assert_memory_equal(fake.body.data + sizeof chunk, GOODBYE, sizeof GOODBYE - 1);
}

static void other_streams_break_off(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    grant_set(stream, ann, in(100));
    stream_write(stream, "some", 4);
    stream_ref(stream);
    pass(100);
    body_is("some");
    assert_true(fake.aborted);
    assert_int_equal(stream->reason, REASON_EXPIRED);
    stream_unref(stream);
}

static void an_answer_with_an_end_is_given(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    grant_set(stream, ann, in(100));
    pass(200);
    assert_int_equal(stream->state, STREAM_OPEN);
    stream_start(stream, 4);
    pass(200);
    stream_write(stream, "four", 4);
    stream_finish(stream);
    body_is("four");
    assert_int_equal(stream->reason, REASON_DONE);
}

static void one_that_opens_too_late_ends_at_once(void **state) {
    (void)state;
    open_for(-1);
    body_is("");
    pass(0);
    body_is(GOODBYE);
    assert_true(fake.finished);
}

static void a_client_that_hears_messages_only_is_told_in_one(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    struct sse_options options = {.retry_ms = -1, .nameless = true};
    assert_int_equal(grant_set(stream, ann, in(-1)), 0);
    assert_int_equal(sse_start(stream, &options), 0);
    sse_open(stream);
    pass(0);
    body_is("data: {\"event\":\"weir.auth\",\"reason\":\"expired\"}\n\n");
    assert_true(fake.finished);
}

static void a_grant_may_come_when_the_stream_is_open(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    struct sse_options options = {.retry_ms = -1};
    sse_start(stream, &options);
    sse_open(stream);
    grant_renew(stream, in(100)); /* there is none yet */
    assert_null(grant_subject(stream));
    grant_set(stream, ann, in(50));
    pass(50);
    assert_true(fake.finished);
}

static void renewing_moves_the_end(void **state) {
    (void)state;
    struct stream *stream = open_for(100);
    pass(50);
    grant_renew(stream, in(100));
    pass(99);
    assert_false(fake.finished);
    grant_renew(stream, GRANT_FOREVER);
    pass(1000000);
    assert_false(fake.finished);
    grant_renew(stream, in(10));
    pass(10);
    assert_true(fake.finished);
}

static void a_head_is_over_already(void **state) {
    (void)state;
    struct stream *stream = ask("HEAD");
    struct sse_options options = {.retry_ms = -1};
    grant_set(stream, ann, in(100));
    sse_start(stream, &options);
    sse_open(stream);
    assert_true(fake.finished);
    grant_withdraw(stream, REASON_REVOKED);
    assert_int_equal(stream->reason, REASON_DONE);
    pass(100);
    body_is("");
}

static void withdrawing_opens_what_was_not(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    struct sse_options options = {.retry_ms = 7};
    sse_start(stream, &options);
    grant_withdraw(stream, REASON_REVOKED);
    body_is("retry: 7\n\nevent: weir.auth\ndata: {\"reason\":\"revoked\"}\n\n");
    assert_int_equal(stream->reason, REASON_REVOKED);
}

/* Each counts once, however often it is set, and no more when it has closed. */
static void a_subject_has_a_limit(void **state) {
    (void)state;
    fake.server.limits.streams_per_sub = 1;
    struct stream *stream = ask("GET");
    assert_int_equal(grant_set(stream, ann, GRANT_FOREVER), 0);
    assert_int_equal(grant_set(stream, ann, GRANT_FOREVER), 0);
    struct tallied *other = http_server_join(&fake.server, STR("bob"));
    assert_non_null(other);
    assert_int_equal(grant_set(stream, STR("bob"), GRANT_FOREVER), STREAM_ELIMIT);
    assert_null(grant_subject(stream));
    assert_int_equal(grant_set(stream, ann, GRANT_FOREVER), 0); /* its place was given back */
    assert_int_equal(grant_set(stream, nobody, GRANT_FOREVER), 0);
    stream_ref(stream);
    assert_int_equal(grant_set(stream, ann, GRANT_FOREVER), 0);
    fake_leave(&fake);
    assert_int_equal(grant_set(stream, ann, GRANT_FOREVER), 0); /* closed: nothing happens */
    assert_null(grant_subject(stream));
    stream_unref(stream);
    assert_int_equal(grant_set(ask("GET"), ann, GRANT_FOREVER), 0);
    http_server_leave(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FAKED(ends_are_read_from_seconds),
        FAKED(a_stream_says_whose_it_is),
        FAKED(an_event_stream_ends_well),
        FAKED(a_client_that_hears_messages_only_is_told_in_one),
        FAKED(one_that_is_far_away_is_looked_for_again),
        FAKED(a_slow_client_is_told_behind_what_waits),
        FAKED(other_streams_break_off),
        FAKED(an_answer_with_an_end_is_given),
        FAKED(one_that_opens_too_late_ends_at_once),
        FAKED(a_grant_may_come_when_the_stream_is_open),
        FAKED(renewing_moves_the_end),
        FAKED(a_head_is_over_already),
        FAKED(withdrawing_opens_what_was_not),
        FAKED(a_subject_has_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

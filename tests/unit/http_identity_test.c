/* What http/identity promises: an id that came and is sane, else one of its own, the same each
 * time. */
#include "http/identity.h"

#include "fake_stream.h"
#include "table.h"

#define PARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static struct fake fake;
static char made[IDENTITY_MADE];

static struct stream *request(const char *fields) {
    return fake_request(&fake, "GET", "/", fields);
}

static int set_up(void **state) {
    (void)state;
    fake_init(&fake);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    if (fake.stream && fake.stream->state != STREAM_CLOSED)
        stream_closed(fake.stream, REASON_DONE, NULL);
    fake_fini(&fake);
    return 0;
}

static struct str id_of(const char *fields) {
    return identity_of(request(fields)->request, 7, made);
}

static void a_sane_id_that_came_is_kept(void **state) {
    (void)state;
    assert_true(str_eq(id_of("x-request-id: abc.1\n"), STR("abc.1")));
}

/* "<16 hexadecimal digits>-7" */
static void assert_made(struct str id) {
    assert_int_equal(id.len, 18);
    assert_int_equal(strspn(id.ptr, "0123456789abcdef"), 16);
    assert_memory_equal(id.ptr + 16, "-7", 2);
}

static void one_is_made_of_the_process_and_the_number(void **state) {
    (void)state;
    struct stream *stream = request("host: a\n");
    char again[IDENTITY_MADE], next[IDENTITY_MADE];
    struct str id = identity_of(stream->request, 7, made);
    assert_made(id);
    assert_true(str_eq(id, identity_of(stream->request, 7, again)));
    assert_false(str_eq(id, identity_of(stream->request, 8, next)));
    assert_memory_equal(made, next, 17);
}

static void one_is_made_when_what_came_is_not_sane(void **state) {
    (void)state;
    assert_made(id_of("x-request-id: a b\n"));
}

static void one_is_made_when_none_came(void **state) {
    (void)state;
    assert_made(id_of("x-request-id: \n"));
}

static void one_is_made_when_two_came(void **state) {
    (void)state;
    assert_made(id_of("x-request-id: a\nx-request-id: a\n"));
}

static void the_longest_number_fits(void **state) {
    (void)state;
    struct str id = identity_of(request("")->request, UINT64_MAX, made);
    assert_int_equal(id.len, 37);
}

static void a_traceparent_must_be_right_and_alone(void **state) {
    (void)state;
    const struct request *right = request("traceparent: " PARENT "\n")->request;
    assert_true(str_eq(identity_traceparent(right), STR(PARENT)));
    assert_true(str_eq(identity_trace(right), STR("4bf92f3577b34da6a3ce929d0e0e4736")));
    stream_closed(fake.stream, REASON_DONE, NULL);
    assert_null(identity_traceparent(request("traceparent: 00-0-0-01\n")->request).ptr);
    assert_int_equal(identity_trace(fake.stream->request).len, 0);
    stream_closed(fake.stream, REASON_DONE, NULL);
    const char *twice = "traceparent: " PARENT "\ntraceparent: " PARENT "\n";
    assert_null(identity_traceparent(request(twice)->request).ptr);
}

static void an_answer_has_it_unless_the_app_has_set_one(void **state) {
    (void)state;
    struct stream *stream = request("x-request-id: abc\n");
    stream->request->identified = true;
    stream_respond(stream, NULL, "", 0);
    assert_true(str_eq(buf_str(&fake.head), STR("X-Request-Id: abc\r\n")));
    stream = request("x-request-id: abc\n");
    stream->request->identified = true;
    stream_set_header(stream, STR("x-request-id"), STR("own"));
    stream_respond(stream, NULL, "", 0);
    assert_true(str_eq(buf_str(&fake.head), STR("x-request-id: own\r\n")));
}

static void an_answer_of_which_nobody_knows_has_none(void **state) {
    (void)state;
    stream_respond(request("host: a\n"), NULL, "", 0);
    assert_int_equal(fake.head.len, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_sane_id_that_came_is_kept),
        TEST(one_is_made_of_the_process_and_the_number),
        TEST(one_is_made_when_what_came_is_not_sane),
        TEST(one_is_made_when_none_came),
        TEST(one_is_made_when_two_came),
        TEST(the_longest_number_fits),
        TEST(a_traceparent_must_be_right_and_alone),
        TEST(an_answer_has_it_unless_the_app_has_set_one),
        TEST(an_answer_of_which_nobody_knows_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

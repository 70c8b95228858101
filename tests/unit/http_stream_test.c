/* What http/stream promises about answers, over a protocol that only keeps what it is given. Room,
 * the request's body and the end have a program of their own. */
#include "http/stream.h"

#include "faked.h"
#include "http/sse.h"

static struct stream *ask(const char *method) {
    struct stream *stream = ask_for(method, "/", "host: a\n");
    fake_listen(&fake);
    return stream;
}

static bool head_has(const char *line) {
    return fake.head.len > 0 && memmem(fake.head.data, fake.head.len, line, strlen(line)) != NULL;
}

/* --- the head --- */

static void statuses_are_checked(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    static const int bad[] = {-1, 0, 99, 100, 103, 199, 600, 1000, 65736};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(stream_set_status(stream, bad[i]), STREAM_EVALUE);
    assert_int_equal(stream_set_status(stream, 200), 0);
    assert_int_equal(stream_set_status(stream, 599), 0);
    assert_int_equal(stream_set_status(stream, 299), 0);
    assert_int_equal(stream_start(stream, 0), 0);
    assert_int_equal(fake.status, 299);
    assert_int_equal(stream_set_status(stream, 200), STREAM_EHEAD);
}

static void framing_fields_are_the_cores(void **state) {
    (void)state;
    static const char *const names[] = {
        "Content-Length", "TRANSFER-ENCODING", "connection", "Keep-Alive",
        "Upgrade",        "Trailer",           "TE",         "Proxy-Connection"};
    struct stream *stream = ask("GET");
    for (size_t i = 0; i < COUNT(names); i++) {
        struct str name = str_of(names[i]);
        SAME_INT(name, stream_set_header(stream, name, STR("x")), STREAM_EFRAMING);
        SAME_INT(name, stream_add_header(stream, name, STR("x")), STREAM_EFRAMING);
    }
    stream_respond(stream, NULL, "", 0);
    assert_int_equal(fake.head.len, 0);
}

static void fields_are_checked(void **state) {
    (void)state;
    static const struct {
        struct str name, value;
    } rows[] = {
        {STR(""), STR("x")},        {STR("a b"), STR("x")},   {STR("a:"), STR("x")},
        {STR("a\r\n"), STR("x")},   {STR("a\0b"), STR("x")},  {STR("a"), STR("x\r\ny: z")},
        {STR("a"), STR("x\ny: z")}, {STR("a"), STR("x\0")},   {STR("a"), STR(" x")},
        {STR("a"), STR("x\t")},     {STR("a"), STR("x\x7f")},
    };
    struct stream *stream = ask("GET");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str name = exact(rows[i].name), value = exact(rows[i].value);
        SAME_INT(name, stream_set_header(stream, name, value), STREAM_EVALUE);
        SAME_INT(name, stream_add_header(stream, name, value), STREAM_EVALUE);
        exact_free(name);
        exact_free(value);
    }
    assert_null(stream_get_header(stream, STR("a")).ptr);
}

static void fields_are_set_and_added(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    assert_int_equal(stream_add_header(stream, STR("Set-Cookie"), STR("a=1")), 0);
    assert_int_equal(stream_add_header(stream, STR("set-cookie"), STR("b=2")), 0);
    assert_int_equal(stream_set_header(stream, STR("X"), STR("one")), 0);
    assert_int_equal(stream_set_header(stream, STR("x"), STR("two: 2")), 0);
    assert_int_equal(stream_set_header(stream, STR("Empty"), STR("")), 0);
    assert_true(str_eq(stream_get_header(stream, STR("X")), STR("two: 2")));
    assert_true(str_eq(stream_get_header(stream, STR("SET-COOKIE")), STR("a=1")));
    assert_non_null(stream_get_header(stream, STR("empty")).ptr);
    assert_int_equal(stream_get_header(stream, STR("empty")).len, 0);
    assert_null(stream_get_header(stream, STR("y")).ptr);
    assert_int_equal(stream_set_header(stream, STR("SET-cookie"), STR("c=3")), 0);
    stream_respond(stream, NULL, "", 0);
    assert_true(str_eq(buf_str(&fake.head), STR("x: two: 2\r\nEmpty: \r\nSET-cookie: c=3\r\n")));
}

static void the_head_is_fixed_once_it_is_out(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    stream_write(stream, "a", 1);
    assert_int_equal(stream->state, STREAM_STARTED);
    assert_int_equal(stream_set_header(stream, STR("x"), STR("y")), STREAM_EHEAD);
    assert_int_equal(stream_add_header(stream, STR("x"), STR("y")), STREAM_EHEAD);
    assert_int_equal(stream_start(stream, 3), STREAM_EHEAD);
    assert_int_equal(stream_respond(stream, NULL, "b", 1), STREAM_EHEAD);
    assert_int_equal(stream_informational(stream, 103, STR("")), STREAM_EHEAD);
    stream_reset_head(stream); /* harmless */
    body_is("a");
}

static void a_head_may_be_begun_anew(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    struct sse_options options = {.retry_ms = 1};
    stream_set_status(stream, 404);
    stream_set_header(stream, STR("x"), STR("y"));
    sse_start(stream, &options);
    stream_reset_head(stream);
    assert_null(stream->manner);
    stream_finish(stream);
    assert_int_equal(fake.status, 204);
    assert_false(head_has("x: y"));
}

static void hints_go_ahead(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    assert_int_equal(stream_informational(stream, 103, STR("Link: </a>\r\n")), 0);
    assert_int_equal(fake.informed, 103);
    assert_true(head_has("Link: </a>\r\n"));
    assert_int_equal(stream->state, STREAM_OPEN);
    fake_leave(&fake);
    assert_int_equal(stream_informational(stream, 103, STR("")), STREAM_ECLOSED);
}

/* --- the body --- */

static void complete_answers_have_a_length(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    assert_int_equal(stream_respond(stream, "text/plain", "abc", 3), 0);
    assert_int_equal(fake.status, 200);
    assert_int_equal(fake.length, 3);
    assert_true(fake.finished);
    body_is("abc");
    assert_string_equal(stream->type, "text/plain");
    assert_int_equal(stream->reason, REASON_DONE);
    assert_int_equal(fake.closes, 1);
    assert_int_equal(stream_respond(stream, NULL, "abc", 3), STREAM_ECLOSED);
}

static void streams_are_marked(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    assert_int_equal(stream_write(stream, "a", 1), 0);
    assert_int_equal(stream_write(stream, "", 0), 0);
    assert_int_equal(stream_write(stream, "bc", 2), 0);
    assert_int_equal(fake.length, -1);
    assert_true(head_has("X-Accel-Buffering: no\r\n"));
    assert_true(head_has("Cache-Control: no-cache\r\n"));
    stream_finish(stream);
    stream_finish(stream);
    body_is("abc");
    assert_int_equal(stream->sent, 3);
    assert_int_equal(fake.closes, 1);
    stream = ask("GET");
    stream_set_header(stream, STR("x-accel-buffering"), STR("yes"));
    stream_set_header(stream, STR("cache-control"), STR("max-age=1"));
    stream_write(stream, "a", 1);
    assert_false(head_has("no"));
}

static void a_declared_length_is_kept(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    assert_int_equal(stream_start(stream, 3), 0);
    assert_int_equal(stream_write(stream, "ab", 2), 0);
    assert_int_equal(stream_write(stream, "cd", 2), STREAM_ELENGTH);
    assert_int_equal(stream_write(stream, "c", 1), 0);
    assert_int_equal(stream_write(stream, "d", 1), STREAM_ELENGTH);
    stream_finish(stream);
    body_is("abc");
    assert_true(fake.finished);
    stream = ask("GET");
    stream_start(stream, 3);
    stream_write(stream, "ab", 2);
    stream_finish(stream); /* too short: must not look complete */
    assert_true(fake.aborted);
    assert_false(fake.finished);
    assert_int_equal(stream->reason, REASON_ERROR);
}

static void head_gets_no_body(void **state) {
    (void)state;
    struct stream *stream = ask("HEAD");
    assert_int_equal(stream_respond(stream, NULL, "abc", 3), 0);
    assert_int_equal(fake.length, 3);
    body_is("");
    assert_true(fake.finished);
    stream = ask("HEAD");
    assert_int_equal(stream_start(stream, 3), 0);
    stream_finish(stream); /* measured, not sent: no byte is missing */
    assert_true(fake.finished);
    stream = ask("HEAD");
    assert_int_equal(stream_write(stream, "abc", 3), STREAM_ECLOSED);
    assert_true(fake.finished);
    body_is("");
    assert_int_equal(stream->reason, REASON_DONE);
}

static void some_statuses_have_no_body(void **state) {
    (void)state;
    static const int statuses[] = {204, 205, 304};
    for (size_t i = 0; i < COUNT(statuses); i++) {
        struct stream *stream = ask("GET");
        stream_set_status(stream, statuses[i]);
        assert_int_equal(stream_respond(stream, NULL, "abc", 3), 0);
        body_is("");
        assert_true(fake.finished);
        stream = ask("GET");
        stream_set_status(stream, statuses[i]);
        assert_int_equal(stream_write(stream, "abc", 3), 0);
        assert_false(stream->open_ended);
        stream_finish(stream);
        body_is("");
        assert_true(fake.finished);
    }
}

static void finishing_alone_is_an_empty_answer(void **state) {
    (void)state;
    struct stream *stream = ask("GET");
    stream_finish(stream);
    assert_int_equal(fake.status, 204);
    stream = ask("GET");
    stream_set_status(stream, 201);
    stream_finish(stream);
    assert_int_equal(fake.status, 201);
    assert_int_equal(fake.length, 0);
    stream = ask("GET");
    stream_finish_because(stream, REASON_EXPIRED);
    assert_int_equal(stream->reason, REASON_EXPIRED);
    assert_true(fake.finished);
}

static void failures_say_so(void **state) {
    (void)state;
    struct sse_options options = {.retry_ms = -1};
    struct stream *stream = ask("GET");
    stream_set_header(stream, STR("Content-Type"), STR("image/png"));
    stream_set_header(stream, STR("Allow"), STR("GET"));
    stream_fail(stream, 405, NULL);
    assert_int_equal(fake.status, 405);
    body_is("405 Method Not Allowed\n");
    assert_true(head_has("Allow: GET\r\n"));
    assert_false(head_has("image/png"));
    assert_string_equal(stream->type, "text/plain; charset=utf-8");
    stream = ask("GET");
    sse_start(stream, &options);
    stream_fail(stream, 500, "the handler failed");
    body_is("500 Internal Server Error: the handler failed\n");
    stream_fail(stream, 500, NULL); /* closed: harmless */
    stream = ask("GET");
    stream_write(stream, "a", 1);
    stream_fail(stream, 500, "too late");
    assert_true(fake.aborted);
    body_is("a");
    assert_int_equal(stream->reason, REASON_ERROR);
    assert_string_equal(stream->detail, "too late");
}

static void long_failures_are_cut(void **state) {
    (void)state;
    char detail[1000];
    memset(detail, 'x', sizeof detail);
    detail[sizeof detail - 1] = 0;
    stream_fail(ask("GET"), 400, detail);
    assert_int_equal(fake.length, fake.body.len);
    assert_true(fake.body.len > 200 && fake.body.len < 300);
    assert_true(fake.finished);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FAKED(statuses_are_checked),
        FAKED(framing_fields_are_the_cores),
        FAKED(fields_are_checked),
        FAKED(fields_are_set_and_added),
        FAKED(the_head_is_fixed_once_it_is_out),
        FAKED(a_head_may_be_begun_anew),
        FAKED(hints_go_ahead),
        FAKED(complete_answers_have_a_length),
        FAKED(streams_are_marked),
        FAKED(a_declared_length_is_kept),
        FAKED(head_gets_no_body),
        FAKED(some_statuses_have_no_body),
        FAKED(finishing_alone_is_an_empty_answer),
        FAKED(failures_say_so),
        FAKED(long_failures_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

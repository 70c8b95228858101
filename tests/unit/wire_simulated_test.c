/* What wire/simulated promises: a request like one from a socket, its answer kept. */
#include "wire/simulated.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct loop loop;
    struct limits limits;
    struct http_server server;
    struct simulated simulated;
    struct stream *stream; /* what on_request was given */
    int over;              /* calls of on_over */
};

static void on_request(struct http_server *server, struct stream *stream) {
    struct fixture *f = server->owner;
    f->stream = stream;
}

static void on_over(struct simulated *simulated) {
    struct fixture *f = CONTAINER_OF(simulated, struct fixture, simulated);
    f->over++;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    limits_init(&f->limits);
    if (loop_init(&f->loop) < 0)
        return -1;
    http_server_init(&f->server, &f->loop, &f->limits);
    f->server.on_request = on_request;
    f->server.owner = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    simulated_leave(&f->simulated);
    simulated_fini(&f->simulated);
    http_server_fini(&f->server);
    loop_fini(&f->loop);
    free(f);
    return 0;
}

static void init(struct fixture *f, const char *method, const char *target) {
    simulated_init(&f->simulated, &f->server, str_of(method), str_of(target), on_over);
}

static int send_body(struct fixture *f, const char *body) {
    const char *why = NULL;
    int status = simulated_send(&f->simulated, str_of(body), &why);
    assert_true(status == 0 || why != NULL);
    return status;
}

static struct stream *ask(struct fixture *f, const char *method, const char *target) {
    init(f, method, target);
    assert_int_equal(send_body(f, ""), 0);
    assert_non_null(f->stream);
    return f->stream;
}

/* Runs the loop until on_over was called. */
static void run(struct fixture *f) {
    while (f->over == 0)
        uv_run(&f->loop.uv, UV_RUN_ONCE);
}

#define assert_bytes(buf, text)                                                                    \
    do {                                                                                           \
        assert_int_equal((buf).len, strlen(text));                                                 \
        assert_memory_equal((buf).data, text, strlen(text));                                       \
    } while (0)

static void assert_field(struct fixture *f, const char *name, const char *value) {
    struct str found = request_header(f->stream->request, str_of(name));
    assert_non_null(found.ptr);
    assert_true(str_eq(found, str_of(value)));
}

static void the_request_is_like_any_other(void **state) {
    struct fixture *f = *state;
    init(f, "POST", "/a?b=c");
    assert_int_equal(simulated_add_field(&f->simulated, STR("X-One"), STR("1")), 0);
    assert_int_equal(send_body(f, "body"), 0);
    assert_true(str_eq(request_method(f->stream->request), STR("POST")));
    assert_true(path_is(request_path(f->stream->request), STR("/a")));
    assert_true(str_eq(request_query(f->stream->request), STR("b=c")));
    assert_field(f, "x-one", "1");
    assert_field(f, "host", "localhost");
    assert_field(f, "content-length", "4");
    assert_int_equal(f->stream->request->content_length, 4);
    assert_bytes(f->stream->in, "body");
    assert_true(f->stream->in_ended);
    stream_finish(f->stream);
    run(f);
}

static void fields_that_are_there_stay(void **state) {
    struct fixture *f = *state;
    init(f, "POST", "/");
    simulated_add_field(&f->simulated, STR("Host"), STR("example.org"));
    simulated_add_field(&f->simulated, STR("Transfer-Encoding"), STR("chunked"));
    assert_int_equal(send_body(f, "body"), 0);
    assert_true(str_eq(request_host(f->stream->request), STR("example.org")));
    assert_null(request_header(f->stream->request, STR("content-length")).ptr);
    stream_finish(f->stream);
    run(f);
}

/* The fields that every head begins with (core/http/head.c), then these and nothing else. */
static void assert_fields(struct fixture *f, const char *own) {
    struct buf want = {0};
    buf_printf(&want, "Date: %s\r\nServer: weir\r\nX-Content-Type-Options: nosniff\r\n%s",
               http_server_date(f->simulated.server), own);
    buf_add_char(&want, '\0');
    assert_bytes(f->simulated.fields, want.data);
    buf_fini(&want);
}

static void an_answer_is_kept(void **state) {
    struct fixture *f = *state;
    struct stream *stream = ask(f, "GET", "/");
    stream_set_status(stream, 201);
    stream_set_header(stream, STR("X-One"), STR("1"));
    stream_respond(stream, NULL, "hello", 5);
    assert_int_equal(f->over, 0); /* told by the loop, not from within */
    run(f);
    assert_int_equal(f->over, 1);
    assert_int_equal(f->simulated.status, 201);
    assert_fields(f, "X-One: 1\r\nContent-Length: 5\r\n");
    assert_bytes(f->simulated.body, "hello");
    assert_true(f->simulated.complete);
    assert_int_equal(f->simulated.stream->reason, REASON_DONE);
}

static void an_answer_in_pieces_has_no_length(void **state) {
    struct fixture *f = *state;
    struct stream *stream = ask(f, "GET", "/");
    stream_informational(stream, 103, STR("Link: </a>\r\n"));
    assert_int_equal(stream_write(stream, "one", 3), 0);
    assert_int_equal(stream_queued(stream), 0);
    assert_int_equal(stream_write(stream, "two", 3), 0);
    stream_finish(stream);
    run(f);
    assert_fields(f, "X-Accel-Buffering: no\r\nCache-Control: no-cache\r\n");
    assert_bytes(f->simulated.body, "onetwo");
}

static void head_has_the_length_alone(void **state) {
    struct fixture *f = *state;
    stream_respond(ask(f, "HEAD", "/"), NULL, "hello", 5);
    run(f);
    assert_fields(f, "Content-Length: 5\r\n");
    assert_int_equal(f->simulated.body.len, 0);
    assert_true(f->simulated.complete);
}

static void what_breaks_off_is_not_complete(void **state) {
    struct fixture *f = *state;
    struct stream *stream = ask(f, "GET", "/");
    stream_write(stream, "half", 4);
    stream_abort(stream, REASON_ERROR, NULL);
    run(f);
    assert_int_equal(f->simulated.status, 200);
    assert_bytes(f->simulated.body, "half");
    assert_false(f->simulated.complete);
}

static void without_an_answer_there_is_no_status(void **state) {
    struct fixture *f = *state;
    stream_abort(ask(f, "GET", "/"), REASON_CANCELLED, NULL);
    run(f);
    assert_int_equal(f->simulated.status, 0);
    assert_int_equal(f->simulated.stream->reason, REASON_CANCELLED);
}

static void an_endless_answer_is_cut_off(void **state) {
    struct fixture *f = *state;
    static const char zeroes[65536];
    struct stream *stream = ask(f, "GET", "/");
    int rc, writes = 0;
    while ((rc = stream_write(stream, zeroes, sizeof zeroes)) == 0)
        writes++;
    assert_int_equal(rc, STREAM_ECLOSED);
    assert_int_equal(writes, SIMULATED_BODY_MAX / sizeof zeroes);
    run(f);
    assert_int_equal(f->simulated.body.len, SIMULATED_BODY_MAX);
    assert_false(f->simulated.complete);
    assert_int_equal(f->simulated.stream->reason, REASON_OVERFLOW);
}

static void leaving_is_what_a_client_does(void **state) {
    struct fixture *f = *state;
    struct stream *stream = ask(f, "GET", "/");
    stream_write(stream, "x", 1);
    simulated_leave(&f->simulated);
    assert_int_equal(stream->state, STREAM_CLOSED);
    assert_int_equal(stream->reason, REASON_CLIENT);
    uv_run(&f->loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(f->over, 0);
}

static void leaving_after_the_end_tells_nothing(void **state) {
    struct fixture *f = *state;
    struct stream *stream = ask(f, "GET", "/");
    stream_finish(stream);
    simulated_leave(&f->simulated);
    uv_run(&f->loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(f->over, 0);
    assert_int_equal(stream->reason, REASON_DONE);
}

static void bad_requests_are_refused(void **state) {
    struct fixture *f = *state;
    char *much = calloc(1, f->limits.target_bytes + 2);
    memset(much, 'x', f->limits.target_bytes + 1);
    much[0] = '/';
    const struct {
        const char *method, *target, *name, *value;
        int status;
    } rows[] = {
        {"GE T", "/", NULL, NULL, 400},
        {"GET", "/ /", NULL, NULL, 400},
        {"GET", "/\x7f", NULL, NULL, 400},
        {"GET", "nowhere", NULL, NULL, 400},
        {"GET", "/%0", NULL, NULL, 400},
        {"GET", much, NULL, NULL, 414},
        {"GET", "/", "Host", "a b", 400},
        {"GET", "/", "Content-Length", "-1", 400},
        {"GET", "/", "Transfer-Encoding", "gzip, chunked", 501},
        {"GET", "/", "Expect", "miracles", 417},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        init(f, rows[i].method, rows[i].target);
        if (rows[i].name)
            assert_int_equal(
                simulated_add_field(&f->simulated, str_of(rows[i].name), str_of(rows[i].value)), 0);
        assert_int_equal(send_body(f, ""), rows[i].status);
        assert_null(f->stream);
        simulated_fini(&f->simulated);
    }
    f->simulated = (struct simulated){0};
    init(f, "GET", "/");
    assert_int_equal(simulated_add_field(&f->simulated, STR("a b"), STR("c")), -1);
    assert_int_equal(simulated_add_field(&f->simulated, STR("a"), STR("b\r\nc: d")), -1);
    free(much);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_request_is_like_any_other),
        TEST(fields_that_are_there_stay),
        TEST(an_answer_is_kept),
        TEST(an_answer_in_pieces_has_no_length),
        TEST(head_has_the_length_alone),
        TEST(what_breaks_off_is_not_complete),
        TEST(without_an_answer_there_is_no_status),
        TEST(an_endless_answer_is_cut_off),
        TEST(leaving_is_what_a_client_does),
        TEST(leaving_after_the_end_tells_nothing),
        TEST(bad_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What access/access_log promises: the line, and that it is written. What happens to lines whose file
 * is slow or full is tested with base/scribe. */
#include "access/access_log.h"
#include "access/line.h"
#include "proto/methods.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/scribe.h"
#include "fake_stream.h"
#include "net/file.h"
#include "proto/json_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND UINT64_C(1000000000)

struct fixture {
    struct fake fake;
    struct access_log *log;
    struct address peer;
    char folder[64], path[96];
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    strcpy(f->folder, "/tmp/weir-access-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof(f->path), "%s/access.log", f->folder);
    f->peer = (struct address){.ip = {192, 0, 2, 1}, .port = 1234};
    clock_freeze();
    fake_init(&f->fake);
    return access_log_open(&f->fake.loop, f->path, &f->log);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char command[96];
    access_log_close(f->log);
    scribes_finish();
    fake_fini(&f->fake);
    clock_thaw();
    snprintf(command, sizeof(command), "rm -rf %s", f->folder);
    free(f);
    return system(command);
}

static struct stream *request(struct fixture *f, const char *method, const char *target,
                              const char *fields) {
    struct stream *stream = fake_request(&f->fake, method, target, fields);
    stream->peer = f->peer;
    return stream;
}

/* Closes the stream, which is when the server logs it. */
static void over(struct fixture *f, struct stream *stream, enum stream_reason reason) {
    f->fake.server.access_log = f->log;
    f->fake.server.log = access_log_stream;
    stream_closed(stream, reason, NULL);
}

static void close_log(struct fixture *f) {
    access_log_close(f->log);
    scribes_finish();
    f->log = f->fake.server.access_log = NULL;
}

static char *content(const char *path) {
    struct buf text = {0};
    assert_int_equal(file_read_all(path, 64 << 20, &text), 0);
    buf_add_char(&text, 0);
    return text.data;
}

static void assert_content(const char *path, const char *expected) {
    char *text = content(path);
    assert_string_equal(text, expected);
    free(text);
}

/* The line without the time, which is between the first '[' and ']'. */
static void assert_line(struct fixture *f, const char *before, const char *after) {
    close_log(f);
    char *text = content(f->path);
    char *stamp = strchr(text, '['), *end = strchr(text, ']');
    assert_non_null(stamp);
    assert_non_null(end);
    *stamp = 0;
    assert_string_equal(text, before);
    assert_string_equal(end + 1, after);
    free(text);
}

static void a_line_has_all_fields(void **state) {
    struct fixture *f = *state;
    struct stream *stream = request(f, "GET", "/a?b=c", "referer: http://x/\nuser-agent: curl\n");
    stream->started = f->fake.loop.now - 12345;
    f->fake.server.access_log = f->log;
    f->fake.server.log = access_log_stream;
    stream_respond(stream, NULL, "hello", 5);
    assert_line(f, "192.0.2.1 - - ",
                " \"GET /a?b=c HTTP/1.1\" 200 5 \"http://x/\" \"curl\" 12.345 done -\n");
}

static void tokens_are_not_logged(void **state) {
    struct fixture *f = *state;
    struct stream *stream = request(f, "GET", "/e?access_token=s3cret&b=c",
                                    "referer: http://x/?access_token=s3cret\nuser-agent: curl\n"
                                    "authorization: Bearer s3cret\ncookie: token=s3cret\n");
    f->fake.server.access_log = f->log;
    f->fake.server.log = access_log_stream;
    stream_respond(stream, NULL, "hello", 5);
    assert_line(f, "192.0.2.1 - - ",
                " \"GET /e?access_token=***&b=c HTTP/1.1\" 200 5 \"http://x/?access_token=***\" "
                "\"curl\" 0.000 done -\n");
}

static void what_is_missing_is_a_dash(void **state) {
    struct fixture *f = *state;
    struct stream *stream = request(f, "POST", "/", "");
    stream->request->minor = 0;
    stream->peer = (struct address){0};
    over(f, stream, REASON_CLIENT);
    assert_line(f, "- - - ", " \"POST / HTTP/1.0\" 000 0 \"-\" \"-\" 0.000 client -\n");
}

static void bodies_that_are_not_sent_do_not_count(void **state) {
    struct fixture *f = *state;
    struct stream *stream = request(f, "HEAD", "/", "");
    f->fake.server.access_log = f->log;
    f->fake.server.log = access_log_stream;
    stream_respond(stream, NULL, "hello", 5);
    assert_line(f, "192.0.2.1 - - ", " \"HEAD / HTTP/1.1\" 200 0 \"-\" \"-\" 0.000 done -\n");
}

static void the_time_is_that_of_the_end(void **state) {
    struct fixture *f = *state;
    char stamp[2][64], text[256];
    for (int i = 0; i < 2; i++) {
        time_t now = (time_t)(clock_wall_ns() / (int64_t)SECOND);
        struct tm tm;
        gmtime_r(&now, &tm);
        strftime(stamp[i], sizeof(stamp[i]), "[%d/%b/%Y:%H:%M:%S +0000]", &tm);
        over(f, request(f, "GET", "/", ""), REASON_DONE);
        clock_advance_ns(86399 * SECOND);
    }
    close_log(f);
    const char *rest = "\"GET / HTTP/1.1\" 000 0 \"-\" \"-\" 0.000 done -";
    snprintf(text, sizeof(text), "192.0.2.1 - - %s %s\n192.0.2.1 - - %s %s\n", stamp[0], rest,
             stamp[1], rest);
    assert_content(f->path, text);
    assert_string_not_equal(stamp[0], stamp[1]);
}

static void ipv6_peers_are_written(void **state) {
    struct fixture *f = *state;
    f->peer = (struct address){.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, .v6 = true};
    over(f, request(f, "GET", "/", ""), REASON_DONE);
    assert_line(f, "2001:db8::1 - - ", " \"GET / HTTP/1.1\" 000 0 \"-\" \"-\" 0.000 done -\n");
}

static void no_peer_can_forge_a_line(void **state) {
    struct fixture *f = *state;
    over(f, request(f, "GET", "/\"\\", "user-agent: a\tb\"c\\d\x7f\xc3\xa9 e\nreferer: \x1b[2J\n"),
         REASON_DONE);
    assert_line(f, "192.0.2.1 - - ",
                " \"GET /%22%5C HTTP/1.1\" 000 0 \"\\x1B[2J\" "
                "\"a\\x09b\\x22c\\x5Cd\\x7F\\xC3\\xA9 e\" 0.000 done -\n");
}

/* Long fields are looked at in runs: a byte is escaped wherever it stands. */
static void every_byte_of_a_field_is_looked_at(void **state) {
    struct fixture *f = *state;
    struct buf expected = {0};
    for (int at = 0; at < 40; at++) {
        char fields[80] = "user-agent: 0123456789abcdefghijABCDEFGHIJ0123456789\n";
        const char *agent = fields + 12;
        buf_printf(&expected, "\"%.*s\\x22%s", at, agent, agent + at + 1);
        expected.data[expected.len - 1] = '"'; /* for the newline */
        fields[12 + at] = '"';
        over(f, request(f, "GET", "/", fields), REASON_DONE);
    }
    close_log(f);
    char *text = content(f->path), *found = text;
    for (char *want = strtok(expected.data, "\""); want; want = strtok(NULL, "\"")) {
        found = strstr(found, want);
        assert_non_null(found);
    }
    free(text);
    buf_fini(&expected);
}

static void long_fields_are_cut(void **state) {
    struct fixture *f = *state;
    struct buf target = {0}, fields = {0};
    buf_add(&target, STR("/"));
    for (int i = 0; i < 3000; i++)
        buf_add_char(&target, '"');
    buf_add(&fields, STR("referer: "));
    for (int i = 0; i < 3000; i++)
        buf_add_char(&fields, '\x80');
    buf_add(&fields, STR("\nuser-agent: "));
    for (int i = 0; i < 3000; i++)
        buf_add_char(&fields, '"');
    buf_add_char(&fields, 0);
    buf_add_char(&target, 0);
    f->peer = (struct address){.v6 = true};
    memset(f->peer.ip, 0xff, 16);
    char method[METHOD_MAX + 1] = "";
    memset(method, 'M', METHOD_MAX);
    struct stream *stream = request(f, method, target.data, fields.data);
    stream->sent = stream->started = UINT64_MAX;
    over(f, stream, REASON_CANCELLED);
    close_log(f);
    char *text = content(f->path);
    assert_true(strlen(text) <= ACCESS_LINE_MAX);
    assert_non_null(strstr(text, method)); /* whole: it has a limit of its own */
    assert_non_null(strstr(text, "MMM /%22%22"));
    assert_non_null(strstr(text, "... HTTP/1.1\" 000 18446744073709551615 \"\\x80"));
    assert_non_null(strstr(text, "\\x80...\" \"\\x22"));
    assert_non_null(strstr(text, "\\x22...\" "));
    assert_string_equal(text + strlen(text) - 13, " cancelled -\n");
    free(text);
    buf_fini(&target);
    buf_fini(&fields);
}

/* --- who it is --- */

static void a_request_id_that_came_is_told(void **state) {
    struct fixture *f = *state;
    struct stream *stream = request(f, "GET", "/", "x-request-id: a.b-1\n");
    stream->request->identified = true;
    over(f, stream, REASON_DONE);
    assert_line(f, "192.0.2.1 - - ", " \"GET / HTTP/1.1\" 000 0 \"-\" \"-\" 0.000 done a.b-1\n");
}

static void one_that_is_made_is_told_once_somebody_knows_it(void **state) {
    struct fixture *f = *state;
    char made[IDENTITY_MADE], line[128];
    struct stream *stream = request(f, "GET", "/", "");
    struct str id = stream_request_id(stream, made);
    snprintf(line, sizeof line, " \"GET / HTTP/1.1\" 000 0 \"-\" \"-\" 0.000 done %.*s\n",
             STR_ARG(id));
    over(f, stream, REASON_DONE);
    assert_line(f, "192.0.2.1 - - ", line);
}

/* --- a stream that goes on --- */

static void begin(struct fixture *f, struct stream *stream) {
    f->fake.server.access_log = f->log;
    f->fake.server.log = access_log_stream;
    stream_start(stream, -1);
}

static void a_stream_has_a_line_when_it_begins_and_one_when_it_ends(void **state) {
    struct fixture *f = *state;
    struct stream *stream = request(f, "GET", "/e", "x-request-id: r1\n");
    begin(f, stream);
    stream_write(stream, "hello", 5);
    stream->delivered = 17;
    stream->lost = 3;
    stream_closed(stream, REASON_CLIENT, NULL);
    close_log(f);
    char *text = content(f->path), *second = strchr(text, '\n');
    assert_non_null(second);
    *second++ = 0;
    assert_non_null(strstr(text, "] \"GET /e HTTP/1.1\" 200 0 \"-\" \"-\" 0.000 begun r1"));
    assert_non_null(strstr(second, "] \"GET /e HTTP/1.1\" 200 5 \"-\" \"-\" 0.000 client r1 "
                                   "events=17 dropped=3\n"));
    assert_null(strchr(strchr(second, '\n') + 1, '\n'));
    free(text);
}

/* HEAD has no stream that could go on. */
static void the_head_of_a_stream_has_one_line(void **state) {
    struct fixture *f = *state;
    begin(f, request(f, "HEAD", "/e", ""));
    assert_line(f, "192.0.2.1 - - ", " \"HEAD /e HTTP/1.1\" 200 0 \"-\" \"-\" 0.000 done -\n");
}

/* --- as JSON --- */

static int setup_json(void **state) {
    log_set_json(true);
    int rc = setup(state);
    log_set_json(false);
    return rc;
}

/* The line behind the time, which has the form of the log's. */
static void assert_json(struct fixture *f, const char *expected) {
    close_log(f);
    char *text = content(f->path);
    int ms, used = 0;
    assert_int_equal(sscanf(text, "{\"time\":\"%*4d-%*2d-%*2dT%*2d:%*2d:%*2d.%3dZ\"%n", &ms, &used),
                     1);
    assert_int_equal(used, strlen("{\"time\":\"2026-11-20T12:34:56.789Z\""));
    assert_string_equal(text + used, expected);
    free(text);
}

static void an_object_has_all_fields(void **state) {
    struct fixture *f = *state;
    struct stream *stream =
        request(f, "GET", "/a?b=c",
                "referer: http://x/?ticket=1\nuser-agent: curl\nx-request-id: r1\n"
                "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n");
    char line[512];
    snprintf(line, sizeof line,
             ",\"access\":\"request\",\"stream\":%llu,\"request_id\":\"r1\","
             "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"client\":\"192.0.2.1\","
             "\"method\":\"GET\",\"target\":\"/a?b=c\",\"version\":\"1.1\",\"status\":200,"
             "\"bytes\":5,\"seconds\":12.345,\"reason\":\"done\","
             "\"referer\":\"http://x/?ticket=***\",\"user_agent\":\"curl\"}\n",
             (unsigned long long)stream->id);
    stream->started = f->fake.loop.now - 12345;
    f->fake.server.access_log = f->log;
    f->fake.server.log = access_log_stream;
    stream_respond(stream, NULL, "hello", 5);
    assert_json(f, line);
}

static void an_object_leaves_out_what_is_not_known(void **state) {
    struct fixture *f = *state;
    char made[IDENTITY_MADE], line[512];
    struct stream *stream = request(f, "POST", "/", "");
    stream->peer = (struct address){0};
    struct str id = identity_of(stream->request, stream->id, made);
    snprintf(line, sizeof line,
             ",\"access\":\"request\",\"stream\":%llu,\"request_id\":\"%.*s\",\"method\":\"POST\","
             "\"target\":\"/\",\"version\":\"1.1\",\"bytes\":0,\"seconds\":0.000,"
             "\"reason\":\"client\"}\n",
             (unsigned long long)stream->id, STR_ARG(id));
    over(f, stream, REASON_CLIENT);
    assert_json(f, line);
}

static void a_stream_is_two_objects(void **state) {
    struct fixture *f = *state;
    struct stream *stream = request(f, "GET", "/e", "x-request-id: r1\n");
    begin(f, stream);
    stream->delivered = 17;
    stream->lost = 3;
    stream_closed(stream, REASON_OVERFLOW, NULL);
    close_log(f);
    char *text = content(f->path), *second = strchr(text, '\n');
    assert_non_null(second);
    *second++ = 0;
    assert_non_null(strstr(text, ",\"access\":\"begun\","));
    assert_non_null(strstr(text, ",\"version\":\"1.1\",\"status\":200}"));
    assert_non_null(strstr(second, ",\"access\":\"ended\","));
    assert_non_null(strstr(second, ",\"status\":200,\"bytes\":0,\"seconds\":0.000,"
                                   "\"reason\":\"overflow\",\"events\":17,\"dropped\":3}\n"));
    free(text);
}

/* What is valid UTF-8 is text; a lone byte of it is not, and JSON has no other bytes. */
static void nothing_breaks_an_object(void **state) {
    struct fixture *f = *state;
    over(f, request(f, "GET", "/", "user-agent: a\tb\"c\\d\x7f\xc3\xa9\xc3 \xc2\x9b\xff\n"),
         REASON_DONE);
    close_log(f);
    char *text = content(f->path);
    assert_non_null(strstr(text, "\"user_agent\":\"a\\u0009b\\\"c\\\\d\\u007f\xc3\xa9\\ufffd "
                                 "\\u009b\\ufffd\"}\n"));
    free(text);
}

/* Whatever fills it, an object is whole and no longer than a pipe keeps together. */
static void long_texts_of_an_object_are_cut(void **state) {
    (void)state;
    static const char *const fillings[] = {"x", "\"", "\xc3\xa9", "\xff", "\x01"};
    for (size_t i = 0; i < sizeof fillings / sizeof *fillings; i++) {
        struct fixture *f;
        struct buf target = {0}, fields = {0};
        size_t at;
        assert_int_equal(setup_json((void **)&f), 0);
        buf_add(&fields, STR("referer: "));
        for (int n = 0; n < 3000; n++)
            buf_add(&fields, str_of(fillings[i]));
        buf_add(&fields, STR("\nuser-agent: "));
        for (int n = 0; n < 3000; n++)
            buf_add(&fields, str_of(fillings[i]));
        buf_add_char(&target, '/');
        for (int n = 0; n < 3000; n++)
            buf_add_char(&target, 'a');
        buf_add_char(&target, 0);
        buf_add_char(&fields, 0);
        char method[METHOD_MAX + 1] = "";
        memset(method, 'M', METHOD_MAX);
        f->peer = (struct address){.v6 = true};
        memset(f->peer.ip, 0xff, 16);
        struct stream *stream = request(f, method, target.data, fields.data);
        stream->sent = UINT64_MAX;
        over(f, stream, REASON_CANCELLED);
        close_log(f);
        char *text = content(f->path);
        assert_true(strlen(text) <= ACCESS_LINE_MAX);
        assert_non_null(strstr(text, "aaa...\",\"version\":\"1.1\""));
        assert_non_null(strstr(text, "...\",\"user_agent\":\""));
        assert_string_equal(text + strlen(text) - 6, "...\"}\n");
        assert_null(json_text_check(str_of(text), &at));
        free(text);
        buf_fini(&target);
        buf_fini(&fields);
        teardown((void **)&f);
    }
}

static bool file_is_filled(void *arg) {
    struct fixture *f = arg;
    struct stat st;
    return file_stat(f->path, &st) == 0 && st.st_size > 0;
}

/* The loop has nothing to wait for once it has handed over: another thread writes. */
static void wait_filled(struct fixture *f) {
    while (!file_is_filled(f)) {
        uv_run(&f->fake.loop.uv, UV_RUN_NOWAIT);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void lines_are_written_after_a_while(void **state) {
    struct fixture *f = *state;
    clock_thaw();
    over(f, request(f, "GET", "/one", ""), REASON_DONE);
    assert_false(file_is_filled(f));
    uint64_t begun = f->fake.loop.now;
    wait_filled(f);
    assert_true(f->fake.loop.now - begun >= ACCESS_FLUSH_MS);
    char *text = content(f->path);
    assert_non_null(strstr(text, "/one"));
    free(text);
}

static void many_lines_are_written_at_once(void **state) {
    struct fixture *f = *state; /* the clock stands still: no timer fires */
    for (int i = 0; i < 2000; i++)
        over(f, request(f, "GET", "/many", ""), REASON_DONE);
    wait_filled(f);
    close_log(f);
    char *text = content(f->path);
    int lines = 0;
    for (char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 2000);
    free(text);
}

static void a_rotated_file_is_opened_anew(void **state) {
    struct fixture *f = *state;
    char old[128];
    snprintf(old, sizeof(old), "%s.1", f->path);
    clock_thaw();
    over(f, request(f, "GET", "/one", ""), REASON_DONE);
    wait_filled(f);
    assert_int_equal(file_rename(f->path, old), 0);
    over(f, request(f, "GET", "/two", ""), REASON_DONE);
    wait_filled(f);
    char *first = content(old), *second = content(f->path);
    assert_non_null(strstr(first, "/one"));
    assert_null(strstr(first, "/two"));
    assert_non_null(strstr(second, "/two"));
    free(first);
    free(second);
}

static void opening_can_fail(void **state) {
    struct fixture *f = *state;
    struct access_log *log = NULL;
    assert_int_equal(access_log_open(&f->fake.loop, "/nowhere/access.log", &log), -ENOENT);
    assert_null(log);
    access_log_close(NULL);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define JSON(name) cmocka_unit_test_setup_teardown(name, setup_json, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_all_fields),
        TEST(tokens_are_not_logged),
        TEST(what_is_missing_is_a_dash),
        TEST(bodies_that_are_not_sent_do_not_count),
        TEST(the_time_is_that_of_the_end),
        TEST(ipv6_peers_are_written),
        TEST(no_peer_can_forge_a_line),
        TEST(every_byte_of_a_field_is_looked_at),
        TEST(long_fields_are_cut),
        TEST(a_request_id_that_came_is_told),
        TEST(one_that_is_made_is_told_once_somebody_knows_it),
        TEST(a_stream_has_a_line_when_it_begins_and_one_when_it_ends),
        TEST(the_head_of_a_stream_has_one_line),
        JSON(an_object_has_all_fields),
        JSON(an_object_leaves_out_what_is_not_known),
        JSON(a_stream_is_two_objects),
        JSON(nothing_breaks_an_object),
        cmocka_unit_test(long_texts_of_an_object_are_cut),
        TEST(lines_are_written_after_a_while),
        TEST(many_lines_are_written_at_once),
        TEST(a_rotated_file_is_opened_anew),
        TEST(opening_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

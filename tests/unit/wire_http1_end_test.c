/* What wire/http1 ends by itself: deadlines to the millisecond, and the server's drain. */
#include "wire/http1.h"

#include "base/clock.h"
#include "visit.h"

/* --- deadlines --- */

/* `want` is heard after exactly `ms`, and not a millisecond earlier. */
static void after(uint64_t ms, const char *want) {
    site_pass(&site, ms - 1);
    client_read(&client);
    assert_false(client_is_over(&client));
    assert_int_equal(site_connections(&site), 1);
    site_pass(&site, 1);
    hear_status(want);
}

static void heads_have_a_deadline(void **state) {
    (void)state;
    uint64_t limit = site.server.limits.head_timeout;
    join("");
    after(limit, "eof");
    leave();
    join("GET /");
    site_pass(&site, limit / 2);
    say("say?a HTTP/1.1\r\n"); /* a byte more is no progress */
    after(limit - limit / 2, "408 length close; eof");
    assert_int_equal(site.lines, 1);
    leave();
    join(GET("/say?a"));
    site_pass(&site, limit * 2);
    say("G");
    after(limit, "200 length; 408 length close; eof");
    leave();
}

static void idle_connections_have_a_deadline(void **state) {
    (void)state;
    join(GET("/say?a"));
    after(site.server.limits.keepalive_timeout, "200 length; eof");
    leave();
    join(GET("/say?a"));
    site_pass(&site, site.server.limits.keepalive_timeout - 1);
    say(GET("/say?b"));
    after(site.server.limits.keepalive_timeout, "200 length; 200 length; eof");
    assert_int_equal(site.lines, 0);
    leave();
}

static void bodies_must_progress(void **state) {
    (void)state;
    uint64_t limit = site.server.limits.progress_timeout;
    join(POST("/echo", "Content-Length: 9\r\n", "abc"));
    after(limit, "408 length close; eof");
    leave();
    join(POST("/echo", "Content-Length: 9\r\n", "abc"));
    site_pass(&site, limit - 1);
    say("d");
    after(limit, "408 length close; eof");
    leave();
    join(POST("/echo", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n"));
    site_pass(&site, limit - 1);
    say("0000000"); /* not of the body */
    after(1, "408 length close; eof");
    leave();
    join(POST("/say?a", "Content-Length: 9\r\n", "abc")); /* answered, the rest is dropped */
    after(limit, "200 length; eof");
    leave();
}

static void skip_ahead(struct http_server *server, struct stream *stream) {
    clock_advance_ns(server->limits.progress_timeout * 1000000);
    stream_respond(stream, NULL, "", 0);
}

/* Both in one turn: there is no stream any more to tell of the deadline. */
static void a_reset_comes_before_its_deadline(void **state) {
    (void)state;
    struct client other;
    site_connect_tcp(&site, &client);
    say(POST("/echo", "Content-Length: 9\r\n", "abc"));
    site_await_request(&site, 1);
    site_connect(&site, &other);
    site.server.on_request = skip_ahead;
    client_close(&client, true);
    site_send(&site, &other, STR(GET("/")));
    client_fini(&other);
    site_await_end(&site);
    assert_int_equal(site.closed[REASON_CLIENT], 1);
    leave();
}

/* Who waits for all of a body is not held up byte by byte. */
static void whole_bodies_must_progress_by_a_kilobyte(void **state) {
    (void)state;
    uint64_t limit = site.server.limits.progress_timeout;
    char kilobyte[1025];
    memset(kilobyte, 'x', 1024);
    kilobyte[1024] = 0;
    join(POST("/bulk", "Content-Length: 9000\r\n", "abc"));
    site_pass(&site, limit - 1);
    say(kilobyte + 4); /* 3 + 1020 */
    after(1, "408 length close; eof");
    leave();
    join(POST("/bulk", "Content-Length: 9000\r\n", "abc"));
    site_pass(&site, limit - 1);
    say(kilobyte + 3);
    site_pass(&site, limit - 1);
    say("x"); /* what came before does not count again */
    after(1, "408 length close; eof");
    leave();
}

static void a_body_that_was_not_asked_for_is_not_late(void **state) {
    (void)state;
    join(POST("/held?a", "Content-Length: 9\r\nExpect: 100-continue\r\n", ""));
    site_pass(&site, 1000000);
    site_release(&site);
    hear("200 length:1 close a; eof");
    leave();
    join(POST("/held?a", "Content-Length: 3\r\nExpect: 100-continue\r\n", "abc"));
    site_release(&site); /* it came unasked, and whole */
    hear("200 length:1 a; open");
    leave();
    join(POST("/echo", "Content-Length: 9\r\nExpect: 100-continue\r\n", ""));
    hear("100 none; open");
    after(site.server.limits.progress_timeout, "100 none; 408 length close; eof");
    leave();
    join(POST("/answer-body", "Content-Length: 9\r\nExpect: 100-continue\r\n", ""));
    after(site.server.limits.progress_timeout, "200 chunked close cut; eof");
    leave();
}

/* --- the end of the server --- */

static void draining_closes_what_idles(void **state) {
    (void)state;
    struct client fresh, held;
    site_connect(&site, &fresh);
    join(GET("/say?a"));
    site_connect(&site, &held);
    site_send(&site, &held, STR(GET("/held?b") GET("/say?c")));
    http_server_drain(&site.server);
    http_server_drain(&site.server);
    site_read_all(&site, &fresh);
    hear("200 length:1 a; eof");
    assert_string_equal(client_transcript(&fresh, WHOLE), "eof");
    assert_int_equal(site.drained, 0);
    client_fini(&fresh);
    client_fini(&client);
    site_release(&site);
    client_read(&held);
    assert_string_equal(client_transcript(&held, WHOLE), "200 length:1 close b; eof");
    assert_int_equal(site.drained, 0);
    client_fini(&held);
    site_settle(&site);
    assert_int_equal(site.drained, 1);
    assert_int_equal(site.requests, 2);
}

/* A head that arrives meanwhile is answered, and told that it is the last. */
static void draining_waits_for_heads(void **state) {
    (void)state;
    join("GET /say?a HTTP/1.1\r\n");
    http_server_drain(&site.server);
    say(HOST "\r\n");
    hear("200 length:1 close a; eof");
    leave();
    assert_int_equal(site.drained, 1);
}

/* Events have a good end; of another answer only its handler knows when it is whole. */
static void draining_ends_streams_of_events(void **state) {
    (void)state;
    struct client streams[20];
    uint64_t waits[COUNT(streams)], differ = 0;
    for (size_t i = 0; i < COUNT(streams); i++) {
        site_connect(&site, &streams[i]);
        site_send(&site, &streams[i], STR(GET("/sse")));
    }
    join(GET("/endless?a"));
    http_server_drain(&site.server);
    site_settle(&site);
    for (size_t i = 0; i < COUNT(streams); i++) {
        site_read_all(&site, &streams[i]);
        const char *text = client_transcript(&streams[i], WHOLE);
        struct str rest = str_of(text);
        assert_true(str_starts(rest, STR("200 chunked retry: ")));
        assert_null(strstr(text, "cut"));
        rest = (struct str){rest.ptr + 19, strcspn(rest.ptr + 19, "\n")};
        assert_int_equal(str_to_u64(rest, &waits[i]), 0);
        differ += waits[i] != waits[0];
        client_fini(&streams[i]);
    }
    assert_true(differ > 0);
    site_settle(&site);
    assert_int_equal(site.closed[REASON_DRAIN], (int)COUNT(streams));
    assert_int_equal(site.drained, 0);
    after(site.server.limits.drain_timeout, "200 chunked cut; eof");
    assert_int_equal(site.closed[REASON_DRAIN], (int)COUNT(streams) + 1);
    leave();
    assert_int_equal(site.drained, 1);
}

/* Complete, and still in the queue. */
static void draining_keeps_complete_answers(void **state) {
    (void)state;
    static const char *const requests[] = {GET("/size?3000000"), GET("/hasty?3000000"),
                                           LAST("/hasty?3000000")};
    for (size_t i = 0; i < COUNT(requests); i++) {
        site_connect(&site, &client);
        client_send(&client, requests[i], strlen(requests[i]));
        site_settle(&site);
        site.server.draining = false;
        http_server_drain(&site.server);
        site_read_all(&site, &client);
        if (strstr(client_transcript(&client, WHOLE), "(3000000 bytes); eof") == NULL)
            fail_msg("%s: %s", requests[i], client_transcript(&client, WHOLE));
        leave();
    }
    assert_int_equal(site.closed[REASON_DONE], 3);
}

static void draining_has_a_deadline(void **state) {
    (void)state;
    join(GET("/held?a"));
    http_server_drain(&site.server);
    after(site.server.limits.drain_timeout, "eof");
    assert_int_equal(site.closed[REASON_DRAIN], 1);
    assert_int_equal(site.drained, 1);
    leave();
}

static void stopping_closes_all(void **state) {
    (void)state;
    struct client other;
    join(GET("/held?a"));
    site_connect(&site, &other);
    http_server_stop(&site.server);
    site_settle(&site);
    assert_int_equal(site_connections(&site), 0);
    assert_int_equal(site.closed[REASON_DRAIN], 1);
    assert_true(site.left >= 2);
    client_fini(&other);
    leave();
}

/* A descriptor that is none is taken, and given up. */
static void a_bad_descriptor_is_given_up(void **state) {
    (void)state;
    struct address peer = {.port = 1};
    assert_true(http_server_accept(&site.server, 1 << 20, &peer));
    site_settle(&site);
    assert_true(site.left >= 1);
    assert_int_equal(site_connections(&site), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        VISIT(heads_have_a_deadline),
        VISIT(idle_connections_have_a_deadline),
        VISIT(bodies_must_progress),
        VISIT(a_reset_comes_before_its_deadline),
        VISIT(whole_bodies_must_progress_by_a_kilobyte),
        VISIT(a_body_that_was_not_asked_for_is_not_late),
        VISIT(draining_closes_what_idles),
        VISIT(draining_waits_for_heads),
        VISIT(draining_ends_streams_of_events),
        VISIT(draining_keeps_complete_answers),
        VISIT(draining_has_a_deadline),
        VISIT(stopping_closes_all),
        VISIT(a_bad_descriptor_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

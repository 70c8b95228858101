/* How a client of wire/http1 leaves: EOF and resets at every place, failing and stalled writes. */
#include "wire/http1.h"

#include "base/fault.h"
#include "visit.h"

#include <errno.h>
#include <stdio.h>

/* --- EOF --- */

static void eof_in_a_head_closes(void **state) {
    (void)state;
    struct str head = STR("GET /say?a HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
    for (size_t n = 0; n < head.len; n++) {
        site_connect(&site, &client);
        site_send(&site, &client, (struct str){head.ptr, n});
        client_end(&client);
        site_settle(&site);
        assert_int_equal(site_connections(&site), 0);
        hear("eof");
        client_fini(&client);
    }
    assert_int_equal(site.requests, 0);
    assert_int_equal(site.lines, 0);
}

/* The handler is told that the body will not be whole, and its answer is tried. */
static void eof_in_a_body_is_told(void **state) {
    (void)state;
    static const struct {
        const char *head, *body;
    } rows[] = {
        {POST("/echo", "Content-Length: 3\r\n", ""), "abc"},
        {POST("/bulk", "Content-Length: 3\r\n", ""), "abc"},
        {POST("/echo", "Transfer-Encoding: chunked\r\n", ""), "3;x\r\nabc\r\n0\r\nX: y\r\n\r\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t n = 0; n < strlen(rows[i].body); n++) {
            join(rows[i].head);
            site_send(&site, &client, (struct str){rows[i].body, n});
            client_end(&client);
            site_settle(&site);
            hear_status("400 length close; eof");
            assert_int_equal(site_connections(&site), 0);
            client_fini(&client);
        }
        join(rows[i].head);
        client_end(&client);
        site_settle(&site);
        leave();
    }
}

static void a_request_cut_off_in_the_queue_is_told(void **state) {
    (void)state;
    join(GET("/held?a") POST("/echo", "Content-Length: 5\r\n", "abc"));
    client_end(&client);
    site_settle(&site);
    hear("open");
    site_release(&site);
    hear_status("200 length; 400 length close; eof");
    assert_int_equal(site_connections(&site), 0);
    client_fini(&client);
    join(GET("/held?a") "GET /say?b HTTP/1.1\r\n");
    client_end(&client);
    site_settle(&site);
    site_release(&site);
    hear("200 length:1 a; eof");
    leave();
}

static void what_is_due_is_answered_after_eof(void **state) {
    (void)state;
    join(GET("/held?a"));
    client_end(&client);
    site_settle(&site);
    hear("open");
    site_release(&site);
    hear("200 length:1 close a; eof");
    leave();
    join(GET("/held?a") GET("/held?b") LAST("/say?c"));
    client_end(&client);
    site_settle(&site);
    site_release(&site);
    site_release(&site);
    hear("200 length:1 a; 200 length:1 b; 200 length:1 close c; eof");
    leave();
    join(POST("/held?a", "Content-Length: 3\r\n", "x"));
    client_end(&client);
    site_settle(&site);
    site_release(&site);
    hear("200 length:1 close a; eof");
    leave();
    join(POST("/say?a", "Content-Length: 3\r\n", "x")); /* answered, the rest would be dropped */
    client_end(&client);
    site_settle(&site);
    hear("200 length:1 a; eof");
    leave();
    assert_int_equal(site.closed[REASON_DONE], 6);
}

/* An open-ended answer is over when its client has left, but one that ends in the turn it began in
 * is whole. */
static void open_ended_answers_end_with_their_client(void **state) {
    (void)state;
    static const char *const endless[] = {"/endless?b", "/soon?b", "/drip?b,c", "/sse"};
    char request[200];
    for (size_t i = 0; i < COUNT(endless); i++) {
        for (int before = 0; before < 2; before++) { /* it began before EOF, or only after */
            site.closed[REASON_CLIENT] = 0;
            if (before == 0 && i == 2)
                continue; /* that one is finished by then */
            snprintf(request, sizeof request, "%sGET %s HTTP/1.1\r\n" HOST "\r\n",
                     before ? GET("/held?a") : "", endless[i]);
            join(request);
            client_end(&client);
            site_settle(&site);
            if (before)
                site_release(&site);
            SAME_INT(str_of(request), site.closed[REASON_CLIENT], 1);
            leave();
        }
    }
    join(GET("/held?a") GET("/endless?b") GET("/say?c"));
    client_end(&client);
    site_settle(&site);
    site_release(&site);
    hear("200 length:1 a; 200 chunked b cut; eof");
    leave();
    join(GET("/held?a") LAST("/stream?b,c"));
    client_end(&client);
    site_settle(&site);
    site_release(&site);
    hear("200 length:1 a; 200 to-end close bc; eof");
    leave();
    join(GET("/held?a") LAST("/hasty?2000000")); /* finished, though not yet taken */
    client_end(&client);
    site_settle(&site);
    site_release(&site);
    site_read_all(&site, &client);
    hear("200 length:1 a; 200 to-end close (2000000 bytes); eof");
    leave();
}

/* A stream that answers while it reads ends when its body breaks off. */
static void a_forwarded_body_that_breaks_off_is_cut(void **state) {
    (void)state;
    join(POST("/answer-body", "Content-Length: 5\r\n", "abc"));
    client_end(&client);
    site_settle(&site);
    hear("200 chunked abc cut; eof");
    assert_int_equal(site.closed[REASON_CLIENT], 1);
    leave();
    join(GET("/held?a") POST("/answer-body", "Content-Length: 5\r\n", "abc"));
    client_end(&client);
    site_settle(&site);
    site_release(&site);
    hear("200 length:1 a; 200 chunked abc cut; eof");
    leave();
    site.closed[REASON_CLIENT] = 0;
    join(POST("/stubborn", "Content-Length: 5\r\n", "abc"));
    client_end(&client);
    site_settle(&site);
    assert_int_equal(site.closed[REASON_CLIENT], 1);
    leave();
}

/* --- resets --- */

static void resets_are_noticed_at_every_place(void **state) {
    (void)state;
    static const char *const requests[] = {
        GET("/held?a"),
        GET("/endless?a"),
        GET("/sse"),
        GET("/soon?a"),
        POST("/held?a", "Content-Length: 5\r\n", "abc"),
        POST("/echo", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n"),
    };
    for (size_t i = 0; i < COUNT(requests); i++) {
        size_t length = strlen(requests[i]);
        for (size_t n = 0; n <= length; n++) {
            int before = site.requests;
            site.closed[REASON_CLIENT] = 0;
            site_connect_tcp(&site, &client);
            site_send(&site, &client, (struct str){requests[i], n});
            if (n == length)
                site_await_request(&site, before + 1);
            client_close(&client, true);
            site_await_end(&site);
            SAME_INT(str_of(requests[i]), site.closed[REASON_CLIENT], site.requests - before);
            leave();
        }
    }
}

/* A handler that is behind with the body does not read, and is told all the same. */
static void resets_are_noticed_behind_an_unread_body(void **state) {
    (void)state;
    char bytes[10000] = {0};
    site_connect_tcp(&site, &client);
    say(POST("/held?a", "Content-Length: 100000000\r\n", ""));
    for (int idle = 0; idle < 3;) {
        idle = client_send(&client, bytes, sizeof bytes) > 0 ? 0 : idle + 1;
        site_settle(&site);
    }
    client_close(&client, true);
    site_await_end(&site);
    assert_int_equal(site.closed[REASON_CLIENT], 1);
    leave();
}

/* What is only told by the connection's end must be told apart from it (RFC 9112 section 8). */
static void an_aborted_answer_to_the_end_is_reset(void **state) {
    (void)state;
    site_connect_tcp(&site, &client);
    say("GET /abort?abc HTTP/1.0\r\n\r\n");
    site_read_all(&site, &client);
    assert_true(client.reset);
    leave();
    site_connect_tcp(&site, &client);
    say(GET("/abort?abc"));
    site_read_all(&site, &client);
    hear("200 chunked abc cut; eof");
    leave();
}

/* Sends until the kernel takes no more. */
static void stuff(size_t most) {
    static const char bytes[10000];
    for (int idle = 0; idle < 3 && most > 0;) {
        size_t n = client_send(&client, bytes, most < sizeof bytes ? most : sizeof bytes);
        most -= n;
        idle = n > 0 ? 0 : idle + 1;
        site_settle(&site);
    }
    assert_int_equal(most, 0);
}

/* So does the end of the client's side, once it is an endless answer. */
static void a_client_is_seen_to_leave_behind_an_unread_body(void **state) {
    (void)state;
    static const char *const requests[] = {
        POST("/endless?a", "Content-Length: 200000\r\n", ""),
        "GET /sse HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\n",
        POST("/soon?a", "Transfer-Encoding: chunked\r\n", "30d40\r\n"),
        "POST /endless?a HTTP/1.0\r\nContent-Length: 200000\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT(requests); i++) {
        site_connect_tcp(&site, &client);
        say(requests[i]);
        stuff(200000);
        SAME_INT(str_of(requests[i]), site.closed[REASON_CLIENT], (int)i);
        client_end(&client);
        site_await_end(&site);
        SAME_INT(str_of(requests[i]), site.closed[REASON_CLIENT], (int)i + 1);
        leave();
    }
    site_connect_tcp(&site, &client); /* it had left before the answer began */
    say(POST("/held?a", "Content-Length: 200000\r\n", ""));
    stuff(200000);
    client_end(&client);
    site_settle(&site);
    assert_int_equal(site_connections(&site), 1);
    site_release(&site);
    site_read_all(&site, &client);
    hear("200 length:1 close a; eof");
    leave();
}

/* Requests behind one whose answer of `size` bytes the client has not read when they end. */
static void end_behind(size_t size, const char *requests) {
    char text[400];
    int before = site.requests;
    snprintf(text, sizeof text, GET("/size?%zu") "%s", size, requests);
    site_connect_tcp(&site, &client);
    client_send(&client, text, strlen(text));
    site_await_request(&site, before + 1);
    site_settle(&site);
    while (!client_is_over(&client)) {
        struct stream *stream = site_stream(&site);
        if (stream && stream->state == STREAM_STARTED) /* it would go on */
            stream_abort(stream, REASON_OVERFLOW, NULL);
        client_wait(&client, CONN_LOOK_MS);
        client_read_some(&client, 3000);
        site_pass(&site, CONN_LOOK_MS);
    }
}

/* What was complete arrives, whatever ends the exchange behind it, and wherever its bytes are by
 * then: with the client, in the kernel, in the queue. */
static void a_complete_answer_outlives_the_one_behind_it(void **state) {
    (void)state;
    static const char *const requests[] = {
        GET("/abort?abc"),      LAST("/abort?abc"),
        LAST("/flood?3000000"), GET("/short?abc"),
        GET("/abort"),          "BAD\r\n\r\n",
        GET("/flood?3000000"),  POST("/abort?abc", "Content-Length: 90000\r\n", "x"),
    };
    for (size_t i = 0; i < COUNT(requests); i++)
        for (size_t size = 10000; size < 200000; size += 20000) {
            char want[100];
            end_behind(size, requests[i]);
            int n = snprintf(want, sizeof want, "200 length:%zu (%zu bytes); ", size, size);
            const char *got = client_transcript(&client, WHOLE);
            if (strncmp(got, want, (size_t)n) != 0)
                fail_msg("%s behind %zu bytes: %s", requests[i], size, got);
            leave();
        }
}

/* --- writes --- */

static void failing_writes_end_the_stream(void **state) {
    (void)state;
    static const int errors[] = {-EPIPE, -ECONNRESET, -EIO};
    for (size_t i = 0; i < COUNT(errors); i++) {
        site_connect(&site, &client);
        fault_arm("conn_write", errors[i], 0, 1);
        say(GET("/endless?a"));
        hear("eof");
        assert_int_equal(site.closed[REASON_CLIENT], (int)i + 1);
        leave();
    }
    site_connect(&site, &client);
    fault_arm("conn_write", -EPIPE, 0, 1);
    say(GET("/say?a") GET("/say?b")); /* they are over when their bytes cannot be sent */
    hear("eof");
    leave();
}

static void full_sockets_are_waited_for(void **state) {
    (void)state;
    site_connect(&site, &client);
    fault_arm("conn_write", -EAGAIN, 0, 1);
    say(GET("/size?100") GET("/stream?a,b"));
    hear("200 length:100 (100 bytes); 200 chunked ab; open");
    leave();
    join(GET("/size?3000000"));
    while (client.got.len < 3000000) {
        client_read(&client);
        site_settle(&site);
    }
    hear("200 length:3000000 (3000000 bytes); open");
    leave();
}

static void stalled_readers_are_dropped(void **state) {
    (void)state;
    uint64_t limit = site.server.limits.progress_timeout;
    site_connect(&site, &client);
    client_send(&client, GET("/flood?3000000"), strlen(GET("/flood?3000000")));
    site_settle(&site);
    site_pass(&site, limit - 1);
    assert_int_equal(site_connections(&site), 1);
    client_read_some(&client, 500000); /* progress: a whole period more */
    site_settle(&site);
    site_pass(&site, limit - 1);
    assert_int_equal(site_connections(&site), 1);
    site_pass(&site, 1);
    assert_int_equal(site_connections(&site), 0);
    assert_int_equal(site.closed[REASON_TIMEOUT], 1);
    client_fini(&client);

    site_connect(&site, &client);
    client_send(&client, GET("/hasty?3000000"), strlen(GET("/hasty?3000000")));
    site_settle(&site);
    site_pass(&site, 4999);
    assert_int_equal(site_connections(&site), 1);
    site_pass(&site, 1);
    assert_int_equal(site.closed[REASON_TIMEOUT], 2);
    leave();

    join(GET("/hasty?10")); /* its timeout goes with it */
    client_send(&client, GET("/flood?3000000"), strlen(GET("/flood?3000000")));
    site_settle(&site);
    site_pass(&site, limit - 1);
    assert_int_equal(site_connections(&site), 1);
    site_pass(&site, 1);
    assert_int_equal(site.closed[REASON_TIMEOUT], 3);
    leave();
}

/* Finished, but not yet taken: the next request waits, and so does the end. */
static void the_next_request_waits_for_the_queue(void **state) {
    (void)state;
    site_connect(&site, &client);
    client_send(&client, GET("/size?3000000"), strlen(GET("/size?3000000")));
    site_settle(&site);
    client_send(&client, LAST("/say?a"), strlen(LAST("/say?a")));
    client_end(&client);
    site_settle(&site);
    assert_int_equal(site.requests, 1);
    site_read_all(&site, &client);
    hear("200 length:3000000 (3000000 bytes); 200 length:1 close a; eof");
    leave();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        VISIT(eof_in_a_head_closes),
        VISIT(eof_in_a_body_is_told),
        VISIT(a_request_cut_off_in_the_queue_is_told),
        VISIT(what_is_due_is_answered_after_eof),
        VISIT(open_ended_answers_end_with_their_client),
        VISIT(a_forwarded_body_that_breaks_off_is_cut),
        VISIT(resets_are_noticed_at_every_place),
        VISIT(resets_are_noticed_behind_an_unread_body),
        VISIT(a_client_is_seen_to_leave_behind_an_unread_body),
        VISIT(a_complete_answer_outlives_the_one_behind_it),
        VISIT(an_aborted_answer_to_the_end_is_reset),
        VISIT(failing_writes_end_the_stream),
        VISIT(full_sockets_are_waited_for),
        VISIT(stalled_readers_are_dropped),
        VISIT(the_next_request_waits_for_the_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

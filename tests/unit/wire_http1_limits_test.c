/* What a client may make wire/http1 keep and wait for: each limit exactly, and one beyond. */
#include "wire/http1.h"

#include "visit.h"

#include <stdio.h>

#define DROPPED 65536 /* bytes of a body that nobody reads */

static void send_filler(size_t n) {
    char *bytes = malloc(n + 1);
    memset(bytes, 'x', n);
    site_send(&site, &client, (struct str){bytes, n});
    free(bytes);
}

/* A connection that sends `request` whole, byte by byte, and in two pieces at each position. */
static void in_every_way(struct buf *request, const char *want) {
    for (size_t split = 0; split <= request->len; split++) {
        size_t step = split == 0 ? 1 : split;
        join("");
        for (size_t at = 0; at < request->len; at += step) {
            if (split > 0 && at > 0)
                step = request->len - at;
            size_t n = request->len - at < step ? request->len - at : step;
            site_send(&site, &client, (struct str){request->data + at, n});
        }
        hear_status(want);
        leave();
    }
    buf_fini(request);
}

/* --- heads --- */

static struct buf head_of(size_t bytes) {
    struct buf head = {0};
    buf_add(&head, STR("GET /say?a HTTP/1.1\r\n" HOST "X: "));
    while (head.len < bytes - 4)
        buf_add_char(&head, 'x');
    buf_add(&head, STR("\r\n\r\n"));
    return head;
}

static void heads_have_a_limit(void **state) {
    (void)state;
    site.server.limits.head_bytes = 256;
    struct buf head = head_of(256);
    in_every_way(&head, "200 length; open");
    head = head_of(257);
    in_every_way(&head, "431 length close; eof");
}

/* One that never ends is refused when it is too long, not when it ends. */
static void endless_heads_are_refused(void **state) {
    (void)state;
    join("");
    struct buf head = head_of(16 * 1024 + 4);
    site_send(&site, &client, (struct str){head.data, 16 * 1024});
    hear_status("open");
    site_send(&site, &client, STR("x"));
    hear_status("431 length close; eof");
    assert_int_equal(site.requests, 0);
    leave();
    buf_fini(&head);
}

/* In one read with more than a head may ever have, in a name or in a value. */
static void huge_heads_are_refused(void **state) {
    (void)state;
    static const char *const begun[] = {"GET / HTTP/1.1\r\n" HOST "X: ", "GET / HTTP/1.1\r\n" HOST};
    for (size_t i = 0; i < COUNT(begun); i++) {
        join("");
        say(begun[i]);
        send_filler(10000);
        send_filler(65536);
        hear_status("431 length close; eof");
        leave();
    }
}

static struct buf fields_of(size_t fields) {
    struct buf head = {0};
    buf_add(&head, STR("GET /say?a HTTP/1.1\r\n" HOST));
    for (size_t i = 1; i < fields; i++)
        buf_printf(&head, "X: %zu\r\n", i);
    buf_add(&head, STR("\r\n"));
    return head;
}

static void fields_have_a_limit(void **state) {
    (void)state;
    site.server.limits.head_fields = 4;
    struct buf head = fields_of(4);
    in_every_way(&head, "200 length; open");
    head = fields_of(5);
    in_every_way(&head, "431 length close; eof");
}

static void targets_have_a_limit(void **state) {
    (void)state;
    struct buf head = {0};
    site.server.limits.target_bytes = 10;
    buf_add(&head, STR(GET("/say?12345")));
    in_every_way(&head, "200 length; open");
    buf_add(&head, STR(GET("/say?123456")));
    in_every_way(&head, "414 length close; eof");
}

/* --- bodies --- */

#define CHUNKED(path) "POST " path " HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

/* The bytes of trailer fields, and of chunk extensions, have the limit of the head's, whether or
 * not the ends of their lines count. */
static struct buf trailer_of(size_t bytes) {
    struct buf request = {0};
    buf_add(&request, STR(CHUNKED("/echo") "1\r\na\r\n0\r\nA: 1"));
    for (size_t i = 4; i < bytes; i++)
        buf_add_char(&request, 'x');
    buf_add(&request, STR("\r\n\r\n"));
    return request;
}

static struct buf extension_of(size_t bytes) {
    struct buf request = {0};
    buf_add(&request, STR(CHUNKED("/echo") "1;n=\""));
    for (size_t i = 5; i < bytes; i++) /* ;n="" */
        buf_add_char(&request, 'x');
    buf_add(&request, STR("\"\r\na\r\n0\r\n\r\n"));
    return request;
}

static void trailers_and_extensions_have_a_limit(void **state) {
    (void)state;
    site.server.limits.head_bytes = 80;
    struct buf request = trailer_of(76);
    in_every_way(&request, "200 length; open");
    request = trailer_of(81);
    in_every_way(&request, "431 length close; eof");
    request = extension_of(76);
    in_every_way(&request, "200 length; open");
    request = extension_of(81);
    in_every_way(&request, "431 length close; eof");
}

static void post(const char *path, size_t length) {
    char head[200];
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", path,
             length);
    say(head);
}

static void an_unread_body_is_dropped(void **state) {
    (void)state;
    join("");
    post("/say?a", DROPPED);
    hear("200 length:1 a; open");
    send_filler(DROPPED);
    say(GET("/say?b"));
    hear("200 length:1 a; 200 length:1 b; open");
    leave();
    join("");
    post("/say?a", DROPPED + 1);
    hear("200 length:1 close a; eof");
    leave();
}

/* What has come counts as read. */
static void the_rest_of_an_unread_body_is_dropped(void **state) {
    (void)state;
    for (size_t beyond = 0; beyond < 2; beyond++) {
        join("");
        post("/held?a", DROPPED + 10 + beyond);
        send_filler(10);
        site_release(&site);
        hear(beyond ? "200 length:1 close a; eof" : "200 length:1 a; open");
        leave();
    }
}

/* A handler that is behind keeps its client from sending, beyond what it has chosen. */
static void a_body_waits_for_its_reader_with(uint32_t window) {
    join("");
    post("/held?a", 1 << 24);
    site_stream(&site)->in_window = window;
    char bytes[8192] = {0};
    while (client_send(&client, bytes, sizeof bytes) > 0)
        site_settle(&site);
    uint64_t high = site.server.limits.high_mark;
    high = high > window ? high : window - 1;
    assert_true(site_stream(&site)->in.len > high);
    assert_true(site_stream(&site)->in.len <= high + LOOP_READ_BYTES);
    site_pass(&site, 1000000); /* nobody but the handler is late */
    hear("open");
    assert_false(site_stream(&site)->in_failed);
    site_release(&site);
    hear("200 length:1 close a; eof");
    leave();
}

static void a_body_waits_for_its_reader(void **state) {
    (void)state;
    a_body_waits_for_its_reader_with(0);
    a_body_waits_for_its_reader_with(1);
    a_body_waits_for_its_reader_with(200000);
}

/* As `hear`, with turns between the pieces. */
static void hear_all(const char *want) {
    size_t before;
    do {
        before = client.got.len;
        site_settle(&site);
        client_read(&client);
    } while (client.got.len > before);
    hear(want);
}

/* ... until it is answered without its reader. */
static void an_unread_body_goes_on_behind_its_answer(void **state) {
    (void)state;
    site.server.limits.high_mark = 1024;
    join("");
    post("/held?a", 100000);
    send_filler(100000);
    say(GET("/say?b"));
    assert_true(site_stream(&site)->in.len < 100000);
    site_release(&site);
    hear_all("200 length:1 a; 200 length:1 b; open");
    leave();
}

static void large_bodies_pass(void **state) {
    (void)state;
    join("");
    post("/echo", 300000);
    send_filler(300000);
    hear_all("200 length:300000 (300000 bytes); open");
    leave();
    join("");
    say(CHUNKED("/answer-body") "493E0\r\n");
    send_filler(300000);
    say("\r\n0\r\n\r\n");
    hear_all("200 chunked (300000 bytes); open");
    leave();
}

/* --- the last answer --- */

/* RFC 9112 section 9.6: what the client still sends must not destroy the answer. */
static void a_refusal_reaches_a_client_that_still_sends(void **state) {
    (void)state;
    site_connect_tcp(&site, &client);
    post("/fail?413", 1000000);
    char bytes[10000] = {0};
    for (int sent = 0; sent < 1000000;) {
        size_t n = client_send(&client, bytes, sizeof bytes);
        assert_true(n > 0 || site_connections(&site) == 1);
        sent += (int)n;
        site_settle(&site);
    }
    site_read_all(&site, &client);
    hear_status("413 length close; eof");
    leave();
    assert_int_equal(site.closed[REASON_DONE], 1);
}

/* Of time, not of bytes. */
static void lingering_has_limits(void **state) {
    (void)state;
    join("");
    post("/fail?413", 10000000);
    hear_status("413 length close; eof");
    client.eof = false;     /* its sending side still works */
    site_pass(&site, 5000); /* meanwhile the answer was taken */
    site_pass(&site, 4999);
    assert_int_equal(site_connections(&site), 1);
    site_pass(&site, 1);
    assert_int_equal(site_connections(&site), 0);
    client_fini(&client);

    join("");
    post("/fail?413", 10000000);
    client.eof = false;
    char bytes[65536] = {0};
    for (int s = 0; s < 120; s += 5) {
        assert_int_equal(site_connections(&site), 1);
        for (size_t sent = 0; sent < 2000000; site_settle(&site))
            sent += client_send(&client, bytes, sizeof bytes);
        site_pass(&site, 5000);
    }
    assert_int_equal(site_connections(&site), 0);
    leave();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        VISIT(heads_have_a_limit),          VISIT(endless_heads_are_refused),
        VISIT(huge_heads_are_refused),      VISIT(fields_have_a_limit),
        VISIT(targets_have_a_limit),        VISIT(trailers_and_extensions_have_a_limit),
        VISIT(an_unread_body_is_dropped),   VISIT(the_rest_of_an_unread_body_is_dropped),
        VISIT(a_body_waits_for_its_reader), VISIT(an_unread_body_goes_on_behind_its_answer),
        VISIT(large_bodies_pass),           VISIT(a_refusal_reaches_a_client_that_still_sends),
        VISIT(lingering_has_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

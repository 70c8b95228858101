/* What a client may make wire/http1 keep and wait for: each limit exactly, and one beyond. */
#include "wire/http1.h"

#include "site.h"
#include "table.h"

#include <stdio.h>

#define HOST "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define DROPPED 65536 /* bytes of a body that nobody reads */

struct pair {
    struct site site;
    struct client client;
};

static void begin(struct pair *pair) {
    site_init(&pair->site);
}

static void join(struct pair *pair) {
    site_connect(&pair->site, &pair->client);
}

static void send_text(struct pair *pair, const char *text) {
    site_send(&pair->site, &pair->client, str_of(text));
}

static void send_filler(struct pair *pair, size_t n) {
    char *bytes = malloc(n + 1);
    memset(bytes, 'x', n);
    site_send(&pair->site, &pair->client, (struct str){bytes, n});
    free(bytes);
}

static void leave(struct pair *pair) {
    client_fini(&pair->client);
    site_settle(&pair->site);
    assert_int_equal(site_connections(&pair->site), 0);
}

static void expect(struct pair *pair, enum transcript what, const char *want) {
    client_read(&pair->client);
    assert_string_equal(client_transcript(&pair->client, what), want);
}

/* A connection that sends `request` whole, byte by byte, and in two pieces at each position. */
static void in_every_way(struct pair *pair, struct buf *request, const char *want) {
    for (size_t split = 0; split <= request->len; split++) {
        size_t step = split == 0 ? 1 : split;
        join(pair);
        for (size_t at = 0; at < request->len; at += step) {
            if (split > 0 && at > 0)
                step = request->len - at;
            size_t n = request->len - at < step ? request->len - at : step;
            site_send(&pair->site, &pair->client, (struct str){request->data + at, n});
        }
        expect(pair, BRIEF, want);
        leave(pair);
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
    struct pair pair;
    begin(&pair);
    pair.site.server.limits.head_bytes = 256;
    struct buf head = head_of(256);
    in_every_way(&pair, &head, "200 length; open");
    head = head_of(257);
    in_every_way(&pair, &head, "431 length close; eof");
    site_fini(&pair.site);
}

/* One that never ends is refused when it is too long, not when it ends. */
static void endless_heads_are_refused(void **state) {
    (void)state;
    struct pair pair;
    begin(&pair);
    join(&pair);
    struct buf head = head_of(16 * 1024 + 4);
    site_send(&pair.site, &pair.client, (struct str){head.data, 16 * 1024});
    expect(&pair, BRIEF, "open");
    site_send(&pair.site, &pair.client, STR("x"));
    expect(&pair, BRIEF, "431 length close; eof");
    assert_int_equal(pair.site.requests, 0);
    leave(&pair);
    buf_fini(&head);
    site_fini(&pair.site);
}

/* In one read with more than a head may ever have, in a name or in a value. */
static void huge_heads_are_refused(void **state) {
    (void)state;
    static const char *const begun[] = {"GET / HTTP/1.1\r\n" HOST "X: ", "GET / HTTP/1.1\r\n" HOST};
    struct pair pair;
    begin(&pair);
    for (size_t i = 0; i < COUNT(begun); i++) {
        join(&pair);
        send_text(&pair, begun[i]);
        send_filler(&pair, 10000);
        send_filler(&pair, 65536);
        expect(&pair, BRIEF, "431 length close; eof");
        leave(&pair);
    }
    site_fini(&pair.site);
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
    struct pair pair;
    begin(&pair);
    pair.site.server.limits.head_fields = 4;
    struct buf head = fields_of(4);
    in_every_way(&pair, &head, "200 length; open");
    head = fields_of(5);
    in_every_way(&pair, &head, "431 length close; eof");
    site_fini(&pair.site);
}

static void targets_have_a_limit(void **state) {
    (void)state;
    struct pair pair;
    struct buf head = {0};
    begin(&pair);
    pair.site.server.limits.target_bytes = 10;
    buf_add(&head, STR(GET("/say?12345")));
    in_every_way(&pair, &head, "200 length; open");
    buf_add(&head, STR(GET("/say?123456")));
    in_every_way(&pair, &head, "414 length close; eof");
    site_fini(&pair.site);
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
    struct pair pair;
    begin(&pair);
    pair.site.server.limits.head_bytes = 80;
    struct buf request = trailer_of(76);
    in_every_way(&pair, &request, "200 length; open");
    request = trailer_of(81);
    in_every_way(&pair, &request, "431 length close; eof");
    request = extension_of(76);
    in_every_way(&pair, &request, "200 length; open");
    request = extension_of(81);
    in_every_way(&pair, &request, "431 length close; eof");
    site_fini(&pair.site);
}

static void post(struct pair *pair, const char *path, size_t length) {
    char head[200];
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", path,
             length);
    send_text(pair, head);
}

static void an_unread_body_is_dropped(void **state) {
    (void)state;
    struct pair pair;
    begin(&pair);
    join(&pair);
    post(&pair, "/say?a", DROPPED);
    expect(&pair, WHOLE, "200 length:1 a; open");
    send_filler(&pair, DROPPED);
    send_text(&pair, GET("/say?b"));
    expect(&pair, WHOLE, "200 length:1 a; 200 length:1 b; open");
    leave(&pair);
    join(&pair);
    post(&pair, "/say?a", DROPPED + 1);
    expect(&pair, WHOLE, "200 length:1 close a; eof");
    leave(&pair);
    site_fini(&pair.site);
}

/* What has come counts as read. */
static void the_rest_of_an_unread_body_is_dropped(void **state) {
    (void)state;
    struct pair pair;
    begin(&pair);
    for (size_t beyond = 0; beyond < 2; beyond++) {
        join(&pair);
        post(&pair, "/held?a", DROPPED + 10 + beyond);
        send_filler(&pair, 10);
        site_release(&pair.site);
        expect(&pair, WHOLE, beyond ? "200 length:1 close a; eof" : "200 length:1 a; open");
        leave(&pair);
    }
    site_fini(&pair.site);
}

/* A handler that is behind keeps its client from sending, beyond what it has chosen. */
static void a_body_waits_for_its_reader_with(uint32_t window) {
    struct pair pair;
    begin(&pair);
    join(&pair);
    post(&pair, "/held?a", 1 << 24);
    site_stream(&pair.site)->in_window = window;
    char bytes[8192] = {0};
    while (client_send(&pair.client, bytes, sizeof bytes) > 0)
        site_settle(&pair.site);
    uint64_t high = pair.site.server.limits.high_mark;
    high = high > window ? high : window - 1;
    assert_true(site_stream(&pair.site)->in.len > high);
    assert_true(site_stream(&pair.site)->in.len <= high + LOOP_READ_BYTES);
    site_pass(&pair.site, 1000000); /* nobody but the handler is late */
    expect(&pair, WHOLE, "open");
    assert_false(site_stream(&pair.site)->in_failed);
    site_release(&pair.site);
    expect(&pair, WHOLE, "200 length:1 close a; eof");
    leave(&pair);
    site_fini(&pair.site);
}

static void a_body_waits_for_its_reader(void **state) {
    (void)state;
    a_body_waits_for_its_reader_with(0);
    a_body_waits_for_its_reader_with(1);
    a_body_waits_for_its_reader_with(200000);
}

/* As `expect`, with turns between the pieces. */
static void hear_all(struct pair *pair, const char *want) {
    size_t before;
    do {
        before = pair->client.got.len;
        site_settle(&pair->site);
        client_read(&pair->client);
    } while (pair->client.got.len > before);
    expect(pair, WHOLE, want);
}

/* ... until it is answered without its reader. */
static void an_unread_body_goes_on_behind_its_answer(void **state) {
    (void)state;
    struct pair pair;
    begin(&pair);
    pair.site.server.limits.high_mark = 1024;
    join(&pair);
    post(&pair, "/held?a", 100000);
    send_filler(&pair, 100000);
    send_text(&pair, GET("/say?b"));
    assert_true(site_stream(&pair.site)->in.len < 100000);
    site_release(&pair.site);
    hear_all(&pair, "200 length:1 a; 200 length:1 b; open");
    leave(&pair);
    site_fini(&pair.site);
}

static void large_bodies_pass(void **state) {
    (void)state;
    struct pair pair;
    begin(&pair);
    join(&pair);
    post(&pair, "/echo", 300000);
    send_filler(&pair, 300000);
    hear_all(&pair, "200 length:300000 (300000 bytes); open");
    leave(&pair);
    join(&pair);
    send_text(&pair, CHUNKED("/answer-body") "493E0\r\n");
    send_filler(&pair, 300000);
    send_text(&pair, "\r\n0\r\n\r\n");
    hear_all(&pair, "200 chunked (300000 bytes); open");
    leave(&pair);
    site_fini(&pair.site);
}

/* --- the last answer --- */

/* RFC 9112 section 9.6: what the client still sends must not destroy the answer. */
static void a_refusal_reaches_a_client_that_still_sends(void **state) {
    (void)state;
    struct pair pair;
    begin(&pair);
    site_connect_tcp(&pair.site, &pair.client);
    post(&pair, "/fail?413", 1000000);
    char bytes[10000] = {0};
    for (int sent = 0; sent < 1000000;) {
        size_t n = client_send(&pair.client, bytes, sizeof bytes);
        assert_true(n > 0 || site_connections(&pair.site) == 1);
        sent += (int)n;
        site_settle(&pair.site);
    }
    site_read_all(&pair.site, &pair.client);
    expect(&pair, BRIEF, "413 length close; eof");
    leave(&pair);
    assert_int_equal(pair.site.closed[REASON_DONE], 1);
    site_fini(&pair.site);
}

/* Of time, not of bytes. */
static void lingering_has_limits(void **state) {
    (void)state;
    struct pair pair;
    begin(&pair);
    join(&pair);
    post(&pair, "/fail?413", 10000000);
    expect(&pair, BRIEF, "413 length close; eof");
    pair.client.eof = false;     /* its sending side still works */
    site_pass(&pair.site, 5000); /* meanwhile the answer was taken */
    site_pass(&pair.site, 4999);
    assert_int_equal(site_connections(&pair.site), 1);
    site_pass(&pair.site, 1);
    assert_int_equal(site_connections(&pair.site), 0);
    client_fini(&pair.client);

    join(&pair);
    post(&pair, "/fail?413", 10000000);
    pair.client.eof = false;
    char bytes[65536] = {0};
    for (int s = 0; s < 120; s += 5) {
        assert_int_equal(site_connections(&pair.site), 1);
        for (size_t sent = 0; sent < 2000000; site_settle(&pair.site))
            sent += client_send(&pair.client, bytes, sizeof bytes);
        site_pass(&pair.site, 5000);
    }
    assert_int_equal(site_connections(&pair.site), 0);
    leave(&pair);
    site_fini(&pair.site);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_have_a_limit),
        cmocka_unit_test(endless_heads_are_refused),
        cmocka_unit_test(huge_heads_are_refused),
        cmocka_unit_test(fields_have_a_limit),
        cmocka_unit_test(targets_have_a_limit),
        cmocka_unit_test(trailers_and_extensions_have_a_limit),
        cmocka_unit_test(an_unread_body_is_dropped),
        cmocka_unit_test(the_rest_of_an_unread_body_is_dropped),
        cmocka_unit_test(a_body_waits_for_its_reader),
        cmocka_unit_test(an_unread_body_goes_on_behind_its_answer),
        cmocka_unit_test(large_bodies_pass),
        cmocka_unit_test(a_refusal_reaches_a_client_that_still_sends),
        cmocka_unit_test(lingering_has_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

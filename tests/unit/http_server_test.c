/* What http/server promises: the limit on connections, counters, heads used again, the date. */
#include "http/server.h"

#include "base/clock.h"
#include "http/request.h"
#include "proto/date.h"
#include "proto/header.h"
#include "site.h"
#include "table.h"

#include <sys/socket.h>

static struct site site;

static int setup(void **state) {
    (void)state;
    site_init(&site);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    site_fini(&site);
    return 0;
}

static bool join(struct client *client) {
    static const struct address someone = {.port = 1};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    client_init(client, fds[1]);
    return http_server_accept(&site.server, fds[0], &someone);
}

/* Above the limit they are told so; when those answers pile up too, the listener is told to rest.
 */
static void connections_are_limited(void **state) {
    (void)state;
    enum { LIMIT = 32, MOST = 200 };
    struct client clients[MOST];
    int n = 0;
    bool more = true;
    site.server.limits.connections = LIMIT;
    while (more && n < MOST)
        more = join(&clients[n++]);
    assert_true(n > LIMIT && n < MOST);
    for (int i = 0; i < n; i++) {
        site_send(&site, &clients[i], STR(GET("/say?a")));
        assert_string_equal(client_transcript(&clients[i], BRIEF),
                            i < LIMIT ? "200 length; open" : "503 length close; eof");
    }
    assert_int_equal(site_connections(&site), n);
    int left = site.left;
    client_fini(&clients[--n]);
    site_settle(&site);
    assert_true(site.left > left); /* asked again */
    while (n > 0)
        client_fini(&clients[--n]);
    site_settle(&site);
    assert_int_equal(site_connections(&site), 0);
    assert_true(join(&clients[0]));
    client_fini(&clients[0]);
}

static void what_happens_is_counted(void **state) {
    (void)state;
    struct client client;
    struct http_counters before, after;
    const struct http_counters *own = &site.server.counters;
    http_server_totals(&before);
    join(&client);
    site_send(&site, &client, STR(GET("/say?abc") GET("/endless?de") GET("/say?f")));
    assert_int_equal(own->connections, 1);
    assert_int_equal(own->connections_total, 1);
    assert_int_equal(own->streams, 1);
    assert_int_equal(own->requests, 2);
    assert_int_equal(own->bytes_sent, 5); /* of bodies */
    assert_int_equal(own->bad_requests, 0);
    client_fini(&client);
    site_settle(&site);
    join(&client);
    site_send(&site, &client, STR("nonsense\r\n\r\n"));
    client_fini(&client);
    site_settle(&site);
    assert_int_equal(own->connections, 0);
    assert_int_equal(own->connections_total, 2);
    assert_int_equal(own->streams, 0);
    assert_int_equal(own->bad_requests, 1);
    http_server_totals(&after);
    assert_int_equal(after.requests - before.requests, 2);
    assert_int_equal(after.bytes_sent - before.bytes_sent, 5);
    assert_int_equal(after.connections_total - before.connections_total, 2);
    assert_int_equal(after.bad_requests - before.bad_requests, 1);
}

/* Several servers, of which one is gone; tasks are somebody else's to count. */
static void totals_are_the_processes(void **state) {
    (void)state;
    struct http_server other;
    struct http_counters before, with, after;
    const uint64_t tasks = 7, ready = 2;
    http_server_totals(&before);
    http_server_init(&other, &site.loop, &site.server.limits);
    http_server_count_tasks(&other, &tasks, &ready);
    counter_add(&other.counters.requests, 3);
    http_server_totals(&with);
    assert_int_equal(with.requests - before.requests, 3);
    assert_int_equal(with.tasks - before.tasks, 7);
    assert_int_equal(with.ready - before.ready, 2);
    http_server_fini(&other);
    http_server_totals(&after);
    assert_int_equal(after.requests - before.requests, 3);
    assert_int_equal(after.tasks, before.tasks);
}

static void streams_are_numbered(void **state) {
    (void)state;
    uint64_t first = http_server_next_id();
    assert_true(first >= 1);
    assert_int_equal(http_server_next_id(), first + 1);
}

/* The memory of heads goes round, but not that of long ones, nor of too many. */
static void heads_are_used_again(void **state) {
    (void)state;
    enum { MANY = 100 };
    struct request *requests[MANY];
    struct request *request = http_server_take_request(&site.server);
    buf_add(&request->bytes, STR("GET/"));
    request->method_len = 3;
    request_add_field(request);
    http_server_give_request(&site.server, request);
    assert_ptr_equal(http_server_take_request(&site.server), request);
    assert_int_equal(request->bytes.len + request->nfields + request->method_len, 0);
    assert_int_equal(request->content_length, -1);
    buf_reserve(&request->bytes, 100000);
    http_server_give_request(&site.server, request);
    request = http_server_take_request(&site.server);
    assert_true(request->bytes.cap < 100000);
    http_server_give_request(&site.server, request);
    http_server_give_request(&site.server, NULL);
    for (int i = 0; i < MANY; i++)
        requests[i] = http_server_take_request(&site.server);
    for (int i = 0; i < MANY; i++)
        http_server_give_request(&site.server, requests[i]);
    assert_true(site.server.nspare > 0 && site.server.nspare < MANY);
}

static void a_sealed_head_is_not_used_again(void **state) {
    (void)state;
    struct request *request = http_server_take_request(&site.server);
    unsigned spare = site.server.nspare;
    buf_add(&request->bytes, STR("GET/"));
    request_seal(request);
    http_server_give_request(&site.server, request);
    assert_int_equal(site.server.nspare, spare);
}

/* IMF-fixdate (RFC 9110 section 5.6.7), of this second. */
static void the_date_is_the_clocks(void **state) {
    (void)state;
    char want[HTTP_DATE_LEN + 1];
    for (int i = 0; i < 3; i++) {
        http_date_format(clock_wall_ns() / 1000000000, want);
        assert_string_equal(http_server_date(&site.server), want);
        site_pass(&site, UINT64_C(1000) << i * 4);
    }
}

static void draining_nothing_is_done_at_once(void **state) {
    (void)state;
    http_server_drain(&site.server);
    assert_int_equal(site.drained, 1);
    http_server_drain(&site.server);
    assert_int_equal(site.drained, 1);
}

/* Nobody has to ask. */
static void callbacks_may_be_missing(void **state) {
    (void)state;
    struct client client;
    site.server.on_left = site.server.on_drained = NULL;
    join(&client);
    client_fini(&client);
    site_settle(&site);
    http_server_drain(&site.server);
    assert_int_equal(site.left + site.drained, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(connections_are_limited),  TEST(what_happens_is_counted),
        TEST(totals_are_the_processes), TEST(streams_are_numbered),
        TEST(heads_are_used_again),     TEST(a_sealed_head_is_not_used_again),
        TEST(the_date_is_the_clocks),   TEST(draining_nothing_is_done_at_once),
        TEST(callbacks_may_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What wire/http1 keeps behind the current request, and how many connections. */
#include "wire/http1.h"

#include "visit.h"

#include <malloc.h>

#define KEPT 4096 /* bytes behind an endless answer */

/* An endless answer begun at once, one begun a turn later, one that was there before. */
static void few_bytes_are_kept_behind_an_endless_answer(void **state) {
    (void)state;
    static const char *const requests[] = {GET("/endless?a"), GET("/soon?a"), GET("/sse")};
    for (size_t i = 0; i < 2 * COUNT(requests); i++) {
        struct buf bytes = {0};
        const char *request = requests[i / 2];
        bool apart = i % 2;
        for (size_t n = KEPT; n <= KEPT + 1; n++) {
            site_connect(&site, &client);
            bytes.len = 0;
            buf_add(&bytes, str_of(request));
            if (apart) {
                site_send(&site, &client, buf_str(&bytes));
                bytes.len = 0;
            }
            memset(buf_reserve(&bytes, n), 'x', n);
            bytes.len += n;
            site.closed[REASON_CLIENT] = 0;
            site_send(&site, &client, buf_str(&bytes));
            SAME_INT(str_of(request), site.closed[REASON_CLIENT], n > KEPT);
            SAME_INT(str_of(request), client_is_over(&client), n > KEPT);
            leave();
        }
        buf_fini(&bytes);
    }
}

/* Behind other answers reading rests: nothing is lost, and nothing is kept without a limit. */
static void many_requests_wait_in_the_kernel(void **state) {
    (void)state;
    site_connect(&site, &client);
    struct str request = STR(GET("/say?b"));
    int sent = 0;
    say(GET("/held?a"));
    while (client_send(&client, request.ptr, request.len) == request.len && sent < 100000) {
        sent++;
        site_settle(&site);
    }
    assert_true(sent > 100 && sent < 100000);
    site_release(&site);
    while (site.requests < sent + 1) {
        site_settle(&site);
        client_read(&client);
    }
    site_settle(&site);
    client_read(&client);
    int answers = 0;
    for (size_t i = 0; i + 8 < client.got.len; i++)
        answers += memcmp(client.got.data + i, "HTTP/1.1", 8) == 0;
    assert_int_equal(answers, sent + 1);
    leave();
}

/* Each answer makes room for what is behind it only when little is left. */
static void answers_make_room_in_time(void **state) {
    (void)state;
    static const char body[3000];
    struct str request = STR(GET("/held?b"));
    site_connect(&site, &client);
    while (client_send(&client, request.ptr, request.len) == request.len)
        site_settle(&site);
    for (int i = 0; i < 5; i++)
        site_release(&site);
    while (client_send(&client, request.ptr, request.len) == request.len)
        site_settle(&site);
    for (int i = 0; i < 5; i++)
        site_release(&site);
    assert_int_equal(client_send(&client, request.ptr, request.len), 0);
    client_close(&client, true);
    http_server_stop(&site.server);
    leave();

    site.server.limits.high_mark = 1024;
    site_connect(&site, &client);
    say(GET("/held?a"));
    say("POST /held?b HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
    site_send(&site, &client, (struct str){body, 3000});
    site_release(&site);
    site_send(&site, &client,
              (struct str){body, 3000}); /* its handler is behind: this stays in the kernel */
    assert_int_equal(site_stream(&site)->in.len, 3000);
    http_server_stop(&site.server);
    leave();
}

/* A client that is always two requests ahead: what has been answered is not kept. */
static void answered_requests_are_forgotten(void **state) {
    (void)state;
    site_connect(&site, &client);
    say(GET("/held?a") GET("/held?a") GET("/held?a"));
    size_t before = 0;
    for (int i = 0; i < 5000; i++) {
        say(GET("/held?a"));
        site_release(&site);
        client_read(&client);
        client.got.len = 0;
        if (i == 0) /* the client has its buffer */
            before = mallinfo2().uordblks;
    }
    assert_true(mallinfo2().uordblks < before + 65536);
    for (int i = 0; i < 3; i++)
        site_release(&site);
    leave();
}

/* --- connections --- */

static void too_many_connections_are_told(void **state) {
    (void)state;
    struct client others[2];
    site.server.limits.connections = 2;
    for (int i = 0; i < 2; i++) {
        site_connect(&site, &others[i]);
        site_send(&site, &others[i], STR(GET("/say?a")));
    }
    site_connect(&site, &client);
    site_read_all(&site, &client);
    assert_string_equal(client_transcript(&client, BRIEF), "503 length close; eof");
    uint64_t seconds;
    assert_int_equal(str_to_u64(client_field(&client, "retry-after"), &seconds), 0);
    assert_int_equal(site.requests, 2);
    client_fini(&client);
    client_fini(&others[0]);
    site_settle(&site);
    site_connect(&site, &client);
    say(GET("/say?b"));
    hear("200 length:1 b; open");
    client_fini(&others[1]);
    leave();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        VISIT(few_bytes_are_kept_behind_an_endless_answer),
        VISIT(many_requests_wait_in_the_kernel),
        VISIT(answers_make_room_in_time),
        VISIT(answered_requests_are_forgotten),
        VISIT(too_many_connections_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

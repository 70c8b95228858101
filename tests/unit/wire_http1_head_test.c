/* What an answer's head says (http/head), as HTTP/1.1 writes it: each row the exact bytes. */
#include "wire/http1_head.h"

#include "base/buf.h"
#include "table.h"

#include <stdint.h>

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define DEFAULTS "Date: " DATE "\r\nServer: weir\r\nX-Content-Type-Options: nosniff\r\n"

static const struct row {
    struct http_head head;
    struct http1_framing framing;
    struct str want;
} rows[] = {
    /* what nobody has to ask for */
    {{200, DATE, NULL, {0}, -1}, {0, 1, 0}, S("HTTP/1.1 200 OK\r\n" DEFAULTS "\r\n")},
    {{200, DATE, "text/plain", {0}, 5},
     {0, 1, 0},
     S("HTTP/1.1 200 OK\r\n" DEFAULTS "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n")},
    {{404, DATE, NULL, {0}, 0},
     {0, 1, 0},
     S("HTTP/1.1 404 Not Found\r\n" DEFAULTS "Content-Length: 0\r\n\r\n")},
    {{599, DATE, NULL, {0}, INT64_MAX},
     {0, 1, 0},
     S("HTTP/1.1 599 Unknown\r\n" DEFAULTS "Content-Length: 9223372036854775807\r\n\r\n")},
    /* what the application has set wins, whatever its case */
    {{200, DATE, "text/plain", S("X-One: 1\r\ncontent-type: a/b\r\n"), -1},
     {0, 1, 0},
     S("HTTP/1.1 200 OK\r\n" DEFAULTS "X-One: 1\r\ncontent-type: a/b\r\n\r\n")},
    {{200, DATE, NULL, S("Date: d\r\nSERVER: s\r\nx-content-type-options: \r\n"), -1},
     {0, 1, 0},
     S("HTTP/1.1 200 OK\r\nDate: d\r\nSERVER: s\r\nx-content-type-options: \r\n\r\n")},
    /* framing */
    {{200, DATE, NULL, {0}, -1},
     {1, 1, 0},
     S("HTTP/1.1 200 OK\r\n" DEFAULTS "Transfer-Encoding: chunked\r\n\r\n")},
    {{200, DATE, NULL, {0}, -1},
     {0, 0, 0},
     S("HTTP/1.1 200 OK\r\n" DEFAULTS "Connection: close\r\n\r\n")},
    {{200, DATE, NULL, {0}, 1},
     {0, 1, 1},
     S("HTTP/1.1 200 OK\r\n" DEFAULTS "Content-Length: 1\r\nConnection: keep-alive\r\n\r\n")},
    {{200, DATE, NULL, {0}, 1},
     {0, 0, 1},
     S("HTTP/1.1 200 OK\r\n" DEFAULTS "Content-Length: 1\r\nConnection: close\r\n\r\n")},
};

static void heads_are_written(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = {0};
        size_t room = head_max(&rows[i].head);
        char *at = buf_reserve(&out, room);
        out.len = (size_t)(http1_head_put(at, &rows[i].head, rows[i].framing) - at);
        SAME_STR(rows[i].want, buf_str(&out), rows[i].want);
        assert_true(out.len <= room);
        buf_fini(&out);
    }
}

static void informational_heads_have_no_fields_of_their_own(void **state) {
    (void)state;
    char out[HTTP1_INFORMATIONAL_MAX + 16];
    struct str want = STR("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    char *end = http1_informational_put(out, 103, STR("Link: </a>\r\n"));
    SAME_STR(want, ((struct str){out, (size_t)(end - out)}), want);
}

static void refusals_tell_why(void **state) {
    (void)state;
    char out[HEAD_REFUSAL_MAX], why[2 * HEAD_REFUSAL_MAX];
    size_t n = head_refusal(out, 404, NULL);
    assert_true(str_eq((struct str){out, n}, STR("404 Not Found\n")));
    n = head_refusal(out, 400, "no host");
    assert_true(str_eq((struct str){out, n}, STR("400 Bad Request: no host\n")));
    memset(why, 'a', sizeof why);
    why[sizeof why - 1] = '\0';
    assert_int_equal(head_refusal(out, 400, why), HEAD_REFUSAL_MAX - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_written),
        cmocka_unit_test(informational_heads_have_no_fields_of_their_own),
        cmocka_unit_test(refusals_tell_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

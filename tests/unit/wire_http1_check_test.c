/* What wire/http1_check promises: which heads a server may act on, and what they then say. */
#include "wire/http1_check.h"

#include "table.h"

/* --- head_take_method --- */

static const struct {
    struct str head;
    int want;
    const char *method, *rest;
} methods[] = {
    {{"GET / HTTP/1.1\r\n", 16}, 1, "GET", "/ HTTP/1.1\r\n"},
    {{"\r\n\n\r\nGET /", 10}, 1, "GET", "/"},
    {{"QUERY /", 7}, 1, "QUERY", "/"},
    {{"a!#$%&'*+-.^_`|~9 x", 19}, 1, "a!#$%&'*+-.^_`|~9", "x"},
    {{"GET  /", 6}, 1, "GET", " /"}, /* what follows is the parser's to judge */
    {{"GET ", 4}, 1, "GET", ""},
    {{"GET", 3}, 0, "GET", ""},
    {{"\r\n", 2}, 0, "", ""},
    {{"", 0}, 0, "", ""},
    {{" /", 2}, 400, NULL, NULL},
    {{"\r\n /", 4}, 400, NULL, NULL},
    {{"GET\r\n", 5}, 400, NULL, NULL},
    {{"GET\t/", 5}, 400, NULL, NULL},
    {{"G@T /", 5}, 400, NULL, NULL},
    {{"GET\0 /", 6}, 400, NULL, NULL},
    {{"\0\0\0\0", 4}, 400, NULL, NULL},
    {{"G\x80T /", 5}, 400, NULL, NULL},
    {{"SSH-2.0-OpenSSH_9.2\r\n", 21}, 400, NULL, NULL},
#define FIFTY "AAAAAAAAAABBBBBBBBBBCCCCCCCCCCDDDDDDDDDDEEEEEEEEEE"
    {{FIFTY "12345678901234 /", 66}, 1, FIFTY "12345678901234", "/"},
    {{FIFTY "123456789012345 /", 67}, 400, NULL, NULL},
    {{FIFTY FIFTY, 100}, 400, NULL, NULL},
};

/* Takes the method of `head` in pieces of `step` bytes, of which the first may be shorter. */
static int take_method(struct request *request, struct str head, size_t first, size_t step,
                       size_t *used) {
    int rc = 0;
    for (size_t at = 0, n = first; rc == 0 && at < head.len; at += n, n = step) {
        n = n < head.len - at ? n : head.len - at;
        struct str piece = exact((struct str){head.ptr + at, n}), in = piece;
        rc = head_take_method(request, &in);
        assert_true(rc != 0 || in.len == 0);
        *used = at + n - in.len;
        exact_free(piece);
    }
    return rc;
}

static void methods_are_taken_in_any_pieces(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        struct str head = methods[i].head;
        for (size_t split = 0; split <= head.len + 1; split++) { /* at last byte by byte */
            struct request *request = request_new();
            size_t used = 0;
            int rc = split > head.len ? take_method(request, head, 1, 1, &used)
                                      : take_method(request, head, split, head.len, &used);
            SAME_INT(head, rc, methods[i].want);
            if (rc != 400) {
                SAME_STR(head, request_method(request), str_of(methods[i].method));
                SAME_STR(head, ((struct str){head.ptr + used, head.len - used}),
                         str_of(methods[i].rest));
            }
            request_free(request);
        }
    }
}

/* --- head_scan --- */

static const struct {
    const char *head;
    int want;
} heads[] = {
    {"/ HTTP/1.1\r\n\r\n", 0},
    {"/ HTTP/1.1\r\nHost: a\r\nX: b c\r\nY:\r\n\r\n", 0},
    {"/ HTTP/1.1\nHost: a\n\n", 0}, /* bare LF is the parser's to judge */
    {"* HTTP/2.0\r\n\r\n", 0},      /* so is the version's number */
    {"/ HTTP/9.9\r\n\r\n", 0},
    {"/HTTP/ HTTP/1.1\r\n\r\n", 0},
    {"", 0},
    {"/ HTTP/1.1\r\nHo", 0}, /* not here yet */
    {"/ HT", 0},
    {"/ HTTP/1.1\r\nA: b\r\n\r\n c\r\nnonsense\r\n", 0}, /* behind the head */
    {"/ HTTP/1.1\r\n\r\n\tbody", 0},
    {"/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400},
    {"/ HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", 400},
    {"/ HTTP/1.1\r\n A: b\r\n\r\n", 400},
    {"/ HTTP/1.1\r\nA: b\r\n \r\n\r\n", 400},
    {"/ HTTP/1.1\nA: b\n c\n\n", 400},
    {"/ RTSP/1.0\r\n\r\n", 400},
    {"/ http/1.1\r\n\r\n", 400},
    {"/ HTTPS/1.1\r\n\r\n", 400},
    {"/ HTT\r\n", 400},
    {"/HTTP/1.1\r\n", 400},
    {"/\r\n", 400},
    {"\r\n", 400},
    {"/ HTTP/1.1 x\r\n", 400},
};

static void heads_are_scanned_in_any_pieces(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct str head = str_of(heads[i].head);
        for (size_t split = 0; split <= head.len; split++) {
            struct head_scan scan = {0};
            struct str first = exact((struct str){head.ptr, split});
            struct str rest = exact((struct str){head.ptr + split, head.len - split});
            int status = head_scan(&scan, first.ptr, first.len);
            if (status == 0)
                status = head_scan(&scan, rest.ptr, rest.len);
            SAME_INT(head, status, heads[i].want);
            exact_free(first);
            exact_free(rest);
        }
        struct head_scan scan = {0};
        int status = 0;
        for (size_t at = 0; at < head.len && status == 0; at++)
            status = head_scan(&scan, head.ptr + at, 1);
        SAME_INT(head, status, heads[i].want);
    }
}

/* --- request_complete --- */

/* "METHOD TARGET", then "name: value" lines, names in lower case as the parser leaves them. */
static struct request *request_of(const char *text) {
    struct request *request = request_new();
    struct str rest = str_of(text), line = str_cut(&rest, '\n');
    struct str target = line, method = str_cut(&target, ' ');
    buf_add(&request->bytes, method);
    buf_add(&request->bytes, target);
    request->method_len = (uint32_t)method.len;
    request->target_len = (uint32_t)target.len;
    while (rest.len > 0) {
        struct str value = str_cut(&rest, '\n'), name = str_cut(&value, ':');
        struct field *field = request_add_field(request);
        value = (struct str){value.ptr + 1, value.len - 1};
        buf_add(&request->bytes, name);
        field->name_len = (uint32_t)name.len;
        field->value = (uint32_t)request->bytes.len;
        field->value_len = (uint32_t)value.len;
        buf_add(&request->bytes, value);
    }
    return request;
}

#define H "host: a\n"
#define POST "POST /\n" H

static const struct {
    const char *request;
    unsigned major, minor;
    int want;
} refusals[] = {
    {"GET /\n" H, 1, 1, 0},
    {"GET /\n" H, 1, 0, 0},
    {"GET /\n", 1, 0, 0},
    {"GET /\n" H, 1, 2, 0},
    {"GET /\n", 1, 2, 400},
    {"GET /\n" H, 2, 0, 505},
    {"GET /\n" H, 0, 9, 505},
    {"GET a\n" H, 1, 1, 400},
    {"GET *\n" H, 1, 1, 400},
    {"OPTIONS *\n" H, 1, 1, 0},
    {"GET /a#b\n" H, 1, 1, 400},
    {"CONNECT a:1\n" H, 1, 1, 0},
    {"CONNECT /\n" H, 1, 1, 400},
    {"GET a:1\n" H, 1, 1, 400},
    /* RFC 9112 section 3.2 */
    {"GET /\n", 1, 1, 400},
    {"GET http://b/\n", 1, 1, 400},
    {"GET /\n" H H, 1, 1, 400},
    {"GET /\n" H "host: b\n", 1, 0, 400},
    {"GET /\nhost: \n", 1, 1, 0},
    {"GET /\nhost: a b\n", 1, 1, 400},
    {"GET /\nhost: a/\n", 1, 1, 400},
    {"GET /\nhost: u@a\n", 1, 1, 400},
    {"GET /\nhost: [::1]:80\n", 1, 1, 0},
    /* RFC 9112 section 6 */
    {"POST /\n" H "content-length: 1\ntransfer-encoding: chunked\n", 1, 1, 400},
    {"POST /\n" H "content-length: x\n", 1, 1, 400},
    {"POST /\n" H "content-length: \n", 1, 1, 400},
    {"POST /\n" H "content-length: -1\n", 1, 1, 400},
    {"POST /\n" H "content-length: +1\n", 1, 1, 400},
    {"POST /\n" H "content-length: 1,1\n", 1, 1, 400},
    {"POST /\n" H "content-length: 1\ncontent-length: 1\n", 1, 1, 400},
    {"POST /\n" H "content-length: 9223372036854775808\n", 1, 1, 400},
    {"POST /\n" H "content-length: 9223372036854775807\n", 1, 1, 0},
    {POST "transfer-encoding: gzip\n", 1, 1, 400},
    {POST "transfer-encoding: \n", 1, 1, 400},
    {POST "transfer-encoding: ,\n", 1, 1, 400},
    {POST "transfer-encoding: identity\n", 1, 1, 400},
    {POST "transfer-encoding: xchunked\n", 1, 1, 400},
    {POST "transfer-encoding: chunked, gzip\n", 1, 1, 400},
    {POST "transfer-encoding: chunked\ntransfer-encoding: identity\n", 1, 1, 400},
    {POST "transfer-encoding: chunked\ntransfer-encoding: chunked\n", 1, 1, 400},
    {POST "transfer-encoding: chunked, chunked\n", 1, 1, 400},
    {POST "transfer-encoding: chunked, gzip, Chunked\n", 1, 1, 400},
    {POST "transfer-encoding: chunked;a=b\n", 1, 1, 400},
    {POST "transfer-encoding: chunked;\n", 1, 1, 400},
    {POST "transfer-encoding: chunked chunked\n", 1, 1, 400},
    {POST "transfer-encoding: a b, chunked\n", 1, 1, 400},
    {POST "transfer-encoding: (, chunked\n", 1, 1, 400},
    {POST "transfer-encoding: gzip;a=\", chunked\"\n", 1, 1, 400},
    {POST "transfer-encoding: \"chunked\"\n", 1, 1, 400},
    {POST "transfer-encoding: gzip, chunked\n", 1, 1, 501},
    {POST "transfer-encoding: gzip;a=b, chunked\n", 1, 1, 501},
    {POST "transfer-encoding: gzip\ntransfer-encoding: chunked\n", 1, 1, 501},
    {POST "transfer-encoding: identity, chunked\n", 1, 1, 501},
    {POST "transfer-encoding: gzip, chunked\ncontent-length: 3\n", 1, 1, 400},
    {"POST /\ntransfer-encoding: chunked\n", 1, 0, 400},
    {"POST /\ntransfer-encoding: gzip\n", 1, 0, 400},
    /* RFC 9110 section 10.1.1 */
    {"POST /\n" H "content-length: 1\nexpect: rain\n", 1, 1, 417},
    {"POST /\n" H "content-length: 1\nexpect: 100-continue, rain\n", 1, 1, 417},
    {"POST /\n" H "content-length: 1\nexpect: 100-continue=1\n", 1, 1, 417},
    {"POST /\n" H "content-length: 1\nexpect: 100-continue rain\n", 1, 1, 417},
    {"POST /\n" H "content-length: 1\nexpect: 100-continue\nexpect: rain\n", 1, 1, 417},
    {"POST /\ncontent-length: 1\nexpect: rain\n", 1, 0, 0},
};

static void heads_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct request *request = request_of(refusals[i].request);
        const char *why = NULL;
        int status = request_complete(request, refusals[i].major, refusals[i].minor, &why);
        SAME_INT(str_of(refusals[i].request), status, refusals[i].want);
        SAME_INT(str_of(refusals[i].request), why != NULL, status != 0);
        request_free(request);
    }
}

static const struct {
    const char *request;
    unsigned minor;
    const char *host;
    int64_t length;
    bool chunked, keep, expect;
} complete[] = {
    {"GET /\n" H, 1, "a", -1, false, true, false},
    {"GET /\n" H, 0, "a", -1, false, false, false},
    {"GET /\n", 0, "", -1, false, false, false},
    {"GET /\nhost: a:80\n", 1, "a:80", -1, false, true, false},
    {"GET http://b:1/c\n" H, 1, "b:1", -1, false, true, false}, /* RFC 9112 section 3.2.2 */
    /* RFC 9112 section 9.3 */
    {"GET /\n" H, 2, "a", -1, false, true, false}, /* RFC 9110 section 2.5 */
    {"GET /\n" H "connection: close\n", 9, "a", -1, false, false, false},
    {POST "transfer-encoding: chunked\n", 2, "a", -1, true, true, false},
    {"GET /\n" H "connection: close\n", 1, "a", -1, false, false, false},
    {"GET /\n" H "connection: CLOSE\n", 1, "a", -1, false, false, false},
    {"GET /\n" H "connection: x, close ,y\n", 1, "a", -1, false, false, false},
    {"GET /\n" H "connection: closed\n", 1, "a", -1, false, true, false},
    {"GET /\n" H "connection: x\nconnection: close\n", 1, "a", -1, false, false, false},
    {"GET /\n" H "connection: Keep-Alive\n", 0, "a", -1, false, true, false},
    {"GET /\n" H "connection: keep-alive\nconnection: close\n", 0, "a", -1, false, false, false},
    {"GET /\n" H "connection: close, keep-alive\n", 0, "a", -1, false, false, false},
    /* bodies */
    {"POST /\n" H "content-length: 0\n", 1, "a", 0, false, true, false},
    {"POST /\n" H "content-length: 12 \n", 1, "a", 12, false, true, false},
    {"POST /\n" H "transfer-encoding: chunked\n", 1, "a", -1, true, true, false},
    {"POST /\n" H "transfer-encoding: CHUNKED\t\n", 1, "a", -1, true, true, false},
    {POST "transfer-encoding: , ,chunked\t,,\n", 1, "a", -1, true, true, false},
    {POST "transfer-encoding: \ntransfer-encoding: chunked\ntransfer-encoding: ,\n", 1, "a", -1,
     true, true, false},
    /* expectations */
    {"POST /\n" H "content-length: 1\nexpect: 100-continue\n", 1, "a", 1, false, true, true},
    {"POST /\n" H "transfer-encoding: chunked\nexpect: 100-Continue\n", 1, "a", -1, true, true,
     true},
    {"POST /\n" H "content-length: 0\nexpect: 100-continue\n", 1, "a", 0, false, true, false},
    {"POST /\n" H "expect: 100-continue\n", 1, "a", -1, false, true, false},
    {"POST /\n" H "content-length: 1\nexpect: 100-continue\n", 0, "a", 1, false, false, false},
    {"POST /\n" H "content-length: 1\nexpect: \n", 1, "a", 1, false, true, false},
    {"POST /\n" H "content-length: 1\nexpect: , ,\n", 1, "a", 1, false, true, false},
    {"POST /\n" H "content-length: 1\nexpect: ,100-continue,\n", 1, "a", 1, false, true, true},
    {"POST /\n" H "content-length: 1\nexpect: \nexpect: 100-continue\n", 1, "a", 1, false, true,
     true},
    {"POST /\n" H "content-length: 1\nexpect: 100-continue, 100-continue\n", 1, "a", 1, false, true,
     true},
};

static void heads_are_completed(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(complete); i++) {
        struct str row = str_of(complete[i].request);
        struct request *request = request_of(complete[i].request);
        const char *why = NULL;
        SAME_INT(row, request_complete(request, 1, complete[i].minor, &why), 0);
        SAME_STR(row, request_host(request), str_of(complete[i].host));
        SAME_INT(row, request->content_length, complete[i].length);
        SAME_INT(row, request->minor, complete[i].minor > 0);
        SAME_INT(row, request->chunked, complete[i].chunked);
        SAME_INT(row, request->keep_alive, complete[i].keep);
        SAME_INT(row, request->expect_continue, complete[i].expect);
        request_free(request);
    }
}

/* White space around a value is no part of it (RFC 9112 section 5.1). */
static void values_are_trimmed(void **state) {
    (void)state;
    struct request *request = request_of("GET /\n" H "x: b c \t \ny: \n");
    const char *why = NULL;
    assert_int_equal(request_complete(request, 1, 1, &why), 0);
    assert_true(str_eq(request_header(request, STR("x")), STR("b c")));
    assert_int_equal(request_header(request, STR("y")).len, 0);
    request_free(request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_taken_in_any_pieces),
        cmocka_unit_test(heads_are_scanned_in_any_pieces),
        cmocka_unit_test(heads_are_refused),
        cmocka_unit_test(heads_are_completed),
        cmocka_unit_test(values_are_trimmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The line before a chunk (RFC 9112 section 7.1): chunk-size = 1*HEXDIG, without leading zeroes;
 * and decoding, by table, in pieces of every size. */
#include "proto/chunked.h"

#include "base/buf.h"

#include "table.h"

static void sizes(void **state) {
    static const struct {
        size_t n;
        struct str line;
    } rows[] = {
        {1, {"1\r\n", 3}},
        {9, {"9\r\n", 3}},
        {10, {"a\r\n", 3}},
        {15, {"f\r\n", 3}},
        {16, {"10\r\n", 4}},
        {255, {"ff\r\n", 4}},
        {256, {"100\r\n", 5}},
        {65535, {"ffff\r\n", 6}},
        {65536, {"10000\r\n", 7}},
        {0xdeadbeef, {"deadbeef\r\n", 10}},
        {SIZE_MAX - 15, {"fffffffffffffff0\r\n", 18}},
        {SIZE_MAX, {"ffffffffffffffff\r\n", 18}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *out = malloc(CHUNK_HEAD_MAX);
        struct str got = {out, chunk_head(out, rows[i].n)};
        SAME_STR(rows[i].line, got, rows[i].line);
        free(out);
    }
}

/* Around each power of 16, where the number of digits changes, strtoull reads back what was
 * written. */
static void reads_back(void **state) {
    (void)state;
    for (int bits = 4; bits < 64; bits += 4) {
        for (int d = -1; d <= 1; d++) {
            size_t n = ((size_t)1 << bits) + (size_t)d;
            char out[CHUNK_HEAD_MAX + 1] = {0};
            char *end;
            size_t len = chunk_head(out, n);
            assert_true(strtoull(out, &end, 16) == n);
            assert_int_equal(end - out, len - 2);
            assert_string_equal(end, "\r\n");
            assert_int_equal(len - 2, (d < 0 ? bits : bits + 4) / 4);
        }
    }
}

/* last-chunk and an empty trailer section: 1*("0") CRLF CRLF. */
static void last(void **state) {
    (void)state;
    assert_string_equal(CHUNK_LAST, "0\r\n\r\n");
}

#define ROW(literal)                                                                               \
    { literal, sizeof literal - 1 }

/* Decodes `body` in pieces of `step` bytes. Returns what chunk_decode returned last; the data goes
 * to `out`. */
static int decode(struct str body, size_t step, struct buf *out, size_t *used) {
    struct chunk_decoder decoder = {.limit = 20};
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && at < body.len) {
        size_t n = body.len - at < step ? body.len - at : step;
        struct str in = exact((struct str){body.ptr + at, n}), rest = in, data;
        do {
            rc = chunk_decode(&decoder, &rest, &data);
            buf_add(out, data);
        } while (rc == 0 && rest.len > 0);
        at += n - rest.len;
        exact_free(in);
    }
    *used = at;
    return rc;
}

/* rc 1: the body ended and `rest` bytes were left; 0: more is to come. */
static void decodes(void **state) {
    static const struct {
        struct str body;
        int rc;
        struct str data;
        size_t rest;
    } rows[] = {
        {ROW("0\r\n\r\n"), 1, ROW(""), 0},
        {ROW("3\r\nabc\r\n0\r\n\r\nGET"), 1, ROW("abc"), 3},
        {ROW("1\r\na\r\n2\r\nbc\r\n00\r\n\r\n"), 1, ROW("abc"), 0},
        {ROW("A\r\n0123456789\r\n0\r\n\r\n"), 1, ROW("0123456789"), 0},
        {ROW("0000000000000003\r\nabc\r\n0\r\n\r\n"), 1, ROW("abc"), 0},
        /* 7.1.1: extensions, with bad white space before the semicolon */
        {ROW("3;a=b;c\r\nabc\r\n0\r\n\r\n"), 1, ROW("abc"), 0},
        {ROW("3;a=\"b;c\"\r\nabc\r\n0\r\n\r\n"), 1, ROW("abc"), 0},
        {ROW("3 \t;a\r\nabc\r\n0;last\r\n\r\n"), 1, ROW("abc"), 0},
        {ROW("3;a=\"\"\r\nabc\r\n0;a;b\r\n\r\n"), 1, ROW("abc"), 0},
        {ROW("3;a=\"\\\"\\\\\"\r\nabc\r\n0\r\n\r\n"), 1, ROW("abc"), 0},
        {ROW("3;a=\"\t\200[\" ;b\r\nabc\r\n0\r\n\r\n"), 1, ROW("abc"), 0},
        {ROW("3 ; a = b ; c ;d\r\nabc\r\n0\r\n\r\n"), 1, ROW("abc"), 0},
        {ROW("3;a\t=\t\"b\"\t;\tc\r\nabc\r\n0\r\n\r\n"), 1, ROW("abc"), 0},
        /* 7.1.2: the trailer section */
        {ROW("0\r\nX-A: b\r\nC:\r\n\r\n"), 1, ROW(""), 0},
        {ROW("3\r\nab"), 0, ROW("ab"), 0},
        {ROW("3\r\nabc\r\n0\r\n"), 0, ROW("abc"), 0},
        /* exactly 20 dropped bytes, the CR that ends them among them; then one more */
        {ROW("0\r\nA: 4567890123456789\r\n\r\n"), 1, ROW(""), 0},
        {ROW("0\r\nA: 45678901234567890\r\n\r\n"), CHUNK_ELIMIT, ROW(""), 0},
        {ROW("3;1234567890123456789\r\nabc\r\n0\r\n\r\n"), 1, ROW("abc"), 0},
        {ROW("3;12345678901234567890\r\nabc\r\n0\r\n\r\n"), CHUNK_ELIMIT, ROW(""), 0},
        {ROW("3                      ;"), CHUNK_ELIMIT, ROW(""), 0},
        {ROW("0\r\nABCDEFGHIJKLMNOPQRSTU"), CHUNK_ELIMIT, ROW(""), 0},
        {ROW("\r\n"), CHUNK_EBAD, ROW(""), 0},
        {ROW(";a\r\n"), CHUNK_EBAD, ROW(""), 0},
        {ROW("g\r\n"), CHUNK_EBAD, ROW(""), 0},
        {ROW("-1\r\n"), CHUNK_EBAD, ROW(""), 0},
        {ROW("0x3\r\n"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3 \r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3\rabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a\177\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a;\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;;a\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3; \r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a \r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a=b \r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a=\"b\" \r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a b\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a[=b\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;=b\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;\"a\"\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a=\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a==b\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a=b=c\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a=b\"c\"\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a=\"b\"c\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a=\"b\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a=\"b\\\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a=\"\001\"\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3;a=\200\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("3\r\nabcd\r\n"), CHUNK_EBAD, ROW("abc"), 0},
        {ROW("3\r\nabc\n0\r\n\r\n"), CHUNK_EBAD, ROW("abc"), 0},
        {ROW("3\r\nabc\rx"), CHUNK_EBAD, ROW("abc"), 0},
        {ROW("00000000000000003\r\nabc"), CHUNK_EBAD, ROW(""), 0},
        {ROW("0\r\n folded: x\r\n\r\n"), CHUNK_EBAD, ROW(""), 0},
        {ROW("0\r\n: x\r\n\r\n"), CHUNK_EBAD, ROW(""), 0},
        {ROW("0\r\nno colon\r\n\r\n"), CHUNK_EBAD, ROW(""), 0},
        {ROW("0\r\nA: b\n\r\n"), CHUNK_EBAD, ROW(""), 0},
        {ROW("0\r\nA: b\rx"), CHUNK_EBAD, ROW(""), 0},
        {ROW("0\r\n\rx"), CHUNK_EBAD, ROW(""), 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t step = 1; step <= rows[i].body.len; step++) {
            struct buf out = {0};
            size_t used;
            int rc = decode(rows[i].body, step, &out, &used);
            SAME_INT(rows[i].body, rc, rows[i].rc);
            SAME_STR(rows[i].body, buf_str(&out), rows[i].data);
            if (rc == 1)
                SAME_INT(rows[i].body, (long long)(rows[i].body.len - used),
                         (long long)rows[i].rest);
            buf_fini(&out);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(reads_back),
        cmocka_unit_test(last),
        cmocka_unit_test(decodes),
    };
    return cmocka_run_group_tests_name("proto_chunked", tests, NULL, NULL);
}

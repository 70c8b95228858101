/* The line before a chunk (RFC 9112 section 7.1): chunk-size = 1*HEXDIG, without leading zeroes. */
#include "proto/chunked.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(reads_back),
        cmocka_unit_test(last),
    };
    return cmocka_run_group_tests_name("proto_chunked", tests, NULL, NULL);
}

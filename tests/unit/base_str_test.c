/* base/str: comparing, cutting, numbers, and UTF-8 against an encoder that knows only the code
 * point ranges. Inputs stand in blocks of exactly their size, so that ASan sees a read beyond the
 * end. */
#include "base/str.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void is_str(struct str s, const char *expected) {
    assert_non_null(s.ptr);
    assert_int_equal(s.len, strlen(expected));
    assert_memory_equal(s.ptr, expected, s.len);
}

static const struct str nothing = {NULL, 0};

static void of_c_string(void **state) {
    (void)state;
    is_str(str_of("weir"), "weir");
    is_str(str_of(""), "");
    assert_null(str_of(NULL).ptr);
    assert_int_equal(str_of(NULL).len, 0);
    is_str(STR("weir"), "weir");
    assert_int_equal(STR("a\0b").len, 3);
}

static void equal(void **state) {
    (void)state;
    assert_true(str_eq(STR("abc"), STR("abc")));
    assert_false(str_eq(STR("abc"), STR("abd")));
    assert_false(str_eq(STR("abc"), STR("abcd")));
    assert_false(str_eq(STR("abc"), STR("ABC")));
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_true(str_eq(nothing, STR("")));
    assert_true(str_eq(nothing, nothing));
}

static void equal_but_for_case(void **state) {
    (void)state;
    assert_true(str_ieq(STR("Content-Length"), STR("cONTENT-lENGTH")));
    assert_true(str_ieq(STR("azAZ09"), STR("AZaz09")));
    assert_false(str_ieq(STR("close"), STR("closed")));
    assert_false(str_ieq(STR("close"), STR("clone")));
    /* the neighbours of the letters, 0x20 apart, are no letters */
    assert_false(str_ieq(STR("@"), STR("`")));
    assert_false(str_ieq(STR("["), STR("{")));
    assert_false(str_ieq(STR("\xC4"), STR("\xE4")));
    assert_true(str_ieq(nothing, STR("")));
}

static void starts(void **state) {
    (void)state;
    assert_true(str_starts(STR("/rooms/1"), STR("/rooms")));
    assert_true(str_starts(STR("/rooms"), STR("/rooms")));
    assert_false(str_starts(STR("/room"), STR("/rooms")));
    assert_false(str_starts(STR("/Rooms"), STR("/rooms")));
    assert_true(str_starts(STR("x"), STR("")));
    assert_true(str_starts(nothing, nothing));
}

static void trim(void **state) {
    (void)state;
    is_str(str_trim(STR(" \t a b\t ")), "a b");
    is_str(str_trim(STR("ab")), "ab");
    is_str(str_trim(STR(" \t ")), "");
    is_str(str_trim(STR("")), "");
    is_str(str_trim(STR("\r\na\v")), "\r\na\v"); /* no OWS */
    assert_int_equal(str_trim(nothing).len, 0);
}

static void cut(void **state) {
    (void)state;
    struct str rest = STR("a,,bc,");
    is_str(str_cut(&rest, ','), "a");
    is_str(rest, ",bc,");
    is_str(str_cut(&rest, ','), "");
    is_str(str_cut(&rest, ','), "bc");
    is_str(rest, ""); /* something followed: an empty one */
    is_str(str_cut(&rest, ','), "");
    assert_null(rest.ptr);
    assert_int_equal(rest.len, 0);
    assert_null(str_cut(&rest, ',').ptr); /* past the end stays there */
    assert_null(rest.ptr);

    rest = STR("whole");
    is_str(str_cut(&rest, ','), "whole");
    assert_null(rest.ptr);
}

static void numbers(void **state) {
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"7", 7},
        {"0042", 42},
        {"1234567890", 1234567890},
        {"18446744073709551615", UINT64_MAX},
        {"000000000000000000000000000001", 1},
    };
    static const char *const bad[] = {
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1a",
        "/",
        ":",
        "0x10",
        "1.0",
        "1,0",
        "1e3",
        "\xB2",
        "18446744073709551616" /* 2^64: the addition wraps */,
        "18446744073709551620" /* the addition of 0 does not, the product does */,
        "99999999999999999999",
        "100000000000000000000000",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t value = 99;
        assert_int_equal(str_to_u64(str_of(good[i].text), &value), 0);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t value = 99;
        assert_int_equal(str_to_u64(str_of(bad[i]), &value), -1);
        assert_true(value == 99);
    }
    uint64_t value = 99;
    assert_int_equal(str_to_u64(STR("1\0"), &value), -1);
    assert_int_equal(str_to_u64(nothing, &value), -1);
    assert_int_equal(str_to_u64((struct str){"123", 2}, &value), 0);
    assert_true(value == 12);
}

static void sizes(void **state) {
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"512", 512},
        {"0", 0},
        {"64KB", 65536},
        {"64kb", 65536},
        {"1Mb", 1048576},
        {"1mB", 1048576},
        {"2GB", UINT64_C(2147483648)},
        {"0GB", 0},
        {"18014398509481983KB", UINT64_MAX - 1023},
        {"17179869183GB", UINT64_MAX - 1073741823},
        {"18446744073709551615", UINT64_MAX},
    };
    static const char *const bad[] = {
        "",
        "KB",
        "MB",
        "B",
        "1K",
        "1B",
        "1TB",
        "1 KB",
        "1KB ",
        " 1KB",
        "-1KB",
        "1KBKB",
        "1.5MB",
        "0x1KB",
        "18014398509481984KB",
        "17592186044416MB",
        "17179869184GB" /* 2^64 */,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t value = 99;
        assert_int_equal(str_to_size(str_of(good[i].text), &value), 0);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t value = 99;
        assert_int_equal(str_to_size(str_of(bad[i]), &value), -1);
        assert_true(value == 99);
    }
}

/* How much of a copy that ends where its block ends is valid. */
static size_t valid(const char *bytes, size_t n) {
    char *exact = malloc(n != 0 ? n : 1);
    assert_non_null(exact);
    memcpy(exact, bytes, n);
    size_t result = str_utf8_valid((struct str){exact, n});
    free(exact);
    return result;
}

/* The bits of `code` in a sequence of `n` bytes, allowed or not. */
static void encode(char *out, uint32_t code, int n) {
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (int i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3F));
        code >>= 6;
    }
    out[0] = (char)(lead[n] | code);
}

static void utf8_code_points(void **state) {
    char bytes[4];
    (void)state;
    for (uint32_t code = 0x80; code < 0x200000; code++) {
        bool allowed = code <= 0x10FFFF && !(code >= 0xD800 && code <= 0xDFFF);
        size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        encode(bytes, code, (int)n);
        size_t expected = allowed ? n : 0;
        if (str_utf8_valid((struct str){bytes, n}) != expected)
            fail_msg("U+%04X is taken wrongly", (unsigned)code);
        for (size_t shorter = 1; shorter < n; shorter++)
            if (str_utf8_valid((struct str){bytes, shorter}) != 0)
                fail_msg("%zu bytes of U+%04X are taken", shorter, (unsigned)code);
    }
}

static void utf8_overlong(void **state) {
    char bytes[4];
    (void)state;
    for (uint32_t code = 0; code < 0x10000; code++) {
        size_t shortest = code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
        for (size_t n = shortest + 1; n <= 4; n++) {
            encode(bytes, code, (int)n);
            if (str_utf8_valid((struct str){bytes, n}) != 0)
                fail_msg("U+%04X in %zu bytes is taken", (unsigned)code, n);
        }
    }
}

static void utf8_continuations(void **state) {
    static const char good[] = "\xF1\x80\x80\x80";
    (void)state;
    for (size_t at = 1; at < 4; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char bytes[4];
            memcpy(bytes, good, 4);
            bytes[at] = (char)byte;
            assert_int_equal(valid(bytes, 4), byte >= 0x80 && byte <= 0xBF ? 4 : 0);
        }
    }
    for (int byte = 0x80; byte < 256; byte++)
        assert_int_equal(valid((char[]){(char)byte}, 1), 0);
}

static void utf8_prefix(void **state) {
    char text[64];
    (void)state;
    assert_int_equal(valid("", 0), 0);
    assert_int_equal(str_utf8_valid(nothing), 0);
    assert_int_equal(valid("a\0b", 3), 3);
    assert_int_equal(valid("gr\xC3\xBC\xC3\x9F", 6), 6);
    assert_int_equal(valid("gr\xC3\xBC\xC3", 5), 4);
    /* a bad byte at each place of a run that is read eight bytes at a time, for each length */
    for (size_t n = 1; n <= 40; n++) {
        memset(text, 'x', n);
        assert_int_equal(valid(text, n), n);
        for (size_t at = 0; at < n; at++) {
            text[at] = (char)0xFF;
            assert_int_equal(valid(text, n), at);
            text[at] = 'x';
        }
    }
    /* a good sequence at each place of it */
    for (size_t at = 0; at < 20; at++) {
        memset(text, 'x', 24);
        memcpy(text + at, "\xF0\x9F\x8C\x8A", 4);
        assert_int_equal(valid(text, 24), 24);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_c_string),
        cmocka_unit_test(equal),
        cmocka_unit_test(equal_but_for_case),
        cmocka_unit_test(starts),
        cmocka_unit_test(trim),
        cmocka_unit_test(cut),
        cmocka_unit_test(numbers),
        cmocka_unit_test(sizes),
        cmocka_unit_test(utf8_code_points),
        cmocka_unit_test(utf8_overlong),
        cmocka_unit_test(utf8_continuations),
        cmocka_unit_test(utf8_prefix),
    };
    return cmocka_run_group_tests_name("base_str", tests, NULL, NULL);
}

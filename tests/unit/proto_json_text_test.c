/* json_text: each rule of RFC 8259 that lenient parsers pass over, with its neighbours. */
#include "proto/json_text.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

/* -1: nothing is wrong; else the offset of what is. */
static void texts(void **state) {
    static const struct {
        struct str text;
        int at;
    } rows[] = {
        /* section 7: strings */
        {S("\"\""), -1},
        {S("\"a\\u0000\\n\\\"b\""), -1},
        {S("\"a\nb\""), 2},
        {S("\"a\tb\""), 2},
        {S("\"\x1f\""), 1},
        {S("\"\0\""), 1},
        {S("\"\x7f\""), -1},
        {S("{\"a\":\"b\\\\\",\"c\r\":1}"), 13},
        {S("\"\\\n\""), -1}, /* an escape, which is the parser's */
        {S("\"no end"), -1}, /* likewise */
        {S("\"no end\\"), -1},
        /* section 8.1: UTF-8 */
        {S("\"\xc3\xa9\xf0\x9d\x84\x9e\""), -1},
        {S("\"\xe9\""), 1},
        {S("\"\xc0\x80\""), 1},
        {S("\"\xed\xa0\x80\""), 1},
        {S("[1] \xff"), 4},
        /* section 2: between tokens */
        {S(" \t\r\n[ \n1 ]"), -1},
        {S("[\f1]"), 1},
        {S("[1]\0"), 3},
        {S("\v1"), 0},
        /* section 6: numbers */
        {S("[0,-0,1,10,-1.5,0.25,1e5,1E+05,-0.1e-7,0e0]"), -1},
        {S("1."), 0},
        {S("[1.]"), 1},
        {S("1.e5"), 0},
        {S(".5"), 0},
        {S("-.5"), 0},
        {S("+1"), 0},
        {S("-"), 0},
        {S("--1"), 0},
        {S("01"), 0},
        {S("-01"), 0},
        {S("00"), 0},
        {S("1e"), 0},
        {S("1e+"), 0},
        {S("1.5.5"), 0},
        {S("1e5.5"), 0},
        {S("[1-2]"), 1},
        {S("[12,0x10]"), -1}, /* "0" and letters: the parser's */
        {S("1e308"), -1},
        {S("1e309"), 0},
        {S("[-1e400]"), 1},
        {S("1e-400"), -1},
        {S("0e999999999999999999999"), -1},
        {S("1e999999999999999999999"), 0},
        {S("1e-999999999999999999999"), -1},
        {S(""), -1},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i].text);
        size_t at = 0;
        const char *wrong = json_text_check(text, &at);
        SAME_INT(text, wrong ? (int)at : -1, rows[i].at);
        exact_free(text);
    }
}

/* A number of `digits` nines is below 1e308 up to 308 of them. */
static void long_numbers(void **state) {
    char digits[310];
    size_t at;
    (void)state;
    memset(digits, '9', sizeof digits);
    assert_null(json_text_check((struct str){digits, 308}, &at));
    assert_non_null(json_text_check((struct str){digits, 309}, &at));
    digits[1] = '.';
    assert_null(json_text_check((struct str){digits, 310}, &at));
}

/* What is written is what a parser takes, and bytes that are not UTF-8 are replaced one by one. */
static void quoted(void **state) {
    static const struct {
        struct str text;
        const char *want;
    } rows[] = {
        {S(""), "\"\""},
        {S("a b/c"), "\"a b/c\""},
        {S("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {S("a\nb\x1f\0c"), "\"a\\u000ab\\u001f\\u0000c\""},
        {S("\x7f"), "\"\x7f\""},
        {S("\xc3\xa9"), "\"\xc3\xa9\""},
        {S("a\xff\xfe"), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {S("\xc3"), "\"\xEF\xBF\xBD\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = {0};
        size_t at;
        json_text_quote(&out, rows[i].text);
        SAME_STR(rows[i].text, buf_str(&out), str_of(rows[i].want));
        SAME_INT(rows[i].text, json_text_check(buf_str(&out), &at) == NULL, 1);
        buf_fini(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quoted),
        cmocka_unit_test(texts),
        cmocka_unit_test(long_numbers),
    };
    return cmocka_run_group_tests_name("json_text", tests, NULL, NULL);
}

/* Which lines are wanted: each kind of rule by a table, their limits, and fields of JSON lines. */
#include "logs/json_field.h"
#include "logs/sift.h"

#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static bool wants(const struct sift_rule *rule, const char *line) {
    struct sift *sift = sift_new();
    char why[256];
    if (sift_add(sift, rule, why, sizeof why) < 0)
        fail_msg("%s", why);
    bool wanted = sift_wants(sift, str_of(line));
    sift_free(sift);
    return wanted;
}

static void test_kinds(void **state) {
    static const struct {
        enum sift_kind kind;
        bool cased;
        const char *text, *value, *yes, *no;
    } rows[] = {
        {SIFT_TEXT, false, "AbC", "", "xxaBcxx", "ab c"},
        {SIFT_TEXT, false, "a", "", "A", ""},
        {SIFT_TEXT, true, "aBc", "", "aBc", "abc"},
        {SIFT_TEXT, false, "\xc3\xbc", "", "f\xc3\xbcr", "fur"},
        {SIFT_LEVEL, false, "info", "", "INFO x", "DEBUG x"},
        {SIFT_LEVEL, false, "warn", "", "2026-01-01T00:00:00Z [Error] x", "an information: x"},
        {SIFT_LEVEL, false, "ERROR", "", "<3> crit: x", "warning: error"},
        {SIFT_LEVEL, false, "error", "", "{\"lvl\":\"fatal\"}",
         "{\"level\":\"info\",\"m\":\"error\"}"},
        {SIFT_LEVEL, false, "error", "", "{\"m\":\"info\",\"level\":50}", "{\"level\":30}"},
        {SIFT_LEVEL, false, "trace", "", "trace", "terrors"},
        {SIFT_FIELD, false, "a", "1", "{\"a\":1}", "{\"a\":10}"},
        {SIFT_FIELD, false, "a.b", "x", " { \"c\" : [1, {\"a\": 2}] , \"a\" : { \"b\" : \"x\" } }",
         "{\"b\":\"x\"}"},
        {SIFT_FIELD, false, "a", "", "{\"a\":\"\"}", "{\"b\":\"\"}"},
        {SIFT_PATTERN, false, "^a.*\\d$", "", "Abc7", "abc"},
        {SIFT_PATTERN, true, "^a", "", "abc", "Abc"},
        {SIFT_PATTERN, false, "^.$", "", "\xc3\xbc", "ab"},
        {SIFT_PATTERN, false, "b", "",
         "\xff"
         "b",
         "\xff"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sift_rule rule = {.kind = rows[i].kind,
                                 .cased = rows[i].cased,
                                 .text = str_of(rows[i].text),
                                 .value = str_of(rows[i].value)};
        for (int exclude = 0; exclude < 2; exclude++) {
            rule.exclude = exclude;
            if (wants(&rule, rows[i].yes) == exclude || wants(&rule, rows[i].no) != exclude)
                fail_msg("row %zu, %s", i, exclude ? "excluded" : "included");
        }
    }
}

static void test_all_of_include_and_none_of_exclude(void **state) {
    struct sift *sift = sift_new();
    char why[256];
    (void)state;
    assert_true(sift_wants(sift, STR("anything")));
    sift_add(sift, &(struct sift_rule){.text = STR("a")}, why, sizeof why);
    sift_add(sift, &(struct sift_rule){.text = STR("b")}, why, sizeof why);
    sift_add(sift, &(struct sift_rule){.text = STR("c"), .exclude = true}, why, sizeof why);
    assert_true(sift_wants(sift, STR("ab")));
    assert_false(sift_wants(sift, STR("a")));
    assert_false(sift_wants(sift, STR("abc")));
    sift_free(sift);
}

static void test_limits(void **state) {
    static char text[SIFT_TEXT_BYTES + 1];
    struct sift *sift = sift_new();
    struct sift_rule rule = {.text = {text, SIFT_TEXT_BYTES}};
    char why[256];
    (void)state;
    memset(text, 'x', sizeof text);
    for (int i = 0; i < SIFT_RULES; i++)
        assert_int_equal(sift_add(sift, &rule, why, sizeof why), 0);
    assert_int_equal(sift_add(sift, &rule, why, sizeof why), -1);
    assert_string_equal(why, "there are 32 rules at most");
    sift_free(sift);
    sift = sift_new();
    rule.text.len++;
    assert_int_equal(sift_add(sift, &rule, why, sizeof why), -1);
    rule.text.len = 0;
    assert_int_equal(sift_add(sift, &rule, why, sizeof why), -1);
    rule = (struct sift_rule){.kind = SIFT_LEVEL, .text = STR("loud")};
    assert_int_equal(sift_add(sift, &rule, why, sizeof why), -1);
    rule = (struct sift_rule){.kind = SIFT_PATTERN, .text = STR("(")};
    assert_int_equal(sift_add(sift, &rule, why, sizeof why), -1);
    assert_non_null(strstr(why, "at byte 2 of the pattern: missing closing parenthesis"));
    sift_free(sift);
}

static int warned;

static void on_log(enum log_level level, struct str line, void *arg) {
    (void)line, (void)arg;
    warned += level == LOG_WARN;
}

static void test_a_pattern_that_never_ends_is_given_up(void **state) {
    struct sift *sift = sift_new();
    struct sift_rule rule = {.kind = SIFT_PATTERN, .text = STR("^(a+)+$")};
    static char line[5000];
    char why[256];
    (void)state;
    memset(line, 'a', sizeof line);
    line[sizeof line - 1] = '!';
    log_set_sink(on_log, NULL);
    assert_int_equal(sift_add(sift, &rule, why, sizeof why), 0);
    for (int i = 0; i < 100; i++)
        assert_false(sift_wants(sift, (struct str){line, sizeof line}));
    log_set_sink(NULL, NULL);
    assert_int_equal(warned, 1);
    sift_free(sift);
}

static void test_fields(void **state) {
    static const struct {
        const char *line, *path, *value; /* NULL: none */
    } rows[] = {
        {"{\"a\":\"b\"}", "a", "b"},
        {"{\"a\":{\"b\":[1,{\"c\":\"}\"}]},\"d\":true}", "d", "true"},
        {"{\"a\":{\"b\":[1,{\"c\":\"}\"}]},\"d\":true}", "a.b", "[1,{\"c\":\"}\"}]"},
        {"{\"a\":{\"b\":1},\"c\":2}", "a", "{\"b\":1}"},
        {"{\"a\":\"\\\"\\u00fc\\n\\/\"}", "a", "\"\xc3\xbc\n/"},
        {"{\"a\":\"\\u20aC\"}", "a", "\xe2\x82\xac"},
        {"{\"a\":\"\\uzz\\\\\"}", "a", "uzz\\"},
        {"{\"a\":-1.50e3 }", "a", "-1.50e3"},
        {"{\"a\":null,\"b\":7}", "b", "7"},
        {"{\"a\":1}", "b", NULL},
        {"{\"a\":1}", "a.b", NULL},
        {"{\"a\":{\"b\":1}}", "a.c", NULL},
        {"{\"a\":", "a", NULL},
        {"{\"a\":\"b", "a", NULL},
        {"{\"a\":\"b\\", "a", NULL},
        {"{\"a\":[1", "b", NULL},
        {"{\"a", "a", NULL},
        {"{", "a", NULL},
        {"", "a", NULL},
        {"[1]", "a", NULL},
        {"text", "a", NULL},
    };
    struct buf room = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str value;
        bool got = json_field(str_of(rows[i].line), str_of(rows[i].path), &room, &value);
        if (got != (rows[i].value != NULL) || (got && !str_eq(value, str_of(rows[i].value))))
            fail_msg("row %zu: %.*s", i, got ? (int)value.len : 4, got ? value.ptr : "none");
    }
    buf_fini(&room);
}

/* Each line cut anywhere: nothing is read behind its end, which AddressSanitizer sees. */
static void test_lines_that_end_anywhere(void **state) {
    static const char line[] =
        "{\"a\": {\"b\": [1, \"x\\u00fc\"], \"c\": {\"d\": \"\\\"\"}}, \"e\": 1}";
    struct buf room = {0};
    struct str value;
    (void)state;
    for (size_t n = 0; n < sizeof line; n++) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, line, n);
        json_field((struct str){copy, n}, STR("a.c.d"), &room, &value);
        json_field((struct str){copy, n}, STR("e"), &room, &value);
        free(copy);
    }
    buf_fini(&room);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),  cmocka_unit_test(test_all_of_include_and_none_of_exclude),
        cmocka_unit_test(test_limits), cmocka_unit_test(test_a_pattern_that_never_ends_is_given_up),
        cmocka_unit_test(test_fields), cmocka_unit_test(test_lines_that_end_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

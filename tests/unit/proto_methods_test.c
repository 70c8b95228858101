/* What http/methods promises: which methods are tokens, and which are known without a route. */
#include "proto/methods.h"

#include "table.h"

static void known_are_the_laid_down(void **state) {
    static const struct {
        const char *method;
        bool want;
    } rows[] = {
        {"GET", true},         {"HEAD", true},      {"POST", true},     {"PUT", true},
        {"DELETE", true},      {"CONNECT", true},   {"OPTIONS", true},  {"TRACE", true},
        {"PATCH", true},       {"QUERY", true},     {"PROPFIND", true}, {"M-SEARCH", true},
        {"UNSUBSCRIBE", true}, {"get", false},      {"Query", false},   {"BREW", false},
        {"PRI", false},        {"DESCRIBE", false}, {"GETS", false},    {"GE", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        SAME_INT(str_of(rows[i].method), method_is_known(str_of(rows[i].method)), rows[i].want);
}

static void valid_are_tokens_of_some_length(void **state) {
    char long_one[METHOD_MAX + 1];
    (void)state;
    memset(long_one, 'A', sizeof long_one);
    assert_true(method_is_valid((struct str){long_one, METHOD_MAX}));
    assert_false(method_is_valid((struct str){long_one, METHOD_MAX + 1}));
    assert_true(method_is_valid(STR("M-SEARCH")));
    assert_false(method_is_valid(STR("")));
    assert_false(method_is_valid(STR("A B")));
    assert_false(method_is_valid(STR("A\r")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_are_the_laid_down),
        cmocka_unit_test(valid_are_tokens_of_some_length),
    };
    return cmocka_run_group_tests_name("http_methods", tests, NULL, NULL);
}

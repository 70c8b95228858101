/* What ends a pattern that asks for too much, and that one which does not is found wherever it is. */
#include "logs/pattern.h"

#include "table.h"

#include <sys/resource.h>

#define LONG (256u << 10)

static struct pattern *make(const char *text) {
    char why[256];
    struct pattern *pattern = pattern_new(str_of(text), true, why, sizeof why);
    assert_non_null(pattern);
    return pattern;
}

static void fill(char *line, size_t n, const char *with) {
    size_t unit = strlen(with);
    for (size_t i = 0; i < n; i++)
        line[i] = with[i % unit];
}

/* At each place it looks through all that follows, which PCRE2 counts as one step. */
static void test_much_work_in_few_steps(void **state) {
    static const char *const patterns[] = {"(?=.*c)|(?=.*d)|(?=.*e)", "(?:(?=.*c)|a){1,900}z|q"};
    char *line = malloc(LONG);
    size_t start, end;
    (void)state;
    fill(line, LONG, "a");
    for (size_t i = 0; i < COUNT(patterns); i++) {
        struct pattern *pattern = make(patterns[i]);
        struct str all = {line, LONG};
        SAME_INT(str_of(patterns[i]), pattern_find(pattern, all, 0, &start, &end),
                 PATTERN_LIMIT_REACHED);
        pattern_free(pattern);
    }
    free(line);
}

static long most_kib(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Each step of the interpreter keeps all groups. */
static void test_much_memory(void **state) {
    char text[1024] = "(*NO_JIT)(?:", *line = malloc(LONG);
    size_t start, end;
    (void)state;
    for (int i = 0; i < 480; i++)
        strcat(text, "()");
    strcat(text, "(?:a|b))*[bc]");
    fill(line, LONG, "a");
    struct pattern *pattern = make(text);
    long before = most_kib();
    assert_int_equal(pattern_find(pattern, (struct str){line, LONG}, 0, &start, &end),
                     PATTERN_LIMIT_REACHED);
    assert_true(most_kib() - before < 64 << 10);
    pattern_free(pattern);
    free(line);
}

/* A line is searched a part at a time: nothing is lost where two of them meet. */
static void test_a_match_at_every_place(void **state) {
    static const struct {
        const char *pattern, *fill, *match;
    } rows[] = {
        {"x", "a", "x"},
        {"(?<=b)x+(?=b)", "b", "xx"},
        {"\xc3\xb6x", "\xc3\xbc", "\xc3\xb6x"},
        {"xy", "\xff\x80", "xy"},
    };
    enum { N = 2200 };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct pattern *pattern = make(rows[i].pattern);
        size_t unit = strlen(rows[i].fill), n = strlen(rows[i].match), start, end;
        for (size_t at = unit; at + n + unit <= N; at += unit) {
            char line[N];
            fill(line, at, rows[i].fill);
            memcpy(line + at, rows[i].match, n);
            fill(line + at + n, N - at - n, rows[i].fill);
            struct str all = {line, N};
            SAME_INT(str_of(rows[i].pattern), pattern_find(pattern, all, 0, &start, &end),
                     PATTERN_FOUND);
            SAME_INT(str_of(rows[i].pattern), start, at);
            SAME_INT(str_of(rows[i].pattern), end, at + n);
            SAME_INT(str_of(rows[i].pattern), pattern_find(pattern, all, end, &start, &end),
                     PATTERN_NONE);
        }
        pattern_free(pattern);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_much_work_in_few_steps),
        cmocka_unit_test(test_much_memory),
        cmocka_unit_test(test_a_match_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

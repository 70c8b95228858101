/* The tables of what the process counts: names that a program can read, help that people can. */
#include "bind/stats.h"

#include "table.h"

#include <ctype.h>

static const struct counter_row *find(const char *name, const struct counter_row *but) {
    for (const struct counter_row *const *table = stats_tables; *table; table++)
        for (const struct counter_row *row = *table; row->name; row++)
            if (row != but && strcmp(row->name, name) == 0)
                return row;
    return NULL;
}

static const char *metric_of(const struct counter_row *row) {
    return row->metric ? row->metric : row->name;
}

/* Of those with the same metric: by its label; else nothing differs. */
static bool is_told_from_others(const struct counter_row *row) {
    for (const struct counter_row *const *table = stats_tables; *table; table++)
        for (const struct counter_row *other = *table; other->name; other++)
            if (other != row && strcmp(metric_of(other), metric_of(row)) == 0 &&
                (!other->label || !row->label || strcmp(other->label, row->label) == 0 ||
                 strcmp(other->help, row->help) != 0 || other->kind != row->kind))
                return false;
    return true;
}

static void names_are_names_and_helps_are_sentences(void **state) {
    (void)state;
    int rows = 0;
    for (const struct counter_row *const *table = stats_tables; *table; table++)
        for (const struct counter_row *row = *table; row->name; row++, rows++) {
            size_t n = strlen(row->help);
            SAME_INT(str_of(row->name), strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                     strlen(row->name));
            SAME_INT(str_of(row->name), isupper((unsigned char)row->help[0]) != 0, 1);
            SAME_INT(str_of(row->name), n > 1 && row->help[n - 1] == '.', 1);
            SAME_INT(str_of(row->name), find(row->name, row) == NULL, 1);
            SAME_INT(str_of(row->name), is_told_from_others(row), 1);
        }
    assert_true(rows > 20);
}

/* Nothing has happened here yet. */
static void all_can_be_read(void **state) {
    (void)state;
    for (const struct counter_row *const *table = stats_tables; *table; table++)
        for (const struct counter_row *row = *table; row->name; row++)
            SAME_INT(str_of(row->name), row->kind == COUNTER ? (long long)row->read(row->at) : 0,
                     0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_names_and_helps_are_sentences),
        cmocka_unit_test(all_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

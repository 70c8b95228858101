/* proto/field_lines: what is added is found whatever its case, removed within bounds, and stands in
 * order. */
#include "proto/field_lines.h"

#include "table.h"

static void holds(const struct buf *lines, const char *expected) {
    assert_int_equal(lines->len, strlen(expected));
    assert_memory_equal(lines->len ? lines->data : "", expected, lines->len);
}

static void fields_are_added_found_and_stepped_through(void **state) {
    (void)state;
    struct buf lines = {0};
    assert_null(field_lines_get(buf_str(&lines), STR("A")).ptr);
    field_lines_add(&lines, STR("A"), STR("1"));
    field_lines_add(&lines, STR("Empty"), STR(""));
    field_lines_add(&lines, STR("a"), STR("x: y"));
    holds(&lines, "A: 1\r\nEmpty: \r\na: x: y\r\n");
    assert_int_equal(field_lines_size(STR("Empty"), STR("")), 9);
    assert_true(str_eq(field_lines_get(buf_str(&lines), STR("a")), STR("1")));
    struct str empty = field_lines_get(buf_str(&lines), STR("EMPTY"));
    assert_true(empty.ptr != NULL && empty.len == 0);
    assert_null(field_lines_get(buf_str(&lines), STR("Emp")).ptr);
    struct str rest = buf_str(&lines), name, value;
    int n = 0;
    while (field_lines_next(&rest, &name, &value))
        n++;
    assert_int_equal(n, 3);
    assert_true(str_eq(name, STR("a")) && str_eq(value, STR("x: y")));
    buf_fini(&lines);
}

static void one_is_inserted_before_others(void **state) {
    (void)state;
    struct buf lines = {0};
    field_lines_insert(&lines, 0, STR("B"), STR("2"));
    field_lines_insert(&lines, 0, STR("A"), STR("1"));
    field_lines_insert(&lines, 6, STR("a-b"), STR("between"));
    field_lines_insert(&lines, lines.len, STR("C"), STR("3"));
    holds(&lines, "A: 1\r\na-b: between\r\nB: 2\r\nC: 3\r\n");
    buf_fini(&lines);
}

static void only_what_begins_within_the_bounds_is_removed(void **state) {
    (void)state;
    static const struct {
        size_t from, to, removed;
        const char *left;
    } rows[] = {
        {0, 24, 18, "B: 2\r\n"},
        {0, 6, 6, "B: 2\r\na: 3\r\nA: 4\r\n"},
        {6, 24, 12, "A: 1\r\nB: 2\r\n"},
        {6, 12, 0, "A: 1\r\nB: 2\r\na: 3\r\nA: 4\r\n"},
        {12, 18, 6, "A: 1\r\nB: 2\r\nA: 4\r\n"},
        {24, 24, 0, "A: 1\r\nB: 2\r\na: 3\r\nA: 4\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf lines = {0};
        buf_add(&lines, STR("A: 1\r\nB: 2\r\na: 3\r\nA: 4\r\n"));
        assert_int_equal(field_lines_remove(&lines, rows[i].from, rows[i].to, STR("a")),
                         rows[i].removed);
        holds(&lines, rows[i].left);
        buf_fini(&lines);
    }
    struct buf none = {0};
    assert_int_equal(field_lines_remove(&none, 0, 0, STR("a")), 0);
    buf_fini(&none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_added_found_and_stepped_through),
        cmocka_unit_test(one_is_inserted_before_others),
        cmocka_unit_test(only_what_begins_within_the_bounds_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* /metrics has each row of the tables that weir.stats reads, by the rules of Prometheus. */
#include "serve/metrics.h"

#include "bind/stats.h"
#include "count/traffic.h"
#include "net/loop.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>

static char *text;

static int setup(void **state) {
    (void)state;
    struct buf out = {0};
    metrics_add(&out);
    buf_add_char(&out, '\0');
    text = out.data;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    free(text);
    return 0;
}

static const char *suffix_of(const struct counter_row *row) {
    return row->kind == COUNTER ? "_total" : "";
}

static const char *name_of(const struct counter_row *row) {
    return row->metric ? row->metric : row->name;
}

static int times(const char *line) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        n += at == text || at[-1] == '\n';
    return n;
}

static void each_row_is_there_once(void **state) {
    (void)state;
    for (const struct counter_row *const *table = stats_tables; *table; table++)
        for (const struct counter_row *row = *table; row->name; row++) {
            char line[256];
            snprintf(line, sizeof line, "weir_%s%s%s%s%s ", name_of(row), suffix_of(row),
                     row->label ? "{" : "", row->label ? row->label : "", row->label ? "}" : "");
            SAME_INT(str_of(row->name), times(line), 1);
        }
}

static void each_metric_is_described_once_and_before_its_values(void **state) {
    (void)state;
    for (const struct counter_row *const *table = stats_tables; *table; table++)
        for (const struct counter_row *row = *table; row->name; row++) {
            char type[256], help[256], value[256];
            snprintf(type, sizeof type, "# TYPE weir_%s%s %s\n", name_of(row), suffix_of(row),
                     row->kind == COUNTER ? "counter" : "gauge");
            snprintf(help, sizeof help, "# HELP weir_%s%s %s\n", name_of(row), suffix_of(row),
                     row->help);
            snprintf(value, sizeof value, "\nweir_%s%s%s", name_of(row), suffix_of(row),
                     row->label ? "{" : " ");
            SAME_INT(str_of(row->name), times(type), 1);
            SAME_INT(str_of(row->name), times(help), 1);
            SAME_INT(str_of(row->name), strstr(text, type) < strstr(text, value), 1);
        }
}

/* Rows: a pattern of a script's, and its label. */
static void patterns_are_escaped(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"/plain/:id", "route=\"/plain/:id\","},
        {"/a\"b", "route=\"/a\\\"b\","},
        {"/a\\b", "route=\"/a\\\\b\","},
        {"/a\nb", "route=\"/a\\nb\","},
    };
    struct loop loop;
    struct traffic traffic;
    assert_int_equal(loop_init(&loop), 0);
    traffic_init(&traffic, &loop);
    for (size_t i = 0; i < COUNT(rows); i++) {
        traffic_route(&traffic, str_of(rows[i][0]));
        struct buf out = {0};
        metrics_add(&out);
        assert_non_null(memmem(out.data, out.len, rows[i][1], strlen(rows[i][1])));
        buf_fini(&out);
    }
    traffic_fini(&traffic);
    loop_fini(&loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_row_is_there_once, setup, teardown),
        cmocka_unit_test_setup_teardown(each_metric_is_described_once_and_before_its_values, setup,
                                        teardown),
        cmocka_unit_test(patterns_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

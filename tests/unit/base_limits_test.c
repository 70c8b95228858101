/* What base/limits promises: the contract's table of defaults, found by name. */
#include "base/limits.h"

#include "table.h"

#include <sys/resource.h>

#define KIB 1024

/* Section 6 of the contract. */
static const struct {
    const char *name;
    enum limit_kind kind;
    uint64_t value; /* bytes, count, or milliseconds */
} defaults[] = {
    {"head_bytes", LIMIT_BYTES, 16 * KIB},   {"head_fields", LIMIT_COUNT, 100},
    {"target_bytes", LIMIT_BYTES, 8 * KIB},  {"body_bytes", LIMIT_BYTES, 1024 * KIB},
    {"event_bytes", LIMIT_BYTES, 256 * KIB}, {"shared_memory", LIMIT_BYTES, 64 * 1024 * KIB},
    {"high_mark", LIMIT_BYTES, 64 * KIB},    {"low_mark", LIMIT_BYTES, 16 * KIB},
    {"turn_bytes", LIMIT_BYTES, 256 * KIB},  {"keepalive_timeout", LIMIT_SECONDS, 75000},
    {"head_timeout", LIMIT_SECONDS, 10000},  {"progress_timeout", LIMIT_SECONDS, 30000},
    {"drain_timeout", LIMIT_SECONDS, 10000}, {"connections_per_address", LIMIT_COUNT, 0},
    {"connection_rate", LIMIT_COUNT, 0},     {"connection_burst", LIMIT_COUNT, 0},
    {"streams_per_sub", LIMIT_COUNT, 0},     {"tickets", LIMIT_COUNT, 20000},
    {"subscriptions", LIMIT_COUNT, 1000},
};

static void defaults_are_the_contracts(void **state) {
    (void)state;
    struct limits limits;
    limits_init(&limits);
    for (size_t i = 0; i < COUNT(defaults); i++) {
        struct str name = str_of(defaults[i].name);
        const struct limit_row *row = limits_find(name);
        assert_non_null(row);
        SAME_INT(name, row->kind, defaults[i].kind);
        SAME_INT(name, (long long)limits_get(&limits, row), (long long)defaults[i].value);
        SAME_INT(name, (long long)limits_get(&limits_default, row), (long long)defaults[i].value);
    }
}

/* 80 % of the descriptors that the process may have. */
static void connections_follow_the_descriptors(void **state) {
    (void)state;
    struct rlimit before, fewer;
    struct limits limits;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    fewer = before;
    fewer.rlim_cur = 1000;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &fewer), 0);
    limits_init(&limits);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(limits.connections, 800);
    assert_int_equal(limits_get(&limits, limits_find(STR("connections"))), 800);
}

/* What is left beside `own` must do for those that are served and those that are told that there
 * are too many. */
static void connections_leave_room(void **state) {
    (void)state;
    struct rlimit before, fewer;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    fewer = before;
    for (fewer.rlim_cur = 48; fewer.rlim_cur <= 1024; fewer.rlim_cur++) {
        struct limits limits;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &fewer), 0);
        limits_init(&limits);
        uint64_t wanted = limits.connections;
        limits_leave(&limits, 30);
        uint64_t n = limits.connections;
        assert_true(n == 1 || n + limits_refused(n) + 30 <= fewer.rlim_cur);
        assert_true(n == wanted || n + 1 + limits_refused(n + 1) + 30 > fewer.rlim_cur);
    }
    setrlimit(RLIMIT_NOFILE, &before);
}

static void only_whole_names_are_found(void **state) {
    (void)state;
    assert_null(limits_find(STR("")));
    assert_null(limits_find(STR("head_byte")));
    assert_null(limits_find(STR("head_bytes2")));
    assert_null(limits_find(STR("HEAD_BYTES")));
    assert_null(limits_find((struct str){NULL, 0}));
}

/* Each can be set to its least value and to its most, and not beyond; setting one leaves the
 * others.
 */
static void values_have_bounds(void **state) {
    (void)state;
    for (const struct limit_row *row = limit_rows; row->name; row++) {
        struct limits limits;
        struct str name = str_of(row->name);
        limits_init(&limits);
        struct limits before = limits;
        if (row->least > 0) {
            SAME_INT(name, limits_set(&limits, row, row->least - 1), -1);
            assert_memory_equal(&limits, &before, sizeof limits);
        }
        SAME_INT(name, limits_set(&limits, row, row->least), 0);
        SAME_INT(name, (long long)limits_get(&limits, row), (long long)row->least);
        SAME_INT(name, limits_set(&limits, row, row->most), 0);
        SAME_INT(name, limits_set(&limits, row, row->most + 1), -1);
        SAME_INT(name, (long long)limits_get(&limits, row), (long long)row->most);
        for (const struct limit_row *other = limit_rows; other->name; other++)
            if (other != row)
                SAME_INT(name, (long long)limits_get(&limits, other),
                         (long long)limits_get(&before, other));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_contracts),
        cmocka_unit_test(connections_follow_the_descriptors),
        cmocka_unit_test(connections_leave_room),
        cmocka_unit_test(only_whole_names_are_found),
        cmocka_unit_test(values_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

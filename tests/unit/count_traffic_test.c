/* Requests counted by route: labels that clients cannot make, and the wait until a turn's end. */
#include "count/traffic.h"

#include "base/clock.h"
#include "table.h"

#include <stdio.h>

static struct loop loop;
static struct traffic traffic;

static int setup(void **state) {
    (void)state;
    clock_freeze();
    assert_int_equal(loop_init(&loop), 0);
    traffic_init(&traffic, &loop);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    traffic_fini(&traffic);
    loop_fini(&loop);
    clock_thaw();
    return 0;
}

struct wanted {
    struct str pattern;
    struct traffic_total found;
    int labels, others;
};

static void look(void *arg, const struct traffic_total *total) {
    struct wanted *wanted = arg;
    wanted->labels++;
    if (str_eq(total->pattern, wanted->pattern))
        wanted->found = *total;
}

static struct traffic_total total_of(const char *pattern) {
    static struct wanted wanted;
    wanted = (struct wanted){.pattern = str_of(pattern)};
    traffic_each(look, &wanted);
    return wanted.found;
}

static int count_labels(void) {
    struct wanted wanted = {.pattern = STR("")};
    traffic_each(look, &wanted);
    return wanted.labels;
}

static uint64_t all(const struct histogram *histogram) {
    uint64_t n = 0;
    for (int i = 0; i <= HISTOGRAM_BOUNDS; i++)
        n += histogram->counts[i];
    return n;
}

static void end_turn(void) {
    traffic.end.run(&traffic.end, clock_mono_ms());
}

static struct asked ask(const char *pattern, const char *method) {
    struct asked asked = {0};
    traffic_routed(&asked, traffic_route(&traffic, str_of(pattern)),
                   traffic_method(str_of(method)));
    return asked;
}

/* Rows: how long a request waits until the end of the turn in which its head goes out, and the
 * upper bound of the bucket where that is; 0: above all. */
static void the_wait_ends_with_the_turn(void **state) {
    (void)state;
    static const struct {
        unsigned ms, bound;
    } rows[] = {{0, 1}, {1, 1}, {2, 2}, {3, 5}, {20, 20}, {999, 1000}, {30000, 30000}, {30001, 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char pattern[32];
        snprintf(pattern, sizeof pattern, "/wait/%u", rows[i].ms);
        struct asked asked = ask(pattern, "GET");
        traffic_answered(&traffic, &asked, 1, clock_mono_ms());
        clock_advance_ns(rows[i].ms * 1000000ull);
        end_turn();
        struct traffic_total total = total_of(pattern);
        const struct histogram *latency = &total.latency[0][1];
        int bucket = 0;
        while (bucket < HISTOGRAM_BOUNDS && histogram_bounds[bucket] != rows[i].bound)
            bucket++;
        SAME_INT(str_of(pattern), latency->counts[bucket], 1);
        SAME_INT(str_of(pattern), all(latency), 1);
        SAME_INT(str_of(pattern), latency->sum, rows[i].ms);
    }
}

/* Rows: a method as sent, and the label it gets. */
static void methods_are_from_a_list(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"GET", "GET"},     {"POST", "POST"},      {"HEAD", "HEAD"},   {"PUT", "PUT"},
        {"PATCH", "PATCH"}, {"DELETE", "DELETE"},  {"QUERY", "QUERY"}, {"OPTIONS", "OPTIONS"},
        {"get", "other"},   {"PROPFIND", "other"}, {"GETS", "other"},  {"X", "other"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(traffic_method_names[traffic_method(str_of(rows[i][0]))], rows[i][1]);
    assert_string_equal(traffic_method_names[TRAFFIC_HEAD], "HEAD");
}

static void what_waits_is_what_has_no_answer(void **state) {
    (void)state;
    struct asked one = ask("/waits", "GET"), two = ask("/waits", "POST");
    assert_int_equal(total_of("/waits").open[TRAFFIC_WAITING], 2);
    traffic_answered(&traffic, &one, 1, clock_mono_ms());
    end_turn();
    assert_int_equal(total_of("/waits").open[TRAFFIC_WAITING], 1);
    traffic_answered(&traffic, &two, 0, clock_mono_ms()); /* it is over without one */
    end_turn();
    struct traffic_total total = total_of("/waits");
    assert_int_equal(total.open[TRAFFIC_WAITING], 0);
    assert_true(total.asked[0][1] && total.asked[1][0] && !total.asked[1][1]);
}

static void streams_are_counted_while_they_go_on(void **state) {
    (void)state;
    struct asked asked = ask("/events", "GET");
    traffic_answered(&traffic, &asked, 1, clock_mono_ms());
    traffic_opened(&asked, TRAFFIC_SSE);
    end_turn();
    assert_int_equal(total_of("/events").open[TRAFFIC_SSE], 1);
    traffic_closed(&asked);
    assert_int_equal(total_of("/events").open[TRAFFIC_SSE], 0);
}

/* More answers in one turn than are kept until its end. */
static void a_long_turn_loses_none(void **state) {
    (void)state;
    for (int i = 0; i < 3 * TRAFFIC_PENDING + 1; i++) {
        struct asked asked = ask("/long", "GET");
        traffic_answered(&traffic, &asked, 1, clock_mono_ms());
    }
    end_turn();
    struct traffic_total total = total_of("/long");
    assert_int_equal(all(&total.latency[0][1]), 3 * TRAFFIC_PENDING + 1);
}

static void what_a_server_counted_stays(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct traffic other;
        traffic_init(&other, &loop);
        struct asked asked = {0};
        traffic_routed(&asked, traffic_route(&other, STR("/stays")), 0);
        traffic_answered(&other, &asked, 1, clock_mono_ms());
        traffic_fini(&other);
    }
    struct traffic_total total = total_of("/stays");
    assert_int_equal(all(&total.latency[0][1]), 2);
    assert_int_equal(total.open[TRAFFIC_WAITING], 0);
}

static void what_is_apart_is_nobodys_business(void **state) {
    (void)state;
    int labels = count_labels();
    struct traffic other;
    traffic_init(&other, &loop);
    traffic_set_apart(&other);
    struct asked asked = {0};
    traffic_routed(&asked, traffic_none(&other), 0);
    traffic_answered(&other, &asked, 1, clock_mono_ms());
    traffic_fini(&other);
    assert_int_equal(count_labels(), labels);
}

/* The last, for labels stay. */
static void there_is_a_most_of_routes(void **state) {
    (void)state;
    struct asked_route *none = traffic_none(&traffic);
    char pattern[32];
    while (count_labels() < TRAFFIC_ROUTES_MAX + 1) { /* `none` is one more */
        snprintf(pattern, sizeof pattern, "/many/%d", count_labels());
        traffic_route(&traffic, str_of(pattern));
    }
    struct asked_route *last = traffic_route(&traffic, str_of(pattern));
    struct asked_route *beyond = traffic_route(&traffic, STR("/beyond"));
    assert_ptr_equal(beyond, traffic_route(&traffic, STR("/further")));
    assert_ptr_equal(beyond, traffic_route(&traffic, STR(TRAFFIC_OTHER)));
    assert_ptr_equal(last, traffic_route(&traffic, str_of(pattern)));
    assert_ptr_not_equal(last, beyond);
    assert_ptr_equal(none, traffic_none(&traffic));
    assert_int_equal(count_labels(), TRAFFIC_ROUTES_MAX + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_wait_ends_with_the_turn),
        TEST(methods_are_from_a_list),
        TEST(what_waits_is_what_has_no_answer),
        TEST(streams_are_counted_while_they_go_on),
        TEST(a_long_turn_loses_none),
        TEST(what_a_server_counted_stays),
        TEST(what_is_apart_is_nobodys_business),
        TEST(there_is_a_most_of_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

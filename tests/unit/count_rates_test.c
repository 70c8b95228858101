/* What base/rates promises: a burst, then as many as come in time, for each key; and memory only
 * for buckets that are not full. */
#include "count/rates.h"

#include "base/clock.h"

#include "table.h"

#include <pthread.h>
#include <stdio.h>

#define MS UINT64_C(1000000)
#define LIMITER STR("test")

static int setup(void **state) {
    (void)state;
    clock_freeze();
    return 0;
}

/* Whatever a test took is there again. */
static int teardown(void **state) {
    (void)state;
    clock_advance_ns(UINT64_C(2000000000) * 1000 * MS); /* more than any bucket takes */
    assert_int_equal(rates_sweep(), 0);
    clock_thaw();
    return 0;
}

static int granted(struct str limiter, struct str key, const struct rate *rate, int tries) {
    int n = 0;
    for (int i = 0; i < tries; i++)
        n += rates_take(limiter, key, rate) == 0;
    return n;
}

static void bursts_then_rate(void **state) {
    static const struct {
        double per_second, burst;
        int at_once;       /* granted of 100 at first */
        uint64_t after_ms; /* until the next */
        int in_ten_s;      /* granted of one try each 100 ms */
    } rows[] = {
        {1, 1, 1, 1000, 10},  {10, 5, 5, 100, 100},   {0.5, 3, 3, 2000, 5},
        {3, 1, 1, 334, 25},   {1000, 20, 20, 1, 100}, {1.0 / 60, 1, 1, 60000, 0},
        {2, 2.5, 2, 250, 20},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rate rate = {rows[i].per_second, rows[i].burst};
        char name[32];
        struct str key = {name, (size_t)snprintf(name, sizeof name, "row %zu", i)};
        SAME_INT(key, granted(LIMITER, key, &rate, 100), rows[i].at_once);
        SAME_INT(key, (long long)rates_take(LIMITER, key, &rate), (long long)rows[i].after_ms);
        int n = 0;
        for (int step = 0; step < 100; step++) {
            clock_advance_ns(100 * MS);
            n += rates_take(LIMITER, key, &rate) == 0;
        }
        SAME_INT(key, n, rows[i].in_ten_s);
    }
}

/* What it says is when it will be. */
static void the_time_told_is_exact(void **state) {
    (void)state;
    struct rate rate = {0.3, 2};
    assert_int_equal(granted(LIMITER, STR("a"), &rate, 3), 2);
    uint64_t after = rates_take(LIMITER, STR("a"), &rate);
    assert_int_equal(after, 3334);
    clock_advance_ns((after - 1) * MS);
    assert_int_equal(rates_take(LIMITER, STR("a"), &rate), 1);
    clock_advance_ns(MS);
    assert_int_equal(rates_take(LIMITER, STR("a"), &rate), 0);
}

static void a_bucket_holds_no_more_than_its_burst(void **state) {
    (void)state;
    struct rate rate = {10, 3};
    granted(LIMITER, STR("a"), &rate, 3);
    clock_advance_ns(UINT64_C(1000) * 1000 * MS);
    assert_int_equal(granted(LIMITER, STR("a"), &rate, 100), 3);
}

static void keys_and_limiters_are_apart(void **state) {
    (void)state;
    struct rate rate = {1, 1};
    const struct {
        struct str limiter, key;
    } pairs[] = {
        {STR("a"), STR("bc")}, {STR("ab"), STR("c")}, {STR(""), STR("abc")},
        {STR("abc"), STR("")}, {STR("bc"), STR("a")}, {STR("a"), STR("b\0c")},
    };
    for (size_t i = 0; i < COUNT(pairs); i++) {
        SAME_INT(pairs[i].key, granted(pairs[i].limiter, pairs[i].key, &rate, 2), 1);
    }
}

static void full_buckets_are_forgotten(void **state) {
    (void)state;
    struct rate rate = {1, 1};
    for (int i = 0; i < 1000; i++)
        rates_take(LIMITER, (struct str){(char *)&i, sizeof i}, &rate);
    clock_advance_ns(999 * MS);
    assert_int_equal(rates_sweep(), 1000);
    clock_advance_ns(MS);
    assert_int_equal(rates_sweep(), 0);
}

/* Beyond the limit those make room that are nearly full: whoever used up a long bucket does not get
 * a new one by that. */
static void their_number_has_a_limit(void **state) {
    (void)state;
    struct rate slow = {0.001, 1}, quick = {0.01, 1};
    assert_int_equal(granted(LIMITER, STR("slow"), &slow, 2), 1);
    for (int i = 0; i < 2 * RATES_KEYS_MAX; i++)
        rates_take(LIMITER, (struct str){(char *)&i, sizeof i}, &quick);
    assert_true(rates_sweep() <= RATES_KEYS_MAX);
    assert_true(rates_sweep() > RATES_KEYS_MAX / 2);
    assert_int_equal(granted(LIMITER, STR("slow"), &slow, 1), 0);
}

/* A script may ask for anything positive. */
static void extremes_are_harmless(void **state) {
    (void)state;
    struct rate never = {1e-300, 1}, always = {1e300, 1e300};
    assert_int_equal(rates_take(LIMITER, STR("never"), &never), 0);
    assert_true(rates_take(LIMITER, STR("never"), &never) > 1000);
    assert_int_equal(granted(LIMITER, STR("always"), &always, 1000), 1000);
}

static void *take_many(void *arg) {
    struct rate rate = {1, 1000};
    *(int *)arg = granted(LIMITER, STR("shared"), &rate, 1000);
    return NULL;
}

static void threads_share_buckets(void **state) {
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    int got[THREADS], sum = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_many, &got[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += got[i];
    }
    assert_int_equal(sum, 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(bursts_then_rate),
        TEST(the_time_told_is_exact),
        TEST(a_bucket_holds_no_more_than_its_burst),
        TEST(keys_and_limiters_are_apart),
        TEST(full_buckets_are_forgotten),
        TEST(their_number_has_a_limit),
        TEST(extremes_are_harmless),
        TEST(threads_share_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

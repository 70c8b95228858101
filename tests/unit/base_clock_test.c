/* base/clock: running clocks agree with the system's, frozen ones with what a test does to them. */
#include "base/clock.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <cmocka.h>

enum { HOUR_S = 3600 };
static const uint64_t hour_ns = (uint64_t)HOUR_S * 1000000000;

static int64_t system_ns(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Real time moves on by at least a millisecond. */
static void let_time_pass(void) {
    int64_t start = system_ns(CLOCK_MONOTONIC);
    while (system_ns(CLOCK_MONOTONIC) - start < 1000000) {
    }
}

static int thaw(void **state) {
    (void)state;
    clock_thaw();
    return 0;
}

/* Reads of the system's clock around one of ours hold it between them. */
static void shows_real_time(void) {
    int64_t before = system_ns(CLOCK_MONOTONIC);
    int64_t shown = (int64_t)clock_mono_ns();
    int64_t after = system_ns(CLOCK_MONOTONIC);
    assert_true(before <= shown && shown <= after);

    before = system_ns(CLOCK_MONOTONIC) / 1000000;
    shown = (int64_t)clock_mono_ms();
    after = system_ns(CLOCK_MONOTONIC) / 1000000;
    assert_true(before <= shown && shown <= after);

    /* the machine may set this one at any time, but hardly by an hour just now */
    int64_t wall = clock_wall_ns() / 1000000000;
    int64_t now = (int64_t)time(NULL);
    assert_true(wall > now - HOUR_S / 2 && wall < now + HOUR_S / 2);
    wall = clock_wall_s();
    assert_true(wall > now - HOUR_S / 2 && wall < now + HOUR_S / 2);
}

static void running(void **state) {
    (void)state;
    assert_false(clock_is_frozen());
    shows_real_time();
    uint64_t last = clock_mono_ns();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_mono_ns();
        assert_true(now >= last);
        last = now;
    }
}

static void advance_of_running_clocks(void **state) {
    (void)state;
    clock_advance_ns(hour_ns);
    assert_false(clock_is_frozen());
    shows_real_time();
    clock_freeze(); /* nor is it kept for later */
    assert_true((int64_t)clock_mono_ns() <= system_ns(CLOCK_MONOTONIC));
}

static void freeze(void **state) {
    (void)state;
    int64_t before = system_ns(CLOCK_MONOTONIC);
    clock_freeze();
    int64_t after = system_ns(CLOCK_MONOTONIC);
    assert_true(clock_is_frozen());
    uint64_t mono = clock_mono_ns();
    int64_t wall = clock_wall_ns();
    assert_true(before <= (int64_t)mono && (int64_t)mono <= after);
    let_time_pass();
    assert_true(clock_mono_ns() == mono);
    assert_true(clock_mono_ms() == mono / 1000000);
    assert_true(clock_wall_ns() == wall);
    clock_freeze();
    assert_true(clock_mono_ns() == mono);
    assert_true(clock_wall_ns() == wall);
}

static void advance(void **state) {
    (void)state;
    clock_freeze();
    uint64_t mono = clock_mono_ns();
    int64_t wall = clock_wall_ns();
    clock_advance_ns(1);
    assert_true(clock_mono_ns() == mono + 1);
    assert_true(clock_wall_ns() == wall + 1);
    clock_advance_ns(hour_ns);
    assert_true(clock_mono_ns() == mono + 1 + hour_ns);
    assert_true(clock_mono_ms() == (mono + 1 + hour_ns) / 1000000);
    assert_true(clock_wall_ns() == wall + 1 + (int64_t)hour_ns);
    assert_true(clock_wall_s() == (wall + 1) / 1000000000 + HOUR_S);
    clock_freeze(); /* keeps what was added */
    assert_true(clock_mono_ns() == mono + 1 + hour_ns);
}

static void thaw_again(void **state) {
    (void)state;
    clock_freeze();
    clock_advance_ns(hour_ns);
    clock_thaw();
    assert_false(clock_is_frozen());
    assert_true((int64_t)clock_mono_ns() >= system_ns(CLOCK_MONOTONIC) + (int64_t)hour_ns / 2);
    int64_t wall = clock_wall_ns(); /* but dates are real again */
    assert_true(wall <= system_ns(CLOCK_REALTIME));
    assert_true(wall > system_ns(CLOCK_REALTIME) - (int64_t)hour_ns / 2);
    clock_thaw(); /* harmless */
    uint64_t mono = clock_mono_ns();
    clock_freeze();
    assert_true(clock_mono_ns() >= mono); /* never back */
}

static atomic_bool stop;

/* Time that another thread moves never goes back; the result says whether it did. */
static void *watch(void *arg) {
    uint64_t last_mono = 0;
    int64_t last_wall = 0;
    (void)arg;
    do {
        uint64_t mono = clock_mono_ns();
        int64_t wall = clock_wall_ns();
        if (mono < last_mono || wall < last_wall)
            return &stop;
        last_mono = mono;
        last_wall = wall;
    } while (!atomic_load(&stop));
    return NULL;
}

static void *push_on(void *arg) {
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        clock_freeze();
        clock_advance_ns(1000);
    }
    return NULL;
}

static void many_threads(void **state) {
    enum { PUSHERS = 2, WATCHERS = 2 };
    pthread_t pushers[PUSHERS], watchers[WATCHERS];
    (void)state;
    clock_freeze();
    uint64_t start = clock_mono_ns();
    atomic_store(&stop, false);
    for (int i = 0; i < WATCHERS; i++)
        assert_int_equal(pthread_create(&watchers[i], NULL, watch, NULL), 0);
    for (int i = 0; i < PUSHERS; i++)
        assert_int_equal(pthread_create(&pushers[i], NULL, push_on, NULL), 0);
    for (int i = 0; i < PUSHERS; i++)
        pthread_join(pushers[i], NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < WATCHERS; i++) {
        void *went_back;
        pthread_join(watchers[i], &went_back);
        assert_null(went_back);
    }
    assert_true(clock_mono_ns() == start + PUSHERS * 1000 * 1000);
}

/* Who waits for a thread that does not come goes on, though a test has stopped the clocks; not
 * before it should. */
static void waits_are_real(void **state) {
    static const uint64_t waits[] = {0, 1000000, 999999999};
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    (void)state;
    clock_init_cond(&cond);
    clock_freeze();
    clock_advance_ns(hour_ns);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        int64_t before = system_ns(CLOCK_MONOTONIC);
        struct timespec until = clock_after_ns(waits[i]);
        int rc;
        while ((rc = pthread_cond_timedwait(&cond, &lock, &until)) == 0)
            ;
        assert_int_equal(rc, ETIMEDOUT);
        assert_true(system_ns(CLOCK_MONOTONIC) >= before + (int64_t)waits[i]);
    }
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&cond);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(running, thaw),
        cmocka_unit_test_teardown(advance_of_running_clocks, thaw),
        cmocka_unit_test_teardown(freeze, thaw),
        cmocka_unit_test_teardown(advance, thaw),
        cmocka_unit_test_teardown(thaw_again, thaw),
        cmocka_unit_test_teardown(many_threads, thaw),
        cmocka_unit_test_teardown(waits_are_real, thaw),
    };
    return cmocka_run_group_tests_name("base_clock", tests, NULL, NULL);
}

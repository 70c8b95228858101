/* base/fault: when an armed point acts, for how long, and that an unarmed one does nothing. */
#include "base/fault.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 16 };

static int reset(void **state) {
    (void)state;
    fault_reset();
    return 0;
}

static void unarmed(void **state) {
    (void)state;
    assert_int_equal(fault_armed, 0);
    assert_int_equal(fault("accept"), 0);
    assert_int_equal(fault_check("accept"), 0);
}

static void once(void **state) {
    (void)state;
    assert_int_equal(fault_arm("accept", -EMFILE, 0, 1), 0);
    assert_int_equal(fault_armed, 1);
    assert_int_equal(fault("write"), 0);
    assert_int_equal(fault("accep"), 0);
    assert_int_equal(fault("accept4"), 0);
    assert_int_equal(fault("accept"), -EMFILE);
    assert_int_equal(fault_armed, 0);
    assert_int_equal(fault("accept"), 0);
}

static void after_some(void **state) {
    (void)state;
    fault_arm("write", -EPIPE, 2, 3);
    assert_int_equal(fault("write"), 0);
    assert_int_equal(fault("write"), 0);
    assert_int_equal(fault("write"), -EPIPE);
    assert_int_equal(fault("write"), -EPIPE);
    assert_int_equal(fault("write"), -EPIPE);
    assert_int_equal(fault("write"), 0);
    assert_int_equal(fault_armed, 0);
}

static void several(void **state) {
    (void)state;
    fault_arm("read", -EAGAIN, 0, 1);
    fault_arm("write", -EPIPE, 1, 1);
    fault_arm("read", -ECONNRESET, 1, 1); /* acts once the first is spent */
    assert_int_equal(fault("read"), -EAGAIN);
    assert_int_equal(fault("write"), 0);
    assert_int_equal(fault("read"), 0);
    assert_int_equal(fault("write"), -EPIPE);
    assert_int_equal(fault("read"), -ECONNRESET);
    assert_int_equal(fault("read"), 0);
    assert_int_equal(fault_armed, 0);
}

static void name_is_borrowed(void **state) {
    char name[] = "open";
    (void)state;
    fault_arm(name, -ENOENT, 0, 1);
    memset(name, 'x', sizeof(name) - 1);
    assert_int_equal(fault("xxxx"), 0);
    assert_int_equal(fault("open"), -ENOENT);
}

static void never(void **state) {
    (void)state;
    assert_int_equal(fault_arm("read", -EAGAIN, 0, 0), -1);
    assert_int_equal(fault_arm("read", -EAGAIN, 0, -1), -1);
    assert_int_equal(fault_armed, 0);
}

static void at_most_sixteen(void **state) {
    char name[16];
    (void)state;
    for (int i = 0; i < MOST; i++) {
        snprintf(name, sizeof(name), "p%d", i);
        assert_int_equal(fault_arm(name, -1 - i, 0, 1), 0);
    }
    assert_int_equal(fault_arm("more", -EIO, 0, 1), -1);
    assert_int_equal(fault("more"), 0);
    assert_int_equal(fault("p3"), -4); /* from the middle: the others stay */
    assert_int_equal(fault_arm("more", -EIO, 0, 1), 0);
    assert_int_equal(fault("more"), -EIO);
    for (int i = MOST - 1; i >= 0; i--) {
        snprintf(name, sizeof(name), "p%d", i);
        assert_int_equal(fault(name), i == 3 ? 0 : -1 - i);
    }
    assert_int_equal(fault_armed, 0);
}

static void reset_all(void **state) {
    (void)state;
    fault_arm("read", -EAGAIN, 0, 100);
    fault_arm("write", -EPIPE, 0, 100);
    assert_int_equal(fault("read"), -EAGAIN);
    fault_reset();
    assert_int_equal(fault_armed, 0);
    assert_int_equal(fault("read"), 0);
    assert_int_equal(fault("write"), 0);
}

static atomic_int failures;

static void *pass_often(void *arg) {
    (void)arg;
    for (int i = 0; i < 1000; i++)
        if (fault("shared") == -EIO)
            atomic_fetch_add(&failures, 1);
    return NULL;
}

/* Of all passes by all threads, exactly as many fail as were asked for. */
static void many_threads(void **state) {
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    (void)state;
    atomic_store(&failures, 0);
    fault_arm("shared", -EIO, 100, 1500);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass_often, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&failures), 1500);
    assert_int_equal(fault_armed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(unarmed, reset),
        cmocka_unit_test_teardown(once, reset),
        cmocka_unit_test_teardown(after_some, reset),
        cmocka_unit_test_teardown(several, reset),
        cmocka_unit_test_teardown(name_is_borrowed, reset),
        cmocka_unit_test_teardown(never, reset),
        cmocka_unit_test_teardown(at_most_sixteen, reset),
        cmocka_unit_test_teardown(reset_all, reset),
        cmocka_unit_test_teardown(many_threads, reset),
    };
    return cmocka_run_group_tests_name("base_fault", tests, NULL, NULL);
}

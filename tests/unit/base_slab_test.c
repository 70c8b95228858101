/* Slabs: what they count, and for how long. */
#include "base/slab.h"

#include <pthread.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static atomic_uint_fast64_t total;

static void it_counts_until_the_last_has_let_go(void **state) {
    (void)state;
    struct slab *slab = slab_new(100, &total);
    assert_int_equal(total, sizeof *slab + 100);
    assert_int_equal(slab->len, 0);
    assert_int_equal(slab->cap, 100);
    memset(slab->data, 'x', 100);
    assert_ptr_equal(slab_ref(slab), slab);
    struct slab *empty = slab_new(0, &total);
    assert_int_equal(total, 2 * sizeof *slab + 100);
    slab_unref(slab);
    assert_int_equal(total, 2 * sizeof *slab + 100);
    assert_int_equal(slab->data[99], 'x');
    slab_unref(slab);
    assert_int_equal(total, sizeof *slab);
    slab_unref(empty);
    assert_int_equal(total, 0);
    slab_unref(NULL);
}

enum { THREADS = 4, ROUNDS = 20000 };

static void *take_and_give(void *arg) {
    struct slab *slab = arg;
    for (int i = 0; i < ROUNDS; i++) {
        slab_ref(slab);
        slab_unref(slab);
    }
    slab_unref(slab);
    return NULL;
}

/* The last one to let go, whoever it is, frees it. */
static void any_thread_may_let_go(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    struct slab *slab = slab_new(10, &total);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, slab_ref(slab)), 0);
    slab_unref(slab);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(total, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_counts_until_the_last_has_let_go),
        cmocka_unit_test(any_thread_may_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

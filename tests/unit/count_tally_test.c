/* What http/tally promises: never more of a key than its limit, and nothing left of who has gone.
 */
#include "count/tally.h"

#include "table.h"

static struct tally tally = TALLY_INIT;

static void a_key_has_at_most_its_limit(void **state) {
    (void)state;
    struct tallied *first = tally_join(&tally, STR("a"), 2);
    struct tallied *second = tally_join(&tally, STR("a"), 2);
    assert_non_null(first);
    assert_ptr_equal(first, second);
    assert_null(tally_join(&tally, STR("a"), 2));
    struct tallied *other = tally_join(&tally, STR("b"), 2);
    assert_non_null(other);
    tally_leave(&tally, first);
    assert_null(tally_join(&tally, STR("a"), 1)); /* a limit that was lowered */
    first = tally_join(&tally, STR("a"), 2);
    assert_non_null(first);
    assert_null(tally_join(&tally, STR("a"), 2));
    tally_leave(&tally, first);
    tally_leave(&tally, second);
    assert_int_equal(tally.keys.count, 1);
    tally_leave(&tally, other);
    assert_int_equal(tally.keys.count, 0);
}

static void keys_are_bytes(void **state) {
    (void)state;
    struct tallied *empty = tally_join(&tally, STR(""), 1), *nul = tally_join(&tally, STR("\0"), 1);
    assert_non_null(empty);
    assert_non_null(nul);
    assert_null(tally_join(&tally, STR(""), 1));
    tally_leave(&tally, empty);
    tally_leave(&tally, nul);
    assert_int_equal(tally.keys.count, 0);
}

enum { THREADS = 4, ROUNDS = 20000, LIMIT = 3 };
static int inside; /* atomic */
static int beyond;

static void *come_and_go(void *arg) {
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct tallied *tallied = tally_join(&tally, STR("key"), LIMIT);
        if (tallied == NULL)
            continue;
        if (__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST) > LIMIT)
            __atomic_add_fetch(&beyond, 1, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        tally_leave(&tally, tallied);
    }
    return NULL;
}

static void threads_share_it(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(beyond, 0);
    assert_int_equal(inside, 0);
    assert_int_equal(tally.keys.count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_at_most_its_limit),
        cmocka_unit_test(keys_are_bytes),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

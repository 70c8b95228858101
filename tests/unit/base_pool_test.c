/* base_pool_test: blocks come back by size, only so many are kept, and all are given back. */
#include "base/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void test_blocks_are_usable(void **state) {
    (void)state;
    struct pool pool = {0};
    for (size_t n = 1; n <= POOL_STEP * POOL_CLASSES + 100; n += 37) {
        unsigned char *block = pool_alloc(&pool, n);
        memset(block, 0xa5, n);
        pool_free(&pool, block, n);
        block = pool_zalloc(&pool, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(block[i], 0);
        pool_free(&pool, block, n);
    }
    pool_free(&pool, NULL, 10);
    pool_fini(&pool);
}

static void test_keeps_so_many(void **state) {
    (void)state;
    struct pool pool = {0};
    void *blocks[POOL_KEPT_MAX + 10];
    for (int i = 0; i < POOL_KEPT_MAX + 10; i++)
        blocks[i] = pool_alloc(&pool, 100);
    for (int i = 0; i < POOL_KEPT_MAX + 10; i++)
        pool_free(&pool, blocks[i], 100);
    unsigned kept = 0;
    for (int i = 0; i < POOL_CLASSES; i++)
        kept += pool.classes[i].count;
    assert_true(kept <= POOL_KEPT_MAX);
    pool_fini(&pool);
    for (int i = 0; i < POOL_CLASSES; i++)
        assert_null(pool.classes[i].free);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_usable),
        cmocka_unit_test(test_keeps_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

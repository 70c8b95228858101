/* base_pool_test: blocks of every size are whole, distinct and aligned, are handed out again, and
 * keep their bytes when they are resized. */
#include "base/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define LARGEST (POOL_STEP * POOL_CLASSES)

static void test_blocks_are_whole_and_distinct(void **state) {
    (void)state;
    struct pool pool = {0};
    static unsigned char *blocks[LARGEST + 100];
    for (size_t n = 1; n < LARGEST + 100; n++) {
        blocks[n] = pool_alloc(&pool, n);
        assert_int_equal((uintptr_t)blocks[n] % 16, 0);
        memset(blocks[n], (int)(n % 251), n);
    }
    for (size_t n = 1; n < LARGEST + 100; n++) {
        for (size_t i = 0; i < n; i++)
            assert_int_equal(blocks[n][i], n % 251);
        pool_free(&pool, blocks[n], n);
    }
    pool_fini(&pool);
}

static void test_zalloc_zeroes_what_was_used(void **state) {
    (void)state;
    struct pool pool = {0};
    for (int round = 0; round < 2; round++) {
        unsigned char *block = pool_zalloc(&pool, 100);
        for (size_t i = 0; i < 100; i++)
            assert_int_equal(block[i], 0);
        memset(block, 0xff, 100);
        pool_free(&pool, block, 100);
    }
    pool_free(&pool, NULL, 10);
    pool_fini(&pool);
}

/* There blocks are malloc's, and here what a sanitizer keeps beside them counts too. */
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define MEASURABLE
#endif

#ifdef MEASURABLE
/* Resident bytes of this process. */
static size_t resident(void) {
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_int_equal(fscanf(file, "%*u %zu", &pages), 1);
    fclose(file);
    return pages * 4096;
}

static void test_memory_goes_when_its_blocks_do(void **state) {
    (void)state;
    enum { COUNT = 50000, SIZE = 200, BYTES = COUNT * SIZE };
    static void *blocks[COUNT];
    struct pool pool = {0};
    memset(blocks, 1, sizeof blocks);
    size_t before = resident();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++)
            memset(blocks[i] = pool_alloc(&pool, SIZE), i % 251, SIZE);
        size_t most = resident();
        assert_true(most - before > BYTES && most - before < BYTES * 5 / 4);
        for (int i = 0; i < COUNT; i += 2) /* every chunk keeps some */
            pool_free(&pool, blocks[i], SIZE);
        pool_trim(&pool);
        for (int i = 0; i < COUNT; i += 2) /* and has room */
            memset(blocks[i] = pool_alloc(&pool, SIZE), i % 251, SIZE);
        assert_true(resident() - before < BYTES * 5 / 4);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(((unsigned char *)blocks[i])[SIZE - 1], i % 251);
            pool_free(&pool, blocks[i], SIZE);
        }
        pool_trim(&pool);
        assert_true(resident() - before < BYTES / 10);
    }
    pool_fini(&pool);
}
#endif

static void test_resize_keeps_the_bytes(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 16, 17, 500, LARGEST, LARGEST + 1, 5000, 40, 3};
    struct pool pool = {0};
    unsigned char *block = NULL;
    size_t size = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        block = pool_resize(&pool, block, size, sizes[i]);
        size_t kept = size < sizes[i] ? size : sizes[i];
        for (size_t k = 0; k < kept; k++)
            assert_int_equal(block[k], k % 251);
        size = sizes[i];
        for (size_t k = 0; k < size; k++)
            block[k] = (unsigned char)(k % 251);
    }
    pool_free(&pool, block, size);
    pool_fini(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_whole_and_distinct),
        cmocka_unit_test(test_zalloc_zeroes_what_was_used),
#ifdef MEASURABLE
        cmocka_unit_test(test_memory_goes_when_its_blocks_do),
#endif
        cmocka_unit_test(test_resize_keeps_the_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

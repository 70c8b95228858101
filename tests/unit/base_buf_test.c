/* base/buf: what is appended is there, growth doubles, an emptied buf holds no memory. */
#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include <cmocka.h>

/* Sanitizers would end the process themselves instead of letting realloc return NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void holds(const struct buf *b, const char *expected) {
    assert_int_equal(b->len, strlen(expected));
    assert_memory_equal(b->data, expected, b->len);
}

static void holds_nothing(const struct buf *b) {
    assert_null(b->data);
    assert_int_equal(b->len, 0);
    assert_int_equal(b->cap, 0);
}

static void append(void **state) {
    struct buf b = {0};
    (void)state;
    buf_append(&b, "abc", 2);
    buf_add(&b, STR("c\0d"));
    buf_add_char(&b, 'e');
    assert_int_equal(b.len, 6);
    assert_memory_equal(b.data, "abc\0de", 6);
    assert_true(str_eq(buf_str(&b), STR("abc\0de")));
    buf_fini(&b);
    holds_nothing(&b);
    buf_fini(&b); /* harmless */
    buf_add(&b, STR("again"));
    holds(&b, "again");
    buf_fini(&b);
}

static void append_nothing(void **state) {
    struct buf b = {0};
    (void)state;
    buf_append(&b, NULL, 0);
    buf_add(&b, (struct str){NULL, 0});
    buf_add(&b, STR(""));
    holds_nothing(&b);
    assert_int_equal(buf_str(&b).len, 0);
}

/* Byte by byte: each new block has at least twice the room, so there are few. */
static void growth_doubles(void **state) {
    enum { COUNT = 100000 };
    struct buf b = {0};
    int growths = 0;
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        size_t before = b.cap;
        buf_add_char(&b, (char)('a' + i % 26));
        if (b.cap != before) {
            assert_true(b.cap >= 2 * before);
            growths++;
        }
    }
    assert_int_equal(b.len, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
    assert_in_range(growths, 1, 17); /* log2(100000) < 17 */
    assert_true(b.cap <= 2 * (size_t)COUNT);
    buf_fini(&b);
}

static void reserve(void **state) {
    struct buf b = {0};
    (void)state;
    char *at = buf_reserve(&b, 1000);
    assert_ptr_equal(at, b.data);
    assert_true(b.cap >= 1000);
    assert_int_equal(b.len, 0);
    memset(at, 'x', 1000);
    b.len = 1000;

    at = buf_reserve(&b, b.cap - b.len); /* what there is already */
    assert_ptr_equal(at, b.data + 1000);
    size_t cap = b.cap;
    buf_reserve(&b, cap - b.len + 1); /* one more */
    assert_true(b.cap >= 2 * cap);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(b.data[i], 'x');
    buf_fini(&b);

    assert_non_null(buf_reserve(&b, 0));
    buf_fini(&b);
}

static sigjmp_buf aborted;

static void on_abort(int number) {
    (void)number;
    siglongjmp(aborted, 1);
}

/* A length that does not fit in a size_t aborts; it must not wrap round to a small one. */
static void reserve_too_much(void **state) {
    static struct buf b;        /* these survive the jump */
    static volatile int aborts; /* and are looked at after it */
    (void)state;
    buf_add(&b, STR("abc"));
    int saved = dup(STDERR_FILENO);
    int null = open("/dev/null", O_WRONLY); /* the message is base_mem_test's */
    dup2(null, STDERR_FILENO);
    close(null);
    void (*old)(int) = signal(SIGABRT, on_abort);
    if (sigsetjmp(aborted, 1) == 0)
        buf_reserve(&b, SIZE_MAX - 1);
    else
        aborts++;
    signal(SIGABRT, old);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_int_equal(aborts, 1);
    holds(&b, "abc");
    buf_fini(&b);
}

static void print(void **state) {
    struct buf b = {0};
    char large[1001];
    (void)state;
    memset(large, 'y', 1000);
    large[1000] = '\0';

    buf_printf(&b, "%d-%s;", 42, "x");
    holds(&b, "42-x;");
    buf_printf(&b, "%s", "");
    holds(&b, "42-x;");
    buf_printf(&b, "%s.", large); /* more than there is room for */
    assert_int_equal(b.len, 5 + 1001);
    assert_memory_equal(b.data, "42-x;", 5);
    assert_memory_equal(b.data + 5, large, 1000);
    assert_int_equal(b.data[1005], '.');
    buf_fini(&b);

    /* where the text fits exactly, but not with its NUL */
    for (size_t left = 1; left <= 4; left++) {
        buf_reserve(&b, 64);
        memset(b.data, '-', b.cap);
        b.len = b.cap - left;
        size_t before = b.len;
        buf_printf(&b, "%s", "abc");
        assert_int_equal(b.len, before + 3);
        assert_memory_equal(b.data + before, "abc", 3);
        assert_int_equal(b.data[before - 1], '-');
        buf_fini(&b);
    }
}

/* A wide character that the C locale cannot write. */
static void print_the_unprintable(void **state) {
    struct buf b = {0};
    (void)state;
    buf_add(&b, STR("before"));
    buf_printf(&b, "x%lc", (wint_t)0x30A6);
    holds(&b, "before");
    buf_fini(&b);
}

static void drop(void **state) {
    struct buf b = {0};
    (void)state;
    buf_drop(&b, 0);
    holds_nothing(&b);
    buf_add(&b, STR("abcdef"));
    buf_drop(&b, 0);
    holds(&b, "abcdef");
    buf_drop(&b, 2);
    holds(&b, "cdef");
    buf_add_char(&b, 'g');
    buf_drop(&b, 4);
    holds(&b, "g");
    buf_drop(&b, 1);
    holds_nothing(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(append),
        cmocka_unit_test(append_nothing),
        cmocka_unit_test(growth_doubles),
        cmocka_unit_test(reserve),
        cmocka_unit_test(reserve_too_much),
        cmocka_unit_test(print),
        cmocka_unit_test(print_the_unprintable),
        cmocka_unit_test(drop),
    };
    return cmocka_run_group_tests_name("base_buf", tests, NULL, NULL);
}

/* base/mem: blocks, copies, and the abort. SIGABRT is caught and left by a jump, with standard
 * error turned into a pipe: what the dying process would have said is read from there. */
#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ASan would end the process itself instead of letting malloc return NULL; likewise TSan. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void blocks(void **state) {
    (void)state;
    char *p = mem_alloc(100);
    memset(p, 'x', 100);
    p = mem_resize(p, 1000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(p[i], 'x');
    memset(p, 'y', 1000);
    free(p);

    p = mem_resize(NULL, 10);
    memset(p, 'z', 10);
    free(p);

    p = mem_zalloc(1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    free(p);
}

static void nothing_asked_for(void **state) {
    (void)state;
    void *p = mem_alloc(0);
    assert_non_null(p);
    p = mem_resize(p, 0);
    assert_non_null(p);
    free(p);
    p = mem_zalloc(0);
    assert_non_null(p);
    free(p);
}

static void copies(void **state) {
    (void)state;
    char *p = mem_copy("a\0bc", 3);
    assert_memory_equal(p, "a\0b", 4); /* the NUL after them too */
    free(p);
    p = mem_copy(NULL, 0);
    assert_string_equal(p, "");
    free(p);
    p = mem_strdup("weir");
    assert_string_equal(p, "weir");
    free(p);
}

static sigjmp_buf aborted;

static void on_abort(int number) {
    (void)number;
    siglongjmp(aborted, 1);
}

static void *volatile held; /* so that no compiler drops an allocation */

static void too_much(int which) {
    volatile size_t size = SIZE_MAX / 2;
    if (which == 0)
        held = mem_alloc(size);
    else if (which == 1)
        held = mem_zalloc(size);
    else
        held = mem_resize(NULL, size);
}

static void out_of_memory(void **state) {
    static volatile int which; /* both survive the jump */
    static volatile int aborts;
    char said[16384]; /* sanitizers have something to say too */
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    void (*old)(int) = signal(SIGABRT, on_abort);
    for (which = 0; which < 3; which++) {
        if (sigsetjmp(aborted, 1) == 0)
            too_much(which);
        else
            aborts++;
    }
    signal(SIGABRT, old);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);

    assert_int_equal(aborts, 3);
    size_t len = 0;
    for (ssize_t n; len < sizeof(said) - 1; len += (size_t)n) {
        n = read(ends[0], said + len, sizeof(said) - 1 - len);
        if (n <= 0)
            break;
    }
    close(ends[0]);
    said[len] = '\0';
    int lines = 0;
    for (char *at = said; (at = strstr(at, "weir: out of memory (9223372036854775807 bytes asked "
                                           "for)\n")) != NULL;
         at++)
        lines++;
    assert_true(lines == 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks),
        cmocka_unit_test(nothing_asked_for),
        cmocka_unit_test(copies),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests_name("base_mem", tests, NULL, NULL);
}

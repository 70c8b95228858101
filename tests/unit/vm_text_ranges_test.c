/* vm/text_ranges: the program and its libraries are in, data and memory of its own are not, and
 * a signal tells where it came. */
#include "vm/text_ranges.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static struct text_ranges text;
static volatile sig_atomic_t in_text;

static int set_up(void **state) {
    (void)state;
    text_ranges_collect(&text);
    return 0;
}

static void contains(void **state) {
    (void)state;
    int here;
    assert_true(text_ranges_contain(&text, (uintptr_t)text_ranges_collect)); /* the program's */
    assert_true(text_ranges_contain(&text, (uintptr_t)_cmocka_run_group_tests));
    assert_false(text_ranges_contain(&text, (uintptr_t)&text));
    assert_false(text_ranges_contain(&text, (uintptr_t)&here));
    assert_false(text_ranges_contain(&text, 0));
    assert_false(text_ranges_contain(&text, UINTPTR_MAX));
}

static void ends(void **state) {
    (void)state;
    struct text_ranges one = {1, {{100, 200}}};
    assert_false(text_ranges_contain(&one, 99));
    assert_true(text_ranges_contain(&one, 100));
    assert_true(text_ranges_contain(&one, 199));
    assert_false(text_ranges_contain(&one, 200));
}

static void collects_anew(void **state) {
    (void)state;
    size_t count = text.count;
    text_ranges_collect(&text);
    assert_int_equal(text.count, count);
}

#if defined __x86_64__ || defined __aarch64__

static void on_signal(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)info;
    in_text = text_ranges_interrupted(&text, context);
}

static void raise_signal(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO}, before;
    sigaction(SIGUSR1, &action, &before);
    in_text = 2;
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
}

static void signal_in_library(void **state) {
    (void)state;
    raise_signal();
    assert_int_equal(in_text, 1);
}

#endif

#if defined __x86_64__

static bool left;

static void look_at_callers(void) {
    left = text_ranges_left(&text);
}

/* Code made just now: int3, ret. */
static void signal_in_made_code(void **state) {
    (void)state;
    static const unsigned char code[] = {0xcc, 0xc3};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO}, before;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    memcpy(page, code, sizeof code);
    assert_int_equal(mprotect(page, 4096, PROT_READ | PROT_EXEC), 0);
    sigaction(SIGTRAP, &action, &before);
    in_text = 2;
    ((void (*)(void))(uintptr_t)page)();
    sigaction(SIGTRAP, &before, NULL);
    munmap(page, 4096);
    assert_int_equal(in_text, 0);
}

/* Made code that calls: sub rsp,8; call rdi; add rsp,8; ret. */
static void callers(void **state) {
    (void)state;
    static const unsigned char code[] = {0x48, 0x83, 0xec, 8, 0xff, 0xd7,
                                         0x48, 0x83, 0xc4, 8, 0xc3};
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    memcpy(page, code, sizeof code);
    assert_int_equal(mprotect(page, 4096, PROT_READ | PROT_EXEC), 0);
    look_at_callers();
    assert_false(left);
    ((void (*)(void (*)(void)))(uintptr_t)page)(look_at_callers);
    assert_true(left);
    munmap(page, 4096);
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(contains, set_up),
        cmocka_unit_test_setup(ends, set_up),
        cmocka_unit_test_setup(collects_anew, set_up),
#if defined __x86_64__ || defined __aarch64__
        cmocka_unit_test_setup(signal_in_library, set_up),
#endif
#if defined __x86_64__
        cmocka_unit_test_setup(signal_in_made_code, set_up),
        cmocka_unit_test_setup(callers, set_up),
#endif
    };
    return cmocka_run_group_tests_name("vm_text_ranges", tests, NULL, NULL);
}

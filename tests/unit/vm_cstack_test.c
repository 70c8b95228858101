/* vm/cstack: its threads tell when the stack is nearly used up, in time to turn back, and give
 * back what was used. */
#include "vm/cstack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define FRAME 4096

/* How many frames fit until it is deep. */
static int descend(int levels) {
    volatile char frame[FRAME];
    memset((char *)frame, levels & 0xff, sizeof frame);
    int deepest = cstack_is_deep() ? levels : descend(levels + 1);
    return deepest + (frame[0] != (char)levels); /* the frame is in use until here */
}

/* Bytes of the pages below the caller that are in memory. */
static size_t resident(size_t bytes) {
    static unsigned char pages[64 << 10];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    uintptr_t start = ((uintptr_t)__builtin_frame_address(0) - bytes) & ~(page - 1);
    if (mincore((void *)start, bytes, pages) != 0)
        return SIZE_MAX;
    for (size_t i = 0; i < bytes / page; i++)
        count += pages[i] & 1;
    return count * page;
}

struct found {
    int levels;
    size_t used, kept;
};

static void *look(void *arg) {
    struct found *found = arg;
    found->levels = descend(0);
    found->used = resident(8 << 20);
    cstack_trim();
    found->kept = resident(8 << 20);
    return NULL;
}

static void tells_when_it_is_deep(void **state) {
    (void)state;
    pthread_t thread;
    struct found found = {0};
    assert_int_equal(cstack_start(&thread, look, &found), 0);
    pthread_join(thread, NULL);
    assert_in_range(found.levels, (4 << 20) / (2 * FRAME), (256 << 20) / FRAME);
    assert_in_range(found.used, 4 << 20, 8 << 20);
    assert_in_range(found.kept, 0, 1 << 20);
}

static void other_threads_are_never_deep(void **state) {
    (void)state;
    assert_false(cstack_is_deep());
    cstack_trim();
}

static int sum(int argc, char **argv) {
    return argc + (argv[0][0] - '0') + !cstack_is_deep();
}

static void calls(void **state) {
    (void)state;
    char text[] = "2", *argv[] = {text, NULL};
    assert_int_equal(cstack_call(sum, 1, argv), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_when_it_is_deep),
        cmocka_unit_test(other_threads_are_never_deep),
        cmocka_unit_test(calls),
    };
    return cmocka_run_group_tests_name("vm_cstack", tests, NULL, NULL);
}

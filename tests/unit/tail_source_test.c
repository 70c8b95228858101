/* A writer that goes on between the calls of who looks for the end of a hole. */
#include "tail/source.h"

#include "file_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HOLE (1024 * 1024)
#define INSIDE (64 * 1024)

static const char *appended; /* once, right after the next look for data */

/* In place of the C library's. */
off_t lseek(int fd, off_t offset, int whence) {
    long at = syscall(SYS_lseek, fd, offset, whence);
    int reason = errno;

    if (whence == SEEK_DATA && appended) {
        int writer = open("log", O_WRONLY | O_APPEND);
        assert_true(writer >= 0);
        assert_int_equal(write(writer, appended, strlen(appended)), strlen(appended));
        close(writer);
        appended = NULL;
    }
    errno = reason;
    return at;
}

static struct source *with_hole(void) {
    struct source *source;
    file_rig_put("log", "a line\n");
    assert_int_equal(truncate("log", HOLE), 0);
    assert_int_equal(source_open(AT_FDCWD, "log", true, &source), 0);
    return source;
}

static void test_appended_meanwhile(void **state) {
    (void)state;
    struct source *source = with_hole();
    appended = "behind it\n";
    uint64_t behind = source_skip_hole(source, INSIDE);
    assert_null(appended);
    assert_in_range(behind, INSIDE, HOLE); /* a file system need not know of holes */
    source_unref(source);
}

static void test_nothing_to_skip(void **state) {
    (void)state;
    struct source *source = with_hole();
    assert_int_equal(source_skip_hole(source, HOLE), HOLE);
    assert_int_equal(source_skip_hole(source, HOLE + 1), HOLE + 1); /* truncated meanwhile */
    source_unref(source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_appended_meanwhile, file_rig_setup, file_rig_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_to_skip, file_rig_setup, file_rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

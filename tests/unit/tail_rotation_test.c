/* Following one file across rotation and truncation, with the clock frozen: no timer fires but by
 * rig_advance, so the graces for late writers are seen to the millisecond. */
#include "tail_rig.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- rotation ---------------------------------------------------------------------------------*/

static void test_rename_and_create(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\npart");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "c\n");
    rig_append(rig, "log.1", "ial\nheld");
    rig_expect(rig, "partial");
    rig_settle(rig);
    rig_append(rig, "log.1", " back\nlate\nhalf"); /* within the grace for late writers */
    rig_advance(rig, 100);
    rig_expect(rig, "held back|late");
    rig_expect_none(rig);
    rig_advance(rig, 99); /* it has grown: the grace begins anew */
    rig_expect_none(rig);
    rig_advance(rig, 1);
    rig_expect(rig, "half|c");
    rig_append(rig, "log", "d\n");
    rig_expect(rig, "d");
}

static void test_the_old_file_is_read_while_the_new_one_is_empty(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "");
    rig_expect_none(rig);
    for (int i = 0; i < 30; i++)
        rig_advance(rig, 250);
    rig_append(rig, "log.1", "after 7.5 s\npart");
    rig_advance(rig, 250);
    rig_expect(rig, "after 7.5 s");
    for (int i = 0; i < 39; i++)
        rig_advance(rig, 250);
    rig_expect_none(rig);
    rig_advance(rig, 250);
    rig_expect(rig, "part");
    rig_append(rig, "log", "b\n");
    rig_expect(rig, "b");
}

static void test_the_grace_begins_when_the_new_file_has_bytes(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "");
    for (int i = 0; i < 20; i++)
        rig_advance(rig, 250);
    rig_append(rig, "log", "b\n");
    rig_settle(rig);
    rig_append(rig, "log.1", "late\n");
    rig_advance(rig, 100);
    rig_expect(rig, "late");
    rig_advance(rig, 100);
    rig_expect(rig, "b");
}

static void test_an_old_file_that_never_rests_is_left(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "new\n");
    rig_settle(rig);
    for (int i = 0; i < 200; i++) {
        rig_append(rig, "log.1", "late\n");
        rig_advance(rig, 50);
    }
    for (int i = 0; i < 200; i++)
        rig_expect(rig, "late");
    rig_expect(rig, "new");
}

static void test_rotated_twice_at_once(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_append(rig, "log", "b\n");
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "c\n");
    rig_settle(rig);
    rig_rename(rig, "log", "log.2");
    rig_append(rig, "log", "d\n");
    rig_expect(rig, "b|c"); /* nobody returns to the first file: no grace */
    rig_advance(rig, 100);
    rig_advance(rig, 100);
    rig_expect(rig, "d");
}

static void test_remove_and_create(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    int writer = open(rig->path, O_WRONLY | O_APPEND);
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    unlink(rig->path);
    rig_settle(rig);
    assert_int_equal(write(writer, "b\n", 2), 2);
    close(writer);
    rig_advance(rig, 250);
    rig_expect(rig, "b");
    rig_append(rig, "log", "c\nd\n");
    rig_settle(rig);
    rig_advance(rig, 100);
    rig_expect(rig, "c|d");
}

static void test_another_file_moved_into_place(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    rig_append(rig, "other", "b\nc\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_rename(rig, "other", "log");
    rig_settle(rig);
    rig_advance(rig, 100);
    rig_expect(rig, "b|c");
}

static void test_a_file_put_back_into_its_place_is_read_on(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_rename(rig, "log", "aside");
    rig_append(rig, "log", "");
    rig_expect_none(rig);
    rig_rename(rig, "aside", "log");
    rig_append(rig, "log", "b\n");
    rig_expect(rig, "b");
    rig_advance(rig, 20000);
    rig_append(rig, "log", "c\n");
    rig_expect(rig, "c");
}

static void test_the_folder_replaced(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    snprintf(rig->path, sizeof rig->path, "%s", rig_path(rig, "sub/log"));
    mkdir(rig_path(rig, "sub"), 0755);
    rig_append(rig, "sub/log", "a\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_rename(rig, "sub", "sub.1");
    mkdir(rig_path(rig, "sub"), 0755);
    rig_append(rig, "sub/log", "b\n");
    rig_settle(rig);
    rig_advance(rig, 100);
    rig_expect(rig, "b");
    rig_append(rig, "sub/log", "c\n"); /* heard of, so the new folder is watched */
    rig_expect(rig, "c");
}

/* ---- truncation -------------------------------------------------------------------------------*/

static void test_truncation(void **state) {
    static const struct {
        const char *before, *given;
        const char *after; /* NULL: looked at while it is empty, then "x" is added */
    } rows[] = {
        {"a\n", NULL, "x\n"},
        {"a line\n", NULL, "x\n"},
        {"a line\npart", "part", "x\n"},
        {"a line\npart", "part", NULL},
        {"same\n", NULL, "size\nx\n"},
        {"part", "part", "x\n and a line that makes the file longer than it was\n"},
        {"0123456789 0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n", NULL,
         "x\n and more bytes than the file had when it was truncated: "
         "so many that its size alone does not tell\n"},
    };
    struct rig *rig = *state;
    clock_freeze();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_append(rig, "log", rows[i].before);
        rig_follow(rig, 0, 100);
        rig_expect_none(rig);
        rig_truncate(rig, "log");
        if (rows[i].after == NULL) {
            rig_expect(rig, "part");
            rig_append(rig, "log", "x\n");
        } else {
            rig_append(rig, "log", rows[i].after);
            if (rows[i].given)
                rig_expect(rig, rows[i].given);
            if (rows[i].after[0] == 's')
                rig_expect(rig, "size");
        }
        rig_expect(rig, "x");
        follow_free(rig->follow);
        rig->follow = NULL;
        unlink(rig->path);
    }
}

static void test_truncated_and_regrown_to_the_same_size(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "first\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "first");
    rig_truncate(rig, "log");
    rig_append(rig, "log", "other\n");
    rig_expect(rig, "other");
    rig_expect_none(rig);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_rename_and_create),
        CASE(test_the_old_file_is_read_while_the_new_one_is_empty),
        CASE(test_the_grace_begins_when_the_new_file_has_bytes),
        CASE(test_an_old_file_that_never_rests_is_left),
        CASE(test_rotated_twice_at_once),
        CASE(test_remove_and_create),
        CASE(test_another_file_moved_into_place),
        CASE(test_a_file_put_back_into_its_place_is_read_on),
        CASE(test_the_folder_replaced),
        CASE(test_truncation),
        CASE(test_truncated_and_regrown_to_the_same_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

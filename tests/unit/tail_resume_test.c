/* Coming back to a line by its id: after a rotation or several, to copies and what gzip packed, and
 * what is told when something is missing. The clock is frozen. */
#include "tail_rig.h"

#include "base/clock.h"
#include "base/fault.h"
#include "tail/place.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- coming back ------------------------------------------------------------------------------*/

static void test_behind_each_line_comes_the_next(void **state) {
    struct rig *rig = *state;
    char ids[6][FOLLOW_ID_MAX + 1];
    static const char *const rest[] = {"b|cc|dd|e|f", "cc|dd|e|f", "dd|e|f", "e|f", "f"};
    clock_freeze();
    rig_append(rig, "log", "a\nb\r\nccdd\ne\nf\n");
    rig_follow(rig, 1000, 2);
    for (int i = 0; i < 6; i++) {
        rig_next(rig);
        strcpy(ids[i], rig_id(rig));
    }
    for (int i = 0; i < 5; i++) {
        rig_leave(rig);
        rig_resume(rig, ids[i], 0, 2);
        rig_expect(rig, rest[i]);
        rig_assert_no_gap(rig);
        rig_expect_none(rig);
    }
}

static void test_what_was_written_meanwhile_comes(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = rig_read_to(rig, "a\nb\nhalf", "b");
    rig_append(rig, "log", " a line\nc\n");
    rig_come_back(rig, id);
    rig_expect(rig, "half a line|c");
    rig_append(rig, "log", "d\n");
    rig_expect(rig, "d");
    rig_assert_no_gap(rig);
}

static void test_renamed(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = rig_read_to(rig, "a\nb\n", "a");
    rig_append(rig, "log", "c\n");
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "d\n");
    rig_age(rig, "log.1", 60);
    rig_come_back(rig, id);
    rig_expect(rig, "b|c|d");
    rig_append(rig, "log", "e\n");
    rig_expect(rig, "e");
    rig_assert_no_gap(rig);
}

/* A line that has all the bytes by which a file is told from others. */
static const char *long_line(void) {
    static char line[PLACE_HEAD + 1];
    memset(line, 'a', PLACE_HEAD);
    return line;
}

static void test_renamed_to_any_name(void **state) {
    struct rig *rig = *state;
    char text[PLACE_HEAD + 16];
    clock_freeze();
    snprintf(text, sizeof text, "%s\nb", long_line());
    rig_append(rig, "log", text);
    rig_follow(rig, 1000, PLACE_HEAD);
    rig_expect(rig, long_line());
    const char *id = rig_id(rig);
    rig_leave(rig);
    rig_rename(rig, "log", "yesterday");
    rig_append(rig, "log", "c\n");
    rig_age(rig, "yesterday", 60);
    rig_come_back(rig, id);
    rig_expect(rig, "b|c");
}

/* Places in a file that is none of the log's, made up of what is easily known of it. */
static void test_an_invented_id_opens_no_other_file(void **state) {
    static const char zeros[2 * PLACE_HEAD];
    static const struct {
        const char *name, *head;
        size_t len, known;
    } others[] = {
        {"secret", "key\n", 4, 0},    {"secret", "key\n", 4, 1},
        {"secret", "key\n", 4, 4},    {"records", zeros, sizeof zeros, PLACE_HEAD},
        {"a-log", "key\n", 4, 4},     {"log.secret", "key\n", 4, 0},
        {"log-admin", "key\n", 4, 4},
    };
    struct rig *rig = *state;
    struct stat st;
    char id[PLACE_TEXT_MAX + 1];
    clock_freeze();
    rig_append(rig, "log", "a\n");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        unlink(rig_path(rig, others[i].name));
        rig_append_bytes(rig, others[i].name, others[i].head, others[i].len);
        assert_int_equal(stat(rig_path(rig, others[i].name), &st), 0);
        struct place place = {.ino = st.st_ino,
                              .head_len = (uint32_t)others[i].known,
                              .hash = place_hash(others[i].head, others[i].known)};
        id[place_write(id, &place)] = '\0';
        rig_resume(rig, id, 1, 100);
        rig_expect(rig, "a");
        rig_assert_gap(rig, -1);
        rig_expect_none(rig);
        rig_leave(rig);
    }
}

static void test_while_there_is_no_new_file(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = rig_read_to(rig, "a\nb\n", "a");
    rig_rename(rig, "log", "log.1");
    rig_age(rig, "log.1", 60);
    rig_come_back(rig, id);
    rig_expect(rig, "b");
    rig_expect_none(rig);
    rig_append(rig, "log", "c\n");
    rig_expect(rig, "c");
    rig_assert_no_gap(rig);
}

static void test_a_renamed_file_that_still_grows_is_waited_for(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = rig_read_to(rig, "a\nb\n", "a");
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "");
    rig_come_back(rig, id);
    rig_expect(rig, "b");
    rig_expect_none(rig);
    rig_append(rig, "log.1", "late\n");
    rig_advance(rig, 250);
    rig_expect(rig, "late");
    rig_append(rig, "log", "c\n");
    rig_expect_none(rig);
    rig_append(rig, "log.1", "later\n");
    rig_advance(rig, 100);
    rig_expect(rig, "later");
    rig_expect_none(rig);
    rig_advance(rig, 99);
    rig_expect_none(rig);
    rig_advance(rig, 1);
    rig_expect(rig, "c");
}

static void test_rotated_three_times(void **state) {
    static const char *const schemes[][3] = {
        {"log.3", "log.2", "log.1"},
        {"log-20260101", "log-20260102", "log-20260103"},
        {"log.2026-01-01T00:00:00Z", "log.2026-01-02T00:00:00Z", "log.old"},
    };
    struct rig *rig = *state;
    clock_freeze();
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        const char *id = rig_read_to(rig, "a\nb\n", "a");
        rig_rename(rig, "log", schemes[i][0]);
        rig_append(rig, schemes[i][1], "c\npart");
        rig_append(rig, schemes[i][2], "d\n");
        rig_append(rig, "log", "e\n");
        rig_append(rig, "log.not", "no\n"); /* what has only a similar name */
        rig_append(rig, "logger.1", "no\n");
        for (int k = 0; k < 3; k++)
            rig_age(rig, schemes[i][k], 60 - k);
        rig_come_back(rig, id);
        rig_expect(rig, "b|c|part|d|e");
        rig_expect_none(rig);
        rig_assert_no_gap(rig);
        rig_leave(rig);
        for (int k = 0; k < 3; k++)
            unlink(rig_path(rig, schemes[i][k]));
        unlink(rig->path);
    }
}

static void test_the_number_may_stand_before_the_extension(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    snprintf(rig->path, sizeof rig->path, "%s", rig_path(rig, "app.log"));
    rig_append(rig, "app.log", "a\nb\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    const char *id = rig_id(rig);
    rig_leave(rig);
    rig_rename(rig, "app.log", "app-2026-01-01.log");
    rig_append(rig, "app-2026-01-02.log", "c\n");
    rig_append(rig, "app-error.log", "no\n");
    rig_append(rig, "app.log", "d\n");
    rig_age(rig, "app-2026-01-01.log", 69);
    rig_age(rig, "app-2026-01-02.log", 68);
    rig_come_back(rig, id);
    rig_expect(rig, "b|c|d");
    rig_expect_none(rig);
}

static void test_copied_and_truncated(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = rig_read_to(rig, "a\nb\n", "a");
    rig_copytruncate(rig, "log.1");
    rig_come_back(rig, id);
    rig_expect(rig, "b");
    rig_append(rig, "log", "c\n");
    rig_expect(rig, "c");
    rig_leave(rig);
    rig_copy(rig, "log", "log.0"); /* it will be truncated, but is not yet: nothing comes twice */
    rig_come_back(rig, id);
    rig_expect(rig, "b|c");
    rig_expect_none(rig);
    rig_assert_no_gap(rig);
}

static void test_packed(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = rig_read_to(rig, "a\nb\n", "a");
    rig_copytruncate(rig, "log.3");
    rig_pack(rig, "log.3");
    rig_append(rig, "log.2", "c\n");
    rig_pack(rig, "log.2");
    rig_append(rig, "log.1", "d\n");
    rig_append(rig, "log", "e\n");
    rig_age(rig, "log.3.gz", 69);
    rig_age(rig, "log.2.gz", 68);
    rig_age(rig, "log.1", 67);
    rig_come_back(rig, id);
    rig_expect(rig, "b|c");
    id = rig_id(rig); /* of a line in a packed file */
    rig_expect(rig, "d|e");
    rig_expect_none(rig);
    rig_come_back(rig, id);
    rig_expect(rig, "d|e");
    rig_assert_no_gap(rig);
}

static void test_a_file_that_is_being_packed_comes_once(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = rig_read_to(rig, "a\nb\n", "a");
    rig_rename(rig, "log", "log.2");
    rig_append(rig, "log.1", "c\n");
    rig_copy(rig, "log.1", "log.9");
    rig_pack(rig, "log.9");
    rig_rename(rig, "log.9.gz", "log.1.gz");
    rig_append(rig, "log", "d\n");
    rig_age(rig, "log.2", 69);
    rig_age(rig, "log.1", 68);
    rig_age(rig, "log.1.gz", 68);
    rig_come_back(rig, id);
    rig_expect(rig, "b|c|d");
    rig_expect_none(rig);
}

static void test_far_into_a_packed_file(void **state) {
    struct rig *rig = *state;
    char text[64];
    clock_freeze();
    int fd = open(rig->path, O_WRONLY | O_CREAT, 0644);
    for (int i = 0; i < 400000; i++) {
        int n = snprintf(text, sizeof text, "a line of some length: %d\n", i);
        assert_int_equal(write(fd, text, (size_t)n), n);
    }
    close(fd);
    rig_follow(rig, 1, 100);
    rig_expect(rig, "a line of some length: 399999");
    rig_leave(rig);
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a line of some length: 399990");
    const char *id = rig_id(rig);
    rig_leave(rig);
    rig_rename(rig, "log", "log.1");
    rig_pack(rig, "log.1");
    rig_append(rig, "log", "new\n");
    rig_come_back(rig, id);
    for (int i = 399991; i < 400000; i++)
        assert_int_equal(atoi(rig_next(rig).ptr + 23), i);
    rig_expect(rig, "new");
    rig_assert_no_gap(rig);
}

/* One of the names is gone when its file is to be opened. */
static void test_a_folder_that_changes_is_read_again(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = rig_read_to(rig, "a\nb\n", "a");
    rig_rename(rig, "log", "log.2");
    rig_append(rig, "log.1", "c\n");
    rig_append(rig, "log", "d\n");
    rig_age(rig, "log.2", 69);
    rig_age(rig, "log.1", 68);
    rig_follow(rig, 0, 100); /* has the log open */
    rig_settle(rig);
    rig->other = rig->follow;
    for (int at = 0; at < 3; at++) {
        fault_arm("tail_open", -ENOENT, at, 1);
        rig_resume(rig, id, 0, 100);
        rig_expect(rig, "b|c|d");
        rig_expect_none(rig);
        rig_assert_no_gap(rig);
        rig_leave(rig);
    }
}

/* A head that all files of the log have, longer than what tells others apart. */
static void test_packed_logs_that_begin_alike(void **state) {
    struct rig *rig = *state;
    char text[PLACE_HEAD + 16];
    static const char *const names[] = {"log.2", "log.1", "log"};
    clock_freeze();
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "%s\n%c\n", long_line(), 'a' + i);
        rig_append(rig, names[i], text);
    }
    rig_age(rig, "log.2", 69);
    rig_age(rig, "log.1", 68);
    struct stat st;
    assert_int_equal(stat(rig_path(rig, "log.2"), &st), 0);
    struct place place = {.ino = st.st_ino,
                          .head_len = PLACE_HEAD,
                          .hash = place_hash(long_line(), PLACE_HEAD),
                          .offset = PLACE_HEAD + 1};
    text[place_write(text, &place)] = '\0';
    rig_pack(rig, "log.1");
    rig_resume(rig, text, 0, PLACE_HEAD);
    rig_expect(rig, "a");
    rig_expect(rig, long_line());
    rig_expect(rig, "b");
    rig_expect(rig, long_line());
    rig_expect(rig, "c");
    rig_expect_none(rig);
    rig_assert_no_gap(rig);
}

/* ---- what is missing --------------------------------------------------------------------------*/

static void test_what_is_not_there_any_more_is_told(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = rig_read_to(rig, "a\nb\n", "a");
    unlink(rig->path);
    rig_append(rig, "log", "c\nd\n");
    rig_resume(rig, id, 1, 100);
    rig_expect(rig, "d");
    rig_assert_gap(rig, -1);
    rig_append(rig, "log", "e\n");
    rig_expect(rig, "e");
    rig_assert_no_gap(rig);
}

static void test_truncated_without_a_copy_is_told(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = rig_read_to(rig, "a\nb\n", "b");
    rig_truncate(rig, "log");
    rig_append(rig, "log", "c and more\n");
    rig_resume(rig, id, 10, 100);
    rig_expect(rig, "c and more");
    rig_assert_gap(rig, -1);
}

static void test_what_is_no_id_is_told(void **state) {
    static const char *const texts[] = {
        "",
        "1-7",
        "a.1.00000000000000ff",
        "a.1.00000000000000ff.",
        "a.101.00000000000000ff.2",
        "a.1.00000000000000ff.2.",
        "A.1.00000000000000ff.2",
        "a.1.00000000000000ff.ffffffffffffffff",
        "a.1.00000000000000ff.00000000000000002",
        "a.1.00000000000000ff.2 and so on, and so on, and so on, and so on",
    };
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\nb\n");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        rig_resume(rig, texts[i], 1, 100);
        rig_expect(rig, "b");
        rig_assert_gap(rig, -1);
        rig_leave(rig);
    }
}

/* ---- holes ------------------------------------------------------------------------------------*/

static void test_a_hole_of_a_hundred_gigabytes(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "before\n");
    rig_follow(rig, 10, 4096);
    rig_expect(rig, "before");
    const char *id = rig_id(rig);
    if (truncate(rig->path, 100ll << 30) != 0)
        skip(); /* the file system has no room for it */
    rig_append(rig, "log", "behind\n");
    struct str line = rig_next(rig);
    assert_memory_equal(line.ptr + line.len - 6, "behind", 6);
    rig_leave(rig);
    rig_resume(rig, id, 0, 4096);
    line = rig_next(rig);
    assert_memory_equal(line.ptr + line.len - 6, "behind", 6);
    rig_assert_no_gap(rig);
    rig_leave(rig);
    rig_follow(rig, 10, 4096); /* of the last 16 MiB no line begins in them but the last */
    rig_append(rig, "log", "!\n");
    rig_expect(rig, "!");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_behind_each_line_comes_the_next),
        CASE(test_what_was_written_meanwhile_comes),
        CASE(test_renamed),
        CASE(test_renamed_to_any_name),
        CASE(test_an_invented_id_opens_no_other_file),
        CASE(test_while_there_is_no_new_file),
        CASE(test_a_renamed_file_that_still_grows_is_waited_for),
        CASE(test_rotated_three_times),
        CASE(test_the_number_may_stand_before_the_extension),
        CASE(test_copied_and_truncated),
        CASE(test_packed),
        CASE(test_a_file_that_is_being_packed_comes_once),
        CASE(test_far_into_a_packed_file),
        CASE(test_a_folder_that_changes_is_read_again),
        CASE(test_packed_logs_that_begin_alike),
        CASE(test_what_is_not_there_any_more_is_told),
        CASE(test_truncated_without_a_copy_is_told),
        CASE(test_what_is_no_id_is_told),
        CASE(test_a_hole_of_a_hundred_gigabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

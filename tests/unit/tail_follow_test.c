/* Following one file: where it starts, what it waits for, errors, limits, its life.
 *
 * Most cases freeze the clock, so that no timer fires but by rig_advance: what arrives without it
 * arrived because inotify told. */
#include "tail_rig.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- where it starts --------------------------------------------------------------------------*/

static void test_the_last_lines_come_first(void **state) {
    static const struct {
        const char *content;
        uint32_t lines;
        const char *want; /* each line ended by '|', "!\n" having been appended */
    } rows[] = {
        {"", 10, "!|"},
        {"a\nb\nc\n", 10, "a|b|c|!|"},
        {"a\nb\nc\n", 3, "a|b|c|!|"},
        {"a\nb\nc\n", 2, "b|c|!|"},
        {"a\nb\nc\n", 0, "!|"},
        {"a\n\n\n", 2, "||!|"},
        {"a\r\nb\r\n", 1, "b|!|"},
        {"a\nb\npart", 1, "b|part!|"},
        {"a\nb\npart", 0, "part!|"},
        {"part", 10, "part!|"},
        {"part", 0, "part!|"},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[64] = "";
        rig_append(rig, "log", rows[i].content);
        rig_follow(rig, rows[i].lines, 100);
        rig_settle(rig);
        rig_append(rig, "log", "!\n");
        for (bool last = false; !last;) {
            struct str line = rig_next(rig);
            last = line.len > 0 && line.ptr[line.len - 1] == '!';
            strncat(got, line.ptr, line.len);
            strcat(got, "|");
        }
        assert_string_equal(got, rows[i].want);
        follow_free(rig->follow);
        rig->follow = NULL;
        unlink(rig->path);
    }
}

static void test_the_last_lines_may_span_many_blocks(void **state) {
    struct rig *rig = *state;
    struct buf text = {0};
    clock_freeze();
    for (int i = 0; i < 20000; i++)
        buf_printf(&text, "%d %.*s\n", i, i % 97,
                   "................................................"
                   "................................................");
    rig_append_bytes(rig, "log", text.data, text.len);
    buf_fini(&text);
    rig_follow(rig, 13000, 1000);
    for (int i = 7000; i < 20000; i++) {
        struct str line = rig_next(rig);
        assert_int_equal(atoi(line.ptr), i);
    }
    rig_expect_none(rig);
}

static void test_the_search_for_the_last_lines_is_bounded(void **state) {
    struct rig *rig = *state;
    rig_append(rig, "log", "far away\n");
    assert_int_equal(truncate(rig->path, 17 << 20), 0);
    rig_append(rig, "log", "\nnear\nnearer\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "near|nearer");
}

static void test_a_line_longer_than_the_search_is_met_in_its_middle(void **state) {
    struct rig *rig = *state;
    rig_append(rig, "log", "far away\n");
    assert_int_equal(truncate(rig->path, 17 << 20), 0);
    rig_follow(rig, 10, 100);
    rig_settle(rig);
    rig_append(rig, "log", "its end\nnext\n");
    rig_expect(rig, "its end|next");
}

static void test_a_file_that_is_not_there_is_waited_for(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_follow(rig, 1, 100);
    rig_expect_none(rig);
    rig_append(rig, "log", "a\nb\nc\n"); /* all are new, however many are asked for */
    rig_expect(rig, "a|b|c");
    assert_int_equal(rig->warned, 0);
}

static void test_a_folder_that_is_not_there_is_waited_for(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    snprintf(rig->path, sizeof rig->path, "%s", rig_path(rig, "sub/log"));
    rig_append(rig, "sub", "not a folder yet");
    rig_follow(rig, 1, 100);
    rig_expect_none(rig);
    assert_int_equal(unlink(rig_path(rig, "sub")), 0);
    assert_int_equal(mkdir(rig_path(rig, "sub"), 0755), 0);
    rig_append(rig, "sub/log", "a\nb\n");
    rig_advance(rig, 250);
    rig_expect(rig, "a|b");
    rig_append(rig, "sub/log", "c\n"); /* the folder is watched by now */
    rig_expect(rig, "c");
    assert_int_equal(rig->warned, 0);
}

/* ---- new lines --------------------------------------------------------------------------------*/

static void test_lines_arrive_when_they_are_whole(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "old\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "old");
    rig_append(rig, "log", "ab");
    rig_expect_none(rig);
    rig_append(rig, "log", "c\r");
    rig_expect_none(rig);
    rig_append(rig, "log", "\nd");
    rig_expect(rig, "abc");
    rig_expect_none(rig);
    rig_append(rig, "log", "\n");
    rig_expect(rig, "d");
}

static void test_long_lines_come_in_pieces(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_follow(rig, 10, 4);
    rig_append(rig, "log", "abcdefghij");
    rig_expect(rig, "abcd|efgh");
    rig_expect_none(rig);
    rig_append(rig, "log", "kl\r\nshort\n");
    rig_expect(rig, "ijkl|shor|t");
    rig_expect_none(rig);
}

static void test_bytes_are_passed_as_they_are(void **state) {
    struct rig *rig = *state;
    rig_append_bytes(rig, "log", "\xff\0\x80\n", 4);
    rig_follow(rig, 10, 100);
    struct str line = rig_next(rig);
    assert_int_equal(line.len, 3);
    assert_memory_equal(line.ptr, "\xff\0\x80", 3);
}

static void test_ready_is_told_after_a_false_and_once(void **state) {
    struct rig *rig = *state;
    struct str line;
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100);
    rig_settle(rig);
    assert_int_equal(rig->ready, 0);
    assert_true(follow_next(rig->follow, &line));
    assert_false(follow_next(rig->follow, &line));
    rig_settle(rig);
    assert_int_equal(rig->ready, 0);
    rig_append(rig, "log", "b\n");
    rig_settle(rig);
    assert_int_equal(rig->ready, 1);
    rig_append(rig, "log", "c\n");
    rig_settle(rig);
    assert_int_equal(rig->ready, 1);
    rig_expect(rig, "b|c");
}

static void test_each_viewer_gets_every_line(void **state) {
    struct rig *rig = *state;
    struct follow *first[10];
    for (int i = 0; i < 10; i++) {
        rig_follow(rig, 10, 100);
        first[i] = rig->follow;
    }
    rig_append(rig, "log", "a\nb\n");
    for (int i = 0; i < 10; i++) {
        rig->follow = first[i];
        rig_expect(rig, "a|b");
        follow_free(rig->follow);
    }
    rig->follow = NULL;
}

/* ---- what cannot be read ----------------------------------------------------------------------*/

static void test_a_folder_is_reported_once_and_its_replacement_read(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    mkdir(rig->path, 0755);
    rig_follow(rig, 10, 100);
    for (int i = 0; i < 3; i++)
        rig_advance(rig, 1000);
    assert_int_equal(rig->warned, 1);
    assert_non_null(strstr(rig->warning, rig->path));
    assert_non_null(strstr(rig->warning, "directory"));
    rmdir(rig->path);
    rig_append(rig, "log", "a\n");
    rig_expect(rig, "a");
    rig_rename(rig, "log", "log.1"); /* and while another file is being read */
    mkdir(rig->path, 0755);
    for (int i = 0; i < 3; i++)
        rig_advance(rig, 1000);
    assert_int_equal(rig->warned, 2);
    rig_append(rig, "log.1", "b\n");
    rig_advance(rig, 250);
    rig_expect(rig, "b");
}

static void test_a_pipe_is_not_opened(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    assert_int_equal(mkfifo(rig->path, 0644), 0);
    rig_follow(rig, 10, 100);
    rig_settle(rig);
    assert_int_equal(rig->warned, 1);
    assert_non_null(strstr(rig->warning, "not a regular file"));
}

static void test_a_file_that_cannot_be_opened_is_tried_again(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    fault_arm("tail_open", -EACCES, 0, 3);
    rig_append(rig, "log", "a\nb\n");
    rig_follow(rig, 1, 100);
    rig_expect_none(rig);
    chmod(rig->path, 0600); /* a change of mode is heard of */
    rig_expect_none(rig);
    rig_advance(rig, 1000);
    assert_int_equal(rig->warned, 1);
    assert_non_null(strstr(rig->warning, "ermission"));
    rig_advance(rig, 1000);
    rig_expect(rig, "b"); /* it was there at first: its last lines are asked for */
}

static void test_a_new_file_that_cannot_be_opened_is_tried_again(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 1, 100);
    rig_expect(rig, "a");
    fault_arm("tail_open", -EMFILE, 0, 3);
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "b\n");
    for (int i = 0; i < 6; i++)
        rig_advance(rig, 250);
    rig_expect(rig, "b");
    assert_int_equal(rig->warned, 1);
}

static void test_an_error_of_the_disk_is_passed_over(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\nb\nc\n");
    fault_arm("tail_read", -EIO, 0, 1); /* while searching for the last lines */
    rig_follow(rig, 2, 100);
    rig_expect_none(rig);
    rig_advance(rig, 1000);
    rig_expect(rig, "b|c");
    fault_arm("tail_read", -EIO, 0, 2);
    rig_append(rig, "log", "d\n");
    rig_expect_none(rig);
    rig_advance(rig, 1000);
    rig_expect_none(rig);
    rig_advance(rig, 1000);
    rig_expect(rig, "d");
    assert_int_equal(rig->warned, 2);
}

static void test_a_file_that_cannot_be_read_any_more_is_left_for_the_new_one(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\npart");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_settle(rig);
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "b\n");
    fault_arm("tail_read", -ESTALE, 0, 2);
    rig_settle(rig);
    rig_advance(rig, 100);
    rig_expect(rig, "part|b");
}

/* ---- being moved on ---------------------------------------------------------------------------*/

static void test_skipping_keeps_the_last_lines(void **state) {
    static const struct {
        size_t keep;
        int64_t lost;
        const char *kept; /* NULL: none */
    } rows[] = {{0, 3, NULL}, {2, 3, NULL}, {3, 2, "cc"}, {5, 2, "cc"}, {6, 1, "bb|cc"}};
    struct rig *rig = *state;
    int64_t lost;
    clock_freeze();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_append(rig, "log", "first\n");
        rig_follow(rig, 10, 100);
        rig_expect(rig, "first");
        rig_append(rig, "log", "aaaa\nbb\ncc\nd");
        rig_settle(rig);
        assert_true(follow_skip(rig->follow, rows[i].keep, &lost));
        assert_int_equal(lost, rows[i].lost);
        if (rows[i].kept)
            rig_expect(rig, rows[i].kept);
        rig_expect_none(rig);
        rig_append(rig, "log", "d\n");
        rig_expect(rig, "dd");
        follow_free(rig->follow);
        rig->follow = NULL;
        unlink(rig->path);
        rig_settle(rig);
    }
}

/* All of a new file, if it is no more. */
static void test_skipping_keeps_a_short_file(void **state) {
    struct rig *rig = *state;
    int64_t lost;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_append(rig, "log", "b\n");
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "c\nd\n");
    rig_settle(rig);
    rig_advance(rig, 100);
    rig_advance(rig, 100);
    assert_true(follow_skip(rig->follow, 4, &lost));
    assert_int_equal(lost, 1);
    rig_expect(rig, "c|d");
    rig_expect_none(rig);
}

/* ---- without inotify --------------------------------------------------------------------------*/

static void test_without_inotify_it_looks_by_itself(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    fault_arm("watch_start", -ENOSPC, 0, 1000);
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_append(rig, "log", "b\n");
    rig_advance(rig, 249);
    rig_expect_none(rig);
    rig_advance(rig, 1);
    rig_expect(rig, "b");
    for (int i = 0; i < 5; i++)
        rig_advance(rig, 250);
    assert_int_equal(rig->warned, 1);
    fault_reset();
    rig_advance(rig, 250);
    rig_append(rig, "log", "c\n"); /* watched from now on */
    rig_expect(rig, "c");
    assert_int_equal(rig->warned, 1);
}

static void test_what_inotify_does_not_tell_is_found_within_a_second(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    mkdir(rig_path(rig, "sub"), 0755);
    assert_int_equal(link(rig->path, rig_path(rig, "sub/alias")), 0);
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_append(rig, "sub/alias", "b\n");
    rig_advance(rig, 999);
    rig_expect_none(rig);
    rig_advance(rig, 1);
    rig_expect(rig, "b");
}

static void test_a_symbolic_link_is_looked_behind(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    mkdir(rig_path(rig, "sub"), 0755);
    assert_int_equal(symlink("sub/one", rig->path), 0);
    rig_follow(rig, 10, 100);
    rig_expect_none(rig);
    rig_append(rig, "sub/one", "a\n");
    rig_advance(rig, 250);
    rig_expect(rig, "a");
    rig_append(rig, "sub/two", "b\n");
    assert_int_equal(symlink("sub/two", rig_path(rig, "link")), 0);
    rig_rename(rig, "link", "log");
    rig_settle(rig);
    rig_advance(rig, 100);
    rig_expect(rig, "b");
    rig_append(rig, "sub/two", "c\n");
    rig_advance(rig, 250);
    rig_expect(rig, "c");
    assert_int_equal(rig->warned, 0);
}

/* ---- limits and life --------------------------------------------------------------------------*/

/* Of a truncated file the window has the newest MiB; what was before that is counted. */
static void test_what_a_slow_viewer_loses_is_told(void **state) {
    struct rig *rig = *state;
    static char mib[1 << 20];
    struct str line;
    int64_t lost;
    clock_freeze();
    rig_append(rig, "log", "first\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "first");
    for (int i = 0; i < 3; i++) {
        for (size_t k = 0; k < sizeof mib; k += 64)
            snprintf(mib + k, 64, "%062zu", i * sizeof mib / 64 + k / 64), mib[k + 63] = '\n';
        for (size_t k = 0; k < sizeof mib; k += 64)
            mib[k + 62] = '.';
        rig_append_bytes(rig, "log", mib, sizeof mib);
    }
    rig_settle(rig);
    rig_truncate(rig, "log");
    rig_append(rig, "log", "new\n");
    rig_settle(rig);
    int64_t expected = 0;
    bool told = false;
    for (line = rig_next(rig); line.len == 63; line = rig_next(rig)) {
        if (follow_gap(rig->follow, &lost)) {
            assert_false(told);
            told = true;
            expected += lost;
        }
        assert_int_equal(strtoll(line.ptr, NULL, 10), expected);
        expected++;
    }
    assert_true(told);
    assert_int_equal(expected, 3 * sizeof mib / 64);
    assert_true(str_eq(line, STR("new")));
    assert_false(follow_gap(rig->follow, &lost));
}

static void test_all_comes_through_a_slow_viewer(void **state) {
    struct rig *rig = *state;
    struct buf text = {0};
    clock_freeze();
    for (int i = 0; i < 100000; i++)
        buf_printf(&text, "line %d\n", i);
    rig_append_bytes(rig, "log", text.data, text.len);
    buf_fini(&text);
    rig_follow(rig, FOLLOW_LINES_MAX, 65536);
    for (int i = 0; i < 100000; i++) {
        struct str line = rig_next(rig);
        if (i % 5000 == 0)
            rig_settle(rig);
        assert_int_equal(atoi(line.ptr + 5), i);
    }
    rig_expect_none(rig);
}

static void test_a_line_longer_than_what_is_read_ahead(void **state) {
    struct rig *rig = *state;
    static char line_of[(1 << 20) + 10];
    memset(line_of, 'x', sizeof line_of);
    line_of[sizeof line_of - 1] = '\n';
    rig_append(rig, "log", "short\n");
    rig_append_bytes(rig, "log", line_of, sizeof line_of);
    rig_follow(rig, 10, FOLLOW_LINE_BYTES_MAX);
    rig_expect(rig, "short");
    assert_int_equal(rig_next(rig).len, FOLLOW_LINE_BYTES_MAX);
    rig_expect(rig, "xxxxxxxxx");
}

static void nothing(struct follow *follow, void *arg) {
    (void)follow, (void)arg;
}

static void test_options_have_limits(void **state) {
    struct rig *rig = *state;
    static const struct follow_options bad[] = {
        {.lines = FOLLOW_LINES_MAX + 1, .max_line = 100},
        {.lines = 10},
        {.lines = 10, .max_line = FOLLOW_LINE_BYTES_MAX + 1}};
    struct follow *follow;
    struct follow_options good = FOLLOW_DEFAULTS;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(follow_new(&rig->loop, rig->path, &bad[i], nothing, NULL, &follow),
                         UV_EINVAL);
    assert_int_equal(follow_new(&rig->loop, "", &good, nothing, NULL, &follow), UV_EINVAL);
    assert_int_equal(follow_new(&rig->loop, "/", &good, nothing, NULL, &follow), 0);
    follow_free(follow);
    assert_int_equal(follow_new(&rig->loop, "no-such-log", &good, nothing, NULL, &follow), 0);
    rig_settle(rig);
    follow_free(follow);
}

static void test_free_during_a_look(void **state) {
    struct rig *rig = *state;
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100); /* the first look is under way */
    follow_free(rig->follow);
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_append(rig, "log", "b\n");
    while (rig->loop.uv.active_reqs.count == 0)
        uv_run(&rig->loop.uv, UV_RUN_NOWAIT);
    follow_free(rig->follow);
    rig->follow = NULL; /* the teardown counts handles, AddressSanitizer the memory */
}

static void free_it(struct follow *follow, void *arg) {
    struct rig *rig = arg;
    struct str line;
    assert_true(follow_next(follow, &line));
    follow_free(follow);
    rig->follow = NULL;
}

static void test_free_when_told_to_be_ready(void **state) {
    struct rig *rig = *state;
    struct follow_options options = FOLLOW_DEFAULTS;
    struct str line;
    assert_int_equal(follow_new(&rig->loop, rig->path, &options, free_it, rig, &rig->follow), 0);
    assert_false(follow_next(rig->follow, &line));
    rig_append(rig, "log", "a\nb\n");
    while (rig->follow)
        rig_turn(rig);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_the_last_lines_come_first),
        CASE(test_the_last_lines_may_span_many_blocks),
        CASE(test_the_search_for_the_last_lines_is_bounded),
        CASE(test_a_line_longer_than_the_search_is_met_in_its_middle),
        CASE(test_a_file_that_is_not_there_is_waited_for),
        CASE(test_a_folder_that_is_not_there_is_waited_for),
        CASE(test_lines_arrive_when_they_are_whole),
        CASE(test_long_lines_come_in_pieces),
        CASE(test_bytes_are_passed_as_they_are),
        CASE(test_ready_is_told_after_a_false_and_once),
        CASE(test_each_viewer_gets_every_line),
        CASE(test_a_folder_is_reported_once_and_its_replacement_read),
        CASE(test_skipping_keeps_the_last_lines),
        CASE(test_skipping_keeps_a_short_file),
        CASE(test_a_pipe_is_not_opened),
        CASE(test_a_file_that_cannot_be_opened_is_tried_again),
        CASE(test_a_new_file_that_cannot_be_opened_is_tried_again),
        CASE(test_an_error_of_the_disk_is_passed_over),
        CASE(test_a_file_that_cannot_be_read_any_more_is_left_for_the_new_one),
        CASE(test_without_inotify_it_looks_by_itself),
        CASE(test_what_inotify_does_not_tell_is_found_within_a_second),
        CASE(test_a_symbolic_link_is_looked_behind),
        CASE(test_what_a_slow_viewer_loses_is_told),
        CASE(test_all_comes_through_a_slow_viewer),
        CASE(test_a_line_longer_than_what_is_read_ahead),
        CASE(test_options_have_limits),
        CASE(test_free_during_a_look),
        CASE(test_free_when_told_to_be_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

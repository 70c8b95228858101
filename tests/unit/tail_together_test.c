/* One file and those who are at it: what happens while it is followed, by one or by another, and
 * that they share its reading. The clock is frozen. */
#include "tail_rig.h"

#include "base/clock.h"
#include "tail/follow_own.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- while it is followed ---------------------------------------------------------------------*/

static void test_the_rest_is_read_from_the_copy(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    for (int packed = 0; packed < 2; packed++) {
        rig_append(rig, "log", packed ? "1\n" : "a\n");
        rig_follow(rig, 10, 100);
        rig_next(rig);
        rig_settle(rig);
        rig_append(rig, "log", "b\nc\n"); /* not noticed: no turn */
        rig_copytruncate(rig, "log.1");
        if (packed)
            rig_pack(rig, "log.1");
        rig_append(rig, "log", "d\n");
        rig_expect(rig, "b|c|d");
        rig_expect_none(rig);
        const char *id = rig_id(rig);
        rig_append(rig, "log", "e\n");
        rig_expect(rig, "e");
        rig_come_back(rig, id);
        rig_expect(rig, "e");
        rig_assert_no_gap(rig);
        rig_leave(rig);
        unlink(rig->path);
        unlink(rig_path(rig, "log.1"));
    }
}

/* Many of them, each at its own place in it and on a thread of the pool of its own. */
static void test_a_packed_copy_has_many_readers(void **state) {
    enum { READERS = 12, LINES = 400000, BYTES = 16 };
    struct rig *rig = *state;
    struct follow *readers[READERS];
    char *text = malloc((size_t)LINES * BYTES + 1);
    clock_freeze();
    for (int i = 0; i < LINES; i++)
        sprintf(text + (size_t)i * BYTES, "%015d\n", i);
    rig_append(rig, "log", "first\n");
    for (int i = 0; i < READERS; i++) {
        rig_follow(rig, 10, 100);
        readers[i] = rig->follow;
        rig_expect(rig, "first");
    }
    rig_append_bytes(rig, "log", text, (size_t)LINES * BYTES);
    rig_copytruncate(rig, "log.1");
    rig_pack(rig, "log.1");
    rig_append(rig, "log", "last\n");
    rig_settle(rig);
    int next[READERS] = {0};
    for (int left = READERS * LINES; left > 0; rig_turn(rig))
        for (int i = 0; i < READERS; i++)
            for (struct str line; next[i] < LINES && follow_next(readers[i], &line); left--)
                if (strtol(line.ptr, NULL, 10) != next[i]++)
                    fail_msg("reader %d: not line %d", i, next[i] - 1);
    for (int i = 0; i < READERS; i++) {
        rig->follow = readers[i];
        rig_expect(rig, "last");
        rig_assert_no_gap(rig);
        follow_free(readers[i]);
    }
    rig->follow = NULL;
    free(text);
}

static void test_twice_copied_and_truncated_at_once(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_settle(rig);
    rig_append(rig, "log", "b\n");
    rig_copytruncate(rig, "log.2");
    rig_append(rig, "log", "c\n");
    rig_copytruncate(rig, "log.1");
    rig_append(rig, "log", "d\n");
    rig_expect(rig, "b|c|d");
    rig_expect_none(rig);
}

static void test_renamed_three_times_at_once(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "a\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    rig_settle(rig);
    rig_append(rig, "log", "b\n");
    rig_rename(rig, "log", "log.3");
    rig_append(rig, "log.2", "c\n");
    rig_append(rig, "log.1", "d\n");
    rig_append(rig, "log", "e\n");
    rig_settle(rig);
    rig_advance(rig, 100);
    rig_expect(rig, "b|c|d|e");
    rig_expect_none(rig);
}

static void test_a_link_that_is_switched(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log.2", "a\nb\n");
    assert_int_equal(symlink("log.2", rig->path), 0);
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    const char *id = rig_id(rig);
    rig_leave(rig);
    rig_append(rig, "log.1", "c\n");
    rig_append(rig, "log.0", "d\n");
    rig_age(rig, "log.2", 69);
    rig_age(rig, "log.1", 68);
    assert_int_equal(symlink("log.0", rig_path(rig, "new")), 0);
    rig_rename(rig, "new", "log");
    rig_come_back(rig, id);
    rig_expect(rig, "b|c|d");
    rig_expect_none(rig);
    rig_assert_no_gap(rig);
}

/* ---- while another one follows it ---------------------------------------------------------------*/

/* Another one has read all of a log that was rotated once: the id of "a" in it. */
static const char *begin_another(struct rig *rig) {
    rig_append(rig, "log", "a\nb\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    const char *id = rig_id(rig);
    rig_expect(rig, "b");
    rig_copytruncate(rig, "log.2");
    rig_age(rig, "log.2", 60);
    rig_append(rig, "log", "c\nd\n");
    rig_expect(rig, "c|d");
    rig_settle(rig);
    rig->other = rig->follow;
    rig->follow = NULL;
    return id;
}

static void end_another(struct rig *rig) {
    rig_leave(rig);
    follow_free(rig->other);
    rig->other = NULL;
    unlink(rig->path);
    unlink(rig_path(rig, "log.1"));
    unlink(rig_path(rig, "log.1.gz"));
    unlink(rig_path(rig, "log.2"));
    rig_settle(rig);
}

static void expect_once(struct rig *rig, const char *id, const char *lines) {
    rig_resume(rig, id, 0, 100);
    rig_expect(rig, lines);
    rig_expect_none(rig);
    rig_append(rig, "log", "e\n");
    rig_expect(rig, "e");
    rig_assert_no_gap(rig);
}

static void test_a_truncation_that_the_other_has_not_noticed(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    for (int packed = 0; packed < 2; packed++) {
        const char *id = begin_another(rig);
        rig_copytruncate(rig, "log.1"); /* no turn: nobody has heard of it */
        if (packed)
            rig_pack(rig, "log.1");
        expect_once(rig, id, "b|c|d");
        end_another(rig);
    }
}

/* Turns until what the other one reads is that file. */
static void turn_until_in(struct rig *rig, const char *name) {
    struct stat st;
    assert_int_equal(stat(rig_path(rig, name), &st), 0);
    while (rig->other->follower->newest->head.ino != st.st_ino)
        rig_turn(rig);
}

/* The copy has been packed, so the folder has another one than that which is read. */
static void test_the_copy_that_the_other_reads_comes_once(void **state) {
    struct rig *rig = *state;
    static const char *const rest[] = {"b|c|d", "d"};
    clock_freeze();
    for (int within = 0; within < 2; within++) {
        const char *id = begin_another(rig);
        if (within) { /* it begins behind a line of that copy */
            rig_resume(rig, id, 0, 100);
            rig_expect(rig, "b|c");
            id = rig_id(rig);
            rig_leave(rig);
        }
        rig_copytruncate(rig, "log.1");
        turn_until_in(rig, "log.1");
        rig_pack(rig, "log.1");
        expect_once(rig, id, rest[within]);
        end_another(rig);
    }
}

/* It reads what has been rotated twice, and packed, since it has looked. */
static void test_rotations_that_the_other_has_not_noticed(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = begin_another(rig);
    rig_rename(rig, "log.2", "log.4");
    rig_rename(rig, "log", "log.3");
    rig_age(rig, "log.3", 50);
    rig_pack(rig, "log.3");
    rig_append(rig, "log.1", "between\n");
    rig_age(rig, "log.1", 40);
    rig_pack(rig, "log.1");
    rig_append(rig, "log", "new\n");
    rig_resume(rig, id, 0, 100);
    rig_expect(rig, "b|c|d");
    rig_advance(rig, 100);
    rig_expect(rig, "between|new");
    rig_expect_none(rig);
    rig_assert_no_gap(rig);
    unlink(rig_path(rig, "log.3.gz"));
    unlink(rig_path(rig, "log.4"));
    end_another(rig);
}

/* ---- one reading ------------------------------------------------------------------------------*/

static void test_a_hundred_viewers_cost_one_reading(void **state) {
    struct rig *rig = *state;
    struct follow *viewers[100];
    uint64_t read = rig_counter("tail_read"), again = rig_counter("tail_reread");
    size_t written = 0;
    clock_freeze();
    rig_append(rig, "log", "line 0000\n");
    for (int i = 0; i < 100; i++) {
        rig_follow(rig, 10, 100);
        viewers[i] = rig->follow;
    }
    assert_int_equal(rig_counter("tail_files"), 1);
    for (int line = 0; line < 5000; line++) {
        char text[24];
        snprintf(text, sizeof text, "line %04d\n", line);
        if (line > 0)
            rig_append(rig, "log", text);
        written += strlen(text);
    }
    for (int i = 0; i < 100; i++) {
        rig->follow = viewers[i];
        for (int line = 0; line < 5000; line++)
            assert_int_equal(atoi(rig_next(rig).ptr + 5), line);
    }
    assert_int_equal(rig_counter("tail_read") - read, written);
    assert_int_equal(rig_counter("tail_reread") - again, 0);
    for (int i = 0; i < 100; i++)
        follow_free(viewers[i]);
    rig->follow = NULL;
}

static void test_who_is_behind_reads_by_itself(void **state) {
    struct rig *rig = *state;
    static char text[3 << 20];
    clock_freeze();
    for (size_t k = 0; k < sizeof text; k += 16)
        snprintf(text + k, 16, "%015u", (unsigned)(k / 16) % 1000000u), text[k + 15] = '\n';
    rig_append(rig, "log", "first\n");
    rig_follow(rig, 10, 100);
    rig_next(rig);
    rig_append_bytes(rig, "log", text, sizeof text);
    rig_settle(rig);
    for (size_t k = 0; k < sizeof text / 16; k++)
        assert_int_equal(strtol(rig_next(rig).ptr, NULL, 10), k);
    rig_assert_no_gap(rig);
}

/* The follower reads on while a reader has yet to take what it was told of. */
static void test_a_run_that_the_window_has_left(void **state) {
    struct rig *rig = *state;
    struct follow_run run;
    struct buf bytes = {0};
    clock_freeze();
    rig_append(rig, "log", "first\n");
    rig_follow(rig, 10, 4096);
    rig_expect(rig, "first");
    assert_int_equal(follow_run(rig->follow, &run), FOLLOW_WAITS);
    rig_append(rig, "log", "second\n");
    rig_settle(rig);
    assert_int_equal(follow_run(rig->follow, &run), FOLLOW_RUN);
    if (truncate(rig->path, 100ll << 30) != 0)
        skip(); /* the file system has no room for it */
    rig_append(rig, "log", "\nthird\n");
    rig_settle(rig);
    assert_false(follow_copy(rig->follow, &bytes, 65536));
    rig_expect(rig, "second");
    struct str line;
    do /* the hole, in pieces */
        line = rig_next(rig);
    while (line.len == 0 || line.ptr[0] == '\0');
    assert_true(str_eq(line, STR("third")));
    rig_assert_no_gap(rig);
    buf_fini(&bytes);
}

static void test_who_stands_still_holds_eight_files(void **state) {
    struct rig *rig = *state;
    static char text[200 * 1000];
    char name[16];
    int64_t expected = 1, lost, told = 0;
    clock_freeze();
    rig_append(rig, "log", "0000000\n");
    rig_follow(rig, 10, 100);
    rig_next(rig);
    for (int file = 0, line = 1; file < 14; file++) {
        for (size_t k = 0; k < sizeof text; k += 8)
            snprintf(text + k, 8, "%07d", line++), text[k + 7] = '\n';
        rig_append_bytes(rig, "log", text, sizeof text);
        rig_settle(rig);
        snprintf(name, sizeof name, "log.%d", file);
        rig_rename(rig, "log", name);
        unlink(rig_path(rig, name));
        rig_append(rig, "log", "");
        for (int i = 0; i < 41; i++) /* nobody writes to it any more */
            rig_advance(rig, 250);
    }
    rig_append(rig, "log", "end\n");
    rig_settle(rig);
    for (struct str line = rig_next(rig); line.len == 7; line = rig_next(rig)) {
        if (follow_gap(rig->follow, &lost))
            told += lost, expected += lost;
        assert_int_equal(atoi(line.ptr), expected);
        expected++;
    }
    assert_int_equal(expected, 14 * sizeof text / 8 + 1);
    assert_in_range(told, 1, 6 * sizeof text / 8);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_the_rest_is_read_from_the_copy),
        CASE(test_a_packed_copy_has_many_readers),
        CASE(test_twice_copied_and_truncated_at_once),
        CASE(test_renamed_three_times_at_once),
        CASE(test_a_link_that_is_switched),
        CASE(test_a_truncation_that_the_other_has_not_noticed),
        CASE(test_the_copy_that_the_other_reads_comes_once),
        CASE(test_rotations_that_the_other_has_not_noticed),
        CASE(test_a_hundred_viewers_cost_one_reading),
        CASE(test_who_is_behind_reads_by_itself),
        CASE(test_a_run_that_the_window_has_left),
        CASE(test_who_stands_still_holds_eight_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

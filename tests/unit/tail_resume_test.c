/* Coming back to a line by its id: after a rotation or several, to copies and what gzip packed, and
 * what is told when something is missing. The clock is frozen. */
#include "tail_rig.h"

#include "base/clock.h"
#include "base/fault.h"
#include "tail/follow_own.h"
#include "tail/place.h"

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
#include <zlib.h>

/* ---- the tools --------------------------------------------------------------------------------*/

/* Follows from behind the line with that id; lines = 0. */
static void resume(struct rig *rig, const char *id) {
    if (rig->follow)
        follow_free(rig->follow);
    rig->follow = NULL;
    rig_settle(rig);
    rig_resume(rig, id, 0, 100);
}

static void leave(struct rig *rig) {
    follow_free(rig->follow);
    rig->follow = NULL;
    rig_settle(rig);
}

/* The id of the line given last; valid until the next but three. */
static const char *id_of(struct rig *rig) {
    static char ids[4][FOLLOW_ID_MAX + 1];
    static unsigned at;
    char *id = ids[at++ % 4];
    id[follow_id(rig->follow, id)] = '\0';
    return id;
}

/* Follows a file of these lines from its start, to the line `last`: its id. */
static const char *read_to(struct rig *rig, const char *text, const char *last) {
    rig_append(rig, "log", text);
    rig_follow(rig, 1000, 100);
    for (;;) {
        struct str line = rig_next(rig);
        if (str_eq(line, str_of(last)))
            break;
    }
    const char *id = id_of(rig);
    leave(rig);
    return id;
}

static char *content(struct rig *rig, const char *name, size_t *n) {
    struct stat st;
    int fd = open(rig_path(rig, name), O_RDONLY);
    assert_int_equal(fstat(fd, &st), 0);
    char *bytes = malloc((size_t)st.st_size + 1);
    *n = (size_t)read(fd, bytes, (size_t)st.st_size);
    close(fd);
    return bytes;
}

/* As logrotate does: the copy, then the truncation. */
static void copy(struct rig *rig, const char *from, const char *to) {
    size_t n;
    char *bytes = content(rig, from, &n);
    rig_append_bytes(rig, to, bytes, n);
    free(bytes);
}

static void copytruncate(struct rig *rig, const char *to) {
    copy(rig, "log", to);
    rig_truncate(rig, "log");
}

/* As gzip does: the packed file has the times of the other, which goes. */
static void pack(struct rig *rig, const char *name) {
    char packed[128];
    size_t n;
    struct stat st;
    char *bytes = content(rig, name, &n);
    snprintf(packed, sizeof packed, "%s.gz", rig_path(rig, name));
    gzFile gz = gzopen(packed, "wb");
    assert_int_equal(gzwrite(gz, bytes, (unsigned)n), n);
    gzclose(gz);
    free(bytes);
    stat(rig_path(rig, name), &st);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, packed, times, 0), 0);
    unlink(rig_path(rig, name));
}

/* Files written at the same time cannot be told by it: each gets a second of its own. */
static void age(struct rig *rig, const char *name, int seconds) {
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - seconds}};
    assert_int_equal(utimensat(AT_FDCWD, rig_path(rig, name), times, 0), 0);
}

static void assert_no_gap(struct rig *rig) {
    int64_t lines;
    assert_false(follow_gap(rig->follow, &lines));
}

static void assert_gap(struct rig *rig, int64_t lines) {
    int64_t told;
    assert_true(follow_gap(rig->follow, &told));
    assert_int_equal(told, lines);
}

static uint64_t counter(const char *name) {
    const struct counter_row *row = tail_counter_rows;
    while (strcmp(row->name, name) != 0)
        row++;
    return row->read(row->at);
}

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
        strcpy(ids[i], id_of(rig));
    }
    for (int i = 0; i < 5; i++) {
        leave(rig);
        rig_resume(rig, ids[i], 0, 2);
        rig_expect(rig, rest[i]);
        assert_no_gap(rig);
        rig_expect_none(rig);
    }
}

static void test_what_was_written_meanwhile_comes(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = read_to(rig, "a\nb\nhalf", "b");
    rig_append(rig, "log", " a line\nc\n");
    resume(rig, id);
    rig_expect(rig, "half a line|c");
    rig_append(rig, "log", "d\n");
    rig_expect(rig, "d");
    assert_no_gap(rig);
}

static void test_renamed(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = read_to(rig, "a\nb\n", "a");
    rig_append(rig, "log", "c\n");
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "d\n");
    age(rig, "log.1", 60);
    resume(rig, id);
    rig_expect(rig, "b|c|d");
    rig_append(rig, "log", "e\n");
    rig_expect(rig, "e");
    assert_no_gap(rig);
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
    const char *id = id_of(rig);
    leave(rig);
    rig_rename(rig, "log", "yesterday");
    rig_append(rig, "log", "c\n");
    age(rig, "yesterday", 60);
    resume(rig, id);
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
        assert_gap(rig, -1);
        rig_expect_none(rig);
        leave(rig);
    }
}

static void test_while_there_is_no_new_file(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = read_to(rig, "a\nb\n", "a");
    rig_rename(rig, "log", "log.1");
    age(rig, "log.1", 60);
    resume(rig, id);
    rig_expect(rig, "b");
    rig_expect_none(rig);
    rig_append(rig, "log", "c\n");
    rig_expect(rig, "c");
    assert_no_gap(rig);
}

static void test_a_renamed_file_that_still_grows_is_waited_for(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = read_to(rig, "a\nb\n", "a");
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "");
    resume(rig, id);
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
        const char *id = read_to(rig, "a\nb\n", "a");
        rig_rename(rig, "log", schemes[i][0]);
        rig_append(rig, schemes[i][1], "c\npart");
        rig_append(rig, schemes[i][2], "d\n");
        rig_append(rig, "log", "e\n");
        rig_append(rig, "log.not", "no\n"); /* what has only a similar name */
        rig_append(rig, "logger.1", "no\n");
        for (int k = 0; k < 3; k++)
            age(rig, schemes[i][k], 60 - k);
        resume(rig, id);
        rig_expect(rig, "b|c|part|d|e");
        rig_expect_none(rig);
        assert_no_gap(rig);
        leave(rig);
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
    const char *id = id_of(rig);
    leave(rig);
    rig_rename(rig, "app.log", "app-2026-01-01.log");
    rig_append(rig, "app-2026-01-02.log", "c\n");
    rig_append(rig, "app-error.log", "no\n");
    rig_append(rig, "app.log", "d\n");
    age(rig, "app-2026-01-01.log", 69);
    age(rig, "app-2026-01-02.log", 68);
    resume(rig, id);
    rig_expect(rig, "b|c|d");
    rig_expect_none(rig);
}

static void test_copied_and_truncated(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = read_to(rig, "a\nb\n", "a");
    copytruncate(rig, "log.1");
    resume(rig, id);
    rig_expect(rig, "b");
    rig_append(rig, "log", "c\n");
    rig_expect(rig, "c");
    leave(rig);
    copy(rig, "log", "log.0"); /* it will be truncated, but is not yet: nothing comes twice */
    resume(rig, id);
    rig_expect(rig, "b|c");
    rig_expect_none(rig);
    assert_no_gap(rig);
}

static void test_packed(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = read_to(rig, "a\nb\n", "a");
    copytruncate(rig, "log.3");
    pack(rig, "log.3");
    rig_append(rig, "log.2", "c\n");
    pack(rig, "log.2");
    rig_append(rig, "log.1", "d\n");
    rig_append(rig, "log", "e\n");
    age(rig, "log.3.gz", 69);
    age(rig, "log.2.gz", 68);
    age(rig, "log.1", 67);
    resume(rig, id);
    rig_expect(rig, "b|c");
    id = id_of(rig); /* of a line in a packed file */
    rig_expect(rig, "d|e");
    rig_expect_none(rig);
    resume(rig, id);
    rig_expect(rig, "d|e");
    assert_no_gap(rig);
}

static void test_a_file_that_is_being_packed_comes_once(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = read_to(rig, "a\nb\n", "a");
    rig_rename(rig, "log", "log.2");
    rig_append(rig, "log.1", "c\n");
    copy(rig, "log.1", "log.9");
    pack(rig, "log.9");
    rig_rename(rig, "log.9.gz", "log.1.gz");
    rig_append(rig, "log", "d\n");
    age(rig, "log.2", 69);
    age(rig, "log.1", 68);
    age(rig, "log.1.gz", 68);
    resume(rig, id);
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
    leave(rig);
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a line of some length: 399990");
    const char *id = id_of(rig);
    leave(rig);
    rig_rename(rig, "log", "log.1");
    pack(rig, "log.1");
    rig_append(rig, "log", "new\n");
    resume(rig, id);
    for (int i = 399991; i < 400000; i++)
        assert_int_equal(atoi(rig_next(rig).ptr + 23), i);
    rig_expect(rig, "new");
    assert_no_gap(rig);
}

/* One of the names is gone when its file is to be opened. */
static void test_a_folder_that_changes_is_read_again(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = read_to(rig, "a\nb\n", "a");
    rig_rename(rig, "log", "log.2");
    rig_append(rig, "log.1", "c\n");
    rig_append(rig, "log", "d\n");
    age(rig, "log.2", 69);
    age(rig, "log.1", 68);
    rig_follow(rig, 0, 100); /* has the log open */
    rig_settle(rig);
    rig->other = rig->follow;
    for (int at = 0; at < 3; at++) {
        fault_arm("tail_open", -ENOENT, at, 1);
        rig_resume(rig, id, 0, 100);
        rig_expect(rig, "b|c|d");
        rig_expect_none(rig);
        assert_no_gap(rig);
        leave(rig);
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
    age(rig, "log.2", 69);
    age(rig, "log.1", 68);
    struct stat st;
    assert_int_equal(stat(rig_path(rig, "log.2"), &st), 0);
    struct place place = {.ino = st.st_ino,
                          .head_len = PLACE_HEAD,
                          .hash = place_hash(long_line(), PLACE_HEAD),
                          .offset = PLACE_HEAD + 1};
    text[place_write(text, &place)] = '\0';
    pack(rig, "log.1");
    rig_resume(rig, text, 0, PLACE_HEAD);
    rig_expect(rig, "a");
    rig_expect(rig, long_line());
    rig_expect(rig, "b");
    rig_expect(rig, long_line());
    rig_expect(rig, "c");
    rig_expect_none(rig);
    assert_no_gap(rig);
}

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
        copytruncate(rig, "log.1");
        if (packed)
            pack(rig, "log.1");
        rig_append(rig, "log", "d\n");
        rig_expect(rig, "b|c|d");
        rig_expect_none(rig);
        const char *id = id_of(rig);
        rig_append(rig, "log", "e\n");
        rig_expect(rig, "e");
        resume(rig, id);
        rig_expect(rig, "e");
        assert_no_gap(rig);
        leave(rig);
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
    copytruncate(rig, "log.1");
    pack(rig, "log.1");
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
        assert_no_gap(rig);
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
    copytruncate(rig, "log.2");
    rig_append(rig, "log", "c\n");
    copytruncate(rig, "log.1");
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
    const char *id = id_of(rig);
    leave(rig);
    rig_append(rig, "log.1", "c\n");
    rig_append(rig, "log.0", "d\n");
    age(rig, "log.2", 69);
    age(rig, "log.1", 68);
    assert_int_equal(symlink("log.0", rig_path(rig, "new")), 0);
    rig_rename(rig, "new", "log");
    resume(rig, id);
    rig_expect(rig, "b|c|d");
    rig_expect_none(rig);
    assert_no_gap(rig);
}

/* ---- while another one follows it ---------------------------------------------------------------*/

/* Another one has read all of a log that was rotated once: the id of "a" in it. */
static const char *begin_another(struct rig *rig) {
    rig_append(rig, "log", "a\nb\n");
    rig_follow(rig, 10, 100);
    rig_expect(rig, "a");
    const char *id = id_of(rig);
    rig_expect(rig, "b");
    copytruncate(rig, "log.2");
    age(rig, "log.2", 60);
    rig_append(rig, "log", "c\nd\n");
    rig_expect(rig, "c|d");
    rig_settle(rig);
    rig->other = rig->follow;
    rig->follow = NULL;
    return id;
}

static void end_another(struct rig *rig) {
    leave(rig);
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
    assert_no_gap(rig);
}

static void test_a_truncation_that_the_other_has_not_noticed(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    for (int packed = 0; packed < 2; packed++) {
        const char *id = begin_another(rig);
        copytruncate(rig, "log.1"); /* no turn: nobody has heard of it */
        if (packed)
            pack(rig, "log.1");
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
            id = id_of(rig);
            leave(rig);
        }
        copytruncate(rig, "log.1");
        turn_until_in(rig, "log.1");
        pack(rig, "log.1");
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
    age(rig, "log.3", 50);
    pack(rig, "log.3");
    rig_append(rig, "log.1", "between\n");
    age(rig, "log.1", 40);
    pack(rig, "log.1");
    rig_append(rig, "log", "new\n");
    rig_resume(rig, id, 0, 100);
    rig_expect(rig, "b|c|d");
    rig_advance(rig, 100);
    rig_expect(rig, "between|new");
    rig_expect_none(rig);
    assert_no_gap(rig);
    unlink(rig_path(rig, "log.3.gz"));
    unlink(rig_path(rig, "log.4"));
    end_another(rig);
}

/* ---- what is missing --------------------------------------------------------------------------*/

static void test_what_is_not_there_any_more_is_told(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = read_to(rig, "a\nb\n", "a");
    unlink(rig->path);
    rig_append(rig, "log", "c\nd\n");
    rig_resume(rig, id, 1, 100);
    rig_expect(rig, "d");
    assert_gap(rig, -1);
    rig_append(rig, "log", "e\n");
    rig_expect(rig, "e");
    assert_no_gap(rig);
}

static void test_truncated_without_a_copy_is_told(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    const char *id = read_to(rig, "a\nb\n", "b");
    rig_truncate(rig, "log");
    rig_append(rig, "log", "c and more\n");
    rig_resume(rig, id, 10, 100);
    rig_expect(rig, "c and more");
    assert_gap(rig, -1);
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
        assert_gap(rig, -1);
        leave(rig);
    }
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

/* ---- one reading ------------------------------------------------------------------------------*/

static void test_a_hundred_viewers_cost_one_reading(void **state) {
    struct rig *rig = *state;
    struct follow *viewers[100];
    uint64_t read = counter("tail_read"), again = counter("tail_reread");
    size_t written = 0;
    clock_freeze();
    rig_append(rig, "log", "line 0000\n");
    for (int i = 0; i < 100; i++) {
        rig_follow(rig, 10, 100);
        viewers[i] = rig->follow;
    }
    assert_int_equal(counter("tail_files"), 1);
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
    assert_int_equal(counter("tail_read") - read, written);
    assert_int_equal(counter("tail_reread") - again, 0);
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
    assert_no_gap(rig);
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
    assert_no_gap(rig);
    buf_fini(&bytes);
}

/* ---- holes ------------------------------------------------------------------------------------*/

static void test_a_hole_of_a_hundred_gigabytes(void **state) {
    struct rig *rig = *state;
    clock_freeze();
    rig_append(rig, "log", "before\n");
    rig_follow(rig, 10, 4096);
    rig_expect(rig, "before");
    const char *id = id_of(rig);
    if (truncate(rig->path, 100ll << 30) != 0)
        skip(); /* the file system has no room for it */
    rig_append(rig, "log", "behind\n");
    struct str line = rig_next(rig);
    assert_memory_equal(line.ptr + line.len - 6, "behind", 6);
    leave(rig);
    rig_resume(rig, id, 0, 4096);
    line = rig_next(rig);
    assert_memory_equal(line.ptr + line.len - 6, "behind", 6);
    assert_no_gap(rig);
    leave(rig);
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
        CASE(test_the_rest_is_read_from_the_copy),
        CASE(test_a_packed_copy_has_many_readers),
        CASE(test_twice_copied_and_truncated_at_once),
        CASE(test_renamed_three_times_at_once),
        CASE(test_a_link_that_is_switched),
        CASE(test_a_truncation_that_the_other_has_not_noticed),
        CASE(test_the_copy_that_the_other_reads_comes_once),
        CASE(test_rotations_that_the_other_has_not_noticed),
        CASE(test_what_is_not_there_any_more_is_told),
        CASE(test_truncated_without_a_copy_is_told),
        CASE(test_what_is_no_id_is_told),
        CASE(test_who_stands_still_holds_eight_files),
        CASE(test_a_hundred_viewers_cost_one_reading),
        CASE(test_who_is_behind_reads_by_itself),
        CASE(test_a_run_that_the_window_has_left),
        CASE(test_a_hole_of_a_hundred_gigabytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

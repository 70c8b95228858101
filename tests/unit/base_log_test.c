/* base/log: what a line looks like, and how it is written. Standard error becomes a datagram socket
 * where one write(2) must be one line, and a pipe where writes are cut short. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { STAMP = 25, HEAD = STAMP + 6 }; /* "2026-11-20T12:34:56.789Z " and "info  " */

static int real_stderr = -1;
static int out = -1; /* where to read what was logged */

/* Makes `theirs` standard error and `ours` the end to read from. */
static void redirect(int ours, int theirs) {
    fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    dup2(theirs, STDERR_FILENO);
    close(theirs);
    out = ours;
}

static void restore(void) {
    if (real_stderr >= 0) {
        dup2(real_stderr, STDERR_FILENO);
        close(real_stderr);
    }
    if (out >= 0)
        close(out);
    real_stderr = out = -1;
}

static int set_up(void **state) {
    int ends[2];
    (void)state;
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0)
        return -1;
    redirect(ends[0], ends[1]);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    restore();
    fault_reset();
    clock_thaw();
    log_set_sink(NULL, NULL);
    log_set_level(LOG_INFO);
    return 0;
}

/* The next write, as a C string; empty when there was none. */
static const char *next(void) {
    static char bytes[100000];
    ssize_t n = recv(out, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);
    bytes[n > 0 ? n : 0] = '\0';
    return bytes;
}

/* The next write is one line, or one text, with this after the time. */
static void wrote(const char *expected) {
    const char *line = next();
    assert_true(strlen(line) > STAMP);
    assert_string_equal(line + STAMP, expected);
}

static void wrote_nothing(void) {
    assert_string_equal(next(), "");
}

static void stamp(void **state) {
    static const int64_t leap_day_ms = 3981398399987; /* date -u -d 2096-02-29T23:59:59Z +%s */
    (void)state;
    clock_freeze();
    clock_advance_ns((uint64_t)(leap_day_ms * 1000000 - clock_wall_ns()) + 999999);
    log_info("listening on %s:%d", "http://127.0.0.1", 8080);
    assert_string_equal(next(),
                        "2096-02-29T23:59:59.987Z info  listening on http://127.0.0.1:8080\n");
    clock_advance_ns(12000001);
    log_error("x");
    assert_string_equal(next(), "2096-03-01T00:00:00.000Z error x\n");
    wrote_nothing();
}

static void levels(void **state) {
    (void)state;
    log_debug("hidden"); /* the default is info */
    wrote_nothing();
    log_set_level(LOG_DEBUG);
    log_debug("1");
    wrote("debug 1\n");
    log_info("2");
    wrote("info  2\n");
    log_warn("3");
    wrote("warn  3\n");
    log_error("4");
    wrote("error 4\n");
    log_set_level(LOG_ERROR);
    assert_false(log_enabled(LOG_WARN));
    assert_true(log_enabled(LOG_ERROR));
    log_warn("hidden");
    log_text(LOG_WARN, STR("hidden"));
    wrote_nothing();
    log_text(LOG_ERROR, STR("shown"));
    wrote("error shown\n");
    log_set_level(LOG_NONE);
    assert_false(log_enabled(LOG_ERROR));
    assert_false(log_enabled(LOG_NONE));
    log_error("hidden");
    log_at(LOG_NONE, "hidden");
    wrote_nothing();
    log_set_level(LOG_DEBUG);
    assert_true(log_enabled(LOG_DEBUG));
    assert_false(log_enabled(LOG_NONE));
}

static void level_names(void **state) {
    enum log_level level = LOG_NONE;
    (void)state;
    assert_int_equal(log_level_of(STR("debug"), &level), 0);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_of(STR("info"), &level), 0);
    assert_int_equal(level, LOG_INFO);
    assert_int_equal(log_level_of(STR("warn"), &level), 0);
    assert_int_equal(level, LOG_WARN);
    assert_int_equal(log_level_of(STR("error"), &level), 0);
    assert_int_equal(level, LOG_ERROR);
    assert_int_equal(log_level_of(STR("none"), &level), -1);
    assert_int_equal(log_level_of(STR("INFO"), &level), -1);
    assert_int_equal(log_level_of(STR("err"), &level), -1);
    assert_int_equal(log_level_of(STR(""), &level), -1);
    assert_int_equal(level, LOG_ERROR); /* untouched */
}

static void one_line_whatever_is_in_it(void **state) {
    (void)state;
    log_info("%s", "a\nforged\r\n");
    wrote("info  a\\nforged\\x0d\\n\n");
    log_info("tab\tbell\a esc\x1b[2J del\x7f");
    wrote("info  tab\\x09bell\\x07 esc\\x1b[2J del\\x7f\n");
    log_info("%c|", 0);
    wrote("info  \\x00|\n");
    log_info("gr\xC3\xBC\xC3\x9F \xF0\x9F\x8C\x8A \xC2\xA0"); /* UTF-8 stays, U+00A0 with it */
    wrote("info  gr\xC3\xBC\xC3\x9F \xF0\x9F\x8C\x8A \xC2\xA0\n");
    log_info("csi \xC2\x9B"
             "2J \xC2\x80"); /* C1 controls in UTF-8 */
    wrote("info  csi \\xc2\\x9b2J \\xc2\\x80\n");
    log_info("raw \x9B \xFF\xC3"); /* bytes that are no UTF-8 */
    wrote("info  raw \\x9b \\xff\\xc3\n");
    log_info("\\n stays");
    wrote("info  \\n stays\n");
    log_info("%s", "");
    wrote("info  \n");
    wrote_nothing();
}

static void text(void **state) {
    (void)state;
    log_text(LOG_ERROR, STR("app.lua:3: no\nstack traceback:\n\t[C]: in 'x'\n"));
    wrote("error app.lua:3: no\n    stack traceback:\n    \t[C]: in 'x'\n");
    log_text(LOG_INFO, STR("one"));
    wrote("info  one\n");
    log_text(LOG_INFO, STR("a\n\nb"));
    wrote("info  a\n    \n    b\n");
    log_text(LOG_INFO, STR("a\r\n2026-01-01 forged\x1b\xFF"));
    wrote("info  a\\x0d\n    2026-01-01 forged\\x1b\\xff\n");
    log_text(LOG_INFO, STR(""));
    wrote("info  \n");
    log_text(LOG_INFO, (struct str){NULL, 0});
    wrote("info  \n");
    log_text(LOG_INFO, STR("\n"));
    wrote("info  \n");
    wrote_nothing();
}

static void long_line(void **state) {
    char *message = malloc(50001);
    (void)state;
    assert_non_null(message);
    memset(message, 'm', 50000);
    message[50000] = '\0';
    log_info("%s", message);
    const char *line = next();
    assert_int_equal(strlen(line), HEAD + 50001);
    assert_memory_equal(line + HEAD, message, 50000);
    assert_int_equal(line[HEAD + 50000], '\n');
    free(message);
}

/* No script fills the log by one message, and no character is cut in two. */
static void a_longer_one_is_cut(void **state) {
    struct buf message = {0}, expected = {0};
    (void)state;
    buf_add(&message, STR("xx"));
    while (message.len < LOG_TEXT_MAX)
        buf_add(&message, STR("\xE2\x82\xAC"));
    assert_int_equal(message.len, LOG_TEXT_MAX + 1);
    buf_add(&expected, (struct str){message.data, LOG_TEXT_MAX - 2});
    buf_add(&expected, STR(" … and 3 bytes more\n"));
    buf_add_char(&expected, '\0');
    log_text(LOG_INFO, buf_str(&message));
    assert_string_equal(next() + HEAD, expected.data);
    buf_add_char(&message, '\0');
    log_info("%s", message.data);
    assert_string_equal(next() + HEAD, expected.data);
    buf_fini(&message);
    buf_fini(&expected);
}

static void errno_survives(void **state) {
    (void)state;
    fault_arm("log_write", -EIO, 0, 2);
    close(STDERR_FILENO); /* so that the third fails by itself */
    errno = EMFILE;
    log_info("x");
    assert_int_equal(errno, EMFILE);
    log_text(LOG_INFO, STR("x"));
    assert_int_equal(errno, EMFILE);
    log_info("x");
    assert_int_equal(errno, EMFILE);
}

static void interrupted(void **state) {
    (void)state;
    fault_arm("log_write", -EINTR, 0, 3);
    log_info("whole");
    wrote("info  whole\n");
    wrote_nothing();
    assert_int_equal(fault_armed, 0);
}

static void failing(void **state) {
    (void)state;
    fault_arm("log_write", -EIO, 0, 1);
    log_info("lost");
    wrote_nothing();
    log_info("the next one is not");
    wrote("info  the next one is not\n");
}

/* Reads `out` to its end into a buf, as a C string. */
static void *read_all(void *arg) {
    struct buf *all = arg;
    ssize_t n;
    while ((n = read(out, buf_reserve(all, 4096), 4096)) > 0)
        all->len += (size_t)n;
    buf_add_char(all, '\0');
    return NULL;
}

/* A non-blocking pipe of one page as standard error, with a thread that reads it into `all`. */
static pthread_t start_pipe(struct buf *all) {
    int ends[2];
    pthread_t reader;
    restore();
    assert_int_equal(pipe(ends), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    redirect(ends[0], ends[1]);
    assert_int_equal(pthread_create(&reader, NULL, read_all, all), 0);
    return reader;
}

static void finish_pipe(pthread_t reader) {
    dup2(real_stderr, STDERR_FILENO); /* the pipe's last writer */
    pthread_join(reader, NULL);
}

/* Far more than the pipe holds: a non-blocking write is cut short, the next ones give EAGAIN. */
static void short_writes(void **state) {
    enum { SIZE = LOG_TEXT_MAX };
    struct buf buf = {0};
    (void)state;
    char *message = malloc(SIZE + 1);
    assert_non_null(message);
    for (int i = 0; i < SIZE; i++)
        message[i] = (char)('a' + i % 26);
    message[SIZE] = '\0';

    pthread_t reader = start_pipe(&buf);
    log_info("%s", message);
    log_info("after");
    finish_pipe(reader);
    const char *all = buf.data;

    assert_int_equal(strlen(all), HEAD + SIZE + 1 + HEAD + strlen("after\n"));
    assert_memory_equal(all + HEAD, message, SIZE);
    assert_int_equal(all[HEAD + SIZE], '\n');
    assert_string_equal(all + HEAD + SIZE + 1 + HEAD, "after\n");
    buf_fini(&buf);
    free(message);
}

enum { THREADS = 4, LINES = 200 };

/* Lines of a letter of its own, some longer than a pipe takes at once. */
static void *log_many(void *arg) {
    char message[6001];
    int which = *(int *)arg;
    for (int i = 0; i < LINES; i++) {
        size_t len = i % 10 == 0 ? 6000 : 1 + (size_t)i;
        memset(message, 'a' + which, len);
        message[len] = '\0';
        log_info("%s", message);
    }
    return NULL;
}

static void whole_lines_from_many_threads(void **state) {
    pthread_t threads[THREADS];
    int which[THREADS], seen[THREADS] = {0};
    struct buf buf = {0};
    (void)state;
    pthread_t reader = start_pipe(&buf);
    for (int i = 0; i < THREADS; i++) {
        which[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, &which[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    finish_pipe(reader);
    const char *all = buf.data;

    struct str rest = str_of(all);
    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n');
        assert_true(line.len > HEAD);
        int who = line.ptr[HEAD] - 'a';
        assert_in_range(who, 0, THREADS - 1);
        size_t i = (size_t)seen[who]++; /* each thread's lines in its order */
        assert_int_equal(line.len - HEAD, i % 10 == 0 ? 6000 : 1 + i);
        for (size_t at = HEAD; at < line.len; at++)
            if (line.ptr[at] != 'a' + who)
                fail_msg("a line of thread %d is torn", who);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(seen[i], LINES);
    buf_fini(&buf);
}

struct caught {
    enum log_level level;
    char line[200];
    int count;
};

static void catch (enum log_level level, struct str line, void *arg) {
    struct caught *caught = arg;
    caught->level = level;
    caught->count++;
    snprintf(caught->line, sizeof(caught->line), "%.*s", STR_ARG(line));
}

static void sink(void **state) {
    struct caught caught = {.level = LOG_NONE};
    (void)state;
    log_set_sink(catch, &caught);
    log_warn("to the %s", "sink");
    assert_int_equal(caught.level, LOG_WARN);
    assert_string_equal(caught.line + STAMP, "warn  to the sink\n");
    log_text(LOG_ERROR, STR("a\nb"));
    assert_int_equal(caught.level, LOG_ERROR);
    assert_string_equal(caught.line + STAMP, "error a\n    b\n");
    log_debug("hidden");
    assert_int_equal(caught.count, 2);
    wrote_nothing();
    log_set_sink(NULL, NULL);
    log_info("to standard error");
    wrote("info  to standard error\n");
    assert_int_equal(caught.count, 2);
}

static void *log_to_sink(void *arg) {
    (void)arg;
    for (int i = 0; i < 500; i++)
        log_info("x");
    return NULL;
}

/* The sink is called one line at a time: its plain counter is right, and TSan is content. */
static void sink_of_many_threads(void **state) {
    struct caught caught = {.level = LOG_NONE};
    pthread_t threads[THREADS];
    (void)state;
    log_set_sink(catch, &caught);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_to_sink, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(caught.count, THREADS * 500);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(stamp),
        TEST(levels),
        TEST(level_names),
        TEST(one_line_whatever_is_in_it),
        TEST(text),
        TEST(long_line),
        TEST(a_longer_one_is_cut),
        TEST(errno_survives),
        TEST(interrupted),
        TEST(failing),
        TEST(short_writes),
        TEST(whole_lines_from_many_threads),
        TEST(sink),
        TEST(sink_of_many_threads),
    };
    return cmocka_run_group_tests_name("base_log", tests, NULL, NULL);
}

/* What net/child promises: lines on demand, stderr kept, the exit told once all is here. */
#include "net/child.h"

#include "base/fault.h"

#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct loop loop;
    struct child *child;
    int changes;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    return loop_init(&f->loop);
}

/* Whatever a test did, no handle is left when the loop has run out. */
static int teardown(void **state) {
    struct fixture *f = *state;
    fault_reset();
    if (f->child)
        child_free(f->child);
    while (loop_handles(&f->loop) > 0)
        uv_run(&f->loop.uv, UV_RUN_ONCE);
    loop_fini(&f->loop);
    free(f);
    return 0;
}

static void on_change(struct child *child) {
    struct fixture *f = child->owner;
    f->changes++;
}

static int start(struct fixture *f, struct child_options *options) {
    int rc = child_start(&f->child, &f->loop, options);
    if (rc < 0)
        return rc;
    f->child->on_change = on_change;
    f->child->owner = f;
    return 0;
}

static void run_shell(struct fixture *f, const char *script) {
    char *args[] = {"sh", "-c", (char *)script, NULL};
    assert_int_equal(start(f, &(struct child_options){.args = args}), 0);
}

static void run_until_exit(struct fixture *f) {
    while (!f->child->exited)
        uv_run(&f->loop.uv, UV_RUN_ONCE);
}

/* The next line, or "EOF". */
static const char *next(struct fixture *f) {
    static char text[64];
    struct str line;
    int rc;
    while ((rc = child_line(f->child, &line)) == 0) {
        int before = f->changes;
        while (f->changes == before)
            uv_run(&f->loop.uv, UV_RUN_ONCE);
    }
    if (rc < 0) {
        assert_int_equal(rc, UV_EOF);
        return "EOF";
    }
    snprintf(text, sizeof text, "%.*s", STR_ARG(line));
    return text;
}

static void lines_come_one_by_one(void **state) {
    struct fixture *f = *state;
    run_shell(f, "echo one; echo; printf 'two\\nrest'");
    assert_string_equal(next(f), "one");
    assert_string_equal(next(f), "");
    assert_string_equal(next(f), "two");
    assert_string_equal(next(f), "rest");
    assert_string_equal(next(f), "EOF");
    assert_string_equal(next(f), "EOF");
}

static void a_line_comes_whole(void **state) {
    struct fixture *f = *state;
    struct str line;
    run_shell(f, "trap 'kill $!; echo \" whole\"; exit' USR1; sleep 60 & printf half; wait");
    while (f->child->lines.len < 4) {
        assert_int_equal(child_line(f->child, &line), 0);
        uv_run(&f->loop.uv, UV_RUN_ONCE);
    }
    assert_int_equal(child_kill(f->child, SIGUSR1), 0);
    assert_string_equal(next(f), "half whole");
}

static void lines_are_here_after_the_exit(void **state) {
    struct fixture *f = *state;
    run_shell(f, "echo one; echo two");
    run_until_exit(f);
    assert_string_equal(next(f), "one");
    assert_string_equal(next(f), "two");
    assert_string_equal(next(f), "EOF");
}

static void nothing_is_read_ahead(void **state) {
    struct fixture *f = *state;
    run_shell(f, "yes | head -c 10000000; echo end >&2");
    assert_string_equal(next(f), "y");
    assert_true(f->child->lines.len <= LOOP_READ_BYTES);
    int lines = 1;
    while (strcmp(next(f), "y") == 0)
        lines++;
    assert_int_equal(lines, 5000000);
}

static void a_long_line_comes_in_pieces(void **state) {
    struct fixture *f = *state;
    struct str line = {NULL, 0};
    size_t total = 0;
    run_shell(f, "head -c 3000000 /dev/zero");
    do {
        total += line.len;
        int rc;
        while ((rc = child_line(f->child, &line)) == 0)
            uv_run(&f->loop.uv, UV_RUN_ONCE);
        if (rc < 0)
            break;
        assert_true(line.len > 0 && line.len <= CHILD_LINE_MAX);
    } while (true);
    assert_int_equal(total, 3000000);
}

static void the_exit_tells_code_and_stderr(void **state) {
    struct fixture *f = *state;
    run_shell(f, "echo oops >&2; exit 3");
    run_until_exit(f);
    assert_int_equal(f->child->code, 3);
    assert_int_equal(f->child->signal, 0);
    assert_int_equal(child_errors(f->child).len, 5);
    assert_memory_equal(child_errors(f->child).ptr, "oops\n", 5);
}

static void of_much_stderr_the_last_is_kept(void **state) {
    struct fixture *f = *state;
    run_shell(f, "yes | head -c 3000000 >&2; echo end >&2");
    run_until_exit(f);
    struct str errors = child_errors(f->child);
    assert_true(errors.len > CHILD_ERRORS_MAX / 2 && errors.len <= CHILD_ERRORS_MAX);
    assert_memory_equal(errors.ptr + errors.len - 6, "y\nend\n", 6);
}

static void a_signal_ends_it(void **state) {
    struct fixture *f = *state;
    run_shell(f, "exec sleep 60");
    assert_int_equal(child_kill(f->child, SIGTERM), 0);
    run_until_exit(f);
    assert_int_equal(f->child->signal, SIGTERM);
    assert_int_equal(child_kill(f->child, SIGTERM), UV_ESRCH);
}

/* Its own children may hold the pipes open: they do not hold back its exit. */
static void the_exit_does_not_wait_for_others(void **state) {
    struct fixture *f = *state;
    run_shell(f, "sleep 60 & echo $!");
    run_until_exit(f);
    int pid = atoi(next(f));
    assert_string_equal(next(f), "EOF");
    assert_true(pid > 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
}

static void environment_and_folder_are_its_own(void **state) {
    struct fixture *f = *state;
    char *args[] = {"/bin/sh", "-c", "echo $KEY; pwd; test -z \"$HOME\" && echo no home", NULL};
    char *env[] = {"KEY=value", NULL};
    assert_int_equal(start(f, &(struct child_options){.args = args, .env = env, .cwd = "/usr"}), 0);
    assert_string_equal(next(f), "value");
    assert_string_equal(next(f), "/usr");
    assert_string_equal(next(f), "no home");
}

static void what_cannot_start_says_so(void **state) {
    struct fixture *f = *state;
    char *args[] = {"/nowhere/to/be/found", NULL};
    struct child_options options = {.args = args};
    assert_int_equal(start(f, &options), UV_ENOENT);
    fault_arm("spawn", UV_EAGAIN, 0, 1);
    assert_int_equal(start(f, &options), UV_EAGAIN);
    assert_null(f->child);
}

/* teardown waits until it is gone: the test hangs if it is not killed. */
static void freed_while_it_runs_it_is_killed(void **state) {
    struct fixture *f = *state;
    run_shell(f, "echo $$; exec sleep 1000");
    int pid = atoi(next(f));
    child_free(f->child);
    f->child = NULL;
    int before = f->changes;
    while (loop_handles(&f->loop) > 0)
        uv_run(&f->loop.uv, UV_RUN_ONCE);
    assert_int_equal(kill(pid, 0), -1); /* waited for, too: no zombie */
    assert_int_equal(f->changes, before);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(lines_come_one_by_one),
        TEST(a_line_comes_whole),
        TEST(lines_are_here_after_the_exit),
        TEST(nothing_is_read_ahead),
        TEST(a_long_line_comes_in_pieces),
        TEST(the_exit_tells_code_and_stderr),
        TEST(of_much_stderr_the_last_is_kept),
        TEST(a_signal_ends_it),
        TEST(the_exit_does_not_wait_for_others),
        TEST(environment_and_folder_are_its_own),
        TEST(what_cannot_start_says_so),
        TEST(freed_while_it_runs_it_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

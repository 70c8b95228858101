/* base/must: what holds goes on; what does not ends the process, with the line that knew. A child
 * breaks it, and its standard error is a pipe. */
#include "base/must.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char said[1024];

/* The child's end; what it has said is in `said`. */
static int run(void (*body)(void)) {
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], 2);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(ends[0], said + len, sizeof said - 1 - len)) > 0)
        len += (size_t)n;
    said[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void keep(void) {
    int calls = 0;
    MUST(++calls == 1);
#ifdef WEIR_MUST
    _exit(calls == 1 ? 0 : 1);
#else
    _exit(calls == 0 ? 0 : 1);
#endif
}

static void break_it(void) {
    must_fail("hub_is_locked()", "core/hub/hub.c", 7);
}

static void what_holds_goes_on(void **state) {
    (void)state;
    int status = run(keep);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_string_equal(said, "");
}

static void what_does_not_ends_the_process(void **state) {
    (void)state;
    int status = run(break_it);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_string_equal(said, "core/hub/hub.c:7: must hold: hub_is_locked()\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_goes_on),
        cmocka_unit_test(what_does_not_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What ops/notify promises: datagrams as sd_notify(3) has them, and nothing for whom they are not. */
#include "ops/notify.h"

#include "base/clock.h"
#include "base/log.h"
#include "table.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static struct notify notify;
static int manager = -1; /* the other end */
static char folder[64], path[128];
static char said[512]; /* in the log */

static void on_log(enum log_level level, struct str line, void *arg) {
    (void)level, (void)arg;
    snprintf(said, sizeof said, "%.*s", STR_ARG(line));
}

/* A manager that listens at a name; '@': an abstract one. */
static void listen_at(const char *name) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t n = strlen(name), abstract = name[0] == '@';
    memcpy(at.sun_path, name, n);
    if (abstract)
        at.sun_path[0] = '\0';
    manager = socket(AF_UNIX, SOCK_DGRAM, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !abstract);
    assert_int_equal(bind(manager, (struct sockaddr *)&at, len), 0);
    setenv("NOTIFY_SOCKET", name, 1);
}

/* The next datagram; empty: none has come. */
static const char *next(void) {
    static char text[512];
    ssize_t n = recv(manager, text, sizeof text - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static int set_up(void **state) {
    (void)state;
    strcpy(folder, "/tmp/weir-notify-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/socket", folder);
    said[0] = '\0';
    log_set_sink(on_log, NULL);
    clock_freeze();
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    notify_close(&notify);
    if (manager >= 0)
        close(manager);
    manager = -1;
    unlink(path);
    clock_thaw();
    log_set_sink(NULL, NULL);
    return rmdir(folder);
}

static void nobody_is_told_where_nobody_asks(void **state) {
    (void)state;
    notify_open(&notify);
    notify_tell(&notify, "READY=1");
    notify_reloading(&notify);
    notify_alive(&notify);
    assert_int_equal(notify_wait_ms(&notify, 500), 500);
    assert_string_equal(said, "");
}

static void a_socket_with_a_path_is_told(void **state) {
    (void)state;
    listen_at(path);
    notify_open(&notify);
    notify_tell(&notify, "READY=1\nSTATUS=%d apps", 2);
    assert_string_equal(next(), "READY=1\nSTATUS=2 apps");
    assert_string_equal(next(), "");
}

static void an_abstract_socket_is_told(void **state) {
    char name[64];
    (void)state;
    snprintf(name, sizeof name, "@weir-notify-test-%d", (int)getpid());
    listen_at(name);
    notify_open(&notify);
    notify_tell(&notify, "STOPPING=1");
    assert_string_equal(next(), "STOPPING=1");
}

static void the_environment_is_for_nobody_else(void **state) {
    (void)state;
    listen_at(path);
    setenv("WATCHDOG_USEC", "1000000", 1);
    setenv("WATCHDOG_PID", "1", 1);
    notify_open(&notify);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
}

static void a_reload_has_the_time_of_the_kernel(void **state) {
    struct timespec now;
    unsigned long long us = 0;
    int used = 0;
    (void)state;
    clock_thaw();
    listen_at(path);
    notify_open(&notify);
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long before =
        (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;
    notify_reloading(&notify);
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long after =
        (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;
    const char *text = next();
    sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu%n", &us, &used);
    assert_true(before <= us && us <= after);
    assert_string_equal(text + used, "\nSTATUS=reloading");
}

static void signs_of_life_are_given_twice_in_an_interval(void **state) {
    (void)state;
    listen_at(path);
    setenv("WATCHDOG_USEC", "300000", 1);
    notify_open(&notify);
    notify_alive(&notify);
    assert_string_equal(next(), "WATCHDOG=1");
    assert_int_equal(notify_wait_ms(&notify, 500), 150);
    assert_int_equal(notify_wait_ms(&notify, 20), 20);
    clock_advance_ns(149 * MS);
    notify_alive(&notify);
    assert_string_equal(next(), "");
    assert_int_equal(notify_wait_ms(&notify, 500), 1);
    clock_advance_ns(1 * MS);
    notify_alive(&notify);
    assert_string_equal(next(), "WATCHDOG=1");
    clock_advance_ns(1000 * MS); /* its caller was not alive: it looks again soon */
    assert_int_equal(notify_wait_ms(&notify, 500), 150);
}

static void signs_of_life_may_be_somebody_elses(void **state) {
    static const char *const pids[] = {"1", "", "x", "-1"};
    (void)state;
    listen_at(path);
    for (size_t i = 0; i < COUNT(pids); i++) {
        setenv("NOTIFY_SOCKET", path, 1);
        setenv("WATCHDOG_USEC", "300000", 1);
        setenv("WATCHDOG_PID", pids[i], 1);
        notify_open(&notify);
        notify_alive(&notify);
        assert_string_equal(next(), "");
        assert_int_equal(notify_wait_ms(&notify, 500), 500);
        notify_close(&notify);
    }
    char own[16];
    snprintf(own, sizeof own, "%d", (int)getpid());
    setenv("NOTIFY_SOCKET", path, 1);
    setenv("WATCHDOG_USEC", "300000", 1);
    setenv("WATCHDOG_PID", own, 1);
    notify_open(&notify);
    notify_alive(&notify);
    assert_string_equal(next(), "WATCHDOG=1");
}

static void an_interval_that_is_none_is_none(void **state) {
    static const char *const intervals[] = {"", "0", "x", "-5", "99999999999999999999"};
    (void)state;
    listen_at(path);
    for (size_t i = 0; i < COUNT(intervals); i++) {
        setenv("NOTIFY_SOCKET", path, 1);
        setenv("WATCHDOG_USEC", intervals[i], 1);
        notify_open(&notify);
        notify_alive(&notify);
        assert_string_equal(next(), "");
        notify_close(&notify);
    }
}

static void a_name_that_is_none_is_told_in_the_log(void **state) {
    char longest[200];
    (void)state;
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    const char *const names[] = {"", "@", "run/socket", "vsock:2:1234", longest};
    for (size_t i = 0; i < COUNT(names); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        said[0] = '\0';
        notify_open(&notify);
        assert_non_null(strstr(said, "expected a path or an abstract name"));
        notify_tell(&notify, "READY=1");
    }
}

/* sun_path with its NUL. */
static void the_longest_name_is_one(void **state) {
    struct sockaddr_un at;
    char longest[sizeof at.sun_path + 1];
    (void)state;
    memset(longest, 'a', sizeof longest);
    longest[0] = '/';
    longest[sizeof at.sun_path - 1] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    notify_open(&notify);
    assert_int_equal(notify.len, sizeof at);
    assert_string_equal(said, "");
    notify_close(&notify);
    longest[sizeof at.sun_path - 1] = 'a';
    longest[sizeof at.sun_path] = '\0';
    setenv("NOTIFY_SOCKET", longest, 1);
    notify_open(&notify);
    assert_non_null(strstr(said, "expected a path or an abstract name"));
}

static void a_manager_that_is_gone_is_told_of_once(void **state) {
    (void)state;
    listen_at(path);
    notify_open(&notify);
    close(manager);
    manager = -1;
    notify_tell(&notify, "READY=1");
    assert_non_null(strstr(said, "cannot tell the service manager: Connection refused"));
    said[0] = '\0';
    notify_tell(&notify, "STOPPING=1");
    assert_string_equal(said, "");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_told_where_nobody_asks),
        TEST(a_socket_with_a_path_is_told),
        TEST(an_abstract_socket_is_told),
        TEST(the_environment_is_for_nobody_else),
        TEST(a_reload_has_the_time_of_the_kernel),
        TEST(signs_of_life_are_given_twice_in_an_interval),
        TEST(signs_of_life_may_be_somebody_elses),
        TEST(an_interval_that_is_none_is_none),
        TEST(a_name_that_is_none_is_told_in_the_log),
        TEST(the_longest_name_is_one),
        TEST(a_manager_that_is_gone_is_told_of_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

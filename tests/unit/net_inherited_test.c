/* What net/inherited promises: the sockets that are this process's, and what is wrong with others.
 * Each case runs in a child, where descriptors from 3 on and the environment are its own. */
#include "net/inherited.h"

#include "base/buf.h"
#include "table.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REPORT = 300 }; /* the child's descriptor for what it has found */

struct given {
    const char *pid; /* "own": the child's */
    const char *fds, *names;
    int sockets[3]; /* 0: none; -1: that descriptor is closed */
};

/* An IPv4 socket of `type` on a free port; `*port` is that. */
static int make_socket(int type, int *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, type, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static int make_listening(int *port) {
    int fd = make_socket(SOCK_STREAM, port);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void set(const char *name, const char *value) {
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/* "1: 127.0.0.1:8080 c n" (close on exec, non-blocking) or "-1: why". */
static void report(void) {
    struct inherited list[INHERITED_MAX];
    struct buf text = {0};
    char *error = NULL;
    int count = inherited_take(list, &error);
    buf_printf(&text, "%d:", count);
    for (int i = 0; i < count; i++)
        buf_printf(&text, " %s:%u%s%s", list[i].host, list[i].port,
                   fcntl(list[i].fd, F_GETFD) & FD_CLOEXEC ? " c" : "",
                   fcntl(list[i].fd, F_GETFL) & O_NONBLOCK ? " n" : "");
    if (error)
        buf_printf(&text, " %s", error);
    if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES"))
        buf_add(&text, STR(" and the environment still says so"));
    ssize_t n = write(REPORT, text.data, text.len);
    buf_fini(&text);
    free(error);
    _exit(n < 0 ? 1 : 0);
}

static void be_child(const struct given *given, int out) {
    char own[16];
    snprintf(own, sizeof own, "%d", (int)getpid());
    dup2(out, REPORT);
    for (int i = 0; i < 3; i++) /* out of the way of those that they become */
        if (given->sockets[i] > 0)
            dup2(given->sockets[i], 200 + i);
    for (int i = 0; i < 3; i++)
        if (given->sockets[i] > 0)
            dup2(200 + i, 3 + i);
        else if (given->sockets[i] < 0)
            close(3 + i);
    set("LISTEN_PID", given->pid && strcmp(given->pid, "own") == 0 ? own : given->pid);
    set("LISTEN_FDS", given->fds);
    set("LISTEN_FDNAMES", given->names);
    report();
}

static const char *found(const struct given *given) {
    static char text[512];
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0)
        be_child(given, ends[1]);
    close(ends[1]);
    ssize_t n = read(ends[0], text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    return text;
}

static void what_is_said_to_nobody_or_others_is_nothing(void **state) {
    static const struct given rows[] = {
        {NULL, NULL, NULL, {0}}, {NULL, "1", NULL, {0}}, {"own", NULL, NULL, {0}},
        {"1", "1", "a", {0}},    {"", "1", NULL, {0}},   {"x", "1", NULL, {0}},
        {"own", "0", NULL, {0}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(found(&rows[i]), "0:");
}

static void sockets_that_listen_are_taken(void **state) {
    char expected[128];
    int ports[2];
    (void)state;
    struct given given = {
        "own", "2", "web:inner", {make_listening(&ports[0]), make_listening(&ports[1])}};
    snprintf(expected, sizeof expected, "2: 127.0.0.1:%d c n 127.0.0.1:%d c n", ports[0], ports[1]);
    assert_string_equal(found(&given), expected);
    given.names = NULL;
    assert_string_equal(found(&given), expected);
    close(given.sockets[0]);
    close(given.sockets[1]);
}

static void one_of_ipv6_is_taken(void **state) {
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof at;
    char expected[64];
    (void)state;
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) != 0 || listen(fd, 1) != 0)
        skip(); /* a machine without it */
    getsockname(fd, (struct sockaddr *)&at, &len);
    snprintf(expected, sizeof expected, "1: ::1:%u c n", ntohs(at.sin6_port));
    struct given given = {"own", "1", NULL, {fd}};
    assert_string_equal(found(&given), expected);
    close(fd);
}

static void a_number_that_is_none_is_refused(void **state) {
    static const char *const numbers[] = {"", "x", "-1", "17", "99999999999999999999"};
    char expected[128];
    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct given given = {"own", numbers[i], NULL, {0}};
        snprintf(expected, sizeof expected,
                 "-1: LISTEN_FDS=%s: expected a number of sockets, 16 at most", numbers[i]);
        assert_string_equal(found(&given), expected);
    }
}

static void what_cannot_be_served_is_named(void **state) {
    int port, ends[2];
    (void)state;
    assert_int_equal(pipe(ends), 0);
    int local = socket(AF_UNIX, SOCK_STREAM, 0), good = make_listening(&port);
    const struct {
        struct given given;
        const char *want;
    } rows[] = {
        {{"own", "1", "web", {-1}}, "-1: LISTEN_FDS: descriptor 3 (web) is not open"},
        {{"own", "1", NULL, {-1}}, "-1: LISTEN_FDS: descriptor 3 is not open"},
        {{"own", "2", "web:inner", {good, -1}}, "-1: LISTEN_FDS: descriptor 4 (inner) is not open"},
        {{"own", "2", "web", {good, -1}}, "-1: LISTEN_FDS: descriptor 4 is not open"},
        {{"own", "1", "web", {ends[0]}}, "-1: LISTEN_FDS: descriptor 3 (web) is no socket"},
        {{"own", "1", "web", {local}},
         "-1: LISTEN_FDS: descriptor 3 (web) is no TCP socket; write ListenStream=ADDRESS:PORT in "
         "the socket unit"},
        {{"own", "1", "web", {make_socket(SOCK_DGRAM, &port)}},
         "-1: LISTEN_FDS: descriptor 3 (web) is no TCP socket; write ListenStream=, not "
         "ListenDatagram=, in the socket unit"},
        {{"own", "1", "web", {make_socket(SOCK_STREAM, &port)}},
         "-1: LISTEN_FDS: descriptor 3 (web) does not listen; write Accept=no in the socket unit"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(found(&rows[i].given), rows[i].want);
    for (size_t i = 6; i < COUNT(rows); i++)
        close(rows[i].given.sockets[0]);
    close(ends[0]);
    close(ends[1]);
    close(local);
    close(good);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_to_nobody_or_others_is_nothing),
        cmocka_unit_test(sockets_that_listen_are_taken),
        cmocka_unit_test(one_of_ipv6_is_taken),
        cmocka_unit_test(a_number_that_is_none_is_refused),
        cmocka_unit_test(what_cannot_be_served_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

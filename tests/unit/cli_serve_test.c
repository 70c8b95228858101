/* What `weir serve` does under a service manager, which this test is: what it says when it is ready,
 * reloads, is alive and stops, and the sockets that it is given. The program itself runs, found
 * beside this one. */
#include "base/buf.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SERVING "READY=1\nSTATUS=apps: 1, workers: 2"
#define PATIENCE_S 20 /* for what must come */
#define QUIET_S 2     /* without a sign of life there is none */

static const char app_text[] =
    "local weir = require 'weir'\n"
    "local app = weir.app()\n"
    "weir.limits { drain_timeout = 1 }\n"
    "app:get('/', function() return 'well' end)\n"
    "app:get('/who', function(stream) return stream.remote_addr end)\n"
    "app:get('/env', function()\n"
    "  local pipe = io.popen 'env'\n"
    "  local text = pipe:read '*a'\n"
    "  pipe:close()\n"
    "  return tostring(os.getenv 'NOTIFY_SOCKET') .. (text:match 'NOTIFY_[^\\n]*' or '') ..\n"
    "    (text:match 'LISTEN_[^\\n]*' or '') .. (text:match 'WATCHDOG_[^\\n]*' or '')\n"
    "end)\n"
    "app:get('/stays', function(stream) stream:write 'a' weir.sleep(3600) end)\n"
    "app:get('/held', function()\n"
    "  return tostring(os.execute('cat <' .. os.getenv 'HELD_BY'))\n"
    "end)\n"
    "return app\n";

static struct {
    char folder[64], app[96], pipe[96];
    int manager;   /* where it is told */
    pid_t server;  /* 0: none */
    FILE *output;  /* of the server */
    int inherited; /* a listening socket for it; -1: none */
} t;

/* --- the server --- */

static void write_app(const char *text) {
    FILE *file = fopen(t.app, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void find_program(char *out, size_t size) {
    const char *named = getenv("WEIR");
    ssize_t n =
        named ? snprintf(out, size, "%s", named) : readlink("/proc/self/exe", out, size - 1);
    assert_true(n > 0 && (size_t)n < size - 8);
    out[n] = '\0';
    if (named)
        return;
    for (int up = 0; up < 3; up++) /* build/must/tests/unit/cli_serve_test */
        *strrchr(out, '/') = '\0';
    strcat(out, "/weir");
}

static void be_server(const char *program, const char *listen, int out) {
    char own[16];
    snprintf(own, sizeof own, "%d", (int)getpid());
    dup2(out, STDOUT_FILENO);
    setenv("HELD_BY", t.pipe, 1);
    if (t.inherited >= 0) {
        dup2(t.inherited, 3);
        setenv("LISTEN_PID", own, 1);
        setenv("LISTEN_FDS", "1", 1);
        setenv("LISTEN_FDNAMES", "web", 1);
    }
    if (listen)
        execl(program, "weir", "serve", t.app, "--workers", "2", "--listen", listen, (char *)NULL);
    else
        execl(program, "weir", "serve", t.app, "--workers", "2", (char *)NULL);
    _exit(127);
}

static void start(const char *listen) {
    char program[4096];
    int ends[2];
    find_program(program, sizeof program);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    t.server = fork();
    if (t.server == 0)
        be_server(program, listen, ends[1]);
    close(ends[1]);
    t.output = fdopen(ends[0], "r");
}

/* The port of the next line that tells where it listens. */
static int port_of_line(void) {
    char line[256];
    int port = 0;
    assert_non_null(fgets(line, sizeof line, t.output));
    assert_int_equal(sscanf(line, "weir: listening on http://127.0.0.1:%d\n", &port), 1);
    return port;
}

/* Its exit code. */
static int ended(void) {
    int status;
    assert_int_equal(waitpid(t.server, &status, 0), t.server);
    t.server = 0;
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* --- the manager --- */

static void set_timeout(int fd, int s) {
    struct timeval most = {.tv_sec = s};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
}

/* The next datagram; empty: none came in so many seconds. */
static const char *told_within(int s) {
    static char text[512];
    set_timeout(t.manager, s);
    ssize_t n = recv(t.manager, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* The next one that is no sign of life. */
static const char *told(void) {
    const char *text;
    do
        text = told_within(PATIENCE_S);
    while (strcmp(text, "WATCHDOG=1") == 0);
    return text;
}

/* --- a client --- */

static int connect_to(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_timeout(fd, PATIENCE_S);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void ask(int fd, const char *path) {
    dprintf(fd, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path);
}

/* The body of the answer. */
static const char *answer(int fd) {
    static char text[4096];
    size_t used = 0;
    ssize_t n;
    while ((n = read(fd, text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)n;
    text[used] = '\0';
    close(fd);
    const char *body = strstr(text, "\r\n\r\n");
    return body ? body + 4 : "no answer";
}

static const char *get(int port, const char *path) {
    int fd = connect_to(port);
    ask(fd, path);
    return answer(fd);
}

/* --- what it says --- */

static void it_is_ready_when_it_answers_and_says_that_it_stops(void **state) {
    (void)state;
    start("127.0.0.1:0");
    assert_string_equal(told(), SERVING);
    assert_string_equal(get(port_of_line(), "/"), "well");
    kill(t.server, SIGTERM);
    assert_string_equal(told(), "STOPPING=1\nSTATUS=draining");
    assert_int_equal(ended(), 0);
}

static void expect_reload(const char *then) {
    struct timespec now;
    unsigned long long us = 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned long long before =
        (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000;
    kill(t.server, SIGHUP);
    assert_int_equal(sscanf(told(), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading", &us), 1);
    assert_true(us >= before); /* or systemd takes it for one before */
    assert_string_equal(told(), then);
}

static void a_reload_begins_and_ends(void **state) {
    (void)state;
    start("127.0.0.1:0");
    assert_string_equal(told(), SERVING);
    int port = port_of_line();
    write_app("local weir = require 'weir' local app = weir.app()\n"
              "app:get('/', function() return 'better' end) return app");
    expect_reload(SERVING);
    assert_string_equal(get(port, "/"), "better");
    write_app("no Lua");
    expect_reload("READY=1\nSTATUS=an app was not reloaded, the log says why; apps: 1, workers: 2");
    assert_string_equal(get(port, "/"), "better");
}

static void expect_signs_of_life(void) {
    for (int i = 0; i < 3; i++)
        assert_string_equal(told_within(PATIENCE_S), "WATCHDOG=1");
}

/* A worker is in a call until release_held: for so long that no sign of life comes any more. */
static int hold_worker(int port) {
    int held = connect_to(port), signs = 0;
    ask(held, "/held");
    while (strcmp(told_within(QUIET_S), "WATCHDOG=1") == 0)
        assert_true(++signs < 300);
    return held;
}

/* Who reads the pipe comes to its end. */
static void release_held(void) {
    int release = open(t.pipe, O_WRONLY);
    assert_true(release >= 0);
    close(release);
}

static void it_is_alive_while_all_workers_are(void **state) {
    (void)state;
    setenv("WATCHDOG_USEC", "200000", 1);
    start("127.0.0.1:0");
    assert_string_equal(told_within(PATIENCE_S), SERVING);
    int port = port_of_line();
    expect_signs_of_life();
    int held = hold_worker(port);
    release_held();
    assert_string_equal(answer(held), "0");
    expect_signs_of_life();
    kill(t.server, SIGTERM);
    assert_string_equal(told(), "STOPPING=1\nSTATUS=draining");
}

static void it_is_alive_while_it_drains(void **state) {
    (void)state;
    setenv("WATCHDOG_USEC", "200000", 1);
    start("127.0.0.1:0");
    assert_string_equal(told(), SERVING);
    int stays = connect_to(port_of_line());
    char first;
    ask(stays, "/stays");
    assert_int_equal(read(stays, &first, 1), 1);
    kill(t.server, SIGTERM);
    assert_string_equal(told(), "STOPPING=1\nSTATUS=draining");
    expect_signs_of_life();
    close(stays);
    assert_int_equal(ended(), 0);
}

/* --- what it is given --- */

static int listen_here(int *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    *port = ntohs(at.sin_port);
    return fd;
}

static void a_socket_that_it_is_given_loses_nobody(void **state) {
    int port;
    (void)state;
    t.inherited = listen_here(&port);
    int early = connect_to(port);
    ask(early, "/");
    start(NULL);
    assert_int_equal(port_of_line(), port);
    assert_string_equal(answer(early), "well");
    for (int i = 0; i < 20; i++)
        assert_string_equal(get(port, "/"), "well");
    kill(t.server, SIGTERM);
    assert_int_equal(ended(), 0);
    fclose(t.output);
    int between = connect_to(port);
    ask(between, "/");
    start(NULL);
    assert_string_equal(answer(between), "well");
}

/* Others accept for such a worker, and it never closes what it has. */
static void a_socket_that_it_is_given_outlives_a_worker_that_is_held(void **state) {
    int port, listens = 0;
    socklen_t len = sizeof listens;
    (void)state;
    setenv("WATCHDOG_USEC", "200000", 1);
    t.inherited = listen_here(&port);
    start(NULL);
    assert_string_equal(told_within(PATIENCE_S), SERVING);
    int held = hold_worker(port);
    for (int i = 0; i < 20; i++)
        assert_string_equal(get(port, "/"), "well");
    kill(t.server, SIGTERM);
    assert_int_equal(ended(), 1);
    release_held();
    close(held);
    getsockopt(t.inherited, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len);
    assert_int_equal(listens, 1);
    fclose(t.output);
    int between = connect_to(port);
    ask(between, "/");
    start(NULL);
    assert_string_equal(answer(between), "well");
}

/* ListenStream=8080 is such a socket: whoever comes by IPv4 is an IPv4 client. */
static void a_socket_for_both_kinds_tells_them_apart(void **state) {
    struct sockaddr_in6 at = {.sin6_family = AF_INET6};
    socklen_t len = sizeof at;
    int off = 0;
    (void)state;
    t.inherited = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (t.inherited < 0 ||
        setsockopt(t.inherited, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0 ||
        bind(t.inherited, (struct sockaddr *)&at, len) != 0)
        skip(); /* a machine without IPv6 */
    assert_int_equal(listen(t.inherited, 16), 0);
    getsockname(t.inherited, (struct sockaddr *)&at, &len);
    start(NULL);
    char line[64], expected[64];
    assert_non_null(fgets(line, sizeof line, t.output));
    snprintf(expected, sizeof expected, "weir: listening on http://[::]:%u\n", ntohs(at.sin6_port));
    assert_string_equal(line, expected);
    assert_string_equal(get(ntohs(at.sin6_port), "/who"), "127.0.0.1");
}

static void it_listens_elsewhere_too_when_told_to(void **state) {
    int port;
    (void)state;
    t.inherited = listen_here(&port);
    start("127.0.0.1:0");
    assert_int_equal(port_of_line(), port);
    int other = port_of_line();
    assert_int_not_equal(other, port);
    assert_string_equal(get(port, "/"), "well");
    assert_string_equal(get(other, "/"), "well");
}

static void a_socket_that_is_of_no_use_is_an_error(void **state) {
    (void)state;
    t.inherited = t.manager;
    start(NULL);
    assert_int_equal(ended(), 1);
    t.inherited = -1;
}

static void nothing_of_it_is_left_for_children(void **state) {
    int port;
    (void)state;
    setenv("WATCHDOG_USEC", "1000000", 1);
    t.inherited = listen_here(&port);
    start(NULL);
    port_of_line();
    assert_string_equal(get(port, "/env"), "nil");
}

/* --- */

static void make_manager(void) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "weir-serve-test-%d", (int)getpid());
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    char name[sizeof at.sun_path + 1];
    t.manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(t.manager, (struct sockaddr *)&at, len), 0);
    snprintf(name, sizeof name, "@%s", at.sun_path + 1);
    setenv("NOTIFY_SOCKET", name, 1);
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

static int set_up(void **state) {
    (void)state;
    memset(&t, 0, sizeof t);
    t.inherited = -1;
    strcpy(t.folder, "/tmp/weir-serve-XXXXXX");
    if (mkdtemp(t.folder) == NULL)
        return -1;
    snprintf(t.app, sizeof t.app, "%s/app.lua", t.folder);
    snprintf(t.pipe, sizeof t.pipe, "%s/pipe", t.folder);
    write_app(app_text);
    make_manager();
    return mkfifo(t.pipe, 0600);
}

static int tear_down(void **state) {
    (void)state;
    if (t.server > 0) {
        kill(t.server, SIGKILL);
        waitpid(t.server, NULL, 0);
    }
    if (t.output)
        fclose(t.output);
    if (t.inherited >= 0)
        close(t.inherited);
    close(t.manager);
    unlink(t.app);
    unlink(t.pipe);
    return rmdir(t.folder);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(it_is_ready_when_it_answers_and_says_that_it_stops),
        TEST(a_reload_begins_and_ends),
        TEST(it_is_alive_while_all_workers_are),
        TEST(it_is_alive_while_it_drains),
        TEST(a_socket_that_it_is_given_loses_nobody),
        TEST(a_socket_that_it_is_given_outlives_a_worker_that_is_held),
        TEST(a_socket_for_both_kinds_tells_them_apart),
        TEST(it_listens_elsewhere_too_when_told_to),
        TEST(a_socket_that_is_of_no_use_is_an_error),
        TEST(nothing_of_it_is_left_for_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

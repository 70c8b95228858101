/* What net/listener promises: addresses, and staying up when descriptors run out. */
#include "net/listener.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 200
#define RETRY_MS 1000 /* longer than it may take until a starved listener tries again */

static struct loop loop;
static struct listener listener;
static uint16_t port;
static int clients[MOST], nclients;
static int accepted, stop_at, pause_at, closed, warned;
static int taken[MOST];
static struct address peers[MOST];

static void on_log(enum log_level level, struct str line, void *arg) {
    (void)line;
    (void)arg;
    warned += level >= LOG_WARN;
}

static void on_accept(struct listener *l, int fd, const struct address *peer) {
    assert_ptr_equal(l, &listener);
    assert_true(accepted < MOST);
    taken[accepted] = fd;
    peers[accepted++] = *peer;
    if (accepted == stop_at)
        listener_close(l);
    if (accepted == pause_at)
        listener_pause(l, true);
}

static void on_closed(struct listener *l) {
    assert_ptr_equal(l, &listener);
    closed++;
}

static int setup(void **state) {
    (void)state;
    accepted = stop_at = pause_at = closed = warned = nclients = 0;
    port = 0;
    clock_freeze();
    log_set_sink(on_log, NULL);
    if (loop_init(&loop) < 0)
        return -1;
    int fd = listener_bind("127.0.0.1", &port, false);
    if (fd < 0 || listener_init(&listener, &loop, fd, on_accept) < 0)
        return -1;
    listener.on_closed = on_closed;
    return 0;
}

static void turn(void) {
    for (int i = 0; i < 4; i++)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static int teardown(void **state) {
    (void)state;
    fault_reset();
    listener_close(&listener);
    listener_close(&listener);
    turn();
    int bad = closed != 1 || loop_handles(&loop) != 0;
    loop_fini(&loop);
    for (int i = 0; i < accepted; i++)
        close(taken[i]);
    for (int i = 0; i < nclients; i++)
        close(clients[i]);
    log_set_sink(NULL, NULL);
    clock_thaw();
    return bad;
}

static void come(int n) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    while (n-- > 0) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
        clients[nclients++] = fd;
    }
}

static void wait_for(int n) {
    for (clock_t since = clock(); accepted < n;) {
        uv_run(&loop.uv, UV_RUN_NOWAIT);
        assert_true((clock() - since) / CLOCKS_PER_SEC < 20);
    }
    turn();
    assert_int_equal(accepted, n);
}

static void connections_are_accepted(void **state) {
    (void)state;
    struct sockaddr_in own;
    socklen_t len = sizeof own;
    char text[ADDRESS_TEXT];
    come(1);
    wait_for(1);
    getsockname(clients[0], (struct sockaddr *)&own, &len);
    address_format(&peers[0], text);
    assert_string_equal(text, "127.0.0.1");
    assert_int_equal(peers[0].port, ntohs(own.sin_port));
    assert_true(fcntl(taken[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(taken[0], F_GETFD) & FD_CLOEXEC);
    int nodelay = 0;
    len = sizeof nodelay;
    getsockopt(taken[0], IPPROTO_TCP, TCP_NODELAY, &nodelay, &len);
    assert_true(nodelay);
}

/* More at once than one turn accepts. */
static void many_connections_are_accepted(void **state) {
    (void)state;
    come(150);
    wait_for(150);
}

static void a_paused_listener_leaves_them_waiting(void **state) {
    (void)state;
    listener_pause(&listener, true);
    come(2);
    turn();
    assert_int_equal(accepted, 0);
    listener_pause(&listener, false);
    wait_for(2);
}

static void it_may_be_paused_by_whom_it_calls(void **state) {
    (void)state;
    pause_at = 2;
    come(4);
    wait_for(2);
    listener_pause(&listener, false);
    wait_for(4);
}

static void it_may_be_closed_by_whom_it_calls(void **state) {
    (void)state;
    stop_at = 2;
    come(4);
    wait_for(2);
    assert_int_equal(closed, 1);
    listener_pause(&listener, false); /* too late: harmless */
    turn();
    assert_int_equal(accepted, 2);
}

static void exhausted_descriptors_are_waited_for(void **state) {
    (void)state;
    static const int errors[] = {-EMFILE, -ENFILE, -ENOBUFS, -ENOMEM};
    for (size_t i = 0; i < COUNT(errors); i++) {
        int before = accepted;
        warned = 0;
        fault_arm("accept", errors[i], 0, 3);
        come(2);
        for (int tries = 0; tries < 2; tries++) {
            turn();
            clock_advance_ns(RETRY_MS * UINT64_C(1000000));
        }
        turn();
        assert_int_equal(accepted, before);
        assert_int_equal(warned, 1); /* said once */
        clock_advance_ns(RETRY_MS * UINT64_C(1000000));
        wait_for(before + 2);
        come(1);
        wait_for(before + 3); /* and it watches again */
    }
}

static void it_says_so_again_the_next_time(void **state) {
    (void)state;
    for (int i = 1; i <= 2; i++) {
        fault_arm("accept", -EMFILE, 0, 1);
        come(1);
        turn();
        clock_advance_ns(RETRY_MS * UINT64_C(1000000));
        wait_for(i);
        assert_int_equal(warned, i);
    }
}

/* The clients left meanwhile: nothing to accept when it tries again. */
static void a_try_that_finds_nobody_watches_again(void **state) {
    (void)state;
    fault_arm("accept", -EMFILE, 0, 1);
    fault_arm("accept", -EAGAIN, 0, 1);
    come(1);
    turn();
    clock_advance_ns(RETRY_MS * UINT64_C(1000000));
    wait_for(1);
}

static void a_starved_listener_may_be_paused(void **state) {
    (void)state;
    fault_arm("accept", -EMFILE, 0, 1);
    come(1);
    turn();
    listener_pause(&listener, true);
    clock_advance_ns(RETRY_MS * UINT64_C(1000000));
    turn();
    assert_int_equal(accepted, 0);
    listener_pause(&listener, false);
    wait_for(1);
}

static void lost_connections_are_passed_over(void **state) {
    (void)state;
    static const int errors[] = {-ECONNABORTED, -EINTR, -EPROTO, -EPERM};
    for (size_t i = 0; i < COUNT(errors); i++) {
        fault_arm("accept", errors[i], 0, 2);
        come(2);
        wait_for(2 * (int)i + 2);
        assert_int_equal(warned, 0);
    }
}

static void an_address_in_use_is_told(void **state) {
    (void)state;
    uint16_t same = port, shared = 0;
    assert_int_equal(listener_bind("127.0.0.1", &same, false), UV_EADDRINUSE);
    assert_int_equal(listener_bind("127.0.0.1", &same, true), UV_EADDRINUSE);
    int first = listener_bind("127.0.0.1", &shared, true);
    assert_true(first >= 0 && shared != 0);
    same = shared;
    int second = listener_bind("127.0.0.1", &same, true);
    assert_true(second >= 0);
    assert_int_equal(same, shared);
    assert_int_equal(listener_bind("127.0.0.1", &same, false), UV_EADDRINUSE);
    close(first);
    close(second);
}

/* So that others are told early, and clients come late. */
static void a_claim_accepts_nobody(void **state) {
    (void)state;
    uint16_t own = 0, same;
    int fd = listener_claim("127.0.0.1", &own, true);
    assert_true(fd >= 0 && own != 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(own)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), -1);
    assert_int_equal(errno, ECONNREFUSED);
    assert_int_equal(listener_open(fd), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), 0);
    same = own;
    assert_int_equal(listener_claim("127.0.0.1", &same, false), UV_EADDRINUSE);
    close(client);
    close(fd);
}

static void addresses_that_cannot_be_are_told(void **state) {
    (void)state;
    uint16_t any = 0;
    assert_int_equal(listener_bind("a..b", &any, false), UV_EAI_NONAME);
    assert_int_equal(listener_bind("192.0.2.1", &any, false), UV_EADDRNOTAVAIL);
    assert_int_equal(any, 0);
}

static void names_are_resolved(void **state) {
    (void)state;
    uint16_t any = 0;
    int fd = listener_bind("localhost", &any, false);
    assert_true(fd >= 0 && any != 0);
    close(fd);
}

/* IPv6 where the machine has it. */
static void version_6_is_accepted(void **state) {
    (void)state;
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    uint16_t any = 0;
    int fd = listener_bind("::1", &any, false);
    if (fd == UV_EADDRNOTAVAIL || fd == UV_EAFNOSUPPORT)
        skip();
    assert_true(fd >= 0);
    listener_close(&listener);
    turn();
    closed = 0;
    assert_int_equal(listener_init(&listener, &loop, fd, on_accept), 0);
    listener.on_closed = on_closed;
    to.sin6_port = htons(any);
    clients[nclients++] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(clients[0], (struct sockaddr *)&to, sizeof to), 0);
    wait_for(1);
    char text[ADDRESS_TEXT];
    address_format(&peers[0], text);
    assert_string_equal(text, "::1");
    assert_true(peers[0].v6 && peers[0].port != 0);
}

/* A file cannot be watched; it stays the caller's. */
static void what_cannot_be_watched_is_refused(void **state) {
    (void)state;
    struct listener other;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(listener_init(&other, &loop, fd, on_accept), UV_EPERM);
    assert_int_equal(close(fd), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(connections_are_accepted),
        TEST(many_connections_are_accepted),
        TEST(a_paused_listener_leaves_them_waiting),
        TEST(it_may_be_paused_by_whom_it_calls),
        TEST(it_may_be_closed_by_whom_it_calls),
        TEST(exhausted_descriptors_are_waited_for),
        TEST(it_says_so_again_the_next_time),
        TEST(a_try_that_finds_nobody_watches_again),
        TEST(a_starved_listener_may_be_paused),
        TEST(lost_connections_are_passed_over),
        TEST(an_address_in_use_is_told),
        TEST(a_claim_accepts_nobody),
        TEST(addresses_that_cannot_be_are_told),
        TEST(names_are_resolved),
        TEST(version_6_is_accepted),
        TEST(what_cannot_be_watched_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

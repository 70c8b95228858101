/* What net/conn promises: bytes in, bytes out, room, deadlines, and every way to an end. */
#include "net/conn.h"

#include "base/clock.h"
#include "base/fault.h"
#include "client.h"
#include "net/listener.h"
#include "table.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop loop;
static struct conn conn;
static struct client client;
static struct {
    struct buf data;
    int eofs, hangups, drains, errors, error, closed;
    size_t queued_at_drain;
} seen;

static void on_data(struct conn *c, const char *data, size_t n) {
    assert_ptr_equal(c, &conn);
    assert_int_equal(seen.closed, 0);
    buf_append(&seen.data, data, n);
}

static void on_eof(struct conn *c) {
    (void)c;
    seen.eofs++;
}

static void on_hangup(struct conn *c) {
    (void)c;
    seen.hangups++;
}

static void on_drain(struct conn *c) {
    seen.drains++;
    seen.queued_at_drain = conn_queued(c);
}

static void on_error(struct conn *c, int error) {
    (void)c;
    seen.errors++;
    seen.error = error;
}

static void on_closed(struct conn *c) {
    (void)c;
    seen.closed++;
}

static const struct conn_ops ops = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_hangup = on_hangup,
    .on_drain = on_drain,
    .on_error = on_error,
    .on_closed = on_closed,
};

static int setup(void **state) {
    (void)state;
    memset(&seen, 0, sizeof seen);
    client.fd = -1;
    signal(SIGPIPE, SIG_IGN);
    clock_freeze();
    return loop_init(&loop);
}

static void turn(void) {
    for (int i = 0; i < 6; i++)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void pass(uint64_t ms) {
    clock_advance_ns(ms * 1000000);
    turn();
}

static int teardown(void **state) {
    (void)state;
    fault_reset();
    client_fini(&client);
    conn_close(&conn, false);
    conn_close(&conn, true);
    turn();
    int bad = loop_handles(&loop) != 0 || seen.closed != 1;
    loop_fini(&loop);
    buf_fini(&seen.data);
    clock_thaw();
    return bad;
}

static void connect_pair(void) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    client_init(&client, fds[1]);
    assert_int_equal(conn_init(&conn, &loop, fds[0], &ops), 0);
    conn_read(&conn, true);
}

static void connect_tcp(void) {
    uint16_t port = 0;
    int listening = listener_bind("127.0.0.1", &port, false);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    int accepted = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    close(listening);
    client_init(&client, fd);
    assert_int_equal(conn_init(&conn, &loop, accepted, &ops), 0);
    conn_read(&conn, true);
}

/* More than a socket takes while nobody reads. */
static void fill(void) {
    static char bytes[4000000];
    conn_write(&conn, bytes, sizeof bytes);
    turn();
    assert_true(conn_queued(&conn) > 1000000);
}

static void hear(const char *want) {
    client_read(&client);
    assert_int_equal(client.got.len, strlen(want));
    assert_memory_equal(client.got.data, want, client.got.len);
}

/* The limit turn_bytes: what goes beyond it leaves in the next turn. */
static void a_turn_sends_so_much(void **state) {
    (void)state;
    static char bytes[180000];
    int unsent =
        sizeof bytes; /* the kernel takes all, which it does not by itself: see listener.c */
    connect_tcp();
    assert_int_equal(setsockopt(conn.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent),
                     0);
    conn.turn_bytes = 65536;
    conn_write(&conn, bytes, sizeof bytes);
    conn_flush(&conn);
    assert_int_equal(conn_queued(&conn), sizeof bytes - 65536);
    assert_false(list_empty(&loop.unsent)); /* it goes on by itself */
    conn_flush(&conn);
    assert_int_equal(conn_queued(&conn), sizeof bytes - 2 * 65536);
    turn();
    assert_int_equal(conn_queued(&conn), 0);
}

/* --- bytes --- */

static void bytes_arrive(void **state) {
    (void)state;
    connect_pair();
    client_send(&client, "abc", 3);
    turn();
    client_send(&client, "def", 3);
    turn();
    assert_true(str_eq(buf_str(&seen.data), STR("abcdef")));
    conn_read(&conn, false);
    client_send(&client, "ghi", 3);
    turn();
    assert_int_equal(seen.data.len, 6);
    conn_read(&conn, true);
    turn();
    assert_true(str_eq(buf_str(&seen.data), STR("abcdefghi")));
}

static void writes_leave_together_at_the_turns_end(void **state) {
    (void)state;
    connect_pair();
    conn_write(&conn, "abc", 3);
    conn_write(&conn, "", 0);
    memcpy(conn_reserve(&conn, 100), "def", 3);
    conn_commit(&conn, 3);
    assert_int_equal(conn_queued(&conn), 6);
    client_read(&client);
    assert_int_equal(client.got.len, 0);
    turn();
    hear("abcdef");
    assert_int_equal(conn_queued(&conn), 0);
    assert_int_equal(seen.drains, 1);
}

static void flushing_sends_now(void **state) {
    (void)state;
    connect_pair();
    conn_write(&conn, "abc", 3);
    conn_flush(&conn);
    hear("abc");
    assert_int_equal(conn_queued(&conn), 0);
}

static void more_segments_than_one_call_takes(void **state) {
    (void)state;
    static char bytes[65536];
    size_t got = 0;
    connect_pair();
    for (int i = 0; i < 100; i++)
        conn_write(&conn, bytes, sizeof bytes);
    while (got < 100 * sizeof bytes) {
        turn();
        client_read(&client);
        got += client.got.len;
        client.got.len = 0;
    }
    assert_int_equal(conn_queued(&conn), 0);
}

/* Told when the queue has sunk to the low mark, and when it is empty. */
static void room_is_told(void **state) {
    (void)state;
    connect_pair();
    conn.low_mark = 1000000;
    fill();
    assert_int_equal(seen.drains, 0);
    while (seen.drains == 0) {
        client_read_some(&client, 100000);
        turn();
    }
    assert_true(seen.queued_at_drain <= conn.low_mark);
    while (conn_queued(&conn) > 0) {
        client_read_some(&client, 200000);
        turn();
    }
    assert_int_equal(seen.queued_at_drain, 0);
    assert_int_equal(seen.drains, 2);
}

/* What is written behind a stalled queue follows it, in order. */
static void writing_goes_on_behind_a_full_socket(void **state) {
    (void)state;
    connect_pair();
    fault_arm("conn_write", -EAGAIN, 0, 2);
    conn_write(&conn, "abc", 3);
    conn_flush(&conn);
    conn_write(&conn, "def", 3);
    conn_flush(&conn);
    assert_true(conn_queued(&conn) >= 3); /* "abc" is under way */
    turn();
    hear("abcdef");
    assert_int_equal(conn_queued(&conn), 0);
    pass(1000000); /* no deadline is left */
    assert_int_equal(seen.errors, 0);
}

/* --- ends --- */

static void eof_is_told_once(void **state) {
    (void)state;
    connect_pair();
    client_send(&client, "abc", 3);
    client_end(&client);
    turn();
    assert_int_equal(seen.data.len, 3);
    assert_int_equal(seen.eofs, 1);
    conn_read(&conn, true);
    turn();
    assert_int_equal(seen.eofs, 1);
    conn_write(&conn, "def", 3); /* the other half still works */
    turn();
    hear("def");
    conn_end(&conn, true);
    turn();
    assert_int_equal(seen.closed, 1);
    client_read(&client);
    assert_true(client.eof);
}

static void ending_waits_for_the_queue(void **state) {
    (void)state;
    connect_pair();
    fill();
    conn_end(&conn, true);
    conn_end(&conn, true);
    conn_write(&conn, "lost", 4);
    while (!client_is_over(&client)) {
        turn();
        client_read(&client);
    }
    assert_true(client.eof);
    assert_int_equal(client.got.len, 4000000);
    assert_int_equal(seen.closed, 0);
    client_send(&client, "dropped", 7);
    turn();
    assert_int_equal(seen.data.len, 0);
    client_end(&client);
    turn();
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.eofs, 0);
}

/* While nothing comes and nothing is taken. */
static void lingering_ends(void **state) {
    (void)state;
    connect_pair();
    conn_end(&conn, true);
    pass(4999);
    assert_int_equal(seen.closed, 0);
    pass(1);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.errors, 0);
}

/* Who has all, and nothing more to send, is not waited for. */
static void who_has_all_is_not_waited_for(void **state) {
    (void)state;
    connect_pair();
    conn_write(&conn, "abc", 3);
    conn_end(&conn, false);
    turn();
    pass(CONN_LOOK_MS);
    assert_int_equal(seen.closed, 0); /* it has not read it */
    hear("abc");
    pass(500);
    assert_int_equal(seen.closed, 1);
}

/* But who does send more is, and who takes nothing for 5 s is left to the kernel. */
static void who_sends_more_is_waited_for(void **state) {
    (void)state;
    connect_pair();
    conn_end(&conn, false);
    client_send(&client, "abc", 3);
    turn();
    pass(CONN_LOOK_MS);
    pass(4999);
    assert_int_equal(seen.closed, 0);
    pass(1);
    assert_int_equal(seen.closed, 1);
}

static void who_takes_nothing_is_left_to_the_kernel(void **state) {
    (void)state;
    connect_pair();
    conn_write(&conn, "abc", 3);
    conn_end(&conn, false);
    turn();
    for (int ms = 0; ms < 4500; ms += CONN_LOOK_MS)
        pass(CONN_LOOK_MS);
    assert_int_equal(seen.closed, 0);
    for (int ms = 0; ms < 1000; ms += CONN_LOOK_MS)
        pass(CONN_LOOK_MS);
    assert_int_equal(seen.closed, 1);
    hear("abc");
}

/* And in any case after two minutes. */
static void lingering_goes_on_while_bytes_come(void **state) {
    (void)state;
    connect_pair();
    conn_end(&conn, true);
    for (int s = 0; s < 120; s += 5) {
        assert_int_equal(seen.closed, 0);
        client_send(&client, "abc", 3);
        turn();
        pass(5000);
    }
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.data.len, 0);
    assert_int_equal(seen.errors, 0);
}

/* Who writes ten megabytes before it reads still gets the answer that came before them. */
static void a_last_answer_outlives_what_comes_behind_it(void **state) {
    (void)state;
    static const char bytes[65536];
    connect_tcp();
    conn_write(&conn, "answer", 6);
    conn_end(&conn, true);
    for (size_t sent = 0, n; sent < 10000000; sent += n) {
        turn();
        n = client_send(&client, bytes, sizeof bytes);
        if (n == 0 && seen.closed)
            break;
    }
    while (!client_is_over(&client)) {
        turn();
        client_read(&client);
    }
    hear("answer");
    assert_true(client.eof);
    client_close(&client, false);
    while (seen.closed == 0)
        turn();
    assert_int_equal(seen.data.len, 0);
    assert_int_equal(seen.errors, 0);
}

/* Reading to the end, in small steps, while the server's timers go on. */
static void read_slowly(void) {
    while (!client_is_over(&client)) {
        client_wait(&client, CONN_LOOK_MS);
        client_read_some(&client, 10000);
        pass(CONN_LOOK_MS);
    }
}

/* Of what is written before conn_owe nothing is lost, whatever becomes of the rest. */
static void a_cut_keeps_what_is_owed(void **state) {
    (void)state;
    static char owed[300000];
    memset(owed, 'a', sizeof owed);
    connect_tcp();
    conn_write(&conn, owed, sizeof owed);
    turn();
    conn_owe(&conn);
    conn_write(&conn, "broken", 6);
    conn_flush(&conn);
    conn_cut(&conn, true);
    assert_int_equal(seen.closed, 0);
    read_slowly();
    assert_true(client.got.len == sizeof owed || client.reset); /* none of "broken", or told so */
    assert_true(client.got.len >= sizeof owed);
    assert_memory_equal(client.got.data, owed, sizeof owed);
    client_close(&client, false);
    while (seen.closed == 0)
        turn();
}

/* Some of the answer that breaks off has left: what is before it arrives, then the reset. */
static void a_cut_resets_behind_what_is_owed(void **state) {
    (void)state;
    connect_tcp();
    conn_write(&conn, "owed", 4);
    conn_flush(&conn);
    conn_owe(&conn);
    conn_write(&conn, "broken", 6);
    conn_flush(&conn);
    conn_cut(&conn, true);
    read_slowly();
    assert_true(client.reset);
    assert_int_equal(client.got.len, 10);
}

/* A peer that takes nothing is waited for no longer than any other. */
static void what_is_owed_must_progress(void **state) {
    (void)state;
    connect_pair();
    conn.progress_ms = 100;
    fill();
    conn_owe(&conn);
    conn_cut(&conn, true);
    pass(99);
    assert_int_equal(seen.closed, 0);
    pass(1);
    assert_int_equal(seen.closed, 1);
}

/* The end of the peer's side is told to who does not read, once, and again as EOF when it is read.
 */
static void a_hangup_is_told_to_who_rests(void **state) {
    (void)state;
    connect_tcp();
    conn_read(&conn, false);
    turn();
    client_send(&client, "abc", 3);
    turn();
    assert_int_equal(seen.hangups, 0);
    client_end(&client);
    while (seen.hangups == 0)
        turn();
    turn();
    assert_int_equal(seen.hangups, 1);
    assert_int_equal(seen.eofs + seen.errors + (int)seen.data.len, 0);
    conn_read(&conn, true);
    while (seen.eofs == 0)
        turn();
    assert_int_equal(seen.hangups, 1);
    assert_int_equal(seen.data.len, 3);
}

static void a_reset_while_lingering_is_no_error(void **state) {
    (void)state;
    connect_tcp();
    conn_end(&conn, true);
    turn();
    client_close(&client, true);
    while (seen.closed == 0)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(seen.errors, 0);
}

static void ending_a_lost_connection_closes(void **state) {
    (void)state;
    connect_tcp();
    client_close(&client, true);
    conn_end(&conn, true); /* the reset has arrived, but was not read */
    turn();
    assert_int_equal(seen.closed, 1);
}

static void closing_drops_what_is_queued(void **state) {
    (void)state;
    connect_pair();
    conn_write(&conn, "abc", 3);
    conn_close(&conn, false);
    conn_close(&conn, false);
    conn_write(&conn, "def", 3);
    memcpy(conn_reserve(&conn, 3), "ghi", 3);
    conn_commit(&conn, 3);
    conn_end(&conn, true);
    conn_read(&conn, false);
    conn_flush(&conn);
    turn();
    hear("");
    assert_true(client.eof);
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.errors, 0);
}

static void closing_gives_up_what_is_under_way(void **state) {
    (void)state;
    connect_pair();
    fill();
    conn_close(&conn, false);
    turn();
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.errors, 0);
    assert_int_equal(seen.drains, 0);
}

static void a_reset_is_sent(void **state) {
    (void)state;
    connect_tcp();
    conn_close(&conn, true);
    while (!client_is_over(&client)) {
        turn();
        client_read(&client);
    }
    assert_true(client.reset);
}

/* --- failures --- */

static void a_reset_is_told(void **state) {
    (void)state;
    connect_tcp();
    client_close(&client, true);
    while (seen.closed == 0)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(seen.errors, 1);
    assert_int_equal(seen.error, UV_ECONNRESET);
    assert_int_equal(seen.eofs, 0);
}

/* Also when nobody reads, and behind what nobody has read. */
static void a_reset_is_told_to_who_rests(void **state) {
    (void)state;
    connect_tcp();
    client_send(&client, "abc", 3);
    turn();
    conn_read(&conn, false);
    client_send(&client, "def", 3);
    turn();
    client_close(&client, true);
    while (seen.closed == 0)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(seen.errors, 1);
    assert_int_equal(seen.error, UV_ECONNRESET);
    assert_int_equal(seen.data.len, 3);
}

static void a_reset_is_told_after_eof(void **state) {
    (void)state;
    connect_tcp();
    client_end(&client);
    while (seen.eofs == 0)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    turn();
    assert_int_equal(seen.errors, 0);
    conn_write(&conn, "abc", 3); /* nobody takes it */
    turn();
    client_close(&client, true);
    while (seen.closed == 0)
        uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(seen.errors, 1);
}

static void interrupted_writes_go_on(void **state) {
    (void)state;
    connect_pair();
    fault_arm("conn_write", -EINTR, 0, 2);
    conn_write(&conn, "abc", 3);
    turn();
    hear("abc");
}

static void a_failed_write_is_told(void **state) {
    (void)state;
    connect_pair();
    fault_arm("conn_write", -EPIPE, 0, 1);
    conn_write(&conn, "abc", 3);
    assert_int_equal(seen.errors, 0); /* not from within the writer */
    turn();
    assert_int_equal(seen.errors, 1);
    assert_int_equal(seen.error, UV_EPIPE);
    assert_int_equal(seen.closed, 1);
}

static void a_write_that_fails_later_is_told(void **state) {
    (void)state;
    connect_pair();
    fill();
    conn_read(&conn, false);
    client_close(&client, false);
    turn();
    assert_int_equal(seen.errors, 1);
    assert_true(seen.error == UV_EPIPE || seen.error == UV_ECONNRESET);
    assert_int_equal(seen.closed, 1);
}

static void writes_must_progress(void **state) {
    (void)state;
    connect_pair();
    conn.progress_ms = 5000;
    fill();
    pass(4999);
    client_read_some(&client, 400000); /* progress: another whole period */
    turn();
    pass(4999);
    assert_int_equal(seen.errors, 0);
    pass(1);
    assert_int_equal(seen.errors, 1);
    assert_int_equal(seen.error, UV_ETIMEDOUT);
    assert_int_equal(seen.closed, 1);
}

/* An end that waits for a queue nobody reads is a stalled write too. */
static void ending_must_progress(void **state) {
    (void)state;
    connect_pair();
    conn.progress_ms = 5000;
    fill();
    conn_end(&conn, true);
    pass(5000);
    assert_int_equal(seen.error, UV_ETIMEDOUT);
    assert_int_equal(seen.closed, 1);
}

static void what_is_no_socket_is_refused(void **state) {
    (void)state;
    assert_int_equal(conn_init(&conn, &loop, 1 << 20, &ops), UV_EBADF);
    turn();
    assert_int_equal(seen.closed, 1);
    assert_int_equal(seen.errors, 0);
}

static void addresses_are_shown(void **state) {
    (void)state;
    static const struct {
        struct address address;
        const char *want;
    } rows[] = {
        {{.ip = {192, 0, 2, 1}}, "192.0.2.1"},
        {{.v6 = true, .ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, "2001:db8::1"},
        {{.v6 = true}, "::"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[ADDRESS_TEXT];
        address_format(&rows[i].address, text);
        assert_string_equal(text, rows[i].want);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bytes_arrive),
        TEST(writes_leave_together_at_the_turns_end),
        TEST(flushing_sends_now),
        TEST(more_segments_than_one_call_takes),
        TEST(room_is_told),
        TEST(writing_goes_on_behind_a_full_socket),
        TEST(eof_is_told_once),
        TEST(ending_waits_for_the_queue),
        TEST(lingering_ends),
        TEST(who_has_all_is_not_waited_for),
        TEST(who_sends_more_is_waited_for),
        TEST(who_takes_nothing_is_left_to_the_kernel),
        TEST(lingering_goes_on_while_bytes_come),
        TEST(a_last_answer_outlives_what_comes_behind_it),
        TEST(a_cut_keeps_what_is_owed),
        TEST(a_cut_resets_behind_what_is_owed),
        TEST(what_is_owed_must_progress),
        TEST(a_hangup_is_told_to_who_rests),
        TEST(a_reset_while_lingering_is_no_error),
        TEST(ending_a_lost_connection_closes),
        TEST(closing_drops_what_is_queued),
        TEST(closing_gives_up_what_is_under_way),
        TEST(a_reset_is_sent),
        TEST(a_reset_is_told),
        TEST(a_reset_is_told_to_who_rests),
        TEST(a_reset_is_told_after_eof),
        TEST(interrupted_writes_go_on),
        TEST(a_failed_write_is_told),
        TEST(a_write_that_fails_later_is_told),
        TEST(writes_must_progress),
        TEST(a_turn_sends_so_much),
        TEST(ending_must_progress),
        TEST(what_is_no_socket_is_refused),
        cmocka_unit_test(addresses_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* site: server, loop, application. The application's exchanges are `struct answer`: each holds
 * its stream and is freed when that closes, so that a list tells whether one was forgotten. */
#include "site.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/sse.h"
#include "wire/http1.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_S 20

struct answer {
    struct list link;
    struct site *site;
    struct stream *stream;
    struct buf arg, body;
    struct str rest; /* of /drip: what is still to be sent */
    struct timer later;
    void (*proceed)(struct answer *answer);
    bool held, echoes, forwards, stubborn;
};

static struct site *of_server(struct http_server *server) {
    return server->owner;
}

/* --- the application --- */

/* A copy, since the request's own bytes move when a stream of unknown length begins. */
static struct str arg(const struct answer *answer) {
    return buf_str(&answer->arg);
}

static uint64_t number(const struct answer *answer) {
    uint64_t n = 0;
    assert_int_equal(str_to_u64(arg(answer), &n), 0);
    return n;
}

static void say(struct answer *answer) {
    struct str text = arg(answer);
    stream_respond(answer->stream, "text/plain", text.ptr, text.len);
}

static void in_a_turn(struct answer *answer, void (*proceed)(struct answer *)) {
    answer->proceed = proceed;
    loop_timer(&answer->site->loop, &answer->later, 0);
}

static void later(struct answer *answer) {
    in_a_turn(answer, say);
}

static void hold(struct answer *answer) {
    answer->held = true;
}

static void size(struct answer *answer) {
    size_t n = number(answer);
    char *bytes = malloc(n + 1);
    memset(bytes, 'x', n);
    stream_respond(answer->stream, NULL, bytes, n);
    free(bytes);
}

static void on_readable(struct stream *stream);

/* There may be no body to wait for. */
static void await_body(struct answer *answer, bool bulk) {
    stream_want_body(answer->stream, bulk ? 1 : 0);
    if (answer->stream->in_ended)
        on_readable(answer->stream);
}

static void echo(struct answer *answer) {
    answer->echoes = true;
    await_body(answer, false);
}

static void echo_bulk(struct answer *answer) {
    answer->echoes = true;
    await_body(answer, true);
}

static void forward(struct answer *answer) {
    answer->forwards = true;
    stream_start(answer->stream, -1);
    await_body(answer, false);
}

static void pieces(struct answer *answer) {
    struct str rest = arg(answer);
    while (rest.ptr) {
        struct str piece = str_cut(&rest, ',');
        stream_write(answer->stream, piece.ptr, piece.len);
    }
    stream_finish(answer->stream);
}

static void drop_by_drop(struct answer *answer) {
    struct str piece = str_cut(&answer->rest, ',');
    stream_write(answer->stream, piece.ptr, piece.len);
    if (answer->rest.ptr)
        in_a_turn(answer, drop_by_drop);
    else
        stream_finish(answer->stream);
}

static void drip(struct answer *answer) {
    answer->rest = arg(answer);
    in_a_turn(answer, drop_by_drop);
}

static void endless(struct answer *answer) {
    struct str text = arg(answer);
    stream_write(answer->stream, text.ptr, text.len);
}

static void soon(struct answer *answer) {
    in_a_turn(answer, endless);
}

static void flood(struct answer *answer) {
    size_t n = number(answer);
    char *bytes = malloc(n);
    memset(bytes, 'x', n);
    stream_write(answer->stream, bytes, n);
    free(bytes);
}

static void hasty(struct answer *answer) {
    answer->stream->write_timeout_ms = 5000;
    flood(answer);
    stream_finish(answer->stream);
}

static void begin_and_read_on(struct answer *answer) {
    stream_write(answer->stream, "a", 1);
    stream_want_body(answer->stream, 0);
}

static void stubborn(struct answer *answer) {
    answer->stubborn = true;
    stream_want_body(answer->stream, 0);
}

static void exact_length(struct answer *answer) {
    struct str text = arg(answer);
    stream_start(answer->stream, (int64_t)text.len);
    for (size_t i = 0; i < text.len; i++)
        stream_write(answer->stream, text.ptr + i, 1);
    stream_finish(answer->stream);
}

static void too_short(struct answer *answer) {
    struct str text = arg(answer);
    stream_start(answer->stream, (int64_t)text.len + 1);
    stream_write(answer->stream, text.ptr, text.len);
    stream_finish(answer->stream);
}

static void status(struct answer *answer) {
    stream_set_status(answer->stream, (int)number(answer));
    stream_finish(answer->stream);
}

static void refuse(struct answer *answer) {
    stream_fail(answer->stream, (int)number(answer), NULL);
}

static void hint(struct answer *answer) {
    stream_informational(answer->stream, 103, STR("Link: </a.css>\r\n"));
    say(answer);
}

static void sse(struct answer *answer) {
    struct sse_options options = {.retry_ms = -1};
    sse_start(answer->stream, &options);
    sse_open(answer->stream);
}

static void give_up(struct answer *answer) {
    struct str text = arg(answer);
    if (text.len > 0)
        stream_write(answer->stream, text.ptr, text.len);
    stream_abort(answer->stream, REASON_ERROR, "the test wants it so");
}

static const struct {
    const char *path;
    void (*begin)(struct answer *answer);
} paths[] = {
    {"/say", say},
    {"/later", later},
    {"/held", hold},
    {"/size", size},
    {"/echo", echo},
    {"/bulk", echo_bulk},
    {"/stream", pieces},
    {"/drip", drip},
    {"/flood", flood},
    {"/endless", endless},
    {"/soon", soon},
    {"/exact", exact_length},
    {"/short", too_short},
    {"/status", status},
    {"/fail", refuse},
    {"/hint", hint},
    {"/sse", sse},
    {"/abort", give_up},
    {"/answer-body", forward},
    {"/stubborn", stubborn},
    {"/hasty", hasty},
};

/* --- its events --- */

static void take_all(struct answer *answer) {
    char bytes[1000];
    size_t n;
    while ((n = stream_take(answer->stream, bytes, sizeof bytes)) > 0) {
        if (answer->forwards)
            stream_write(answer->stream, bytes, n);
        else
            buf_append(&answer->body, bytes, n);
    }
}

static void on_readable(struct stream *stream) {
    struct answer *answer = stream->owner;
    answer->site->readable++;
    if (answer->stubborn && stream->in_failed)
        in_a_turn(answer, begin_and_read_on);
    if (!answer->echoes && !answer->forwards)
        return;
    take_all(answer);
    if (stream->in_failed && stream->state == STREAM_OPEN)
        stream_fail(stream, stream->in_timeout ? 408 : 400, NULL);
    else if (stream->in_failed)
        stream_abort(stream, REASON_CLIENT, NULL);
    else if (stream->in_ended && answer->echoes)
        stream_respond(stream, NULL, answer->body.data, answer->body.len);
    else if (stream->in_ended)
        stream_finish(stream);
}

static void on_writable(struct stream *stream) {
    ((struct answer *)stream->owner)->site->writable++;
}

static void on_close(struct stream *stream) {
    struct answer *answer = stream->owner;
    answer->site->closed[stream->reason]++;
    list_remove(&answer->link);
    timer_clear(&answer->later);
    buf_fini(&answer->arg);
    buf_fini(&answer->body);
    free(answer);
    stream_unref(stream);
}

static const struct stream_events events = {on_readable, on_writable, on_close};

static void on_later(struct timer *timer) {
    struct answer *answer = CONTAINER_OF(timer, struct answer, later);
    answer->proceed(answer);
}

static void on_request(struct http_server *server, struct stream *stream) {
    struct site *site = of_server(server);
    struct answer *answer = mem_zalloc(sizeof *answer);
    site->requests++;
    answer->site = site;
    answer->stream = stream_ref(stream);
    buf_reserve(&answer->arg, 1);
    buf_add(&answer->arg, request_query(stream->request));
    timer_init(&answer->later, on_later);
    list_push(&site->answers, &answer->link);
    stream_own(stream, &events, answer);
    if (stream->request->form == TARGET_ASTERISK) {
        say(answer);
        return;
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (path_is(request_path(stream->request), str_of(paths[i].path))) {
            paths[i].begin(answer);
            return;
        }
    }
    stream_fail(stream, 404, NULL);
}

/* --- the site --- */

static void on_log(enum log_level level, struct str line, void *ctx) {
    struct site *site = ctx;
    (void)level;
    site->lines++;
    buf_add(&site->said, line);
}

static void on_left(struct http_server *server) {
    of_server(server)->left++;
}

static void on_drained(struct http_server *server) {
    of_server(server)->drained++;
}

void site_init(struct site *site) {
    struct limits limits;
    *site = (struct site){0};
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    clock_freeze();
    assert_int_equal(loop_init(&site->loop), 0);
    limits_init(&limits);
    http_server_init(&site->server, &site->loop, &limits);
    site->server.protocol = &http1;
    site->server.on_request = on_request;
    site->server.on_left = on_left;
    site->server.on_drained = on_drained;
    site->server.owner = site;
    list_init(&site->answers);
    log_set_sink(on_log, site);
}

void site_fini(struct site *site) {
    fault_reset();
    http_server_stop(&site->server);
    site_settle(site);
    assert_true(list_empty(&site->answers));
    assert_true(list_empty(&site->server.connections));
    assert_true(list_empty(&site->server.streams));
    assert_int_equal(site->server.counters.connections, 0);
    assert_int_equal(site->server.counters.streams, 0);
    assert_int_equal(loop_handles(&site->loop), 0);
    http_server_fini(&site->server);
    loop_fini(&site->loop);
    log_set_sink(NULL, NULL);
    buf_fini(&site->said);
    clock_thaw();
}

static const struct address someone = {.ip = {192, 0, 2, 1}, .port = 1};

void site_connect(struct site *site, struct client *client) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    client_init(client, fds[1]);
    http_server_accept(&site->server, fds[0], &someone);
}

void site_connect_tcp(struct site *site, struct client *client) {
    uint16_t port = 0;
    int listening = listener_bind("127.0.0.1", &port, false);
    assert_true(listening >= 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    int accepted = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    close(listening);
    client_init(client, fd);
    http_server_accept(&site->server, accepted, &someone);
}

/* What arrives over a local socket is there at once, and what a turn leaves for the next one is
 * done by the next: a handful of turns is always enough. */
void site_settle(struct site *site) {
    for (int i = 0; i < 8; i++)
        uv_run(&site->loop.uv, UV_RUN_NOWAIT);
}

/* Processor time, so that a busy machine does not fail a test. */
static void lose_patience(clock_t since) {
    if ((clock() - since) / CLOCKS_PER_SEC > PATIENCE_S)
        fail_msg("waited for %d s", PATIENCE_S);
}

void site_read_all(struct site *site, struct client *client) {
    for (clock_t since = clock(); !client_is_over(client); lose_patience(since)) {
        uv_run(&site->loop.uv, UV_RUN_NOWAIT);
        client_read(client);
    }
    site_settle(site);
}

void site_await_request(struct site *site, int requests) {
    for (clock_t since = clock(); site->requests < requests; lose_patience(since))
        uv_run(&site->loop.uv, UV_RUN_NOWAIT);
}

void site_await_end(struct site *site) {
    for (clock_t since = clock(); site_connections(site) > 0; lose_patience(since))
        uv_run(&site->loop.uv, UV_RUN_NOWAIT);
    site_settle(site);
}

void site_send(struct site *site, struct client *client, struct str bytes) {
    size_t at = 0;
    clock_t since = clock();
    do {
        at += client_send(client, bytes.ptr + at, bytes.len - at);
        uv_run(&site->loop.uv, UV_RUN_NOWAIT);
        client_read(client);
        lose_patience(since);
    } while (at < bytes.len && !client_is_over(client));
    site_settle(site);
    client_read(client);
}

void site_pass(struct site *site, uint64_t ms) {
    clock_advance_ns(ms * 1000000);
    site_settle(site);
}

void site_release(struct site *site) {
    for (struct list *at = site->answers.next; at != &site->answers; at = at->next) {
        struct answer *answer = CONTAINER_OF(at, struct answer, link);
        if (!answer->held)
            continue;
        answer->held = false;
        say(answer);
        site_settle(site);
        return;
    }
    fail_msg("nothing is held");
}

int site_connections(struct site *site) {
    return (int)site->server.counters.connections;
}

struct stream *site_stream(struct site *site) {
    if (list_empty(&site->answers))
        return NULL;
    return CONTAINER_OF(site->answers.prev, struct answer, link)->stream;
}

/* Any bytes on a connection, in any pieces, against a server whose application answers at once or
 * later, with or without the request's body. What must hold:
 *
 *   - however the bytes are cut, the same requests with the same bodies reach the application, and
 *     the same bytes come back (but for a late answer over an unread body, which closes or not by
 *     how much of it is here);
 *   - a request that is refused is the last one, and its connection closes;
 *   - what comes back is a row of whole HTTP/1.1 answers, but for the last, one for each request;
 *   - when the client has left, nothing is left.
 *
 * Input: the flags, the number of cuts, the cuts' distances, then the bytes. */
#include "base/clock.h"
#include "base/log.h"
#include "http/stream.h"
#include "wire/http1.h"

#include "fuzz.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LATER = 1, UNREAD = 2, STREAMS = 4, HALF_CLOSE = 8, STRICT = 16 };

/* One conversation. */
struct talk {
    struct loop loop;
    struct http_server server;
    struct list answers;
    struct buf seen; /* what the application was given */
    struct buf heard;
    int flags, fd;
    unsigned requests;
    bool heads[4000 / 16]; /* which requests were HEAD; the shortest has 16 bytes */
    bool over, refused;
    bool last;       /* the client wants the connection closed behind this request */
    bool left_first; /* the server ended the connection */
};

struct answer {
    struct list link;
    struct talk *talk;
    struct stream *stream;
    struct timer later;
};

/* --- the application --- */

static void finish(struct answer *answer) {
    struct stream *stream = answer->stream;
    if (answer->talk->flags & STREAMS) {
        stream_write(stream, "some", 4);
        stream_write(stream, "thing", 5);
        stream_finish(stream);
    } else {
        stream_respond(stream, "text/plain", "something", 9);
    }
}

static void on_later(struct timer *timer) {
    finish(CONTAINER_OF(timer, struct answer, later));
}

static void conclude(struct answer *answer) {
    if (answer->talk->flags & LATER)
        loop_timer(&answer->talk->loop, &answer->later, 0);
    else
        finish(answer);
}

static void on_readable(struct stream *stream) {
    struct answer *answer = stream->owner;
    char bytes[64];
    size_t n;
    if (answer->talk->flags & UNREAD)
        return;
    while ((n = stream_take(stream, bytes, sizeof bytes)) > 0)
        buf_append(&answer->talk->seen, bytes, n);
    if (stream->in_ended && stream->request->content_length >= 0)
        CHECK(stream->received == (uint64_t)stream->request->content_length);
    if (stream->in_ended || stream->in_failed) {
        buf_add(&answer->talk->seen, stream->in_ended ? STR(" whole\n") : STR(" cut\n"));
        conclude(answer);
    }
}

static void on_close(struct stream *stream) {
    struct answer *answer = stream->owner;
    list_remove(&answer->link);
    timer_clear(&answer->later);
    free(answer);
    stream_unref(stream);
}

static void note(struct talk *talk, const struct request *request) {
    buf_printf(&talk->seen, "%.*s %.*s HTTP/1.%d %d %d %lld\n", STR_ARG(request_method(request)),
               STR_ARG(request_target(request)), request->minor, request->chunked,
               request->keep_alive, (long long)request->content_length);
    for (size_t i = 0; i < request->nfields; i++) {
        CHECK(request_field_name(request, i).len > 0);
        buf_add(&talk->seen, request_field_name(request, i));
        buf_add_char(&talk->seen, ':');
        buf_add(&talk->seen, request_field_value(request, i));
        buf_add_char(&talk->seen, '\n');
    }
}

static void on_request(struct http_server *server, struct stream *stream) {
    static const struct stream_events events = {on_readable, NULL, on_close};
    struct talk *talk = server->owner;
    struct answer *answer = calloc(1, sizeof *answer);
    CHECK(answer != NULL);
    CHECK(server->counters.bad_requests == 0); /* a refused request is the last */
    CHECK(!talk->last);
    talk->last = !stream->request->keep_alive;
    talk->heads[talk->requests++] = stream->head_only;
    note(talk, stream->request);
    answer->talk = talk;
    answer->stream = stream_ref(stream);
    timer_init(&answer->later, on_later);
    list_push(&talk->answers, &answer->link);
    stream_own(stream, &events, answer);
    if (talk->flags & UNREAD) {
        conclude(answer);
        return;
    }
    stream_want_body(stream, 0);
    if (stream->in_ended)
        on_readable(stream);
}

/* --- the conversation --- */

static void hear(struct talk *talk) {
    while (!talk->over) {
        ssize_t n = recv(talk->fd, buf_reserve(&talk->heard, 4096), 4096, 0);
        if (n > 0)
            talk->heard.len += (size_t)n;
        else if (n == 0 || errno != EAGAIN)
            talk->over = true;
        else
            return;
    }
}

/* Turns until nothing happens any more. */
static void turn(struct talk *talk) {
    size_t before;
    do {
        before = talk->heard.len + talk->requests;
        for (int i = 0; i < 4; i++)
            uv_run(&talk->loop.uv, UV_RUN_NOWAIT);
        hear(talk);
    } while (talk->heard.len + talk->requests != before);
}

static void say(struct talk *talk, const uint8_t *bytes, size_t n) {
    CHECK(send(talk->fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n || talk->over);
    turn(talk);
}

static void begin(struct talk *talk, int flags) {
    static const struct address peer = {.ip = {192, 0, 2, 1}};
    struct limits limits;
    int fds[2];
    *talk = (struct talk){.flags = flags};
    list_init(&talk->answers);
    CHECK(loop_init(&talk->loop) == 0);
    limits_init(&limits);
    if (flags & STRICT) {
        limits.head_bytes = 256;
        limits.head_fields = 4;
        limits.target_bytes = 32;
    }
    http_server_init(&talk->server, &talk->loop, &limits);
    talk->server.protocol = &http1;
    talk->server.on_request = on_request;
    talk->server.owner = talk;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    talk->fd = fds[1];
    http_server_accept(&talk->server, fds[0], &peer);
}

/* The client leaves, by halves or at once. */
static void end(struct talk *talk) {
    talk->left_first = talk->over;
    CHECK(talk->over || talk->server.counters.bad_requests == 0); /* a refusal closes */
    if (talk->flags & HALF_CLOSE) {
        shutdown(talk->fd, SHUT_WR);
        turn(talk);
        CHECK(talk->over); /* no answer is held back */
    }
    close(talk->fd);
    talk->over = true;
    turn(talk);
    CHECK(talk->server.counters.bad_requests <= 1);
    talk->refused = talk->server.counters.bad_requests > 0;
    CHECK(list_empty(&talk->answers));
    CHECK(list_empty(&talk->server.streams));
    CHECK(list_empty(&talk->server.connections));
    CHECK(talk->server.counters.connections == 0);
    CHECK(loop_handles(&talk->loop) == 0);
    http_server_fini(&talk->server);
    loop_fini(&talk->loop);
}

static void forget(struct talk *talk) {
    buf_fini(&talk->seen);
    buf_fini(&talk->heard);
}

/* --- what came back --- */

static bool next_line(struct str *rest, struct str *line) {
    const char *lf = rest->len ? memchr(rest->ptr, '\n', rest->len) : NULL;
    if (lf == NULL)
        return false;
    size_t n = (size_t)(lf - rest->ptr);
    CHECK(n > 0 && rest->ptr[n - 1] == '\r');
    *line = (struct str){rest->ptr, n - 1};
    CHECK(!has_byte(*line, '\r') && !has_byte(*line, '\0'));
    *rest = (struct str){rest->ptr + n + 1, rest->len - n - 1};
    return true;
}

static void skip(struct str *rest, size_t n) {
    CHECK(n <= rest->len);
    *rest = (struct str){rest->ptr + n, rest->len - n};
}

/* The body that the application writes, or a refusal's. */
static void skip_body(struct str *rest, uint64_t length, bool chunked, bool sized) {
    struct str line;
    if (sized) {
        skip(rest, length);
        return;
    }
    if (!chunked) {
        skip(rest, rest->len);
        return;
    }
    do {
        CHECK(next_line(rest, &line));
        length = strtoul(line.ptr, NULL, 16);
        skip(rest, length);
        CHECK(next_line(rest, &line) && line.len == 0);
    } while (length > 0);
}

/* One answer; its status. */
static int read_answer(struct str *rest, bool head, bool *last) {
    struct str line;
    uint64_t status, length = 0;
    bool chunked = false, sized = false;
    CHECK(next_line(rest, &line));
    CHECK(str_starts(line, STR("HTTP/1.1 ")) && line.len > 13);
    CHECK(str_to_u64((struct str){line.ptr + 9, 3}, &status) == 0);
    for (;;) {
        CHECK(next_line(rest, &line));
        if (line.len == 0)
            break;
        struct str value = line, name = str_cut(&value, ':');
        CHECK(value.len > 0);
        value = str_trim(value);
        if (str_ieq(name, STR("content-length"))) {
            CHECK(!sized && str_to_u64(value, &length) == 0);
            sized = true;
        }
        chunked |= str_ieq(name, STR("transfer-encoding"));
        *last |= str_ieq(name, STR("connection")) && str_eq(value, STR("close"));
    }
    CHECK(!(chunked && sized));
    if (status >= 200 && !head)
        skip_body(rest, length, chunked, sized);
    return (int)status;
}

/* Answers stand for requests one by one; nothing follows one that said "close", and the server does
 * not leave without having said so. */
static void check_answers(const struct talk *talk) {
    struct str rest = buf_str(&talk->heard);
    unsigned answers = 0;
    bool last = false;
    while (rest.len > 0) {
        CHECK(!last);
        bool head = answers < talk->requests && talk->heads[answers];
        if (answers == talk->requests) /* to a refused HEAD: it has no body, and is the last */
            head = rest.len > 4 && memcmp(rest.ptr + rest.len - 4, "\r\n\r\n", 4) == 0;
        if (read_answer(&rest, head, &last) >= 200)
            answers++;
    }
    CHECK(answers <= talk->requests + talk->refused);
    /* A stream over an unread body may have gone on with it when its head was sent. */
    CHECK(last || !talk->left_first || talk->flags & UNREAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct talk cut, whole;
    uint8_t cuts[255];
    if (size > 4000) /* more than that may be kept behind an answer, depending on the cuts */
        return 0;
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_NONE);
    clock_freeze();
    int flags = take_byte(&in);
    size_t n = take_byte(&in);
    for (size_t i = 0; i < n; i++)
        cuts[i] = take_byte(&in);

    begin(&cut, flags);
    const uint8_t *at = in.at;
    size_t left = in.left;
    for (size_t i = 0; i < n && cuts[i] < left; i++) {
        say(&cut, at, cuts[i]);
        at += cuts[i];
        left -= cuts[i];
    }
    say(&cut, at, left);
    end(&cut);

    begin(&whole, flags);
    say(&whole, in.at, in.left);
    end(&whole);

    check_answers(&cut);
    check_answers(&whole);
    if (!(flags & LATER && flags & UNREAD)) {
        CHECK(cut.refused == whole.refused);
        CHECK(cut.requests == whole.requests);
        CHECK(cut.refused || str_eq(buf_str(&cut.seen), buf_str(&whole.seen)));
        CHECK(cut.refused || str_eq(buf_str(&cut.heard), buf_str(&whole.heard)));
    }
    forget(&cut);
    forget(&whole);
    clock_thaw();
    return 0;
}

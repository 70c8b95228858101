/* client: a socket and what came over it. The reading half is a small HTTP/1.1 client that trusts
 * nothing: it shares no code with core/http but the date's grammar, and what every answer owes
 * (RFC 9110, RFC 9112) it demands of each. */
#include "client.h"

#include "base/clock.h"
#include "proto/date.h"
#include "proto/header.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_BODY 60 /* longer ones are shown by their size */

void client_init(struct client *client, int fd) {
    *client = (struct client){.fd = fd};
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

void client_fini(struct client *client) {
    client_close(client, false);
    buf_fini(&client->got);
}

size_t client_send(struct client *client, const char *bytes, size_t n) {
    ssize_t sent = send(client->fd, bytes, n, MSG_NOSIGNAL);
    return sent < 0 ? 0 : (size_t)sent;
}

void client_read_some(struct client *client, size_t n) {
    while (n > 0 && client->fd >= 0 && !client_is_over(client)) {
        size_t most = n < 65536 ? n : 65536;
        ssize_t got = recv(client->fd, buf_reserve(&client->got, most), most, 0);
        if (got < 0 && errno == EAGAIN)
            return;
        client->eof = got == 0;
        client->reset = got < 0;
        if (got > 0) {
            client->got.len += (size_t)got;
            n -= (size_t)got;
        }
    }
}

void client_read(struct client *client) {
    client_read_some(client, SIZE_MAX);
}

void client_wait(const struct client *client, int ms) {
    struct pollfd poller = {.fd = client->fd, .events = POLLIN};
    poll(&poller, 1, ms);
}

void client_end(struct client *client) {
    shutdown(client->fd, SHUT_WR);
}

void client_close(struct client *client, bool reset) {
    if (client->fd < 0)
        return;
    struct linger now = {.l_onoff = 1};
    if (reset)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(client->fd);
    client->fd = -1;
}

/* --- reading answers --- */

struct answer {
    int status;
    bool dated, named, chunked;
    int64_t length; /* -1: no Content-Length */
    struct str connection;
    struct buf body;
    bool cut;
};

#define DEMAND(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("an answer breaks a rule: %s\n", #condition);                              \
            _fail(__FILE__, __LINE__);                                                             \
        }                                                                                          \
    } while (0)

/* Cuts a line off `rest`; false: it has not come whole. */
static bool next_line(struct str *rest, struct str *line) {
    for (size_t i = 1; i < rest->len; i++) {
        if (rest->ptr[i] != '\n')
            continue;
        DEMAND(rest->ptr[i - 1] == '\r');
        *line = (struct str){rest->ptr, i - 1};
        DEMAND(memchr(line->ptr, '\r', line->len) == NULL);
        rest->ptr += i + 1;
        rest->len -= i + 1;
        return true;
    }
    return false;
}

/* HTTP/1.1 SP 3DIGIT SP reason-phrase (RFC 9112 section 4) */
static void read_status(struct str line, struct answer *answer) {
    uint64_t status;
    DEMAND(str_starts(line, STR("HTTP/1.1 ")));
    DEMAND(line.len > 13 && line.ptr[12] == ' ');
    DEMAND(str_to_u64((struct str){line.ptr + 9, 3}, &status) == 0);
    DEMAND(status >= 100 && status <= 599);
    answer->status = (int)status;
}

static void read_date(struct str value) {
    int64_t date, now = clock_wall_ns() / 1000000000;
    char again[HTTP_DATE_LEN + 1];
    DEMAND(http_date_parse(value, &date) == 0);
    DEMAND(clock_is_frozen() ? date <= now && date > now - 4000 : date <= now && date > now - 100);
    http_date_format(date, again);
    DEMAND(str_eq(value, str_of(again))); /* IMF-fixdate: the only form to be sent */
}

static void read_field(struct str line, struct answer *answer) {
    struct str value = line, name = str_cut(&value, ':');
    DEMAND(value.len > 0 && value.ptr[0] == ' ');
    value = (struct str){value.ptr + 1, value.len - 1};
    DEMAND(header_is_token(name) && header_is_value(value));
    if (str_ieq(name, STR("Date"))) {
        DEMAND(!answer->dated);
        answer->dated = true;
        read_date(value);
    } else if (str_ieq(name, STR("Server"))) {
        DEMAND(!answer->named && str_eq(value, STR("weir")));
        answer->named = true;
    } else if (str_ieq(name, STR("Content-Length"))) {
        uint64_t length = 0;
        DEMAND(answer->length < 0 && str_to_u64(value, &length) == 0);
        answer->length = (int64_t)length;
    } else if (str_ieq(name, STR("Transfer-Encoding"))) {
        DEMAND(!answer->chunked && str_eq(value, STR("chunked")));
        answer->chunked = true;
    } else if (str_ieq(name, STR("Connection"))) {
        DEMAND(answer->connection.ptr == NULL);
        answer->connection = value;
    }
}

static void read_exactly(struct str *rest, size_t n, struct answer *answer) {
    answer->cut = rest->len < n;
    if (answer->cut)
        n = rest->len;
    buf_append(&answer->body, rest->ptr, n);
    rest->ptr += n;
    rest->len -= n;
}

static void read_chunks(struct str *rest, struct answer *answer) {
    struct str line;
    char text[20];
    while (!answer->cut) {
        if (!next_line(rest, &line)) {
            answer->cut = true;
            return;
        }
        DEMAND(line.len > 0 && line.len < sizeof text);
        memcpy(text, line.ptr, line.len);
        text[line.len] = 0;
        char *end;
        size_t n = strtoul(text, &end, 16);
        DEMAND(*end == 0);
        if (n == 0)
            break;
        read_exactly(rest, n, answer);
        if (!answer->cut && rest->len < 2)
            answer->cut = true;
        else if (!answer->cut)
            DEMAND(next_line(rest, &line) && line.len == 0);
    }
    if (!answer->cut)
        DEMAND(next_line(rest, &line) && line.len == 0);
}

static bool is_bodiless(const struct answer *answer, enum transcript what) {
    return what == HEADS || answer->status < 200 || answer->status == 204 || answer->status == 304;
}

/* One answer off `rest`; false: its head has not come whole. */
static bool read_answer(struct str *rest, struct answer *answer, enum transcript what) {
    struct str line, all = *rest;
    *answer = (struct answer){.length = -1};
    if (!next_line(rest, &line))
        return false;
    read_status(line, answer);
    while (next_line(rest, &line) && line.len > 0)
        read_field(line, answer);
    if (line.len > 0) {
        *rest = all;
        return false;
    }
    DEMAND(answer->status < 200 || (answer->dated && answer->named));
    DEMAND(answer->length < 0 || !answer->chunked);
    DEMAND((answer->status >= 200 && answer->status != 204) ||
           (answer->length < 0 && !answer->chunked));
    if (is_bodiless(answer, what))
        return true;
    if (answer->chunked)
        read_chunks(rest, answer);
    else
        read_exactly(rest, answer->length < 0 ? rest->len : (size_t)answer->length, answer);
    return true;
}

static void show(struct buf *out, const struct answer *answer, enum transcript what) {
    buf_printf(out, "%d", answer->status);
    if (answer->chunked)
        buf_printf(out, " chunked");
    else if (answer->length >= 0 && what == BRIEF)
        buf_printf(out, " length");
    else if (answer->length >= 0)
        buf_printf(out, " length:%lld", (long long)answer->length);
    else
        buf_printf(out, is_bodiless(answer, what) ? " none" : " to-end");
    if (answer->connection.ptr)
        buf_printf(out, " %.*s", STR_ARG(answer->connection));
    if (what != BRIEF && answer->body.len > LONG_BODY)
        buf_printf(out, " (%zu bytes)", answer->body.len);
    else if (what != BRIEF && answer->body.len > 0)
        buf_printf(out, " %.*s", (int)answer->body.len, answer->body.data);
    buf_printf(out, answer->cut ? " cut; " : "; ");
}

const char *client_transcript(const struct client *client, enum transcript what) {
    static char text[4096];
    struct buf out = {0};
    struct str rest = buf_str(&client->got);
    struct answer answer;
    while (rest.len > 0 && read_answer(&rest, &answer, what)) {
        show(&out, &answer, what);
        buf_fini(&answer.body);
    }
    if (rest.len > 0)
        buf_printf(&out, "(%zu bytes of a head); ", rest.len);
    buf_printf(&out, client->reset ? "reset" : client->eof ? "eof" : "open");
    snprintf(text, sizeof text, "%.*s", (int)out.len, out.data);
    buf_fini(&out);
    return text;
}

struct str client_field(const struct client *client, const char *name) {
    struct str rest = buf_str(&client->got), line;
    while (next_line(&rest, &line)) {
        struct str value = line, found = str_cut(&value, ':');
        if (value.ptr && str_ieq(found, str_of(name)))
            return str_trim(value);
    }
    return (struct str){NULL, 0};
}

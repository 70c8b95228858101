/* access_log: lines on their way to a file.
 *
 *   stream closes ──> lines ──(64 KiB or 100 ms)──> scribe (base/scribe.h): a thread writes
 *
 * The loop formats and hands over many lines at once; it never waits for the disk, nor for who
 * reads a pipe. Several workers have one scribe, so their lines do not mix. What the scribe has no
 * room for it drops and counts, reopens renamed files, and tells when it cannot write.
 *
 * A line is made for every request, so its common parts are copied, not printed: the texts of the
 * second and of the last client are kept, numbers are written here. Owned by a worker; must not
 * know protocols or Lua.
 */
#include "http/access_log.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/scribe.h"
#include "http/stream.h"
#include "proto/redact.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

_Static_assert(ACCESS_LINE_MAX <= PIPE_BUF, "a line must be written at once");

#define STAMP 28 /* bytes of "[10/Oct/2000:13:55:36 +0000]" */

struct access_log {
    struct loop *loop;
    struct buf lines;
    struct buf target; /* of the request of the line that is made */
    struct timer flush;
    int64_t second; /* of `stamp` */
    char stamp[STAMP];
    struct address client; /* of the last line, */
    char shown[ADDRESS_TEXT];
    size_t shown_len; /* shown so; 0: there was none */
    struct scribe *scribe;
};

/* --- a line --- */

static bool is_plain(unsigned char c) {
    return (c >= 0x20) & (c < 0x7F) & (c != '"') & (c != '\\');
}

enum { RUN = 16 };

/* Without branches, so that compilers look at all bytes at once. */
static bool is_plain_run(const char *s) {
    unsigned char plain = 1;
    for (size_t i = 0; i < RUN; i++)
        plain &= is_plain((unsigned char)s[i]);
    return plain;
}

static char *put_escape(char *out, unsigned char c) {
    static const char hex[] = "0123456789ABCDEF";
    memcpy(out, "\\x", 2);
    out[2] = hex[c >> 4];
    out[3] = hex[c & 15];
    return out + 4;
}

/* At most `most` bytes; the last three are dots where that is not enough. */
static char *put_escaped(char *out, struct str s, size_t most) {
    const char *end = out + most - 7; /* room for one more byte, escaped, and the dots */
    for (size_t i = 0; i < s.len;) {
        if (s.len - i >= RUN && out + RUN <= end && is_plain_run(s.ptr + i)) {
            memcpy(out, s.ptr + i, RUN);
            out += RUN;
            i += RUN;
            continue;
        }
        if (out > end) {
            memcpy(out, "...", 3);
            return out + 3;
        }
        unsigned char c = (unsigned char)s.ptr[i++];
        if (is_plain(c))
            *out++ = (char)c;
        else
            out = put_escape(out, c);
    }
    return out;
}

static char *put_str(char *out, struct str s) {
    memcpy(out, s.ptr, s.len);
    return out + s.len;
}

/* With zeroes in front up to `width` digits. */
static char *put_number(char *out, uint64_t n, int width) {
    if (n >= 10 || width > 1)
        out = put_number(out, n / 10, width - 1);
    *out = (char)('0' + n % 10);
    return out + 1;
}

/* "007": a status, milliseconds. */
static char *put_three(char *out, unsigned n) {
    *out++ = (char)('0' + n / 100 % 10);
    *out++ = (char)('0' + n / 10 % 10);
    *out++ = (char)('0' + n % 10);
    return out;
}

static bool is_same(const struct address *one, const struct address *other) {
    return one->v6 == other->v6 && memcmp(one->ip, other->ip, sizeof one->ip) == 0;
}

static void show(struct access_log *log, const struct address *client) {
    static const struct address none;
    log->client = *client;
    if (is_same(client, &none))
        strcpy(log->shown, "-");
    else
        address_format(client, log->shown);
    log->shown_len = strlen(log->shown);
}

/* Clients come back, by the same connection or for what a page has. */
static char *put_client(struct access_log *log, char *out, const struct address *client) {
    if (log->shown_len == 0 || !is_same(client, &log->client))
        show(log, client);
    memcpy(out, log->shown, sizeof log->shown);
    return out + log->shown_len;
}

/* Whatever the locale. */
static void make_stamp(struct access_log *log, int64_t second) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)second;
    struct tm tm;
    gmtime_r(&now, &tm);
    char *out = log->stamp;
    *out++ = '[';
    out = put_number(out, (uint64_t)tm.tm_mday, 2);
    *out++ = '/';
    out = put_str(out, (struct str){months + 3 * (size_t)tm.tm_mon, 3});
    *out++ = '/';
    out = put_number(out, (uint64_t)tm.tm_year + 1900, 4);
    *out++ = ':';
    out = put_number(out, (uint64_t)tm.tm_hour, 2);
    *out++ = ':';
    out = put_number(out, (uint64_t)tm.tm_min, 2);
    *out++ = ':';
    out = put_number(out, (uint64_t)tm.tm_sec, 2);
    put_str(out, STR(" +0000]"));
    log->second = second;
}

static char *put_stamp(struct access_log *log, char *out) {
    int64_t second = clock_wall_s();
    if (second != log->second)
        make_stamp(log, second);
    memcpy(out, log->stamp, STAMP);
    return out + STAMP;
}

/* A URL, without the token it may carry. */
static char *put_url(char *out, struct str url, size_t most) {
    struct buf scratch = {0};
    out = put_escaped(out, redact_url(url, &scratch), most);
    buf_fini(&scratch);
    return out;
}

static char *put_quoted_url(char *out, struct str url) {
    enum { MOST = 768 };
    *out++ = '"';
    if (url.len > 0)
        out = put_url(out, url, MOST);
    else
        *out++ = '-';
    *out++ = '"';
    return out;
}

static char *put_quoted(char *out, struct str s) {
    enum { MOST = 768 };
    *out++ = '"';
    if (s.len > 0)
        out = put_escaped(out, s, MOST);
    else
        *out++ = '-';
    *out++ = '"';
    return out;
}

static char *put_request(struct access_log *log, char *out, const struct request *request) {
    enum { TARGET_MOST = 2048 };
    *out++ = '"';
    out = put_str(out, request_method(request)); /* a token: nothing to escape */
    *out++ = ' ';
    out = put_url(out, request_show_target(request, &log->target), TARGET_MOST);
    out = put_str(out, STR(" HTTP/1."));
    *out++ = (char)('0' + request->minor);
    *out++ = '"';
    return out;
}

static void find_named(const struct request *request, struct str *referer, struct str *agent) {
    for (size_t i = request->nfields; i-- > 0;) { /* the first of each counts */
        struct str name = request_field_name(request, i);
        if (str_eq(name, STR("referer")))
            *referer = request_field_value(request, i);
        else if (str_eq(name, STR("user-agent")))
            *agent = request_field_value(request, i);
    }
}

/* `out` has room for ACCESS_LINE_MAX bytes; returns where the line ends. */
static char *put_line(struct access_log *log, char *out, const struct stream *stream) {
    const struct request *request = stream->request;
    uint64_t ms = loop_now(log->loop) - stream->started;
    struct str referer = {0}, agent = {0};
    find_named(request, &referer, &agent);
    out = put_client(log, out, stream_client(stream));
    out = put_str(out, STR(" - - "));
    out = put_stamp(log, out);
    *out++ = ' ';
    out = put_request(log, out, request);
    *out++ = ' ';
    out = put_three(out, stream->status);
    *out++ = ' ';
    out = put_number(out, stream->head_only || stream->bodiless ? 0 : stream->sent, 1);
    *out++ = ' ';
    out = put_quoted_url(out, referer);
    *out++ = ' ';
    out = put_quoted(out, agent);
    *out++ = ' ';
    out = put_number(out, ms / 1000, 1);
    *out++ = '.';
    out = put_three(out, (unsigned)(ms % 1000));
    *out++ = ' ';
    out = stpcpy(out, stream_reason_name(stream->reason));
    *out++ = '\n';
    return out;
}

/* --- on the loop --- */

static void hand_over(struct access_log *log) {
    timer_clear(&log->flush);
    scribe_take(log->scribe, &log->lines);
}

static void on_flush(struct timer *timer) {
    hand_over(CONTAINER_OF(timer, struct access_log, flush));
}

int access_log_open(struct loop *loop, const char *path, struct access_log **out) {
    struct scribe *scribe;
    int rc = strcmp(path, "-") == 0 ? scribe_of(STDOUT_FILENO, "standard output", &scribe)
                                    : scribe_open(path, &scribe);
    if (rc < 0)
        return rc;
    struct access_log *log = mem_zalloc(sizeof(*log));
    log->loop = loop;
    log->scribe = scribe;
    log->second = -1;
    timer_init(&log->flush, on_flush);
    *out = log;
    return 0;
}

void access_log_stream(struct access_log *log, const struct stream *stream) {
    char *at = buf_reserve(&log->lines, ACCESS_LINE_MAX);
    log->lines.len += (size_t)(put_line(log, at, stream) - at);
    if (log->lines.len >= ACCESS_FLUSH_BYTES)
        hand_over(log);
    else if (!timer_is_set(&log->flush))
        loop_timer(log->loop, &log->flush, ACCESS_FLUSH_MS);
}

void access_log_close(struct access_log *log) {
    if (!log)
        return;
    hand_over(log);
    scribe_close(log->scribe);
    buf_fini(&log->lines);
    buf_fini(&log->target);
    free(log);
}

void access_log_shorten(struct request *request) {
    static const struct str logged[] = {{"referer", 7}, {"user-agent", 10}};
    request_shorten(request, logged, sizeof logged / sizeof *logged);
}

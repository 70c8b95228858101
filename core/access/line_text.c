/* line_text: a line of the access log in the combined format, and what it has not:
 *
 *   192.0.2.1 - - [10/Oct/2000:13:55:36 +0000] "GET / HTTP/1.1" 200 2326 "referer" "agent" \
 *       0.012 done -                                                      (one line)
 *
 * What is not printable ASCII, '"' and '\' are written \xNN. A long field is cut and ends in "...":
 * the line is never longer than ACCESS_LINE_MAX. Who reads the first fields as the combined format
 * finds them where they were. It must not know where the line goes. */
#include "access/line.h"

#include "base/clock.h"
#include "proto/redact.h"

#include <time.h>

#define STAMP 28 /* bytes of "[10/Oct/2000:13:55:36 +0000]" */

static bool is_plain(unsigned char c) {
    return (c >= 0x20) & (c < 0x7F) & (c != '"') & (c != '\\');
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
        if (s.len - i >= LINE_RUN && out + LINE_RUN <= end && line_is_plain(s.ptr + i)) {
            memcpy(out, s.ptr + i, LINE_RUN);
            out += LINE_RUN;
            i += LINE_RUN;
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

static char *put_client(struct line *line, char *out, const struct stream *stream) {
    line_take_client(line, stream);
    if (line->shown_len == 0) {
        *out = '-';
        return out + 1;
    }
    memcpy(out, line->shown, sizeof line->shown);
    return out + line->shown_len;
}

/* Whatever the locale. */
static void make_stamp(struct line *line, int64_t second) {
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t now = (time_t)second;
    struct tm tm;
    gmtime_r(&now, &tm);
    char *out = line->stamp;
    *out++ = '[';
    out = line_put_number(out, (uint64_t)tm.tm_mday, 2);
    *out++ = '/';
    out = line_put(out, (struct str){months + 3 * (size_t)tm.tm_mon, 3});
    *out++ = '/';
    out = line_put_number(out, (uint64_t)tm.tm_year + 1900, 4);
    *out++ = ':';
    out = line_put_number(out, (uint64_t)tm.tm_hour, 2);
    *out++ = ':';
    out = line_put_number(out, (uint64_t)tm.tm_min, 2);
    *out++ = ':';
    out = line_put_number(out, (uint64_t)tm.tm_sec, 2);
    line_put(out, STR(" +0000]"));
    line->second = second;
}

static char *put_stamp(struct line *line, char *out) {
    int64_t second = clock_wall_s();
    if (second != line->second)
        make_stamp(line, second);
    memcpy(out, line->stamp, STAMP);
    return out + STAMP;
}

/* A URL, without the token it may carry. */
static char *put_url(char *out, struct str url, size_t most) {
    struct buf scratch = {0};
    out = put_escaped(out, redact_url(url, &scratch), most);
    buf_fini(&scratch);
    return out;
}

enum { NAMED_MOST = 768, TARGET_MOST = 2048 };

static char *put_quoted_url(char *out, struct str url) {
    *out++ = '"';
    if (url.len > 0)
        out = put_url(out, url, NAMED_MOST);
    else
        *out++ = '-';
    *out++ = '"';
    return out;
}

static char *put_quoted(char *out, struct str s) {
    *out++ = '"';
    if (s.len > 0)
        out = put_escaped(out, s, NAMED_MOST);
    else
        *out++ = '-';
    *out++ = '"';
    return out;
}

static char *put_request(struct line *line, char *out, const struct request *request) {
    *out++ = '"';
    out = line_put(out, request_method(request)); /* a token: nothing to escape */
    *out++ = ' ';
    out = put_url(out, request_show_target(request, &line->target), TARGET_MOST);
    out = line_put(out, STR(" HTTP/1."));
    *out++ = (char)('0' + request->minor);
    *out++ = '"';
    return out;
}

static char *put_reason(char *out, const struct stream *stream) {
    bool over = stream->state == STREAM_CLOSED;
    return stpcpy(out, over ? stream_reason_name(stream->reason) : "begun");
}

/* And of a stream that has gone on, what of it arrived. */
static char *put_identity(char *out, const struct stream *stream) {
    char made[IDENTITY_MADE];
    out = line_put(out, identity_of(stream->request, stream->id, made));
    if (!stream_goes_on(stream) || stream->state != STREAM_CLOSED)
        return out;
    out = line_put_number(line_put(out, STR(" events=")), stream->delivered, 1);
    return line_put_number(line_put(out, STR(" dropped=")), stream->lost, 1);
}

char *line_put_text(struct line *line, char *out, const struct stream *stream) {
    struct str referer = {0}, agent = {0};
    line_named(stream->request, &referer, &agent);
    out = put_client(line, out, stream);
    out = line_put(out, STR(" - - "));
    out = put_stamp(line, out);
    *out++ = ' ';
    out = put_request(line, out, stream->request);
    *out++ = ' ';
    out = line_put_three(out, stream->status);
    *out++ = ' ';
    out = line_put_number(out, line_sent(stream), 1);
    *out++ = ' ';
    out = put_quoted_url(out, referer);
    *out++ = ' ';
    out = put_quoted(out, agent);
    *out++ = ' ';
    out = line_put_seconds(out, loop_now(stream->server->loop) - stream->started);
    *out++ = ' ';
    out = put_reason(out, stream);
    *out++ = ' ';
    if (stream->request->identified)
        out = put_identity(out, stream);
    else
        *out++ = '-';
    *out++ = '\n';
    return out;
}

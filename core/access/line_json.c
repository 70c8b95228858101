/* line_json: a line of the access log as a JSON object.
 *
 *   {"time":"2026-11-20T12:34:56.789Z","access":"request","stream":17,"request_id":"2f7c-17",
 *    "client":"192.0.2.1","method":"GET","target":"/","version":"1.1","status":200,"bytes":2326,
 *    "seconds":0.012,"reason":"done","referer":"...","user_agent":"..."}        (one line)
 *
 * "access" tells it from a line of the log, which may go to the same place, and a request from a
 * stream that has begun or ended. What is not known is left out. A long text is cut and ends in
 * "...": the line is never longer than ACCESS_LINE_MAX. It must not know where the line goes. */
#include "access/line.h"

#include "base/clock.h"
#include "base/log_line.h"
#include "proto/redact.h"

#include <time.h>

#define SECONDS 20 /* bytes of "2026-11-20T12:34:56." */
enum { NAMED_MOST = 640, TARGET_MOST = 1536 };

/* At most `most` bytes, in quotes; the last three are dots where that is not enough. */
static char *put_quoted(char *out, struct str s, size_t most) {
    const char *end = out + most - LOG_QUOTED_MAX - 5; /* room for one more, dots and quotes */
    *out++ = '"';
    while (s.len > 0 && out <= end) {
        if (s.len >= LINE_RUN && out + LINE_RUN <= end && line_is_plain(s.ptr)) {
            memcpy(out, s.ptr, LINE_RUN);
            out += LINE_RUN;
            s = (struct str){s.ptr + LINE_RUN, s.len - LINE_RUN};
        } else {
            out += log_quote_one(out, &s);
        }
    }
    if (s.len > 0)
        out = line_put(out, STR("..."));
    *out++ = '"';
    return out;
}

/* `name` is ",\"name\":"; nothing when there is no value. */
static char *put_text(char *out, struct str name, struct str value, size_t most) {
    return value.len > 0 ? put_quoted(line_put(out, name), value, most) : out;
}

/* The same of what has nothing to escape and a limit of its own. */
static char *put_word(char *out, struct str name, struct str value) {
    if (value.len == 0)
        return out;
    out = line_put(out, name);
    *out++ = '"';
    out = line_put(out, value);
    *out++ = '"';
    return out;
}

static char *put_count(char *out, struct str name, uint64_t n) {
    return line_put_number(line_put(out, name), n, 1);
}

static char *put_url(char *out, struct str name, struct str url, size_t most) {
    struct buf scratch = {0};
    out = put_text(out, name, redact_url(url, &scratch), most);
    buf_fini(&scratch);
    return out;
}

static void make_stamp(struct line *line, int64_t second) {
    time_t now = (time_t)second;
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(line->stamp, sizeof line->stamp, "%Y-%m-%dT%H:%M:%S.", &tm);
    line->second = second;
}

static char *put_time(struct line *line, char *out) {
    int64_t ms = clock_wall_ms();
    if (ms / 1000 != line->second)
        make_stamp(line, ms / 1000);
    out = line_put(out, STR("{\"time\":\""));
    memcpy(out, line->stamp, SECONDS);
    return line_put(line_put_three(out + SECONDS, (unsigned)(ms % 1000)), STR("Z\""));
}

static const char *access_of(const struct stream *stream) {
    if (stream->state != STREAM_CLOSED)
        return "begun";
    return stream_goes_on(stream) ? "ended" : "request";
}

static char *put_identity(char *out, const struct stream *stream) {
    char made[IDENTITY_MADE];
    struct str id = identity_of(stream->request, stream->id, made);
    out = line_put(out, STR(",\"access\":\""));
    out = stpcpy(out, access_of(stream));
    out = put_count(out, STR("\",\"stream\":"), stream->id);
    out = put_word(out, STR(",\"request_id\":"), id);
    return put_word(out, STR(",\"trace_id\":"), identity_trace(stream->request));
}

static char *put_request(struct line *line, char *out, const struct stream *stream) {
    const struct request *request = stream->request;
    struct str target = request_show_target(request, &line->target);
    line_take_client(line, stream);
    out = put_word(out, STR(",\"client\":"), (struct str){line->shown, line->shown_len});
    out = put_word(out, STR(",\"method\":"), request_method(request));
    out = put_url(out, STR(",\"target\":"), target, TARGET_MOST);
    out = line_put(out, STR(",\"version\":\"1."));
    *out++ = (char)('0' + request->minor);
    *out++ = '"';
    return stream->status ? put_count(out, STR(",\"status\":"), stream->status) : out;
}

static char *put_end(char *out, const struct stream *stream) {
    uint64_t ms = loop_now(stream->server->loop) - stream->started;
    struct str reason = str_of(stream_reason_name(stream->reason));
    if (stream->state != STREAM_CLOSED)
        return out;
    out = put_count(out, STR(",\"bytes\":"), line_sent(stream));
    out = line_put_seconds(line_put(out, STR(",\"seconds\":")), ms);
    out = put_word(out, STR(",\"reason\":"), reason);
    if (!stream_goes_on(stream))
        return out;
    out = put_count(out, STR(",\"events\":"), stream->delivered);
    return put_count(out, STR(",\"dropped\":"), stream->lost);
}

char *line_put_json(struct line *line, char *out, const struct stream *stream) {
    struct str referer = {0}, agent = {0};
    line_named(stream->request, &referer, &agent);
    out = put_time(line, out);
    out = put_identity(out, stream);
    out = put_request(line, out, stream);
    out = put_end(out, stream);
    out = put_url(out, STR(",\"referer\":"), referer, NAMED_MOST);
    out = put_text(out, STR(",\"user_agent\":"), agent, NAMED_MOST);
    return line_put(out, STR("}\n"));
}

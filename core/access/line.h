/* line: what the access log says of a stream, in either form. */
#ifndef ACCESS_LINE_H
#define ACCESS_LINE_H

#include "http/stream.h"

#define ACCESS_LINE_MAX 4096 /* PIPE_BUF: lines stay whole on pipes too */
#define ACCESS_STAMP_MAX 32

/* The writer of the lines of one log, and what it keeps of the last one. */
struct line {
    /* `out` has room for ACCESS_LINE_MAX bytes; returns where the line ends. */
    char *(*put)(struct line *line, char *out, const struct stream *stream);
    struct buf target;            /* of the request */
    int64_t second;               /* of `stamp`; -1: there is none */
    char stamp[ACCESS_STAMP_MAX]; /* the second as the form has it */
    struct address client;        /* of the last line, */
    char shown[ADDRESS_TEXT];     /* shown so; empty: the client is not known */
    size_t shown_len;
    bool showing; /* there was a last line */
};

void line_init(struct line *line, bool json);
void line_fini(struct line *line);

/* --- the forms --- */

char *line_put_text(struct line *line, char *out, const struct stream *stream);
char *line_put_json(struct line *line, char *out, const struct stream *stream);

/* --- what they have in common --- */

void line_show(struct line *line, const struct address *client);

/* Inline, as what follows is: half of what a hello costs here were calls otherwise. */

static inline bool line_is_same(const struct address *one, const struct address *other) {
    return one->v6 == other->v6 && memcmp(one->ip, other->ip, sizeof one->ip) == 0;
}

/* Makes `shown` that of the client. Clients come back, by the same connection or for what a page
 * has. */
static inline void line_take_client(struct line *line, const struct stream *stream) {
    const struct address *client = stream_client(stream);
    if (!line->showing || !line_is_same(client, &line->client))
        line_show(line, client);
}

static inline void line_named(const struct request *request, struct str *referer,
                              struct str *agent) {
    for (size_t i = request->nfields; i-- > 0;) { /* the first of each counts */
        struct str name = request_field_name(request, i);
        if (str_eq(name, STR("referer")))
            *referer = request_field_value(request, i);
        else if (str_eq(name, STR("user-agent")))
            *agent = request_field_value(request, i);
    }
}

/* "4217", with zeroes in front up to `width` digits. */
static inline char *line_put_number(char *out, uint64_t n, int width) {
    if (n >= 10 || width > 1)
        out = line_put_number(out, n / 10, width - 1);
    *out = (char)('0' + n % 10);
    return out + 1;
}

/* "007": a status, milliseconds. */
static inline char *line_put_three(char *out, unsigned n) {
    *out++ = (char)('0' + n / 100 % 10);
    *out++ = (char)('0' + n / 10 % 10);
    *out++ = (char)('0' + n % 10);
    return out;
}

/* "12.345" */
static inline char *line_put_seconds(char *out, uint64_t ms) {
    out = line_put_number(out, ms / 1000, 1);
    *out++ = '.';
    return line_put_three(out, (unsigned)(ms % 1000));
}

/* Bytes of the body that were sent. */
static inline uint64_t line_sent(const struct stream *stream) {
    return stream->head_only || stream->bodiless ? 0 : stream->sent;
}

static inline char *line_put(char *out, struct str s) {
    memcpy(out, s.ptr, s.len);
    return out + s.len;
}

enum { LINE_RUN = 16 };

/* Whether the next LINE_RUN bytes are printable ASCII but '"' and '\'. Without branches, so that
 * compilers look at all bytes at once. */
static inline bool line_is_plain(const char *s) {
    unsigned char plain = 1;
    for (size_t i = 0; i < LINE_RUN; i++) {
        unsigned char c = (unsigned char)s[i];
        plain &= (c >= 0x20) & (c < 0x7F) & (c != '"') & (c != '\\');
    }
    return plain;
}

#endif

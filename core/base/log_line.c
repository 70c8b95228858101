/* log_line: what is to be told, as one line of text or as one JSON object.
 *
 *     log_event --> log_line_text: stamp, level, text with what could steer a terminal escaped
 *              \--> log_line_json: the same things, each with its name
 *
 * Text may come from a peer. What could begin a line or steer a terminal is escaped in both: C0
 * controls and DEL, C1 controls (U+009B is an escape sequence's start), and all bytes that are not
 * UTF-8, which JSON cannot have at all.
 *
 * Pure: an event in, bytes out. It must not know who tells it, nor where it goes. */
#include "base/log_line.h"

#include <time.h>

static void add_time(struct buf *out, int64_t ms) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1,
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
}

/* How many bytes at the start of `text`, valid UTF-8, are a control character; 0 if none. */
static size_t control(struct str text) {
    unsigned char c = (unsigned char)text.ptr[0];
    if (c == 0xC2 && text.len > 1 && (unsigned char)text.ptr[1] < 0xA0)
        return 2;
    return c < 0x20 || c == 0x7F;
}

/* --- as text --- */

static void add_escaped(struct buf *out, char c) {
    if (c == '\n')
        buf_add(out, STR("\\n"));
    else
        buf_printf(out, "\\x%02x", (unsigned char)c);
}

/* Appends valid UTF-8 with its control characters escaped, but for `keep` (NUL: for none). */
static void add_valid(struct buf *out, struct str text, char keep) {
    size_t n;
    for (; text.len > 0; text.ptr += n, text.len -= n) {
        n = control(text);
        if (n == 0 || (text.ptr[0] == keep && keep != '\0')) {
            n = 1;
            buf_add_char(out, text.ptr[0]);
            continue;
        }
        for (size_t i = 0; i < n; i++)
            add_escaped(out, text.ptr[i]);
    }
}

static void add_message(struct buf *out, struct str text, char keep) {
    for (;;) {
        size_t valid = str_utf8_valid(text);
        add_valid(out, (struct str){text.ptr, valid}, keep);
        if (valid == text.len)
            return;
        add_escaped(out, text.ptr[valid]);
        text.ptr += valid + 1;
        text.len -= valid + 1;
    }
}

static void add_origin(struct buf *out, const struct log_origin *origin) {
    if (origin->request_id[0])
        buf_printf(out, " request_id=%s", origin->request_id);
    if (origin->trace_id[0])
        buf_printf(out, " trace_id=%s", origin->trace_id);
}

void log_line_text(struct buf *out, const struct log_event *event) {
    struct str rest = event->text;
    char keep = event->lines ? '\t' : '\0';
    add_time(out, event->time_ms);
    buf_printf(out, " %-5s ", event->level.ptr);
    struct str first = event->lines ? str_cut(&rest, '\n') : rest;
    add_message(out, first, keep);
    add_origin(out, &event->origin);
    while (event->lines && rest.ptr != NULL) {
        buf_add(out, STR("\n    "));
        add_message(out, str_cut(&rest, '\n'), keep);
    }
    if (event->missing > 0)
        buf_printf(out, " … and %zu bytes more", event->missing);
    buf_add_char(out, '\n');
}

/* --- as JSON --- */

/* How long the character is at the start of `text`; 0: that is no UTF-8. */
static size_t character(struct str text) {
    unsigned char c = (unsigned char)text.ptr[0];
    size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    return n <= text.len && str_utf8_valid((struct str){text.ptr, n}) == n ? n : 0;
}

static size_t put_code(char *out, unsigned code) {
    static const char hex[] = "0123456789abcdef";
    memcpy(out, "\\u", 2);
    for (int i = 0; i < 4; i++)
        out[2 + i] = hex[code >> (12 - 4 * i) & 15];
    return 6;
}

/* Of a character of `n` bytes at the start of `text`; 0: it is none. */
static size_t quote(char out[LOG_QUOTED_MAX], struct str text, size_t n) {
    if (n == 0)
        return put_code(out, 0xFFFD);
    if (control(text) == 2)
        return put_code(out, (unsigned char)text.ptr[1]);
    if (control(text) == 1 && text.ptr[0] != '\n')
        return put_code(out, (unsigned char)text.ptr[0]);
    if (text.ptr[0] == '"' || text.ptr[0] == '\\' || text.ptr[0] == '\n') {
        out[0] = '\\';
        out[1] = text.ptr[0];
        if (text.ptr[0] == '\n')
            out[1] = 'n';
        return 2;
    }
    memcpy(out, text.ptr, n);
    return n;
}

size_t log_quote_one(char out[LOG_QUOTED_MAX], struct str *rest) {
    struct str text = *rest;
    unsigned char c = (unsigned char)text.ptr[0];
    size_t n = 1, put = 1;
    if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') { /* most are */
        out[0] = text.ptr[0];
    } else {
        n = character(text);
        put = quote(out, text, n);
    }
    n += n == 0;
    *rest = (struct str){text.ptr + n, text.len - n};
    return put;
}

void log_quote(struct buf *out, struct str text) {
    buf_add_char(out, '"');
    while (text.len > 0) {
        char *at = buf_reserve(out, LOG_QUOTED_MAX);
        out->len += log_quote_one(at, &text);
    }
    buf_add_char(out, '"');
}

static void add_named(struct buf *out, struct str name, struct str value) {
    if (value.len == 0)
        return;
    buf_add(out, name);
    log_quote(out, value);
}

void log_line_json(struct buf *out, const struct log_event *event) {
    buf_add(out, STR("{\"time\":\""));
    add_time(out, event->time_ms);
    buf_add(out, STR("\",\"level\":\""));
    buf_add(out, event->level);
    buf_add(out, STR("\",\"message\":"));
    log_quote(out, event->text);
    if (event->missing > 0)
        buf_printf(out, ",\"missing_bytes\":%zu", event->missing);
    add_named(out, STR(",\"request_id\":"), str_of(event->origin.request_id));
    add_named(out, STR(",\"trace_id\":"), str_of(event->origin.trace_id));
    if (event->fields.len > 0) {
        buf_add(out, STR(",\"fields\":"));
        buf_add(out, event->fields);
    }
    buf_add(out, STR("}\n"));
}

/* record: a line of a log as those get it who look at it: one object of JSON, on one line.
 *
 *     {"id":"9f3a01bc~PLACE","t":1732970000.123,"level":"error","line":"...","cut":true}
 *
 * `t` is in seconds since 1970, with as many digits as it takes; t and level are left out where the
 * line tells none, cut where it is whole. So no byte of a line can do harm on the way: control
 * characters leave as escapes, and each byte that is no part of a character of UTF-8 as U+FFFD.
 *
 * Each line that is shown is written here, so what needs no care is found eight bytes at a time and
 * copied in runs. Pure. */
#include "logs/record.h"

#define REPLACEMENT "\xef\xbf\xbd"
#define FRAME_MAX 96 /* an object's names, quotes, time and level */
#define WORST 6      /* bytes of JSON for one of text */

/* Whether one of eight bytes needs care: it is a control character, a quote, a backslash or not
 * ASCII. */
static bool needs_care(const char *at) {
    const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t control = (word - ones * 0x20) & ~word;
    uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\';
    quote = (quote - ones) & ~quote;
    slash = (slash - ones) & ~slash;
    return ((control | quote | slash | word) & tops) != 0;
}

static bool is_plain(char c) {
    unsigned char u = (unsigned char)c;
    return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

/* How many leading bytes need no care. */
static size_t plain_run(struct str text) {
    size_t n = 0;
    while (text.len - n >= 8 && !needs_care(text.ptr + n))
        n += 8;
    while (n < text.len && is_plain(text.ptr[n]))
        n++;
    return n;
}

static char *put(char *out, const char *bytes, size_t n) {
    memcpy(out, bytes, n);
    return out + n;
}

/* An ASCII character that needs care. */
static char *put_escape(char *out, unsigned char c) {
    static const char names[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    *out++ = '\\';
    if (c >= 0x20 || names[c]) {
        *out++ = c >= 0x20 ? (char)c : names[c];
        return out;
    }
    out = put(out, "u00", 3);
    *out++ = (char)('0' + (c >> 4));
    *out++ = "0123456789abcdef"[c & 15];
    return out;
}

/* The first character that needs care; `*used` bytes of the text. */
static char *put_careful(char *out, struct str text, size_t *used) {
    unsigned char c = (unsigned char)*text.ptr;
    *used = 1;
    if (c < 0x80)
        return put_escape(out, c);
    size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (whole > text.len || str_utf8_valid((struct str){text.ptr, whole}) < whole)
        return put(out, REPLACEMENT, 3);
    *used = whole;
    return put(out, text.ptr, whole);
}

/* There is room for the worst. */
static char *put_string(char *out, struct str text) {
    *out++ = '"';
    while (text.len > 0) {
        size_t n = plain_run(text);
        out = put(out, text.ptr, n);
        text = (struct str){text.ptr + n, text.len - n};
        if (text.len == 0)
            break;
        out = put_careful(out, text, &n);
        text = (struct str){text.ptr + n, text.len - n};
    }
    *out++ = '"';
    return out;
}

static char *put_number(char *out, uint64_t value) {
    char text[20];
    size_t n = 0;
    do
        text[n++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (n > 0)
        *out++ = text[--n];
    return out;
}

/* Microseconds as seconds. */
static char *put_time(char *out, int64_t time) {
    uint64_t size = time < 0 ? 0 - (uint64_t)time : (uint64_t)time;
    if (time < 0)
        *out++ = '-';
    out = put_number(out, size / 1000000);
    unsigned fraction = (unsigned)(size % 1000000);
    if (fraction > 0)
        *out++ = '.';
    for (unsigned unit = 100000; fraction > 0; fraction %= unit, unit /= 10)
        *out++ = (char)('0' + fraction / unit);
    return out;
}

void record_string(struct buf *out, struct str text) {
    char *begin = buf_reserve(out, 2 + WORST * text.len);
    out->len += (size_t)(put_string(begin, text) - begin);
}

void record_write(struct buf *out, const struct record *record) {
    char *begin = buf_reserve(out, FRAME_MAX + WORST * (record->id.len + record->line.len));
    char *at = put_string(put(begin, "{\"id\":", 6), record->id);
    if (record->tells.time != STAMP_NONE)
        at = put_time(put(at, ",\"t\":", 5), record->tells.time);
    if (record->tells.level != LEVEL_NONE) {
        struct str name = level_name(record->tells.level);
        at = put(put(at, ",\"level\":\"", 10), name.ptr, name.len);
        *at++ = '"';
    }
    at = put_string(put(at, ",\"line\":", 8), record->line);
    if (record->cut)
        at = put(at, ",\"cut\":true", 11);
    *at++ = '}';
    out->len += (size_t)(at - begin);
}

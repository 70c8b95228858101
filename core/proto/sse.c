/* sse: one event as bytes of text/event-stream (HTML standard, section 9.2).
 *
 *     : comment          one line for each line of the comment
 *     retry: 3000
 *     event: message
 *     data: {"a":1}      one line for each line of the data
 *     id: 1700000000000-0000003
 *     (empty line)       dispatches the event
 *
 * The id comes last because some receivers take it as soon as its line is there: one whose
 * connection was cut in between would ask for what is behind an event that it never got whole.
 *
 * The grammar has no escapes. So what would end a line in `id` or `event` is an error of the
 * caller, or else whoever chooses a value could write fields and events of his own; in `data` and
 * `comment` a line end starts another field line, which the receiver joins with LF again. A stream
 * must be UTF-8 and the receiver would replace what is not (Encoding standard, "UTF-8 decode"): we
 * do the same replacement here, where it can be counted, and never emit a byte that could merge
 * with the line end after it. One space follows each colon because a receiver takes one away: data
 * that begins with a space arrives whole.
 *
 * NUL is refused in `id` because a receiver ignores such a field (section 9.2.6), and in `event`
 * for symmetry.
 *
 * Publishing encodes an event once, whatever the number of subscribers, and direct sends once for
 * each, so this is hot. `plain` reads sixteen ASCII bytes at a time; text without line ends and
 * faults is scanned once and copied once, into memory reserved for the whole event. Pure: owns
 * nothing, knows no topic, no id syntax, no chunk. */
#include "proto/sse.h"

#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* What an event takes beyond its values when each has one line: prefixes, line ends, the number of
 * `retry` and the empty line are 52 bytes. */
#define FRAME_MAX 64
#define LANES 16 /* bytes that are looked at together */

/* The length of the UTF-8 sequence that opens `p`, and in `*valid` whether it is one; if not, the
 * length of the maximal subpart that one U+FFFD stands for. The bounds of the second byte exclude
 * overlong forms, surrogates and what lies beyond U+10FFFF (RFC 3629 section 4). */
static size_t sequence(const unsigned char *p, size_t left, bool *valid) {
    unsigned char lead = p[0], low = 0x80, high = 0xBF;
    size_t need;

    *valid = false;
    if (lead < 0x80)
        need = 0;
    else if (lead >= 0xC2 && lead <= 0xDF)
        need = 1;
    else if (lead >= 0xE0 && lead <= 0xEF)
        need = 2;
    else if (lead >= 0xF0 && lead <= 0xF4)
        need = 3;
    else
        return 1;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    for (size_t i = 1; i <= need; i++) {
        if (i >= left || p[i] < low || p[i] > high)
            return i;
        low = 0x80;
        high = 0xBF;
    }
    *valid = true;
    return need + 1;
}

/* Whether the sixteen bytes at `p` are ASCII without CR and LF. The vectors are the compiler's own,
 * of no machine in particular. */
static bool are_plain(const unsigned char *p) {
    typedef unsigned char lanes __attribute__((vector_size(LANES)));
    typedef uint64_t halves __attribute__((vector_size(LANES)));
    lanes bytes;
    memcpy(&bytes, p, sizeof bytes);
    halves found = (halves)(bytes == '\n') | (halves)(bytes == '\r') | (halves)(bytes & 0x80);
    return (found[0] | found[1]) == 0;
}

/* How many leading bytes of `s` are valid UTF-8 without CR and LF. */
static size_t plain(struct str s) {
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;

    while (i < s.len) {
        while (s.len - i >= LANES && are_plain(p + i))
            i += LANES;
        /* Text in other scripts stays in this inner loop instead of trying many in vain. */
        for (size_t tried = 0; tried < LANES && i < s.len; tried++) {
            bool valid;
            if (p[i] == '\n' || p[i] == '\r')
                return i;
            size_t n = sequence(p + i, s.len - i, &valid);
            if (!valid)
                return i;
            i += n;
        }
    }
    return i;
}

/* `value` as one or more field lines, each opened by `prefix`. */
static void put_lines(struct buf *out, struct str prefix, struct str value, uint64_t *replaced) {
    size_t n = plain(value);

    buf_add(out, prefix);
    for (;;) {
        bool valid;
        buf_append(out, value.ptr, n);
        value.ptr += n;
        value.len -= n;
        if (value.len == 0)
            break;
        if (value.ptr[0] == '\r' || value.ptr[0] == '\n') {
            n = value.len > 1 && value.ptr[0] == '\r' && value.ptr[1] == '\n' ? 2 : 1;
            buf_add_char(out, '\n');
            buf_add(out, prefix);
        } else {
            n = sequence((const unsigned char *)value.ptr, value.len, &valid);
            buf_append(out, REPLACEMENT, sizeof REPLACEMENT - 1);
            ++*replaced;
        }
        value.ptr += n;
        value.len -= n;
        n = plain(value);
    }
    buf_add_char(out, '\n');
}

/* Whether `s` fits on one line. */
static bool one_line(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\r' || s.ptr[i] == '\n' || s.ptr[i] == '\0')
            return false;
    return true;
}

int sse_encode(struct buf *out, const struct sse_event *event, uint64_t *replaced) {
    if (!one_line(event->event) || !one_line(event->id))
        return SSE_EFIELD;
    buf_reserve(out, FRAME_MAX + event->comment.len + event->id.len + event->event.len +
                         event->data.len);
    if (event->comment.ptr)
        put_lines(out, STR(": "), event->comment, replaced);
    if (event->retry >= 0)
        buf_printf(out, "retry: %lld\n", (long long)event->retry);
    if (event->event.ptr)
        put_lines(out, STR("event: "), event->event, replaced);
    if (event->data.ptr)
        put_lines(out, STR("data: "), event->data, replaced);
    if (event->id.ptr)
        put_lines(out, STR("id: "), event->id, replaced);
    buf_add_char(out, '\n');
    return 0;
}

static bool take_field(struct str line, struct str name, struct str *value) {
    if (!str_starts(line, name))
        return false;
    *value = (struct str){line.ptr + name.len, line.len - name.len};
    return true;
}

void sse_decode(struct str text, struct sse_event *event, struct buf *scratch) {
    struct str line, value;
    *event = (struct sse_event){.retry = -1};
    while ((line = str_cut(&text, '\n')).len > 0) {
        if (take_field(line, STR("id: "), &event->id) ||
            take_field(line, STR("event: "), &event->event) ||
            !take_field(line, STR("data: "), &value))
            continue;
        if (event->data.ptr == NULL) {
            event->data = value;
            continue;
        }
        if (scratch->len == 0)
            buf_add(scratch, event->data);
        buf_add_char(scratch, '\n');
        buf_add(scratch, value);
        event->data = buf_str(scratch);
    }
}

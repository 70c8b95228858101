/* What sse_encode writes, a receiver reads back: the parser here follows the HTML standard's
 * section 9.2.6 line by line, the decoder the Encoding standard's state machine, and neither shares
 * a line with core/proto/sse.c. */
#include "proto/sse.h"

#include "fuzz.h"

enum { EVENT = 1, ID = 2, COMMENT = 4, DATA = 8, RETRY = 16 };

/* "UTF-8 decode" of the Encoding standard, section 8.1.1: appends `in` as UTF-8 again, with U+FFFD
 * for each error; returns their number. */
static uint64_t decode(struct str in, struct buf *out) {
    unsigned needed = 0, seen = 0, lower = 0x80, upper = 0xBF;
    size_t start = 0;
    uint64_t errors = 0;

    for (size_t i = 0; i < in.len;) {
        unsigned byte = (unsigned char)in.ptr[i];
        if (needed == 0) {
            start = i++;
            seen = 0;
            if (byte <= 0x7F) {
                buf_add_char(out, (char)byte);
            } else if (byte >= 0xC2 && byte <= 0xDF) {
                needed = 1;
            } else if (byte >= 0xE0 && byte <= 0xEF) {
                lower = byte == 0xE0 ? 0xA0 : 0x80;
                upper = byte == 0xED ? 0x9F : 0xBF;
                needed = 2;
            } else if (byte >= 0xF0 && byte <= 0xF4) {
                lower = byte == 0xF0 ? 0x90 : 0x80;
                upper = byte == 0xF4 ? 0x8F : 0xBF;
                needed = 3;
            } else {
                errors++;
                buf_add(out, STR("\xEF\xBF\xBD"));
            }
            continue;
        }
        if (byte < lower || byte > upper) { /* the byte is looked at again as a first one */
            needed = 0;
            errors++;
            buf_add(out, STR("\xEF\xBF\xBD"));
        } else {
            i++;
            if (++seen == needed) {
                buf_append(out, in.ptr + start, needed + 1);
                needed = 0;
            }
        }
        lower = 0x80;
        upper = 0xBF;
    }
    if (needed > 0) {
        errors++;
        buf_add(out, STR("\xEF\xBF\xBD"));
    }
    return errors;
}

/* `in` with every CRLF and CR as LF, and one LF more at the end. */
static void lines_of(struct str in, struct buf *out) {
    for (size_t i = 0; i < in.len; i++) {
        if (in.ptr[i] != '\r')
            buf_add_char(out, in.ptr[i]);
        else if (i + 1 == in.len || in.ptr[i + 1] != '\n')
            buf_add_char(out, '\n');
    }
    buf_add_char(out, '\n');
}

/* What a receiver knows at the empty line. Each of data and comment: its lines, an LF after each.
 */
struct received {
    struct buf data, comment, event, id, retry;
    int events, ids, retries, dispatches;
};

static void field(struct received *r, struct str name, struct str value) {
    if (str_eq(name, STR("data"))) {
        buf_add(&r->data, value);
        buf_add_char(&r->data, '\n');
    } else if (str_eq(name, STR("event"))) {
        r->events++;
        buf_add(&r->event, value);
    } else if (str_eq(name, STR("id"))) {
        CHECK(!has_byte(value, '\0')); /* a receiver would ignore it */
        r->ids++;
        buf_add(&r->id, value);
    } else if (str_eq(name, STR("retry"))) {
        r->retries++;
        buf_add(&r->retry, value);
    } else {
        CHECK(name.len == 0); /* a comment; any other name was never written */
        buf_add(&r->comment, value);
        buf_add_char(&r->comment, '\n');
    }
}

static void receive(struct str stream, struct received *r) {
    CHECK(str_utf8_valid(stream) == stream.len);
    CHECK(!has_byte(stream, '\r')); /* the encoder ends lines with LF */
    while (stream.len > 0) {
        CHECK(has_byte(stream, '\n')); /* nothing is left unfinished */
        CHECK(r->dispatches == 0);
        struct str line = str_cut(&stream, '\n');
        if (line.len == 0) {
            r->dispatches++;
            continue;
        }
        struct str name = str_cut(&line, ':');
        CHECK(line.ptr != NULL);
        if (line.len > 0 && line.ptr[0] == ' ')
            line = (struct str){line.ptr + 1, line.len - 1};
        field(r, name, line);
    }
    CHECK(r->dispatches == 1);
}

static bool forbidden(struct str s) {
    return has_byte(s, '\r') || has_byte(s, '\n') || has_byte(s, '\0');
}

/* Compares what came with what a receiver should have got for `sent`. */
static void check(const struct sse_event *sent, struct str stream, uint64_t replaced) {
    struct received r = {0};
    struct buf text = {0}, want = {0};
    uint64_t errors = 0;
    char number[32];

    receive(stream, &r);
    if (sent->data.ptr) {
        errors += decode(sent->data, &text);
        lines_of(buf_str(&text), &want);
    }
    CHECK(str_eq(buf_str(&r.data), buf_str(&want)));
    text.len = want.len = 0;
    if (sent->comment.ptr) {
        errors += decode(sent->comment, &text);
        lines_of(buf_str(&text), &want);
    }
    CHECK(str_eq(buf_str(&r.comment), buf_str(&want)));
    text.len = 0;
    errors += decode(sent->event, &text);
    CHECK(r.events == (sent->event.ptr != NULL) && str_eq(buf_str(&r.event), buf_str(&text)));
    text.len = 0;
    errors += decode(sent->id, &text);
    CHECK(r.ids == (sent->id.ptr != NULL) && str_eq(buf_str(&r.id), buf_str(&text)));
    snprintf(number, sizeof number, "%lld", (long long)sent->retry);
    CHECK(r.retries == (sent->retry >= 0));
    CHECK(r.retries == 0 || str_eq(buf_str(&r.retry), str_of(number)));
    CHECK(replaced == errors);
    buf_fini(&text);
    buf_fini(&want);
    buf_fini(&r.data);
    buf_fini(&r.comment);
    buf_fini(&r.event);
    buf_fini(&r.id);
    buf_fini(&r.retry);
}

/* Flags, then the pieces of those that are set, the data last. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct sse_event event = {.retry = -1};
    struct buf out = {0};
    uint64_t replaced = 5;
    uint8_t flags = take_byte(&in);

    if (flags & RETRY)
        event.retry = (int64_t)take_u64(&in);
    if (flags & EVENT)
        event.event = take_piece(&in);
    if (flags & ID)
        event.id = take_piece(&in);
    if (flags & COMMENT)
        event.comment = take_piece(&in);
    if (flags & DATA)
        event.data = take(&in, in.left);

    buf_add(&out, STR("kept"));
    int rc = sse_encode(&out, &event, &replaced);
    CHECK(rc == (forbidden(event.event) || forbidden(event.id) ? SSE_EFIELD : 0));
    CHECK(out.len >= 4 && memcmp(out.data, "kept", 4) == 0);
    if (rc == 0)
        check(&event, (struct str){out.data + 4, out.len - 4}, replaced - 5);
    else
        CHECK(out.len == 4 && replaced == 5);
    buf_fini(&out);
    give_back(event.event);
    give_back(event.id);
    give_back(event.comment);
    give_back(event.data);
    return 0;
}

/* Events as text/event-stream has them (HTML standard, section 9.2.5 and 9.2.6), and what becomes
 * of bytes that are not UTF-8 (the Unicode standard's tables of maximal subparts). */
#include "proto/sse.h"

#include "table.h"

#define FFFD "\xEF\xBF\xBD"
#define NO                                                                                         \
    { NULL, 0 }
#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

/* Encodes exact copies of the fields behind some bytes that must stay. */
static int encode(struct buf *out, const struct sse_event *event, uint64_t *replaced) {
    struct sse_event copy = {exact(event->event), exact(event->id), exact(event->data),
                             exact(event->comment), event->retry};
    buf_add(out, STR("before"));
    int rc = sse_encode(out, &copy, replaced);
    exact_free(copy.event);
    exact_free(copy.id);
    exact_free(copy.data);
    exact_free(copy.comment);
    return rc;
}

/* What the fields become, and how many replacements were counted. */
static void expect(const struct sse_event *event, struct str want, uint64_t replacements) {
    struct buf out = {0};
    uint64_t replaced = 7;
    SAME_INT(want, encode(&out, event, &replaced), 0);
    SAME_STR(want, (struct str){out.data, 6}, STR("before"));
    SAME_STR(want, (struct str){out.data + 6, out.len - 6}, want);
    SAME_INT(want, (long long)replaced, (long long)(7 + replacements));
    buf_fini(&out);
}

static void fields(void **state) {
    static const struct {
        struct sse_event event;
        struct str want;
    } rows[] = {
        {{NO, NO, S("hello"), NO, -1}, S("data: hello\n\n")},
        {{S("tick"), S("1-2"), S("x"), S("c"), 3000},
         S(": c\nretry: 3000\nevent: tick\ndata: x\nid: 1-2\n\n")},
        /* absent and empty differ: an empty id resets the last id, empty data is dispatched */
        {{NO, S(""), NO, NO, -1}, S("id: \n\n")},
        {{S(""), NO, NO, NO, -1}, S("event: \n\n")},
        {{NO, NO, S(""), NO, -1}, S("data: \n\n")},
        {{NO, NO, NO, S(""), -1}, S(": \n\n")},
        {{NO, NO, NO, NO, -1}, S("\n")},
        {{NO, NO, NO, NO, 0}, S("retry: 0\n\n")},
        {{NO, NO, NO, NO, INT64_MAX}, S("retry: 9223372036854775807\n\n")},
        {{NO, NO, NO, NO, INT64_MIN}, S("\n")},
        /* one leading space is the receiver's to take away, so a second one is the data's */
        {{NO, NO, S(" x"), NO, -1}, S("data:  x\n\n")},
        /* a colon needs no care; NUL in data stays */
        {{S("a:b"), S("c:d"), S("id: 5"), NO, -1}, S("event: a:b\ndata: id: 5\nid: c:d\n\n")},
        {{NO, NO, S("a\0b"), NO, -1}, S("data: a\0b\n\n")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        expect(&rows[i].event, rows[i].want, 0);
}

static void line_ends(void **state) {
    static const struct {
        struct str data, want;
    } rows[] = {
        {S("a\nb"), S("data: a\ndata: b\n\n")},
        {S("a\rb"), S("data: a\ndata: b\n\n")},
        {S("a\r\nb"), S("data: a\ndata: b\n\n")},
        {S("a\n\rb"), S("data: a\ndata: \ndata: b\n\n")},
        {S("a\r\r\nb"), S("data: a\ndata: \ndata: b\n\n")},
        {S("a\r\n\nb"), S("data: a\ndata: \ndata: b\n\n")},
        {S("\n"), S("data: \ndata: \n\n")},
        {S("\r"), S("data: \ndata: \n\n")},
        {S("\r\n"), S("data: \ndata: \n\n")},
        {S("a\n"), S("data: a\ndata: \n\n")},
        {S("\na"), S("data: \ndata: a\n\n")},
        {S("a\n\nevent: evil"), S("data: a\ndata: \ndata: event: evil\n\n")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        expect(&(struct sse_event){.data = rows[i].data, .retry = -1}, rows[i].want, 0);
    expect(&(struct sse_event){.comment = STR("a\r\nb\rc\nd"), .retry = -1},
           STR(": a\n: b\n: c\n: d\n\n"), 0);
}

/* Each row's text in `data`, and in the other fields, where the same rule holds. */
static void text(struct str in, struct str out, uint64_t replacements) {
    static const char *const prefixes[] = {"data: ", ": ", "event: ", "id: "};
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        struct sse_event event = {.retry = -1};
        struct buf want = {0};
        *(i == 0 ? &event.data : i == 1 ? &event.comment : i == 2 ? &event.event : &event.id) = in;
        buf_add(&want, str_of(prefixes[i]));
        buf_add(&want, out);
        buf_add(&want, STR("\n\n"));
        expect(&event, buf_str(&want), replacements);
        buf_fini(&want);
    }
}

/* The first and last of each row of RFC 3629 section 4. */
static void valid_utf8(void **state) {
    static const struct str rows[] = {
        S("\x01\x09\x1F\x7F"),
        S("\xC2\x80\xDF\xBF"),
        S("\xE0\xA0\x80\xE0\xBF\xBF"),
        S("\xE1\x80\x80\xEC\xBF\xBF"),
        S("\xED\x80\x80\xED\x9F\xBF"),
        S("\xEE\x80\x80\xEF\xBF\xBF"),
        S("\xF0\x90\x80\x80\xF0\xBF\xBF\xBF"),
        S("\xF1\x80\x80\x80\xF3\xBF\xBF\xBF"),
        S("\xF4\x80\x80\x80\xF4\x8F\xBF\xBF"),
        S("\xEF\xBB\xBF"), /* a byte order mark is a character here */
        S("\xEF\xBF\xBD"), /* and so is the replacement character, uncounted */
        S("gr\xC3\xBC\xC3\x9F dich, \xE4\xB8\x96\xE7\x95\x8C \xF0\x9F\x8C\x8A and on in ASCII"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        text(rows[i], rows[i], 0);
}

static void invalid_utf8(void **state) {
    static const struct {
        struct str in, out;
        uint64_t replacements;
    } rows[] = {
        /* Unicode standard, section 3.9, tables 3-8 to 3-11 */
        {S("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), S(FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"),
         8},
        {S("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), S(FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A"),
         8},
        {S("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), S(FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B"),
         7},
        {S("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), S(FFFD FFFD FFFD FFFD "A"), 4},
        /* what no sequence begins with */
        {S("\x80"), S(FFFD), 1},
        {S("\xC1\xBF"), S(FFFD FFFD), 2},
        {S("\xF5\x80"), S(FFFD FFFD), 2},
        {S("\xFF\xFE"), S(FFFD FFFD), 2},
        /* one beyond the last of each row that has a bound of its own */
        {S("\xE0\x9F\xBF"), S(FFFD FFFD FFFD), 3},
        {S("\xF0\x8F\xBF\xBF"), S(FFFD FFFD FFFD FFFD), 4},
        {S("\xF4\x90\x80\x80"), S(FFFD FFFD FFFD FFFD), 4},
        /* cut off by the end, after each byte */
        {S("a\xC3"), S("a" FFFD), 1},
        {S("a\xE4"), S("a" FFFD), 1},
        {S("a\xE4\xB8"), S("a" FFFD), 1},
        {S("a\xF0"), S("a" FFFD), 1},
        {S("a\xF0\x9F"), S("a" FFFD), 1},
        {S("a\xF0\x9F\x8C"), S("a" FFFD), 1},
        /* the bounds are those of the second byte only */
        {S("\xE0\xA0\xC0"), S(FFFD FFFD), 2},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        text(rows[i].in, rows[i].out, rows[i].replacements);
    /* a sequence that a line end cuts off does not swallow it */
    expect(&(struct sse_event){.data = STR("\xE4\xB8\n\xC3\r\n\xF0\x9F\x8C"), .retry = -1},
           STR("data: " FFFD "\ndata: " FFFD "\ndata: " FFFD "\n\n"), 3);
}

/* A line end, a fault or a long character at each place of a long line: the scan takes eight bytes
 * at a time and must stop exactly there. */
static void everywhere(void **state) {
    static const struct {
        struct str in, out;
        uint64_t replacements;
    } rows[] = {
        {S("\n"), S("\ndata: "), 0},     {S("\r"), S("\ndata: "), 0},
        {S("\r\n"), S("\ndata: "), 0},   {S("\x80"), S(FFFD), 1},
        {S("\xF0\x9F\x8C"), S(FFFD), 1}, {S("\xF0\x9F\x8C\x8A"), S("\xF0\x9F\x8C\x8A"), 0},
    };
    static const char filler[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t before = 0; before < sizeof filler; before++) {
            for (size_t after = 0; after < 20; after++) {
                struct buf in = {0}, want = {0};
                buf_append(&in, filler, before);
                buf_add(&in, rows[i].in);
                buf_append(&in, filler, after);
                buf_add(&want, STR("data: "));
                buf_append(&want, filler, before);
                buf_add(&want, rows[i].out);
                buf_append(&want, filler, after);
                buf_add(&want, STR("\n\n"));
                expect(&(struct sse_event){.data = buf_str(&in), .retry = -1}, buf_str(&want),
                       rows[i].replacements);
                buf_fini(&in);
                buf_fini(&want);
            }
        }
    }
}

/* CR, LF and NUL in `event` and `id`, first, in the middle and last. */
static void refused(void **state) {
    static const char bytes[] = {'\r', '\n', '\0'};
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        for (size_t at = 0; at < 3; at++) {
            char bad[3] = {'x', 'x', 'x'};
            bad[at] = bytes[i];
            for (int field = 0; field < 2; field++) {
                struct sse_event event = {.data = STR("d\xFF"), .retry = 1};
                struct buf out = {0};
                uint64_t replaced = 7;
                *(field ? &event.id : &event.event) = (struct str){bad, 3};
                assert_int_equal(encode(&out, &event, &replaced), SSE_EFIELD);
                SAME_STR(STR("refused"), buf_str(&out), STR("before"));
                assert_int_equal(replaced, 7);
                buf_fini(&out);
            }
        }
    }
}

/* What was encoded is read back, line ends made one. */
static void decoded(void **state) {
    (void)state;
    static const struct {
        struct str event, id, data, want;
    } rows[] = {
        {{NULL, 0}, {NULL, 0}, STR("a"), STR("a")},
        {STR("e"), STR("1-2"), STR(""), STR("")},
        {{NULL, 0}, STR("1-2"), STR("a\nb"), STR("a\nb")},
        {STR("data: x"), {NULL, 0}, STR("a\r\nb\rc"), STR("a\nb\nc")},
        {{NULL, 0}, {NULL, 0}, STR("\n"), STR("\n")},
        {{NULL, 0}, {NULL, 0}, STR("\n\n"), STR("\n\n")},
        {{NULL, 0}, {NULL, 0}, STR("\na\n"), STR("\na\n")},
        {{NULL, 0}, {NULL, 0}, STR(" id: 7"), STR(" id: 7")},
        {{NULL, 0}, {NULL, 0}, STR("data: \nid: 9\nevent: f"), STR("data: \nid: 9\nevent: f")},
        {{NULL, 0}, {NULL, 0}, STR("a\0b"), STR("a\0b")},
        {STR("e"), {NULL, 0}, {NULL, 0}, {NULL, 0}},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct sse_event event = {
            .event = rows[i].event, .id = rows[i].id, .data = rows[i].data, .retry = -1};
        struct buf out = {0}, scratch = {0};
        uint64_t replaced = 0;
        assert_int_equal(sse_encode(&out, &event, &replaced), 0);
        struct str text = exact(buf_str(&out));
        sse_decode(text, &event, &scratch);
        SAME_STR(rows[i].data, event.data, rows[i].want);
        SAME_STR(rows[i].data, event.event, rows[i].event);
        SAME_STR(rows[i].data, event.id, rows[i].id);
        assert_true((event.data.ptr == NULL) == (rows[i].want.ptr == NULL));
        assert_true((event.event.ptr == NULL) == (rows[i].event.ptr == NULL));
        exact_free(text);
        buf_fini(&out);
        buf_fini(&scratch);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),       cmocka_unit_test(line_ends),  cmocka_unit_test(valid_utf8),
        cmocka_unit_test(invalid_utf8), cmocka_unit_test(everywhere), cmocka_unit_test(refused),
        cmocka_unit_test(decoded),
    };
    return cmocka_run_group_tests_name("proto_sse", tests, NULL, NULL);
}

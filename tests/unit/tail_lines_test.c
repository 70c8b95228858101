/* The line splitter, by a table of its rules and against a model that sees all bytes at once. */
#include "tail/lines.h"
#include "tail_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* All lines that are ready, each shown as "[...]". */
static void take_all(struct lines *lines, struct buf *out) {
    struct str line;
    while (lines_next(lines, &line)) {
        buf_add_char(out, '[');
        buf_add(out, line);
        buf_add_char(out, ']');
    }
}

static void assert_str(struct str got, struct str want) {
    if (!str_eq(got, want))
        fail_msg("got %.*s, want %.*s", STR_ARG(got), STR_ARG(want));
}

struct row {
    const char *what;
    size_t max_line;
    struct str in;
    struct str lines; /* before the flush */
    struct str rest;  /* after it */
};

#define B(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

static const struct row rows[] = {
    {"nothing", 9, B(""), B(""), B("")},
    {"one line", 9, B("a\n"), B("[a]"), B("")},
    {"two lines", 9, B("a\nb\n"), B("[a][b]"), B("")},
    {"empty lines", 9, B("\n\n"), B("[][]"), B("")},
    {"CRLF", 9, B("a\r\nb\r\n"), B("[a][b]"), B("")},
    {"an empty CRLF line", 9, B("\r\n"), B("[]"), B("")},
    {"only one CR is removed", 9, B("a\r\r\n"), B("[a\r]"), B("")},
    {"a CR elsewhere is a byte", 9, B("a\rb\n"), B("[a\rb]"), B("")},
    {"a partial line is held", 9, B("a\nb"), B("[a]"), B("[b]")},
    {"a held CR stays", 9, B("a\r"), B(""), B("[a\r]")},
    {"NUL", 9, B("a\0b\n"), B("[a\0b]"), B("")},
    {"not UTF-8", 9, B("\xff\xc0\n"), B("[\xff\xc0]"), B("")},
    {"as long as allowed", 3, B("abc\n"), B("[abc]"), B("")},
    {"as long as allowed, CRLF", 3, B("abc\r\n"), B("[abc]"), B("")},
    {"as long as allowed, held", 3, B("abc"), B(""), B("[abc]")},
    {"as long as allowed and CR, held", 3, B("abc\r"), B(""), B("[abc][\r]")},
    {"one byte too long", 3, B("abcd\n"), B("[abc][d]"), B("")},
    {"one byte too long, CRLF", 3, B("abcd\r\n"), B("[abc][d]"), B("")},
    {"one byte too long, held", 3, B("abcd"), B("[abc]"), B("[d]")},
    {"two full pieces", 3, B("abcdef\n"), B("[abc][def]"), B("")},
    {"a CR right after a full piece", 3, B("abc\rd\n"), B("[abc][\rd]"), B("")},
    {"two CRs after a full piece", 3, B("abc\r\r\n"), B("[abc][\r]"), B("")},
    {"a character at the border", 3,
     B("ab\xc3\xbc"
       "cd\n"),
     B("[ab][\xc3\xbc"
       "c][d]"),
     B("")},
    {"a character of four bytes", 6, B("abc\xf0\x9f\x98\x80\n"), B("[abc][\xf0\x9f\x98\x80]"),
     B("")},
    {"one that just fits", 3,
     B("a\xc3\xbc"
       "b\n"),
     B("[a\xc3\xbc][b]"), B("")},
    {"one larger than a piece", 2, B("\xf0\x9f\x98\x80\n"), B("[\xf0\x9f][\x98\x80]"), B("")},
    {"the beginning of none", 3, B("ab\xe2\r\r\n"), B("[ab][\xe2\r]"), B("")},
    {"what continues nothing", 3, B("\x80\x80\x80\x80\n"), B("[\x80\x80\x80][\x80]"), B("")},
    {"pieces of one byte", 1, B("a\r\r\nbc\n\r\n"), B("[a][\r][b][c][]"), B("")},
};

static void test_rules(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct lines whole, bytewise;
        struct buf a = {0}, b = {0};
        lines_init(&whole, row->max_line);
        lines_init(&bytewise, row->max_line);
        lines_add(&whole, row->in.ptr, row->in.len);
        take_all(&whole, &a);
        for (size_t at = 0; at < row->in.len; at++) {
            lines_add(&bytewise, row->in.ptr + at, 1);
            take_all(&bytewise, &b);
        }
        if (!str_eq(buf_str(&a), row->lines) || !str_eq(buf_str(&b), row->lines))
            fail_msg("%s: %.*s, bytewise %.*s", row->what, STR_ARG(buf_str(&a)),
                     STR_ARG(buf_str(&b)));
        buf_fini(&a);
        lines_flush(&whole);
        take_all(&whole, &a);
        if (!str_eq(buf_str(&a), row->rest))
            fail_msg("%s: flushed %.*s", row->what, STR_ARG(buf_str(&a)));
        lines_flush(&whole);
        struct str line;
        assert_false(lines_next(&whole, &line));
        buf_fini(&a);
        buf_fini(&b);
        lines_fini(&whole);
        lines_fini(&bytewise);
    }
}

/* What the lines of `in` are, by the definition: split at LF, remove a CR, cut into pieces. */
static void model(struct str in, size_t max_line, struct buf *out) {
    struct str rest = in;
    while (rest.len > 0) {
        struct str before = rest;
        struct str line = str_cut(&rest, '\n');
        if (rest.ptr == NULL) { /* no LF: as it is */
            line = before;
            rest.len = 0;
        } else if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
            line.len--;
        }
        do {
            size_t n = rig_piece(line.ptr, line.len, max_line);
            buf_add_char(out, '[');
            buf_append(out, line.ptr, n);
            buf_add_char(out, ']');
            line.ptr += n;
            line.len -= n;
        } while (line.len > 0);
    }
}

static void test_a_hole_is_left_out(void **state) {
    (void)state;
    static char hole[10000];
    struct lines lines;
    struct buf got = {0};
    lines_init(&lines, 4096);
    lines_add(&lines, hole, sizeof hole);
    take_all(&lines, &got);
    assert_int_equal(got.len, 0);
    lines_add(&lines, "a\n\0\0\n", 5);
    take_all(&lines, &got);
    assert_int_equal(got.len, 1 + sizeof hole - 2 * 4096 + 1 + 1 + 4);
    assert_memory_equal(got.data + got.len - 6, "a][\0\0]", 6);
    buf_fini(&got);
    lines_fini(&lines);
}

static void test_random_cuts_agree_with_the_model(void **state) {
    (void)state;
    static const char alphabet[] = "ab\r\r\n\n\0\xe2\x82\xac";
    srandom(20261120);
    for (int round = 0; round < 5000; round++) {
        char in[64];
        size_t len = (size_t)random() % sizeof in;
        size_t max_line = 1 + (size_t)random() % 8;
        for (size_t i = 0; i < len; i++)
            in[i] = alphabet[(size_t)random() % (sizeof alphabet - 1)];
        struct lines lines;
        struct buf got = {0}, want = {0};
        lines_init(&lines, max_line);
        for (size_t at = 0, n; at < len; at += n) {
            n = 1 + (size_t)random() % 9;
            n = n < len - at ? n : len - at;
            lines_add(&lines, in + at, n);
            if (random() % 2)
                take_all(&lines, &got);
        }
        lines_flush(&lines);
        take_all(&lines, &got);
        model((struct str){in, len}, max_line, &want);
        assert_str(buf_str(&got), buf_str(&want));
        buf_fini(&got);
        buf_fini(&want);
        lines_fini(&lines);
    }
}

static void test_a_line_given_out_stays_while_more_comes(void **state) {
    (void)state;
    struct lines lines;
    struct str line;
    char block[4096];
    memset(block, 'x', sizeof block);
    block[sizeof block - 1] = '\n';
    lines_init(&lines, 100000);
    lines_add(&lines, "first\nsecond\n", 13);
    assert_true(lines_next(&lines, &line));
    for (int i = 0; i < 100; i++)
        lines_add(&lines, block, sizeof block);
    assert_str(line, STR("first"));
    assert_true(lines_next(&lines, &line));
    assert_str(line, STR("second"));
    for (int i = 0; i < 100; i++) {
        assert_true(lines_next(&lines, &line));
        assert_int_equal(line.len, sizeof block - 1);
    }
    assert_false(lines_next(&lines, &line));
    lines_fini(&lines);
}

static void test_what_is_ready_is_counted(void **state) {
    (void)state;
    struct lines lines;
    struct str line;
    lines_init(&lines, 10);
    assert_int_equal(lines_ready(&lines), 0);
    lines_add(&lines, "abc\r\n\npart", 10);
    assert_int_equal(lines_ready(&lines), 4 + 1);
    assert_true(lines_next(&lines, &line));
    assert_int_equal(lines_ready(&lines), 1);
    lines_add(&lines, "\n", 1);
    assert_int_equal(lines_ready(&lines), 1 + 5);
    while (lines_next(&lines, &line))
        ;
    assert_int_equal(lines_ready(&lines), 0);
    lines_fini(&lines);
}

/* Those that are added by their number are as those that are added as bytes; and each piece knows
 * how much of the stream ends with it. */
static void test_skipped_bytes_are_nul(void **state) {
    static char text[40000];
    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        struct lines one, two;
        struct buf got = {0}, want = {0};
        srandom(seed);
        size_t max = seed % 3 ? 1024 + (size_t)random() % 2000 : 1 + (size_t)random() % 20;
        size_t before = (size_t)random() % 3000, hole = (size_t)random() % 30000;
        memset(text, seed % 2 ? 'x' : '\xf0', before);
        memset(text + before, 0, hole);
        memcpy(text + before + hole, "end\n", 4);
        lines_init(&one, max);
        lines_add(&one, text, before);
        lines_skip(&one, hole);
        lines_add(&one, "end\n", 4);
        lines_init(&two, max);
        lines_add(&two, text, before + hole + 4);
        uint64_t raw = 0;
        for (struct str line; lines_next(&one, &line); raw += one.raw)
            buf_printf(&got, "[%zu %d]", line.len, line.len ? line.ptr[0] : 0);
        for (struct str line; lines_next(&two, &line); raw -= two.raw)
            buf_printf(&want, "[%zu %d]", line.len, line.len ? line.ptr[0] : 0);
        assert_true(one.ended && two.ended);
        assert_int_equal(raw, 0);
        assert_int_equal(one.pending, 0);
        assert_str(buf_str(&got), buf_str(&want));
        buf_fini(&got);
        buf_fini(&want);
        lines_fini(&one);
        lines_fini(&two);
    }
}

static void test_nothing_ready_holds_no_memory(void **state) {
    (void)state;
    struct lines lines;
    struct str line;
    lines_init(&lines, 4);
    lines_add(&lines, "a\nlonger than four\nbc", 21);
    lines_flush(&lines);
    while (lines_next(&lines, &line))
        ;
    assert_null(lines.held.data);
    assert_null(lines.ready.data);
    assert_null(lines.taking.data);
    lines_fini(&lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_a_hole_is_left_out),
        cmocka_unit_test(test_random_cuts_agree_with_the_model),
        cmocka_unit_test(test_a_line_given_out_stays_while_more_comes),
        cmocka_unit_test(test_what_is_ready_is_counted),
        cmocka_unit_test(test_skipped_bytes_are_nul),
        cmocka_unit_test(test_nothing_ready_holds_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

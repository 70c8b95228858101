/* Bodies taken apart, whole and in pieces; sections are those of RFC 2046. */
#include "proto/multipart.h"

#include "base/buf.h"
#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }
#define TYPE "multipart/form-data; boundary=b"
#define HEAD_MAX 32
#define PARTS_MAX 3
#define PART_MAX 20

/* What the parser tells, in `log`: "{head}" and "<" at the beginning of a part, its bytes, ">" at
 * its end, "." at the end of all, or "!" and the error. `piece`: how the body is cut, `most`: how
 * much is taken at once. */
struct reading {
    struct multipart parser;
    struct buf log;
    char *head;
};

/* Tells what is to be had of `piece`. Whether it goes on. */
static bool feed(struct reading *r, struct str piece, size_t most) {
    struct str given = exact(piece), in = given, out;
    int rc;
    while ((rc = multipart_next(&r->parser, &in, most, &out)) > 0) {
        if (rc == MULTIPART_END)
            break;
        if (rc == MULTIPART_HEAD)
            r->parser.part_left = PART_MAX;
        if (rc == MULTIPART_HEAD)
            buf_printf(&r->log, "{%.*s}<", STR_ARG(out));
        else if (rc == MULTIPART_PART)
            buf_add_char(&r->log, '>');
        else
            buf_add(&r->log, out);
        assert_true(rc != MULTIPART_DATA || (out.len > 0 && out.len <= most));
    }
    assert_int_equal(in.len, rc < 0 ? in.len : 0);
    exact_free(given);
    return rc >= 0;
}

static void begin(struct reading *r, struct str content_type) {
    *r = (struct reading){.head = malloc(HEAD_MAX)};
    assert_int_equal(multipart_init(&r->parser, content_type, r->head, HEAD_MAX, PARTS_MAX), 0);
}

/* The end of the body. */
static void end(struct reading *r) {
    struct str none = {NULL, 0}, out;
    int rc;
    multipart_over(&r->parser);
    while ((rc = multipart_next(&r->parser, &none, 1, &out)) == MULTIPART_PART)
        buf_add_char(&r->log, '>');
    if (rc == MULTIPART_END)
        buf_add_char(&r->log, '.');
    else
        buf_printf(&r->log, "!%d", rc);
    assert_int_equal(multipart_next(&r->parser, &none, 1, &out), rc); /* it stays */
    free(r->head);
}

/* The body in three pieces, cut at `first` and `second`. */
static struct buf read_cut(struct str type, struct str body, size_t first, size_t second,
                           size_t most) {
    struct reading r;
    begin(&r, type);
    if (feed(&r, (struct str){body.ptr, first}, most) &&
        feed(&r, (struct str){body.ptr + first, second - first}, most))
        feed(&r, (struct str){body.ptr + second, body.len - second}, most);
    end(&r);
    return r.log;
}

static struct buf read_bytes(struct str type, struct str body, size_t most) {
    struct reading r;
    begin(&r, type);
    for (size_t i = 0; i < body.len && feed(&r, (struct str){body.ptr + i, 1}, most); i++) {
    }
    end(&r);
    return r.log;
}

static void check_log(struct str body, struct buf log, struct str want) {
    SAME_STR(body, buf_str(&log), want);
    buf_fini(&log);
}

/* Whole, at every two places, byte by byte, and with a little taken at once. */
static void check(struct str type, struct str body, struct str want) {
    check_log(body, read_cut(type, body, 0, 0, SIZE_MAX), want);
    check_log(body, read_cut(type, body, 0, 0, 3), want);
    check_log(body, read_bytes(type, body, SIZE_MAX), want);
    check_log(body, read_bytes(type, body, 1), want);
    for (size_t i = 0; i <= body.len; i++)
        for (size_t j = i; j <= body.len; j++)
            check_log(body, read_cut(type, body, i, j, SIZE_MAX), want);
}

static void bodies(void **state) {
    static const struct {
        struct str body, want;
    } rows[] = {
        /* section 5.1.1 */
        {S("--b\r\nA: b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\n"), S("{A: b\r\n}<x>{}<y>.")},
        {S("preamble\r\n--b\r\n\r\nx\r\n--b--\r\nepilogue\r\n--b\r\n\r\ny"), S("{}<x>.")},
        {S("--b--\r\n"), S(".")},
        {S("--b--"), S(".")},
        {S("--b\r\n\r\nx\r\n--b--"), S("{}<x>.")},
        {S("--b\r\n\r\nx\r\n--b-- \t"), S("{}<x>.")},
        {S("--b\r\n\r\nx\r\n--b--\r"), S("{}<x>.")},
        {S("--b \t\r\n\r\nx\r\n--b\t \r\n\r\n\r\n--b-- \r\n"), S("{}<x>{}<>.")},
        /* folded (RFC 5322 section 2.2.3) */
        {S("--b\r\nA: b;\r\n c\r\n\td\r\nE: f\r\n\r\nx\r\n--b--"),
         S("{A: b;   c  \td\r\nE: f\r\n}<x>.")},
        {S("--b\r\n A: b\r\n\r\nx\r\n--b--"), S("{ A: b\r\n}<x>.")},
        /* empty; and without an empty line of its own, as the grammar has it */
        {S("--b\r\n\r\n\r\n--b--\r\n"), S("{}<>.")},
        {S("--b\r\nA: b\r\n\r\n--b--\r\n"), S("{A: b\r\n}<>.")},
        /* the boundary's text in content, and what is nearly one */
        {S("--b\r\n\r\n--bx\r\n--b--\r\n"), S("{}<--bx>.")},
        {S("--b\r\n\r\nx--b\r\n--b-\r\n--b--x\r\n--b--\r\n"), S("{}<x--b\r\n--b-\r\n--b--x>.")},
        {S("--b\r\n\r\n\r\n-\r\n--\r\n--B\r\n--b--\r\n"), S("{}<\r\n-\r\n--\r\n--B>.")},
        {S("--b\r\n\r\n\r\n--b\r\r\n--b\n\r\n--b--\r\n"), S("{}<\r\n--b\r\r\n--b\n>.")},
        {S("--b\r\n\r\n\r\n--b x\r\n--b - -\r\n--b--\r\n"), S("{}<\r\n--b x\r\n--b - ->.")},
        {S("--b\r\n\r\n\r\n--b---\r\n--b--\r\n"), S("{}<\r\n--b--->.")},
        {S("--b\r\n\r\n\r\r\n\n\r\n\r\r\n--b--\r\n"), S("{}<\r\r\n\n\r\n\r>.")},
        {S("--b\r\n\r\n\0\r\n\xff\r\n--b--\r\n"), S("{}<\0\r\n\xff>.")},
        {S("x--b\r\n--bb\r\n--b\r\n\r\nx\r\n--b--\r\n"), S("{}<x>.")},
        /* at the limits */
        {S("--b\r\n1234567890123456789012345: 9\r\n\r\n12345678901234567890\r\n--b--"),
         S("{1234567890123456789012345: 9\r\n}<12345678901234567890>.")},
        {S("12345678901234567890123456789012\r\n--b--"), S(".")},
        {S("--b\r\n\r\n\r\n--b\r\n\r\n\r\n--b\r\n\r\n\r\n--b--"), S("{}<>{}<>{}<>.")},
        {S("--b                                \r\n\r\n\r\n--b--"), S("{}<>.")},
        {S("--b--                              "), S(".")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check(STR(TYPE), rows[i].body, rows[i].want);
}

/* The error is the same however the body comes; how much of the content comes before it is not. */
static void broken(void **state) {
    static const struct {
        struct str body;
        int want;
    } rows[] = {
        {S(""), MULTIPART_EEND},
        {S("\r\n"), MULTIPART_EEND},
        {S("--b"), MULTIPART_EEND},
        {S("--b-"), MULTIPART_EEND},
        {S("--b\r\n"), MULTIPART_EEND},
        {S("--b\r\nA: b\r\n"), MULTIPART_EEND},
        {S("--b\r\n\r\nx"), MULTIPART_EEND},
        {S("--b\r\n\r\nx\r\n--b"), MULTIPART_EEND},
        {S("--b\r\n\r\nx\r\n--b\r\n"), MULTIPART_EEND},
        {S("--b\r\n\r\nx\r\n--b--x"), MULTIPART_EEND},
        {S("--b\n\nx\n--b--\n"), MULTIPART_EEND},
        {S("--c\r\n\r\nx\r\n--c--\r\n"), MULTIPART_EEND},
        {S("--b\r\nA: b\r\n--b--\r\n"), MULTIPART_EHEAD},
        {S("--b\r\n--b\r\n\r\nx\r\n--b--\r\n"), MULTIPART_EHEAD},
        {S("--b\r\n\nx\r\n--b--\r\n"), MULTIPART_EHEAD},
        {S("--b\r\nA: b\n\r\nx\r\n--b--\r\n"), MULTIPART_EHEAD},
        {S("--b\r\n12345678901234567890123456: 9\r\n\r\nx\r\n--b--"), MULTIPART_EHEADLEN},
        {S("--b\r\n12345678901234567890123456789012"
           "3"),
         MULTIPART_EHEADLEN},
        {S("--b\r\n\r\n123456789012345678901\r\n--b--"), MULTIPART_ELENGTH},
        {S("--b\r\n\r\n12345678901234\r\n--bxx\r\n--b--"), MULTIPART_ELENGTH},
        {S("123456789012345678901234567890123\r\n--b--"), MULTIPART_ESTART},
        {S("123456789012345678901234567890\r\n--bx"), MULTIPART_ESTART},
        {S("--b\r\n\r\n\r\n--b\r\n\r\n\r\n--b\r\n\r\n\r\n--b\r\n\r\n\r\n--b--"), MULTIPART_EPARTS},
        {S("--b                                 \r\n\r\n\r\n--b--"), MULTIPART_EPADDING},
        {S("--b\r\n\r\n\r\n--b--                               "), MULTIPART_EPADDING},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str body = rows[i].body;
        char want[16];
        struct str ending = {want, 0};
        for (size_t cut = 0; cut <= body.len + 1; cut++) {
            struct buf log = cut > body.len ? read_bytes(STR(TYPE), body, 1)
                                            : read_cut(STR(TYPE), body, cut, cut, SIZE_MAX);
            struct buf text = {0};
            buf_printf(&text, "!%d", rows[i].want);
            memcpy(want, text.data, ending.len = text.len);
            assert_true(log.len >= ending.len);
            SAME_STR(body, (struct str){log.data + log.len - ending.len, ending.len}, ending);
            buf_fini(&text);
            buf_fini(&log);
        }
    }
}

/* The end of a part is never told of one that is cut off, or it would be taken for whole. */
static void cut_off(void **state) {
    static const struct {
        struct str body, want;
    } rows[] = {
        {S("--b\r\n\r\nx"), S("{}<x!-10048")},
        {S("--b\r\n\r\nx\r\n--b"), S("{}<x!-10048")},
        {S("--b\r\n\r\nx\r\n--b-"), S("{}<x!-10048")},
        {S("--b\r\n\r\nx\r\n--b \r"), S("{}<x!-10048")},
        {S("--b\r\n\r\nx\r\n--b\r\n"), S("{}<x>!-10048")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check(STR(TYPE), rows[i].body, rows[i].want);
}

#define BOUNDARY_70 "1234567890123456789012345678901234567890123456789012345678901234567890"

static void boundaries(void **state) {
    static const struct {
        struct str type, boundary; /* ptr NULL: none */
    } rows[] = {
        {S("multipart/form-data; boundary=b"), S("b")},
        {S("Multipart/Form-Data;charset=x;BOUNDARY=b;q=1"), S("b")},
        {S("multipart/form-data; boundary=\"a b\""), S("a b")},
        {S("multipart/form-data; boundary=\"0aZ'()+_,-./:=?\""), S("0aZ'()+_,-./:=?")},
        {S("multipart/form-data; boundary=" BOUNDARY_70), S(BOUNDARY_70)},
        {S("multipart/form-data; boundary=\"" BOUNDARY_70 "\""), S(BOUNDARY_70)},
        {S("multipart/form-data; boundary=" BOUNDARY_70 "1"), {NULL, 0}},
        {S("multipart/form-data"), {NULL, 0}},
        {S("multipart/form-data;"), {NULL, 0}},
        {S("multipart/form-data; charset=b"), {NULL, 0}},
        {S("multipart/form-data; boundary="), {NULL, 0}},
        {S("multipart/form-data; boundary=\"\""), {NULL, 0}},
        {S("multipart/form-data; boundary=\"b\""
           "c"),
         {NULL, 0}},
        {S("multipart/form-data; boundary=\"b "), {NULL, 0}},
        {S("multipart/form-data; boundary=\"b \""), {NULL, 0}},
        {S("multipart/form-data; boundary=\"a\\b\""), {NULL, 0}},
        {S("multipart/form-data; boundary=a:b"), {NULL, 0}},
        {S("multipart/form-data; boundary=a*b"), {NULL, 0}},
        {S("multipart/form-data; boundary=a; boundary=b"), {NULL, 0}},
        {S("multipart/form-data; boundary=a, multipart/form-data"), {NULL, 0}},
        {{NULL, 0}, {NULL, 0}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str type = exact(rows[i].type), boundary = rows[i].boundary;
        struct multipart parser;
        struct buf body = {0};
        int rc = multipart_init(&parser, type, NULL, 0, 0);
        SAME_INT(type, rc, boundary.ptr ? 0 : MULTIPART_EBOUNDARY);
        if (rc == 0) {
            buf_printf(&body, "--%.*s\r\n\r\nx\r\n--%.*s--", STR_ARG(boundary), STR_ARG(boundary));
            check(type, buf_str(&body), STR("{}<x>."));
        }
        buf_fini(&body);
        exact_free(type);
    }
}

static void errors_have_texts(void **state) {
    (void)state;
    for (int a = MULTIPART_EBOUNDARY; a >= MULTIPART_EEND; a--)
        for (int b = MULTIPART_EBOUNDARY; b > a; b--)
            assert_string_not_equal(multipart_error(a), multipart_error(b));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bodies), cmocka_unit_test(broken),
                                       cmocka_unit_test(cut_off), cmocka_unit_test(boundaries),
                                       cmocka_unit_test(errors_have_texts)};
    return cmocka_run_group_tests_name("proto_multipart", tests, NULL, NULL);
}

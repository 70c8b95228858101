/* What the head of a part says; sections are those of RFC 7578 unless another is named. */
#include "proto/part_head.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }
#define NONE                                                                                       \
    { NULL, 0 }
#define FORM "Content-Disposition: form-data; "

static void same(struct str row, struct str got, struct str want) {
    SAME_STR(row, got, want);
    SAME_INT(row, got.ptr != NULL, want.ptr != NULL);
}

static void heads(void **state) {
    static const struct {
        struct str lines;
        struct part_head want;
    } rows[] = {
        {S(FORM "name=\"a\"\r\n"), {S("a"), NONE, NONE}},
        {S("CONTENT-disposition:FORM-data;NAME=a\r\n"), {S("a"), NONE, NONE}},
        {S(FORM "name=\"\"\r\n"), {S(""), NONE, NONE}},
        {S(FORM "name=\"a\"; filename=\"b.txt\"\r\nContent-Type: text/plain; charset=x\r\n"),
         {S("a"), S("b.txt"), S("text/plain")}},
        {S("X: y\r\ncontent-type: A/B\r\n" FORM "filename=\"\"; name=a; other=\"x\"\r\n"),
         {S("a"), NONE, S("A/B")}}, /* a file input that was left empty */
        /* HTML, the multipart/form-data encoding algorithm: these three and no others */
        {S(FORM "name=\"%22%0D%0a%41%\"; filename=\"%2\"\r\n"), {S("\"\r\n%41%"), S("%2"), NONE}},
        /* as quoted-strings, but for a backslash that is one */
        {S(FORM "name=\"\\\"\\\\\\a\"; filename=\"C:\\d\\f\"\r\n"),
         {S("\"\\\\a"), S("C:\\d\\f"), NONE}},
        {S(FORM "name=\"a;b\"; filename=\"c; name=d\"\r\n"), {S("a;b"), S("c; name=d"), NONE}},
        {S(FORM "name=\"\xc3\xbc\xff\"\r\n"), {S("\xc3\xbc\xff"), NONE, NONE}},
        /* RFC 8187 section 3.2.3 has such a one; it counts before the other, in any order */
        {S(FORM "name=a; filename*=UTF-8''%e2%82%ac%20rates\r\n"),
         {S("a"), S("\xe2\x82\xac rates"), NONE}},
        {S(FORM "name=a; filename*=utf-8'en'x%22; filename=y\r\n"), {S("a"), S("x\""), NONE}},
        {S(FORM "name=a; filename=y; filename*=utf-8''\r\n"), {S("a"), NONE, NONE}},
        /* a file may be anything */
        {S(FORM "name=a; filename=b\r\nContent-Type: multipart/related\r\n"),
         {S("a"), S("b"), S("multipart/related")}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str lines = exact(rows[i].lines);
        struct buf text = {0};
        struct part_head got;
        SAME_INT(lines, part_head_read(lines, &text, &got), 0);
        same(lines, got.name, rows[i].want.name);
        same(lines, got.filename, rows[i].want.filename);
        same(lines, got.type, rows[i].want.type);
        buf_fini(&text);
        exact_free(lines);
    }
}

static void refused(void **state) {
    static const struct {
        struct str lines;
        int want;
    } rows[] = {
        {S(""), PART_EDISPOSITION},
        {S("Content-Type: text/plain\r\n"), PART_EDISPOSITION},
        {S("Content-Disposition: form-data\r\n"), PART_EDISPOSITION},
        {S("Content-Disposition: attachment; name=a\r\n"), PART_EDISPOSITION},
        {S("Content-Disposition: ; name=a\r\n"), PART_EDISPOSITION},
        {S(FORM "filename=a\r\n"), PART_EDISPOSITION},
        {S(FORM "name=\"a\r\n"), PART_EDISPOSITION},
        {S(FORM "name=a b\r\n"), PART_EDISPOSITION},
        {S(FORM "name\r\n"), PART_EDISPOSITION},
        {S(FORM "name=a; name=b\r\n"), PART_EDISPOSITION},
        {S(FORM "name=a; filename=b; filename=b\r\n"), PART_EDISPOSITION},
        {S(FORM "name=a; filename*=utf-8''b; filename*=utf-8''b\r\n"), PART_EDISPOSITION},
        {S(FORM "name=a\r\n" FORM "name=a\r\n"), PART_EDISPOSITION},
        {S(FORM "name=a\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n"), PART_EFIELD},
        {S(FORM "name=a\r\nnonsense\r\n"), PART_EFIELD},
        {S(FORM "name=a\r\n folded: b\r\n"), PART_EFIELD},
        {S(FORM "name=\"a\0b\"\r\n"), PART_EFIELD},
        {S(FORM "name=a; filename*=b\r\n"), PART_EFILENAME},
        {S(FORM "name=a; filename*=utf-8'b\r\n"), PART_EFILENAME},
        {S(FORM "name=a; filename*=iso-8859-1''b\r\n"), PART_EFILENAME},
        {S(FORM "name=a; filename*=utf-8''%\r\n"), PART_EFILENAME},
        {S(FORM "name=a; filename*=utf-8''%4x\r\n"), PART_EFILENAME},
        {S(FORM "name=a; filename*=utf-8''%ff\r\n"), PART_EFILENAME},
        {S(FORM "name=a; filename*=utf-8''a*b\r\n"), PART_EFILENAME},
        {S(FORM "name=a; filename*=\"utf-8''a b\"\r\n"), PART_EFILENAME},
        {S(FORM "name=a; filename=b; filename*=utf-8''a'b\r\n"), PART_EFILENAME},
        {S(FORM "name=a; filename=\"\"\r\nContent-Type: multipart/mixed\r\n"), PART_ENESTED},
        {S(FORM "name=a\r\nContent-Type: Multipart/Mixed; boundary=b\r\n"), PART_ENESTED},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str lines = exact(rows[i].lines);
        struct buf text = {0};
        struct part_head got;
        SAME_INT(lines, part_head_read(lines, &text, &got), rows[i].want);
        buf_fini(&text);
        exact_free(lines);
    }
    for (int a = PART_EFIELD; a >= PART_ENESTED; a--)
        for (int b = PART_EFIELD; b > a; b--)
            assert_string_not_equal(part_head_error(a), part_head_error(b));
}

/* As many lines as there may be, and one more. */
static void many_lines(void **state) {
    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct buf lines = {0}, text = {0};
        struct part_head got;
        for (int i = 1; i < PART_FIELDS_MAX + more; i++)
            buf_add(&lines, STR("a: b\r\n"));
        buf_add(&lines, STR(FORM "name=a\r\n"));
        assert_int_equal(part_head_read(buf_str(&lines), &text, &got), more ? PART_EFIELDS : 0);
        buf_fini(&lines);
        buf_fini(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(heads), cmocka_unit_test(refused),
                                       cmocka_unit_test(many_lines)};
    return cmocka_run_group_tests_name("proto_part_head", tests, NULL, NULL);
}

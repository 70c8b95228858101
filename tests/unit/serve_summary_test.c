/* What a README says of its app in a line, whatever it is. */
#include "serve/summary.h"

#include "file_rig.h"
#include "table.h"

#include <sys/stat.h>
#include <unistd.h>

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

#define TEN "123456789 "
#define FIFTY TEN TEN TEN TEN TEN
#define ALMOST FIFTY FIFTY FIFTY TEN TEN TEN TEN
#define UNBROKEN "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void sentences(void **state) {
    static const struct {
        struct str text, want;
    } rows[] = {
        /* the usual one */
        {S("# clock\n\nThe time, in three ways. More.\n"), S("The time, in three ways.")},
        {S("# clock\r\n\r\nThe time,\r\nin three ways.\r\n"), S("The time, in three ways.")},
        {S("Without an end"), S("Without an end")},
        {S("Is it? Yes."), S("Is it?")},
        {S("Version 1.2 of it! Yes."), S("Version 1.2 of it!")},
        {S("\xef\xbb\xbf# A mark before\n\nLine."), S("Line.")},
        {S("# heading\nno empty line between."), S("no empty line between.")},
        {S("Heading\n=======\n\nLine."), S("Line.")},
        {S("Heading\n---\n\nLine."), S("Line.")},
        /* what is no prose */
        {S("[![a badge](x.svg)](y)\n[![b](z)](w)\n\nLine."), S("Line.")},
        {S("![an image](x.png)\n\nLine."), S("Line.")},
        {S("---\ntitle: front\n---\n\nLine."), S("Line.")},
        {S("- a list\n- of two\n\n1. and\n2. one\n\n* more\n\nLine."), S("Line.")},
        {S("> said\nby one\n\n| a | b |\n|---|---|\n\n    code\n\nLine."), S("Line.")},
        {S("```sh\nmake\n\nrun\n```\n\nLine."), S("Line.")},
        {S("<!-- a\nremark -->\n\n<p>HTML</p>\n\nLine."), S("Line.")},
        {S("***\n\n___\n\nLine."), S("Line.")},
        /* marks */
        {S("A `tool` for **all**, see [there](http://x/(y)."), S("A tool for all, see there.")},
        {S("[Weir](https://x) and [more] \\*here\\*."), S("Weir and more here.")},
        {S("*One* app."), S("One app.")},
        {S("1984 is a year."), S("1984 is a year.")},
        {S("A [link](that does not end."), S("A link(that does not end.")},
        {S("\xc3\x9c"
           "ber <b>&\"."),
         S("\xc3\x9c"
           "ber <b>&\".")},
        {S("No\xc2\xa0"
           "break."),
         S("No\xc2\xa0"
           "break.")},
        /* none */
        {S(""), S("")},
        {S("\n\n \n"), S("")},
        {S("# only\n## headings\n"), S("")},
        {S("```\nno end of it"), S("")},
        {S("Heading\n======="), S("")},
        {S("not UTF-8: \xff."), S("")},
        {S("escape \x1b[31m."), S("")},
        {S("and of C1 \xc2\x9b"
           "31m."),
         S("")},
        {S("a\0b."), S("")},
        {S("\0"), S("")},
        {S("\x7f"
           "ELF."),
         S("")},
        /* too long: 200 bytes, then one more */
        {S(ALMOST "123456789!"), S(ALMOST "123456789!")},
        {S(ALMOST "123456789 x"), S(ALMOST "123456789\xe2\x80\xa6")},
        {S(UNBROKEN UNBROKEN UNBROKEN UNBROKEN), S(UNBROKEN UNBROKEN UNBROKEN UNBROKEN)},
        {S(UNBROKEN UNBROKEN UNBROKEN UNBROKEN "x"),
         S(UNBROKEN UNBROKEN UNBROKEN UNBROKEN "\xe2\x80\xa6")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i].text);
        struct buf got = {0};
        summary_of(text, &got);
        SAME_STR(text, buf_str(&got), rows[i].want);
        buf_fini(&got);
        exact_free(text);
    }
}

/* A character at the limit is kept whole or not at all. */
static void cut_between_characters(void **state) {
    (void)state;
    for (size_t before = 0; before < 4; before++) {
        struct buf text = {0}, got = {0};
        buf_append(&text, "abc", before);
        while (text.len < 2 * SUMMARY_MAX)
            buf_add(&text, STR("\xf0\x9f\x8c\x8a"));
        summary_of(buf_str(&text), &got);
        assert_int_equal(str_utf8_valid(buf_str(&got)), got.len);
        assert_int_equal(got.len, before + (SUMMARY_MAX - before) / 4 * 4 + 3);
        buf_fini(&text);
        buf_fini(&got);
    }
}

/* Every beginning of a text with all that is looked for. */
static void ends_anywhere(void **state) {
    static const char text[] =
        "\xef\xbb\xbf[x](y\n```\n\n```\n* \n\n12) a\n\n\\`[![a](b)](c) ![d](e\n"
        "f](\xe2\x82\xac) **g** h\\\ni.\n===\n\nj!k? l](m";
    (void)state;
    for (size_t n = 0; n < sizeof text; n++) {
        struct str part = exact((struct str){text, n});
        struct buf got = {0};
        summary_of(part, &got);
        assert_int_equal(str_utf8_valid(buf_str(&got)), got.len);
        assert_true(got.len <= SUMMARY_MAX + 3);
        buf_fini(&got);
        exact_free(part);
    }
}

static void same_read(const char *want) {
    struct buf got = {0};
    summary_read("root", &got);
    SAME_STR(str_of(want), buf_str(&got), str_of(want));
    buf_fini(&got);
    unlink("root/README.md");
}

static void files(void **state) {
    (void)state;
    same_read("");
    file_rig_put("root/README.md", "# x\n\nWhat it is.");
    same_read("What it is.");
    file_rig_put("root/README.md", "");
    same_read("");
    file_rig_put("outside/README.md", "A secret.");
    assert_int_equal(symlink("../outside/README.md", "root/README.md"), 0);
    same_read("");
    assert_int_equal(symlink("sub/b.txt", "root/README.md"), 0); /* a link that stays */
    same_read("sub");
    assert_int_equal(symlink("nowhere", "root/README.md"), 0);
    same_read("");
    assert_int_equal(mkfifo("root/README.md", 0600), 0);
    same_read("");
    assert_int_equal(mkdir("root/README.md", 0700), 0);
    same_read("");
    assert_int_equal(rmdir("root/README.md"), 0);
}

/* What is sought must begin within the first 8 KiB. */
static void huge(void **state) {
    (void)state;
    for (size_t before = 8192 - 5; before <= 8192; before += 5) {
        struct buf text = {0};
        while (text.len < before)
            buf_add_char(&text, '\n');
        buf_add(&text, STR("Line."));
        while (text.len < 100000)
            buf_add(&text, STR(" More."));
        buf_add_char(&text, '\0');
        file_rig_put("root/README.md", text.data);
        same_read(before < 8192 ? "Line." : "");
        buf_fini(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sentences),
        cmocka_unit_test(cut_between_characters),
        cmocka_unit_test(ends_anywhere),
        cmocka_unit_test_setup_teardown(files, file_rig_setup, file_rig_teardown),
        cmocka_unit_test_setup_teardown(huge, file_rig_setup, file_rig_teardown),
    };
    return cmocka_run_group_tests_name("serve_summary", tests, NULL, NULL);
}

/* Names that were sent, as names of files. */
#include "proto/file_name.h"

#include "base/buf.h"
#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

static struct str safe(struct str name, char out[FILE_NAME_MAX]) {
    struct str given = exact(name);
    size_t len = file_name_safe(given, out);
    exact_free(given);
    return (struct str){out, len};
}

static void names(void **state) {
    static const struct {
        struct str sent, want;
    } rows[] = {
        /* safe: as they are */
        {S("a.txt"), S("a.txt")},
        {S("a b (1).tar.gz"), S("a b (1).tar.gz")},
        {S("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80.png"),
         S("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80.png")},
        {S("a\"b;c%d~"), S("a\"b;c%d~")},
        {S("console.txt"), S("console.txt")},
        {S("com10"), S("com10")},
        {S("comx"), S("comx")},
        /* the last segment */
        {S("../../etc/passwd"), S("passwd")},
        {S("C:\\Users\\a\\b.doc"), S("b.doc")},
        {S("/a\\b/c"), S("c")},
        {S("\\\\server\\share\\x"), S("x")},
        {S("a/.."), S("file")},
        {S("a/"), S("file")},
        /* nothing left */
        {S(""), S("file")},
        {S("."), S("file")},
        {S(".."), S("file")},
        {S(" . . "), S("file")},
        /* dots and spaces at the edges */
        {S(".htaccess"), S("htaccess")},
        {S("...a.b..."), S("a.b")},
        {S(" a.txt "), S("a.txt")},
        {S(". .a"), S("a")},
        /* what shows nothing */
        {S("a\0b\r\n.txt\x7f"), S("a_b__.txt_")},
        {S("\x01.bashrc"), S("_.bashrc")},
        {S("a\xc2\x85"
           "b\xc2\xa0"),
         S("a_b\xc2\xa0")},
        {S("a\xe2\x80\xaegpj.exe"), S("a_gpj.exe")},
        {S("\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\xaa\xe2\x81\xa6\xe2\x81\xa9"), S("______")},
        {S("\xe2\x80\x8b.txt"), S("_.txt")},
        {S("\xc2\xad\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xe1\x85\x9f\xe2\x81\xa0\xf3\xa0\x80\x81"),
         S("_______")},
        {S("\xe2\x80\x8c\xe2\x80\x8d\xe2\x80\xaf\xf3\xa0\x81\xa7"),
         S("\xe2\x80\x8c\xe2\x80\x8d\xe2\x80\xaf\xf3\xa0\x81\xa7")},
        /* no UTF-8: alone, overlong, a surrogate, cut off */
        {S("caf\xe9.txt"), S("caf_.txt")},
        {S("a\xc0\xaf"
           "b"),
         S("a__b")},
        {S("\xed\xa0\x80"), S("___")},
        {S("a\xe2\x82"), S("a__")},
        {S("a\xe2\x82.x"), S("a__.x")},
        /* devices of Windows */
        {S("CON"), S("_CON")},
        {S("nul.txt"), S("_nul.txt")},
        {S("Aux .tar.gz"), S("_Aux .tar.gz")},
        {S("prn."), S("_prn")},
        {S("COM1.log"), S("_COM1.log")},
        {S("lpt9"), S("_lpt9")},
        {S("com\xc2\xb9.txt"), S("_com\xc2\xb9.txt")},
        {S("LPT\xc2\xb3"), S("_LPT\xc2\xb3")},
        {S("com\xc2\xb4"), S("com\xc2\xb4")},
        {S("conin$"), S("_conin$")},
        {S("CONOUT$.x"), S("_CONOUT$.x")},
    };
    char out[FILE_NAME_MAX], again[FILE_NAME_MAX];
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str got = safe(rows[i].sent, out);
        SAME_STR(rows[i].sent, got, rows[i].want);
        SAME_STR(got, safe(got, again), got);
    }
}

static void add_times(struct buf *out, const char *unit, size_t n, const char *end) {
    while (n-- > 0)
        buf_add(out, str_of(unit));
    buf_add(out, str_of(end));
}

/* What `n` times `unit` and `end` become: `m` times `unit` and `want`. */
static void check_length(const char *unit, size_t n, const char *end, size_t m, const char *want) {
    struct buf sent = {0}, expected = {0};
    char out[FILE_NAME_MAX];
    add_times(&sent, unit, n, end);
    add_times(&expected, unit, m, want);
    SAME_STR(buf_str(&sent), safe(buf_str(&sent), out), buf_str(&expected));
    buf_fini(&sent);
    buf_fini(&expected);
}

static void lengths(void **state) {
    (void)state;
    check_length("a", 255, "", 255, "");
    check_length("a", 256, "", 255, "");
    check_length("a", 251, ".txt", 251, ".txt");
    check_length("a", 252, ".txt", 251, ".txt");
    check_length("\xc3\xbc", 127, "", 127, "");
    check_length("\xc3\xbc", 128, "", 127, "");
    check_length("\xc3\xbc", 200, ".txt", 125, ".txt");
    check_length("\xf0\x9f\x98\x80", 100, ".jpeg", 62, ".jpeg");
    /* 31 letters are the longest extension */
    check_length("a", 300, ".bcdefghijklmnopqrstuvwxyzabcdef", 223,
                 ".bcdefghijklmnopqrstuvwxyzabcdef");
    check_length("a", 300, ".bcdefghijklmnopqrstuvwxyzabcdefg", 255, "");
    /* cut off behind a dot or a space, which would be at the end then */
    check_length("a", 253, ". bcdefghijklmnopqrstuvwxyzabcdefghijk", 253, "");
    /* a device grows by one */
    check_length("con.", 64, "txt", 0,
                 "_con.con.con.con.con.con.con.con.con.con.con.con.con.con."
                 "con.con.con.con.con.con.con.con.con.con.con.con.con.con."
                 "con.con.con.con.con.con.con.con.con.con.con.con.con.con."
                 "con.con.con.con.con.con.con.con.con.con.con.con.con.con."
                 "con.con.con.con.con.con.co.txt");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names), cmocka_unit_test(lengths)};
    return cmocka_run_group_tests_name("proto_file_name", tests, NULL, NULL);
}

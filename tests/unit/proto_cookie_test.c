/* Cookies (RFC 6265): section 4.2.1 and 5.4 for what comes in, section 4.1.1 for what goes out. */
#include "proto/cookie.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

/* `want` is the pairs, "name=value|" each. */
static void received(void **state) {
    static const struct {
        struct str field;
        const char *want;
    } rows[] = {
        {{NULL, 0}, ""},
        {S(""), ""},
        {S("SID=31d4d96e407aad42; lang=en-US"), "SID=31d4d96e407aad42|lang=en-US|"}, /* 3.1 */
        {S("a=1"), "a=1|"},
        {S("a=1;b=2"), "a=1|b=2|"},
        {S("a=1;\t b=2 ; c=3"), "a=1|b=2|c=3|"},
        {S(" a = 1 "), "a=1|"},
        {S("a="), "a=|"},
        {S("a=\"1\""), "a=1|"},
        {S("a=\"\""), "a=|"},
        {S("a=\""), "a=\"|"},
        {S("a=\"1"), "a=\"1|"},
        {S("a=1\""), "a=1\"|"},
        {S("a=\"1;2\""), "a=\"1|"}, /* quotes do not protect: cookie-octet has no ';' */
        {S("a=b=c"), "a=b=c|"},
        {S("a=1; a=2"), "a=1|a=2|"},
        {S("a=\xC3\xBC"), "a=\xC3\xBC|"},
        /* skipped: no '=', no name */
        {S("a"), ""},
        {S("=1"), ""},
        {S(" =1; ="), ""},
        {S(";;; ;"), ""},
        {S("x; a=1; =y; ; b=2;"), "a=1|b=2|"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str field = exact(rows[i].field), rest = field, name, value;
        struct buf got = {0};
        while (cookie_next(&rest, &name, &value)) {
            buf_add(&got, name);
            buf_add_char(&got, '=');
            buf_add(&got, value);
            buf_add_char(&got, '|');
        }
        SAME_STR(field, buf_str(&got), str_of(rows[i].want));
        assert_false(cookie_next(&rest, &name, &value)); /* and stays at the end */
        buf_fini(&got);
        exact_free(field);
    }
}

/* Formats exact copies behind some bytes that must stay; returns the code and what was added. */
static int format(struct buf *out, struct str name, struct str value,
                  const struct cookie_options *options) {
    struct cookie_options copy = *options;
    copy.path = exact(options->path);
    copy.domain = exact(options->domain);
    name = exact(name);
    value = exact(value);
    buf_add(out, STR("before"));
    int rc = cookie_format(out, name, value, &copy);
    SAME_STR(name, (struct str){out->data, 6}, STR("before"));
    buf_drop(out, 6);
    exact_free(copy.path);
    exact_free(copy.domain);
    exact_free(name);
    exact_free(value);
    return rc;
}

static void sent(void **state) {
    static const struct {
        struct str name, value;
        struct cookie_options options;
        const char *want;
    } rows[] = {
        {S("SID"), S("31d4"), {.max_age = -1}, "SID=31d4; Path=/"},
        {S("a"), S(""), {.max_age = -1}, "a=; Path=/"},
        {S("a"), {NULL, 0}, {.max_age = INT64_MIN}, "a=; Path=/"},
        {S("a"), S("1"), {.max_age = 0}, "a=1; Path=/; Max-Age=0"},
        {S("a"), S("1"), {.max_age = INT64_MAX}, "a=1; Path=/; Max-Age=9223372036854775807"},
        {S("a"), S("1"), {.path = S("/x"), .max_age = -1}, "a=1; Path=/x"},
        {S("a"), S("1"), {.path = S("/ ~!,\""), .max_age = -1}, "a=1; Path=/ ~!,\""},
        {S("a"),
         S("1"),
         {.domain = S("example.com"), .max_age = -1},
         "a=1; Path=/; Domain=example.com"},
        {S("a"),
         S("1"),
         {.domain = S("X1-y.0z.A"), .max_age = -1},
         "a=1; Path=/; Domain=X1-y.0z.A"},
        {S("a"), S("1"), {.max_age = -1, .secure = true}, "a=1; Path=/; Secure"},
        {S("a"), S("1"), {.max_age = -1, .http_only = true}, "a=1; Path=/; HttpOnly"},
        {S("a"), S("1"), {.max_age = -1, .same_site = "Strict"}, "a=1; Path=/; SameSite=Strict"},
        {S("a"), S("1"), {.max_age = -1, .same_site = "Lax"}, "a=1; Path=/; SameSite=Lax"},
        {S("a"), S("1"), {.max_age = -1, .same_site = "None"}, "a=1; Path=/; SameSite=None"},
        {S("a"),
         S("1"),
         {S("/x"), S("h.example"), 60, true, true, "Lax"},
         "a=1; Path=/x; Domain=h.example; Max-Age=60; Secure; HttpOnly; SameSite=Lax"},
        {S("a"), S("\"\""), {.max_age = -1}, "a=\"\"; Path=/"},
        {S("a"), S("\"1\""), {.max_age = -1}, "a=\"1\"; Path=/"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf got = {0};
        struct str want = str_of(rows[i].want);
        SAME_INT(want, format(&got, rows[i].name, rows[i].value, &rows[i].options), 0);
        SAME_STR(want, buf_str(&got), want);
        buf_fini(&got);
    }
}

static void expect_refused(struct str name, struct str value, struct cookie_options options,
                           int want) {
    struct buf got = {0};
    options.max_age = -1;
    SAME_INT(value, format(&got, name, value, &options), want);
    assert_int_equal(got.len, 0);
    buf_fini(&got);
}

static void refused(void **state) {
    static const struct str names[] = {S(""), {NULL, 0}, S("a b"), S("a="), S("a;"), S("\xFF")};
    static const struct str values[] = {S("\""), S("\"1"), S("1\""), S("\"a b\""), S("\"\"\"")};
    static const struct str domains[] = {
        S(".example.com"), S("example.com."), S("a..b"), S("."),     S("-a.com"), S("a-.com"),
        S("a_b"),          S("a b"),          S("a;b"),  S("[::1]"), S("a@b"),    S("a`b"),
        S("a/b"),          S("a:1"),          S("a{b"),  S("\xC3"),  S("a\0b")};
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++)
        expect_refused(names[i], STR("1"), (struct cookie_options){0}, COOKIE_ENAME);
    for (size_t i = 0; i < COUNT(values); i++)
        expect_refused(STR("a"), values[i], (struct cookie_options){0}, COOKIE_EVALUE);
    for (size_t i = 0; i < COUNT(domains); i++)
        expect_refused(STR("a"), STR("1"), (struct cookie_options){.domain = domains[i]},
                       COOKIE_EVALUE);
    expect_refused(STR("a"), STR("1"), (struct cookie_options){.same_site = "lax"}, COOKIE_EVALUE);
    expect_refused(STR("a"), STR("1"), (struct cookie_options){.same_site = ""}, COOKIE_EVALUE);
}

/* Each byte as a value and in a path: cookie-octet = %x21 / %x23-2B / %x2D-3A / %x3C-5B / %x5D-7E,
 * path-value = <any CHAR except CTLs or ";">. */
static void bytes(void **state) {
    (void)state;
    for (int c = 0; c < 256; c++) {
        char byte = (char)c;
        struct str s = {&byte, 1};
        struct cookie_options options = {.max_age = -1};
        struct buf got = {0};
        bool octet = c == 0x21 || (c >= 0x23 && c <= 0x2B) || (c >= 0x2D && c <= 0x3A) ||
                     (c >= 0x3C && c <= 0x5B) || (c >= 0x5D && c <= 0x7E);
        bool path = c >= 0x20 && c <= 0x7E && c != ';';
        SAME_INT(s, format(&got, STR("a"), s, &options), octet ? 0 : COOKIE_EVALUE);
        buf_fini(&got);
        options.path = s;
        SAME_INT(s, format(&got, STR("a"), STR("1"), &options), path ? 0 : COOKIE_EVALUE);
        buf_fini(&got);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(received),
        cmocka_unit_test(sent),
        cmocka_unit_test(refused),
        cmocka_unit_test(bytes),
    };
    return cmocka_run_group_tests_name("proto_cookie", tests, NULL, NULL);
}

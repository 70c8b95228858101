/* Request targets (RFC 9112 section 3.2), percent-decoding (RFC 3986 section 2.1, WHATWG URL
 * section 1.3), queries (WHATWG URL section 5.1). */
#include "proto/url.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }
#define NONE                                                                                       \
    { NULL, 0 }

static void targets(void **state) {
    static const struct {
        const char *method;
        struct str raw;
        struct target want;
    } rows[] = {
        /* section 3.2.1, origin-form = absolute-path [ "?" query ] */
        {"GET", S("/"), {TARGET_ORIGIN, NONE, NONE, S("/"), NONE}},
        {"GET", S("/where?q=now"), {TARGET_ORIGIN, NONE, NONE, S("/where"), S("q=now")}},
        {"GET", S("/a?"), {TARGET_ORIGIN, NONE, NONE, S("/a"), S("")}},
        {"GET", S("/a?b?c/d"), {TARGET_ORIGIN, NONE, NONE, S("/a"), S("b?c/d")}},
        {"GET", S("//h/x"), {TARGET_ORIGIN, NONE, NONE, S("//h/x"), NONE}},
        {"GET", S("/%2e~!"), {TARGET_ORIGIN, NONE, NONE, S("/%2e~!"), NONE}},
        {"OPTIONS", S("/x"), {TARGET_ORIGIN, NONE, NONE, S("/x"), NONE}},
        {"GET", S("/http://h/"), {TARGET_ORIGIN, NONE, NONE, S("/http://h/"), NONE}},
        /* section 3.2.2, absolute-form = absolute-URI */
        {"GET",
         S("http://www.example.org/pub/WWW/TheProject.html"),
         {TARGET_ABSOLUTE, S("http"), S("www.example.org"), S("/pub/WWW/TheProject.html"), NONE}},
        {"GET", S("http://h"), {TARGET_ABSOLUTE, S("http"), S("h"), S("/"), NONE}},
        {"GET", S("http://h?q"), {TARGET_ABSOLUTE, S("http"), S("h"), S("/"), S("q")}},
        {"GET", S("HTTPS://h:8443/"), {TARGET_ABSOLUTE, S("HTTPS"), S("h:8443"), S("/"), NONE}},
        {"GET", S("http://[::1]:80/a"), {TARGET_ABSOLUTE, S("http"), S("[::1]:80"), S("/a"), NONE}},
        {"GET", S("a+9.-Z://h/"), {TARGET_ABSOLUTE, S("a+9.-Z"), S("h"), S("/"), NONE}},
        {"OPTIONS", S("http://h/"), {TARGET_ABSOLUTE, S("http"), S("h"), S("/"), NONE}},
        /* section 3.2.3, authority-form = uri-host ":" port */
        {"CONNECT", S("h.example:80"), {TARGET_AUTHORITY, NONE, S("h.example:80"), NONE, NONE}},
        {"CONNECT", S("[::1]:443"), {TARGET_AUTHORITY, NONE, S("[::1]:443"), NONE, NONE}},
        /* section 3.2.4, asterisk-form */
        {"OPTIONS", S("*"), {TARGET_ASTERISK, NONE, NONE, S("*"), NONE}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str raw = exact(rows[i].raw), method = exact(str_of(rows[i].method));
        struct target got;
        SAME_INT(raw, url_target(raw, method, &got), 0);
        SAME_INT(raw, got.form, rows[i].want.form);
        SAME_STR(raw, got.scheme, rows[i].want.scheme);
        SAME_STR(raw, got.authority, rows[i].want.authority);
        SAME_STR(raw, got.path, rows[i].want.path);
        SAME_STR(raw, got.query, rows[i].want.query);
        SAME_INT(raw, got.query.ptr != NULL, rows[i].want.query.ptr != NULL);
        exact_free(raw);
        exact_free(method);
    }
}

static void bad_targets(void **state) {
    static const struct {
        const char *method;
        struct str raw;
    } rows[] = {
        {"GET", S("")},
        {"GET", S("a")},
        {"GET", S("a/b")},
        {"GET", S("?q")},
        {"GET", S("/a b")},
        {"GET", S("/a\tb")},
        {"GET", S("/a\0b")},
        {"GET", S("/\x1F")},
        {"GET", S("/\x7F")},
        {"GET", S("/\x80")},
        {"GET", S("/\xC3\xBC")},
        {"GET", S("/\xFF")},
        {"GET", S("/a#b")},
        {"GET", S("#")},
        {"GET", S("/a\r\n")},
        /* the asterisk is OPTIONS' alone, and alone */
        {"GET", S("*")},
        {"options", S("*")},
        {"OPTIONS", S("**")},
        {"OPTIONS", S("")},
        /* absolute-form: scheme, "://", a host */
        {"GET", S("http")},
        {"GET", S("http:")},
        {"GET", S("http:/")},
        {"GET", S("http:/h")},
        {"GET", S("http://")},
        {"GET", S("http:///a")},
        {"GET", S("http://?q")},
        {"GET", S("http://:80/")},
        {"GET", S("http://u@h/")},
        {"GET", S("http://u:p@h/")},
        {"GET", S("http://h:8x/")},
        {"GET", S("http://[::1/")},
        {"GET", S("://h/")},
        {"GET", S("1http://h/")},
        {"GET", S("+a://h/")},
        {"GET", S("ht_tp://h/")},
        {"GET", S("h.example:80")},
        /* CONNECT takes host and port, nothing else */
        {"CONNECT", S("")},
        {"CONNECT", S("/")},
        {"CONNECT", S("*")},
        {"CONNECT", S("h")},
        {"CONNECT", S("h:")},
        {"CONNECT", S(":80")},
        {"CONNECT", S("1")},
        {"CONNECT", S("192.0.2.1")},
        {"CONNECT", S("[::1]")},
        {"CONNECT", S("[::1]:")},
        {"CONNECT", S("h:80/")},
        {"CONNECT", S("h:8o")},
        {"CONNECT", S("u@h:80")},
        {"CONNECT", S("http://h:80")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str raw = exact(rows[i].raw);
        struct target got;
        SAME_INT(raw, url_target(raw, str_of(rows[i].method), &got), URL_EBAD);
        exact_free(raw);
    }
}

/* What `in` decodes to, without and with plus. */
static void decoding(void **state) {
    static const struct {
        struct str in, want, want_plus;
    } rows[] = {
        {S(""), S(""), S("")},
        {S("abc"), S("abc"), S("abc")},
        {S("a+b"), S("a+b"), S("a b")},
        {S("a%20b"), S("a b"), S("a b")},
        {S("%2B"), S("+"), S("+")},
        {S("%2b"), S("+"), S("+")},
        {S("%41%5a"), S("AZ"), S("AZ")},
        {S("%0A%0D%09"), S("\n\r\t"), S("\n\r\t")},
        {S("%fF%Fe"), S("\xFF\xFE"), S("\xFF\xFE")},
        {S("\xFF"), S("\xFF"), S("\xFF")},
        {S("\xC3\xBC"), S("\xC3\xBC"), S("\xC3\xBC")},
        {S("%2525"), S("%25"), S("%25")}, /* once, not twice */
        {S("%"), S("%"), S("%")},
        {S("a%"), S("a%"), S("a%")},
        {S("a%4"), S("a%4"), S("a%4")},
        {S("%4g"), S("%4g"), S("%4g")},
        {S("%g4"), S("%g4"), S("%g4")},
        {S("%@4"), S("%@4"), S("%@4")},
        {S("%`4"), S("%`4"), S("%`4")},
        {S("%/4%:4"), S("%/4%:4"), S("%/4%:4")},
        {S("%\x10"
           "0"),
         S("%\x10"
           "0"),
         S("%\x10"
           "0")}, /* 0x10 | 0x20 is '0' */
        {S("% 1"), S("% 1"), S("% 1")},
        {S("%+1"), S("%+1"), S("% 1")},
        {S("%%41"), S("%A"), S("%A")},
        {S("%00"), S("\0"), S("\0")},
        {S("ab%00cd"), S("ab\0cd"), S("ab\0cd")},
        {S("a\0b"), S("a\0b"), S("a\0b")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int plus = 0; plus < 2; plus++) {
            struct str in = exact(rows[i].in);
            struct buf out = {0};
            buf_add(&out, STR("before"));
            url_decode_lenient(in, plus, &out);
            SAME_STR(in, (struct str){out.data, 6}, STR("before"));
            SAME_STR(in, (struct str){out.data + 6, out.len - 6},
                     plus ? rows[i].want_plus : rows[i].want);
            buf_fini(&out);
            exact_free(in);
        }
    }
}

/* `want` is the pairs, "name=value|" each. */
static void queries(void **state) {
    static const struct {
        struct str query;
        const char *want;
    } rows[] = {
        {NONE, ""},
        {S(""), ""},
        {S("a=1"), "a=1|"},
        {S("a=1&b=2"), "a=1|b=2|"},
        {S("a"), "a=|"},
        {S("a="), "a=|"},
        {S("=1"), "=1|"},
        {S("="), "=|"},
        {S("a=b=c"), "a=b=c|"},
        {S("&"), ""},
        {S("&&a=1&&&b&"), "a=1|b=|"},
        {S("a=1;b=2"), "a=1;b=2|"},
        {S("%61=%26+x"), "%61=%26+x|"},
        {S("a=1&a=2"), "a=1|a=2|"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str query = exact(rows[i].query), rest = query, name, value;
        struct buf got = {0};
        while (url_query_next(&rest, &name, &value)) {
            assert_non_null(value.ptr);
            buf_add(&got, name);
            buf_add_char(&got, '=');
            buf_add(&got, value);
            buf_add_char(&got, '|');
        }
        SAME_STR(query, buf_str(&got), str_of(rows[i].want));
        assert_false(url_query_next(&rest, &name, &value)); /* and stays at the end */
        buf_fini(&got);
        exact_free(query);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(bad_targets),
        cmocka_unit_test(decoding),
        cmocka_unit_test(queries),
    };
    return cmocka_run_group_tests_name("proto_url", tests, NULL, NULL);
}

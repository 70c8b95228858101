/* The grammars of fields and the reason phrases; sections are those of RFC 9110 unless another is
 * named. */
#include "proto/header.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

/* Section 5.6.2: any VCHAR, except delimiters. Each byte by itself and inside a token. */
static void tokens(void **state) {
    static const char tchars[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    (void)state;
    for (int c = 0; c < 256; c++) {
        char inside[3] = {'x', (char)c, 'x'};
        bool want = memchr(tchars, c, sizeof tchars - 1) != NULL;
        struct str one = exact((struct str){inside + 1, 1}), three = exact((struct str){inside, 3});
        SAME_INT(one, header_is_token(one), want);
        SAME_INT(three, header_is_token(three), want);
        exact_free(one);
        exact_free(three);
    }
    assert_false(header_is_token(STR("")));
    assert_false(header_is_token((struct str){NULL, 0}));
    assert_true(header_is_token(STR("Content-Type")));
    assert_false(header_is_token(STR("Content-Type ")));
}

/* Section 5.5: field-vchar = VCHAR / obs-text, with SP and HTAB only between them. */
static void values(void **state) {
    (void)state;
    for (int c = 0; c < 256; c++) {
        char inside[3] = {'x', (char)c, 'x'};
        bool between = (c >= 0x20 && c != 0x7F) || c == '\t';
        bool outside = between && c != ' ' && c != '\t';
        struct str one = exact((struct str){inside + 1, 1}), three = exact((struct str){inside, 3});
        SAME_INT(three, header_is_value(three), between);
        SAME_INT(one, header_is_value(one), outside);
        SAME_INT(one, header_is_value((struct str){inside, 2}), outside);
        SAME_INT(one, header_is_value((struct str){inside + 1, 2}), outside);
        exact_free(one);
        exact_free(three);
    }
    assert_true(header_is_value(STR("")));
    assert_true(header_is_value((struct str){NULL, 0}));
}

/* Section 5.6.1.2: empty elements do not count. `want` has a '|' after each element. */
static void lists(void **state) {
    static const struct {
        struct str list;
        const char *want;
    } rows[] = {
        {{NULL, 0}, ""},
        {S(""), ""},
        {S("foo,bar"), "foo|bar|"},
        {S("foo ,bar,"), "foo|bar|"},
        {S("foo , ,bar,charlie"), "foo|bar|charlie|"},
        {S(","), ""},
        {S(",   ,"), ""},
        {S(" \t,\tfoo\t, "), "foo|"},
        {S("a b"), "a b|"},
        /* section 5.6.4: a comma in a quoted string is text, and so is an escaped quote */
        {S("a=\"1,2\", b"), "a=\"1,2\"|b|"},
        {S("\"\\\",\",x"), "\"\\\",\"|x|"},
        {S("\"\\\\\",x"), "\"\\\\\"|x|"},
        {S("\"\",x"), "\"\"|x|"},
        {S("a\\,b"), "a\\|b|"}, /* outside of quotes a backslash is nothing special */
        {S("\"open, x"), "\"open, x|"},
        {S("a, \"open\\"), "a|\"open\\|"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str list = exact(rows[i].list), rest = list, element;
        struct buf got = {0};
        while (header_list_next(&rest, &element)) {
            buf_add(&got, element);
            buf_add_char(&got, '|');
        }
        SAME_STR(list, buf_str(&got), str_of(rows[i].want));
        assert_false(header_list_next(&rest, &element)); /* and stays at the end */
        buf_fini(&got);
        exact_free(list);
    }
}

static void list_has(void **state) {
    static const struct {
        struct str list, token;
        bool want;
    } rows[] = {
        {S("close"), S("close"), true},
        {S("keep-alive, Close"), S("close"), true},
        {S("keep-alive,CLOSE ,x"), S("close"), true},
        {S("closed"), S("close"), false},
        {S("clos"), S("close"), false},
        {S("close x"), S("close"), false},
        {S("\"a, close\""), S("close"), false},
        {S(""), S("close"), false},
        {{NULL, 0}, S("close"), false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str list = exact(rows[i].list), token = exact(rows[i].token);
        SAME_INT(list, header_list_has(list, token), rows[i].want);
        exact_free(list);
        exact_free(token);
    }
}

/* Section 8.3.1: media-type = type "/" subtype parameters. */
static void media_types(void **state) {
    static const struct {
        struct str value, want;
    } rows[] = {
        {S("text/html"), S("text/html")},
        {S("text/html;charset=utf-8"), S("text/html")},
        {S("Text/HTML ; charset=\"a;b\""), S("Text/HTML")},
        {S(" \ttext/html\t "), S("text/html")},
        {S(";"), S("")},
        {S(""), S("")},
        {{NULL, 0}, S("")},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str value = exact(rows[i].value);
        SAME_STR(value, header_media_type(value), rows[i].want);
        exact_free(value);
    }
}

/* Section 12.5.3 with the weights of section 12.4.2. */
static void codings(void **state) {
    static const struct {
        struct str value, coding;
        int want;
    } rows[] = {
        /* the examples of section 12.5.3 */
        {S("compress, gzip"), S("gzip"), 1000},
        {S(""), S("gzip"), 0},
        {S("*"), S("gzip"), 1000},
        {S("compress;q=0.5, gzip;q=1.0"), S("compress"), 500},
        {S("compress;q=0.5, gzip;q=1.0"), S("gzip"), 1000},
        {S("gzip;q=1.0, identity; q=0.5, *;q=0"), S("identity"), 500},
        {S("gzip;q=1.0, identity; q=0.5, *;q=0"), S("br"), 0},
        {{NULL, 0}, S("gzip"), 0},
        /* names ignore case; "*" counts only for those that are not named, wherever it stands */
        {S("GZip"), S("gzip"), 1000},
        {S("gzip;q=0, *"), S("gzip"), 0},
        {S("*, gzip;q=0"), S("gzip"), 0},
        {S("*;q=0.2, gzip;q=0.3"), S("gzip"), 300},
        {S("*;q=0.2, gzip;q=0.3"), S("br"), 200},
        {S("gzipped"), S("gzip"), 0},
        {S("x-gzip"), S("gzip"), 0},
        /* qvalue: up to three digits, at most 1 */
        {S("br;q=0"), S("br"), 0},
        {S("br;q=0."), S("br"), 0},
        {S("br;q=1."), S("br"), 1000},
        {S("br;q=1.000"), S("br"), 1000},
        {S("br;q=0.001"), S("br"), 1},
        {S("br;q=0.999"), S("br"), 999},
        {S("br;q=0.12"), S("br"), 120},
        {S("br;Q=0.7"), S("br"), 700},
        {S("br \t;\t q=0.7"), S("br"), 700},
        /* malformed weights count as 0 */
        {S("br;q=1.001"), S("br"), 0},
        {S("br;q=1.1"), S("br"), 0},
        {S("br;q=2"), S("br"), 0},
        {S("br;q=0.0001"), S("br"), 0},
        {S("br;q=0.5555"), S("br"), 0},
        {S("br;q=1.0000"), S("br"), 0},
        {S("br;q=.5"), S("br"), 0},
        {S("br;q=0,5"), S("br"), 0},
        {S("br;q=1,5"), S("br"), 1000},
        {S("br;q=0:5"), S("br"), 0},
        {S("br;q=1:0"), S("br"), 0},
        {S("br;q=10"), S("br"), 0},
        {S("br;q=1.x"), S("br"), 0},
        {S("br;q=-1"), S("br"), 0},
        {S("br;q="), S("br"), 0},
        {S("br;q"), S("br"), 0},
        {S("br;"), S("br"), 0},
        {S("br;x=1"), S("br"), 0},
        {S("br;qq=1"), S("br"), 0},
        {S("br;q =1"), S("br"), 0},
        {S("br;q=1;x=1"), S("br"), 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str value = exact(rows[i].value);
        SAME_INT(value, header_accepts_coding(value, rows[i].coding), rows[i].want);
        exact_free(value);
    }
}

/* Section 7.2: Host = uri-host [ ":" port ], with RFC 3986 section 3.2.2. */
static void hosts(void **state) {
    static const struct {
        struct str host;
        bool want;
    } rows[] = {
        {S(""), true},
        {{NULL, 0}, true},
        {S("www.example.org"), true},
        {S("www.example.org:80"), true},
        {S("h:"), true}, /* port = *DIGIT */
        {S(":80"), true},
        {S("localhost"), true},
        {S("192.0.2.1:8080"), true},
        {S("a_b~c-d!$&'()*+,;="), true},
        {S("%41%fF"), true},
        {S("[::1]"), true},
        {S("[::1]:8080"), true},
        {S("[::1]:"), true},
        {S("[2001:DB8::ff00:42:8329]"), true},
        {S("[::ffff:192.0.2.1]"), true},
        {S("[1111:2222:3333:4444:5555:6666:123.123.123.123]"), true}, /* 45 bytes, the longest */
        {S("[1111:2222:3333:4444:5555:6666:123.123.123.1234]"), false},
        {S("h:8o"), false},
        {S("h:-1"), false},
        {S("h:80:80"), false},
        {S("h h"), false},
        {S(" h"), false},
        {S("h\t"), false},
        {S("h/"), false},
        {S("h?"), false},
        {S("h#"), false},
        {S("u@h"), false},
        {S("h\0"), false},
        {S("h\\"), false},
        {S("h\""), false},
        {S("h\xFF"), false},
        {S("%"), false},
        {S("%4"), false},
        {S("%4g"), false},
        {S("%g4"), false},
        {S("a,b"), true},
        {S("["), false},
        {S("[]"), false},
        {S("[::1"), false},
        {S("::1"), false},
        {S("[::1]x"), false},
        {S("[::1]80"), false},
        {S("[::1]:x"), false},
        {S("[::1]]"), false},
        {S("[[::1]]"), false},
        {S("[:::1]"), false},
        {S("[12345::]"), false},
        {S("[::1\0]"), false},
        {S("[fe80::1%eth0]"), false},
        {S("[192.0.2.1]"), false},
        {S("[v1.x]"), false},
        {S("h[::1]"), false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str host = exact(rows[i].host);
        SAME_INT(host, header_is_host(host), rows[i].want);
        exact_free(host);
    }
}

/* Section 15 and the registry it refers to. */
static void reasons(void **state) {
    static const struct {
        int status;
        const char *want;
    } rows[] = {
        {100, "Continue"},
        {101, "Switching Protocols"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {204, "No Content"},
        {206, "Partial Content"},
        {226, "IM Used"},
        {301, "Moved Permanently"},
        {304, "Not Modified"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
        {511, "Network Authentication Required"},
        {0, "Unknown"},
        {99, "Unknown"},
        {306, "Unknown"}, /* unused */
        {418, "Unknown"}, /* unused */
        {299, "Unknown"},
        {512, "Unknown"},
        {999, "Unknown"},
        {-1, "Unknown"},
        {INT32_MIN, "Unknown"},
        {INT32_MAX, "Unknown"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_string_equal(http_reason(rows[i].status), rows[i].want);
}

/* `want` has "name=value|" for each, and '!' where it is malformed. */
static void walk(int (*next)(struct str *, struct str *, struct str *), struct str text,
                 const char *want) {
    struct str all = exact(text), rest = all, name, value;
    struct buf got = {0};
    int rc;
    while ((rc = next(&rest, &name, &value)) > 0)
        buf_printf(&got, "%.*s=%.*s|", STR_ARG(name), STR_ARG(value));
    if (rc < 0)
        buf_add_char(&got, '!');
    SAME_STR(all, buf_str(&got), str_of(want));
    buf_fini(&got);
    exact_free(all);
}

/* Section 5.6.6. */
static void params(void **state) {
    static const struct {
        struct str params;
        const char *want;
    } rows[] = {
        {{NULL, 0}, ""},
        {S(" \t"), ""},
        {S(";a=b"), "a=b|"},
        {S(" ; a=b\t;c=\"d\" "), "a=b|c=d|"},
        {S(";;a=b; ;"), "a=b|"},
        {S("; a=\"\""), "a=|"},
        {S("; a=\"x;y=\\\"z\\\\\";b=c"), "a=x;y=\\\"z\\\\|b=c|"},
        {S("; a=\"b\"c"), "a=b|!"},
        {S("a=b"), "!"},
        {S(";a=b c=d"), "a=b|!"},
        {S(";a"), "!"},
        {S(";a="), "!"},
        {S(";=b"), "!"},
        {S(";a =b"), "!"},
        {S(";a= b"), "!"},
        {S(";a=\"b"), "!"},
        {S(";a=\"b\\\""), "!"},
        {S(";a=\""), "!"},
        {S(";a=b/c"), "a=b|!"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        walk(header_param_next, rows[i].params, rows[i].want);
}

/* RFC 9112 section 5: no white space before the colon, no folding. */
static void lines(void **state) {
    static const struct {
        struct str lines;
        const char *want;
    } rows[] = {
        {{NULL, 0}, ""},
        {S("A: b\r\nc:\td \r\n"), "A=b|c=d|"},
        {S("a:\r\n"), "a=|"},
        {S("a: b:c\r\n"), "a=b:c|"},
        {S("a: b"), "!"},
        {S("a: b\n"), "!"},
        {S("a: b\r\n c\r\n"), "a=b|!"},
        {S("a : b\r\n"), "!"},
        {S(": b\r\n"), "!"},
        {S("a\r\n"), "!"},
        {S("\r\n"), "!"},
        {S("a: b\rc\r\n"), "!"},
        {S("a: b\0c\r\n"), "!"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        walk(header_field_next, rows[i].lines, rows[i].want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),   cmocka_unit_test(values),      cmocka_unit_test(lists),
        cmocka_unit_test(list_has), cmocka_unit_test(media_types), cmocka_unit_test(codings),
        cmocka_unit_test(hosts),    cmocka_unit_test(reasons),     cmocka_unit_test(params),
        cmocka_unit_test(lines),
    };
    return cmocka_run_group_tests_name("proto_header", tests, NULL, NULL);
}

/* The grammars of fields, sections of RFC 9110 unless another is named. Dates too:
 * core/proto/date.c has its prototypes in header.h. */
#include "proto/header.h"

#include "base/clock.h"
#include "table.h"

#include <stdio.h>
#include <time.h>

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

/* ---- dates, section 5.6.7 ---------------------------------------------------------------------
 */

/* Two-digit years depend on the present: here it stands at 2040-03-01T00:00:00Z. */
static int stop_clock(void **state) {
    const int64_t now_ns = 2214172800 * INT64_C(1000000000);
    (void)state;
    clock_freeze();
    clock_advance_ns((uint64_t)(now_ns - clock_wall_ns()));
    return 0;
}

static int start_clock(void **state) {
    (void)state;
    clock_thaw();
    return 0;
}

static void date_forms(void **state) {
    static const struct {
        struct str text;
        int64_t want;
    } rows[] = {
        /* the three forms of the RFC, one moment */
        {S("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777},
        {S("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777},
        {S("Sun Nov  6 08:49:37 1994"), 784111777},
        {S("Thu, 01 Jan 1970 00:00:00 GMT"), 0},
        {S("Wed, 31 Dec 1969 23:59:59 GMT"), -1},
        {S("Wednesday, 01-Jan-70 00:00:00 GMT"), 3155760000}, /* 2070 */
        {S("Thu Jan  1 00:00:00 1970"), 0},
        {S("Wed Dec 31 23:59:59 1969"), -1},
        {S("Tue, 19 Jan 2038 03:14:08 GMT"), 2147483648},
        {S("Fri, 31 Dec 9999 23:59:59 GMT"), 253402300799},
        {S("Sat, 01 Jan 0000 00:00:00 GMT"), -62167219200},
        {S("Tue, 29 Feb 2000 12:00:00 GMT"), 951825600},
        {S("Thu, 29 Feb 2024 00:00:00 GMT"), 1709164800},
        {S("Fri, 01 Mar 2024 00:00:00 GMT"), 1709251200},
        /* a leap second is the next minute's first */
        {S("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800},
        /* the date decides, not the name of the day */
        {S("Mon, 06 Nov 1994 08:49:37 GMT"), 784111777},
        {S("Wednesday, 06-Nov-94 08:49:37 GMT"), 784111777},
        {S("Sat Nov  6 08:49:37 1994"), 784111777},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i].text);
        int64_t got = 1;
        SAME_INT(text, http_date_parse(text, &got), 0);
        SAME_INT(text, got, rows[i].want);
        exact_free(text);
    }
}

static void bad_dates(void **state) {
    static const struct str rows[] = {
        S(""),
        S("Sun"),
        S("Sunday"),
        S("Sun,"),
        S("Sun, "),
        S("Sunday,"),
        S("Sun "),
        S("06 Nov 1994 08:49:37 GMT"),
        S("sun, 06 Nov 1994 08:49:37 GMT"), /* HTTP-date is case sensitive */
        S("Sun, 06 nov 1994 08:49:37 GMT"),
        S("Sun, 06 Nov 1994 08:49:37 gmt"),
        S("Xyz, 06 Nov 1994 08:49:37 GMT"),
        S("Sund, 06 Nov 1994 08:49:37 GMT"),
        S("Sun,06 Nov 1994 08:49:37 GMT"),
        S("Sun, 6 Nov 1994 08:49:37 GMT"),
        S("Sun,  6 Nov 1994 08:49:37 GMT"),
        S("Sun, 06 Xyz 1994 08:49:37 GMT"),
        S("Sun, 06 November 1994 08:49:37 GMT"),
        S("Sun, 06 Nov 94 08:49:37 GMT"),
        S("Sun, 06 Nov 19944 08:49:37 GMT"),
        S("Sun, 06 Nov -994 08:49:37 GMT"),
        S("Sun, +6 Nov 1994 08:49:37 GMT"),
        S("Sun, 06 Nov 1994 8:49:37 GMT"),
        S("Sun, 06 Nov 1994 08:49 GMT"),
        S("Sun, 06 Nov 1994 08.49.37 GMT"),
        S("Sun, 06 Nov 1994 08:49:37"),
        S("Sun, 06 Nov 1994 08:49:37 UTC"),
        S("Sun, 06 Nov 1994 08:49:37 +0000"),
        S("Sun, 06 Nov 1994 08:49:37 GMT "),
        S(" Sun, 06 Nov 1994 08:49:37 GMT"),
        S("Sun, 06 Nov 1994 08:49:37 GMTx"),
        S("Sun, 06 Nov 1994 08:49:37 GM"),
        /* one beyond each limit */
        S("Sun, 00 Nov 1994 08:49:37 GMT"),
        S("Sun, 31 Nov 1994 08:49:37 GMT"),
        S("Sun, 32 Dec 1994 08:49:37 GMT"),
        S("Sun, 99 Dec 1994 08:49:37 GMT"),
        S("Sun, 29 Feb 1994 08:49:37 GMT"),
        S("Thu, 29 Feb 1900 08:49:37 GMT"),
        S("Thu, 30 Feb 2024 08:49:37 GMT"),
        S("Sun, 06 Nov 1994 24:00:00 GMT"),
        S("Sun, 06 Nov 1994 08:60:37 GMT"),
        S("Sun, 06 Nov 1994 08:49:61 GMT"),
        /* the forms do not mix */
        S("Sunday, 06 Nov 1994 08:49:37 GMT"),
        S("Sunday, 06-Nov-1994 08:49:37 GMT"),
        S("Sun, 06-Nov-94 08:49:37 GMT"),
        S("Sunday 06-Nov-94 08:49:37 GMT"),
        S("Sunday Nov  6 08:49:37 1994"),
        S("Sunday, 06-Nov-94 08:49:37"),
        S("Sunday, 31-Nov-94 08:49:37 GMT"),
        S("Sun Nov 6 08:49:37 1994"),
        S("Sun Nov   6 08:49:37 1994"),
        S("Sun Nov 31 08:49:37 1994"),
        S("Sun Nov  0 08:49:37 1994"),
        S("Sun Nov  6 08:49:37 94"),
        S("Sun Nov  6 08:49:37 1994 GMT"),
        S("Sun Nov  6 08:49:37 199"),
        S("SunNov  6 08:49:37 1994"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i]);
        int64_t got = 42;
        SAME_INT(text, http_date_parse(text, &got), -1);
        SAME_INT(text, got, 42);
        exact_free(text);
    }
    assert_int_equal(http_date_parse((struct str){NULL, 0}, &(int64_t){0}), -1);
}

/* Each form cut off after each byte is no date. */
static void cut_dates(void **state) {
    static const struct str rows[] = {
        S("Sun, 06 Nov 1994 08:49:37 GMT"),
        S("Sunday, 06-Nov-94 08:49:37 GMT"),
        S("Sun Nov  6 08:49:37 1994"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t n = 0; n < rows[i].len; n++) {
            struct str text = exact((struct str){rows[i].ptr, n});
            SAME_INT(text, http_date_parse(text, &(int64_t){0}), -1);
            exact_free(text);
        }
    }
}

/* What appears to be more than 50 years in the future is the past. 2090-03-01T00:00:00Z is exactly
 * 50 years ahead. */
static void two_digit_years(void **state) {
    static const struct {
        struct str text;
        int year;
    } rows[] = {
        {S("Wednesday, 01-Mar-90 00:00:00 GMT"), 2090},
        {S("Thursday, 01-Mar-90 00:00:01 GMT"), 1990},
        {S("Tuesday, 28-Feb-90 23:59:59 GMT"), 2090},
        {S("Friday, 02-Mar-90 00:00:00 GMT"), 1990},
        {S("Friday, 01-Mar-91 00:00:00 GMT"), 1991},
        {S("Friday, 31-Dec-99 00:00:00 GMT"), 1999},
        {S("Saturday, 01-Jan-00 00:00:00 GMT"), 2000},
        {S("Thursday, 01-Mar-40 00:00:00 GMT"), 2040},
        {S("Friday, 01-Mar-41 00:00:00 GMT"), 2041},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t got;
        struct tm tm;
        SAME_INT(rows[i].text, http_date_parse(rows[i].text, &got), 0);
        time_t t = got;
        gmtime_r(&t, &tm);
        SAME_INT(rows[i].text, tm.tm_year + 1900, rows[i].year);
    }
}

/* The C library as the other opinion: writes what we write for any time in years 0 to 9999. */
static void like_the_c_library(int64_t t) {
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t time = t;
    char got[HTTP_DATE_LEN + 1], want[64];
    struct tm tm;
    int64_t back;

    gmtime_r(&time, &tm);
    snprintf(want, sizeof want, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
             months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    http_date_format(t, got);
    SAME_STR(str_of(want), str_of(got), str_of(want));
    SAME_INT(str_of(want), http_date_parse(str_of(got), &back), 0);
    SAME_INT(str_of(want), back, t);
}

static void formatted(void **state) {
    const int64_t first = -62167219200, last = 253402300799;
    (void)state;
    for (int64_t t = first; t <= last; t += 86400 * 29 + 12345) /* all hours, days and months */
        like_the_c_library(t);
    for (int64_t t = 951696000 - 86400; t < 951696000 + 366 * 86400; t += 43199) /* 2000 */
        like_the_c_library(t);
    for (int64_t t = -2203977600; t < -2203977600 + 90 * 86400; t += 43199) /* 1900: no leap year */
        like_the_c_library(t);
    like_the_c_library(last);
    like_the_c_library(-1);
    like_the_c_library(0);
}

/* What four digits cannot hold. */
static void clamped(void **state) {
    static const struct {
        int64_t t;
        const char *want;
    } rows[] = {
        {-62167219200, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {-62167219201, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {253402300800, "Fri, 31 Dec 9999 23:59:59 GMT"},
        {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *out = malloc(HTTP_DATE_LEN + 1);
        http_date_format(rows[i].t, out);
        assert_string_equal(out, rows[i].want);
        free(out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),
        cmocka_unit_test(values),
        cmocka_unit_test(lists),
        cmocka_unit_test(list_has),
        cmocka_unit_test(media_types),
        cmocka_unit_test(codings),
        cmocka_unit_test(hosts),
        cmocka_unit_test(reasons),
        cmocka_unit_test_setup_teardown(date_forms, stop_clock, start_clock),
        cmocka_unit_test(bad_dates),
        cmocka_unit_test(cut_dates),
        cmocka_unit_test_setup_teardown(two_digit_years, stop_clock, start_clock),
        cmocka_unit_test(formatted),
        cmocka_unit_test(clamped),
    };
    return cmocka_run_group_tests_name("proto_header", tests, NULL, NULL);
}

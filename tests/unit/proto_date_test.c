/* HTTP-date, RFC 9110 section 5.6.7: what is written, against the C library's calendar, and what is
 * understood. */
#include "proto/date.h"

#include "base/clock.h"
#include "table.h"

#include <stdio.h>
#include <time.h>

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

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
        cmocka_unit_test_setup_teardown(date_forms, stop_clock, start_clock),
        cmocka_unit_test(bad_dates),
        cmocka_unit_test(cut_dates),
        cmocka_unit_test_setup_teardown(two_digit_years, stop_clock, start_clock),
        cmocka_unit_test(formatted),
        cmocka_unit_test(clamped),
    };
    return cmocka_run_group_tests_name("proto_date", tests, NULL, NULL);
}

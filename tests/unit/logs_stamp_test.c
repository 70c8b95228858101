/* The times that lines tell, by a table; what is none; years and zones. */
#include "logs/stamp.h"

#include "base/clock.h"
#include "table.h"

#include <stdio.h>
#include <time.h>

#define NOON 1769860800000000 /* 2026-01-31T12:00:00Z: date -ud 2026-01-31T12:00 +%s */

static void test_lines(void **state) {
    static const struct {
        const char *line;
        int64_t time;
    } rows[] = {
        {"2026-01-31T12:00:00Z x", NOON},
        {"2026-01-31t12:00:00z x", NOON},
        {"2026-01-31 12:00:00Z", NOON},
        {"2026/01/31 12:00:00Z", NOON},
        {"[2026-01-31T12:00:00.5Z] x", NOON + 500000},
        {"2026-01-31T12:00:00,123Z", NOON + 123000},
        {"2026-01-31T12:00:00.123456789Z", NOON + 123456},
        {"2026-01-31T12:00:00.Z", NOON - 3600 * 1000000ll}, /* no fraction, so local time */
        {"2026-01-31T14:00:00+02:00", NOON},
        {"2026-01-31T14:00:00+0200", NOON},
        {"2026-01-31T14:00:00+02", NOON},
        {"2026-01-31T06:30:00-05:30", NOON},
        {"2026-01-31 14:00:00 +0200 x", NOON},
        {"2026-01-31 12:00:00 UTC [7] x", NOON},
        {"2026-01-31 12:00:00 -12 x", NOON - 3600 * 1000000ll},
        {"a: b 11:12:13 ts=2026-01-31T12:00:00Z", NOON}, /* a time of day alone is none */
        {"10.0.0.1 - - [31/Jan/2026:12:00:00 +0000] \"GET /\"", NOON},
        {"::1 - - [31/Jan/2012:12:12:12 +0000]", 1328011932000000},
        {"2026-02-28 12:00:00Z 2026-01-31T12:00:00Z", NOON + 28 * 86400 * 1000000ll},
        {"2026-02-29T12:00:00Z", STAMP_NONE},
        {"2026-13-31T12:00:00Z", STAMP_NONE},
        {"2026-01-31T24:00:00Z", STAMP_NONE},
        {"2026-01-31T12:60:00Z", STAMP_NONE},
        {"2026-01/31T12:00:00Z", STAMP_NONE},
        {"x2026-01-31T12:00:0", STAMP_NONE},
        {"12:00:00", STAMP_NONE},
        {"Janu31 12:00:00 x", STAMP_NONE},
        {"Jan 32 12:00:00 x", STAMP_NONE},
        {"31/Foo/2026:12:00:00 +0000", STAMP_NONE},
        {"    at f (file.c:12:10)", STAMP_NONE},
        {"", STAMP_NONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str line = exact(str_of(rows[i].line));
        SAME_INT(line, stamp_of_text(line), rows[i].time);
        exact_free(line);
    }
}

/* The zone of this program is two hours ahead of UTC from 29 March 2026, one until then. */
static void test_local_time(void **state) {
    (void)state;
    SAME_INT(STR("winter"), stamp_of_text(STR("2026-01-31 13:00:00.25 x")), NOON + 250000);
    SAME_INT(STR("summer"), stamp_of_text(STR("2026-07-01 14:00:00")), 1782907200000000);
    SAME_INT(STR("winter again"), stamp_of_text(STR("2026-01-31 13:00:00")), NOON);
}

static void test_only_the_first_bytes_count(void **state) {
    (void)state;
    char line[STAMP_BYTES + 1];
    const char time[] = "2026-01-31T12:00:00Z";
    memset(line, '.', sizeof line);
    memcpy(line + STAMP_BYTES - strlen(time), time, strlen(time));
    SAME_INT(STR("in"), stamp_of_text((struct str){line, sizeof line}), NOON);
    memset(line, '.', sizeof line);
    memcpy(line + STAMP_BYTES - strlen(time) + 2, time, strlen(time) - 1);
    SAME_INT(STR("out"), stamp_of_text((struct str){line, sizeof line}), STAMP_NONE);
}

/* The latest that is at most a day ahead: the clock is frozen, and all is told from there. */
static void test_the_year_that_fits(void **state) {
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    (void)state;
    clock_freeze();
    for (int hours = -24 * 360; hours <= 24; hours += 23) {
        time_t asked = (time_t)(clock_wall_s() + hours * 3600);
        struct tm tm;
        char line[64];
        localtime_r(&asked, &tm);
        snprintf(line, sizeof line, "%s%s %2d %02d:%02d:%02d h", hours % 2 ? "<13>" : "",
                 months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        int64_t got = stamp_of_text(str_of(line)) / 1000000;
        if (tm.tm_isdst == 0 || got != (int64_t)asked) /* the hour that comes twice */
            assert_in_range(got - (int64_t)asked + 3600, 0, 7200);
        if (hours < 0 || hours > 1)
            continue;
        SAME_INT(str_of(line), got, (int64_t)asked);
    }
    clock_thaw();
}

static void test_values(void **state) {
    static const struct {
        const char *value;
        int64_t time;
    } rows[] = {
        {"1769860800", NOON},
        {"1769860800.25", NOON + 250000},
        {"1769860800123", NOON + 123000},
        {"1769860800123.5", NOON + 123000},
        {"1769860800123456", NOON + 123456},
        {"1769860800123456789", NOON + 123456},
        {"99999999999", 99999999999000000},
        {"100000000000", 100000000000000},
        {"2026-01-31T12:00:00Z", NOON},
        {"2026-01-31T12:00:00.5Z", NOON + 500000},
        {"yesterday", STAMP_NONE},
        {"-1", STAMP_NONE},
        {"12x", STAMP_NONE},
        {"", STAMP_NONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str value = exact(str_of(rows[i].value));
        SAME_INT(value, stamp_of_value(value), rows[i].time);
        exact_free(value);
    }
    assert_true(stamp_is_field(STR("time")) && stamp_is_field(STR("ts")));
    assert_true(stamp_is_field(STR("timestamp")) && stamp_is_field(STR("@timestamp")));
    assert_false(stamp_is_field(STR("times")) || stamp_is_field(STR("")));
}

static void test_what_people_ask_for(void **state) {
    static const struct {
        const char *text;
        int64_t time;
    } rows[] = {
        {"1769860800", NOON},
        {"1769860800.5", NOON + 500000},
        {"2026-01-31T12:00:00Z", NOON},
        {"2026-01-31T12:00:00.5+00:00", NOON + 500000},
        {"2026-01-31 13:00:00", NOON},
        {"2026-01-31T12:00Z", NOON},
        {"2026-01-31T13:00", NOON},
        {"2026-01-31T14:00+02:00", NOON},
        {"2026-02-01", NOON + 11 * 3600 * 1000000ll},
        {"2026-02-30", STAMP_NONE},
        {"2026-01-31T25:00", STAMP_NONE},
        {"2026-01", STAMP_NONE},
        {"now", STAMP_NONE},
        {"", STAMP_NONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(str_of(rows[i].text));
        SAME_INT(text, stamp_parse(text), rows[i].time);
        exact_free(text);
    }
}

int main(void) {
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_local_time),
        cmocka_unit_test(test_only_the_first_bytes_count),
        cmocka_unit_test(test_the_year_that_fits),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_what_people_ask_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

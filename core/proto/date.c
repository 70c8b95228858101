/* date: HTTP-date, the three ways in which HTTP writes a time (RFC 9110 section 5.6.7).
 *
 *     Sun, 06 Nov 1994 08:49:37 GMT     IMF-fixdate: the one that is sent
 *     Sunday, 06-Nov-94 08:49:37 GMT    RFC 850, and
 *     Sun Nov  6 08:49:37 1994          asctime: still to be understood
 *
 * and the days and months that others who write a time have, too.
 *
 * No strftime, strptime, timegm: they follow the locale or the environment and take locks. The
 * calendar is arithmetic instead. Only the century of an RFC 850 date depends on anything but the
 * input: it is tied to the present, which comes from base/clock. Who caches the
 * Date field's value is not known here. */
#include "proto/date.h"

#include "base/clock.h"

#include <string.h>

#define DAY 86400
#define ERA_DAYS 146097 /* 400 years: the calendar repeats, and 146097 is whole weeks */

static const char weekdays[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                     "Thursday", "Friday", "Saturday"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct date {
    int64_t year;
    int month, day; /* 1..12, 1..31 */
};

/* Both ways between days since 1970-01-01 and a date count years from March, so that the leap day
 * is the last of its year and the months before it have fixed starts, (153 m + 2) / 5. */
static int64_t days_of(struct date d) {
    int64_t year = d.month <= 2 ? d.year - 1 : d.year;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t in_era = year - era * 400;
    int64_t in_year = (153 * ((d.month + 9) % 12) + 2) / 5 + d.day - 1;
    return era * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static struct date date_of(int64_t days) {
    days += 719468; /* since 0000-03-01 */
    int64_t era = (days >= 0 ? days : days - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t day = days - era * ERA_DAYS;
    int64_t year = (day - day / 1460 + day / 36524 - day / (ERA_DAYS - 1)) / 365;
    int64_t in_year = day - (365 * year + year / 4 - year / 100);
    int month = (int)((5 * in_year + 2) / 153);
    struct date d = {.year = year + era * 400, .month = month < 10 ? month + 3 : month - 9};
    d.day = (int)(in_year - (153 * month + 2) / 5 + 1);
    d.year += d.month <= 2;
    return d;
}

static void digits(char *out, int64_t value, int count) {
    for (int i = count; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
}

void http_date_format(int64_t unix_seconds, char out[HTTP_DATE_LEN + 1]) {
    const int64_t first = -62167219200, last = 253402300799; /* the years that four digits hold */
    int64_t t = unix_seconds < first ? first : unix_seconds > last ? last : unix_seconds;
    int64_t days = (t - first) / DAY + first / DAY, second = (t - first) % DAY;
    struct date d = date_of(days);

    memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_LEN + 1);
    memcpy(out, weekdays[((days + 4) % 7 + 7) % 7], 3); /* 1970-01-01 was a Thursday */
    digits(out + 5, d.day, 2);
    memcpy(out + 8, months[d.month - 1], 3);
    digits(out + 12, d.year, 4);
    digits(out + 17, second / 3600, 2);
    digits(out + 20, second / 60 % 60, 2);
    digits(out + 23, second % 60, 2);
}

/* What a parser of dates has read so far; ptr NULL in `rest` after the first fault. */
struct scan {
    struct str rest;
    struct date date;
    int64_t second; /* of the day */
};

static void fail(struct scan *s) {
    s->rest = (struct str){NULL, 0};
}

static void literal(struct scan *s, struct str text) {
    if (!str_starts(s->rest, text)) {
        fail(s);
        return;
    }
    s->rest = (struct str){s->rest.ptr + text.len, s->rest.len - text.len};
}

/* Exactly `count` digits. */
static int number(struct scan *s, size_t count) {
    struct str text = {s->rest.ptr, count};
    uint64_t value;

    if (s->rest.len < count || str_to_u64(text, &value) < 0) {
        fail(s);
        return 0;
    }
    s->rest = (struct str){s->rest.ptr + count, s->rest.len - count};
    return (int)value;
}

static void month_name(struct scan *s) {
    for (int i = 0; i < 12; i++) {
        if (str_starts(s->rest, (struct str){months[i], 3})) {
            s->date.month = i + 1;
            literal(s, (struct str){months[i], 3});
            return;
        }
    }
    fail(s);
}

/* 60 is a leap second (RFC 9110 refers to RFC 5322 for it): the first one of the next minute. */
static void time_of_day(struct scan *s) {
    int hour = number(s, 2);
    literal(s, STR(":"));
    int minute = number(s, 2);
    literal(s, STR(":"));
    int second = number(s, 2);
    if (hour > 23 || minute > 59 || second > 60)
        fail(s);
    s->second = hour * 3600 + minute * 60 + second;
}

/* 06 Nov 1994 08:49:37 GMT */
static void imf_fixdate(struct scan *s) {
    s->date.day = number(s, 2);
    literal(s, STR(" "));
    month_name(s);
    literal(s, STR(" "));
    s->date.year = number(s, 4);
    literal(s, STR(" "));
    time_of_day(s);
    literal(s, STR(" GMT"));
}

/* 06-Nov-94 08:49:37 GMT. What would lie more than 50 years ahead is the past century's (RFC 9110
 * section 5.6.7). */
static void rfc850_date(struct scan *s) {
    int64_t now = clock_wall_ns() / 1000000000;
    struct date today = date_of(now / DAY);

    s->date.day = number(s, 2);
    literal(s, STR("-"));
    month_name(s);
    literal(s, STR("-"));
    s->date.year = today.year - today.year % 100 + number(s, 2);
    literal(s, STR(" "));
    time_of_day(s);
    literal(s, STR(" GMT"));
    today.year += 50;
    if (days_of(s->date) * DAY + s->second > days_of(today) * DAY + now % DAY)
        s->date.year -= 100;
}

/* Nov  6 08:49:37 1994 */
static void asctime_date(struct scan *s) {
    month_name(s);
    literal(s, STR(" "));
    bool padded = str_starts(s->rest, STR(" "));
    if (padded)
        literal(s, STR(" "));
    s->date.day = number(s, padded ? 1 : 2);
    literal(s, STR(" "));
    time_of_day(s);
    literal(s, STR(" "));
    s->date.year = number(s, 4);
}

/* A day that exists comes back in its month: 31 Apr would come back in May, 0 Apr in March. */
static bool exists(struct date d) {
    return date_of(days_of(d)).month == d.month;
}

bool date_day(int64_t year, int month, int mday, int64_t *day) {
    struct date d = {.year = year, .month = month, .day = mday};
    if (year < 0 || month < 1 || month > 12 || mday < 1 || mday > 31 || !exists(d))
        return false;
    *day = days_of(d);
    return true;
}

int64_t date_year(int64_t day) {
    return date_of(day).year;
}

int date_month(const char *letters) {
    for (int i = 0; i < 12; i++)
        if (memcmp(letters, months[i], 3) == 0)
            return i + 1;
    return -1;
}

/* What follows the day's name tells the forms apart. Which day it names is not checked against the
 * date: the date decides. */
static void after_weekday(struct scan *s, struct str name) {
    struct str abbreviation = {name.ptr, 3};

    if (str_starts(s->rest, name)) {
        literal(s, name);
        literal(s, STR(", "));
        rfc850_date(s);
        return;
    }
    literal(s, abbreviation);
    if (str_starts(s->rest, STR(","))) {
        literal(s, STR(", "));
        imf_fixdate(s);
    } else {
        literal(s, STR(" "));
        asctime_date(s);
    }
}

int http_date_parse(struct str s, int64_t *unix_seconds) {
    struct scan scan = {.rest = s};

    for (int i = 0; i < 7; i++) {
        struct str name = str_of(weekdays[i]);
        if (!str_starts(s, (struct str){name.ptr, 3}))
            continue;
        after_weekday(&scan, name);
        if (!scan.rest.ptr || scan.rest.len > 0 || !exists(scan.date))
            return -1;
        *unix_seconds = days_of(scan.date) * DAY + scan.second;
        return 0;
    }
    return -1;
}

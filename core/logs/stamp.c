/* stamp: finds the time in a line, as the programs that write logs write it.
 *
 *     2026-01-31T12:00:00.123Z     2026/01/31 12:00:00,123+0100      ISO 8601, more or less
 *     Jan 31 12:00:00              syslog: without a year
 *     31/Jan/2026:12:00:00 +0000   access logs
 *
 * Each has hh:mm:ss, so the first colon between digits is looked for, and what stands before it is
 * the date in one of these ways, or the next colon is tried. The first time in a line is its own.
 *
 * Without Z or an offset it is local time, in the time zone of the server; in the hour that comes
 * twice, the C library decides. Without a year it is of the year that makes it the latest that is
 * not more than a day ahead. A number alone (of a JSON field) counts from 1970, and its size says
 * in which unit: seconds until the year 5138.
 *
 * Lines come by the hundred thousand a second: what the C library is asked, the offset of local
 * time, is kept for a quarter of an hour of log. Otherwise pure. */
#include "logs/stamp.h"

#include "base/clock.h"
#include "proto/date.h"

#include <time.h>

#define SECOND 1000000ll
#define DAY 86400ll

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The number of `n` digits at `at`; -1: they are none. */
static int digits(const char *at, size_t n) {
    int value = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_digit(at[i]))
            return -1;
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

/* Seconds of the day that "hh:mm:ss" tells; -1: it is none. */
static int64_t time_of_day(const char *at) {
    if (at[2] != ':' || at[5] != ':')
        return -1;
    int hour = digits(at, 2), minute = digits(at + 3, 2), second = digits(at + 6, 2);
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return -1;
    return hour * 3600 + minute * 60 + second;
}

static int64_t offset_of_local(int64_t local) {
    struct tm tm = {.tm_year = 70,
                    .tm_mday = (int)(1 + local / DAY),
                    .tm_sec = (int)(local % DAY),
                    .tm_isdst = -1};
    return local - (int64_t)mktime(&tm);
}

static int64_t from_local(int64_t local) {
    static _Thread_local int64_t quarter = -1, offset;
    if (local < 0)
        return local;
    if (local / 900 != quarter) {
        quarter = local / 900;
        offset = offset_of_local(quarter * 900);
    }
    return local - offset;
}

/* ---- behind the time of day -------------------------------------------------------------------*/

/* Microseconds of ".123" or ",123"; moves behind them. */
static int64_t take_fraction(struct str *rest) {
    int64_t value = 0, unit = SECOND / 10;
    if (rest->len < 2 || (*rest->ptr != '.' && *rest->ptr != ',') || !is_digit(rest->ptr[1]))
        return 0;
    size_t n = 1;
    for (; n < rest->len && is_digit(rest->ptr[n]); n++, unit /= 10)
        value += (rest->ptr[n] - '0') * unit;
    *rest = (struct str){rest->ptr + n, rest->len - n};
    return value;
}

/* "Z", "+01:00", "+0100", "+01", and behind a space "+0100", "UTC" or "GMT". False: none. */
static bool take_offset(struct str rest, int64_t *seconds) {
    bool apart = rest.len > 0 && *rest.ptr == ' ';
    if (apart)
        rest = (struct str){rest.ptr + 1, rest.len - 1};
    *seconds = 0;
    if (apart && (str_starts(rest, STR("UTC")) || str_starts(rest, STR("GMT"))))
        return true;
    if (rest.len > 0 && (*rest.ptr == 'Z' || *rest.ptr == 'z'))
        return !apart;
    if (rest.len < 3 || (*rest.ptr != '+' && *rest.ptr != '-'))
        return false;
    int hours = digits(rest.ptr + 1, 2), minutes = -1;
    if (rest.len >= 6 && rest.ptr[3] == ':')
        minutes = digits(rest.ptr + 4, 2);
    else if (rest.len >= 5)
        minutes = digits(rest.ptr + 3, 2);
    if (hours < 0 || hours > 23 || minutes > 59 || (apart && minutes < 0))
        return false;
    *seconds = (hours * 3600 + (minutes > 0 ? minutes : 0) * 60) * (*rest.ptr == '-' ? -1 : 1);
    return true;
}

/* The time of `local` seconds, with what `rest` has behind their last digit. */
static int64_t finish(int64_t local, struct str rest) {
    int64_t fraction = take_fraction(&rest), offset;
    int64_t time = take_offset(rest, &offset) ? local - offset : from_local(local);
    return time * SECOND + fraction;
}

/* ---- the date before it -----------------------------------------------------------------------*/

/* Before `end`, not before `from`. */
static bool iso_before(const char *from, const char *end, int64_t *day) {
    if (end - from < 11)
        return false;
    const char *at = end - 11;
    if ((end[-1] != 'T' && end[-1] != ' ' && end[-1] != 't') || (at[4] != '-' && at[4] != '/') ||
        at[7] != at[4])
        return false;
    return date_day(digits(at, 4), digits(at + 5, 2), digits(at + 8, 2), day);
}

static bool access_before(const char *from, const char *end, int64_t *day) {
    if (end - from < 12)
        return false;
    const char *at = end - 12;
    if (end[-1] != ':' || at[2] != '/' || at[6] != '/')
        return false;
    return date_day(digits(at + 7, 4), date_month(at + 3), digits(at, 2), day);
}

/* The year that makes it the latest that is not more than a day ahead. */
static int64_t fitting_year(int month, int mday, int64_t second) {
    int64_t now = clock_wall_s(), day;
    for (int64_t year = date_year(now / DAY + 1); year > 0; year--)
        if (date_day(year, month, mday, &day) && day * DAY + second <= now + DAY)
            return year;
    return -1;
}

/* "Jan 31 ", "Jan  1 ". */
static bool syslog_before(const char *from, const char *end, int64_t second, int64_t *day) {
    if (end - from < 7)
        return false;
    const char *at = end - 7;
    if (end[-1] != ' ' || at[3] != ' ' || (at > from && at[-1] != '>'))
        return false;
    int month = date_month(at), mday = at[4] == ' ' ? digits(at + 5, 1) : digits(at + 4, 2);
    if (month < 0 || mday < 1 || mday > 31)
        return false;
    return date_day(fitting_year(month, mday, second), month, mday, day);
}

int64_t stamp_of_text(struct str line) {
    const char *end = line.ptr + (line.len < STAMP_BYTES ? line.len : STAMP_BYTES);
    const char *colon = line.ptr;

    while (colon < end && (colon = memchr(colon, ':', (size_t)(end - colon))) != NULL) {
        int64_t day, second = -1;
        if (colon - line.ptr > 2 && end - colon >= 6)
            second = time_of_day(colon - 2);
        const char *at = colon++ - 2;
        if (second < 0)
            continue;
        if (!iso_before(line.ptr, at, &day) && !access_before(line.ptr, at, &day) &&
            !syslog_before(line.ptr, at, second, &day))
            continue;
        return finish(day * DAY + second, (struct str){at + 8, (size_t)(end - at) - 8});
    }
    return STAMP_NONE;
}

/* ---- values -----------------------------------------------------------------------------------*/

bool stamp_is_field(struct str name) {
    return str_eq(name, STR("time")) || str_eq(name, STR("ts")) || str_eq(name, STR("timestamp")) ||
           str_eq(name, STR("@timestamp"));
}

/* Seconds, with a fraction perhaps; STAMP_NONE: it is no number. */
static int64_t of_seconds(struct str text) {
    struct str rest = text;
    uint64_t whole;
    while (rest.len > 0 && is_digit(*rest.ptr))
        rest = (struct str){rest.ptr + 1, rest.len - 1};
    struct str number = {text.ptr, text.len - rest.len};
    if (str_to_u64(number, &whole) < 0 || whole > 99999999999)
        return STAMP_NONE;
    int64_t fraction = take_fraction(&rest);
    return rest.len == 0 ? (int64_t)whole * SECOND + fraction : STAMP_NONE;
}

int64_t stamp_of_value(struct str value) {
    uint64_t number;
    int64_t time = of_seconds(value);
    if (time != STAMP_NONE)
        return time;
    struct str whole = str_cut(&value, '.'); /* fractions of smaller units are nothing */
    if (str_to_u64(whole, &number) == 0)
        return number < 100000000000000              ? (int64_t)number * 1000
               : number < 100000000000000000         ? (int64_t)number
               : number / 1000 < (uint64_t)INT64_MAX ? (int64_t)(number / 1000)
                                                     : STAMP_NONE;
    if (value.ptr)
        whole.len += 1 + value.len;
    return stamp_of_text(whole);
}

int64_t stamp_parse(struct str text) {
    char full[] = "0000-00-00T00:00:00";
    const size_t day = 10, minute = 16, second = sizeof full - 1;
    int64_t time = of_seconds(text), at;

    if (time != STAMP_NONE)
        return time;
    size_t n = text.len < second ? text.len : second;
    if (n != day && (n < second || text.ptr[minute] != ':')) { /* without seconds */
        if (n < minute)
            return STAMP_NONE;
        n = minute;
    }
    memcpy(full, text.ptr, n);
    if (!iso_before(full, full + day + 1, &at) || time_of_day(full + day + 1) < 0)
        return STAMP_NONE;
    struct str rest = {text.ptr + n, text.len - n};
    return finish(at * DAY + time_of_day(full + day + 1), rest);
}

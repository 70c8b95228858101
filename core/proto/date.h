/* date: HTTP-date, the three ways in which HTTP writes a time (RFC 9110 section 5.6.7). */
#ifndef PROTO_DATE_H
#define PROTO_DATE_H

#include "base/str.h"

#include <stdint.h>

#define HTTP_DATE_LEN 29
/* IMF-fixdate, "Sun, 06 Nov 1994 08:49:37 GMT", and a terminating NUL. A time outside the years 0
 * to 9999 becomes the nearest inside. */
void http_date_format(int64_t unix_seconds, char out[HTTP_DATE_LEN + 1]);
/* All three forms that RFC 9110 section 5.6.7 asks recipients to accept; the century of an RFC 850
 * date depends on the present. 0 or -1. */
int http_date_parse(struct str s, int64_t *unix_seconds);

/* The day since 1970-01-01 of a date; false: there is no such one. */
bool date_day(int64_t year, int month, int mday, int64_t *day);
/* The year of a day since 1970-01-01. */
int64_t date_year(int64_t day);
/* 1 to 12 of the three letters "Jan" to "Dec"; -1: they are others. */
int date_month(const char *letters);

#endif

/* stamp: the time that a line of a log tells. */
#ifndef LOGS_STAMP_H
#define LOGS_STAMP_H

#include "base/str.h"

#define STAMP_BYTES 200      /* of a line in which its time is looked for */
#define STAMP_NONE INT64_MIN /* it tells none */

/* The time, in microseconds since 1970, that the first STAMP_BYTES of a line tell. */
int64_t stamp_of_text(struct str line);
/* Whether a field of a JSON line with that name tells its time. */
bool stamp_is_field(struct str name);
/* That of such a field's value: a time as a line has it, or seconds, milliseconds, microseconds or
 * nanoseconds since 1970. */
int64_t stamp_of_value(struct str value);
/* A time as people ask for it: seconds since 1970, or a day, or a day and a time of it. */
int64_t stamp_parse(struct str text);

#endif

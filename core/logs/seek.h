/* seek: where in a file a time begins. */
#ifndef LOGS_SEEK_H
#define LOGS_SEEK_H

#include "base/str.h"

struct source;

#define SEEK_UNTIMED (1u << 20) /* so many bytes without a time are looked through for one */

/* The offset of the first line, of those that begin before `end`, whose time is not before `time`
 * (in microseconds since 1970); `end` if there is none. 1, or 0: no line was found that tells a
 * time; or a negative errno. Of a file that is not packed; `block` has `room` bytes. Blocks. */
int seek_time(struct source *source, uint64_t end, int64_t time, char *block, size_t room,
              uint64_t *out);

#endif

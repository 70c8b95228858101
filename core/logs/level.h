/* level: how bad a line of a log says that it is. */
#ifndef LOGS_LEVEL_H
#define LOGS_LEVEL_H

#include "base/str.h"

#define LEVEL_BYTES 200 /* of a line in which its level is looked for */

enum level {
    LEVEL_NONE, /* it does not say */
    LEVEL_TRACE,
    LEVEL_DEBUG,
    LEVEL_INFO,
    LEVEL_WARN,
    LEVEL_ERROR,
    LEVEL_FATAL,
};

/* "trace" to "fatal"; "" of LEVEL_NONE. */
struct str level_name(enum level level);
/* That of one word, in upper or lower case, or of a number of pino's and bunyan's. */
enum level level_of_word(struct str word);
/* That of the first word that is one, in the first LEVEL_BYTES of a line. */
enum level level_of_text(struct str line);
/* Whether a field of a JSON line with that name tells its level. */
bool level_is_field(struct str name);

#endif

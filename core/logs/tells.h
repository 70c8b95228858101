/* tells: what a line of a log says of itself: when, and how bad. */
#ifndef LOGS_TELLS_H
#define LOGS_TELLS_H

#include "logs/level.h"
#include "logs/stamp.h"

struct tells {
    int64_t time; /* STAMP_NONE: it does not say */
    enum level level;
};

struct tells tells_of(struct str line);
/* Its level alone. */
enum level tells_level(struct str line);

#endif

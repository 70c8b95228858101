/* recent: the newest of many lines. */
#ifndef LOGS_RECENT_H
#define LOGS_RECENT_H

#include "base/buf.h"
#include "tail/place.h"

#define RECENT_BYTES (16u << 20) /* of text */

struct recent_line {
    size_t from, to; /* of the text */
    void *owner;
    struct place place;
};

struct recent { /* all zeroes: empty */
    struct buf text;
    struct recent_line *lines; /* a ring */
    size_t first, n, cap;
};

void recent_fini(struct recent *recent);
/* Adds a line. */
void recent_add(struct recent *recent, struct str text, void *owner, const struct place *place);
/* The oldest; NULL: there is none. Valid until the next one is added. */
const struct recent_line *recent_first(const struct recent *recent);
struct str recent_text(const struct recent *recent, const struct recent_line *line);
/* It goes. */
void recent_drop(struct recent *recent);

#endif

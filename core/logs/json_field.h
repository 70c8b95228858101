/* json_field: the fields of a line of JSON, without reading the rest. */
#ifndef LOGS_JSON_FIELD_H
#define LOGS_JSON_FIELD_H

#include "base/buf.h"

/* A walk over the fields of the object that a line is. */
struct json_walk {
    const char *at, *end;
};

/* One field: its name as it stands, and its value: a string's without its quotes, but with its
 * escapes; another one's as it stands. */
struct json_found {
    struct str name, value;
    bool string;
};

/* False: the line is no object. */
bool json_walk_begin(struct json_walk *walk, struct str line);
/* The next field; false: there is none. */
bool json_walk_next(struct json_walk *walk, struct json_found *found);

/* The field `path` of the object that `line` is, names of objects within each other joined by dots.
 * A string without its quotes and escapes, in `room` if it has any; another value as its text.
 * False: there is none, or it is no such line. */
bool json_field(struct str line, struct str path, struct buf *room, struct str *value);

#endif

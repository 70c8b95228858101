/* field_lines: header fields as they stand in a head. */
#ifndef PROTO_FIELD_LINES_H
#define PROTO_FIELD_LINES_H

#include "base/buf.h"

/* Cuts the first line off `lines`; false: there is none. */
bool field_lines_next(struct str *lines, struct str *name, struct str *value);
/* The value of the first one with that name; ptr NULL: there is none. Borrowed. */
struct str field_lines_get(struct str lines, struct str name);
void field_lines_add(struct buf *lines, struct str name, struct str value);
/* The same, but before the line that begins at `at`. */
void field_lines_insert(struct buf *lines, size_t at, struct str name, struct str value);
/* Removes those with that name that begin from `from` up to `to`: how many bytes. */
size_t field_lines_remove(struct buf *lines, size_t from, size_t to, struct str name);
/* The bytes that one takes. */
static inline size_t field_lines_size(struct str name, struct str value) {
    return name.len + value.len + 4; /* ": ", CR, LF */
}

#endif

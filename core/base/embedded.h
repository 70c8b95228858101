/* embedded: the Lua half of Weir, linked into the program so that one file is all there is to
 * install. The build makes the table from every file under lua/ but the annotations and Markdown;
 * what is in lua/js is one file there, "weir.js", and compressed, "weir.js.gz". */
#ifndef BASE_EMBEDDED_H
#define BASE_EMBEDDED_H

#include <stddef.h>

struct embedded {
    const char *name; /* relative to lua/, e.g. "weir/init.lua"; NULL ends the table */
    const char *data; /* the file's bytes, and a NUL that `len` does not count */
    size_t len;
};

/* Never freed. */
extern const struct embedded embedded_files[];

/* The file of that exact name, or NULL. */
const struct embedded *embedded_find(const char *name);

#endif

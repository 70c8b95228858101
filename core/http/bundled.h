/* bundled: a file that is part of the program, as an answer. */
#ifndef HTTP_BUNDLED_H
#define HTTP_BUNDLED_H

#include "http/stream.h"

/* Answers with the embedded file of that name, or with "NAME.gz" to who accepts it no less: GET,
 * HEAD and conditional requests; 405 for other methods. `type` is its media type, of static
 * storage. */
void bundled_serve(struct stream *stream, const char *name, const char *type);

#endif

/* http1_head: the head of an answer as HTTP/1.1 text. */
#ifndef HTTP_HTTP1_HEAD_H
#define HTTP_HTTP1_HEAD_H

#include "http/stream.h"

/* More than all that a head has beside the fields that the application has set and the content
 * type. */
#define HTTP1_HEAD_OWN_MAX 256

/* No head of that stream is longer. */
size_t http1_head_max(const struct stream *stream);
/* Writes status line and fields, up to the empty line, where there is room for http1_head_max
 * bytes; returns where they end. `chunked`: a body of unknown length is; without, the connection's
 * end delimits it. */
char *http1_head_put(char *at, const struct stream *stream, bool chunked, bool keep_alive);
/* The same for a 1xx answer; `fields` are complete lines. */
char *http1_informational_put(char *at, int status, struct str fields);

#endif

/* http1_head: the head of an answer as HTTP/1.1 text. */
#ifndef WIRE_HTTP1_HEAD_H
#define WIRE_HTTP1_HEAD_H

#include "http/stream.h"

/* Writes status line and fields, up to the empty line, where there is room for head_max (http/head)
 * bytes; returns where they end. `chunked`: a body of unknown length is; without, the connection's
 * end delimits it. */
char *http1_head_put(char *at, const struct stream *stream, bool chunked, bool keep_alive);
/* The same for a 1xx answer; `fields` are complete lines. */
char *http1_informational_put(char *at, int status, struct str fields);

#endif

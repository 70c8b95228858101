/* head: the fields of an answer that do not depend on the protocol. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/stream.h"

/* More bytes than head_put writes for `stream`, its framing included. */
size_t head_max(const struct stream *stream);
/* Writes Date, Server, nosniff and the content type, each unless the application has set it, then
 * what it has set, as lines that end with CRLF. `at` has room for head_max bytes; returns where
 * they end. */
char *head_put(char *at, const struct stream *stream);

#endif

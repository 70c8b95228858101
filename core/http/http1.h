/* http1: HTTP/1.0 and 1.1 on one connection (RFC 9112). */
#ifndef HTTP_HTTP1_H
#define HTTP_HTTP1_H

#include "http/server.h"

/* Speaks HTTP/1 on the connected socket `fd`, which is taken; with a status in `refusal` only to
 * say that. `tallied` is given back by http_server_left. */
void http1_accept(struct http_server *server, int fd, const struct address *peer,
                  struct tallied *tallied, const struct refusal *refusal);
/* Closes what idles; the others close after the answer they are at. */
void http1_drain(struct http_server *server);
/* Closes all connections now. */
void http1_stop(struct http_server *server);

#endif

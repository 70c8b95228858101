/* http1_head: the head of an answer as HTTP/1.1 text. */
#ifndef WIRE_HTTP1_HEAD_H
#define WIRE_HTTP1_HEAD_H

#include "http/head.h"

/* How the body is delimited, and what becomes of the connection. */
struct http1_framing {
    bool chunked; /* a body of unknown length; without, the connection's end delimits it */
    bool keep_alive;
    bool is_1_0; /* the peer closes the connection unless it is told to keep it */
};

/* Writes status line and fields, up to the empty line, where there is room for head_max (http/head)
 * bytes; returns where they end. */
char *http1_head_put(char *at, const struct http_head *head, struct http1_framing framing);
/* A 1xx answer: HTTP1_INFORMATIONAL_MAX bytes and `fields`, which are complete lines. */
char *http1_informational_put(char *at, int status, struct str fields);
#define HTTP1_INFORMATIONAL_MAX 64

#endif

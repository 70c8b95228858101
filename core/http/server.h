/* server: what all connections of one worker (or one test) share: limits, log, counters, who
 * answers. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/list.h"
#include "http/limits.h"
#include "net/loop.h"
#include "proto/url.h"

struct stream;
struct access_log;
struct listener;

struct http_counters { /* of one server; read by others without a lock, so each is a relaxed atomic
                        */
    uint64_t connections, connections_total, streams, requests_total, bytes_sent;
};

struct http_server {
    struct loop *loop;
    struct limits limits;
    struct access_log *access_log; /* NULL: none */
    /* A request's head is complete: answer it, now or later. Set by the application. */
    void (*on_request)(struct http_server *server, struct stream *stream);
    void *owner;
    struct list conns, streams;
    struct http_counters counters;
    uint64_t next_id;
    char date[30]; /* the Date field, made once a second */
    int64_t date_second;
    struct url_path path; /* scratch of the request being routed */
    const char *scheme;
    bool draining;
    struct timer drain_deadline;
    void (*on_drained)(struct http_server *server);
};

void http_server_init(struct http_server *server, struct loop *loop, const struct limits *limits);
/* A new connection, from a listener. */
void http_server_accept(struct http_server *server, int fd, const struct address *peer);
/* No new requests; idle connections close, open-ended streams end with reason drain, others have
 * limits.drain_timeout. on_drained is called once when no connection is left. */
void http_server_drain(struct http_server *server);
/* Closes every connection now. */
void http_server_stop(struct http_server *server);
/* The Date field's value, NUL-terminated. */
const char *http_server_date(struct http_server *server);

#endif

/* protocol: what speaks with the clients of a server: HTTP/1.1, and others later (see wire/). */
#ifndef HTTP_PROTOCOL_H
#define HTTP_PROTOCOL_H

#include "base/list.h"
#include "net/conn.h"

struct http_server;
struct tallied;

/* Why a connection is not served: an answer that needs no request. */
struct refusal {
    int status; /* 0: it is served */
    unsigned retry_s;
    const char *why;
};

struct connection;

struct protocol {
    /* Speaks on the connected socket `fd`, which is taken; with a status in `refusal` only to say
     * that. Adds its connection to server->connections; when that is gone, http_server_left is
     * given `tallied`. */
    void (*accept)(struct http_server *server, int fd, const struct address *peer,
                   struct tallied *tallied, const struct refusal *refusal);
    /* Closes the connection if it idles, else after the answers that it is at. */
    void (*drain)(struct connection *connection);
    /* Closes it now. */
    void (*stop)(struct connection *connection);
};

/* What each protocol's connection begins with. */
struct connection {
    struct list link; /* server->connections */
};

#endif

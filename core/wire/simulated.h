/* simulated: a request without a socket, its answer collected. */
#ifndef WIRE_SIMULATED_H
#define WIRE_SIMULATED_H

#include "http/stream.h"

#define SIMULATED_BODY_MAX (16 * 1024 * 1024) /* an answer that goes on is cut off here */

struct simulated {
    /* The exchange is over. From the loop's turn, never below what has ended it; may free what the
     * simulated is embedded in. Not called after simulated_leave. */
    void (*on_over)(struct simulated *simulated);
    struct http_server *server;
    struct request *request; /* until it is sent */
    struct stream *stream;   /* a reference, from then on */
    struct timer over;
    struct buf fields; /* of the answer: "name: value CRLF" lines */
    struct buf body;
    int status;    /* 0: there is no answer (yet) */
    bool complete; /* the answer ended well */
};

/* A request to be sent to `server`, which outlives it. */
void simulated_init(struct simulated *simulated, struct http_server *server, struct str method,
                    struct str target, void (*on_over)(struct simulated *));
/* 0, or -1: not a field name or value. */
int simulated_add_field(struct simulated *simulated, struct str name, struct str value);
/* Adds Host and Content-Length where they are missing, and hands the request with its whole body to
 * the server's application. 0, or the status that a connection would refuse it with; `*why` says
 * what is wrong. */
int simulated_send(struct simulated *simulated, struct str body, const char **why);
/* The client leaves: ends the exchange if it still goes on. */
void simulated_leave(struct simulated *simulated);
/* After on_over, simulated_leave, or a request that was not sent. */
void simulated_fini(struct simulated *simulated);

#endif

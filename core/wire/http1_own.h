/* http1_own: what the files of http1 share, and nobody else knows. */
#ifndef WIRE_HTTP1_OWN_H
#define WIRE_HTTP1_OWN_H

#include "http/server.h"
#include "http/stream.h"
#include "proto/chunked.h"
#include "wire/http1.h"
#include "wire/http1_head.h"

enum state { IDLE, HEAD, BODY, ANSWERING };

struct http1 {
    struct connection connection;
    struct conn conn;
    struct http_server *server;
    struct stream *stream;
    struct incoming *incoming; /* NULL: no head is arriving */
    struct pending *pending;   /* NULL: nothing waits */
    struct timer deadline;     /* of the state: idle, head, body */
    union {                    /* of the body that arrives: */
        struct chunk_decoder chunks;
        uint64_t left; /* bytes still to come */
    };
    struct tallied *tallied; /* http_server_left's */
    uint32_t progress;       /* body bytes since the deadline was set */
    uint8_t state;
    unsigned keep_alive : 1, answered : 1, chunked : 1, close_delimited : 1, continue_due : 1,
        feeding : 1, served : 1;
};

extern const struct stream_ops http1_stream_ops; /* http1_out */

/* --- of the connection, in http1 --- */

/* The deadline of the state that it is in, again. */
void http1_set_deadline(struct http1 *c);
void http1_enter(struct http1 *c, enum state state);
/* The answer is complete, the rest of the request is not here: worth reading it to keep the
 * connection? */
bool http1_can_drop_rest(const struct http1 *c);
/* Counts a request that is refused, and logs it. */
void http1_tell_refusal(struct http1 *c, int status, const char *why);
/* Answers a request that gets no stream, and ends the connection. */
void http1_refuse(struct http1 *c, int status, const char *why);
/* Why an open-ended answer that goes on is over: nobody hears it any more, or that nobody does
 * could not be seen. NULL: it is not. */
const char *http1_unheard(const struct http1 *c);
void http1_end_unheard(struct http1 *c);
/* Goes on to the next request if this exchange is over. */
void http1_try_next(struct http1 *c);
/* The peer will send no more; what it has sent is still answered, as far as it is whole. */
void http1_after_eof(struct http1 *c);

/* --- bytes out, in http1_out --- */

void http1_send_head(struct http1 *c, const struct http_head *head, struct http1_framing framing);

/* --- bytes in, in http1_in --- */

void http1_take(struct http1 *c, const char *bytes, size_t n);
/* What waited behind the request that is over. */
void http1_take_pending(struct http1 *c);
/* Reading rests while the handler is behind; the deadline rests with it. */
void http1_balance_reading(struct http1 *c);
/* More bytes wait behind the current request than are kept behind an endless answer. */
bool http1_is_behind(const struct http1 *c);
/* The head that arrives is that of a HEAD request. */
bool http1_asks_for_head(const struct http1 *c);
void http1_free_in(struct http1 *c);

#endif

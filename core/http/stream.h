/* stream: one HTTP request/response exchange (RFC 9113's word), whatever the protocol below. */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "base/list.h"
#include "base/slab.h"
#include "http/head.h"
#include "http/identity.h"
#include "http/request.h"
#include "http/server.h"

struct stream;

#define STREAM_ECLOSED (-10101)  /* the stream is over */
#define STREAM_EHEAD (-10102)    /* the head has been sent */
#define STREAM_EFRAMING (-10103) /* a field that belongs to the framing */
#define STREAM_EVALUE (-10104)   /* not a field name or value, or not a status */
#define STREAM_EDROPPED (-10105) /* write policy: this chunk was dropped */
#define STREAM_ELIMIT (-10107)   /* the subject has as many streams as it may */
#define STREAM_ELENGTH (-10106)  /* more bytes than the declared Content-Length */

/* Only ever moves forward. */
enum stream_state {
    STREAM_OPEN,     /* the request's head is here, nothing has been answered */
    STREAM_STARTED,  /* the answer's head is out */
    STREAM_ENDING,   /* whoever answered has ended it; its producer delivers what it has left */
    STREAM_FINISHED, /* the answer is complete, bytes may still be queued */
    STREAM_CLOSED    /* nothing can be sent or received; `reason` says why */
};

enum stream_reason {
    REASON_DONE,
    REASON_CLIENT,
    REASON_TIMEOUT,
    REASON_OVERFLOW,
    REASON_DRAIN,
    REASON_EXPIRED,
    REASON_REVOKED,
    REASON_ERROR,
    REASON_CANCELLED
};

enum write_policy { WRITE_BLOCK, WRITE_DROP_NEWEST, WRITE_DISCONNECT };

/* Upwards: who answers the request. Called on the loop's thread, never below a parser; on_readable
 * and on_close possibly from within one of the stream's own functions. So note it, mark a task
 * ready, and act in the turn. NULL members are skipped. */
struct stream_events {
    void (*on_readable)(struct stream *stream); /* body bytes came, or its end, or its failure */
    void (*on_writable)(struct stream *stream); /* the queue sank to the low mark */
    void (*on_close)(struct stream *stream);    /* state is CLOSED; exactly once */
};

/* Downwards: what each protocol fills in. */
struct stream_ops {
    /* Sends the head. Without a length the end is framed, unless the stream is bodiless. */
    void (*send_head)(struct stream *stream, const struct http_head *head);
    void (*send_informational)(struct stream *stream, int status, struct str fields);
    void (*send_data)(struct stream *stream, const void *bytes, size_t n);
    /* Bytes that are framed already: see stream_send_chunks. NULL: this protocol frames itself. */
    size_t (*send_chunks)(struct stream *stream, const struct iovec *iov, int count, size_t bytes);
    void (*queue_chunks)(struct stream *stream, struct slab *slab, const char *bytes, size_t n);
    bool (*takes_chunks)(const struct stream *stream);
    void (*finish)(struct stream *stream);
    /* Ends the exchange so that the peer can tell it is incomplete. */
    void (*abort)(struct stream *stream);
    /* The reader took bytes, or waits for the body (100-continue). */
    void (*want_read)(struct stream *stream);
    size_t (*queued)(const struct stream *stream); /* bytes not yet in the kernel */
};

/* Something in C that fills the stream as fast as the peer takes it: a file, a topic. */
struct producer;

struct producer_ops {
    void (*proceed)(struct producer *producer,
                    struct stream *stream); /* below the low mark: write more */
    void (*stop)(struct producer *producer,
                 struct stream *stream); /* the stream closed; exactly once */
    /* The stream ends: delivers what it has by now, then calls stream_finish, but not from within.
     * NULL: it has nothing of its own. */
    void (*end)(struct producer *producer, struct stream *stream);
    /* The head is about to go out; true: it was answered in another way. NULL: it may. */
    bool (*open)(struct producer *producer, struct stream *stream);
};

struct producer {
    const struct producer_ops *ops;
};

/* An answer that is a conversation, with words of its own for its beginning and its end:
 * server-sent events (http/sse). */
struct manner {
    const struct manner_ops *ops;
};

struct manner_ops {
    /* Sends the head and what opens it, if they are not out. */
    void (*open)(struct stream *stream);
    /* The head is out. */
    void (*opened)(struct stream *stream);
    /* Says after how many ms the client is to come back. */
    void (*retry)(struct stream *stream, uint32_t ms);
    /* Says that the client's token does not count any more. */
    void (*withdrawn)(struct stream *stream, enum stream_reason reason);
    void (*free)(struct manner *manner);
};

struct stream {
    const struct stream_ops *ops;
    void *transport; /* the protocol's connection; NULL once closed */
    struct http_server *server;
    struct list link; /* server->streams */
    const struct stream_events *events;
    void *owner; /* of whoever set `events` */
    struct producer *producer;
    struct request *request;
    struct address peer;       /* all zeroes: no socket (a simulated request) */
    struct address client;     /* while `proxied`: see http/proxies */
    uint32_t write_timeout_ms; /* without progress the stream ends; 0: the limit's */
    uint32_t in_window;        /* body bytes that may wait to be read, if more than the limit */
    struct buf in;             /* body bytes received and not yet read */
    struct buf fields;         /* "name: value CRLF" of the answer, until its head is sent */
    struct manner *manner;     /* NULL: a plain answer */
    struct grant *grant;       /* of a token: whose it is, and until when; NULL: none */
    struct asked asked;        /* as what it is counted */
    uint64_t id;
    uint64_t received;  /* body bytes so far */
    uint64_t in_wanted; /* someone waits for the whole body, up to so many bytes: it must keep
                           coming; 0: nobody does */
    uint64_t sent;      /* body bytes of the answer; of ready-made chunks their size lines too */
    uint64_t delivered; /* events: of its own and of its topics */
    uint64_t lost;      /* those, and chunks, that were dropped, or told to be missing */
    int64_t length;     /* declared Content-Length of the answer, -1 none */
    uint64_t started;   /* ms on the loop's clock */
    uint64_t wrote;     /* when body bytes were last written, ms on the loop's clock */
    const char *type;   /* Content-Type unless `fields` has one; NULL: none */
    const char *detail; /* more on the reason, static; NULL none */
    uint16_t refs, status;
    uint16_t lasting; /* bytes at the beginning of `fields` that stay when the head is reset */
    uint8_t state, reason, policy;
    unsigned in_ended : 1;   /* the body is complete */
    unsigned in_failed : 1;  /* the body will never be complete */
    unsigned in_timeout : 1; /* in_failed, because the peer stopped sending */
    unsigned in_dropped : 1; /* nobody will read the rest of it */
    unsigned head_only : 1;  /* HEAD: bodies are measured, not sent */
    unsigned bodiless : 1;   /* 204, 205 or 304: bodies are dropped */
    unsigned open_ended : 1; /* the answer streams: no end is known */
    unsigned proxied : 1;    /* the peer is a proxy that is trusted */
    unsigned secure : 1;     /* the client came over TLS */
};

/* The answer has begun and can go on. */
static inline bool stream_is_live(const struct stream *stream) {
    return stream->state == STREAM_STARTED || stream->state == STREAM_ENDING;
}

/* The answer is, or was, one whose end nobody knew. */
static inline bool stream_goes_on(const struct stream *stream) {
    return stream->open_ended && !stream->head_only;
}

/* Who asks: the peer, or whom it speaks for. */
static inline const struct address *stream_client(const struct stream *stream) {
    return stream->proxied ? &stream->client : &stream->peer;
}

/* The request id, to tell it to somebody: the answer's head has it then, too, unless that is out.
 */
static inline struct str stream_request_id(struct stream *stream, char made[IDENTITY_MADE]) {
    stream->request->identified = true;
    return identity_of(stream->request, stream->id, made);
}

/* --- by protocols --- */

/* A stream for a complete head; takes `request`. One reference, the protocol's, dropped by
 * stream_closed. */
struct stream *stream_new(struct http_server *server, const struct stream_ops *ops, void *transport,
                          struct request *request, const struct address *peer);
/* Body bytes; the owner is not told yet, since a parser stands below: stream_body_came does that.
 */
void stream_body(struct stream *stream, const char *bytes, size_t n);
void stream_body_came(struct stream *stream);
void stream_body_end(struct stream *stream);
/* The body will not be completed: the peer left, or (timeout) stopped sending. */
void stream_body_fail(struct stream *stream, bool timeout);
/* The protocol's queue sank to the low mark. */
void stream_drained(struct stream *stream);
/* The exchange is over: tells producer and owner, logs, drops the protocol's reference. */
void stream_closed(struct stream *stream, enum stream_reason reason, const char *detail);

/* --- by whoever answers --- */

struct stream *stream_ref(struct stream *stream);
void stream_unref(struct stream *stream);
/* Who answers from now on. */
static inline void stream_own(struct stream *stream, const struct stream_events *events,
                              void *owner) {
    stream->events = events;
    stream->owner = owner;
}

/* Up to `n` body bytes into `out` (NULL: dropped): >0, or 0 when none are here (see in_ended,
 * in_failed). */
size_t stream_take(struct stream *stream, void *out, size_t n);
/* Moves all body bytes that are here behind those of `into`: how many. What `into` has of memory
 * becomes the stream's where it is empty, so that who takes again and again needs none again. */
size_t stream_take_all(struct stream *stream, struct buf *into);
/* Says that someone waits for body bytes; `whole`: for all of them, up to so many; 0: for any. */
void stream_want_body(struct stream *stream, uint64_t whole);
/* Says that nobody will read the rest of the body: it is dropped as it comes, so that a client that
 * sends all of it first comes to its answer, and its leaving is seen. */
void stream_drop_body(struct stream *stream);

/* 200..599; informational ones only through stream_informational. 0, STREAM_EVALUE, STREAM_EHEAD.
 */
int stream_set_status(struct stream *stream, int status);
/* Replaces every field of that name. 0, STREAM_EVALUE, STREAM_EFRAMING, STREAM_EHEAD. */
int stream_set_header(struct stream *stream, struct str name, struct str value);
void stream_remove_header(struct stream *stream, struct str name);
int stream_add_header(struct stream *stream, struct str name, struct str value);
/* A field that the answer has whoever gives it, an error's too: it replaces a lasting one of that
 * name, and none of the others replaces it. The same errors; STREAM_ELENGTH: too many. */
int stream_set_lasting(struct stream *stream, struct str name, struct str value);
/* The value set so far; ptr NULL: none. */
struct str stream_get_header(const struct stream *stream, struct str name);
/* A 103 or 100 before the head; HTTP/1.0 peers get none (RFC 9110 section 15.2). 0, STREAM_EHEAD,
 * STREAM_ECLOSED. `fields` are complete lines. */
int stream_informational(struct stream *stream, int status, struct str fields);

/* Sends the head. `length` >= 0: exactly that many body bytes follow; -1: a stream of unknown end,
 * marked as not to be buffered by proxies. 0, STREAM_EHEAD, STREAM_ECLOSED. */
int stream_start(struct stream *stream, int64_t length);
/* Sends the head if it is not out (length unknown), then a copy of the bytes. 0, STREAM_ECLOSED,
 * STREAM_EDROPPED, STREAM_ELENGTH. */
int stream_write(struct stream *stream, const void *bytes, size_t n);
/* The same for a producer: its bytes are subject to no write policy, and go out while it ends. */
int stream_produce(struct stream *stream, const void *bytes, size_t n);
/* For bodies that are kept as HTTP/1.1 chunks: whether this stream can send them as they are. */
static inline bool stream_takes_chunks(const struct stream *stream) {
    return stream_is_live(stream) && stream->ops->takes_chunks && stream->ops->takes_chunks(stream);
}
/* Sends as much of `count` pieces with `bytes` bytes in all as the kernel takes now: how much. When
 * it is not all, the stream is blocked until its producer is told to proceed; whatever ends within
 * a chunk must then be completed by stream_queue_chunks. */
size_t stream_send_chunks(struct stream *stream, const struct iovec *iov, int count, size_t bytes);
/* Queues the rest of a chunk: a copy, or, with `slab`, the slab's own bytes. */
void stream_queue_chunks(struct stream *stream, struct slab *slab, const char *bytes, size_t n);
/* Complete answer: head with Content-Length, body (and what a page ends with), end. `type` is the
 * content type unless one is set; NULL: none. 0, STREAM_EHEAD, STREAM_ECLOSED. */
int stream_respond(struct stream *stream, const char *type, const void *bytes, size_t n);
/* What the server puts behind an answer of content type `type`, unless one is set. Before the head.
 */
static inline void stream_end_page(const struct stream *stream, const char *type, struct buf *out) {
    if (stream->server->end_page && stream->state == STREAM_OPEN)
        stream->server->end_page(stream->server, stream, type, out);
}
/* In what manner it answers, in place of the one so far, which is freed. Before the head. */
void stream_set_manner(struct stream *stream, struct manner *manner);
/* Drops status and fields set so far but the lasting ones. Harmless after the head. */
void stream_reset_head(struct stream *stream);
/* A short text answer: the reason phrase, and `detail` if not NULL. After the head: aborts. */
void stream_fail(struct stream *stream, int status, const char *detail);
/* The end: sends a head if there is none (204 when the status was not set). Twice is harmless. What
 * a producer has left is dropped. */
void stream_finish(struct stream *stream);
/* The good end, for `reason`: its producer delivers first what it has by now. */
void stream_end(struct stream *stream, enum stream_reason reason);
/* The same, and the client is told to come back after a random time from `least_ms` to `most_ms`,
 * so that not all do at once. False: the answer has no words for that, and goes on. */
bool stream_end_well(struct stream *stream, enum stream_reason reason, uint32_t least_ms,
                     uint32_t most_ms);
#define STREAM_RETRY_LEAST_MS 1000 /* when others take the place of who ends it */
#define STREAM_RETRY_MOST_MS 6000
/* stream_finish, but the stream closes for `reason` instead of done. */
void stream_finish_because(struct stream *stream, enum stream_reason reason);
/* The end that the peer must be able to tell from a good one. Closes the stream. */
void stream_abort(struct stream *stream, enum stream_reason reason, const char *detail);
/* The same even of a complete answer: what the client has not got, it does not get. */
void stream_cut(struct stream *stream, enum stream_reason reason, const char *detail);

size_t stream_queued(const struct stream *stream);
/* Whether a writer has to wait for on_writable. */
bool stream_is_full(const struct stream *stream);
/* Attaches a producer; its `proceed` is called whenever the queue has sunk, not at once. NULL: it
 * is detached. */
static inline void stream_attach(struct stream *stream, struct producer *producer) {
    stream->producer = producer;
}

const char *stream_reason_name(enum stream_reason reason);

#endif

/* server: what all connections of one worker (or one test) share: limits, log, counters, who
 * answers. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/counter.h"
#include "base/limits.h"
#include "base/list.h"
#include "count/traffic.h"
#include "net/conn.h"
#include "net/listener.h"
#include "proto/url.h"

struct access_log;
struct protocol;
struct rate;
struct request;
struct stream;
struct tallied;

#define HTTP_REASONS 9
struct http_counters { /* of one server; written by its thread, read by any: see base/counter */
    uint64_t connections, connections_total, streams, requests;
    uint64_t bytes_sent, bytes_received; /* of bodies */
    uint64_t closed[HTTP_REASONS];       /* streams, by enum stream_reason */
    uint64_t writes_dropped, utf8_replaced, bad_requests;
    uint64_t limited;      /* connections, streams and requests refused with 429 */
    uint64_t tasks, ready; /* in totals only */
};

struct http_server {
    struct loop *loop;
    struct limits limits;
    const struct protocol *protocol; /* which its connections speak; NULL: it has none */
    struct access_log *access_log;   /* NULL: none */
    /* An answer that goes on has begun; or an exchange is over (its state says so): its reason is
     * set, its peer still known. */
    void (*log)(struct access_log *access_log, const struct stream *stream);
    /* A request's head is complete: answer it, now or later. Set by the application. */
    void (*on_request)(struct http_server *server, struct stream *stream);
    /* Whether the application has a use for that method, wherever; asked of one that is not known
     * otherwise. NULL: for none. */
    bool (*has_method)(struct http_server *server, struct str method);
    /* A connection is gone, or the last stream is freed: there may be room for others. NULL: nobody
     * asks. */
    void (*on_left)(struct http_server *server);
    /* After http_server_drain, once: no connection is left. */
    void (*on_drained)(struct http_server *server);
    /* What a page of that content type, unless one is set, ends with; NULL: nothing. */
    void (*end_page)(struct http_server *server, const struct stream *stream, const char *type,
                     struct buf *out);
    void *owner;
    const uint64_t *tasks, *ready; /* see http_server_count_tasks; NULL: there are none */
    struct traffic traffic;
    struct list spare_requests; /* heads of requests that are over, for the next ones */
    unsigned nspare;
    struct list connections, streams;
    struct list all; /* of the process's servers */
    struct http_counters counters;
    char date[30]; /* the Date field, made once a second */
    int64_t date_second;
    unsigned alive; /* streams not yet freed */
    bool draining, apart;
    struct timer drain_deadline;
    struct timer rates_sweep; /* while buckets may be there that are full again */
};

void http_server_init(struct http_server *server, struct loop *loop, const struct limits *limits);
/* Before the first connection: what it counts and holds is not the process's. Its limit of
 * connections is its own, so that who looks inside comes in when nobody else does; at that limit
 * the oldest connection that waits for no answer is closed for the next. */
void http_server_set_apart(struct http_server *server);
/* Beside what it serves so many tasks are alive, and may run: counters (base/counter). */
void http_server_count_tasks(struct http_server *server, const uint64_t *tasks,
                             const uint64_t *ready);
void http_server_fini(struct http_server *server);
/* Sums what all servers of the process count, those that are gone included; from any thread. */
void http_server_totals(struct http_counters *totals);
extern const struct counter_row http_counter_rows[]; /* of the totals */
/* The live streams of all servers on `loop`, each with a reference: an array of `*count` to be
 * freed. From the loop's own thread. */
struct stream **http_server_streams(struct loop *loop, size_t *count);
/* A new connection, from a listener; `fd` is taken. False: enough, accept no more until on_left. */
bool http_server_accept(struct http_server *server, int fd, const struct address *peer);
/* For protocols and streams: a request's head to fill in, and back. */
struct request *http_server_take_request(struct http_server *server);
void http_server_give_request(struct http_server *server, struct request *request);
/* For protocols: a connection is gone, which protocol->accept was given with `tallied`. */
void http_server_left(struct http_server *server, struct tallied *tallied);
#define ADDRESS_KEY 9
/* What limits of one client count by, into `out`: its address, of IPv6 the network. `kind` stands
 * in front. */
struct str address_key(const struct address *address, char kind, char out[ADDRESS_KEY]);
/* Takes a token of `key` in the buckets named `limiter`, which are the process's: 0, or after how
 * many ms one will be there. */
uint64_t http_server_rate(struct http_server *server, struct str limiter, struct str key,
                          const struct rate *rate);
/* For streams: one more of the subject that a token names; NULL: it has as many as it may. */
struct tallied *http_server_join(struct http_server *server, struct str subject);
void http_server_leave(struct tallied *subject);
/* Numbers streams over the whole process, from 1. */
uint64_t http_server_next_id(void);
/* No new requests; idle connections close, streams with a manner (server-sent events) end well with
 * reason drain, others have limits.drain_timeout. on_drained is called once when no connection is
 * left. */
void http_server_drain(struct http_server *server);
/* Closes every connection now. */
void http_server_stop(struct http_server *server);
/* The Date field's value, NUL-terminated. */
const char *http_server_date(struct http_server *server);

#endif

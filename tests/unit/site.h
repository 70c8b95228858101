/* site: a whole HTTP server on a loop that the test turns by hand, and an application in C
 * whose answers a test asks for by path. */
#ifndef TESTS_SITE_H
#define TESTS_SITE_H

#include "client.h"
#include "http/stream.h"

/* The application. What follows the '?' is ARG.
 *
 *     /say?TEXT      TEXT, at once
 *     /later?TEXT    the same, a turn later
 *     /held?TEXT     the same, when site_release is called
 *     /size?N        N bytes, at once
 *     /echo          the request's body, when all of it is here: 408 or 400 when it never will be
 *     /bulk          the same, by a reader who waits for the whole body
 *     /stream?A,B    a stream of unknown length: the pieces between the commas, then the end
 *     /drip?A,B      the same, one piece in each turn
 *     /flood?N       a stream of N bytes, never finished
 *     /hasty?N       the same with a write timeout of 5 s, finished
 *     /stubborn      a stream that begins a turn after the body has failed, never finished
 *     /endless?TEXT  a stream of TEXT, never finished
 *     /soon?TEXT     the same, begun a turn later
 *     /exact?TEXT    a declared length, written byte by byte
 *     /short?TEXT    a declared length, then TEXT, which is one byte less
 *     /status?N      that status without a body
 *     /fail?N        that failure
 *     /hint?TEXT     103, then TEXT
 *     /sse           an event stream, never finished
 *     /answer-body   a stream of what the body holds, begun before it is here
 *     /abort?TEXT    a stream of TEXT, then an abort; without TEXT nothing but the abort
 */
#define HOST "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define LAST(path) "GET " path " HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
#define POST(path, fields, body) "POST " path " HTTP/1.1\r\n" HOST fields "\r\n" body

struct site {
    struct loop loop;
    struct http_server server;        /* its limits may be changed before a connection is made */
    struct list answers;              /* streams that are not closed */
    int requests;                     /* dispatched so far */
    int readable, writable;           /* events so far */
    int closed[REASON_CANCELLED + 1]; /* streams closed, by reason */
    int left, drained;                /* calls of on_left and on_drained */
    struct buf said;                  /* the log's lines */
    int lines;
};

/* Freezes the clock, so that deadlines wait for site_pass. */
void site_init(struct site *site);
/* Closes what is left, and fails the test if a stream, a connection or a handle stays. */
void site_fini(struct site *site);
/* A connection to the server, over a pair of local sockets. */
void site_connect(struct site *site, struct client *client);
/* The same over TCP, where resets exist. */
void site_connect_tcp(struct site *site, struct client *client);
/* Turns the loop until nothing is left to do now. */
void site_settle(struct site *site);
/* Turns the loop and reads until the server has ended the connection. */
void site_read_all(struct site *site, struct client *client);
/* Turns the loop until that many requests have been dispatched in all. */
void site_await_request(struct site *site, int requests);
/* Turns the loop until there is no connection. */
void site_await_end(struct site *site);
/* Sends all, turning the loop, and takes what comes. */
void site_send(struct site *site, struct client *client, struct str bytes);
/* Moves the clock, then settles. */
void site_pass(struct site *site, uint64_t ms);
/* Answers the oldest request for /held. */
void site_release(struct site *site);
/* How many connections there are. */
int site_connections(struct site *site);
/* The stream dispatched last that is not closed; NULL: none. */
struct stream *site_stream(struct site *site);

#endif

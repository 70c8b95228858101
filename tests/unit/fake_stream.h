/* fake_stream: a stream over no protocol, on a real loop with a real thread pool. What is sent to
 * it is kept to be looked at. */
#ifndef TESTS_FAKE_STREAM_H
#define TESTS_FAKE_STREAM_H

#include "http/stream.h"

struct fake {
    struct loop loop;
    struct limits limits;
    struct http_server server;
    struct stream *stream; /* a reference of the test's own; NULL: none asked for yet */
    /* What was sent. */
    struct buf head, body; /* the head's fields as lines; both NUL-terminated by fake_run */
    int64_t length;
    int status;
    bool finished, aborted;
    int informed;                   /* the status of the last informational answer */
    int wants;                      /* how often the body was asked for */
    int readable, writable, closes; /* events, since fake_listen */
    size_t queued;                  /* what the stream is told; grows when `holding` */
    bool holding;                   /* the peer does not read */
};

void fake_init(struct fake *fake);
void fake_fini(struct fake *fake);
/* Makes the stream of a new request and forgets the one before. `fields` are "name: value" lines
 * with '\n' behind each, names in lower case. */
struct stream *fake_request(struct fake *fake, const char *method, const char *target,
                            const char *fields);
/* Owns the stream: its events are counted. */
void fake_listen(struct fake *fake);
/* Runs the loop until the stream is closed. */
void fake_run(struct fake *fake);
/* Runs the loop until `done` says so. */
void fake_run_until(struct fake *fake, bool (*done)(void *arg), void *arg);
/* The peer reads on. */
void fake_drain(struct fake *fake);
/* The peer has left. */
void fake_leave(struct fake *fake);
/* The value of a field of the answer, NUL-terminated, until the next call; NULL: none. */
const char *fake_field(struct fake *fake, const char *name);

#endif

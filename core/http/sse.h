/* sse: an answer as text/event-stream: opening events, heartbeats. */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include "http/stream.h"
#include "proto/sse.h"

struct sse_options {
    int64_t retry_ms;           /* told to the client at the start; below 0: not */
    uint32_t heartbeat_ms;      /* 0: none */
    struct str heartbeat_event; /* empty: a comment, which EventSource does not show */
    bool hello;                 /* open with `weir.hello` */
    bool nameless;              /* gaps and ends are messages, their names stand in the data */
};

/* Sets the fields; the head and the opening events leave with the first write, flush or sse_open.
 * 0, STREAM_EHEAD, STREAM_ECLOSED, SSE_EFIELD. */
int sse_start(struct stream *stream, const struct sse_options *options);
/* Sends the head and the opening events if they are not out. */
void sse_open(struct stream *stream);
/* Answers 204 instead: an EventSource that gets it does not come back. Before the head. */
void sse_decline(struct stream *stream);
/* Whether gaps and ends are events without a name: "weir.gap" as {"event":"weir.gap", ...}. */
bool sse_is_nameless(const struct stream *stream);
/* What `weir.hello` says of resuming; before the opening. */
void sse_resume(struct stream *stream, bool resumed);
/* Encodes and writes one event. 0, SSE_EFIELD, or what stream_write returns. */
int sse_send(struct stream *stream, const struct sse_event *event);
/* The client's last id: the Last-Event-ID field, else the query parameter lastEventId or
 * last_event_id, decoded into `scratch`; what is empty is none. ptr NULL: none. */
struct str sse_last_event_id(const struct stream *stream, struct buf *scratch);

#endif

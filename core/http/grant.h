/* grant: what a stream's token gives it: in whose name it is open, and until when. */
#ifndef HTTP_GRANT_H
#define HTTP_GRANT_H

#include "http/stream.h"

#define GRANT_FOREVER INT64_MAX /* never */

struct grant;

/* The end that a token's exp means, Unix time in seconds. */
int64_t grant_end_of(double seconds);
/* `subject` is whom the token names, copied; ptr NULL: nobody. `end_ms` is wall time. Replaces the
 * one that the stream has. Nothing happens to a stream that is closed. 0, or STREAM_ELIMIT, and the
 * stream has none: the subject has as many streams as it may. */
int grant_set(struct stream *stream, struct str subject, int64_t end_ms);
/* Moves the end; a stream without a grant gets one, in nobody's name. */
void grant_renew(struct stream *stream, int64_t end_ms);
/* NULL: nobody. */
const char *grant_subject(const struct stream *stream);
/* Ends a stream whose token does not count any more: an SSE stream well, after the event
 * `weir.auth`, so that the client sees what was meant; others so that it can tell. */
void grant_withdraw(struct stream *stream, enum stream_reason reason);
/* For stream.c: an answer of unknown end has begun; and the stream closed. NULL is allowed. */
void grant_opened(struct stream *stream);
void grant_free(struct grant *grant);

#endif

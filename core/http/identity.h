/* identity: the names by which a request is known elsewhere: its request id, its trace. */
#ifndef HTTP_IDENTITY_H
#define HTTP_IDENTITY_H

#include "http/request.h"

#define IDENTITY_MADE 40 /* bytes of a request id that is made here */

/* The request id of the stream of that number: the X-Request-Id that came, if it is sane, else one
 * made of this process and the number, in `made`: the same one each time. */
struct str identity_of(const struct request *request, uint64_t stream_id, char made[IDENTITY_MADE]);
/* Adds the field X-Request-Id with that id to an answer's, unless it has one. */
void identity_answer(const struct request *request, uint64_t stream_id, struct buf *fields)
    __attribute__((cold));
/* The traceparent that came; ptr NULL: none, or not one alone that is right. */
struct str identity_traceparent(const struct request *request);
/* Its trace id; empty: there is none. */
struct str identity_trace(const struct request *request);

#endif

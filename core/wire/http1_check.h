/* http1_check: what a request's head must satisfy beyond what the parser checks. */
#ifndef WIRE_HTTP1_CHECK_H
#define WIRE_HTTP1_CHECK_H

#include "http/request.h"

/* Takes empty lines (RFC 9112 section 2.2), the method, and the space behind it, from the front of
 * `in`, in whatever pieces they come; the method goes into `request`. 1 when it is whole, 0, or the
 * status to refuse with (400). */
int head_take_method(struct request *request, struct str *in);

/* Looks at the raw bytes of a head behind its method, in whatever pieces they come, for what llhttp
 * accepts and we do not: folded fields (RFC 9112 section 5.2) and protocols other than HTTP
 * (RTSP/1.0). */
struct head_scan {
    uint8_t state;
    char last[sizeof " HTTP/1.1\r" - 1]; /* bytes of the request line, without its LF */
    uint32_t bytes;                      /* of the head so far */
};

/* 0, or the status to refuse with (400). Bytes after the head's end are not looked at. */
int head_scan(struct head_scan *scan, const char *bytes, size_t n);

/* Completes `request` once all fields are in: target, host, body framing, connection, expectation.
 * 0, or the status to refuse with; `*why` says what is wrong. */
int request_complete(struct request *request, unsigned major, unsigned minor, const char **why);

#endif

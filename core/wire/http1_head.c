/* http1_head: the head of an answer as HTTP/1.1 text (RFC 9112 section 4).
 *
 * Put together right where it is sent from, piece by piece: no buffer in between, and no printf,
 * which cost more than all else about a small answer. What the framing is has been decided by
 * http1; here it is only written down. Pure: a stream in, bytes out. */
#include "wire/http1_head.h"

#include "http/head.h"
#include "proto/header.h"

#include <string.h>

/* The pieces of a head, each put at `at`; what follows goes where they return. */
static char *put(char *at, struct str text) {
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}

static char *put_number(char *at, uint64_t n) {
    if (n >= 10)
        at = put_number(at, n / 10);
    *at = (char)('0' + n % 10);
    return at + 1;
}

static char *put_status(char *at, int status) {
    at = put_number(put(at, STR("HTTP/1.1 ")), (uint64_t)status);
    at = put(put(at, STR(" ")), str_of(http_reason(status)));
    return put(at, STR("\r\n"));
}

static char *put_framing(char *at, const struct stream *stream, bool chunked, bool keep_alive) {
    if (stream->length >= 0 && !stream->bodiless) {
        at = put_number(put(at, STR("Content-Length: ")), (uint64_t)stream->length);
        at = put(at, STR("\r\n"));
    } else if (chunked) {
        at = put(at, STR("Transfer-Encoding: chunked\r\n"));
    }
    if (!keep_alive)
        return put(at, STR("Connection: close\r\n"));
    return stream->request->minor == 0 ? put(at, STR("Connection: keep-alive\r\n")) : at;
}

char *http1_head_put(char *at, const struct stream *stream, bool chunked, bool keep_alive) {
    at = put_status(at, stream->status);
    at = put_framing(head_put(at, stream), stream, chunked, keep_alive);
    return put(at, STR("\r\n"));
}

char *http1_informational_put(char *at, int status, struct str fields) {
    return put(put(put_status(at, status), fields), STR("\r\n"));
}

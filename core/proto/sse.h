/* sse: the sending half of text/event-stream (HTML standard, section 9.2). */
#ifndef PROTO_SSE_H
#define PROTO_SSE_H

#include "base/buf.h"

#define SSE_EFIELD (-10001) /* CR, LF or NUL in `event` or `id` */

struct sse_event {
    struct str event;   /* ptr NULL: no such field */
    struct str id;      /* ptr NULL: no such field; empty: resets the client's last id */
    struct str data;    /* ptr NULL: no such field, nothing is dispatched */
    struct str comment; /* ptr NULL: none */
    int64_t retry;      /* ms; below 0: none */
};

/* Appends the fields and the empty line. `data` and `comment` are split on CRLF, CR and LF, one
 * field line for each; in both and in `event` and `id` every byte that is not part of valid UTF-8
 * becomes U+FFFD (maximal subparts, as the Encoding standard decodes). NUL in `data` is allowed
 * there and kept. `*replaced` grows by the number of replacements. 0, or SSE_EFIELD with `out`
 * unchanged. */
int sse_encode(struct buf *out, const struct sse_event *event, uint64_t *replaced);

/* Reads one event as sse_encode writes it: `id`, `event` and `data` are set, the first two borrowed
 * from `text`, `data` from it or, if it had several lines, from `scratch`. */
void sse_decode(struct str text, struct sse_event *event, struct buf *scratch);

#endif

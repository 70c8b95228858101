/* log_line: what is to be told, as one line of text or as one JSON object. */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include "base/buf.h"

#define LOG_ID_MAX 128   /* bytes of a request id */
#define LOG_TRACE_LEN 32 /* of a trace id */

/* The request that something is told of. Each with its NUL; empty: there is none. */
struct log_origin {
    char request_id[LOG_ID_MAX + 1];
    char trace_id[LOG_TRACE_LEN + 1];
};

struct log_event {
    int64_t time_ms;
    struct str level;  /* "info" */
    struct str text;   /* what is told; anybody's bytes */
    struct str fields; /* beside it: a JSON object; the text has them too where lines are text */
    size_t missing;    /* bytes that were cut off the text */
    bool lines;        /* the text may have several, and tabs */
    struct log_origin origin;
};

/* Appends the event with its newline:
 *
 *   2026-11-20T12:34:56.789Z info  message request_id=2f7c
 *       a further line of it
 */
void log_line_text(struct buf *out, const struct log_event *event);
/* {"time":"2026-11-20T12:34:56.789Z","level":"info","message":"...","request_id":"2f7c"} */
void log_line_json(struct buf *out, const struct log_event *event);

/* Appends `text` as a JSON string. Bytes that are not UTF-8 become U+FFFD. */
void log_quote(struct buf *out, struct str text);
#define LOG_QUOTED_MAX 6
/* The same of the first character of `*rest`, which moves on; returns how many bytes it wrote. */
size_t log_quote_one(char out[LOG_QUOTED_MAX], struct str *rest);

#endif

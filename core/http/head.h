/* head: what the head of an answer says, whatever the protocol. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "base/str.h"

/* Of a stream, or of a request that is refused before there is one. Borrowed. */
struct http_head {
    int status;
    const char *date;  /* http_server_date's */
    const char *type;  /* Content-Type unless `fields` has one; NULL: none */
    struct str fields; /* what the answer has beside, or in place of, the default ones: lines that
                          end with CRLF */
    int64_t length;    /* Content-Length; -1: none is said */
};

/* More bytes than head_put writes, and a protocol's framing beside it. */
size_t head_max(const struct http_head *head);
/* Writes all fields that do not depend on the protocol, as lines that end with CRLF: Date, Server,
 * nosniff and the content type, each unless `fields` has it, then these, then the length. `at` has
 * room for head_max bytes; returns where they end. */
char *head_put(char *at, const struct http_head *head);

/* Pieces of a head, for who prints what stands around the fields; they return where they end.
 * Inline: most are literals. */
static inline char *head_put_text(char *at, struct str text) {
    if (text.len > 0)
        memcpy(at, text.ptr, text.len);
    return at + text.len;
}
char *head_put_number(char *at, uint64_t n);

#define HEAD_REFUSAL_TYPE "text/plain; charset=utf-8"
#define HEAD_REFUSAL_MAX 256
/* The body of an answer that has no more to say than its status, and `detail` if not NULL. Returns
 * its bytes, at most HEAD_REFUSAL_MAX - 1. */
size_t head_refusal(char out[HEAD_REFUSAL_MAX], int status, const char *detail);

#endif

/* head: what the head of an answer says, whatever the protocol.
 *
 * Which fields each answer has that nobody asked for is decided here, and nowhere else (those of
 * one that goes on: http/stream): the simulated
 * exchange of a spec has those that a socket would have brought, and a request that gets no stream,
 * since it is malformed or one too many, those of any other answer. Who prints it adds the status
 * and how the body is delimited. Pure: a struct http_head in, bytes out, put right where they are
 * sent from, without printf, which cost more than all else about a small answer. */
#include "http/head.h"

#include "proto/date.h"
#include "proto/field_lines.h"
#include "proto/header.h"

#include <stdio.h>
#include <string.h>

#define OWN_MAX 256 /* of what is not the application's, and of the framing */

char *head_put_number(char *at, uint64_t n) {
    if (n >= 10)
        at = head_put_number(at, n / 10);
    *at = (char)('0' + n % 10);
    return at + 1;
}

/* `name` with its colon. */
static inline char *put_field(char *at, struct str name, struct str value) {
    return head_put_text(head_put_text(head_put_text(at, name), value), STR("\r\n"));
}

static bool lacks(const struct http_head *head, struct str name) {
    return head->fields.len == 0 || field_lines_get(head->fields, name).ptr == NULL;
}

size_t head_max(const struct http_head *head) {
    return OWN_MAX + head->fields.len + str_of(head->type).len;
}

char *head_put(char *at, const struct http_head *head) {
    if (lacks(head, STR("Date")))
        at = put_field(at, STR("Date: "), (struct str){head->date, HTTP_DATE_LEN});
    if (lacks(head, STR("Server")))
        at = head_put_text(at, STR("Server: weir\r\n"));
    if (lacks(head, STR("X-Content-Type-Options"))) /* a type is what it says it is */
        at = head_put_text(at, STR("X-Content-Type-Options: nosniff\r\n"));
    if (head->type && lacks(head, STR("Content-Type")))
        at = put_field(at, STR("Content-Type: "), str_of(head->type));
    at = head_put_text(at, head->fields);
    if (head->length < 0)
        return at;
    at = head_put_number(head_put_text(at, STR("Content-Length: ")), (uint64_t)head->length);
    return head_put_text(at, STR("\r\n"));
}

size_t head_refusal(char out[HEAD_REFUSAL_MAX], int status, const char *detail) {
    int n = snprintf(out, HEAD_REFUSAL_MAX, "%d %s%s%s\n", status, http_reason(status),
                     detail ? ": " : "", detail ? detail : "");
    return n < HEAD_REFUSAL_MAX ? (size_t)n : HEAD_REFUSAL_MAX - 1;
}

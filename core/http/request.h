/* request: a request's head, as the peer sent it. Immutable once complete. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/buf.h"
#include "base/list.h"
#include "proto/path.h"
#include "proto/url.h"

#define REQUEST_BYTES_MAX UINT16_MAX /* of method, target, names and values together */

struct field { /* offsets into request.bytes; name_len 0: `name` is a number of http/field_names */
    uint16_t name, name_len, value, value_len;
};

struct request {
    struct list link; /* among the server's spare ones */
    struct buf bytes; /* method, target, names in lower case, values; then the path's segments */
    struct field *fields;
    uint16_t nfields, fields_cap;
    uint16_t method_len, target_len; /* the method, then the target, open `bytes` */
    struct {                         /* where the target's parts are in `bytes`; 0: none */
        uint16_t query, query_len, authority, authority_len;
    } at;
    uint32_t path; /* where the segments of the path are in `bytes`; 0: it has none */
    uint16_t path_len;
    uint8_t form;           /* enum target_form */
    bool rewritten;         /* the target is shown otherwise than it was sent */
    int64_t content_length; /* -1: none (no body, or chunked) */
    uint8_t minor;          /* HTTP/1.minor */
    bool chunked;           /* the body comes in chunks */
    bool keep_alive;        /* the client would go on with this connection */
    bool expect_continue;   /* the client waits for 100 before it sends the body */
    bool identified;        /* it came with a request id, or somebody was told one: http/identity */
    bool sealed;            /* fields and bytes are one block */
};

struct request *request_new(void);
/* As new, but with the memory that its buffers have. */
void request_reset(struct request *request);
/* Packs it into as little memory as it can do with: for a request that will stay long. */
void request_seal(struct request *request);
/* The same, keeping only the `n` fields named. */
void request_shorten(struct request *request, const struct str *names, size_t n);
void request_free(struct request *request);
/* A further, empty field whose name begins at the end of `bytes`. Valid until the next one. */
struct field *request_add_field(struct request *request);
/* Inline: it is asked for several times. */
static inline struct str request_method(const struct request *request) {
    return (struct str){request->bytes.data, request->method_len};
}
struct str request_target(const struct request *request); /* as sent */
/* Splits the target, reads its path and remembers both. 0 or 400; `*why` says what is wrong. To be
 * called when all fields are there. */
int request_split_target(struct request *request, const char **why);
/* The one reading of the path; without segments for targets that are no path (CONNECT, "*"). */
struct path request_path(const struct request *request);
/* The target as logs and error messages show it: the path as it was read, the query as sent (see
 * proto/redact). Borrowed: it is what was sent, or in `scratch`. */
struct str request_show_target(const struct request *request, struct buf *scratch);
struct str request_query(const struct request *request); /* as sent; ptr NULL: none */
/* Of the absolute target, else the Host field (RFC 9112 section 3.2.2). */
struct str request_host(const struct request *request);
struct str request_field_name(const struct request *request, size_t index);
struct str request_field_value(const struct request *request, size_t index);
/* The first field of that lower-case name; ptr NULL when there is none. */
struct str request_header(const struct request *request, struct str name);
/* Whether HTML that answers it becomes a page of a browser's, and no part of one that a script has
 * asked for. Browsers say so with Sec-Fetch-Dest, where a site is to be trusted; elsewhere only
 * navigation asks for text/html by name. */
bool request_is_for_page(const struct request *request);

#endif

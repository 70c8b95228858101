/* url: request targets, queries and urlencoded forms (RFC 3986, RFC 9112 section 3.2, WHATWG URL
 * section 5). Reads borrowed bytes, writes decoded ones to a buf. */
#ifndef PROTO_URL_H
#define PROTO_URL_H

#include "base/buf.h"

#define URL_EBAD (-10011) /* malformed */

enum target_form { TARGET_ORIGIN, TARGET_ABSOLUTE, TARGET_AUTHORITY, TARGET_ASTERISK };

struct target {
    enum target_form form;
    struct str scheme;    /* of an absolute form, else empty */
    struct str authority; /* of an absolute or authority form, else empty */
    struct str path;      /* as sent; "/" for an absolute form without one; "*" for an asterisk */
    struct str query;     /* after the '?', as sent; ptr NULL without one */
};

/* Splits a request target; a fragment is refused (clients must not send one), as are bytes outside
 * printable ASCII. CONNECT's authority form only when `method` is CONNECT; "*" only when it is
 * OPTIONS. 0 or URL_EBAD. */
int url_target(struct str raw, struct str method, struct target *out);

/* The byte of the escape at `s.ptr[i]`, which is a '%', or -1: no two hex digits behind it. */
int url_escape(struct str s, size_t i);

/* Appends `in` percent-decoded as queries and forms are; with `plus`, '+' becomes a space. Browsers
 * never refuse one: a '%' without two hex digits stays as it is (WHATWG URL, percent-decode), and
 * NUL is allowed. */
void url_decode_lenient(struct str in, bool plus, struct buf *out);

/* Steps through "a=1&b=2": false at the end. Empty pairs are skipped. Borrowed and still encoded:
 * decode with plus = true. A pair without '=' has value "" . Start with *rest = the query. */
bool url_query_next(struct str *rest, struct str *name, struct str *value);

#endif

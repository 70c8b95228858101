/* url: request targets, paths, queries and urlencoded forms (RFC 3986, RFC 9112 section 3.2, WHATWG
 * URL section 5). Reads borrowed bytes, writes decoded ones to a buf. */
#ifndef PROTO_URL_H
#define PROTO_URL_H

#include "base/buf.h"

#define URL_EBAD (-10011)   /* malformed: bad escape, NUL, no leading slash, control character */
#define URL_ELIMIT (-10012) /* more segments than URL_SEGMENTS_MAX, or 4 GiB */

#define URL_SEGMENTS_MAX 256

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

/* Appends `in` percent-decoded; with `plus`, '+' becomes a space. 0 or URL_EBAD (then `out` is as
 * it was): a '%' not followed by two hex digits, or a NUL, encoded or not. */
int url_decode(struct str in, bool plus, struct buf *out);

/* The same for queries and forms, which browsers never refuse: a '%' without two hex digits stays
 * as it is (WHATWG URL, percent-decode), and NUL is allowed. */
void url_decode_lenient(struct str in, bool plus, struct buf *out);

struct url_path {
    struct buf text;                 /* all decoded segments, one after the other */
    uint32_t ends[URL_SEGMENTS_MAX]; /* where each segment ends in `text` */
    size_t count;                    /* "/" has one, empty segment; "/a/" has two */
};

/* Splits an absolute path on '/', decodes each segment, then removes dot segments, encoded ones too
 * (RFC 3986 section 5.2.4; "/a/." and "/a/b/.." end in an empty segment). An encoded slash stays
 * inside its segment. `out->text` is emptied first (so it must be a buf, or zeroes). 0, URL_EBAD
 * (also for ".." above the root), URL_ELIMIT: then `out` has no segments. */
int url_path_split(struct str path, struct url_path *out);
/* The decoded segment `index` < count; valid until `path` is split again or its text freed. */
struct str url_segment(const struct url_path *path, size_t index);

/* Steps through "a=1&b=2": false at the end. Empty pairs are skipped. Borrowed and still encoded:
 * decode with plus = true. A pair without '=' has value "" . Start with *rest = the query. */
bool url_query_next(struct str *rest, struct str *name, struct str *value);

#endif

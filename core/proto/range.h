/* range: conditional and range requests (RFC 9110 sections 13 and 14). Pure decisions on field
 * values: what is served and how is static's. */
#ifndef PROTO_RANGE_H
#define PROTO_RANGE_H

#include "base/str.h"

struct byte_range {
    uint64_t first, last; /* inclusive, below the length */
};

enum range_verdict {
    RANGE_NONE,         /* no range, another unit, malformed, or more than one: send all */
    RANGE_PARTIAL,      /* 206 */
    RANGE_UNSATISFIABLE /* 416 */
};

/* One range of a representation of `length` bytes: "bytes=0-99", "bytes=100-", "bytes=-50". Several
 * ranges are answered whole, as section 14.2 allows. */
enum range_verdict range_parse(struct str value, uint64_t length, struct byte_range *out);

/* Whether a list of entity tags (or "*") holds `etag`; with `weak`, W/ is ignored on both sides
 * (section 8.8.3.2: If-None-Match compares weakly, If-Match and If-Range strongly). */
bool etag_list_has(struct str list, struct str etag, bool weak);

#define MODIFIED_NONE INT64_MIN

struct validators {
    struct str etag;  /* with its quotes */
    int64_t modified; /* unix seconds, or MODIFIED_NONE: fields that hold dates are ignored */
};

struct preconditions { /* field values as sent; ptr NULL: absent */
    struct str if_match, if_none_match, if_modified_since, if_unmodified_since, if_range;
};

/* The status that the preconditions of a GET or HEAD call for, in the order of section 13.2.2: 200
 * (go on), 304 or 412. `*range_holds` tells whether a Range may be honoured (If-Range,
 * section 13.1.5). */
int conditional_status(const struct preconditions *pre, const struct validators *now,
                       bool *range_holds);

#endif

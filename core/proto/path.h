/* path: the segments of a request's path, decoded. */
#ifndef PROTO_PATH_H
#define PROTO_PATH_H

#include "base/buf.h"

#define PATH_REWRITTEN 1      /* its address may be other than what was sent */
#define PATH_EESCAPE (-10091) /* a '%' without two hex digits behind it */
#define PATH_ENUL (-10092)    /* NUL, encoded or not */
#define PATH_EEMPTY (-10093)  /* an empty segment that is not the last */
#define PATH_EDOT (-10094)    /* a segment that is "." or "..", however it is written */
#define PATH_ESLASH (-10095)  /* no '/' at the beginning */

/* Borrowed: the decoded segments with a NUL between two, which none of them holds. "/" is one empty
 * segment, "/a/" are "a" and "". No segments at all (ptr NULL): no path, or its end. */
struct path {
    struct str bytes;
};

/* Appends the segments of `raw` to `out` as a struct path holds them; no more bytes than `raw` has.
 * 0 when path_encode writes `raw` again, PATH_REWRITTEN when it may not, or an error with `out` as
 * it was. */
int path_read(struct str raw, struct buf *out);
/* Why a path is refused: static text. */
const char *path_error(int error);

/* Steps to the next segment: false when there are no more. */
static inline bool path_next(struct path *path, struct str *segment) {
    bool more = path->bytes.ptr != NULL;
    if (more)
        *segment = str_cut(&path->bytes, '\0');
    return more;
}

/* What follows the first `n` segments. */
static inline struct path path_after(struct path path, size_t n) {
    struct str segment;
    while (n-- > 0 && path_next(&path, &segment)) {
    }
    return path;
}
/* Whether the segments are those of `text`, which has no '%': "/a/b". */
bool path_is(struct path path, struct str text);

/* Appends the path as scripts see it: a '/' before each segment, within one '/' as "%2F" and '%' as
 * "%25". Two paths never have the same text. */
void path_text(struct path path, struct buf *out);
/* Appends what follows in a path as a param's value: a '/' between two segments, within one '/' as
 * "%2F", and '%' as "%25" where it could be taken for one of these. */
void path_rest_text(struct path rest, struct buf *out);
/* Appends it as an address: all that a URL's path cannot hold as it is is percent-encoded (RFC 3986
 * section 3.3). Neither do two paths have the same address. */
void path_encode(struct path path, struct buf *out);
/* The same of one segment, without a slash. */
void path_encode_segment(struct str segment, struct buf *out);

#endif

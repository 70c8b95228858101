/* router: which route answers a path, and which middleware stands before it.
 *
 * A pattern is a '/' and segments with '/' between them, written decoded ("/a b", not "/a%20b"):
 *
 *   hello         a literal, matches itself
 *   :name         a param, one segment that is not empty
 *   *rest         as the last segment, all that follows: "/files/" and *rest match "/files/a/b" and
 *                 "/files/" (rest ""), not "/files"
 *
 * A trailing slash is an empty last segment, so "/a" and "/a/" are two patterns. Names are letters,
 * digits and '_'. */
#ifndef HTTP_ROUTER_H
#define HTTP_ROUTER_H

#include "proto/path.h"

#define ROUTER_ESLASH (-10201) /* the pattern or prefix does not start with '/' */
#define ROUTER_ENAME (-10202)  /* a param without a name, or with other characters in it */
#define ROUTER_ETWICE (-10203) /* the same name twice in one pattern */
#define ROUTER_EREST (-10204)  /* *rest is not the last segment */
#define ROUTER_EDOT                                                                                \
    (-10205) /* what no path ever has: a segment "." or "..", an empty one that is                 \
              * not the last, NUL */
#define ROUTER_EPREFIX (-10206) /* a param or *rest in a prefix */
#define ROUTER_EMETHOD (-10207) /* the method is none, see methods.h */
#define ROUTER_ETAKEN (-10208)  /* a route for this method matches exactly the same paths */
#define ROUTER_ELIMIT (-10209)  /* more segments or params than these: */

#define ROUTER_SEGMENTS_MAX 64
#define ROUTER_PARAMS_MAX 32

struct router;

struct router *router_new(void);
/* NULL is allowed. */
void router_free(struct router *router);

/* Adds a route; both strings are copied, `id` is the caller's. The method is any token and
 * case-sensitive (RFC 9110 section 9.1). "/a/:x" and "/a/:y" match the same paths, so adding both
 * for one method is ROUTER_ETAKEN. 0, or an error with the router unchanged. */
int router_add(struct router *router, struct str method, struct str pattern, int id);
/* Adds middleware for all paths whose first segments are those of `prefix`: "/rooms" and "/rooms/"
 * hold for /rooms, /rooms/ and /rooms/x, not for /roomsx; "" and "/" hold for all. Copied. 0, or an
 * error with the router unchanged. */
int router_use(struct router *router, struct str prefix, int id);
/* What the error says to whoever wrote the pattern: static text, without the pattern itself. */
const char *router_error(int error);

enum route_verdict {
    ROUTE_FOUND,
    ROUTE_NONE,   /* 404: no pattern matches */
    ROUTE_METHOD, /* 405: some do, none with this method */
    ROUTE_OPTIONS /* OPTIONS without a route of its own: answer it with the Allow field */
};

struct route_param {
    struct str name, value;
};

struct route_match {
    enum route_verdict verdict;
    /* FOUND: */
    int id;
    size_t nparams;
    struct route_param params[ROUTER_PARAMS_MAX]; /* in the order of the pattern */
    struct path rest;                             /* the segments that *rest stands for */
    /* METHOD, OPTIONS: the value of an Allow field. */
    struct str allow;
};

/* Matches the segments of `path`; those that led to this router, a mount, are left out by the
 * caller.
 *
 * At each segment a literal goes before a param before the rest, whatever the order of adding;
 * where the better way leads nowhere, or to no route with this method, the next one is tried. So
 * with GET /a/:x and POST /a/b, GET /a/b is answered by the first. HEAD is answered by GET where a
 * pattern has no HEAD of its own. Allow is the union of all patterns that match: GET brings HEAD,
 * OPTIONS is always in it.
 *
 * The names are the router's, a param's value is borrowed from `path`: decoded, and it may hold a
 * '/' that was encoded. The rest and Allow are built in `scratch`, emptied first. In the rest '/'
 * only ever stands between segments: one that was encoded is written "%2F". For that to be
 * unmistakable a '%' before "2F", "2f" or "25" is written "%25"; every other '%' is itself. */
void router_match(const struct router *router, struct str method, struct path path,
                  struct buf *scratch, struct route_match *out);

/* Steps through the middleware that holds for `path`, in the order of adding. Start with *cursor =
 * 0. False at the end. */
bool router_use_next(const struct router *router, struct path path, size_t *cursor, int *id);

/* Whether any route has that method. */
bool router_has_method(const struct router *router, struct str method);
/* How many routes there are, and the one at `index` in the order of adding; borrowed. */
size_t router_count(const struct router *router);
void router_route(const struct router *router, size_t index, struct str *method,
                  struct str *pattern, int *id);

#endif

/* cookie: Cookie and Set-Cookie (RFC 6265). */
#ifndef PROTO_COOKIE_H
#define PROTO_COOKIE_H

#include "base/buf.h"

#define COOKIE_ENAME (-10021) /* the name is not a token */
/* The value, path or domain holds what RFC 6265 section 4.1.1 forbids, or same_site is none of the
 * three. */
#define COOKIE_EVALUE (-10022)

/* Steps through a Cookie value, "a=1; b=2"; quotes around a value are removed. False at the end. A
 * pair without '=' or with an empty name is skipped. */
bool cookie_next(struct str *rest, struct str *name, struct str *value);

struct cookie_options {
    struct str path;   /* empty: "/" */
    struct str domain; /* empty: none */
    int64_t max_age;   /* seconds; below 0: a session cookie */
    bool secure;
    bool http_only;
    const char *same_site; /* "Strict", "Lax" or "None"; NULL: none sent */
};

/* Appends the field value of a Set-Cookie. 0 or an error with `out` unchanged. */
int cookie_format(struct buf *out, struct str name, struct str value,
                  const struct cookie_options *options);

#endif

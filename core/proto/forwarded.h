/* forwarded: what proxies say of the request that they pass on: Forwarded (RFC 7239), or the
 * X-Forwarded-* that most of them send. */
#ifndef PROTO_FORWARDED_H
#define PROTO_FORWARDED_H

#include "proto/cidr.h"

/* Whom to believe. */
struct trust {
    struct cidr *ranges;
    size_t count;
    bool standard; /* Forwarded is read; else X-Forwarded-* */
};

/* The values of the fields, those of repeated ones joined by commas; ptr NULL: the request has
 * none. */
struct forwarded_fields {
    struct str forwarded;
    struct str x_for, x_proto, x_host;
};

struct forwarded {
    struct ip client;                /* `peer` when nobody who is trusted says otherwise */
    enum { VIA_HTTP, VIA_HTTPS } by; /* how the outermost trusted proxy was asked */
    struct str host;                 /* what it was asked for; ptr NULL: nobody says */
};

bool trust_has(const struct trust *trust, const struct ip *ip);
/* Goes back from `peer`, the other end of the connection, as long as those it meets are trusted. */
void forwarded_resolve(const struct trust *trust, const struct ip *peer,
                       const struct forwarded_fields *fields, struct forwarded *out);

#endif

/* cidr: IP addresses as text, and ranges of them. */
#ifndef PROTO_CIDR_H
#define PROTO_CIDR_H

#include "base/str.h"

struct ip {
    uint8_t bytes[16]; /* an IPv4 address in the first four */
    bool v6;
};

struct cidr {
    struct ip ip;
    uint8_t bits; /* of the prefix that its addresses share */
};

/* "192.0.2.1" or "2001:db8::1", without brackets, port or zone. An IPv4 address in its IPv6 form
 * (::ffff:192.0.2.1) is the IPv4 one. 0 or -1. */
int ip_parse(struct str text, struct ip *out);
/* "10.0.0.0/8", "fd00::/8", or one address. 0; -1: malformed, or bits beyond the prefix are set. */
int cidr_parse(struct str text, struct cidr *out);
bool cidr_has(const struct cidr *cidr, const struct ip *ip);

#endif

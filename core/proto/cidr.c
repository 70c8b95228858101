/* cidr: IP addresses as text, and ranges of them (RFC 4632, RFC 4291 section 2.2).
 *
 *     "10.0.0.0/8" -> {10.0.0.0, 8} -> has 10.1.2.3?
 *
 * A range whose host bits are set ("10.0.0.1/8") is refused: it is a typing error more often than
 * not, and such lists decide who is trusted. Pure: knows no sockets. */
#include "proto/cidr.h"

#include <arpa/inet.h>
#include <string.h>

int ip_parse(struct str text, struct ip *out) {
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
        return -1;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    *out = (struct ip){.v6 = strchr(copy, ':') != NULL};
    if (inet_pton(out->v6 ? AF_INET6 : AF_INET, copy, out->bytes) != 1)
        return -1;
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* RFC 4291 section 2.5.5.2 */
    if (out->v6 && memcmp(out->bytes, mapped, sizeof mapped) == 0) {
        memmove(out->bytes, out->bytes + sizeof mapped, 4);
        memset(out->bytes + 4, 0, sizeof mapped);
        out->v6 = false;
    }
    return 0;
}

/* Whether the first `bits` of both are the same. */
static bool shares(const uint8_t *a, const uint8_t *b, unsigned bits) {
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool has_host_bits(const struct cidr *cidr, unsigned most) {
    for (unsigned i = cidr->bits; i < most; i++)
        if (cidr->ip.bytes[i / 8] & 0x80 >> i % 8)
            return true;
    return false;
}

int cidr_parse(struct str text, struct cidr *out) {
    struct str bits = text;
    struct str address = str_cut(&bits, '/');
    bool mapped = address.len > 0 && memchr(address.ptr, ':', address.len);
    if (ip_parse(address, &out->ip) < 0)
        return -1;
    mapped = mapped && !out->ip.v6;
    uint64_t most = out->ip.v6 ? 128 : 32, n = most;
    if (bits.ptr && (mapped || str_to_u64(bits, &n) < 0 || n > most))
        return -1;
    out->bits = (uint8_t)n;
    return has_host_bits(out, (unsigned)most) ? -1 : 0;
}

bool cidr_has(const struct cidr *cidr, const struct ip *ip) {
    return cidr->ip.v6 == ip->v6 && shares(cidr->ip.bytes, ip->bytes, cidr->bits);
}

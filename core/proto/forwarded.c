/* forwarded: what proxies say of the request that they pass on.
 *
 *     X-Forwarded-For: 192.0.2.7, 203.0.113.9, 10.0.0.2        the connection comes from 10.0.0.1
 *                      anything   the client   <- a proxy of ours <- another one
 *
 * Each proxy appends whom it was asked by, so the last element is the word of the peer, and the one
 * before that of whoever the last names. One goes back from the right as long as who speaks is
 * trusted; the first who is not is the client, and what it wrote itself does not count. What is
 * malformed ends the walk there: it is nobody's address, so nobody further left can be trusted.
 *
 * Only one family of fields is read, since a proxy that writes one passes on whatever a client sent
 * of the other. X-Forwarded-Proto and -Host are lists too, or, from proxies that replace them, one
 * element: that of the nearest proxy, which then holds all the way.
 *
 * Elements are cut off from the right, quotes being heeded from there, so that an open quote that a
 * client wrote cannot swallow what a proxy appended. Pure: borrows from the input. */
#include "proto/forwarded.h"

#include "proto/header.h"

#include <string.h>

bool trust_has(const struct trust *trust, const struct ip *ip) {
    for (size_t i = 0; i < trust->count; i++)
        if (cidr_has(&trust->ranges[i], ip))
            return true;
    return false;
}

/* How many backslashes stand before `at`. */
static size_t backslashes(struct str s, size_t at) {
    size_t n = 0;
    while (n < at && s.ptr[at - n - 1] == '\\')
        n++;
    return n;
}

/* Where the last `sep` outside of quotes stands; s.len: nowhere. */
static size_t last_outside_quotes(struct str s, char sep) {
    bool quoted = false;
    for (size_t i = s.len; i-- > 0;) {
        if (s.ptr[i] == '"' && (!quoted || backslashes(s, i) % 2 == 0))
            quoted = !quoted;
        else if (s.ptr[i] == sep && !quoted)
            return i;
    }
    return s.len;
}

/* Cuts the last element off a list, trimmed; it may be empty. False: there is none left. */
static bool cut_last(struct str *list, char sep, struct str *last) {
    if (list->ptr == NULL)
        return false;
    size_t at = last_outside_quotes(*list, sep);
    if (at == list->len) {
        *last = str_trim(*list);
        list->ptr = NULL;
        return true;
    }
    *last = str_trim((struct str){list->ptr + at + 1, list->len - at - 1});
    list->len = at;
    return true;
}

/* The same without the empty ones (RFC 9110 section 5.6.1). */
static bool cut_last_element(struct str *list, struct str *last) {
    while (cut_last(list, ',', last))
        if (last->len > 0)
            return true;
    return false;
}

/* --- an element --- */

struct hop { /* ptr NULL: it does not say */
    struct str node, proto, host;
};

/* A token or a quoted-string without escapes: no address, scheme or host needs one. */
static int unquote(struct str *value) {
    if (value->len == 0 || value->ptr[0] != '"')
        return header_is_token(*value) ? 0 : -1;
    if (value->len < 2 || value->ptr[value->len - 1] != '"')
        return -1;
    *value = (struct str){value->ptr + 1, value->len - 2};
    return memchr(value->ptr, '"', value->len) || memchr(value->ptr, '\\', value->len) ? -1 : 0;
}

/* forwarded-pair = token "=" value (RFC 7239 section 4); each name at most once. */
static int take_pair(struct str pair, struct hop *hop) {
    struct str value = pair;
    struct str name = str_cut(&value, '=');
    if (value.ptr == NULL || !header_is_token(name) || unquote(&value) < 0)
        return -1;
    struct str *slot = str_ieq(name, STR("for"))     ? &hop->node
                       : str_ieq(name, STR("proto")) ? &hop->proto
                       : str_ieq(name, STR("host"))  ? &hop->host
                                                     : NULL;
    if (slot && slot->ptr)
        return -1;
    if (slot)
        *slot = value;
    return 0;
}

static int parse_hop(struct str element, struct hop *hop) {
    struct str pair; /* it may be empty */
    *hop = (struct hop){{NULL, 0}, {NULL, 0}, {NULL, 0}};
    while (cut_last(&element, ';', &pair))
        if (pair.len > 0 && take_pair(pair, hop) < 0)
            return -1;
    return 0;
}

/* The element further left; false: there is none, or it is malformed. */
static bool next_hop(const struct trust *trust, struct forwarded_fields *rest, struct hop *hop) {
    if (trust->standard) {
        struct str element;
        return cut_last_element(&rest->forwarded, &element) && parse_hop(element, hop) == 0;
    }
    *hop = (struct hop){{NULL, 0}, {NULL, 0}, {NULL, 0}};
    bool any = cut_last_element(&rest->x_for, &hop->node);
    any = cut_last_element(&rest->x_proto, &hop->proto) || any;
    return cut_last_element(&rest->x_host, &hop->host) || any;
}

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "[2001:db8::1]:80" (RFC 7239 section 6), and
 * "2001:db8::1", which X-Forwarded-For has. Not "unknown", nor a name of the proxy's own ("_x"). */
static int parse_node(struct str node, struct ip *out) {
    if (node.len == 0)
        return -1;
    const char *colon = memchr(node.ptr, ':', node.len);
    struct str address = node, port = {NULL, 0};
    if (node.ptr[0] == '[') {
        address = (struct str){node.ptr + 1, node.len - 1};
        port = address;
        address = str_cut(&port, ']');
        if (port.ptr == NULL || (port.len > 0 && port.ptr[0] != ':') ||
            !memchr(address.ptr, ':', address.len))
            return -1;
        port = port.len > 0 ? (struct str){port.ptr + 1, port.len - 1} : (struct str){NULL, 0};
    } else if (colon && memrchr(node.ptr, ':', node.len) == colon) {
        port = node;
        address = str_cut(&port, ':');
    }
    uint64_t number;
    if (port.ptr && (str_to_u64(port, &number) < 0 || number > UINT16_MAX))
        return -1;
    return ip_parse(address, out);
}

static void believe(const struct hop *hop, struct forwarded *out) {
    if (str_ieq(hop->proto, STR("https")))
        out->by = VIA_HTTPS;
    else if (str_ieq(hop->proto, STR("http")))
        out->by = VIA_HTTP;
    if (hop->host.len > 0 && header_is_host(hop->host))
        out->host = hop->host;
}

void forwarded_resolve(const struct trust *trust, const struct ip *peer,
                       const struct forwarded_fields *fields, struct forwarded *out) {
    struct forwarded_fields rest = *fields;
    struct hop hop;
    *out = (struct forwarded){.client = *peer};
    while (trust_has(trust, &out->client) && next_hop(trust, &rest, &hop)) {
        struct ip node;
        believe(&hop, out);
        if (parse_node(hop.node, &node) < 0)
            break;
        out->client = node;
    }
}

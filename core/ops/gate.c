/* gate: who may ask the admin endpoint.
 *
 *     a token is set --> whoever has it
 *     none           --> whoever can connect, which is this machine, and no page of a browser here
 *
 * A page from anywhere can have the browser of an operator ask 127.0.0.1, and a name that its owner
 * points there once it is loaded (DNS rebinding) makes the answer readable to it. What gives both
 * away is what browsers say by themselves: Host, which then is that name and never an address;
 * Origin and Sec-Fetch-Site, which tell that another site asks. With a token Host may be any name,
 * as no such page has the token. */
#include "ops/gate.h"

#include "auth/digest.h"
#include "net/file.h"
#include "proto/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

/* --- the token --- */

/* As header fields take it. */
static bool is_token(struct str text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return text.len >= GATE_TOKEN_MIN && text.len < GATE_TOKEN_MAX;
}

int gate_read_token(struct gate *gate, const char *path, char why[GATE_WHY_BYTES]) {
    struct buf text = {0};
    int rc = file_read_all(path, 2 * GATE_TOKEN_MAX, &text);
    struct str rest = buf_str(&text), line = str_cut(&rest, '\n');
    bool valid = rc == 0 && rest.len == 0 && is_token(line);
    if (valid)
        memcpy(gate->token, line.ptr, line.len);
    else if (rc < 0)
        snprintf(why, GATE_WHY_BYTES, "%s: %s", path, file_why(rc));
    else
        snprintf(why, GATE_WHY_BYTES,
                 "%s: expected one line of %d to %d printable characters without spaces, such as "
                 "`openssl rand -hex 32` makes",
                 path, GATE_TOKEN_MIN, GATE_TOKEN_MAX - 1);
    if (text.len > 0)
        explicit_bzero(text.data, text.len);
    buf_fini(&text);
    return valid ? 0 : -1;
}

static bool has_token(const struct gate *gate, const struct request *request) {
    struct str rest = request_header(request, STR("authorization"));
    return str_ieq(str_cut(&rest, ' '), STR("bearer")) &&
           digest_equal(str_trim(rest), str_of(gate->token));
}

/* --- where it is asked from --- */

bool gate_is_loopback(int fd) {
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
        return false;
    if (bound.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&bound)->sin6_addr);
    return ntohl(((struct sockaddr_in *)&bound)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* "127.0.0.1:9090" and "[::1]:9090" without the port, nor brackets. */
static struct str without_port(struct str host) {
    if (host.len > 0 && host.ptr[0] == '[') {
        host.ptr++;
        host.len--;
        return str_cut(&host, ']');
    }
    return str_cut(&host, ':');
}

static bool is_own_name(const struct gate *gate, struct str authority) {
    struct str host = without_port(authority);
    struct ip ip;
    return ip_parse(host, &ip) == 0 || str_ieq(host, STR("localhost")) ||
           str_ieq(host, str_of(gate->host));
}

/* "http://HOST", of that very host. */
static bool is_own_origin(struct str origin, struct str authority) {
    struct str scheme = STR("http://");
    if (!str_starts(origin, scheme))
        scheme = STR("https://");
    if (!str_starts(origin, scheme))
        return false;
    struct str there = {origin.ptr + scheme.len, origin.len - scheme.len};
    return str_ieq(there, authority);
}

static bool is_own_site(struct str site) {
    return str_eq(site, STR("same-origin")) || str_eq(site, STR("none"));
}

/* One such field is enough, whatever others say. */
static bool is_from_elsewhere(const struct request *request) {
    for (size_t i = 0; i < request->nfields; i++) {
        struct str name = request_field_name(request, i), value = request_field_value(request, i);
        if (str_eq(name, STR("origin")) && !is_own_origin(value, request_host(request)))
            return true;
        if (str_eq(name, STR("sec-fetch-site")) && !is_own_site(value))
            return true;
    }
    return false;
}

int gate_judge(const struct gate *gate, const struct stream *stream, const char **why) {
    const struct request *request = stream->request;
    if (gate->token[0] != '\0' && !has_token(gate, request)) {
        *why = "send the token of --admin-token as Authorization: Bearer TOKEN";
        return 401;
    }
    if (gate->token[0] == '\0' && !is_own_name(gate, request_host(request))) {
        *why = "ask by an IP address or as localhost; other names in Host need --admin-token";
        return 403;
    }
    if (is_from_elsewhere(request)) {
        *why = "a page of another site asks; open this address itself";
        return 403;
    }
    return 0;
}

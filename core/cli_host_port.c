/* cli_host_port: an address as the command line has it.
 *
 * A name or an IPv4 address and a port with ':' between them; an IPv6 address, which has colons of
 * its own, stands in brackets (RFC 3986 section 3.2.2). Without a port it is none. */
#include "cli_host_port.h"

#include "cli.h"
#include "net/listener.h"

int host_port_parse(const char *text, struct host_port *out) {
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL || str_to_u64(str_of(colon + 1), &port) < 0 || port > 65535)
        return -1;
    struct str host = {text, (size_t)(colon - text)};
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = (struct str){host.ptr + 1, host.len - 2};
    else if (memchr(host.ptr, ':', host.len))
        return -1;
    if (host.len == 0 || host.len >= sizeof out->host)
        return -1;
    memcpy(out->host, host.ptr, host.len);
    out->host[host.len] = '\0';
    out->port = (uint16_t)port;
    return 0;
}

void host_port_add_url(struct buf *out, const struct host_port *address) {
    bool v6 = strchr(address->host, ':') != NULL;
    buf_printf(out, "http://%s%s%s:%u", v6 ? "[" : "", address->host, v6 ? "]" : "", address->port);
}

int host_port_refuse(const struct host_port *address, const char *option, int error) {
    bool used = error == UV_EADDRINUSE;
    return cli_fail(
        "cannot listen on %s:%u: %s%s%s", address->host, address->port, uv_strerror(error),
        used ? "; stop what listens there, or choose another with " : "", used ? option : "");
}

/* cli_host_port: an address as the command line has it. */
#ifndef CLI_HOST_PORT_H
#define CLI_HOST_PORT_H

#include "base/buf.h"

struct host_port {
    char host[256]; /* a name or an address, without brackets */
    uint16_t port;
};

/* "HOST:PORT", "[IPV6]:PORT". 0 or -1. */
int host_port_parse(const char *text, struct host_port *out);
/* Appends "http://127.0.0.1:8080". */
void host_port_add_url(struct buf *out, const struct host_port *address);
/* Tells that nobody can listen there, for a libuv error, and what to do; `option` is the one that
 * named it. Returns the exit code. */
int host_port_refuse(const struct host_port *address, const char *option, int error);

#endif

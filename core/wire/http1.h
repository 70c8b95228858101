/* http1: HTTP/1.0 and 1.1 on one connection (RFC 9112). */
#ifndef WIRE_HTTP1_H
#define WIRE_HTTP1_H

#include "http/protocol.h"

extern const struct protocol http1;

#endif

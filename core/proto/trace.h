/* trace: what tells a request from others on its way through several servers. */
#ifndef PROTO_TRACE_H
#define PROTO_TRACE_H

#include "base/str.h"

#define TRACE_REQUEST_ID_MAX 128

/* Whether that is a request id to go on with: 1 to TRACE_REQUEST_ID_MAX letters, digits and
 * "-._~:+/=@", so that it can stand in any log, URL or shell as it is. */
bool trace_is_request_id(struct str value);
/* Whether that is a traceparent (W3C Trace Context, section 3.2). */
bool trace_is_parent(struct str value);
/* The trace id of one: 32 hexadecimal digits, borrowed from it. */
struct str trace_id(struct str parent);

#endif

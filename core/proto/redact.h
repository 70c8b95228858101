/* redact: URLs as a log may show them: without the token that some carry. */
#ifndef PROTO_REDACT_H
#define PROTO_REDACT_H

#include "base/buf.h"

/* `url`, or a copy of it in `scratch` (a buf, or zeroes; the caller frees it) in which the values
 * of all parameters named access_token or ticket are three stars. Borrowed from either. */
struct str redact_url(struct str url, struct buf *scratch);

#endif

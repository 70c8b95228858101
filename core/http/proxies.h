/* proxies: who asks, and for what, when trusted proxies stand between. */
#ifndef HTTP_PROXIES_H
#define HTTP_PROXIES_H

#include "http/stream.h"
#include "proto/forwarded.h"

/* Notes on the stream who its client is and whether it came over TLS, if its peer is trusted. */
void proxies_see(const struct trust *trust, struct stream *stream);
/* The host that the client asked for. Borrowed from the request or from `scratch` (a buf, or
 * zeroes; the caller frees it). */
struct str proxies_host(const struct trust *trust, const struct stream *stream,
                        struct buf *scratch);

#endif

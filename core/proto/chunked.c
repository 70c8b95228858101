/* chunked: the lines that frame a chunk (RFC 9112 section 7.1).
 *
 *     chunk      = chunk-size [ chunk-ext ] CRLF chunk-data CRLF
 *     chunk-size = 1*HEXDIG
 *
 * A chunk is sent as three pieces, "<hex>CRLF", the bytes, "CRLF", so that the bytes need not be
 * copied; this file makes the first. The other two are constants, and so is the end of the body,
 * CHUNK_LAST: the last chunk followed by an empty trailer section. It owns nothing and does not
 * know what the bytes are or when they leave.
 *
 * snprintf would do, at ten times the cost, and this runs for each event of each stream that writes
 * by itself. */
#include "proto/chunked.h"

size_t chunk_head(char out[CHUNK_HEAD_MAX], size_t n) {
    static const char hex[16] = "0123456789abcdef";
    size_t digits = 1;

    for (size_t rest = n >> 4; rest > 0; rest >>= 4)
        digits++;
    for (size_t i = digits; i-- > 0; n >>= 4)
        out[i] = hex[n & 15];
    out[digits] = '\r';
    out[digits + 1] = '\n';
    return digits + 2;
}

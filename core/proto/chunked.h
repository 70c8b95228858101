/* chunked: the sending half of the chunked transfer coding (RFC 9112 section 7.1). The receiving
 * half is llhttp's. */
#ifndef PROTO_CHUNKED_H
#define PROTO_CHUNKED_H

#include <stddef.h>

#define CHUNK_HEAD_MAX 18 /* 16 hex digits, CR, LF */
#define CHUNK_LAST "0\r\n\r\n"

/* Writes the line that opens a chunk of `n` bytes (n > 0: a chunk of 0 would end the body). Returns
 * its length. After the bytes themselves CRLF is due. */
size_t chunk_head(char out[CHUNK_HEAD_MAX], size_t n);

#endif

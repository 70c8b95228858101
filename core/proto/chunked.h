/* chunked: the chunked transfer coding (RFC 9112 section 7.1). */
#ifndef PROTO_CHUNKED_H
#define PROTO_CHUNKED_H

#include "base/str.h"

#define CHUNK_HEAD_MAX 18 /* 16 hex digits, CR, LF */
#define CHUNK_LAST "0\r\n\r\n"

/* Writes the line that opens a chunk of `n` bytes (n > 0: a chunk of 0 would end the body). Returns
 * its length. After the bytes themselves CRLF is due. */
size_t chunk_head(char out[CHUNK_HEAD_MAX], size_t n);

#define CHUNK_EBAD (-10031)   /* not the chunked coding */
#define CHUNK_ELIMIT (-10032) /* extensions and trailer fields are longer than the limit */

struct chunk_decoder { /* all zeroes but for `limit`: at the start of a body */
    uint64_t left;     /* of the chunk */
    uint32_t
        limit; /* bytes that extensions and trailer fields, which are dropped, may have in all */
    uint32_t dropped;
    uint8_t state;
    uint8_t digits;
};

/* Decodes from the front of `*in`, which moves on. A run of data goes to `*data`, borrowed from the
 * input; it is empty when the input is used up first. 0; 1 when the body has ended (what is left of
 * `*in` is not its); CHUNK_EBAD, CHUNK_ELIMIT. Strict: CRLF only, at most 16 digits, nothing
 * between size and CRLF but an extension. */
int chunk_decode(struct chunk_decoder *decoder, struct str *in, struct str *data);

#endif

/* base64url: bytes as URL-safe text without padding (RFC 4648 section 5, RFC 7515 section 2). */
#ifndef AUTH_BASE64URL_H
#define AUTH_BASE64URL_H

#include "base/buf.h"

/* Most bytes that `n` characters stand for, and most characters for `n` bytes. */
#define BASE64URL_BYTES(n) ((n) / 4 * 3 + 2)
#define BASE64URL_CHARS(n) ((n) / 3 * 4 + 4)

/* Decodes all of `text` to `out`, which has room for BASE64URL_BYTES(text.len). How many bytes, or
 * -1: a character that is not of the alphabet ('=', '+', '/', white space), a length that none has,
 * or bits set in the last character that stand for nothing. */
int base64url_decode(struct str text, unsigned char *out);
/* The same, appended; 0, or -1 with `out` unchanged. */
int base64url_decode_to(struct buf *out, struct str text);
void base64url_encode(struct buf *out, struct str bytes);
/* The same, to memory with room for BASE64URL_CHARS(bytes.len). How many characters. */
size_t base64url_write(char *out, struct str bytes);

#endif

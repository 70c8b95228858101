/* base64url: bytes as URL-safe text without padding (RFC 4648 section 5, RFC 7515 section 2).
 *
 *     4 characters = 24 bits = 3 bytes;  2 at the end = 1 byte and 4 bits of zero,
 *                                        3 at the end = 2 bytes and 2 bits of zero
 *
 * Decoding is strict, so that each run of bytes has exactly one text: a token with a changed last
 * character is another token, even if lenient decoders see no difference. Whoever keeps a list
 * of tokens by their text relies on that. Pure, and not in constant time: what is decoded is sent
 * by peers, or read once from a file of keys. */
#include "auth/base64url.h"

#include <limits.h>

#define NONE 0xFF

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#define X NONE
#define X8 X, X, X, X, X, X, X, X
#define X16 X8, X8
/* The value of each byte; all that are in the alphabet are below 64, so the values of four
 * characters or-ed together say whether one was not. */
static const unsigned char value_of[256] = {
    X16, X16, X8, X,  X,  X,  X,  X,  62, X,  X,  52,  53,  54,  55,  56,  57,  58,  59, 60,
    61,  X,   X,  X,  X,  X,  X,  X,  0,  1,  2,  3,   4,   5,   6,   7,   8,   9,   10, 11,
    12,  13,  14, 15, 16, 17, 18, 19, 20, 21, 22, 23,  24,  25,  X,   X,   X,   X,   63, X,
    26,  27,  28, 29, 30, 31, 32, 33, 34, 35, 36, 37,  38,  39,  40,  41,  42,  43,  44, 45,
    46,  47,  48, 49, 50, 51, X,  X,  X,  X,  X,  X16, X16, X16, X16, X16, X16, X16, X16};
#undef X
#undef X8
#undef X16

/* The last 0, 2 or 3 characters. How many bytes, or -1. */
static int decode_tail(const unsigned char *in, size_t n, unsigned char *out) {
    if (n == 0)
        return 0;
    if (n == 1)
        return -1;
    unsigned a = value_of[in[0]], b = value_of[in[1]], c = n == 3 ? value_of[in[2]] : 0;
    if ((a | b | c) > 63 || (n == 2 ? b & 15 : c & 3) != 0)
        return -1;
    out[0] = (unsigned char)(a << 2 | b >> 4);
    if (n == 3)
        out[1] = (unsigned char)(b << 4 | c >> 2);
    return (int)n - 1;
}

int base64url_decode(struct str text, unsigned char *out) {
    const unsigned char *in = (const unsigned char *)text.ptr;
    unsigned char *start = out;
    if (text.len > INT_MAX)
        return -1;
    for (size_t left = text.len; left >= 4; left -= 4, in += 4, out += 3) {
        unsigned a = value_of[in[0]], b = value_of[in[1]], c = value_of[in[2]], d = value_of[in[3]];
        if ((a | b | c | d) > 63)
            return -1;
        out[0] = (unsigned char)(a << 2 | b >> 4);
        out[1] = (unsigned char)(b << 4 | c >> 2);
        out[2] = (unsigned char)(c << 6 | d);
    }
    int rest = decode_tail(in, text.len % 4, out);
    return rest < 0 ? -1 : (int)(out - start) + rest;
}

int base64url_decode_to(struct buf *out, struct str text) {
    char *room = buf_reserve(out, BASE64URL_BYTES(text.len));
    int n = base64url_decode(text, (unsigned char *)room);
    if (n < 0)
        return -1;
    out->len += (size_t)n;
    return 0;
}

size_t base64url_write(char *out, struct str bytes) {
    char *at = out;
    const unsigned char *in = (const unsigned char *)bytes.ptr;
    size_t left = bytes.len;
    for (; left >= 3; left -= 3, in += 3) {
        *at++ = alphabet[in[0] >> 2];
        *at++ = alphabet[(in[0] << 4 | in[1] >> 4) & 63];
        *at++ = alphabet[(in[1] << 2 | in[2] >> 6) & 63];
        *at++ = alphabet[in[2] & 63];
    }
    if (left > 0) {
        unsigned second = left == 2 ? in[1] : 0;
        *at++ = alphabet[in[0] >> 2];
        *at++ = alphabet[((unsigned)in[0] << 4 | second >> 4) & 63];
        if (left == 2)
            *at++ = alphabet[second << 2 & 63];
    }
    return (size_t)(at - out);
}

void base64url_encode(struct buf *out, struct str bytes) {
    out->len += base64url_write(buf_reserve(out, BASE64URL_CHARS(bytes.len)), bytes);
}

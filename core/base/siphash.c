/* siphash: SipHash-1-3 (Aumasson and Bernstein, 2012), one round for each eight bytes and three at
 * the end.
 *
 * Hash tables here hold keys that clients choose. With a hash that can be computed from outside,
 * one client could choose thousands of keys that all fall into one chain; with this one and a
 * secret key it cannot. The short variant is not for signing anything, but it is what tables want:
 * a key of a topic's length takes about 15 ns.
 *
 * It holds no state and knows nothing of who asks. */
#include "base/siphash.h"

#include <string.h>

/* Or the state leaves the registers, which takes three times as long. */
#define INLINE static inline __attribute__((always_inline))

static uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

INLINE void mix(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* Up to eight bytes, the first one lowest; the machine's byte order must not show. */
INLINE uint64_t load(const char *ptr, size_t n) {
    uint64_t word = 0;
    if (n > 0)
        memcpy(&word, ptr, n);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

INLINE void absorb(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
}

uint64_t siphash13(const uint64_t key[2], struct str bytes) {
    /* "somepseudorandomlygeneratedbytes" */
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    size_t whole = bytes.len & ~(size_t)7;
    for (size_t at = 0; at < whole; at += 8)
        absorb(v, load(bytes.ptr + at, 8));
    /* the null pointer of an empty str is not to be added to */
    const char *rest = whole > 0 ? bytes.ptr + whole : bytes.ptr;
    absorb(v, load(rest, bytes.len - whole) | (uint64_t)bytes.len << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

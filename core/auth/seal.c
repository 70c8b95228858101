/* seal: a text that only who has the key can read, or make.
 *
 *     text --seal_close--> nonce (12) | ciphertext | tag (16) --seal_open--> text
 *
 * What a server gives away to get it back, in a cookie say, without keeping anything itself. AES in
 * Galois/counter mode with keys of 256 bits (NIST SP 800-38D); the primitive is GnuTLS's. A nonce
 * must never come twice under one key; random ones of 96 bits are good for 2^32 texts, which is a
 * text each second for more than a hundred years.
 *
 * The context is authenticated and not sent: it says what the text is for, so that it cannot be
 * used for something else. Pure but for the nonce; knows no cookies and no Lua. */
#include "auth/seal.h"

#include "base/fault.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <limits.h>

#define NONCE 12
#define TAG 16

_Static_assert(SEAL_EXTRA == NONCE + TAG, "what a sealed text is longer");

/* 0, or -1. */
static int cipher_open(struct str key, gnutls_aead_cipher_hd_t *cipher) {
    gnutls_datum_t datum = {(unsigned char *)key.ptr, SEAL_KEY};
    if (key.len != SEAL_KEY || fault("auth_seal") < 0)
        return -1;
    return gnutls_aead_cipher_init(cipher, GNUTLS_CIPHER_AES_256_GCM, &datum) < 0 ? -1 : 0;
}

int seal_close(struct str key, struct str context, struct str text, char *out) {
    gnutls_aead_cipher_hd_t cipher;
    size_t len = text.len + TAG;
    if (gnutls_rnd(GNUTLS_RND_RANDOM, out, NONCE) < 0 || cipher_open(key, &cipher) < 0)
        return -1;
    int rc = gnutls_aead_cipher_encrypt(cipher, out, NONCE, context.ptr, context.len, TAG, text.ptr,
                                        text.len, out + NONCE, &len);
    gnutls_aead_cipher_deinit(cipher);
    return rc < 0 ? -1 : 0;
}

int seal_open(struct str key, struct str context, struct str sealed, char *out) {
    gnutls_aead_cipher_hd_t cipher;
    size_t len = sealed.len;
    if (sealed.len < SEAL_EXTRA || sealed.len > INT_MAX || cipher_open(key, &cipher) < 0)
        return -1;
    int rc = gnutls_aead_cipher_decrypt(cipher, sealed.ptr, NONCE, context.ptr, context.len, TAG,
                                        sealed.ptr + NONCE, sealed.len - NONCE, out, &len);
    gnutls_aead_cipher_deinit(cipher);
    return rc < 0 ? -1 : (int)len;
}

/* key: one key with the one algorithm that it is for. */
#ifndef AUTH_KEY_H
#define AUTH_KEY_H

#include "auth/alg.h"
#include "auth/reason.h"
#include "base/buf.h"

#define KEY_EBAD (-10311)       /* cannot be used: the reason says why and what to do */
#define KEY_ESIGNATURE (-10312) /* the signature is not this key's */

#define KEY_RSA_BITS_LEAST 2048 /* RFC 7518 section 3.3 */
#define KEY_RSA_BITS_MOST 16384 /* beyond, one token costs tens of milliseconds */

struct key;

/* --- making: NULL when it cannot be used, with the reason; nothing is borrowed afterwards --- */

/* Of one byte or more; see key_secret_is_short. */
struct key *key_from_secret(const struct alg *alg, struct str secret, struct reason *why);
/* Whether it has fewer bytes than the algorithm's hash, as RFC 7518 section 3.2 forbids: such a
 * secret can be found by trying. `advice` says so. People's secrets are let through with that as a
 * warning, since they chose them; those of key sets, which programs make, are not. */
bool key_secret_is_short(const struct alg *alg, size_t bytes, struct reason *advice);
/* The first of the text's PEM blocks: a public key ("PUBLIC KEY"), a certificate, whose key counts
 * and nothing else of it, or a private key that is not encrypted, which can sign as well. */
struct key *key_from_pem(const struct alg *alg, struct str pem, struct reason *why);
/* Public ones from big-endian numbers. */
struct key *key_from_rsa(const struct alg *alg, struct str modulus, struct str exponent,
                         struct reason *why);
struct key *key_from_ec(const struct alg *alg, struct str x, struct str y, struct reason *why);
struct key *key_from_okp(const struct alg *alg, struct str x, struct reason *why);
void key_free(struct key *key); /* NULL is allowed */

/* --- using: from any thread, several at once --- */

const struct alg *key_alg(const struct key *key);
bool key_can_sign(const struct key *key);
/* 0, KEY_ESIGNATURE with the reason. */
int key_verify(const struct key *key, struct str data, struct str signature, struct reason *why);
/* Appends the signature. 0, or KEY_EBAD with the reason and `out` unchanged. */
int key_sign(const struct key *key, struct str data, struct buf *out, struct reason *why);

#endif

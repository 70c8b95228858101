/* jws: a JSON Web Signature in its compact form (RFC 7515 section 7.1). */
#ifndef AUTH_JWS_H
#define AUTH_JWS_H

#include "auth/key.h"

#define JWS_MAX (64 * 1024) /* bytes of a token at most, whatever the limit `token_bytes` says */
#define JWS_EBAD (-10331)

struct jws {
    struct str header, payload, signature; /* base64url, not empty */
    struct str signing_input;              /* header "." payload */
};

/* Takes a token apart, borrowing from it. 0, or JWS_EBAD with the reason. */
int jws_split(struct str token, struct jws *out, struct reason *why);

#define JWS_KID_MAX 255

struct jws_header {
    const struct alg *alg;
    bool has_kid;
    unsigned char kid_len;
    char kid[JWS_KID_MAX];
};

/* What the header says. Ignored: jwk, jku, x5u, x5c, which a forger would choose, typ, and what it
 * does not know; refused: crit, an algorithm it does not know. 0, or JWS_EBAD with the reason. */
int jws_header_parse(struct str header, struct jws_header *out, struct reason *why);
/* Whether the signature is that of `key`. 0, or KEY_ESIGNATURE or JWS_EBAD with the reason. */
int jws_verify(const struct jws *jws, const struct key *key, struct reason *why);

/* Appends the compact form of `payload`, with "kid" in the header unless that is empty. 0, or
 * KEY_EBAD with the reason and `out` unchanged. */
int jws_sign(const struct key *key, struct str kid, struct str payload, struct buf *out,
             struct reason *why);

#endif

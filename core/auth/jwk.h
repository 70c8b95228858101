/* jwk: a key as JSON (RFC 7517, RFC 7518 section 6, RFC 8037 section 2). */
#ifndef AUTH_JWK_H
#define AUTH_JWK_H

#include "auth/key.h"

#include <jansson.h>

/* The key for verifying that the object describes: kty oct, RSA, EC or OKP; of a private one the
 * public half. Its algorithm is what "alg" names, else `only`, else what its curve says. `only`,
 * unless it is NULL, is the one algorithm it may have. NULL with the reason when it cannot be used.
 */
struct key *jwk_parse(const json_t *object, const struct alg *only, struct reason *why);

#endif

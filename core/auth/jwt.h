/* jwt: JSON Web Tokens (RFC 7519, RFC 8725): a policy says which are right, a key signs new ones.
 */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include "auth/claims.h"
#include "auth/jws.h"
#include "auth/key_source.h"

#define JWT_EINVALID CLAIMS_EINVALID     /* for any other reason, the signature too */
#define JWT_EEXPIRED CLAIMS_EEXPIRED     /* valid but for its end */
#define JWT_EFORBIDDEN CLAIMS_EFORBIDDEN /* valid, and lacks what is required */

struct jwt_policy; /* used by one thread at a time */

/* Each takes the keys and the rules, and leaves `rules` empty. */
struct jwt_policy *jwt_policy_of_key(struct key *key, struct claims_rules *rules);
struct jwt_policy *jwt_policy_of_source(struct key_source *source, struct claims_rules *rules);
void jwt_policy_free(struct jwt_policy *policy); /* NULL is allowed */

/* Whether the token is right now. 0 with the claims, an object (json_decref it); or one of the
 * errors above with the reason, for the log and not for the peer. */
int jwt_verify(struct jwt_policy *policy, struct str token, json_t **claims, struct reason *why);

/* Appends a token with these claims, the text of a JSON object. 0, or KEY_EBAD or STRICT_JSON_EBAD
 * with the reason and `out` unchanged. `kid` may be empty. */
int jwt_sign(const struct key *key, struct str kid, struct str claims, struct buf *out,
             struct reason *why);

#endif

/* jwks: a set of keys (RFC 7517 section 5), found by kid and algorithm. */
#ifndef AUTH_JWKS_H
#define AUTH_JWKS_H

#include "auth/key.h"

#define JWKS_EBAD (-10351)

struct jwks; /* never changes; shared by reference from any thread */

/* Gets, for each key that is left out, its place from 1, its kid (may be empty) and why. */
typedef void jwks_skipped(void *arg, size_t place, struct str kid, const char *why);

/* The usable keys of a JWK Set's text. `only`, unless it is NULL, is the algorithm of keys that
 * name none, and keys that name another are left out. 0 with one reference, or JWKS_EBAD with the
 * reason when there is no key that can be used; `skipped` has been told all the same. */
int jwks_parse(struct str text, const struct alg *only, jwks_skipped *skipped, void *arg,
               struct jwks **out, struct reason *why);
/* The set of one key, which it takes, with one reference. It answers to any kid. */
struct jwks *jwks_of_key(struct key *key);
struct jwks *jwks_ref(struct jwks *jwks);
void jwks_unref(struct jwks *jwks); /* NULL is allowed */

size_t jwks_count(const struct jwks *jwks);
/* The key for `alg` with that kid; without a kid (NULL ptr) the one key for `alg`, if there is only
 * one. NULL: none, with the reason; `*unknown` says that nothing in the set has the kid. */
const struct key *jwks_find(const struct jwks *jwks, const struct alg *alg, struct str kid,
                            bool *unknown, struct reason *why);

#endif

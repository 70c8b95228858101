/* alg: the algorithms of JSON Web Signature (RFC 7518 section 3.1, RFC 8037 section 3.1). */
#ifndef AUTH_ALG_H
#define AUTH_ALG_H

#include "base/str.h"

enum alg_family { FAMILY_HMAC, FAMILY_RSA, FAMILY_EC, FAMILY_OKP };

struct alg {
    const char *name;
    enum alg_family family;
    int hash_bits;     /* of the hash, which is also the least a secret may have; 0: its own */
    int gnutls;        /* gnutls_mac_algorithm_t of an HMAC, else gnutls_sign_algorithm_t */
    int curve;         /* gnutls_ecc_curve_t; 0: none */
    size_t coordinate; /* bytes of r, s, x and y on that curve */
};

/* By its exact name, case and all (RFC 7515 section 4.1.1); EdDSA has two, Ed25519 is the other
 * (RFC 9864 section 2.2). NULL: there is no such, "none" neither. One pointer for each algorithm,
 * so they may be compared. */
const struct alg *alg_find(struct str name);
/* The one of that family whose curve it is (gnutls_ecc_curve_t); NULL: none. */
const struct alg *alg_of_curve(int curve);
/* "HS256, HS384, ...": all names, for messages. */
const char *alg_names(void);

#endif

/* alg: the algorithms of JSON Web Signature (RFC 7518 section 3.1, RFC 8037 section 3.1).
 *
 * What each needs is one row of a table: its family, which is the kind of key, and what GnuTLS
 * calls it. "none" has no row, so there is no path on which it could be accepted. Whoever has a
 * pointer to a row has an algorithm; two are the same when the pointers are. */
#include "auth/alg.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

static const struct alg algs[] = {
    {"HS256", FAMILY_HMAC, 256, GNUTLS_MAC_SHA256, 0, 0},
    {"HS384", FAMILY_HMAC, 384, GNUTLS_MAC_SHA384, 0, 0},
    {"HS512", FAMILY_HMAC, 512, GNUTLS_MAC_SHA512, 0, 0},
    {"RS256", FAMILY_RSA, 256, GNUTLS_SIGN_RSA_SHA256, 0, 0},
    {"RS384", FAMILY_RSA, 384, GNUTLS_SIGN_RSA_SHA384, 0, 0},
    {"RS512", FAMILY_RSA, 512, GNUTLS_SIGN_RSA_SHA512, 0, 0},
    {"PS256", FAMILY_RSA, 256, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, 0, 0},
    {"PS384", FAMILY_RSA, 384, GNUTLS_SIGN_RSA_PSS_RSAE_SHA384, 0, 0},
    {"PS512", FAMILY_RSA, 512, GNUTLS_SIGN_RSA_PSS_RSAE_SHA512, 0, 0},
    {"ES256", FAMILY_EC, 256, GNUTLS_SIGN_ECDSA_SHA256, GNUTLS_ECC_CURVE_SECP256R1, 32},
    {"ES384", FAMILY_EC, 384, GNUTLS_SIGN_ECDSA_SHA384, GNUTLS_ECC_CURVE_SECP384R1, 48},
    {"ES512", FAMILY_EC, 512, GNUTLS_SIGN_ECDSA_SHA512, GNUTLS_ECC_CURVE_SECP521R1, 66},
    {"EdDSA", FAMILY_OKP, 0, GNUTLS_SIGN_EDDSA_ED25519, GNUTLS_ECC_CURVE_ED25519, 32},
};

#define COUNT (sizeof algs / sizeof *algs)

const struct alg *alg_find(struct str name) {
    if (str_eq(name, STR("Ed25519"))) /* RFC 9864's name of what EdDSA means with this curve */
        name = STR("EdDSA");
    for (size_t i = 0; i < COUNT; i++)
        if (str_eq(name, str_of(algs[i].name)))
            return &algs[i];
    return NULL;
}

const struct alg *alg_of_curve(int curve) {
    for (size_t i = 0; i < COUNT; i++)
        if (algs[i].curve == curve && curve != 0)
            return &algs[i];
    return NULL;
}

const char *alg_names(void) {
    return "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and "
           "EdDSA";
}

/* jwk: a key as JSON (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).
 *
 *     {"kty":"oct", "k"}           a secret           needs "alg"
 *     {"kty":"RSA", "n", "e"}      an RSA key         needs "alg"
 *     {"kty":"EC",  "crv","x","y"} P-256 384 521      the curve says which
 *     {"kty":"OKP", "crv","x"}     Ed25519            the curve says which
 *
 * Members that say what else the key is for are obeyed ("use", "key_ops"); certificates are not
 * looked at, nor is the private half of a key that has one. Where a key's algorithm is not plain it
 * cannot be used, since guessing would let the token choose. Knows no kid: names are the set's. */
#include "auth/jwk.h"

#include "auth/base64url.h"
#include "auth/strict_json.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

/* The bytes of a member in base64url. 0, or -1 with the reason. */
static int read_bytes(const json_t *object, const char *name, struct buf *out, struct reason *why) {
    struct str text = strict_json_string(object, name);
    if (text.ptr && text.len > 0 && base64url_decode_to(out, text) == 0)
        return 0;
    return reason_set(why, -1, "\"%s\" is missing or not base64url", name);
}

/* Gives the memory back; it may hold a secret. */
static void forget(struct buf *bytes) {
    if (bytes->len > 0)
        gnutls_memset(bytes->data, 0, bytes->len);
    buf_fini(bytes);
}

static struct key *from_oct(const json_t *object, const struct alg *alg, struct reason *why) {
    struct buf secret = {0};
    struct key *key = NULL;
    if (read_bytes(object, "k", &secret, why) == 0 && !key_secret_is_short(alg, secret.len, why))
        key = key_from_secret(alg, buf_str(&secret), why);
    forget(&secret);
    return key;
}

static struct key *from_rsa(const json_t *object, const struct alg *alg, struct reason *why) {
    struct buf n = {0}, e = {0};
    struct key *key = NULL;
    if (read_bytes(object, "n", &n, why) == 0 && read_bytes(object, "e", &e, why) == 0)
        key = key_from_rsa(alg, buf_str(&n), buf_str(&e), why);
    buf_fini(&n);
    buf_fini(&e);
    return key;
}

static struct key *from_ec(const json_t *object, const struct alg *alg, struct reason *why) {
    struct buf x = {0}, y = {0};
    struct key *key = NULL;
    if (read_bytes(object, "x", &x, why) == 0 && read_bytes(object, "y", &y, why) == 0)
        key = key_from_ec(alg, buf_str(&x), buf_str(&y), why);
    buf_fini(&x);
    buf_fini(&y);
    return key;
}

static struct key *from_okp(const json_t *object, const struct alg *alg, struct reason *why) {
    struct buf x = {0};
    struct key *key = NULL;
    if (read_bytes(object, "x", &x, why) == 0)
        key = key_from_okp(alg, buf_str(&x), why);
    buf_fini(&x);
    return key;
}

static const struct kind {
    const char *kty;
    enum alg_family family;
    struct key *(*make)(const json_t *object, const struct alg *alg, struct reason *why);
} kinds[] = {
    {"oct", FAMILY_HMAC, from_oct},
    {"RSA", FAMILY_RSA, from_rsa},
    {"EC", FAMILY_EC, from_ec},
    {"OKP", FAMILY_OKP, from_okp},
};

static const struct kind *kind_of(struct str kty) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (str_eq(kty, str_of(kinds[i].kty)))
            return &kinds[i];
    return NULL;
}

static const struct {
    const char *name;
    int id;
} curves[] = {
    {"P-256", GNUTLS_ECC_CURVE_SECP256R1},
    {"P-384", GNUTLS_ECC_CURVE_SECP384R1},
    {"P-521", GNUTLS_ECC_CURVE_SECP521R1},
    {"Ed25519", GNUTLS_ECC_CURVE_ED25519},
};

/* The algorithm of the curve that "crv" names; NULL: none. */
static const struct alg *alg_of_crv(struct str crv) {
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (str_eq(crv, str_of(curves[i].name)))
            return alg_of_curve(curves[i].id);
    return NULL;
}

/* An optional member; NULL: it is not there, or null, with which some write that. */
static const json_t *optional(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

/* Whether it may be used to verify signatures (RFC 7517 sections 4.2 and 4.3). */
static bool is_for_verifying(const json_t *object, struct reason *why) {
    const json_t *use = optional(object, "use"), *ops = optional(object, "key_ops");
    if (use && !str_eq(strict_json_string(object, "use"), STR("sig"))) {
        reason_set(why, KEY_EBAD, "\"use\" is not \"sig\"");
        return false;
    }
    bool verify = !ops;
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const char *op = json_string_value(json_array_get(ops, i));
        verify = verify || (op && strcmp(op, "verify") == 0);
    }
    if (!verify)
        reason_set(why, KEY_EBAD, "\"key_ops\" lacks \"verify\"");
    return verify;
}

/* What the key itself says of its algorithm: NULL without a reason, if it says nothing. */
static const struct alg *alg_named(const json_t *object, bool *bad, struct reason *why) {
    struct str name = strict_json_string(object, "alg");
    *bad = false;
    if (!optional(object, "alg"))
        return NULL;
    const struct alg *alg = alg_find(name);
    if (!alg) {
        *bad = true;
        reason_set(why, KEY_EBAD, "\"alg\" is none of %s", alg_names());
    }
    return alg;
}

static const struct alg *choose_alg(const json_t *object, const struct kind *kind,
                                    const struct alg *only, struct reason *why) {
    bool bad, curved = kind->family == FAMILY_EC || kind->family == FAMILY_OKP;
    const struct alg *named = alg_named(object, &bad, why), *alg = named ? named : only;
    if (bad)
        return NULL;
    if (curved) {
        const struct alg *of_curve = alg_of_crv(strict_json_string(object, "crv"));
        if (!of_curve || of_curve->family != kind->family) {
            reason_set(why, KEY_EBAD, "\"crv\" is none of P-256, P-384, P-521 (EC), Ed25519 (OKP)");
            return NULL;
        }
        alg = alg ? alg : of_curve;
        if (alg != of_curve) {
            reason_set(why, KEY_EBAD, "its curve is for %s, not for %s", of_curve->name, alg->name);
            return NULL;
        }
    }
    if (!alg)
        reason_set(why, KEY_EBAD, "it names no \"alg\"; add one, or give `alg` beside `jwks`");
    else if (only && alg != only)
        reason_set(why, KEY_EBAD, "it is for %s, and only %s is wanted", alg->name, only->name);
    else if (alg->family != kind->family)
        reason_set(why, KEY_EBAD, "\"kty\" %s does not fit %s", kind->kty, alg->name);
    else
        return alg;
    return NULL;
}

struct key *jwk_parse(const json_t *object, const struct alg *only, struct reason *why) {
    const struct kind *kind = kind_of(strict_json_string(object, "kty"));
    if (!json_is_object(object) || !kind) {
        reason_set(why, KEY_EBAD,
                   json_is_object(object) ? "\"kty\" is none of oct, RSA, EC, OKP"
                                          : "it is no JSON object");
        return NULL;
    }
    if (!is_for_verifying(object, why))
        return NULL;
    const struct alg *alg = choose_alg(object, kind, only, why);
    return alg ? kind->make(object, alg, why) : NULL;
}

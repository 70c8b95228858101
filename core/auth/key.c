/* key: one key with the one algorithm that it is for.
 *
 * The algorithm is chosen by whoever configures the key, never by a token (RFC 8725 section 3.1);
 * so there is no way to use an RSA key's text as an HMAC secret. All that a key must be is checked
 * while it is made: the right kind, the right curve, a point that lies on it, enough bits. From
 * then on it never changes, and threads share it.
 *
 *     secret --------------------------> HMAC: verifies and signs
 *     PEM, certificate, numbers -------> public: verifies
 *     PEM with a private key ----------> public half verifies, private half signs
 *
 * GnuTLS's state of an HMAC costs more to make than a token to check. It is kept: a key has one
 * spare, which a thread takes with one exchange and gives back with another; who finds none makes
 * one. The primitives are GnuTLS's; what is done here is the form in which JWS wants an ECDSA
 * signature (RFC 7518 section 3.4): r and s side by side, each as long as the curve's order.
 *
 * Owned by a jwks, or by whoever signs. Knows no kid, no token and no time. */
#include "auth/key.h"

#include "base/fault.h"
#include "base/mem.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdlib.h>

#define COORDINATE_MOST 66 /* P-521 */
#define HASH_MOST 64       /* SHA-512 */

struct key {
    const struct alg *alg;
    char *secret; /* NULL: an asymmetric key */
    size_t secret_len;
    _Atomic(gnutls_hmac_hd_t) spare;
    gnutls_pubkey_t public;
    gnutls_privkey_t private; /* NULL: cannot sign, or has a secret */
};

static gnutls_datum_t datum(struct str s) {
    return (gnutls_datum_t){(unsigned char *)s.ptr, (unsigned)s.len};
}

const struct alg *key_alg(const struct key *key) {
    return key->alg;
}

bool key_can_sign(const struct key *key) {
    return key->secret || key->private;
}

void key_free(struct key *key) {
    if (!key)
        return;
    gnutls_hmac_hd_t spare = atomic_load(&key->spare);
    if (spare)
        gnutls_hmac_deinit(spare, NULL);
    if (key->secret)
        gnutls_memset(key->secret, 0, key->secret_len);
    free(key->secret);
    if (key->private)
        gnutls_privkey_deinit(key->private);
    if (key->public)
        gnutls_pubkey_deinit(key->public);
    free(key);
}

/* --- making --- */

bool key_secret_is_short(const struct alg *alg, size_t bytes, struct reason *advice) {
    size_t least = (size_t)alg->hash_bits / 8;
    if (alg->family != FAMILY_HMAC || bytes >= least)
        return false;
    reason_set(advice, KEY_EBAD,
               "the secret has %zu bytes, %s needs at least %zu, or it can be found by trying "
               "(RFC 7518 section 3.2); `openssl rand -base64 %zu` makes one",
               bytes, alg->name, least, least * 3 / 2);
    return true;
}

struct key *key_from_secret(const struct alg *alg, struct str secret, struct reason *why) {
    if (alg->family != FAMILY_HMAC) {
        reason_set(why, KEY_EBAD, "%s needs a key pair, not a secret", alg->name);
        return NULL;
    }
    if (secret.len == 0) {
        reason_set(why, KEY_EBAD, "the secret is empty");
        return NULL;
    }
    struct key *key = mem_zalloc(sizeof *key);
    key->alg = alg;
    key->secret = mem_copy(secret.ptr, secret.len);
    key->secret_len = secret.len;
    return key;
}

/* An asymmetric key with an empty public half; NULL when the algorithm wants another kind. */
static struct key *begin(const struct alg *alg, struct reason *why) {
    if (alg->family == FAMILY_HMAC) {
        reason_set(why, KEY_EBAD, "%s needs a secret, not a key pair", alg->name);
        return NULL;
    }
    struct key *key = mem_zalloc(sizeof *key);
    key->alg = alg;
    if (gnutls_pubkey_init(&key->public) < 0)
        mem_die(sizeof *key);
    return key;
}

/* The exponents 1 and all even ones make no key: of 1 anybody could sign. */
static bool is_exponent(gnutls_datum_t exponent) {
    unsigned sum = 0; /* of all but the last byte */
    for (unsigned i = 0; i + 1 < exponent.size; i++)
        sum += exponent.data[i];
    unsigned last = exponent.size > 0 ? exponent.data[exponent.size - 1] : 0;
    return last % 2 == 1 && (sum > 0 || last >= 3);
}

/* Whether `n` is a power of 65537 modulo the small prime `p`. */
static bool is_power(unsigned n, unsigned p) {
    unsigned power = 1;
    do {
        if (power == n)
            return true;
        power = power * (65537 % p) % p;
    } while (power != 1);
    return false;
}

static unsigned remainder_of(gnutls_datum_t number, unsigned p) {
    unsigned rest = 0;
    for (unsigned i = 0; i < number.size; i++)
        rest = (rest << 8 | number.data[i]) % p;
    return rest;
}

/* The keys of one maker's chips can be factored (ROCA, CVE-2017-15361): both their primes, so their
 * modulus too, are powers of 65537 modulo each of the first primes. Of other keys one in 2^27 is.
 */
static bool is_roca(gnutls_datum_t modulus) {
    static const unsigned char primes[] = {
        3,  5,  7,  11, 13, 17,  19,  23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
        73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
    for (size_t i = 0; i < sizeof primes; i++)
        if (!is_power(remainder_of(modulus, primes[i]), primes[i]))
            return false;
    return true;
}

static int check_numbers(struct key *key, struct reason *why) {
    gnutls_datum_t modulus, exponent;
    int rc = gnutls_pubkey_export_rsa_raw(key->public, &modulus, &exponent);
    if (rc < 0)
        return reason_set(why, KEY_EBAD, "not an RSA key: %s", gnutls_strerror(rc));
    if (!is_exponent(exponent))
        rc = reason_set(why, KEY_EBAD, "the RSA exponent is even or 1");
    else if (is_roca(modulus))
        rc = reason_set(why, KEY_EBAD,
                        "the RSA key can be factored, since a faulty chip made it "
                        "(ROCA, CVE-2017-15361); `openssl genrsa 2048` makes one");
    gnutls_free(modulus.data);
    gnutls_free(exponent.data);
    return rc;
}

static int check_rsa(struct key *key, int kind, unsigned bits, struct reason *why) {
    if (kind != GNUTLS_PK_RSA)
        return reason_set(why, KEY_EBAD, "%s needs an RSA key (rsaEncryption), this one is %s",
                          key->alg->name, gnutls_pk_get_name(kind));
    if (bits < KEY_RSA_BITS_LEAST || bits > KEY_RSA_BITS_MOST)
        return reason_set(why, KEY_EBAD,
                          "the RSA key has %u bits, %d to %d are allowed (RFC 7518 section 3.3); "
                          "`openssl genrsa 2048` makes one",
                          bits, KEY_RSA_BITS_LEAST, KEY_RSA_BITS_MOST);
    return check_numbers(key, why);
}

static int check_curve(struct key *key, int kind, struct reason *why) {
    gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;
    const char *wanted = gnutls_ecc_curve_get_name(key->alg->curve);
    gnutls_datum_t x = {NULL, 0}, y = {NULL, 0};
    int rc = gnutls_pubkey_export_ecc_raw(key->public, &curve, &x, &y);
    gnutls_free(x.data);
    gnutls_free(y.data);
    if (rc < 0)
        return reason_set(why, KEY_EBAD, "%s needs a key on %s, this one is %s", key->alg->name,
                          wanted, gnutls_pk_get_name(kind));
    if ((int)curve != key->alg->curve)
        return reason_set(why, KEY_EBAD, "%s needs a key on %s, this one is on %s", key->alg->name,
                          wanted, gnutls_ecc_curve_get_name(curve));
    rc = gnutls_pubkey_verify_params(key->public);
    if (rc < 0)
        return reason_set(why, KEY_EBAD, "no point on %s: %s", wanted, gnutls_strerror(rc));
    return 0;
}

/* What was imported, once `rc` says it was, must be of the algorithm's kind. The key or NULL. */
static struct key *finish(struct key *key, int rc, const char *what, struct reason *why) {
    unsigned bits = 0;
    if (rc < 0) {
        reason_set(why, KEY_EBAD, "%s cannot be read: %s", what, gnutls_strerror(rc));
        key_free(key);
        return NULL;
    }
    int kind = gnutls_pubkey_get_pk_algorithm(key->public, &bits);
    rc = key->alg->family == FAMILY_RSA ? check_rsa(key, kind, bits, why)
                                        : check_curve(key, kind, why);
    if (rc == 0)
        return key;
    key_free(key);
    return NULL;
}

struct key *key_from_rsa(const struct alg *alg, struct str modulus, struct str exponent,
                         struct reason *why) {
    struct key *key = begin(alg, why);
    if (!key)
        return NULL;
    gnutls_datum_t n = datum(modulus), e = datum(exponent);
    return finish(key, gnutls_pubkey_import_rsa_raw(key->public, &n, &e), "the RSA key", why);
}

/* Each coordinate has the curve's full length (RFC 7518 section 6.2.1.2). */
static bool is_coordinate(const struct alg *alg, struct str s, struct reason *why) {
    if (s.len == alg->coordinate)
        return true;
    reason_set(why, KEY_EBAD, "a coordinate has %zu bytes, %s needs %zu", s.len, alg->name,
               alg->coordinate);
    return false;
}

struct key *key_from_ec(const struct alg *alg, struct str x, struct str y, struct reason *why) {
    struct key *key = begin(alg, why);
    if (!key)
        return NULL;
    if (!is_coordinate(alg, x, why) || !is_coordinate(alg, y, why)) {
        key_free(key);
        return NULL;
    }
    gnutls_datum_t dx = datum(x), dy = datum(y);
    return finish(key, gnutls_pubkey_import_ecc_raw(key->public, alg->curve, &dx, &dy),
                  "the EC key", why);
}

struct key *key_from_okp(const struct alg *alg, struct str x, struct reason *why) {
    struct key *key = begin(alg, why);
    if (!key)
        return NULL;
    if (!is_coordinate(alg, x, why)) {
        key_free(key);
        return NULL;
    }
    gnutls_datum_t dx = datum(x);
    return finish(key, gnutls_pubkey_import_ecc_raw(key->public, alg->curve, &dx, NULL),
                  "the Ed25519 key", why);
}

/* --- PEM --- */

static int import_private(struct key *key, const gnutls_datum_t *pem) {
    if (gnutls_privkey_init(&key->private) < 0)
        mem_die(sizeof *key);
    int rc = gnutls_privkey_import_x509_raw(key->private, pem, GNUTLS_X509_FMT_PEM, NULL, 0);
    return rc < 0 ? rc : gnutls_pubkey_import_privkey(key->public, key->private, 0, 0);
}

static int import_certificate(struct key *key, const gnutls_datum_t *pem) {
    return gnutls_pubkey_import_x509_raw(key->public, pem, GNUTLS_X509_FMT_PEM, 0);
}

static int import_public(struct key *key, const gnutls_datum_t *pem) {
    return gnutls_pubkey_import(key->public, pem, GNUTLS_X509_FMT_PEM);
}

static const struct pem_kind {
    const char *label, *what;
    int (*import)(struct key *key, const gnutls_datum_t *pem);
} pem_kinds[] = {
    {"PUBLIC KEY", "the public key", import_public},
    {"CERTIFICATE", "the certificate", import_certificate},
    {"PRIVATE KEY", "the private key", import_private},     /* PKCS #8, RFC 5958 */
    {"RSA PRIVATE KEY", "the private key", import_private}, /* PKCS #1 */
    {"EC PRIVATE KEY", "the private key", import_private},  /* SEC 1, RFC 5915 */
};

/* What stands between "-----BEGIN " and "-----", where a line begins; EC PARAMETERS, which openssl
 * writes before a key, are passed over. Empty: none. `pem` then starts with that line. */
static struct str pem_label(struct str *pem) {
    static const char begin_mark[] = "-----BEGIN ";
    size_t n = sizeof begin_mark - 1;
    for (char *at; (at = memmem(pem->ptr, pem->len, begin_mark, n)) != NULL;) {
        pem->len -= (size_t)(at - pem->ptr);
        pem->ptr = at;
        struct str rest = {at + n, pem->len - n};
        char *end = memmem(rest.ptr, rest.len, "-----", 5);
        struct str label = {rest.ptr, end ? (size_t)(end - rest.ptr) : 0};
        if (!str_eq(label, STR("EC PARAMETERS")))
            return label;
        *pem = (struct str){end, rest.len - label.len};
    }
    return (struct str){"", 0};
}

struct key *key_from_pem(const struct alg *alg, struct str pem, struct reason *why) {
    struct key *key = begin(alg, why);
    if (!key)
        return NULL;
    struct str label = pem_label(&pem);
    for (size_t i = 0; i < sizeof pem_kinds / sizeof *pem_kinds; i++) {
        const struct pem_kind *kind = &pem_kinds[i];
        if (!str_eq(label, str_of(kind->label)))
            continue;
        gnutls_datum_t d = datum(pem);
        return finish(key, kind->import(key, &d), kind->what, why);
    }
    key_free(key);
    if (label.len == 0)
        reason_set(why, KEY_EBAD,
                   "no PEM text: it must hold a line like "
                   "-----BEGIN PUBLIC KEY-----");
    else
        reason_set(why, KEY_EBAD,
                   "\"%.*s\" is not a kind of PEM that can be used; `openssl pkey` writes "
                   "PRIVATE KEY, with -pubout PUBLIC KEY",
                   STR_ARG(label));
    return NULL;
}

/* --- HMAC --- */

/* 0 with the MAC of `data`, or a GnuTLS error. */
static int make_mac(const struct key *key, struct str data, unsigned char *mac) {
    struct key *shared = (struct key *)key; /* the spare is the one thing that changes */
    gnutls_hmac_hd_t handle = atomic_exchange(&shared->spare, NULL);
    int rc = fault("auth_hmac") < 0 ? GNUTLS_E_MEMORY_ERROR : 0;
    if (rc == 0 && !handle)
        rc = gnutls_hmac_init(&handle, key->alg->gnutls, key->secret, key->secret_len);
    if (rc == 0)
        rc = gnutls_hmac(handle, data.ptr, data.len);
    if (rc == 0) {
        gnutls_hmac_output(handle, mac); /* and the handle begins again */
        handle = atomic_exchange(&shared->spare, handle);
    }
    if (handle)
        gnutls_hmac_deinit(handle, NULL);
    return rc;
}

static int verify_mac(const struct key *key, struct str data, struct str signature,
                      struct reason *why) {
    unsigned char mac[HASH_MOST];
    size_t n = (size_t)key->alg->hash_bits / 8;
    if (signature.len != n)
        return reason_set(why, KEY_ESIGNATURE, "the signature has %zu bytes, one of %s has %zu",
                          signature.len, key->alg->name, n);
    int rc = make_mac(key, data, mac);
    if (rc < 0)
        return reason_set(why, KEY_ESIGNATURE, "the signature cannot be checked: %s",
                          gnutls_strerror(rc));
    if (gnutls_memcmp(mac, signature.ptr, n) != 0)
        return reason_set(why, KEY_ESIGNATURE, "the signature is wrong");
    return 0;
}

static int sign_mac(const struct key *key, struct str data, struct buf *out, struct reason *why) {
    unsigned char mac[HASH_MOST];
    int rc = make_mac(key, data, mac);
    if (rc < 0)
        return reason_set(why, KEY_EBAD, "cannot sign: %s", gnutls_strerror(rc));
    buf_append(out, mac, (size_t)key->alg->hash_bits / 8);
    return 0;
}

/* --- signatures --- */

/* Without leading zeroes, as DER writes numbers; empty: 0. */
static gnutls_datum_t number(const char *bytes, size_t n) {
    while (n > 0 && *bytes == '\0')
        bytes++, n--;
    return datum((struct str){bytes, n});
}

/* r || s as DER, made by GnuTLS: free it. A GnuTLS error when it cannot be a signature; whether r
 * and s are below the curve's order is seen when it is checked. */
static int ec_to_der(const struct alg *alg, struct str raw, gnutls_datum_t *der) {
    gnutls_datum_t r = number(raw.ptr, alg->coordinate);
    gnutls_datum_t s = number(raw.ptr + alg->coordinate, alg->coordinate);
    if (r.size == 0 || s.size == 0)
        return GNUTLS_E_PK_SIG_VERIFY_FAILED;
    return gnutls_encode_rs_value(der, &r, &s);
}

static int verify_public(const struct key *key, gnutls_datum_t data, gnutls_datum_t signature) {
    if (fault("auth_verify") < 0)
        return GNUTLS_E_MEMORY_ERROR;
    return gnutls_pubkey_verify_data2(key->public, key->alg->gnutls, 0, &data, &signature);
}

static int verify_ec(const struct key *key, struct str data, struct str signature) {
    gnutls_datum_t der;
    int rc = ec_to_der(key->alg, signature, &der);
    if (rc < 0)
        return rc;
    rc = verify_public(key, datum(data), der);
    gnutls_free(der.data);
    return rc;
}

static int verify_pair(const struct key *key, struct str data, struct str signature,
                       struct reason *why) {
    size_t n = 2 * key->alg->coordinate;
    if (n > 0 && signature.len != n)
        return reason_set(why, KEY_ESIGNATURE, "the signature has %zu bytes, one of %s has %zu",
                          signature.len, key->alg->name, n);
    int rc = key->alg->family == FAMILY_EC ? verify_ec(key, data, signature)
                                           : verify_public(key, datum(data), datum(signature));
    if (rc == GNUTLS_E_PK_SIG_VERIFY_FAILED)
        return reason_set(why, KEY_ESIGNATURE, "the signature is wrong");
    if (rc < 0)
        return reason_set(why, KEY_ESIGNATURE, "the signature is wrong: %s", gnutls_strerror(rc));
    return 0;
}

int key_verify(const struct key *key, struct str data, struct str signature, struct reason *why) {
    return key->secret ? verify_mac(key, data, signature, why)
                       : verify_pair(key, data, signature, why);
}

/* One number of a signature, with zeroes before it up to the curve's length; DER may have put one
 * there too. */
static void add_number(struct buf *out, gnutls_datum_t n, size_t coordinate) {
    gnutls_datum_t bare = number((const char *)n.data, n.size);
    size_t zeroes = coordinate - bare.size;
    char *room = buf_reserve(out, coordinate);
    memset(room, 0, zeroes);
    memcpy(room + zeroes, bare.data, bare.size);
    out->len += coordinate;
}

static int add_ec(const struct alg *alg, const gnutls_datum_t *der, struct buf *out) {
    gnutls_datum_t r, s;
    int rc = gnutls_decode_rs_value(der, &r, &s);
    if (rc < 0)
        return rc;
    add_number(out, r, alg->coordinate);
    add_number(out, s, alg->coordinate);
    gnutls_free(r.data);
    gnutls_free(s.data);
    return 0;
}

static int sign_pair(const struct key *key, struct str data, struct buf *out, struct reason *why) {
    gnutls_datum_t d = datum(data), signature;
    int rc = fault("auth_sign") < 0
                 ? GNUTLS_E_MEMORY_ERROR
                 : gnutls_privkey_sign_data2(key->private, key->alg->gnutls, 0, &d, &signature);
    if (rc == 0) {
        if (key->alg->family == FAMILY_EC)
            rc = add_ec(key->alg, &signature, out);
        else
            buf_append(out, signature.data, signature.size);
        gnutls_free(signature.data);
    }
    return rc < 0 ? reason_set(why, KEY_EBAD, "cannot sign: %s", gnutls_strerror(rc)) : 0;
}

int key_sign(const struct key *key, struct str data, struct buf *out, struct reason *why) {
    if (key->secret)
        return sign_mac(key, data, out, why);
    if (key->private)
        return sign_pair(key, data, out, why);
    return reason_set(why, KEY_EBAD, "a public key cannot sign; give the private key");
}

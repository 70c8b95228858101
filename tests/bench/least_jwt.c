/* least_jwt: verifies one token again and again, with no more than GnuTLS and jansson.
 *
 *   least_jwt ALG KEYFILE TOKENFILE COUNT
 *
 * ALG is HS256, RS256, ES256 or EdDSA; the key is the secret itself or a public key in PEM. What is
 * made once: the key, the HMAC's state. For each token: the header parsed and its alg compared, the
 * signature checked, the payload parsed, exp, nbf, iss and aud compared. It knows one key, believes
 * base64url, and looks for nothing that an attacker would do. Prints the microseconds of CPU per
 * token and the tokens per second. */
#include "rig.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned char value_of[256];

static void fill_values(void) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (int i = 0; i < 64; i++)
        value_of[(unsigned char)alphabet[i]] = (unsigned char)i;
}

static size_t decode(const char *text, size_t n, unsigned char *out) {
    const unsigned char *in = (const unsigned char *)text;
    unsigned char *at = out;
    for (; n >= 4; n -= 4, in += 4, at += 3) {
        unsigned bits = (unsigned)value_of[in[0]] << 18 | (unsigned)value_of[in[1]] << 12 |
                        (unsigned)value_of[in[2]] << 6 | value_of[in[3]];
        at[0] = (unsigned char)(bits >> 16), at[1] = (unsigned char)(bits >> 8);
        at[2] = (unsigned char)bits;
    }
    if (n >= 2)
        *at++ = (unsigned char)(value_of[in[0]] << 2 | value_of[in[1]] >> 4);
    if (n == 3)
        *at++ = (unsigned char)(value_of[in[1]] << 4 | value_of[in[2]] >> 2);
    return (size_t)(at - out);
}

static gnutls_datum_t read_file(const char *path) {
    gnutls_datum_t d;
    if (gnutls_load_file(path, &d) < 0)
        rig_fail("cannot read %s", path);
    while (d.size > 0 && d.data[d.size - 1] == '\n')
        d.size--;
    return d;
}

static const char *alg;
static gnutls_hmac_hd_t mac;
static gnutls_pubkey_t key;
static gnutls_sign_algorithm_t sign;

static void prepare(const char *path) {
    gnutls_datum_t d = read_file(path);
    if (strcmp(alg, "HS256") == 0) {
        if (gnutls_hmac_init(&mac, GNUTLS_MAC_SHA256, d.data, d.size) < 0)
            rig_fail("no HMAC");
        return;
    }
    sign = strcmp(alg, "RS256") == 0   ? GNUTLS_SIGN_RSA_SHA256
           : strcmp(alg, "ES256") == 0 ? GNUTLS_SIGN_ECDSA_SHA256
                                       : GNUTLS_SIGN_EDDSA_ED25519;
    if (gnutls_pubkey_init(&key) < 0 || gnutls_pubkey_import(key, &d, GNUTLS_X509_FMT_PEM) < 0)
        rig_fail("cannot use %s", path);
}

static int check_signature(const char *text, size_t n, unsigned char *signature, size_t len) {
    gnutls_datum_t data = {(unsigned char *)text, (unsigned)n}, sig = {signature, (unsigned)len};
    if (mac) {
        unsigned char digest[32];
        gnutls_hmac(mac, text, n);
        gnutls_hmac_output(mac, digest);
        return len == 32 && gnutls_memcmp(digest, signature, 32) == 0;
    }
    if (sign != GNUTLS_SIGN_ECDSA_SHA256)
        return gnutls_pubkey_verify_data2(key, sign, 0, &data, &sig) == 0;
    gnutls_datum_t r = {signature, 32}, s = {signature + 32, 32}, der;
    if (gnutls_encode_rs_value(&der, &r, &s) < 0)
        return 0;
    int ok = gnutls_pubkey_verify_data2(key, sign, 0, &data, &der) == 0;
    gnutls_free(der.data);
    return ok;
}

static int check_claims(const json_t *claims) {
    double now = (double)time(NULL);
    const char *iss = json_string_value(json_object_get(claims, "iss"));
    const char *aud = json_string_value(json_object_get(claims, "aud"));
    return json_number_value(json_object_get(claims, "exp")) > now &&
           json_number_value(json_object_get(claims, "nbf")) <= now && iss && aud &&
           strcmp(iss, "https://issuer.example") == 0 && strcmp(aud, "weir") == 0;
}

static json_t *parse(const char *text, size_t n) {
    unsigned char bytes[8192];
    json_error_t error;
    return json_loadb((char *)bytes, decode(text, n, bytes), 0, &error);
}

static int verify(const char *token, size_t n) {
    unsigned char signature[1024];
    const char *first = memchr(token, '.', n), *second = strchr(first + 1, '.');
    json_t *header = parse(token, (size_t)(first - token));
    const char *named = json_string_value(json_object_get(header, "alg"));
    int ok = named && strcmp(named, alg) == 0;
    json_decref(header);
    size_t len = decode(second + 1, (size_t)(token + n - second - 1), signature);
    if (!ok || !check_signature(token, (size_t)(second - token), signature, len))
        return 0;
    json_t *claims = parse(first + 1, (size_t)(second - first - 1));
    ok = check_claims(claims);
    json_decref(claims);
    return ok;
}

int main(int argc, char **argv) {
    if (argc != 5)
        rig_fail("least_jwt ALG KEYFILE TOKENFILE COUNT");
    long count = rig_number(argv[4], "COUNT", 1, 1000000000);
    alg = argv[1];
    fill_values();
    prepare(argv[2]);
    gnutls_datum_t token = read_file(argv[3]);
    char *text = strndup((char *)token.data, token.size);
    clock_t begun = clock();
    for (long i = 0; i < count; i++)
        if (!verify(text, token.size))
            rig_fail("the token is wrong");
    double took = (double)(clock() - begun) / CLOCKS_PER_SEC;
    printf("%.4f %.0f\n", took * 1e6 / (double)count, (double)count / took);
    return 0;
}

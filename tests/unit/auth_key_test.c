/* Keys: what each may be made of and for which algorithm; that each pair of algorithms signs and
 * verifies its own and nothing else; the forms of ECDSA signatures. */
#include "auth/key.h"

#include "auth_keys.h"
#include "base/fault.h"
#include "table.h"

#include <pthread.h>

#define SECRET "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" /* 64 bytes */

/* A private key for each algorithm, and its public half. */
static const struct {
    const char *alg, *private, *public;
} pairs[] = {
    {"HS256", NULL, NULL},
    {"HS384", NULL, NULL},
    {"HS512", NULL, NULL},
    {"RS256", key_rsa, key_rsa_public},
    {"RS384", key_rsa_pkcs1, key_rsa_public},
    {"RS512", key_rsa, key_rsa_public},
    {"PS256", key_rsa, key_rsa_public},
    {"PS384", key_rsa, key_rsa_public},
    {"PS512", key_rsa, key_rsa_public},
    {"ES256", key_p256, key_p256_certificate},
    {"ES384", key_p384, key_p384_public},
    {"ES512", key_p521, key_p521_public},
    {"EdDSA", key_ed25519, key_ed25519_public},
};

static struct key *pem(const char *alg, const char *text) {
    struct str copy = exact(str_of(text));
    struct reason why = {""};
    struct key *key = key_from_pem(alg_find(str_of(alg)), copy, &why);
    if (!key)
        fail_msg("%s: %s", alg, why.text);
    exact_free(copy);
    return key;
}

static struct key *secret(const char *alg, struct str text) {
    struct reason why = {""};
    struct key *key = key_from_secret(alg_find(str_of(alg)), text, &why);
    if (!key)
        fail_msg("%s: %s", alg, why.text);
    return key;
}

static struct key *private_of(size_t i) {
    return pairs[i].private ? pem(pairs[i].alg, pairs[i].private)
                            : secret(pairs[i].alg, STR(SECRET));
}

static struct key *public_of(size_t i) {
    return pairs[i].public ? pem(pairs[i].alg, pairs[i].public) : secret(pairs[i].alg, STR(SECRET));
}

/* Every signature against every key: right exactly where the algorithm is the same. */
static void signs_and_verifies(void **state) {
    struct key *private[COUNT(pairs)], *public[COUNT(pairs)];
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        private[i] = private_of(i);
        public[i] = public_of(i);
        assert_string_equal(key_alg(public[i])->name, pairs[i].alg);
        assert_true(key_can_sign(private[i]));
        assert_true(key_can_sign(public[i]) == (pairs[i].public == NULL));
    }
    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct buf signature = {0};
        struct reason why;
        assert_int_equal(key_sign(private[i], STR("data"), &signature, &why), 0);
        for (size_t k = 0; k < COUNT(pairs); k++)
            SAME_INT(str_of(pairs[k].alg),
                     key_verify(public[k], STR("data"), buf_str(&signature), &why),
                     k == i ? 0 : KEY_ESIGNATURE);
        assert_int_equal(key_verify(private[i], STR("data"), buf_str(&signature), &why), 0);
        assert_int_equal(key_verify(private[i], STR("date"), buf_str(&signature), &why),
                         KEY_ESIGNATURE);
        buf_fini(&signature);
    }
    for (size_t i = 0; i < COUNT(pairs); i++) {
        key_free(private[i]);
        key_free(public[i]);
    }
}

/* Each with one byte less, one more, none, and each bit of some bytes turned. */
static void spoiled_signatures(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        struct key *key = private_of(i);
        struct buf signature = {0};
        struct reason why;
        assert_int_equal(key_sign(key, STR("data"), &signature, &why), 0);
        struct str all = buf_str(&signature);
        const struct str rows[] = {{all.ptr, 0},
                                   {all.ptr, all.len - 1},
                                   {all.ptr + 1, all.len - 1},
                                   {all.ptr, all.len / 2}};
        for (size_t k = 0; k < COUNT(rows); k++) {
            struct str cut = exact(rows[k]);
            SAME_INT(str_of(pairs[i].alg), key_verify(key, STR("data"), cut, &why), KEY_ESIGNATURE);
            exact_free(cut);
        }
        buf_add_char(&signature, '\0');
        assert_int_equal(key_verify(key, STR("data"), buf_str(&signature), &why), KEY_ESIGNATURE);
        signature.len--;
        for (size_t at = 0; at < signature.len; at += signature.len / 4) {
            signature.data[at] ^= 1;
            assert_int_equal(key_verify(key, STR("data"), buf_str(&signature), &why),
                             KEY_ESIGNATURE);
            signature.data[at] ^= 1;
        }
        assert_int_equal(key_verify(key, STR("data"), buf_str(&signature), &why), 0);
        buf_fini(&signature);
        key_free(key);
    }
}

/* ECDSA: r and s of zero, of the order and above; DER instead of r || s (RFC 7518 section 3.4). */
static void bad_ec_signatures(void **state) {
    static const char order[] = "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"
                                "\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
    char zero[32] = {0}, one[32] = {0}, ones[32];
    memset(ones, 0xff, sizeof ones);
    one[31] = 1;
    const char *const parts[] = {zero, one, ones, order};
    struct key *key = pem("ES256", key_p256_public);
    struct reason why;
    (void)state;
    for (size_t r = 0; r < COUNT(parts); r++)
        for (size_t s = 0; s < COUNT(parts); s++) {
            char raw[64];
            memcpy(raw, parts[r], 32);
            memcpy(raw + 32, parts[s], 32);
            assert_int_equal(key_verify(key, STR("data"), (struct str){raw, 64}, &why),
                             KEY_ESIGNATURE);
        }
    const char der[] = "\x30\x06\x02\x01\x01\x02\x01\x01";
    assert_int_equal(key_verify(key, STR("data"), (struct str){der, 8}, &why), KEY_ESIGNATURE);
    assert_string_equal(why.text, "the signature has 8 bytes, one of ES256 has 64");
    key_free(key);
}

/* One in 128 has a leading zero in r or s; it keeps its place (RFC 7518 section 3.4). */
static void ec_signatures_have_one_length(void **state) {
    struct key *key = pem("ES512", key_p521); /* whose numbers have 521 of 528 bits */
    int zeroes = 0;
    (void)state;
    for (int i = 0; i < 40; i++) {
        struct buf signature = {0};
        struct reason why;
        assert_int_equal(key_sign(key, STR("data"), &signature, &why), 0);
        assert_int_equal(signature.len, 132);
        zeroes += signature.data[0] == 0 || signature.data[66] == 0;
        assert_int_equal(key_verify(key, STR("data"), buf_str(&signature), &why), 0);
        buf_fini(&signature);
    }
    assert_true(zeroes > 0); /* 1 in 2^80 that not */
    key_free(key);
}

/* --- what is refused when a key is made --- */

static void short_secrets(void **state) {
    static const struct {
        const char *alg;
        size_t least;
    } rows[] = {{"HS256", 32}, {"HS384", 48}, {"HS512", 64}};
    struct reason why;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct alg *alg = alg_find(str_of(rows[i].alg));
        assert_null(key_from_secret(alg, (struct str){SECRET, 0}, &why));
        for (size_t n = 1; n < rows[i].least; n++)
            assert_true(key_secret_is_short(alg, n, &why));
        assert_non_null(strstr(why.text, "RFC 7518 section 3.2"));
        assert_non_null(strstr(why.text, "openssl rand -base64"));
        assert_false(key_secret_is_short(alg, rows[i].least, &why));
        struct str least = exact((struct str){SECRET, rows[i].least});
        struct key *key = key_from_secret(alg, least, &why);
        assert_non_null(key);
        key_free(key);
        exact_free(least);
    }
}

static void wrong_pems(void **state) {
    static const struct {
        const char *alg, *pem, *reason;
    } rows[] = {
        {"HS256", key_rsa_public, "HS256 needs a secret, not a key pair"},
        {"RS256", key_p256_public, "RS256 needs an RSA key (rsaEncryption), this one is EC"},
        {"RS256", key_ed25519_public, "RS256 needs an RSA key (rsaEncryption), this one is EdDSA"},
        {"PS256", key_rsa_pss_public, "PS256 needs an RSA key (rsaEncryption), this one is RSA-P"},
        {"RS256", key_rsa_short_public, "the RSA key has 2040 bits, 2048 to 16384 are allowed"},
        {"ES256", key_rsa_public, "ES256 needs a key on SECP256R1, this one is RSA"},
        {"ES256", key_p384_public, "ES256 needs a key on SECP256R1, this one is on SECP384R1"},
        {"ES384", key_p256, "ES384 needs a key on SECP384R1, this one is on SECP256R1"},
        {"ES512", key_ed25519, "ES512 needs a key on SECP521R1, this one is"},
        {"EdDSA", key_p256_public, "EdDSA needs a key on Ed25519, this one is on SECP256R1"},
        {"EdDSA", key_ed448_public, "EdDSA needs a key on Ed25519, this one is"},
        {"ES256", key_k256_public, "cannot be read"},
        {"ES256", key_p256_encrypted, "\"ENCRYPTED PRIVATE KEY\" is not a kind of PEM"},
        {"RS256", key_rsa_public_pkcs1, "\"RSA PUBLIC KEY\" is not a kind of PEM"},
        {"RS256", "", "no PEM text"},
        {"RS256", "secret", "no PEM text"},
        {"RS256", "-----BEGIN ", "no PEM text"},
        {"RS256", "-----BEGIN PUBLIC KEY", "no PEM text"},
        {"RS256", "-----BEGIN EC PARAMETERS-----\n", "no PEM text"},
        {"RS256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
         "the public key cannot be read"},
        {"RS256", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
         "the certificate cannot be read"},
        {"RS256", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
         "the private key cannot be read"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(str_of(rows[i].pem));
        struct reason why = {""};
        struct key *key = key_from_pem(alg_find(str_of(rows[i].alg)), text, &why);
        if (key || !strstr(why.text, rows[i].reason))
            fail_msg("row %zu, %s: \"%s\"", i, rows[i].alg, why.text);
        exact_free(text);
    }
}

static void other_pems(void **state) {
    static const struct {
        const char *alg, *pem;
        bool signs;
    } rows[] = {{"ES256", key_p256_sec1, true},
                {"ES256", key_p256_public, false},
                {"RS512", key_rsa_pkcs1, true}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct key *key = pem(rows[i].alg, rows[i].pem);
        assert_true(key_can_sign(key) == rows[i].signs);
        key_free(key);
    }
}

static void secrets_are_for_hmac(void **state) {
    struct reason why;
    (void)state;
    assert_null(key_from_secret(alg_find(STR("RS256")), str_of(key_rsa_public), &why));
    assert_string_equal(why.text, "RS256 needs a key pair, not a secret");
}

/* Numbers as a JWK gives them. */
static void bad_numbers(void **state) {
    char n[256], big[2049], point[66];
    struct reason why = {""};
    const struct alg *rs = alg_find(STR("RS256")), *es = alg_find(STR("ES256")),
                     *ed = alg_find(STR("EdDSA"));
    (void)state;
    memset(n, 0xab, sizeof n);
    memset(big, 0xab, sizeof big);
    memset(point, 0x11, sizeof point);
    struct str modulus = {n, sizeof n};
    struct key *key = key_from_rsa(rs, modulus, STR("\x01\x00\x01"), &why);
    assert_non_null(key);
    key_free(key);
    key = key_from_rsa(rs, modulus, STR("\x03"), &why);
    assert_non_null(key);
    key_free(key);
    static const struct str exponents[] = {{"\x01", 1}, {"\0\x01", 2}, {"\x02", 1}, {"\x01\0", 2}};
    for (size_t i = 0; i < COUNT(exponents); i++) {
        assert_null(key_from_rsa(rs, modulus, exponents[i], &why));
        assert_string_equal(why.text, "the RSA exponent is even or 1");
    }
    assert_null(key_from_rsa(rs, (struct str){n, 255}, STR("\x03"), &why));
    assert_non_null(strstr(why.text, "2040 bits"));
    assert_null(key_from_rsa(rs, (struct str){big, 2049}, STR("\x03"), &why));
    assert_non_null(strstr(why.text, "16392 bits"));
    key = key_from_rsa(rs, (struct str){big, 2048}, STR("\x03"), &why);
    assert_non_null(key);
    key_free(key);
    assert_null(key_from_rsa(alg_find(STR("HS256")), modulus, STR("\x03"), &why));

    /* a point that is not on the curve; coordinates that are too long or short */
    assert_null(key_from_ec(es, (struct str){point, 32}, (struct str){point, 32}, &why));
    assert_non_null(strstr(why.text, "no point on SECP256R1"));
    assert_null(key_from_ec(es, (struct str){point, 31}, (struct str){point, 32}, &why));
    assert_null(key_from_ec(es, (struct str){point, 32}, (struct str){point, 33}, &why));
    assert_string_equal(why.text, "a coordinate has 33 bytes, ES256 needs 32");
    assert_null(key_from_ec(alg_find(STR("HS256")), modulus, modulus, &why));
    assert_null(key_from_okp(ed, (struct str){point, 31}, &why));
    assert_null(key_from_okp(ed, (struct str){point, 33}, &why));
    assert_null(key_from_okp(alg_find(STR("HS256")), (struct str){point, 32}, &why));
}

static void public_keys_do_not_sign(void **state) {
    struct key *key = pem("RS256", key_rsa_public);
    struct buf out = {0};
    struct reason why;
    (void)state;
    assert_int_equal(key_sign(key, STR("data"), &out, &why), KEY_EBAD);
    assert_string_equal(why.text, "a public key cannot sign; give the private key");
    assert_int_equal(out.len, 0);
    key_free(key);
}

/* --- faults, threads --- */

static void faults(void **state) {
    static const struct {
        const char *point;
        size_t pair;
        bool signing;
    } rows[] = {{"auth_hmac", 0, false},   {"auth_hmac", 0, true}, {"auth_verify", 3, false},
                {"auth_verify", 9, false}, {"auth_sign", 3, true}, {"auth_sign", 9, true}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct key *key = private_of(rows[i].pair);
        struct buf signature = {0};
        struct reason why;
        assert_int_equal(key_sign(key, STR("data"), &signature, &why), 0);
        size_t n = signature.len;
        assert_int_equal(fault_arm(rows[i].point, -12, 0, 1), 0);
        for (int again = 0; again < 2; again++) {
            int rc = rows[i].signing ? key_sign(key, STR("data"), &signature, &why)
                                     : key_verify(key, STR("data"), buf_str(&signature), &why);
            int bad = rows[i].signing ? KEY_EBAD : KEY_ESIGNATURE;
            SAME_INT(str_of(rows[i].point), rc, again ? 0 : bad);
            if (!again)
                assert_int_equal(signature.len, n);
        }
        buf_fini(&signature);
        key_free(key);
    }
}

static void *verify_many(void *arg) {
    struct buf signature = {0};
    struct reason why;
    struct key *key = arg;
    for (int i = 0; i < 300; i++) {
        signature.len = 0;
        if (key_sign(key, STR("data"), &signature, &why) < 0 ||
            key_verify(key, STR("data"), buf_str(&signature), &why) < 0 ||
            key_verify(key, STR("date"), buf_str(&signature), &why) == 0)
            return "wrong";
    }
    buf_fini(&signature);
    return NULL;
}

static void shared_by_threads(void **state) {
    static const size_t rows[] = {0, 9};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct key *key = private_of(rows[i]);
        pthread_t threads[4];
        void *result;
        for (size_t k = 0; k < COUNT(threads); k++)
            assert_int_equal(pthread_create(&threads[k], NULL, verify_many, key), 0);
        for (size_t k = 0; k < COUNT(threads); k++) {
            pthread_join(threads[k], &result);
            assert_null(result);
        }
        key_free(key);
    }
    key_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_and_verifies),
        cmocka_unit_test(spoiled_signatures),
        cmocka_unit_test(bad_ec_signatures),
        cmocka_unit_test(ec_signatures_have_one_length),
        cmocka_unit_test(short_secrets),
        cmocka_unit_test(wrong_pems),
        cmocka_unit_test(other_pems),
        cmocka_unit_test(secrets_are_for_hmac),
        cmocka_unit_test(bad_numbers),
        cmocka_unit_test(public_keys_do_not_sign),
        cmocka_unit_test(faults),
        cmocka_unit_test(shared_by_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

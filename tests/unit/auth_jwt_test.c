/* Whole tokens: the example of RFC 7515 appendix A.1, a table of attacks (RFC 8725), times, and
 * keys that change. */
#include "auth/base64url.h"
#include "auth/jwt.h"

#include "auth/strict_json.h"
#include "auth_keys.h"
#include "base/clock.h"
#include "base/fault.h"
#include "table.h"

#include <stdio.h>

static void hmac_example(void **state) {
    static const char token[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
        "cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    struct str secret =
        STR("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUu"
            "TwjAzZr1Z9CAow");
    struct buf bytes = {0}, signed_again = {0};
    struct reason why;
    struct claims_rules rules = {.leeway = 1e12};
    json_t *claims;
    (void)state;

    assert_int_equal(base64url_decode_to(&bytes, secret), 0);
    struct key *key = key_from_secret(alg_find(STR("HS256")), buf_str(&bytes), &why);
    assert_non_null(key);
    struct jwt_policy *policy = jwt_policy_of_key(key, &rules);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(jwt_verify(policy, str_of(token), &claims, &why), 0);
        assert_string_equal(json_string_value(json_object_get(claims, "iss")), "joe");
        json_decref(claims);
    }
    assert_int_equal(jwt_sign(key, STR(""), STR("{\"iss\":\"joe\"}"), &signed_again, &why), 0);
    assert_int_equal(jwt_verify(policy, buf_str(&signed_again), &claims, &why), 0);
    json_decref(claims);
    jwt_policy_free(policy);
    buf_fini(&bytes);
    buf_fini(&signed_again);
}

/* --- attacks: each is refused, and the log knows why --- */

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }
#define SECRET "0123456789abcdef0123456789abcdef"
#define HS "{\"alg\":\"HS256\"}"
#define CLAIMS "{\"sub\":\"bob\"}"

static struct key *secret_key(const char *alg, struct str secret) {
    struct reason why;
    struct key *key = key_from_secret(alg_find(str_of(alg)), secret, &why);
    assert_non_null(key);
    return key;
}

static struct key *pem_key(const char *alg, const char *pem) {
    struct reason why;
    struct key *key = key_from_pem(alg_find(str_of(alg)), str_of(pem), &why);
    assert_non_null(key);
    return key;
}

static struct jwt_policy *policy_of(struct key *key) {
    struct claims_rules rules = {.leeway = CLAIMS_LEEWAY_S};
    return jwt_policy_of_key(key, &rules);
}

/* A token with exactly this header and payload; `key` signs, NULL: "AAAA" stands for a signature.
 */
static void forge(struct buf *out, struct str header, struct str payload, const struct key *key) {
    struct buf signature = {0};
    struct reason why;
    out->len = 0;
    base64url_encode(out, header);
    buf_add_char(out, '.');
    base64url_encode(out, payload);
    if (key)
        assert_int_equal(key_sign(key, buf_str(out), &signature, &why), 0);
    else
        buf_add(&signature, STR("\0\0\0"));
    buf_add_char(out, '.');
    base64url_encode(out, buf_str(&signature));
    buf_fini(&signature);
}

static int verify(struct jwt_policy *policy, struct str token, struct reason *why) {
    struct str copy = exact(token);
    json_t *claims = NULL;
    *why = (struct reason){""};
    int rc = jwt_verify(policy, copy, &claims, why);
    assert_true((rc == 0) == (claims != NULL));
    assert_true(rc == 0 || why->text[0] != '\0');
    json_decref(claims);
    exact_free(copy);
    return rc;
}

static void refuse(struct jwt_policy *policy, struct str token, const char *reason) {
    struct reason why;
    int rc = verify(policy, token, &why);
    if (rc != JWT_EINVALID || !strstr(why.text, reason))
        fail_msg("%.*s: %d, \"%s\", and not \"%s\"", STR_ARG(token), rc, why.text, reason);
}

/* Signed with the right key, so that nothing but what is wrong can be why. */
static void crafted_tokens(void **state) {
    static const struct {
        struct str header, payload;
        const char *reason;
    } rows[] = {
        {S(HS), S("[]"), "payload: not a JSON object"},
        {S(HS), S("\"bob\""), "payload: not JSON"},
        {S(HS), S("x"), "payload: not JSON"},
        {S(HS), S("{\"sub\":\"bob\",\"sub\":\"eve\"}"), "duplicate object key"},
        {S(HS), S("{\"sub\":\"bob\",\"s\\u0075b\":\"eve\"}"), "duplicate object key"},
        {S(HS), S("{\"a\":{\"b\":1,\"b\":2}}"), "duplicate object key"},
        {S(HS), S("{\"exp\":1e999}"), "exp is no number"},
        {S(HS), S("{\"exp\":\"1e999\"}"), "exp is no number"},
        {S(HS), S("{\"sub\":\"bob\\u0000eve\"}"), "sub holds NUL"},
        {S(HS), S("{\"sub\":7}"), "sub is no string"},
        {S(HS), S("{\"sub\":null}"), "sub is no string"},
        {S(HS), S("{\"sub\":{}}"), "sub is no string"},
        {S(HS), S("{\"sub\":\"bob\0eve\"}"), "not JSON"},
        {S(HS), S(CLAIMS "\0"), "not JSON"},
        {S(HS), S("{\"sub\":\"\xff\"}"), "not JSON"},
        {S("{\"alg\":\"HS256\",\"alg\":\"HS256\"}"), S(CLAIMS), "duplicate object key"},
        {S("{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}"), S(CLAIMS), "crit"},
        {S("{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}"), S(CLAIMS), "crit"},
        {S("{\"alg\":\"HS384\"}"), S(CLAIMS), "alg is HS384, the key's is HS256"},
        {S("{\"alg\":\"RS256\"}"), S(CLAIMS), "alg is RS256, the key's is HS256"},
        {S("{\"alg\":\"ES256\"}"), S(CLAIMS), "alg is ES256, the key's is HS256"},
        {S("{\"alg\":\"hs256\"}"), S(CLAIMS), "alg is \"hs256\""},
        {S("{\"alg\":\"HS256\\u0000\"}"), S(CLAIMS), "header: alg is"},
        {S("{\"alg\":\"HS256 \"}"), S(CLAIMS), "alg is \"HS256 \""},
        {S("{\"typ\":\"JWT\"}"), S(CLAIMS), "alg is missing"},
        {S("{\"alg\":\"HS256\"} "), S("{}{}"), "payload: not JSON"},
    };
    struct key *key = secret_key("HS256", STR(SECRET));
    struct jwt_policy *policy = policy_of(key);
    struct buf token = {0};
    struct reason why;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        forge(&token, rows[i].header, rows[i].payload, key);
        refuse(policy, buf_str(&token), rows[i].reason);
    }
    forge(&token, STR(HS), STR(CLAIMS), key);
    assert_int_equal(verify(policy, buf_str(&token), &why), 0);
    buf_fini(&token);
    jwt_policy_free(policy);
}

/* "none" in all 16 mixtures of cases, with no signature, some, and the right one. */
/* What a claim holds that nobody asks for is no reason to refuse the token. */
static void unread_claims(void **state) {
    static const struct str rows[] = {
        S("{\"a\":18446744073709551615}"),
        S("{\"a\":1e400}"),
        S("{\"a\":\"\\u0000\"}"),
        S("{\"exp\":99999999999999999999999}"),
        S("{\"a\":[-1e400,{\"b\":-18446744073709551615}]}"),
    };
    struct key *key = secret_key("HS256", STR(SECRET));
    struct jwt_policy *policy = policy_of(key);
    struct buf token = {0};
    struct reason why;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        forge(&token, STR(HS), rows[i], key);
        SAME_INT(rows[i], verify(policy, buf_str(&token), &why), 0);
    }
    buf_fini(&token);
    jwt_policy_free(policy);
}

static void none(void **state) {
    struct key *key = secret_key("HS256", STR(SECRET));
    struct jwt_policy *policy = policy_of(key);
    struct buf token = {0};
    (void)state;
    for (unsigned mask = 0; mask < 16; mask++) {
        char header[] = "{\"alg\":\"none\"}", reason[] = "alg is \"none\"";
        for (int i = 0; i < 4; i++)
            if (mask >> i & 1) {
                header[8 + i] ^= 0x20;
                reason[8 + i] ^= 0x20;
            }
        forge(&token, str_of(header), STR(CLAIMS), key);
        refuse(policy, buf_str(&token), reason);
        forge(&token, str_of(header), STR(CLAIMS), NULL);
        refuse(policy, buf_str(&token), reason);
        token.len -= 4;
        refuse(policy, buf_str(&token), "the signature is empty");
        token.len -= 1;
        refuse(policy, buf_str(&token), "not three parts");
    }
    buf_fini(&token);
    jwt_policy_free(policy);
}

/* The public key's text as the secret of an HMAC: what libraries fall for that believe "alg". */
static void public_key_as_secret(void **state) {
    static const struct {
        const char *alg, *pem;
    } rows[] = {{"RS256", key_rsa_public},
                {"PS256", key_rsa_public},
                {"ES256", key_p256_public},
                {"ES256", key_p256_certificate},
                {"EdDSA", key_ed25519_public}};
    static const char *const macs[] = {"HS256", "HS384", "HS512"};
    struct buf token = {0};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct jwt_policy *policy = policy_of(pem_key(rows[i].alg, rows[i].pem));
        for (size_t k = 0; k < COUNT(macs); k++)
            for (int newline = 0; newline < 2; newline++) {
                char header[32], reason[64];
                struct str text = str_of(rows[i].pem);
                struct key *key =
                    secret_key(macs[k], (struct str){text.ptr, text.len - (size_t)newline});
                snprintf(header, sizeof header, "{\"alg\":\"%s\"}", macs[k]);
                snprintf(reason, sizeof reason, "alg is %s, the key's is %s", macs[k], rows[i].alg);
                forge(&token, str_of(header), STR(CLAIMS), key);
                refuse(policy, buf_str(&token), reason);
                snprintf(header, sizeof header, "{\"alg\":\"%s\"}", rows[i].alg);
                forge(&token, str_of(header), STR(CLAIMS), key);
                refuse(policy, buf_str(&token), "the signature");
                key_free(key);
            }
        jwt_policy_free(policy);
    }
    buf_fini(&token);
}

/* A key that the token brings along is not looked at, whatever the header calls it. */
static void embedded_keys(void **state) {
    static const char *const rows[] = {
        "{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}}",
        "{\"alg\":\"RS256\",\"jku\":\"https://evil.example/keys\"}",
        "{\"alg\":\"RS256\",\"x5u\":\"https://evil.example/cert\"}",
        "{\"alg\":\"RS256\",\"x5c\":[\"MIIB\"]}",
        "{\"alg\":\"RS256\",\"kid\":\"/dev/null\"}",
        "{\"alg\":\"RS256\",\"kid\":\"x' UNION SELECT 'secret\"}",
    };
    struct key *theirs = pem_key("RS512", key_rsa);
    struct jwt_policy *policy = policy_of(pem_key("RS256", key_rsa_public));
    struct key *ours = pem_key("RS256", key_rsa);
    struct buf token = {0};
    struct reason why;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        forge(&token, str_of(rows[i]), STR(CLAIMS), theirs);
        refuse(policy, buf_str(&token), "the signature is wrong");
        forge(&token, str_of(rows[i]), STR(CLAIMS), ours);
        assert_int_equal(verify(policy, buf_str(&token), &why), 0);
    }
    buf_fini(&token);
    key_free(ours);
    key_free(theirs);
    jwt_policy_free(policy);
}

/* A right token of each family, spoiled at its edges. */
static void spoiled_tokens(void **state) {
    static const struct {
        const char *alg, *pem;
    } rows[] = {{"HS256", NULL}, {"RS256", key_rsa}, {"ES256", key_p256}, {"EdDSA", key_ed25519}};
    struct buf token = {0}, bad = {0};
    struct reason why;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct key *key =
            rows[i].pem ? pem_key(rows[i].alg, rows[i].pem) : secret_key("HS256", STR(SECRET));
        struct jwt_policy *policy = policy_of(key);
        token.len = 0;
        assert_int_equal(jwt_sign(key, STR(""), STR(CLAIMS), &token, &why), 0);
        struct str all = buf_str(&token);
        assert_int_equal(verify(policy, all, &why), 0);
        for (size_t n = 0; n < all.len; n++)
            assert_int_equal(verify(policy, (struct str){all.ptr, n}, &why), JWT_EINVALID);
        static const struct str tails[] = {S("."),  S("="), S("=="), S("A"),    S("AA"),
                                           S("\n"), S(" "), S("\0"), S(".AAAA")};
        for (size_t k = 0; k < COUNT(tails); k++) {
            bad.len = 0;
            buf_add(&bad, all);
            buf_add(&bad, tails[k]);
            assert_int_equal(verify(policy, buf_str(&bad), &why), JWT_EINVALID);
            bad.len = 0;
            buf_add(&bad, tails[k]);
            buf_add(&bad, all);
            assert_int_equal(verify(policy, buf_str(&bad), &why), JWT_EINVALID);
        }
        /* each character another; the last one's spare bits too, which lenient decoders drop */
        for (size_t at = 0; at < all.len; at++) {
            char was = token.data[at];
            token.data[at] = was == 'A' ? 'B' : 'A';
            assert_int_equal(verify(policy, all, &why), JWT_EINVALID);
            token.data[at] = was;
        }
        assert_int_equal(verify(policy, all, &why), 0);
        jwt_policy_free(policy);
    }
    buf_fini(&token);
    buf_fini(&bad);
}

/* ECDSA: r and s of zero (CVE-2022-21449), DER, the other half of an ES512 pair, another curve. */
static void bad_ec_signatures(void **state) {
    struct jwt_policy *policy = policy_of(pem_key("ES256", key_p256_public));
    struct key *other = pem_key("ES384", key_p384);
    struct buf token = {0};
    char zeroes[64] = {0};
    (void)state;
    buf_add(&token, STR("eyJhbGciOiJFUzI1NiJ9.e30."));
    base64url_encode(&token, (struct str){zeroes, sizeof zeroes});
    refuse(policy, buf_str(&token), "the signature is wrong");
    forge(&token, STR("{\"alg\":\"ES256\"}"), STR(CLAIMS), other);
    refuse(policy, buf_str(&token), "the signature has 96 bytes, one of ES256 has 64");
    forge(&token, STR("{\"alg\":\"ES384\"}"), STR(CLAIMS), other);
    refuse(policy, buf_str(&token), "alg is ES384, the key's is ES256");
    key_free(other);
    buf_fini(&token);
    jwt_policy_free(policy);
}

static void length(void **state) {
    struct key *key = secret_key("HS256", STR(SECRET));
    struct jwt_policy *policy = policy_of(key);
    struct buf payload = {0}, token = {0};
    struct reason why;
    int reached = 0;
    (void)state;
    for (int n = JWS_MAX / 4 * 3 - 100; n < JWS_MAX / 4 * 3; n++) {
        payload.len = 0;
        buf_printf(&payload, "{\"a\":\"%0*d\"}", n, 0);
        forge(&token, STR(HS), buf_str(&payload), key);
        if (token.len <= JWS_MAX)
            assert_int_equal(verify(policy, buf_str(&token), &why), 0);
        else
            refuse(policy, buf_str(&token), "longer than 65536 bytes");
        reached |= token.len == JWS_MAX ? 1 : token.len == JWS_MAX + 1 ? 2 : 0;
    }
    assert_int_not_equal(reached, 0);
    /* nothing but brackets, as deep as a token can hold */
    payload.len = 0;
    for (int i = 0; i < 6000; i++)
        buf_add_char(&payload, '[');
    forge(&token, STR(HS), buf_str(&payload), key);
    refuse(policy, buf_str(&token), "maximum parsing depth reached");
    buf_fini(&payload);
    buf_fini(&token);
    jwt_policy_free(policy);
}

/* --- what is not an attack --- */

static void times(void **state) {
    struct key *key = secret_key("HS256", STR(SECRET));
    struct jwt_policy *policy = policy_of(key);
    struct reason why;
    struct buf token = {0}, claims = {0};
    (void)state;
    clock_freeze();
    long long now = clock_wall_s();
    buf_printf(&claims, "{\"exp\":%lld}", now + 100);
    assert_int_equal(jwt_sign(key, STR(""), buf_str(&claims), &token, &why), 0);
    assert_int_equal(verify(policy, buf_str(&token), &why), 0);
    clock_advance_ns(129000000000ull);
    assert_int_equal(verify(policy, buf_str(&token), &why), 0);
    clock_advance_ns(1000000000ull);
    assert_int_equal(verify(policy, buf_str(&token), &why), JWT_EEXPIRED);
    assert_non_null(strstr(why.text, "the leeway is 30 s"));
    clock_thaw();
    buf_fini(&claims);
    buf_fini(&token);
    jwt_policy_free(policy);
}

/* A header longer than what a policy remembers, and turns of two headers. */
static void headers_take_turns(void **state) {
    struct key *key = secret_key("HS256", STR(SECRET));
    struct jwt_policy *policy = policy_of(key);
    struct buf one = {0}, two = {0}, long_header = {0}, three = {0};
    struct reason why;
    (void)state;
    forge(&one, STR(HS), STR(CLAIMS), key);
    forge(&two, STR("{\"alg\":\"HS256\",\"kid\":\"a\"}"), STR(CLAIMS), key);
    buf_printf(&long_header, "{\"alg\":\"HS256\",\"x\":\"%0500d\"}", 0);
    forge(&three, buf_str(&long_header), STR(CLAIMS), key);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(verify(policy, buf_str(&one), &why), 0);
        assert_int_equal(verify(policy, buf_str(i % 2 ? &one : &two), &why), 0);
        assert_int_equal(verify(policy, buf_str(&three), &why), 0);
    }
    buf_fini(&one);
    buf_fini(&two);
    buf_fini(&three);
    buf_fini(&long_header);
    jwt_policy_free(policy);
    jwt_policy_free(NULL);
}

static void sign_refuses(void **state) {
    struct key *key = secret_key("HS256", STR(SECRET));
    struct buf out = {0};
    struct reason why;
    (void)state;
    buf_add(&out, STR("kept"));
    assert_int_equal(jwt_sign(key, STR(""), STR("[]"), &out, &why), STRICT_JSON_EBAD);
    assert_int_equal(jwt_sign(key, STR(""), STR("{\"a\":1,\"a\":2}"), &out, &why),
                     STRICT_JSON_EBAD);
    fault_arm("auth_hmac", -12, 0, 1);
    assert_int_equal(jwt_sign(key, STR(""), STR("{}"), &out, &why), KEY_EBAD);
    SAME_STR(STR(""), buf_str(&out), STR("kept"));
    buf_fini(&out);
    key_free(key);
}

/* --- keys that come and go --- */

struct ring {
    struct key_source source;
    int missed;
};

static struct jwks *set_with(const char *kid) {
    struct buf text = {0};
    struct reason why;
    struct jwks *jwks = NULL;
    buf_printf(&text,
               "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"%s\","
               "\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]}",
               kid);
    assert_int_equal(jwks_parse(buf_str(&text), NULL, NULL, NULL, &jwks, &why), 0);
    buf_fini(&text);
    return jwks;
}

static void ring_poll(struct key_source *source, uint64_t now_ms) {
    (void)source, (void)now_ms;
}

/* Has "new" once somebody has missed it. */
static void ring_missed(struct key_source *source, uint64_t now_ms) {
    (void)now_ms;
    if (((struct ring *)source)->missed++ == 0)
        key_source_publish(source, set_with("new"));
}

static void ring_free(struct key_source *source) {
    (void)source;
}

static const struct key_source_ops ring_ops = {ring_poll, ring_missed, ring_free};

static void keys_are_turned_over(void **state) {
    struct ring ring = {.missed = 0};
    struct claims_rules rules = {0};
    struct key *key = secret_key("HS256", STR(SECRET));
    struct buf old = {0}, new = {0}, unknown = {0};
    struct reason why;
    (void)state;
    key_source_init(&ring.source, &ring_ops, set_with("old"));
    struct jwt_policy *policy = jwt_policy_of_source(&ring.source, &rules);
    assert_int_equal(jwt_sign(key, STR("old"), STR(CLAIMS), &old, &why), 0);
    assert_int_equal(jwt_sign(key, STR("new"), STR(CLAIMS), &new, &why), 0);
    assert_int_equal(jwt_sign(key, STR("../../dev/null"), STR(CLAIMS), &unknown, &why), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(verify(policy, buf_str(&old), &why), 0);
    assert_int_equal(ring.missed, 0);
    assert_int_equal(verify(policy, buf_str(&new), &why), 0);
    assert_int_equal(ring.missed, 1);
    refuse(policy, buf_str(&old), "no key has the kid \"old\""); /* though it was remembered */
    refuse(policy, buf_str(&unknown), "no key has the kid \"../../dev/null\"");
    assert_int_equal(ring.missed, 3);
    assert_int_equal(verify(policy, buf_str(&new), &why), 0);
    key_free(key);
    jwt_policy_free(policy);
    buf_fini(&old);
    buf_fini(&new);
    buf_fini(&unknown);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hmac_example),
        cmocka_unit_test(crafted_tokens),
        cmocka_unit_test(unread_claims),
        cmocka_unit_test(none),
        cmocka_unit_test(public_key_as_secret),
        cmocka_unit_test(embedded_keys),
        cmocka_unit_test(spoiled_tokens),
        cmocka_unit_test(bad_ec_signatures),
        cmocka_unit_test(length),
        cmocka_unit_test(times),
        cmocka_unit_test(headers_take_turns),
        cmocka_unit_test(sign_refuses),
        cmocka_unit_test(keys_are_turned_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

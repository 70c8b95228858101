/* The whole verifier: tokens of any bytes against each family of keys; headers and payloads of any
 * bytes under a right signature, so that what is behind it is reached; sets of keys. A reason is
 * always given, twice the same answer, and what is accepted can be written only one way. */
#include "auth/base64url.h"
#include "auth/jwt.h"
#include "auth/strict_json.h"

#include "fuzz.h"

#define KEYS                                                                                       \
    "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"h\","                                 \
    "\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"                                      \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"o\","                                          \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"                                      \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"e\","                                             \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                                       \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"                                      \
    "{\"kty\":\"RSA\",\"alg\":\"PS256\",\"kid\":\"r\",\"e\":\"AQAB\",\"n\":"                       \
    "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"    \
    "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2" \
    "QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6"  \
    "WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\"}]}"

static void skipped(void *arg, size_t place, struct str kid, const char *why) {
    (void)kid;
    CHECK(place > 0 && why[0] != '\0');
    ++*(size_t *)arg;
}

static struct key *our_key(void) {
    struct reason why;
    return key_from_secret(alg_find(STR("HS256")), STR("0123456789abcdef0123456789abcdef"), &why);
}

/* A part that was accepted, written again, is the same text. */
static void check_canonical(struct str part) {
    struct buf bytes = {0}, text = {0};
    CHECK(base64url_decode_to(&bytes, part) == 0);
    base64url_encode(&text, buf_str(&bytes));
    CHECK(str_eq(buf_str(&text), part));
    buf_fini(&bytes);
    buf_fini(&text);
}

static int verify(struct jwt_policy *policy, struct str token) {
    struct reason why = {""};
    json_t *claims = NULL;
    int rc = jwt_verify(policy, token, &claims, &why);
    CHECK(rc == 0 || rc == JWT_EINVALID || rc == JWT_EEXPIRED || rc == JWT_EFORBIDDEN);
    if (rc < 0) {
        CHECK(why.text[0] != '\0' && claims == NULL);
        return rc;
    }
    struct jws jws;
    CHECK(json_is_object(claims) && jws_split(token, &jws, &why) == 0);
    check_canonical(jws.header);
    check_canonical(jws.payload);
    check_canonical(jws.signature);
    json_decref(claims);
    return 0;
}

/* The second time the header may be remembered. */
static void verify_twice(struct jwt_policy *policy, struct str token) {
    int rc = verify(policy, token);
    CHECK(verify(policy, token) == rc);
}

static void any_token(struct str token) {
    size_t left_out = 0;
    struct jwks *jwks;
    struct reason why;
    struct jws jws;
    struct jws_header header;
    bool unknown;
    CHECK(jwks_parse(STR(KEYS), NULL, skipped, &left_out, &jwks, &why) == 0 && left_out == 0);
    if (jws_split(token, &jws, &why) == 0 && jws_header_parse(jws.header, &header, &why) == 0) {
        struct str kid = {header.has_kid ? header.kid : NULL, header.kid_len};
        const struct key *key = jwks_find(jwks, header.alg, kid, &unknown, &why);
        CHECK(!key || key_alg(key) == header.alg);
        if (key)
            jws_verify(&jws, key, &why);
    }
    jwks_unref(jwks);
}

static void signed_token(struct str header, struct str payload) {
    struct claims_rules rules = {json_pack("[s]", "me"), json_pack("[s]", "you"),
                                 json_pack("{si}", "n", 1), 30};
    struct claims_rules none = {0};
    struct jwt_policy *strict = jwt_policy_of_key(our_key(), &rules);
    struct jwt_policy *loose = jwt_policy_of_key(our_key(), &none);
    struct buf token = {0}, signature = {0};
    struct key *key = our_key();
    struct reason why;
    base64url_encode(&token, header);
    buf_add_char(&token, '.');
    base64url_encode(&token, payload);
    CHECK(key_sign(key, buf_str(&token), &signature, &why) == 0);
    buf_add_char(&token, '.');
    base64url_encode(&token, buf_str(&signature));
    verify_twice(strict, buf_str(&token));
    verify_twice(loose, buf_str(&token));
    key_free(key);
    jwt_policy_free(strict);
    jwt_policy_free(loose);
    buf_fini(&token);
    buf_fini(&signature);
}

static void any_set(struct str text, const struct alg *only) {
    size_t left_out = 0;
    struct jwks *jwks = NULL;
    struct reason why = {""};
    int rc = jwks_parse(text, only, skipped, &left_out, &jwks, &why);
    CHECK(rc == 0 ? jwks_count(jwks) > 0 : rc == JWKS_EBAD && !jwks && why.text[0] != '\0');
    jwks_unref(jwks);
}

/* What it is; then a token, or a header whose length comes first and a payload, or a set. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    uint8_t kind = take_byte(&in);
    struct str header = kind % 4 == 1 ? take_piece(&in) : take(&in, 0), rest = take(&in, in.left);
    if (kind % 4 == 0)
        any_token(rest);
    else if (kind % 4 == 1)
        signed_token(header, rest);
    else
        any_set(rest, kind % 4 == 2 ? NULL : alg_find(STR("RS256")));
    give_back(header);
    give_back(rest);
    return 0;
}

/* Keys as JSON: RFC 7517 sections 4 and 9.3, RFC 7518 section 6, RFC 8037 section 2. What a key is
 * for is what it says itself, else what the caller says, else its curve; never a guess. */
#include "auth/jwk.h"

#include "table.h"

#define P256                                                                                       \
    "\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\",\"y\":"                                 \
    "\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""
#define ED25519 "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define RSA                                                                                        \
    "\"n\":"                                                                                       \
    "\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"    \
    "BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"     \
    "FDW2Qv"                                                                                       \
    "zqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"                  \
    "bFTWhAI4vMQFh6WeZu0"                                                                          \
    "fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\""
#define OCT "\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"" /* 32 bytes */

static void table(void **state) {
    static const struct {
        const char *json, *only, *alg, *reason; /* `alg` or `reason` */
    } rows[] = {
        {"{\"kty\":\"EC\",\"crv\":\"P-256\"," P256 "}", NULL, "ES256", NULL},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\"," P256 "}", "ES256", "ES256", NULL},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\"," P256 ",\"alg\":\"ES256\"}", NULL, "ES256", NULL},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\"," P256 "}", "ES384", NULL, "its curve is for ES256"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\"," P256 ",\"alg\":\"ES384\"}", NULL, NULL,
         "its curve is for ES256, not for ES384"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\"," P256 ",\"alg\":\"HS256\"}", NULL, NULL,
         "its curve is for ES256, not for HS256"},
        {"{\"kty\":\"EC\",\"crv\":\"P-384\"," P256 "}", NULL, NULL,
         "a coordinate has 32 bytes, ES384 needs 48"},
        {"{\"kty\":\"EC\",\"crv\":\"secp256k1\"," P256 "}", NULL, NULL, "\"crv\" is none of"},
        {"{\"kty\":\"EC\",\"crv\":\"Ed25519\"," P256 "}", NULL, NULL, "\"crv\" is none of"},
        {"{\"kty\":\"EC\"," P256 "}", NULL, NULL, "\"crv\" is none of"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\"}", NULL, NULL, "\"y\" is missing"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":5,\"y\":\"AAAA\"}", NULL, NULL,
         "\"x\" is missing"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," ED25519 "}", NULL, "EdDSA", NULL},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"," ED25519 ",\"d\":\"AA\"}", NULL, "EdDSA", NULL},
        {"{\"kty\":\"OKP\",\"crv\":\"X25519\"," ED25519 "}", NULL, NULL, "\"crv\" is none of"},
        {"{\"kty\":\"OKP\",\"crv\":\"P-256\"," P256 "}", NULL, NULL, "\"crv\" is none of"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", NULL, NULL, "\"x\" is missing"},
        {"{\"kty\":\"RSA\"," RSA ",\"alg\":\"RS256\"}", NULL, "RS256", NULL},
        {"{\"kty\":\"RSA\"," RSA ",\"alg\":\"PS512\",\"use\":\"sig\"}", NULL, "PS512", NULL},
        {"{\"kty\":\"RSA\"," RSA "}", "RS384", "RS384", NULL},
        {"{\"kty\":\"RSA\"," RSA "}", NULL, NULL, "it names no \"alg\""},
        {"{\"kty\":\"RSA\"," RSA ",\"alg\":\"RS256\"}", "PS256", NULL,
         "it is for RS256, and only PS256 is wanted"},
        {"{\"kty\":\"RSA\"," RSA ",\"alg\":\"HS256\"}", NULL, NULL,
         "\"kty\" RSA does not fit HS256"},
        {"{\"kty\":\"RSA\"," RSA "}", "HS256", NULL, "\"kty\" RSA does not fit HS256"},
        {"{\"kty\":\"RSA\"," RSA ",\"alg\":\"RSA-OAEP\"}", NULL, NULL, "\"alg\" is none of"},
        {"{\"kty\":\"RSA\"," RSA ",\"alg\":null}", "RS256", "RS256", NULL},
        {"{\"kty\":\"RSA\"," RSA ",\"alg\":\"none\"}", NULL, NULL, "\"alg\" is none of"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"alg\":\"RS256\"}", NULL, NULL, "bits"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"alg\":\"RS256\"}", NULL, NULL, "\"e\" is missing"},
        {"{\"kty\":\"RSA\",\"n\":\"AQAB=\",\"alg\":\"RS256\"}", NULL, NULL,
         "\"n\" is missing or not"},
        {"{\"kty\":\"oct\"," OCT ",\"alg\":\"HS256\"}", NULL, "HS256", NULL},
        {"{\"kty\":\"oct\"," OCT "}", "HS256", "HS256", NULL},
        {"{\"kty\":\"oct\"," OCT "}", NULL, NULL, "it names no \"alg\""},
        {"{\"kty\":\"oct\"," OCT ",\"alg\":\"HS512\"}", NULL, NULL, "the secret has 32 bytes"},
        {"{\"kty\":\"oct\"," OCT ",\"alg\":\"RS256\"}", NULL, NULL, "\"kty\" oct does not fit"},
        {"{\"kty\":\"oct\",\"k\":\"\",\"alg\":\"HS256\"}", NULL, NULL, "\"k\" is missing"},
        {"{\"kty\":\"OCT\"," OCT ",\"alg\":\"HS256\"}", NULL, NULL, "\"kty\" is none of"},
        {"{" OCT ",\"alg\":\"HS256\"}", NULL, NULL, "\"kty\" is none of"},
        {"{\"kty\":5}", NULL, NULL, "\"kty\" is none of"},
        {"[]", NULL, NULL, "it is no JSON object"},
        {"null", NULL, NULL, "it is no JSON object"},
        /* "use" and "key_ops" (RFC 7517 sections 4.2 and 4.3) */
        {"{\"kty\":\"oct\"," OCT ",\"alg\":\"HS256\",\"use\":null,\"key_ops\":null}", NULL, "HS256",
         NULL},
        {"{\"kty\":\"oct\"," OCT ",\"alg\":\"HS256\",\"use\":\"enc\"}", NULL, NULL,
         "\"use\" is not"},
        {"{\"kty\":\"oct\"," OCT ",\"alg\":\"HS256\",\"use\":5}", NULL, NULL, "\"use\" is not"},
        {"{\"kty\":\"oct\"," OCT ",\"alg\":\"HS256\",\"key_ops\":[\"sign\",\"verify\"]}", NULL,
         "HS256", NULL},
        {"{\"kty\":\"oct\"," OCT ",\"alg\":\"HS256\",\"key_ops\":[\"sign\",5]}", NULL, NULL,
         "\"key_ops\" lacks"},
        {"{\"kty\":\"oct\"," OCT ",\"alg\":\"HS256\",\"key_ops\":\"verify\"}", NULL, NULL,
         "\"key_ops\" lacks"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct reason why = {""};
        json_t *object = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
        const struct alg *only = rows[i].only ? alg_find(str_of(rows[i].only)) : NULL;
        struct key *key = jwk_parse(object, only, &why);
        if (rows[i].alg)
            SAME_STR(str_of(rows[i].json), str_of(key ? key_alg(key)->name : why.text),
                     str_of(rows[i].alg));
        else if (key || !strstr(why.text, rows[i].reason))
            fail_msg("row %s: %s", rows[i].json, why.text);
        key_free(key);
        json_decref(object);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

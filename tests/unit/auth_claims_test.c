/* RFC 7519 section 4.1: each claim against its rule, at its borders. Now is 1000000. */
#include "auth/claims.h"

#include "table.h"

#define NOW 1000000.0

static json_t *parse(const char *text) {
    json_error_t error;
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, &error) : NULL;
    assert_true(!text || value);
    return value;
}

static void table(void **state) {
    static const char one[] = "[\"https://a\"]", two[] = "[\"https://a\",\"https://b\"]";
    static const struct {
        const char *claims, *issuers, *audiences, *required;
        double leeway;
        int rc;
        const char *reason;
    } rows[] = {
        {"{}", NULL, NULL, NULL, 0, 0, ""},
        /* exp: on or after which the token must not be accepted (4.1.4) */
        {"{\"exp\":1000001}", NULL, NULL, NULL, 0, 0, ""},
        {"{\"exp\":1000000}", NULL, NULL, NULL, 0, CLAIMS_EEXPIRED,
         "expired 0 s ago, the leeway is 0 s"},
        {"{\"exp\":1000000.5}", NULL, NULL, NULL, 0, 0, ""},
        {"{\"exp\":999999.5}", NULL, NULL, NULL, 0, CLAIMS_EEXPIRED, "expired 0.5 s ago"},
        {"{\"exp\":999971}", NULL, NULL, NULL, 30, 0, ""},
        {"{\"exp\":999970}", NULL, NULL, NULL, 30, CLAIMS_EEXPIRED,
         "expired 30 s ago, the leeway is 30 s"},
        {"{\"exp\":1e308}", NULL, NULL, NULL, 0, 0, ""},
        {"{\"exp\":9223372036854775807}", NULL, NULL, NULL, 0, 0, ""},
        {"{\"exp\":-1e308}", NULL, NULL, NULL, 30, CLAIMS_EEXPIRED, "expired 1e+308 s ago"},
        {"{\"exp\":0}", NULL, NULL, NULL, 30, CLAIMS_EEXPIRED, "expired 1000000 s ago"},
        {"{\"exp\":\"2000000\"}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "exp is no number"},
        {"{\"exp\":null}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "exp is no number"},
        {"{\"exp\":true}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "exp is no number"},
        {"{\"exp\":[2000000]}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "exp is no number"},
        /* nbf: before which it must not be (4.1.5) */
        {"{\"nbf\":1000000}", NULL, NULL, NULL, 0, 0, ""},
        {"{\"nbf\":1000000.5}", NULL, NULL, NULL, 0, CLAIMS_EINVALID,
         "nbf is 0.5 s in the future, the leeway is 0 s"},
        {"{\"nbf\":1000030}", NULL, NULL, NULL, 30, 0, ""},
        {"{\"nbf\":1000031}", NULL, NULL, NULL, 30, CLAIMS_EINVALID,
         "nbf is 31 s in the future, the leeway is 30 s"},
        {"{\"nbf\":-5}", NULL, NULL, NULL, 0, 0, ""},
        {"{\"nbf\":\"0\"}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "nbf is no number"},
        /* iat: a clock that is ahead of ours by more than the leeway */
        {"{\"iat\":1000030}", NULL, NULL, NULL, 30, 0, ""},
        {"{\"iat\":1000031}", NULL, NULL, NULL, 30, CLAIMS_EINVALID,
         "iat is 31 s in the future, the leeway is 30 s: are the clocks right?"},
        {"{\"iat\":{}}", NULL, NULL, NULL, 30, CLAIMS_EINVALID, "iat is no number"},
        /* sub: a string, if it is there (4.1.2) */
        {"{\"sub\":\"\"}", NULL, NULL, NULL, 0, 0, ""},
        {"{\"sub\":\"7\"}", NULL, NULL, NULL, 0, 0, ""},
        {"{\"sub\":7}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "sub is no string"},
        {"{\"sub\":null}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "sub is no string"},
        {"{\"sub\":true}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "sub is no string"},
        {"{\"sub\":[\"bob\"]}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "sub is no string"},
        {"{\"sub\":{\"a\":1}}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "sub is no string"},
        {"{\"sub\":7,\"exp\":1}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "sub is no string"},
        /* iss: a string, compared exactly (4.1.1) */
        {"{\"iss\":\"https://a\"}", one, NULL, NULL, 0, 0, ""},
        {"{\"iss\":\"https://b\"}", two, NULL, NULL, 0, 0, ""},
        {"{\"iss\":\"https://a/\"}", one, NULL, NULL, 0, CLAIMS_EINVALID, "iss is \"https://a/\""},
        {"{\"iss\":\"HTTPS://A\"}", one, NULL, NULL, 0, CLAIMS_EINVALID, "iss is"},
        {"{}", one, NULL, NULL, 0, CLAIMS_EINVALID, "iss is missing or no string"},
        {"{\"iss\":[\"https://a\"]}", one, NULL, NULL, 0, CLAIMS_EINVALID, "iss is missing or no"},
        {"{\"iss\":5}", NULL, NULL, NULL, 0, 0, ""},
        /* aud: a string or an array of strings (4.1.3) */
        {"{\"aud\":\"https://a\"}", NULL, one, NULL, 0, 0, ""},
        {"{\"aud\":[\"x\",\"https://a\"]}", NULL, one, NULL, 0, 0, ""},
        {"{\"aud\":[\"x\",\"https://b\"]}", NULL, two, NULL, 0, 0, ""},
        {"{\"aud\":\"x\"}", NULL, one, NULL, 0, CLAIMS_EINVALID, "aud is \"x\""},
        {"{\"aud\":[]}", NULL, one, NULL, 0, CLAIMS_EINVALID, "aud is missing or does not name"},
        {"{\"aud\":[\"x\"]}", NULL, one, NULL, 0, CLAIMS_EINVALID, "aud is missing or"},
        {"{\"aud\":[[\"https://a\"]]}", NULL, one, NULL, 0, CLAIMS_EINVALID, "aud is missing or"},
        {"{\"aud\":{\"https://a\":1}}", NULL, one, NULL, 0, CLAIMS_EINVALID, "aud is missing or"},
        {"{}", NULL, one, NULL, 0, CLAIMS_EINVALID, "aud is missing or"},
        /* what the configuration asks for */
        {"{\"role\":\"admin\"}", NULL, NULL, "{\"role\":\"admin\"}", 0, 0, ""},
        {"{\"role\":[\"user\",\"admin\"]}", NULL, NULL, "{\"role\":\"admin\"}", 0, 0, ""},
        {"{\"role\":\"user\"}", NULL, NULL, "{\"role\":\"admin\"}", 0, CLAIMS_EFORBIDDEN,
         "the claim role is another"},
        {"{\"role\":[\"user\"]}", NULL, NULL, "{\"role\":\"admin\"}", 0, CLAIMS_EFORBIDDEN,
         "the claim role is another"},
        {"{\"role\":\"admin \"}", NULL, NULL, "{\"role\":\"admin\"}", 0, CLAIMS_EFORBIDDEN, ""},
        {"{}", NULL, NULL, "{\"role\":\"admin\"}", 0, CLAIMS_EFORBIDDEN,
         "the claim role is missing"},
        {"{\"n\":1,\"b\":true}", NULL, NULL, "{\"n\":1.0,\"b\":true}", 0, 0, ""},
        {"{\"n\":1,\"b\":false}", NULL, NULL, "{\"n\":1.0,\"b\":true}", 0, CLAIMS_EFORBIDDEN,
         "the claim b is another"},
        {"{\"n\":\"1\"}", NULL, NULL, "{\"n\":1}", 0, CLAIMS_EFORBIDDEN, "the claim n is another"},
        {"{\"l\":[1,2]}", NULL, NULL, "{\"l\":[1,2]}", 0, 0, ""},
        {"{\"b\":null}", NULL, NULL, "{\"b\":false}", 0, CLAIMS_EFORBIDDEN, "another"},
        /* of several wrongs: invalid before expired before forbidden */
        {"{\"exp\":1,\"iss\":\"x\"}", one, NULL, NULL, 0, CLAIMS_EINVALID, "iss is \"x\""},
        {"{\"exp\":1,\"nbf\":2000000}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "nbf"},
        {"{\"exp\":1,\"iat\":2000000}", NULL, NULL, NULL, 0, CLAIMS_EINVALID, "iat"},
        {"{\"exp\":1,\"aud\":\"x\"}", NULL, one, NULL, 0, CLAIMS_EINVALID, "aud"},
        {"{\"exp\":1}", NULL, NULL, "{\"role\":1}", 0, CLAIMS_EEXPIRED, "expired"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct claims_rules rules = {parse(rows[i].issuers), parse(rows[i].audiences),
                                     parse(rows[i].required), rows[i].leeway};
        json_t *claims = parse(rows[i].claims);
        struct reason why = {""};
        SAME_INT(str_of(rows[i].claims), claims_check(claims, &rules, NOW, &why), rows[i].rc);
        if (!strstr(why.text, rows[i].reason))
            fail_msg("row \"%s\": %s", rows[i].claims, why.text);
        json_decref(claims);
        claims_rules_fini(&rules);
        assert_null(rules.issuers);
    }
}

/* What a peer wrote cannot push the rest out of the reason. */
static void long_values_are_cut(void **state) {
    struct claims_rules rules = {.issuers = parse("[\"a\"]"), .audiences = parse("[\"a\"]")};
    char text[5000];
    struct reason why;
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    json_t *claims = json_pack("{ss ss}", "iss", text, "aud", text);
    assert_int_equal(claims_check(claims, &rules, NOW, &why), CLAIMS_EINVALID);
    assert_non_null(strstr(why.text, "which is not the issuer"));
    json_object_set_new(claims, "iss", json_string("a"));
    assert_int_equal(claims_check(claims, &rules, NOW, &why), CLAIMS_EINVALID);
    assert_non_null(strstr(why.text, "which is not this audience"));
    json_decref(claims);
    claims_rules_fini(&rules);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table),
        cmocka_unit_test(long_values_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whole tokens: RFC 7515 appendix A.1 first. */
#include "auth/base64url.h"
#include "auth/jwt.h"

#include "table.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(hmac_example)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The algorithms of RFC 7518 section 3.1 and RFC 8037, and no others. */
#include "auth/alg.h"

#include "table.h"

#include <ctype.h>
#include <gnutls/gnutls.h>

static const char *const names[] = {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
                                    "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"};

static void found_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct str name = exact(str_of(names[i]));
        const struct alg *alg = alg_find(name);
        assert_non_null(alg);
        assert_string_equal(alg->name, names[i]);
        assert_non_null(strstr(alg_names(), names[i]));
        exact_free(name);
    }
}

/* Every mixture of cases but the right one; "none" has no right one. */
static void case_matters(void **state) {
    (void)state;
    for (unsigned mask = 0; mask < 16; mask++) {
        char none[4] = {'n', 'o', 'n', 'e'};
        for (int i = 0; i < 4; i++)
            if (mask >> i & 1)
                none[i] = (char)toupper(none[i]);
        assert_null(alg_find((struct str){none, 4}));
    }
    for (unsigned mask = 1; mask < 32; mask++) {
        char name[5] = {'E', 'd', 'D', 'S', 'A'};
        for (int i = 0; i < 5; i++)
            if (mask >> i & 1)
                name[i] ^= 0x20;
        assert_null(alg_find((struct str){name, 5}));
    }
}

static void others_are_unknown(void **state) {
    static const char *const rows[] = {"",       "HS",       "HS1",      "HS257", "HS2560",
                                       "HS256 ", " HS256",   "ES256K",   "RSA",   "ES521",
                                       "A128KW", "RSA-OAEP", "HS256,RS", "Ed448", "dir"};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_null(alg_find(str_of(rows[i])));
    assert_null(alg_find((struct str){"HS256", 6})); /* with its NUL */
}

/* RFC 9864 section 2.2. */
static void ed25519_is_eddsa(void **state) {
    (void)state;
    assert_ptr_equal(alg_find(STR("Ed25519")), alg_find(STR("EdDSA")));
    assert_null(alg_find(STR("ED25519")));
}

/* RFC 7518 section 3.4, RFC 8037 section 3.1. */
static void curves(void **state) {
    static const struct {
        int curve;
        const char *name;
        size_t coordinate;
    } rows[] = {{GNUTLS_ECC_CURVE_SECP256R1, "ES256", 32},
                {GNUTLS_ECC_CURVE_SECP384R1, "ES384", 48},
                {GNUTLS_ECC_CURVE_SECP521R1, "ES512", 66},
                {GNUTLS_ECC_CURVE_ED25519, "EdDSA", 32}};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(alg_of_curve(rows[i].curve)->name, rows[i].name);
        assert_int_equal(alg_of_curve(rows[i].curve)->coordinate, rows[i].coordinate);
    }
    assert_null(alg_of_curve(GNUTLS_ECC_CURVE_X25519));
    assert_null(alg_of_curve(GNUTLS_ECC_CURVE_INVALID)); /* which the others have for theirs */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_name),
        cmocka_unit_test(case_matters),
        cmocka_unit_test(others_are_unknown),
        cmocka_unit_test(ed25519_is_eddsa),
        cmocka_unit_test(curves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Sets of keys (RFC 7517 section 5): what is left out, what is found. */
#include "auth/jwks.h"

#include "base/buf.h"
#include "table.h"

#define K "\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\""
#define HS(kid) "{\"kty\":\"oct\"," K ",\"alg\":\"HS256\",\"kid\":\"" kid "\"}"
#define ED(kid)                                                                                    \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\","                                                        \
    "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"kid\":\"" kid "\"}"

/* "place kid reason|" each. */
static void note(void *arg, size_t place, struct str kid, const char *why) {
    buf_printf(arg, "%zu %.*s %s|", place, STR_ARG(kid), why);
}

static struct jwks *parse(const char *text, struct buf *skipped, struct reason *why) {
    struct str copy = exact(str_of(text));
    struct jwks *jwks = NULL;
    int rc = jwks_parse(copy, NULL, note, skipped, &jwks, why);
    assert_int_equal(rc, jwks ? 0 : JWKS_EBAD);
    exact_free(copy);
    return jwks;
}

static void left_out(void **state) {
    static const struct {
        const char *text, *skipped, *reason;
        size_t count;
    } rows[] = {
        {"{\"keys\":[" HS("a") "," ED("b") "]}", "", "", 2},
        {"{\"keys\":[" HS("a") "],\"more\":1}", "", "", 1},
        {"{\"keys\":[5," HS("a") ",{\"kty\":\"RSB\",\"kid\":\"b\"}]}",
         "1  it is no JSON object|3 b \"kty\" is none of oct, RSA, EC, OKP|", "", 1},
        {"{\"keys\":[" HS("a") "," HS("a") "," ED("a") "]}",
         "2 a a key before it has the same kid and algorithm|", "", 2},
        {"{\"keys\":[{\"kty\":\"oct\"," K ",\"alg\":\"HS256\",\"kid\":5}," HS("a") "]}",
         "1  \"kid\" is no string|", "", 1},
        {"{\"keys\":[]}", "", "JWKS: none of its 0 keys can be used", 0},
        {"{\"keys\":[{}]}", "1  \"kty\" is none of oct, RSA, EC, OKP|",
         "JWKS: none of its 1 keys can be used", 0},
        {"{\"keys\":{}}", "", "JWKS: no array \"keys\"", 0},
        {"{}", "", "JWKS: no array \"keys\"", 0},
        {HS("a"), "", "JWKS: no array \"keys\"", 0},
        {"", "", "JWKS: not JSON", 0},
        {"{\"keys\":[" HS("a") "],\"keys\":[]}", "", "duplicate", 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf skipped = {0};
        struct reason why = {""};
        struct jwks *jwks = parse(rows[i].text, &skipped, &why);
        SAME_INT(str_of(rows[i].text), jwks ? (int)jwks_count(jwks) : 0, (int)rows[i].count);
        SAME_STR(str_of(rows[i].text), buf_str(&skipped), str_of(rows[i].skipped));
        assert_non_null(strstr(why.text, rows[i].reason));
        jwks_unref(jwks);
        buf_fini(&skipped);
    }
}

static void finds(void **state) {
    static const struct {
        const char *alg, *kid, *reason; /* NULL: found */
        bool unknown;
    } rows[] = {
        {"HS256", "a", NULL, false},
        {"HS256", "c", NULL, false},
        {"EdDSA", "b", NULL, false},
        {"EdDSA", "a", NULL, false}, /* the same kid, another algorithm */
        {"HS256", "b", "header: alg is HS256, the key's is EdDSA", false},
        {"RS256", "a", "header: alg is RS256, the key's is", false},
        {"HS256", "x", "header: no key has the kid \"x\"", true},
        {"HS256", "", "header: no key has the kid \"\"", true},
        {"HS256", "A", "header: no key has the kid \"A\"", true},
        {"HS256", "../a", "header: no key has the kid \"../a\"", true},
        {"HS256", NULL, "header: no kid, and 2 keys are for HS256", false},
        {"RS256", NULL, "header: alg is RS256, the key's is", false},
    };
    struct buf skipped = {0};
    struct reason why;
    struct jwks *jwks =
        parse("{\"keys\":[" HS("a") "," ED("b") "," HS("c") "," ED("a") "]}", &skipped, &why);
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        bool unknown;
        struct str kid = {rows[i].kid, rows[i].kid ? strlen(rows[i].kid) : 0};
        const struct key *key = jwks_find(jwks, alg_find(str_of(rows[i].alg)), kid, &unknown, &why);
        if ((key != NULL) != (rows[i].reason == NULL) || unknown != rows[i].unknown ||
            (!key && !strstr(why.text, rows[i].reason)))
            fail_msg("row %zu: %s", i, why.text);
        if (key)
            assert_string_equal(key_alg(key)->name, rows[i].alg);
    }
    jwks_unref(jwks);
    jwks_unref(NULL);
    buf_fini(&skipped);
}

/* A key without a kid is for tokens without one. */
static void no_kid(void **state) {
    struct buf skipped = {0};
    struct reason why;
    bool unknown;
    const struct alg *hs = alg_find(STR("HS256"));
    struct jwks *jwks =
        parse("{\"keys\":[{\"kty\":\"oct\"," K ",\"alg\":\"HS256\"}]}", &skipped, &why);
    (void)state;
    assert_non_null(jwks_find(jwks, hs, (struct str){NULL, 0}, &unknown, &why));
    assert_null(jwks_find(jwks, hs, STR("a"), &unknown, &why));
    assert_true(unknown);
    jwks_unref(jwks);
    buf_fini(&skipped);
}

/* One that was configured as itself answers to any kid, and to its own algorithm only. */
static void of_key(void **state) {
    struct reason why;
    bool unknown;
    const struct alg *hs = alg_find(STR("HS256"));
    struct key *key = key_from_secret(hs, STR("0123456789abcdef0123456789abcdef"), &why);
    struct jwks *jwks = jwks_of_key(key), *again = jwks_ref(jwks);
    (void)state;
    jwks_unref(jwks);
    assert_int_equal(jwks_count(again), 1);
    assert_ptr_equal(jwks_find(again, hs, STR("any"), &unknown, &why), key);
    assert_ptr_equal(jwks_find(again, hs, (struct str){NULL, 0}, &unknown, &why), key);
    assert_null(jwks_find(again, alg_find(STR("HS384")), STR("any"), &unknown, &why));
    assert_false(unknown);
    assert_string_equal(why.text, "header: alg is HS384, the key's is HS256");
    jwks_unref(again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(left_out),
        cmocka_unit_test(finds),
        cmocka_unit_test(no_kid),
        cmocka_unit_test(of_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

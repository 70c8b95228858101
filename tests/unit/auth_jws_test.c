/* The compact form (RFC 7515 sections 5.2, 7.1) and its header (section 4.1). */
#include "auth/jws.h"

#include "auth/base64url.h"
#include "table.h"

#include <stdio.h>

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

static void split(void **state) {
    static const struct {
        struct str token;
        const char *reason; /* NULL: well */
    } rows[] = {
        {S("a.b.c"), NULL},
        {S("a.\0.c"), NULL}, /* what stands in a part is not looked at yet */
        {S(""), "not three parts"},
        {S("a"), "not three parts"},
        {S("a.b"), "not three parts"},
        {S("a.b.c."), "not three parts"},
        {S("a.b.c.d.e"), "not three parts"}, /* JWE */
        {S("..."), "not three parts"},
        {S(".."), "the header is empty"},
        {S(".b.c"), "the header is empty"},
        {S("a..c"), "the payload is empty"}, /* detached (appendix F) */
        {S("a.b."), "the signature is empty"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str token = exact(rows[i].token);
        struct reason why = {""};
        struct jws jws;
        SAME_INT(token, jws_split(token, &jws, &why), rows[i].reason ? JWS_EBAD : 0);
        if (rows[i].reason) {
            assert_non_null(strstr(why.text, rows[i].reason));
        } else {
            SAME_STR(token, jws.header, STR("a"));
            SAME_STR(token, jws.signature, STR("c"));
            SAME_STR(token, jws.signing_input, (struct str){token.ptr, 3});
        }
        exact_free(token);
    }
}

static void length(void **state) {
    char text[JWS_MAX + 1];
    struct reason why;
    struct jws jws;
    (void)state;
    memset(text, 'A', sizeof text);
    text[10] = text[20] = '.';
    assert_int_equal(jws_split((struct str){text, JWS_MAX}, &jws, &why), 0);
    assert_int_equal(jws_split((struct str){text, JWS_MAX + 1}, &jws, &why), JWS_EBAD);
    assert_string_equal(why.text, "longer than 65536 bytes");
}

static int parse(struct str json, struct jws_header *out, struct reason *why) {
    struct buf text = {0};
    base64url_encode(&text, json);
    struct str copy = exact(buf_str(&text));
    int rc = jws_header_parse(copy, out, why);
    exact_free(copy);
    buf_fini(&text);
    return rc;
}

static void headers(void **state) {
    static const struct {
        struct str json;
        const char *alg, *kid, *reason;
    } rows[] = {
        {S("{\"alg\":\"HS256\"}"), "HS256", NULL, NULL},
        {S("{\"alg\":\"EdDSA\",\"kid\":\"a\"}"), "EdDSA", "a", NULL},
        {S("{\"alg\":\"ES256\",\"kid\":\"\"}"), "ES256", "", NULL},
        {S("{\"typ\":\"at+jwt\",\"alg\":\"RS256\",\"kid\":\"../../etc/passwd\",\"x\":[1]}"),
         "RS256", "../../etc/passwd", NULL},
        /* ignored: what a forger would put there to bring a key of its own */
        {S("{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"oct\"},\"jku\":\"http://a\",\"x5u\":\"http://a\","
           "\"x5c\":[\"a\"],\"x5t\":\"a\"}"),
         "RS256", NULL, NULL},
        {S("{}"), NULL, NULL, "alg is missing or no string"},
        {S("{\"alg\":null}"), NULL, NULL, "alg is missing or no string"},
        {S("{\"alg\":[\"HS256\"]}"), NULL, NULL, "alg is missing or no string"},
        {S("{\"alg\":5}"), NULL, NULL, "alg is missing or no string"},
        {S("{\"alg\":\"\"}"), NULL, NULL, "alg is \"\""},
        {S("{\"alg\":\"none\"}"), NULL, NULL, "alg is \"none\""},
        {S("{\"alg\":\"None\"}"), NULL, NULL, "alg is \"None\""},
        {S("{\"alg\":\"nOnE\"}"), NULL, NULL, "alg is \"nOnE\""},
        {S("{\"alg\":\"hs256\"}"), NULL, NULL, "alg is \"hs256\""},
        {S("{\"alg\":\"HS256\",\"alg\":\"none\"}"), NULL, NULL, "duplicate"},
        {S("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}"), NULL, NULL, "crit"},
        {S("{\"alg\":\"HS256\",\"crit\":[]}"), NULL, NULL, "crit"},
        {S("{\"alg\":\"HS256\",\"crit\":null}"), NULL, NULL, "crit"},
        {S("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}"), NULL, NULL, "crit"},
        {S("{\"alg\":\"HS256\",\"kid\":5}"), NULL, NULL, "kid is no string"},
        {S("{\"alg\":\"HS256\",\"kid\":null}"), NULL, NULL, "kid is no string"},
        {S("{\"alg\":\"HS256\",\"kid\":\"a\\u0000b\"}"), NULL, NULL, "header: kid holds NUL"},
        {S("[\"HS256\"]"), NULL, NULL, "not a JSON object"},
        {S("HS256"), NULL, NULL, "not JSON"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct jws_header header;
        struct reason why = {""};
        SAME_INT(rows[i].json, parse(rows[i].json, &header, &why), rows[i].reason ? JWS_EBAD : 0);
        if (rows[i].reason) {
            if (!strstr(why.text, rows[i].reason))
                fail_msg("row %zu: %s", i, why.text);
            continue;
        }
        assert_string_equal(header.alg->name, rows[i].alg);
        assert_true(header.has_kid == (rows[i].kid != NULL));
        SAME_STR(rows[i].json, (struct str){header.kid, header.kid_len}, str_of(rows[i].kid));
    }
}

static void kid_length(void **state) {
    (void)state;
    for (int n = JWS_KID_MAX; n <= JWS_KID_MAX + 1; n++) {
        struct buf json = {0};
        struct jws_header header;
        struct reason why;
        buf_printf(&json, "{\"alg\":\"HS256\",\"kid\":\"%0*d\"}", n, 0);
        int rc = parse(buf_str(&json), &header, &why);
        assert_int_equal(rc, n == JWS_KID_MAX ? 0 : JWS_EBAD);
        if (rc == 0)
            assert_int_equal(header.kid_len, JWS_KID_MAX);
        else
            assert_string_equal(why.text, "header: kid is longer than 255 bytes");
        buf_fini(&json);
    }
}

static void header_is_base64url(void **state) {
    static const char *const rows[] = {"e30=", "e31", "e 0", "%7B", "e30\n"};
    struct jws_header header;
    struct reason why;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(jws_header_parse(str_of(rows[i]), &header, &why), JWS_EBAD);
        assert_string_equal(why.text, "header: not base64url");
    }
    char *big = calloc(1, JWS_MAX + 1);
    assert_int_equal(jws_header_parse((struct str){big, JWS_MAX + 1}, &header, &why), JWS_EBAD);
    free(big);
}

static struct key *secret(void) {
    struct reason why;
    return key_from_secret(alg_find(STR("HS256")), STR("0123456789abcdef0123456789abcdef"), &why);
}

static void made(void **state) {
    struct key *key = secret();
    struct buf out = {0};
    struct reason why;
    struct jws jws;
    struct jws_header header;
    (void)state;
    buf_add(&out, STR("before"));
    assert_int_equal(jws_sign(key, STR("k\"1"), STR("any \0 bytes"), &out, &why), 0);
    buf_drop(&out, 6);
    assert_int_equal(jws_split(buf_str(&out), &jws, &why), 0);
    SAME_STR(STR(""), jws.payload, STR("YW55IAAgYnl0ZXM"));
    assert_int_equal(jws_header_parse(jws.header, &header, &why), 0);
    SAME_STR(STR(""), (struct str){header.kid, header.kid_len}, STR("k\"1"));
    assert_int_equal(jws_verify(&jws, key, &why), 0);
    jws.signature = STR("AAA=");
    assert_int_equal(jws_verify(&jws, key, &why), JWS_EBAD);
    assert_string_equal(why.text, "the signature is not base64url");
    buf_fini(&out);
    key_free(key);
}

/* The longest that is made is the longest that is taken. */
static void made_length(void **state) {
    static char payload[JWS_MAX];
    struct key *key = secret();
    struct reason why;
    struct jws jws;
    struct buf out = {0};
    size_t n = 6000;
    (void)state;
    buf_add(&out, STR("before"));
    while (jws_sign(key, STR(""), (struct str){payload, n}, &out, &why) == 0) {
        assert_int_equal(jws_split((struct str){out.data + 6, out.len - 6}, &jws, &why), 0);
        out.len = 6;
        n++;
    }
    assert_int_equal(out.len, 6);
    assert_string_equal(why.text, "the token would have 65537 bytes, 65536 are the most");
    buf_fini(&out);
    key_free(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split),       cmocka_unit_test(length),
        cmocka_unit_test(headers),     cmocka_unit_test(kid_length),
        cmocka_unit_test(made),        cmocka_unit_test(header_is_base64url),
        cmocka_unit_test(made_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

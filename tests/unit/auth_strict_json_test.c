/* What may stand in a token, and all that two parsers could read in two ways. */
#include "auth/strict_json.h"

#include "base/buf.h"
#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

static void taken(void **state) {
    static const struct str rows[] = {
        S("{}"),
        S(" {\"a\" : 1} \r\n"),
        S("{\"a\":1,\"A\":1}"),
        S("{\"a\":{\"b\":1},\"b\":{\"b\":1}}"),
        S("{\"a\":[],\"b\":null,\"c\":true,\"d\":1e300,\"e\":-1.5,\"f\":\"\xc3\xbc\\u00fc\"}"),
        S("{\"a\":9223372036854775807}"),
        S("{\"a\":\"\\ud83d\\ude00\"}"),
        S("{\"a\":\"\\u0000\"}"),
        S("{\"a\":18446744073709551615,\"b\":-9223372036854775809}"),
        S("{\"a\":1e999,\"b\":[-1e400],\"c\":\"1e999\"}"),
    };
    struct reason why = {""};
    json_t *object;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i]);
        SAME_INT(text, strict_json_parse(text, "it", &object, &why), 0);
        json_decref(object);
        exact_free(text);
    }
}

/* What no double comes near is null, and its text in a string is left alone. */
static void beyond_a_double(void **state) {
    struct str text =
        exact(STR("{\"big\":18446744073709551615,\"huge\":-1e400,\"text\":\"1e400 \\\" "
                  "1e400\",\"list\":[1e308,1e309]}"));
    struct reason why;
    json_t *object;
    (void)state;
    assert_int_equal(strict_json_parse(text, "it", &object, &why), 0);
    assert_true(json_number_value(json_object_get(object, "big")) == 0x1p64);
    assert_true(json_is_null(json_object_get(object, "huge")));
    assert_string_equal(json_string_value(json_object_get(object, "text")), "1e400 \" 1e400");
    const json_t *list = json_object_get(object, "list");
    assert_true(json_number_value(json_array_get(list, 0)) == 1e308);
    assert_true(json_is_null(json_array_get(list, 1)));
    json_decref(object);
    exact_free(text);
}

static void refused(void **state) {
    static const struct {
        struct str text;
        const char *reason;
    } rows[] = {
        {S(""), "not JSON"},
        {S("{"), "not JSON"},
        {S("{\"a\":1,}"), "not JSON"},
        {S("{'a':1}"), "not JSON"},
        {S("{a:1}"), "not JSON"},
        {S("{} {}"), "end of file expected"},
        {S("{}\0"), "NUL at byte 2"},
        {S("{\"a\":1\0}"), "NUL at byte 6"},
        {S("{\"a\":1}x"), "end of file expected"},
        {S("\xef\xbb\xbf{}"), "not JSON"}, /* a byte order mark (RFC 8259 section 8.1) */
        {S("[]"), "not a JSON object"},
        {S("[1]"), "not a JSON object"},
        {S("\"a\""), "not JSON"},
        {S("1"), "not JSON"},
        {S("null"), "not JSON"},
        {S("{\"a\":1,\"a\":1}"), "duplicate object key"},
        {S("{\"a\":1,\"\\u0061\":2}"), "duplicate object key"},
        {S("{\"x\":[{\"a\":1,\"a\":2}]}"), "duplicate object key"},
        {S("{\"\\u0000\":1}"), "NUL"},
        {S("{\"a\":\"\0\"}"), "not JSON"},
        {S("{\"a\":\"\x1f\"}"), "control character"},
        {S("{\"a\":\"\x80\"}"), "unable to decode byte"},
        {S("{\"a\":\"\xc0\xaf\"}"), "unable to decode byte"},
        {S("{\"a\":\"\xed\xa0\x80\"}"), "unable to decode byte"},
        {S("{\"a\":\"\\ud800\"}"), "Unicode"},
        {S("{\"a\":1.e999}"), "not JSON"},
        {S("{\"a\":01e999}"), "not JSON"},
        {S("{\"a\":1e999e9}"), "not JSON"},
        {S("{\"a\":1e999 1}"), "not JSON"},
        {S("{\"a\":NaN}"), "not JSON"},
        {S("{\"a\":Infinity}"), "not JSON"},
        {S("{\"a\":01}"), "not JSON"},
        {S("{\"a\":+1}"), "not JSON"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i].text);
        struct reason why = {""};
        json_t *object = NULL;
        SAME_INT(text, strict_json_parse(text, "it", &object, &why), STRICT_JSON_EBAD);
        assert_null(object);
        if (strncmp(why.text, "it: ", 4) != 0 || !strstr(why.text, rows[i].reason))
            fail_msg("row \"%.*s\": %s", STR_ARG(text), why.text);
        exact_free(text);
    }
}

/* {"a":{"a":... with so many levels; every second one an array when `arrays`. */
static void nest(struct buf *out, int levels, bool arrays) {
    for (int i = 0; i < levels; i++)
        buf_add(out, arrays && i % 2 ? STR("[") : STR("{\"a\":"));
    buf_add(out, STR("1"));
    for (int i = levels - 1; i >= 0; i--)
        buf_add(out, arrays && i % 2 ? STR("]") : STR("}"));
}

static void depth(void **state) {
    static const struct {
        int levels, rc;
        const char *reason;
    } rows[] = {{1, 0, ""},
                {STRICT_JSON_DEPTH, 0, ""},
                {STRICT_JSON_DEPTH + 1, STRICT_JSON_EBAD, "it: nested more than 32 deep"},
                {2000, STRICT_JSON_EBAD, "it: nested more than 32 deep"},
                {100000, STRICT_JSON_EBAD, "maximum parsing depth reached"}};
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        struct buf text = {0};
        struct reason why = {""};
        json_t *object = NULL;
        nest(&text, rows[i / 2].levels, i % 2);
        assert_int_equal(strict_json_parse(buf_str(&text), "it", &object, &why), rows[i / 2].rc);
        assert_non_null(strstr(why.text, rows[i / 2].reason));
        json_decref(object);
        buf_fini(&text);
    }
}

static void strings(void **state) {
    struct reason why;
    json_t *object;
    (void)state;
    assert_int_equal(
        strict_json_parse(STR("{\"a\":\"\",\"b\":\"bc\",\"n\":5}"), "it", &object, &why), 0);
    assert_non_null(strict_json_string(object, "a").ptr);
    assert_int_equal(strict_json_string(object, "a").len, 0);
    SAME_STR(STR("b"), strict_json_string(object, "b"), STR("bc"));
    assert_null(strict_json_string(object, "n").ptr);
    assert_null(strict_json_string(object, "x").ptr);
    json_decref(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken), cmocka_unit_test(beyond_a_double), cmocka_unit_test(refused),
        cmocka_unit_test(depth), cmocka_unit_test(strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

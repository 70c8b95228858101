/* base64url: RFC 4648 section 10's vectors without padding, section 5's alphabet, and all that a
 * strict decoder refuses. */
#include "auth/base64url.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

static void both_ways(void **state) {
    static const struct {
        struct str bytes;
        const char *text;
    } rows[] = {
        {S(""), ""},
        {S("f"), "Zg"},
        {S("fo"), "Zm8"},
        {S("foo"), "Zm9v"},
        {S("foob"), "Zm9vYg"},
        {S("fooba"), "Zm9vYmE"},
        {S("foobar"), "Zm9vYmFy"},
        {S("\0"), "AA"},
        {S("\xff\xff\xff"), "____"},
        {S("\xfb\xef\xbe"), "----"},
        {S("\x03\xec\xff\xe0\xc1"), "A-z_4ME"}, /* RFC 7515 appendix C */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(str_of(rows[i].text)), bytes = exact(rows[i].bytes);
        struct buf encoded = {0}, decoded = {0};
        buf_add(&encoded, STR("before"));
        base64url_encode(&encoded, bytes);
        buf_drop(&encoded, 6);
        SAME_STR(text, buf_str(&encoded), text);
        SAME_INT(text, base64url_decode_to(&decoded, text), 0);
        SAME_STR(text, buf_str(&decoded), bytes);
        buf_fini(&encoded);
        buf_fini(&decoded);
        exact_free(text);
        exact_free(bytes);
    }
}

static void refused(void **state) {
    static const struct str rows[] = {
        S("A"),      S("AAAAA"),              /* a length that none has */
        S("Zg=="),   S("Zm8="),   S("Zm9v="), /* padding */
        S("Zh"),     S("Zj"),     S("Zo"),    /* four bits too many */
        S("Zm9"),    S("Zm-"),                /* two bits too many */
        S("+/+/"),   S("Zm+v"),   S("Zm/v"),  /* the other alphabet */
        S(" Zm9v"),  S("Zm9v\n"), S("Zm 9v"), /* white space */
        S("Zm9v\0"), S("Zm\0v"),  S("\x80m9v"), S("Zm9\xff"), S("Zm9v.Zm9v"), S("Zg\0"),
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i]);
        struct buf out = {0};
        buf_add(&out, STR("before"));
        SAME_INT(text, base64url_decode_to(&out, text), -1);
        SAME_STR(text, buf_str(&out), STR("before"));
        buf_fini(&out);
        exact_free(text);
    }
}

/* Each byte at each of the four places: taken if it is in the alphabet, else refused. */
static void each_byte(void **state) {
    (void)state;
    for (int place = 0; place < 4; place++) {
        int taken = 0;
        for (int c = 0; c < 256; c++) {
            char text[4] = {'A', 'A', 'A', 'A'};
            unsigned char out[BASE64URL_BYTES(4)];
            text[place] = (char)c;
            bool in = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
            assert_int_equal(base64url_decode((struct str){text, 4}, out), in ? 3 : -1);
            taken += in;
        }
        assert_int_equal(taken, 64);
    }
}

/* A text too long for the result's type is refused before a byte of it is read. */
static void too_long(void **state) {
    unsigned char out[1];
    (void)state;
    assert_int_equal(base64url_decode((struct str){"", (size_t)1 << 31}, out), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),
        cmocka_unit_test(refused),
        cmocka_unit_test(each_byte),
        cmocka_unit_test(too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

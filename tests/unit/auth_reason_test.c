/* A reason is one line of bounded length, and passes its code on. */
#include "auth/reason.h"

#include "table.h"

static void formats(void **state) {
    struct reason why;
    (void)state;
    assert_int_equal(reason_set(&why, -7, "%s is %d", "it", 5), -7);
    assert_string_equal(why.text, "it is 5");
}

static void cuts(void **state) {
    struct reason why;
    char text[2 * REASON_TEXT];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    reason_set(&why, 0, "%s", text);
    assert_int_equal(strlen(why.text), REASON_TEXT - 1);
    text[REASON_TEXT - 1] = '\0';
    reason_set(&why, 0, "%s", text);
    assert_string_equal(why.text, text);
}

/* A wide character that the C locale cannot print: no text rather than half of one. */
static void unprintable(void **state) {
    struct reason why = {"before"};
    (void)state;
    assert_int_equal(reason_set(&why, -1, "%ls", L"\x20ac"), -1);
    assert_string_equal(why.text, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(cuts),
        cmocka_unit_test(unprintable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

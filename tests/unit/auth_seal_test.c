/* What auth/seal promises: only the same key, the same context and the very bytes open it. */
#include "auth/seal.h"

#include "base/fault.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

static const struct str key = S("0123456789abcdef0123456789abcdef");
static const struct str other = S("0123456789abcdef0123456789abcdeF");
static const struct str context = S("/events");

static void what_was_sealed_opens(void **state) {
    static const struct str rows[] = {S(""), S("t"), S("a token"), S("with\0NUL and \xff")};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i]);
        struct str sealed = {malloc(text.len + SEAL_EXTRA), text.len + SEAL_EXTRA};
        char *out = malloc(sealed.len);
        SAME_INT(text, seal_close(key, context, text, (char *)sealed.ptr), 0);
        SAME_INT(text, seal_open(key, context, sealed, out), (int)text.len);
        SAME_STR(text, ((struct str){out, text.len}), text);
        free(out);
        exact_free(sealed);
        exact_free(text);
    }
}

static void no_two_are_the_same(void **state) {
    char one[4 + SEAL_EXTRA], two[4 + SEAL_EXTRA];
    (void)state;
    assert_int_equal(seal_close(key, context, STR("text"), one), 0);
    assert_int_equal(seal_close(key, context, STR("text"), two), 0);
    assert_memory_not_equal(one, two, 12);
    assert_memory_not_equal(one + 12, two + 12, 4 + 16);
}

static void nothing_else_opens(void **state) {
    char bytes[4 + SEAL_EXTRA], out[4 + SEAL_EXTRA];
    struct str sealed = {bytes, sizeof bytes};
    (void)state;
    assert_int_equal(seal_close(key, context, STR("text"), bytes), 0);
    assert_int_equal(seal_open(other, context, sealed, out), -1);
    assert_int_equal(seal_open(key, STR("/event"), sealed, out), -1);
    assert_int_equal(seal_open(key, STR(""), sealed, out), -1);
    for (size_t len = 0; len < sizeof bytes; len++)
        assert_int_equal(seal_open(key, context, (struct str){bytes, len}, out), -1);
    for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(seal_open(key, context, sealed, out), -1);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_int_equal(seal_open(key, context, sealed, out), 4);
}

static void a_bad_key_and_a_fault_are_told(void **state) {
    char bytes[4 + SEAL_EXTRA], out[4 + SEAL_EXTRA];
    (void)state;
    assert_int_equal(seal_close(STR("short"), context, STR("text"), bytes), -1);
    assert_int_equal(seal_close(key, context, STR("text"), bytes), 0);
    assert_int_equal(seal_open(STR("short"), context, (struct str){bytes, sizeof bytes}, out), -1);
    fault_arm("auth_seal", -12, 0, 2);
    assert_int_equal(seal_close(key, context, STR("text"), out), -1);
    assert_int_equal(seal_open(key, context, (struct str){bytes, sizeof bytes}, out), -1);
    fault_reset();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_opens),
        cmocka_unit_test(no_two_are_the_same),
        cmocka_unit_test(nothing_else_opens),
        cmocka_unit_test(a_bad_key_and_a_fault_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

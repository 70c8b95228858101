/* What proto/trace promises: nothing that is not plainly right is taken. */
#include "proto/trace.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

#define ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static void a_request_id_is_sane(void **state) {
    static const struct {
        struct str value;
        bool sane;
    } rows[] = {
        {{NULL, 0}, false},
        {S(""), false},
        {S("a"), true},
        {S("0"), true},
        {S("aZ09-._~:+/=@"), true},
        {S("2f7c1c0e-1fb2-4b9c-9a0e-6f5d3c2b1a09"), true},
        {S("Root=1-67891233-abcdef012345678912345678"), true},
        {S("a b"), false},
        {S(" a"), false},
        {S("a,b"), false},
        {S("a;b"), false},
        {S("a\"b"), false},
        {S("a\\b"), false},
        {S("a\tb"), false},
        {S("a\nb"), false},
        {S("a\0b"), false},
        {S("a\x7f"), false},
        {S("a\xc3\xa9"), false},
        {S("<script>"), false},
        {S("$(reboot)"), false},
        {S("%41"), false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str value = exact(rows[i].value);
        assert_int_equal(trace_is_request_id(value), rows[i].sane);
        exact_free(value);
    }
}

static void a_request_id_has_a_limit(void **state) {
    char text[TRACE_REQUEST_ID_MAX + 1];
    (void)state;
    memset(text, 'a', sizeof text);
    assert_true(trace_is_request_id((struct str){text, TRACE_REQUEST_ID_MAX}));
    assert_false(trace_is_request_id((struct str){text, TRACE_REQUEST_ID_MAX + 1}));
}

static void a_traceparent_is_right(void **state) {
    static const struct {
        struct str value;
        bool right;
    } rows[] = {
        {S("00-" ID "-" PARENT "-01"), true},
        {S("00-" ID "-" PARENT "-00"), true},
        {S("00-" ID "-" PARENT "-ff"), true}, /* flags that are not known are left alone */
        {{NULL, 0}, false},
        {S(""), false},
        {S("00"), false},
        {S("00-" ID "-" PARENT), false},
        {S("00-" ID "-" PARENT "-"), false},
        {S("00-" ID "-" PARENT "-0"), false},
        {S("00-" ID "-" PARENT "-01-"), false}, /* of version 0 that is all */
        {S("00-" ID "-" PARENT "-01-x"), false},
        {S("00-" ID "-" PARENT "-011"), false},
        {S("01-" ID "-" PARENT "-01"), true},
        {S("01-" ID "-" PARENT "-01-what-comes-later"), true},
        {S("01-" ID "-" PARENT "-01.what"), false},
        {S("cc-" ID "-" PARENT "-01-"), true},
        {S("ff-" ID "-" PARENT "-01"), false},
        {S("0-" ID "-" PARENT "-001"), false},
        {S("00_" ID "-" PARENT "-01"), false},
        {S("00-" ID "_" PARENT "-01"), false},
        {S("00-" ID "-" PARENT "_01"), false},
        {S("0x-" ID "-" PARENT "-01"), false},
        {S("00-00000000000000000000000000000000-" PARENT "-01"), false},
        {S("00-" ID "-0000000000000000-01"), false},
        {S("00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01"), false},
        {S("00-" ID "-00F067AA0BA902B7-01"), false},
        {S("00-" ID "-" PARENT "-0A"), false},
        {S("00-4bf92f3577b34da6a3ce929d0e0e473g-" PARENT "-01"), false},
        {S("00-" ID "-00f067aa0ba902b -01"), false},
        {S("00-" ID "-" PARENT "-01,00-" ID "-" PARENT "-01"), false},
        {S(" 00-" ID "-" PARENT "-0"), false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str value = exact(rows[i].value);
        if (trace_is_parent(value) != rows[i].right)
            fail_msg("row %zu: %.*s", i, STR_ARG(value));
        exact_free(value);
    }
}

static void it_has_a_trace_id(void **state) {
    (void)state;
    struct str id = trace_id(STR("00-" ID "-" PARENT "-01"));
    assert_true(str_eq(id, STR(ID)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_id_is_sane),
        cmocka_unit_test(a_request_id_has_a_limit),
        cmocka_unit_test(a_traceparent_is_right),
        cmocka_unit_test(it_has_a_trace_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

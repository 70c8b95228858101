/* base/siphash: the values of another implementation, CPython's hash of bytes, which has the key 0
 * with PYTHONHASHSEED=0 and the one below with 1. */
#include "base/siphash.h"

#include "table.h"

static const struct {
    size_t len; /* of the bytes 0, 37, 74, ... modulo 256 */
    uint64_t hash0, hash1;
} rows[] = {
    {1, 0x68a914128e01e473, 0xecd3e5afcecda4b9},   {7, 0x055c2080dac6417e, 0x22a762105e78b30b},
    {8, 0xa72034d1bb79bbf1, 0x2862fcfab0ce29b8},   {9, 0xa95244ba43a5feaa, 0x3e1fa3853c31d9d9},
    {15, 0xdb4789fe145d8e14, 0xeab2952dbac1723f},  {16, 0x2e013143241a04c1, 0x6b8ac4a18353abbb},
    {300, 0xfe5b04bc93548c74, 0x660aab23fdab2223},
};

static void as_others_compute_it(void **state) {
    static const uint64_t key0[2] = {0, 0}, key1[2] = {0xaed66ce184be2329, 0xebe9bbf1f1499052};
    (void)state;
    char bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 37);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str input = exact((struct str){bytes, rows[i].len});
        assert_true(siphash13(key0, input) == rows[i].hash0);
        assert_true(siphash13(key1, input) == rows[i].hash1);
        exact_free(input);
    }
}

static void nothing_is_a_key_too(void **state) {
    static const uint64_t key0[2] = {0, 0}, key1[2] = {1, 0};
    (void)state;
    struct str none = {NULL, 0};
    assert_true(siphash13(key0, none) == siphash13(key0, STR("")));
    assert_true(siphash13(key0, none) != siphash13(key1, none));
    assert_true(siphash13(key0, none) != siphash13(key0, (struct str){"", 1}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_others_compute_it),
        cmocka_unit_test(nothing_is_a_key_too),
    };
    return cmocka_run_group_tests_name("base_siphash", tests, NULL, NULL);
}

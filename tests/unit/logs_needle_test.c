/* Finding a text in bytes, against looking at each place, and which patterns may be asked of blocks. */
#include "search/blockwise.h"
#include "logs/needle.h"
#include "search/prefilter.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static uint64_t dice = 1;

static unsigned roll(unsigned n) {
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(dice >> 33) % n;
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_at(const char *at, struct str text, bool cased) {
    for (size_t i = 0; i < text.len; i++)
        if (cased ? at[i] != text.ptr[i] : lower(at[i]) != lower(text.ptr[i]))
            return false;
    return true;
}

/* Bytes of few kinds, so that much is alike; '@' and '`' are where folding would go wrong. */
static void fill(char *bytes, size_t n) {
    static const char kinds[] = "aAbB@`[{\0\xe1";
    for (size_t i = 0; i < n; i++)
        bytes[i] = kinds[roll(sizeof kinds - 1)];
}

static void test_needle(void **state) {
    char text[8], *bytes;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t n = 1 + roll(sizeof text), len = roll(120);
        bool cased = roll(2);
        fill(text, n);
        bytes = malloc(len + 1); /* of the very size, for who looks too far */
        fill(bytes, len);
        struct needle needle;
        needle_init(&needle, (struct str){text, n}, cased);
        if (roll(2))
            needle_tune(&needle, (struct str){bytes, len});
        const char *want = NULL;
        for (size_t i = 0; want == NULL && i + n <= len; i++)
            if (is_at(bytes + i, (struct str){text, n}, cased))
                want = bytes + i;
        assert_ptr_equal(needle_find(&needle, (struct str){bytes, len}), want);
        needle_fini(&needle);
        free(bytes);
    }
}

static void test_blockwise(void **state) {
    static const struct {
        const char *pattern;
        bool taken;
    } rows[] = {
        {"timed out", true}, {"\\d+ ms", true},      {"a\\.b", true},     {"(?:a|b){2,3}?", true},
        {"[^\"]*\"", true},  {"\\s\\S\\w\\W", true}, {"[\\s\\d]x", true}, {"\xc3\xbc+", true},
        {"^a", false},       {"a$", false},          {"\\bab", false},    {"(?!a)b", false},
        {"(?<=a)b", false},  {"(?>a)b", false},      {"a++", false},      {"a?+", false},
        {"a{2}+", false},    {"(?i)a", false},       {"(*FAIL)", false},  {"(a)\\1", false},
        {"\\Aa", false},     {"\\x41", false},       {"\\Qa\\E", false},  {"[[:alpha:]]", false},
        {"[^\\s]", false},   {"[\\D]", false},       {"\\R", false},      {"a\nb", false},
        {"\\K", false},      {"[]a]", false},        {"(?#x)a", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct blockwise *blockwise = blockwise_new(str_of(rows[i].pattern), true);
        if ((blockwise != NULL) != rows[i].taken)
            fail_msg("%s", rows[i].pattern);
        blockwise_free(blockwise);
    }
}

/* What could run over the end of a line does not. */
static void test_lines_apart(void **state) {
    static const char *const patterns[] = {"a\\s+b", "a[^x]+b", "a\\W+b", "a\\D*b", "a[\\s]b"};
    (void)state;
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        struct blockwise *blockwise = blockwise_new(str_of(patterns[i]), true);
        struct str lines = STR("a\nb\na\t b a b\n");
        const char *found = blockwise_next(blockwise, lines);
        size_t want = i == 4 ? 9 : 4;
        assert_ptr_equal(found, lines.ptr + want);
        blockwise_free(blockwise);
    }
}

/* One that takes too long might match, wherever it was asked to begin. */
static void test_too_many_steps(void **state) {
    struct blockwise *blockwise = blockwise_new(STR("(a+)+[bc]"), true);
    struct str lines = STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n");
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_ptr_equal(blockwise_next(blockwise, lines), lines.ptr);
    blockwise_free(blockwise);
}

/* Of two rules the one that fewer lines satisfy is looked for. */
static void test_prefilter(void **state) {
    struct sift_rule often = {.kind = SIFT_TEXT, .text = STR("line")},
                     seldom = {.kind = SIFT_TEXT, .text = STR("x")},
                     not = {.kind = SIFT_TEXT, .text = STR("y"), .exclude = true},
                     level = {.kind = SIFT_LEVEL, .text = STR("error")};
    struct str lines = STR("line 1\nline 2\nline x\nline 4\n");
    (void)state;
    for (int turned = 0; turned < 2; turned++) {
        struct prefilter *prefilter = prefilter_new();
        prefilter_add(prefilter, &not );
        prefilter_add(prefilter, &level);
        assert_ptr_equal(prefilter_next(prefilter, lines), lines.ptr);
        prefilter_add(prefilter, turned ? &seldom : &often);
        prefilter_add(prefilter, turned ? &often : &seldom);
        prefilter_tune(prefilter, lines);
        assert_ptr_equal(prefilter_next(prefilter, lines), lines.ptr + 19);
        prefilter_free(prefilter);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_needle),      cmocka_unit_test(test_blockwise),
        cmocka_unit_test(test_lines_apart), cmocka_unit_test(test_too_many_steps),
        cmocka_unit_test(test_prefilter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

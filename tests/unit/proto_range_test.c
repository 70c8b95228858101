/* Ranges and preconditions, sections of RFC 9110. */
#include "proto/range.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }
#define NONE                                                                                       \
    { NULL, 0 }

static void ranges(void **state) {
    static const struct {
        struct str value;
        uint64_t length;
        enum range_verdict want;
        struct byte_range range;
    } rows[] = {
        /* the examples of section 14.1.2, of 10000 bytes */
        {S("bytes=0-499"), 10000, RANGE_PARTIAL, {0, 499}},
        {S("bytes=500-999"), 10000, RANGE_PARTIAL, {500, 999}},
        {S("bytes=-500"), 10000, RANGE_PARTIAL, {9500, 9999}},
        {S("bytes=9500-"), 10000, RANGE_PARTIAL, {9500, 9999}},
        {S("bytes=0-0,-1"), 10000, RANGE_NONE, {0}},
        {S("bytes= 0-999, 4500-5499, -1000"), 10000, RANGE_NONE, {0}},
        /* at the ends */
        {S("bytes=0-"), 10, RANGE_PARTIAL, {0, 9}},
        {S("bytes=0-0"), 10, RANGE_PARTIAL, {0, 0}},
        {S("bytes=9-9"), 10, RANGE_PARTIAL, {9, 9}},
        {S("bytes=9-10"), 10, RANGE_PARTIAL, {9, 9}},
        {S("bytes=9-"), 10, RANGE_PARTIAL, {9, 9}},
        {S("bytes=10-"), 10, RANGE_UNSATISFIABLE, {0}},
        {S("bytes=10-10"), 10, RANGE_UNSATISFIABLE, {0}},
        {S("bytes=11-5"), 10, RANGE_NONE, {0}},
        {S("bytes=-1"), 10, RANGE_PARTIAL, {9, 9}},
        {S("bytes=-9"), 10, RANGE_PARTIAL, {1, 9}},
        {S("bytes=-10"), 10, RANGE_PARTIAL, {0, 9}},
        {S("bytes=-11"), 10, RANGE_PARTIAL, {0, 9}},
        {S("bytes=-0"), 10, RANGE_UNSATISFIABLE, {0}},
        {S("bytes=0-0"), 1, RANGE_PARTIAL, {0, 0}},
        /* of nothing */
        {S("bytes=0-"), 0, RANGE_UNSATISFIABLE, {0}},
        {S("bytes=0-0"), 0, RANGE_UNSATISFIABLE, {0}},
        {S("bytes=-1"), 0, RANGE_NONE, {0}},
        {S("bytes=-0"), 0, RANGE_UNSATISFIABLE, {0}},
        /* numbers of any length */
        {S("bytes=0-18446744073709551615"), 10, RANGE_PARTIAL, {0, 9}},
        {S("bytes=0-18446744073709551616"), 10, RANGE_PARTIAL, {0, 9}},
        {S("bytes=1-99999999999999999999999999"), 10, RANGE_PARTIAL, {1, 9}},
        {S("bytes=-99999999999999999999999999"), 10, RANGE_PARTIAL, {0, 9}},
        {S("bytes=99999999999999999999999999-"), 10, RANGE_UNSATISFIABLE, {0}},
        {S("bytes=99999999999999999999999999-"), UINT64_MAX, RANGE_UNSATISFIABLE, {0}},
        {S("bytes=18446744073709551614-"),
         UINT64_MAX,
         RANGE_PARTIAL,
         {UINT64_MAX - 1, UINT64_MAX - 1}},
        {S("bytes=000000000000000000000000001-2"), 10, RANGE_PARTIAL, {1, 2}},
        /* malformed: ignored (section 14.2) */
        {S("bytes=5-4"), 10, RANGE_NONE, {0}},
        {S("bytes="), 10, RANGE_NONE, {0}},
        {S("bytes"), 10, RANGE_NONE, {0}},
        {S(""), 10, RANGE_NONE, {0}},
        {NONE, 10, RANGE_NONE, {0}},
        {S("bytes=-"), 10, RANGE_NONE, {0}},
        {S("bytes=1"), 10, RANGE_NONE, {0}},
        {S("bytes=a-"), 10, RANGE_NONE, {0}},
        {S("bytes=1-b"), 10, RANGE_NONE, {0}},
        {S("bytes=1-2-3"), 10, RANGE_NONE, {0}},
        {S("bytes=--1"), 10, RANGE_NONE, {0}},
        {S("bytes=1 -2"), 10, RANGE_NONE, {0}},
        {S("bytes=1- 2"), 10, RANGE_NONE, {0}},
        {S("bytes=+1-2"), 10, RANGE_NONE, {0}},
        {S("bytes=1/-2"), 10, RANGE_NONE, {0}},
        {S("bytes=:-2"), 10, RANGE_NONE, {0}},
        {S("bytes =1-2"), 10, RANGE_NONE, {0}},
        {S("bytes:1-2"), 10, RANGE_NONE, {0}},
        /* section 14.1: unit names ignore case; other units are not ours */
        {S("BYTES=1-2"), 10, RANGE_PARTIAL, {1, 2}},
        {S("items=1-2"), 10, RANGE_NONE, {0}},
        {S("=1-2"), 10, RANGE_NONE, {0}},
        /* a list of one, with what section 5.6.1.2 asks to ignore */
        {S("bytes= 1-2"), 10, RANGE_PARTIAL, {1, 2}},
        {S("bytes=,1-2 ,"), 10, RANGE_PARTIAL, {1, 2}},
        {S("bytes=1-2,3-4"), 10, RANGE_NONE, {0}},
        {S("bytes=1-2,x"), 10, RANGE_NONE, {0}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str value = exact(rows[i].value);
        struct byte_range got = {77, 77};
        SAME_INT(value, range_parse(value, rows[i].length, &got), rows[i].want);
        if (rows[i].want == RANGE_PARTIAL) {
            assert_true(got.first == rows[i].range.first);
            assert_true(got.last == rows[i].range.last);
        }
        exact_free(value);
    }
}

static void etags(void **state) {
    static const struct {
        struct str list, etag;
        bool strong, weak;
    } rows[] = {
        /* the table of section 8.8.3.2 */
        {S("W/\"1\""), S("W/\"1\""), false, true},
        {S("W/\"1\""), S("W/\"2\""), false, false},
        {S("W/\"1\""), S("\"1\""), false, true},
        {S("\"1\""), S("\"1\""), true, true},
        {S("\"1\""), S("W/\"1\""), false, true},
        /* lists (section 13.1.1 and 13.1.2) */
        {S("\"xyzzy\", \"r2d2xxxx\", \"c3piozzzz\""), S("\"r2d2xxxx\""), true, true},
        {S("\"xyzzy\", \"r2d2xxxx\", \"c3piozzzz\""), S("\"c3piozzzz\""), true, true},
        {S("W/\"a\", W/\"b\""), S("\"b\""), false, true},
        {S("\"a\"\t ,, ,\"b\","), S("\"b\""), true, true},
        {S("\"a\"\"b\""), S("\"b\""), true, true},
        {S("*"), S("\"x\""), true, true},
        {S(" *\t"), S("\"x\""), true, true},
        {S("*"), S(""), true, true},
        {S("\"x\", *"), S("\"y\""), false, false},
        {S("**"), S("\"x\""), false, false},
        /* opaque: commas, backslashes, case, emptiness */
        {S("\"a,b\""), S("\"a,b\""), true, true},
        {S("\"a,\"b\""), S("\"b\""), false, false},
        {S("\"a\\\", \"b\""), S("\"b\""), true, true},
        {S("\"A\""), S("\"a\""), false, false},
        {S("\"\""), S("\"\""), true, true},
        {S("\"ab\""), S("\"a\""), false, false},
        {S("w/\"a\""), S("\"a\""), false, false},
        /* what is no tag ends the list */
        {S(""), S("\"a\""), false, false},
        {NONE, S("\"a\""), false, false},
        {S("a"), S("a"), false, false},
        {S("\"a"), S("\"a"), false, false},
        {S("\""), S("\""), false, false},
        {S("W/"), S("W/"), false, false},
        {S("W"), S("W"), false, false},
        {S("W/a"), S("W/a"), false, false},
        {S("a, \"b\""), S("\"b\""), false, false},
        {S("\"a\", b, \"c\""), S("\"c\""), false, false},
        {S("\"a\""), S(""), false, false},
        {S("\"a\""), NONE, false, false},
        {S(", "), S(""), false, false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str list = exact(rows[i].list), etag = exact(rows[i].etag);
        SAME_INT(list, etag_list_has(list, etag, false), rows[i].strong);
        SAME_INT(list, etag_list_has(list, etag, true), rows[i].weak);
        exact_free(list);
        exact_free(etag);
    }
}

/* Now is "v2" of BEFORE < NOW < AFTER, a second apart: */
#define BEFORE S("Sun, 06 Nov 1994 08:49:36 GMT")
#define NOW S("Sun, 06 Nov 1994 08:49:37 GMT")
#define AFTER S("Sun, 06 Nov 1994 08:49:38 GMT")
#define MINE S("\"v2\"")
#define WEAK S("W/\"v2\"")
#define OLD S("\"v1\"")
#define BAD S("yesterday")

static void preconditions(void **state) {
    static const struct {
        const char *row;
        struct preconditions pre; /* if_match, if_none_match, if_modified_since,
                                     if_unmodified_since, if_range */
        int status;
        bool range;
    } rows[] = {
        {"none", {NONE, NONE, NONE, NONE, NONE}, 200, true},
        /* step 1, section 13.1.1: strong comparison */
        {"if-match", {MINE, NONE, NONE, NONE, NONE}, 200, true},
        {"if-match *", {S("*"), NONE, NONE, NONE, NONE}, 200, true},
        {"if-match weak", {WEAK, NONE, NONE, NONE, NONE}, 412, false},
        {"if-match old", {OLD, NONE, NONE, NONE, NONE}, 412, false},
        {"if-match empty", {S(""), NONE, NONE, NONE, NONE}, 412, false},
        /* step 2, section 13.1.4: only without If-Match; ignored if no date */
        {"if-unmodified now", {NONE, NONE, NONE, NOW, NONE}, 200, true},
        {"if-unmodified after", {NONE, NONE, NONE, AFTER, NONE}, 200, true},
        {"if-unmodified before", {NONE, NONE, NONE, BEFORE, NONE}, 412, false},
        {"if-unmodified bad", {NONE, NONE, NONE, BAD, NONE}, 200, true},
        {"if-match wins", {MINE, NONE, NONE, BEFORE, NONE}, 200, true},
        {"if-match loses", {OLD, NONE, NONE, NOW, NONE}, 412, false},
        /* step 3, section 13.1.2: weak comparison */
        {"if-none-match", {NONE, MINE, NONE, NONE, NONE}, 304, false},
        {"if-none-match weak", {NONE, WEAK, NONE, NONE, NONE}, 304, false},
        {"if-none-match *", {NONE, S("*"), NONE, NONE, NONE}, 304, false},
        {"if-none-match old", {NONE, OLD, NONE, NONE, NONE}, 200, true},
        {"if-none-match list", {NONE, S("\"v1\", \"v2\""), NONE, NONE, NONE}, 304, false},
        {"if-none-match empty", {NONE, S(""), NONE, NONE, NONE}, 200, true},
        /* step 4, section 13.1.3: only without If-None-Match; ignored if no date */
        {"if-modified now", {NONE, NONE, NOW, NONE, NONE}, 304, false},
        {"if-modified after", {NONE, NONE, AFTER, NONE, NONE}, 304, false},
        {"if-modified before", {NONE, NONE, BEFORE, NONE, NONE}, 200, true},
        {"if-modified bad", {NONE, NONE, BAD, NONE, NONE}, 200, true},
        {"if-none-match wins", {NONE, OLD, NOW, NONE, NONE}, 200, true},
        {"if-none-match wins 304", {NONE, MINE, BEFORE, NONE, NONE}, 304, false},
        /* the first two steps come before the others */
        {"412 before 304", {OLD, MINE, NONE, NONE, NONE}, 412, false},
        {"412 by date before 304", {NONE, MINE, NONE, BEFORE, NONE}, 412, false},
        {"both hold", {MINE, MINE, NONE, NONE, NONE}, 304, false},
        /* step 5, section 13.1.5: strong, exact */
        {"if-range", {NONE, NONE, NONE, NONE, MINE}, 200, true},
        {"if-range weak", {NONE, NONE, NONE, NONE, WEAK}, 200, false},
        {"if-range old", {NONE, NONE, NONE, NONE, OLD}, 200, false},
        {"if-range *", {NONE, NONE, NONE, NONE, S("*")}, 200, false},
        {"if-range list", {NONE, NONE, NONE, NONE, S("\"v2\", \"v1\"")}, 200, false},
        {"if-range empty", {NONE, NONE, NONE, NONE, S("")}, 200, false},
        {"if-range now", {NONE, NONE, NONE, NONE, NOW}, 200, true},
        {"if-range before", {NONE, NONE, NONE, NONE, BEFORE}, 200, false},
        {"if-range after", {NONE, NONE, NONE, NONE, AFTER}, 200, false},
        {"if-range bad", {NONE, NONE, NONE, NONE, BAD}, 200, false},
        {"if-range and 304", {NONE, MINE, NONE, NONE, MINE}, 304, false},
    };
    static const struct validators now = {MINE, 784111777};
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct preconditions *in = &rows[i].pre;
        struct preconditions pre = {exact(in->if_match), exact(in->if_none_match),
                                    exact(in->if_modified_since), exact(in->if_unmodified_since),
                                    exact(in->if_range)};
        struct str row = str_of(rows[i].row);
        bool range = !rows[i].range;
        SAME_INT(row, conditional_status(&pre, &now, &range), rows[i].status);
        SAME_INT(row, range, rows[i].range);
        exact_free(pre.if_match);
        exact_free(pre.if_none_match);
        exact_free(pre.if_modified_since);
        exact_free(pre.if_unmodified_since);
        exact_free(pre.if_range);
    }
}

/* What has no date ignores those of the request (RFC 9110 sections 13.1.3 and 13.1.4), and no date
 * is its own (13.1.5). */
static void no_date(void **state) {
    static const struct validators now = {MINE, MODIFIED_NONE};
    struct preconditions modified = {.if_modified_since = AFTER},
                         unmodified = {.if_unmodified_since = BEFORE}, range = {.if_range = NOW};
    bool holds;
    (void)state;
    assert_int_equal(conditional_status(&modified, &now, &holds), 200);
    assert_int_equal(conditional_status(&unmodified, &now, &holds), 200);
    assert_int_equal(conditional_status(&range, &now, &holds), 200);
    assert_false(holds);
}

/* A weak tag of ours never holds strongly, and one that is missing matches only "*". */
static void weak_or_no_tag(void **state) {
    static const struct validators weak = {WEAK, 784111777}, none = {NONE, 784111777};
    struct preconditions pre = {.if_range = WEAK};
    bool range;
    (void)state;
    assert_int_equal(conditional_status(&pre, &weak, &range), 200);
    assert_false(range);
    pre = (struct preconditions){.if_match = WEAK};
    assert_int_equal(conditional_status(&pre, &weak, &range), 412);
    pre = (struct preconditions){.if_none_match = MINE};
    assert_int_equal(conditional_status(&pre, &weak, &range), 304);
    assert_int_equal(conditional_status(&pre, &none, &range), 200);
    assert_true(range);
    pre = (struct preconditions){.if_none_match = S("*")};
    assert_int_equal(conditional_status(&pre, &none, &range), 304);
    pre = (struct preconditions){.if_range = S("")};
    assert_int_equal(conditional_status(&pre, &none, &range), 200);
    assert_false(range);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges),         cmocka_unit_test(etags),
        cmocka_unit_test(preconditions),  cmocka_unit_test(no_date),
        cmocka_unit_test(weak_or_no_tag),
    };
    return cmocka_run_group_tests_name("proto_range", tests, NULL, NULL);
}

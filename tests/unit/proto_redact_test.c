/* What proto/redact promises: no token of a URL is left, and nothing else is touched. */
#include "proto/redact.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

static void tokens_become_stars(void **state) {
    static const struct {
        struct str url;
        const char *want;
    } rows[] = {
        {{NULL, 0}, ""},
        {S("/"), "/"},
        {S("/a?b=c"), "/a?b=c"},
        {S("/access_token=1"), "/access_token=1"}, /* a path says what it wants */
        {S("/?access_token=eyJ.x.y"), "/?access_token=***"},
        {S("/a?access_token=x&b=1"), "/a?access_token=***&b=1"},
        {S("/a?b=1&access_token=x"), "/a?b=1&access_token=***"},
        {S("/a?&&access_token=x&"), "/a?&&access_token=***&"},
        {S("/a?access_token=x&c=2&access_token=y"), "/a?access_token=***&c=2&access_token=***"},
        {S("/a?access_token=x=y?z"), "/a?access_token=***"},
        {S("/a?access_token="), "/a?access_token="},
        {S("/a?access_token"), "/a?access_token"},
        {S("/a?access%5Ftoken=x"), "/a?access%5Ftoken=***"}, /* as it will be understood */
        {S("/a?%61ccess_token=x"), "/a?%61ccess_token=***"},
        {S("/a?my_access_token=x&access_tokens=y"), "/a?my_access_token=x&access_tokens=y"},
        {S("/a?Access_Token=x"), "/a?Access_Token=x"}, /* another parameter */
        {S("/a?ticket=x&b=1&access_token=y"), "/a?ticket=***&b=1&access_token=***"},
        {S("/a?%74icket=x&tickets=2&Ticket=3"), "/a?%74icket=***&tickets=2&Ticket=3"},
        {S("https://a.example/?x&access_token=y#z"), "https://a.example/?x&access_token=***"},
        {S("?"), "?"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str url = exact(rows[i].url);
        struct buf scratch = {0};
        SAME_STR(url, redact_url(url, &scratch), str_of(rows[i].want));
        buf_fini(&scratch);
        exact_free(url);
    }
}

static void what_has_none_is_not_copied(void **state) {
    (void)state;
    struct buf scratch = {0};
    struct str url = STR("/a?b=c");
    assert_ptr_equal(redact_url(url, &scratch).ptr, url.ptr);
    assert_null(scratch.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_become_stars),
        cmocka_unit_test(what_has_none_is_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

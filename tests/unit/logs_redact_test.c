/* What is taken out of lines by the presets and by own patterns, and when a line is withheld. */
#include "logs/redact.h"

#include "table.h"

#define JWT "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl-_x"

static void test_presets(void **state) {
    static const struct {
        const char *line, *want;
    } rows[] = {
        {"nothing here: 12:00:00 x::y std::string", "nothing here: 12:00:00 x::y std::string"},
        {"", ""},
        {"got " JWT ".", "got ***."},
        {"x?t=" JWT "&y=1", "x?t=***&y=1"},
        {"Authorization: Bearer abc.def~+/=", "Authorization: Bearer ***"},
        {"authorization: Basic YTpi next", "authorization: Basic *** next"},
        {"{\"authorization\":\"Digest abc\",\"a\":1}",
         "{\"authorization\":\"Digest ***\",\"a\":1}"},
        {"user=ann password=geheim x", "user=ann password=*** x"},
        {"DB_PASSWORD=\"a \\\" b\" x", "DB_PASSWORD=\"***\" x"},
        {"secret='a b' x", "secret='***' x"},
        {"client_secret=s&grant=x", "client_secret=***&grant=x"},
        {"GET /?a=1&access_token=abc&b=2 HTTP/1.1", "GET /?a=1&access_token=***&b=2 HTTP/1.1"},
        {"x-api-key: abc", "x-api-key: ***"},
        {"api_key=abc,apikey=def", "api_key=***,apikey=***"},
        {"{\"user\":\"ann\",\"password\":\"a\\\"b\",\"n\":1}",
         "{\"user\":\"ann\",\"password\":\"***\",\"n\":1}"},
        {"{\"token\": 12345, \"b\": 2}", "{\"token\": ***, \"b\": 2}"},
        {"{\"m\":\"{\\\"password\\\":\\\"abc\\\"}\"}",
         "{\"m\":\"{\\\"password\\\":\\\"***\\\"}\"}"},
        {"postgres://ann:geheim@db/x", "postgres://***@db/x"},
        {"https://ann@example/ https://b/", "https://***@example/ https://b/"},
        {"https://a/b~@c", "https://a/b~@c"},
        {"key AKIAIOSFODNN7EXAMPLE.", "key ***."},
        {"mail ann.b+c@mail.example.org, ok", "mail ***, ok"},
        {"from 10.0.0.1:8080", "from ***:8080"},
        {"...10.0.0.1.", "...***."},
        {"v 1.2.3 and 1.2.3.4.5", "v 1.2.3 and 1.2.3.4.5"},
        {"from fe80::1%eth0 to [2001:db8:0:0:0:0:0:1]:80", "from *** to [***]:80"},
        {"::1 - - x", "*** - - x"},
        {"mapped ::ffff:10.0.0.1 x", "mapped ****** x"},
        /* What the reference says that they do not see. */
        {"pass=a Cookie: id=b", "pass=a Cookie: id=b"},
        {"password is c; ann%40example.org", "password is c; ann%40example.org"},
        {"pass\033[0mword=d", "pass\033[0mword=d"},
    };
    struct redact *redact = redact_new();
    (void)state;
    assert_true(redact_preset(redact, STR("tokens")) && redact_preset(redact, STR("addresses")));
    assert_false(redact_preset(redact, STR("names")));
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str line = exact(str_of(rows[i].line));
        SAME_STR(line, redact_line(redact, line, false), str_of(rows[i].want));
        exact_free(line);
    }
    redact_free(redact);
}

static void test_own_patterns(void **state) {
    static const struct {
        const char *pattern, *with, *line, *want;
    } rows[] = {
        {"\\d+", "N", "a1b22", "aNbN"},
        {"a", "", "banana", "bnn"},
        {"user \\K\\w+", "$1\\0", "user ann, user bob", "user $1\\0, user $1\\0"},
        {"(?i)KEY", "x", "key Key", "x x"},
        {"KEY", "x", "key", "key"},
        {"x*(?=b)", "-",
         "\xc3\xbc"
         "b",
         "\xc3\xbc-b"}, /* an empty match */
        {"\xc3\xbc", "ue", "f\xc3\xbcr \xff", "fuer \xff"},
        {"a", "x", "", ""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct redact *redact = redact_new();
        struct str line = exact(str_of(rows[i].line));
        char why[256];
        assert_int_equal(
            redact_add(redact, str_of(rows[i].pattern), str_of(rows[i].with), why, sizeof why), 0);
        SAME_STR(line, redact_line(redact, line, false), str_of(rows[i].want));
        exact_free(line);
        redact_free(redact);
    }
}

static void test_each_rule_sees_what_the_one_before_left(void **state) {
    struct redact *redact = redact_new();
    char why[256];
    (void)state;
    redact_add(redact, STR("a"), STR("b"), why, sizeof why);
    redact_add(redact, STR("bb"), STR("c"), why, sizeof why);
    redact_add(redact, STR("x"), STR("y"), why, sizeof why);
    redact_add(redact, STR("c"), STR("dd"), why, sizeof why);
    SAME_STR(STR("ab"), redact_line(redact, STR("ab"), false), STR("dd"));
    redact_free(redact);
}

static bool is_withheld(struct str line) {
    return str_starts(line, STR("[withheld: "));
}

static void test_withheld(void **state) {
    struct redact *redact = redact_new();
    char why[256], long_line[4096];
    (void)state;
    memset(long_line, 'a', sizeof long_line);
    struct str all = {long_line, sizeof long_line};
    SAME_STR(all, redact_line(redact, all, true), all); /* no rule, nothing to hide */
    redact_add(redact, STR("secret"), STR("x"), why, sizeof why);
    assert_true(is_withheld(redact_line(redact, STR("piece"), true)));
    redact_add(redact, STR("(a+)+$"), STR("x"), why, sizeof why);
    SAME_STR(STR("aaa"), redact_line(redact, STR("aaa"), false), STR("x"));
    long_line[sizeof long_line - 1] = '!';
    assert_true(is_withheld(redact_line(redact, all, false)));
    redact_free(redact);

    /* What would be larger than 4 MiB. */
    redact = redact_new();
    char kilobyte[1024];
    memset(kilobyte, 'b', sizeof kilobyte);
    redact_add(redact, STR("."), (struct str){kilobyte, sizeof kilobyte}, why, sizeof why);
    SAME_INT(STR("4095"), redact_line(redact, (struct str){long_line, 4095}, false).len,
             4095 * 1024);
    char *large = malloc(4098);
    memset(large, 'a', 4098);
    assert_true(is_withheld(redact_line(redact, (struct str){large, 4098}, false)));
    free(large);
    redact_free(redact);
}

/* A rule that is asked of each line of a log must not give up on long ones that are harmless. */
static void test_presets_reach_no_limit(void **state) {
    static const char *const fills[] = {
        "a",         "1",    "a.",     "1.",          "a@",
        "password ", "://a", "ab:",    "eyJ",         "bearer ",
        "token:",    "f:",   "::",     "secret=\"\\", "authorization: ",
        "\xc3\xbc",  " ",    "secret", "secret-",     "eyJeyJ-"};
    struct redact *redact = redact_new();
    (void)state;
    redact_preset(redact, STR("tokens"));
    redact_preset(redact, STR("addresses"));
    for (size_t i = 0; i < COUNT(fills); i++) {
        size_t n = strlen(fills[i]), len = 65536;
        char *line = malloc(len);
        for (size_t at = 0; at < len; at++)
            line[at] = fills[i][at % n];
        if (is_withheld(redact_line(redact, (struct str){line, len}, false)))
            fail_msg("withheld: a line full of \"%s\"", fills[i]);
        free(line);
    }
    redact_free(redact);
}

static void test_limits(void **state) {
    struct redact *redact = redact_new();
    char why[256], text[REDACT_TEXT_BYTES + 1];
    (void)state;
    memset(text, 'a', sizeof text);
    struct str most = {text, REDACT_TEXT_BYTES}, more = {text, sizeof text};
    assert_int_equal(redact_add(redact, more, STR(""), why, sizeof why), -1);
    assert_int_equal(redact_add(redact, STR("a"), more, why, sizeof why), -1);
    assert_int_equal(redact_add(redact, STR(""), STR(""), why, sizeof why), -1);
    assert_int_equal(redact_add(redact, STR("a*"), STR(""), why, sizeof why), -1);
    assert_non_null(strstr(why, "everywhere"));
    assert_int_equal(redact_add(redact, STR("a("), STR(""), why, sizeof why), -1);
    assert_non_null(strstr(why, "at byte 3 of the pattern"));
    for (int i = 0; i < REDACT_RULES; i++)
        assert_int_equal(redact_add(redact, most, most, why, sizeof why), 0);
    assert_int_equal(redact_add(redact, STR("a"), STR(""), why, sizeof why), -1);
    assert_true(redact_preset(redact, STR("tokens")) && redact_preset(redact, STR("addresses")));
    redact_free(redact);
    redact_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_presets),
        cmocka_unit_test(test_own_patterns),
        cmocka_unit_test(test_each_rule_sees_what_the_one_before_left),
        cmocka_unit_test(test_withheld),
        cmocka_unit_test(test_presets_reach_no_limit),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

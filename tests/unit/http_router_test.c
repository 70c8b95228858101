/* What http/router promises: precedence, turning back, methods, the rest, middleware. */
#include "http/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct router *router;
    struct buf bytes;
    struct path path; /* the segments in `bytes` */
    struct buf scratch;
    struct route_match match;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    f->router = router_new();
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    router_free(f->router);
    buf_fini(&f->bytes);
    buf_fini(&f->scratch);
    free(f);
    return 0;
}

static void add(struct fixture *f, const char *method, const char *pattern, int id) {
    assert_int_equal(router_add(f->router, str_of(method), str_of(pattern), id), 0);
}

static void look_at(struct fixture *f, const char *path) {
    f->bytes.len = 0;
    assert_true(path_read(str_of(path), &f->bytes) >= 0);
    f->path.bytes = buf_str(&f->bytes);
}

static void match(struct fixture *f, const char *method, const char *path) {
    look_at(f, path);
    router_match(f->router, str_of(method), f->path, &f->scratch, &f->match);
}

static void assert_str(struct str s, const char *expected) {
    if (s.len != strlen(expected) || (s.len > 0 && memcmp(s.ptr, expected, s.len) != 0))
        fail_msg("\"%.*s\" is not \"%s\"", STR_ARG(s), expected);
}

static void assert_found(struct fixture *f, const char *method, const char *path, int id) {
    match(f, method, path);
    if (f->match.verdict != ROUTE_FOUND || f->match.id != id)
        fail_msg("%s %s: verdict %d, route %d instead of %d", method, path, f->match.verdict,
                 f->match.id, id);
}

static void assert_verdict(struct fixture *f, const char *method, const char *path,
                           enum route_verdict verdict) {
    match(f, method, path);
    if (f->match.verdict != verdict)
        fail_msg("%s %s: verdict %d instead of %d", method, path, f->match.verdict, verdict);
}

static void assert_param(struct fixture *f, size_t index, const char *name, const char *value) {
    assert_true(index < f->match.nparams);
    assert_str(f->match.params[index].name, name);
    assert_str(f->match.params[index].value, value);
}

static void an_empty_router_matches_nothing(void **state) {
    assert_verdict(*state, "GET", "/", ROUTE_NONE);
    assert_verdict(*state, "OPTIONS", "/a", ROUTE_NONE);
}

static void literals_match_themselves(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/", 1);
    add(f, "GET", "/a", 2);
    add(f, "GET", "/a/b", 3);
    add(f, "GET", "/grüße dich", 4);
    assert_found(f, "GET", "/", 1);
    assert_found(f, "GET", "/a", 2);
    assert_found(f, "GET", "/a/b", 3);
    assert_found(f, "GET", "/gr%C3%BC%C3%9Fe%20dich", 4);
    assert_int_equal(f->match.nparams, 0);
    assert_verdict(f, "GET", "/b", ROUTE_NONE);
    assert_verdict(f, "GET", "/A", ROUTE_NONE);
    assert_verdict(f, "GET", "/a/b/c", ROUTE_NONE);
    assert_verdict(f, "GET", "/a/", ROUTE_NONE);
}

static void a_trailing_slash_is_significant(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/a", 1);
    add(f, "GET", "/b/", 2);
    assert_verdict(f, "GET", "/a/", ROUTE_NONE);
    assert_verdict(f, "GET", "/b", ROUTE_NONE);
    assert_found(f, "GET", "/b/", 2);
}

static void a_param_takes_one_segment(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/hello/:name", 1);
    add(f, "GET", "/rooms/:room_id/users/:user", 2);
    assert_found(f, "GET", "/hello/J%C3%B6rg%20S", 1);
    assert_int_equal(f->match.nparams, 1);
    assert_param(f, 0, "name", "Jörg S");
    assert_found(f, "GET", "/rooms/7/users/x", 2);
    assert_int_equal(f->match.nparams, 2);
    assert_param(f, 0, "room_id", "7");
    assert_param(f, 1, "user", "x");
    assert_verdict(f, "GET", "/hello/", ROUTE_NONE);
    assert_verdict(f, "GET", "/hello/a/b", ROUTE_NONE);
    assert_verdict(f, "GET", "/hello", ROUTE_NONE);
}

static void an_encoded_slash_stays_in_its_param(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/a/:x", 1);
    add(f, "GET", "/a/b/c", 2);
    assert_found(f, "GET", "/a/b%2Fc", 1);
    assert_param(f, 0, "x", "b/c");
}

static void the_rest_takes_all_that_follows(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/files/*path", 1);
    add(f, "GET", "/u/:user/*rest", 2);
    assert_found(f, "GET", "/files/a", 1);
    assert_param(f, 0, "path", "a");
    assert_found(f, "GET", "/files/a/b%20c/", 1);
    assert_param(f, 0, "path", "a/b c/");
    assert_found(f, "GET", "/files/", 1);
    assert_param(f, 0, "path", "");
    assert_found(f, "GET", "/u/me/x/%5C/y", 2);
    assert_param(f, 0, "user", "me");
    assert_param(f, 1, "rest", "x/\\/y");
    assert_verdict(f, "GET", "/files", ROUTE_NONE);
}

static void the_rest_matches_everything_at_the_root(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/*all", 1);
    assert_found(f, "GET", "/", 1);
    assert_param(f, 0, "all", "");
    assert_found(f, "GET", "/x/y", 1);
    assert_param(f, 0, "all", "x/y");
}

static void the_rest_tells_slashes_apart(void **state) {
    static const struct {
        const char *sent, *rest, *segments; /* each with a '|' behind it */
    } rows[] = {
        {"", "", "|"},
        {"a/", "a/", "a||"},
        {"a%2Fb", "a%2Fb", "a/b|"},
        {"a%2fb", "a%2Fb", "a/b|"},
        {"..%2F..%2Fetc/passwd", "..%2F..%2Fetc/passwd", "../../etc|passwd|"},
        {"100%25", "100%", "100%|"},
        {"100%25.txt", "100%.txt", "100%.txt|"},
        {"%2541", "%41", "%41|"},
        {"a%252Fb", "a%252Fb", "a%2Fb|"},
        {"a%252fb", "a%252fb", "a%2fb|"},
        {"a%2525b", "a%2525b", "a%25b|"},
        {"a%25252Fb", "a%25252Fb", "a%252Fb|"},
        {"%25%2F", "%%2F", "%/|"},
        {"%252/F", "%2/F", "%2|F|"},
    };
    struct fixture *f = *state;
    add(f, "GET", "/files/*rest", 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char path[64] = "/files/";
        strcat(path, rows[i].sent);
        assert_found(f, "GET", path, 1);
        assert_param(f, 0, "rest", rows[i].rest);
        struct buf got = {0};
        struct str segment;
        while (path_next(&f->match.rest, &segment)) {
            buf_add(&got, segment);
            buf_add_char(&got, '|');
        }
        assert_str(buf_str(&got), rows[i].segments);
        buf_fini(&got);
    }
}

static void literal_beats_param_beats_rest(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/*rest", 1);
    add(f, "GET", "/:one", 2);
    add(f, "GET", "/new", 3);
    add(f, "GET", "/:one/edit", 4);
    assert_found(f, "GET", "/new", 3);
    assert_found(f, "GET", "/old", 2);
    assert_found(f, "GET", "/new/edit", 4);
    assert_param(f, 0, "one", "new");
    assert_found(f, "GET", "/new/other", 1);
    assert_param(f, 0, "rest", "new/other");
    assert_found(f, "GET", "/", 1);
}

static void dead_ends_are_left(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/a/b/c/d", 1);
    add(f, "GET", "/a/:x/c/e", 2);
    add(f, "GET", "/:w/b/c/f", 3);
    add(f, "GET", "/a/*rest", 4);
    assert_found(f, "GET", "/a/b/c/d", 1);
    assert_found(f, "GET", "/a/b/c/e", 2);
    assert_param(f, 0, "x", "b");
    assert_found(f, "GET", "/a/b/c/f", 4);
    assert_found(f, "GET", "/z/b/c/f", 3);
    assert_param(f, 0, "w", "z");
}

static void the_method_decides_among_patterns(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/a/:x", 1);
    add(f, "POST", "/a/b", 2);
    assert_found(f, "GET", "/a/b", 1);
    assert_param(f, 0, "x", "b");
    assert_found(f, "POST", "/a/b", 2);
    assert_verdict(f, "POST", "/a/c", ROUTE_METHOD);
    assert_str(f->match.allow, "GET, HEAD, OPTIONS");
    assert_verdict(f, "DELETE", "/a/b", ROUTE_METHOD);
    assert_str(f->match.allow, "POST, GET, HEAD, OPTIONS");
}

static void params_have_the_names_of_their_route(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/a/:id", 1);
    add(f, "PUT", "/a/:name", 2);
    assert_found(f, "GET", "/a/1", 1);
    assert_param(f, 0, "id", "1");
    assert_found(f, "PUT", "/a/1", 2);
    assert_param(f, 0, "name", "1");
}

static void methods_are_tokens(void **state) {
    struct fixture *f = *state;
    add(f, "PROPFIND", "/a", 1);
    add(f, "get", "/a", 2);
    assert_found(f, "PROPFIND", "/a", 1);
    assert_found(f, "get", "/a", 2);
    assert_verdict(f, "GET", "/a", ROUTE_METHOD);
    assert_str(f->match.allow, "PROPFIND, get, OPTIONS");
    assert_int_equal(router_add(f->router, STR("A B"), STR("/"), 3), ROUTER_EMETHOD);
    assert_int_equal(router_add(f->router, STR(""), STR("/"), 3), ROUTER_EMETHOD);
    char method[65];
    memset(method, 'A', sizeof(method));
    assert_int_equal(router_add(f->router, (struct str){method, 65}, STR("/"), 3), ROUTER_EMETHOD);
    assert_true(router_has_method(f->router, STR("PROPFIND")));
    assert_false(router_has_method(f->router, STR("QUERY")));
}

static void head_follows_get(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/a", 1);
    add(f, "GET", "/b", 2);
    add(f, "HEAD", "/b", 3);
    add(f, "HEAD", "/*rest", 4);
    add(f, "POST", "/c", 5);
    assert_found(f, "HEAD", "/a", 1);
    assert_found(f, "HEAD", "/b", 3);
    assert_found(f, "HEAD", "/c", 4);
    assert_verdict(f, "PUT", "/b", ROUTE_METHOD);
    assert_str(f->match.allow, "GET, HEAD, OPTIONS");
}

static void options_answer_themselves(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/a", 1);
    add(f, "POST", "/b", 2);
    add(f, "OPTIONS", "/b", 3);
    assert_verdict(f, "OPTIONS", "/a", ROUTE_OPTIONS);
    assert_str(f->match.allow, "GET, HEAD, OPTIONS");
    assert_found(f, "OPTIONS", "/b", 3);
    assert_verdict(f, "OPTIONS", "/c", ROUTE_NONE);
    assert_verdict(f, "GET", "/b", ROUTE_METHOD);
    assert_str(f->match.allow, "POST, OPTIONS");
}

static void the_same_twice_is_refused(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/a/:x/*rest", 1);
    assert_int_equal(router_add(f->router, STR("GET"), STR("/a/:x/*rest"), 2), ROUTER_ETAKEN);
    assert_int_equal(router_add(f->router, STR("GET"), STR("/a/:y/*z"), 2), ROUTER_ETAKEN);
    assert_int_equal(router_count(f->router), 1);
    add(f, "POST", "/a/:x/*rest", 2);
    add(f, "GET", "/a/:x/", 3);
}

static void bad_patterns_are_refused(void **state) {
    static const struct {
        const char *pattern;
        int error;
    } rows[] = {
        {"", ROUTER_ESLASH},        {"a", ROUTER_ESLASH},
        {":x", ROUTER_ESLASH},      {"/:", ROUTER_ENAME},
        {"/a/*", ROUTER_ENAME},     {"/:a-b", ROUTER_ENAME},
        {"/:x.json", ROUTER_ENAME}, {"/:x/:x", ROUTER_ETWICE},
        {"/:x/*x", ROUTER_ETWICE},  {"/*x/a", ROUTER_EREST},
        {"/*x/", ROUTER_EREST},     {"/a/../b", ROUTER_EDOT},
        {"/./b", ROUTER_EDOT},      {"/a/*rest/*more", ROUTER_EREST},
        {"//", ROUTER_EDOT},        {"//a", ROUTER_EDOT},
        {"/a//b", ROUTER_EDOT},     {"/a//", ROUTER_EDOT},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = router_add(f->router, STR("GET"), str_of(rows[i].pattern), 1);
        if (rc != rows[i].error)
            fail_msg("\"%s\": %d instead of %d", rows[i].pattern, rc, rows[i].error);
        assert_string_not_equal(router_error(rc), router_error(0));
    }
    assert_int_equal(router_add(f->router, STR("GET"), STR("/a\0b"), 1), ROUTER_EDOT);
    assert_int_equal(router_count(f->router), 0);
    assert_verdict(f, "GET", "/a", ROUTE_NONE);
}

static void patterns_have_limits(void **state) {
    struct fixture *f = *state;
    char pattern[1024] = "";
    for (int i = 0; i < ROUTER_SEGMENTS_MAX; i++)
        strcat(pattern, "/s");
    add(f, "GET", pattern, 1);
    assert_found(f, "GET", pattern, 1);
    strcat(pattern, "/s");
    assert_int_equal(router_add(f->router, STR("GET"), str_of(pattern), 2), ROUTER_ELIMIT);
    assert_verdict(f, "GET", pattern, ROUTE_NONE);

    struct buf params = {0};
    for (int i = 0; i < ROUTER_PARAMS_MAX; i++)
        buf_printf(&params, "/:p%d", i);
    assert_int_equal(router_add(f->router, STR("GET"), buf_str(&params), 3), 0);
    router_match(f->router, STR("GET"),
                 path_after(f->path, ROUTER_SEGMENTS_MAX + 1 - ROUTER_PARAMS_MAX), &f->scratch,
                 &f->match);
    assert_int_equal(f->match.id, 3);
    assert_param(f, ROUTER_PARAMS_MAX - 1, "p31", "s");
    buf_add(&params, STR("/:more"));
    assert_int_equal(router_add(f->router, STR("GET"), buf_str(&params), 4), ROUTER_ELIMIT);
    buf_fini(&params);
}

static void many_siblings_are_all_found(void **state) {
    struct fixture *f = *state;
    char pattern[32];
    for (int i = 0; i < 500; i++) {
        snprintf(pattern, sizeof(pattern), "/x/%d", i * 7919 % 500);
        add(f, "GET", pattern, i);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(pattern, sizeof(pattern), "/x/%d", i * 7919 % 500);
        assert_found(f, "GET", pattern, i);
    }
    assert_verdict(f, "GET", "/x/500", ROUTE_NONE);
}

static void a_mount_skips_its_segments(void **state) {
    struct fixture *f = *state;
    add(f, "GET", "/", 1);
    add(f, "GET", "/:x", 2);
    assert_int_equal(router_use(f->router, STR("/b"), 9), 0);
    look_at(f, "/app/b");
    router_match(f->router, STR("GET"), path_after(f->path, 1), &f->scratch, &f->match);
    assert_int_equal(f->match.verdict, ROUTE_FOUND);
    assert_param(f, 0, "x", "b");
    size_t cursor = 0;
    int id = 0;
    assert_true(router_use_next(f->router, path_after(f->path, 1), &cursor, &id));
    assert_int_equal(id, 9);
    look_at(f, "/app");
    router_match(f->router, STR("GET"), path_after(f->path, 1), &f->scratch, &f->match);
    assert_int_equal(f->match.verdict, ROUTE_NONE);
    cursor = 0;
    assert_false(router_use_next(f->router, path_after(f->path, 1), &cursor, &id));
}

/* The ids of what holds for `path`, as one decimal digit each. */
static void assert_uses(struct fixture *f, const char *path, const char *expected) {
    char got[16] = "";
    size_t cursor = 0;
    int id;
    look_at(f, path);
    while (router_use_next(f->router, f->path, &cursor, &id))
        snprintf(got + strlen(got), sizeof(got) - strlen(got), "%d", id);
    assert_string_equal(got, expected);
}

static void middleware_holds_for_whole_segments(void **state) {
    struct fixture *f = *state;
    assert_int_equal(router_use(f->router, STR("/rooms"), 1), 0);
    assert_int_equal(router_use(f->router, STR(""), 2), 0);
    assert_int_equal(router_use(f->router, STR("/rooms/a/"), 3), 0);
    assert_int_equal(router_use(f->router, STR("/"), 4), 0);
    assert_int_equal(router_use(f->router, (struct str){NULL, 0}, 5), 0);
    assert_uses(f, "/", "245");
    assert_uses(f, "/rooms", "1245");
    assert_uses(f, "/rooms/", "1245");
    assert_uses(f, "/rooms/b", "1245");
    assert_uses(f, "/rooms/a", "12345");
    assert_uses(f, "/rooms/a/b/c", "12345");
    assert_uses(f, "/roomsx", "245");
    assert_uses(f, "/r%6Foms", "1245");
    assert_uses(f, "/rooms%2Fa", "245");
}

static void bad_prefixes_are_refused(void **state) {
    struct fixture *f = *state;
    assert_int_equal(router_use(f->router, STR("rooms"), 1), ROUTER_ESLASH);
    assert_int_equal(router_use(f->router, STR("/:x"), 1), ROUTER_EPREFIX);
    assert_int_equal(router_use(f->router, STR("/a/*rest"), 1), ROUTER_EPREFIX);
    assert_int_equal(router_use(f->router, STR("/a/.."), 1), ROUTER_EDOT);
    assert_int_equal(router_use(f->router, STR("//"), 1), ROUTER_EDOT);
    assert_int_equal(router_use(f->router, STR("/a//"), 1), ROUTER_EDOT);
    assert_int_equal(router_use(f->router, STR("/a//b"), 1), ROUTER_EDOT);
    assert_uses(f, "/", "");
    for (int error = ROUTER_ELIMIT; error <= ROUTER_ESLASH; error++)
        assert_string_not_equal(router_error(error), router_error(0));
}

static void routes_are_listed_in_order(void **state) {
    struct fixture *f = *state;
    struct str method, pattern;
    int id;
    add(f, "POST", "/b/:x", 7);
    add(f, "GET", "/a", 8);
    assert_int_equal(router_count(f->router), 2);
    router_route(f->router, 0, &method, &pattern, &id);
    assert_str(method, "POST");
    assert_str(pattern, "/b/:x");
    assert_int_equal(id, 7);
    router_route(f->router, 1, &method, &pattern, &id);
    assert_str(pattern, "/a");
    assert_int_equal(id, 8);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_router_matches_nothing),
        TEST(literals_match_themselves),
        TEST(a_trailing_slash_is_significant),
        TEST(a_param_takes_one_segment),
        TEST(an_encoded_slash_stays_in_its_param),
        TEST(the_rest_takes_all_that_follows),
        TEST(the_rest_matches_everything_at_the_root),
        TEST(the_rest_tells_slashes_apart),
        TEST(literal_beats_param_beats_rest),
        TEST(dead_ends_are_left),
        TEST(the_method_decides_among_patterns),
        TEST(params_have_the_names_of_their_route),
        TEST(methods_are_tokens),
        TEST(head_follows_get),
        TEST(options_answer_themselves),
        TEST(the_same_twice_is_refused),
        TEST(bad_patterns_are_refused),
        TEST(patterns_have_limits),
        TEST(many_siblings_are_all_found),
        TEST(a_mount_skips_its_segments),
        TEST(middleware_holds_for_whole_segments),
        TEST(bad_prefixes_are_refused),
        TEST(routes_are_listed_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What http/request promises: the pieces of a head, wherever its bytes move. */
#include "http/request.h"

#include "proto/url.h"
#include "table.h"

#include <stdio.h>

static void add(struct request *request, const char *name, const char *value) {
    struct field *field = request_add_field(request);
    assert_int_equal(field->name, request->bytes.len);
    assert_int_equal(field->name_len + field->value_len, 0);
    buf_add(&request->bytes, str_of(name));
    field->name_len = (uint32_t)strlen(name);
    field->value = (uint32_t)request->bytes.len;
    buf_add(&request->bytes, str_of(value));
    field->value_len = (uint32_t)strlen(value);
}

static void fill(struct request *request, const char *method, const char *target) {
    buf_add(&request->bytes, str_of(method));
    buf_add(&request->bytes, str_of(target));
    request->method_len = (uint32_t)strlen(method);
    request->target_len = (uint32_t)strlen(target);
}

static void is(struct str got, const char *want) {
    SAME_STR(str_of(want), got, str_of(want));
}

static void a_new_request_is_empty(void **state) {
    (void)state;
    struct request *request = request_new();
    assert_int_equal(request->nfields, 0);
    assert_int_equal(request->content_length, -1);
    assert_false(request->chunked || request->keep_alive || request->expect_continue);
    assert_int_equal(request_method(request).len, 0);
    assert_int_equal(request_target(request).len, 0);
    assert_null(request_header(request, STR("host")).ptr);
    request_free(request);
    request_free(NULL);
}

static void pieces_are_found(void **state) {
    (void)state;
    struct request *request = request_new();
    fill(request, "GET", "/a?b");
    add(request, "host", "a");
    add(request, "x", "1");
    add(request, "empty", "");
    add(request, "x", "2");
    is(request_method(request), "GET");
    is(request_target(request), "/a?b");
    is(request_field_name(request, 3), "x");
    is(request_field_value(request, 3), "2");
    is(request_header(request, STR("x")), "1"); /* the first */
    is(request_header(request, STR("empty")), "");
    assert_non_null(request_header(request, STR("empty")).ptr);
    assert_null(request_header(request, STR("hos")).ptr);
    assert_null(request_header(request, STR("X")).ptr);
    request_free(request);
}

static void many_fields_fit(void **state) {
    (void)state;
    struct request *request = request_new();
    char name[20];
    fill(request, "GET", "/");
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        add(request, name, name + 1);
    }
    assert_int_equal(request->nfields, 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        is(request_field_name(request, (size_t)i), name);
        is(request_header(request, str_of(name)), name + 1);
    }
    request_free(request);
}

static void a_reset_request_is_as_new(void **state) {
    (void)state;
    struct request *request = request_new();
    fill(request, "POST", "/a");
    add(request, "host", "a");
    request->content_length = 5;
    request->chunked = request->keep_alive = request->expect_continue = true;
    request->minor = 1;
    size_t cap = request->bytes.cap;
    request_reset(request);
    assert_int_equal(request->bytes.cap, cap);
    assert_int_equal(request->bytes.len, 0);
    assert_int_equal(request->nfields, 0);
    assert_int_equal(request->content_length, -1);
    assert_int_equal(request->minor, 0);
    assert_false(request->chunked || request->keep_alive || request->expect_continue);
    assert_int_equal(request_method(request).len, 0);
    fill(request, "GET", "/b");
    add(request, "x", "y");
    is(request_target(request), "/b");
    is(request_header(request, STR("x")), "y");
    assert_null(request_header(request, STR("host")).ptr);
    request_free(request);
}

static void same_pieces(const struct request *request) {
    is(request_method(request), "GET");
    is(request_target(request), "http://b/c/%25?d=e");
    is(request_header(request, STR("host")), "a");
    is(request_header(request, STR("x-own")), "1");
    is(request_header(request, STR("user-agent")), "");
    assert_true(path_is(request_path(request), STR("/c/%")));
    is(request_query(request), "d=e");
    is(request_host(request), "b"); /* RFC 9112 section 3.2.2 */
    is(request_field_name(request, 1), "x-own");
    assert_null(request_header(request, STR("x-ow")).ptr);
}

static void a_sealed_request_is_the_same(void **state) {
    (void)state;
    struct request *request = request_new();
    fill(request, "GET", "http://b/c/%25?d=e");
    add(request, "host", "a");
    add(request, "x-own", "1");
    add(request, "user-agent", "");
    const char *why;
    assert_int_equal(request_split_target(request, &why), 0);
    same_pieces(request);
    size_t before = request->bytes.len;
    request_seal(request);
    assert_int_equal(request->bytes.len, before - strlen("host") - strlen("user-agent"));
    same_pieces(request);
    request_seal(request); /* twice is harmless */
    same_pieces(request);
    request_free(request);
}

static void targets_have_parts(void **state) {
    static const struct {
        const char *method, *target, *shown, *query; /* shown NULL: refused, and then why */
    } rows[] = {
        {"GET", "/", "/", NULL},
        {"GET", "/a?", "/a?", ""},
        {"GET", "/a?b?c", "/a?b?c", "b?c"},
        {"GET", "http://h", "/", NULL},
        {"GET", "http://h?q", "/?q", "q"},
        {"GET", "http://h/a%3Fb%20?%41", "/a%3Fb%20?%41", "%41"},
        {"GET", "/%41/%2f", "/A/%2F", NULL},
        {"OPTIONS", "*", "*", NULL},
        {"CONNECT", "h:80", "h:80", NULL},
        {"GET", "/a#b", NULL, "malformed target"},
        {"GET", "a", NULL, "malformed target"},
        {"GET", "http://h//a", NULL, "the path has an empty segment (\"//\")"},
        {"GET", "/a/%2E", NULL, "the path has a segment \".\" or \"..\""},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct request *request = request_new();
        struct buf shown = {0};
        const char *why;
        fill(request, rows[i].method, rows[i].target);
        int status = request_split_target(request, &why);
        assert_int_equal(status, rows[i].shown ? 0 : 400);
        if (status == 0) {
            SAME_STR(str_of(rows[i].target), request_show_target(request, &shown),
                     str_of(rows[i].shown));
            SAME_STR(str_of(rows[i].target), request_query(request), str_of(rows[i].query));
            assert_true((request_query(request).ptr == NULL) == (rows[i].query == NULL));
        } else {
            assert_string_equal(why, rows[i].query);
        }
        buf_fini(&shown);
        request_free(request);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_request_is_empty),
        cmocka_unit_test(pieces_are_found),
        cmocka_unit_test(many_fields_fit),
        cmocka_unit_test(a_reset_request_is_as_new),
        cmocka_unit_test(a_sealed_request_is_the_same),
        cmocka_unit_test(targets_have_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

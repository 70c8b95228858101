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
    request->host = STR("a");
    size_t cap = request->bytes.cap;
    request_reset(request);
    assert_int_equal(request->bytes.cap, cap);
    assert_int_equal(request->bytes.len, 0);
    assert_int_equal(request->nfields, 0);
    assert_int_equal(request->content_length, -1);
    assert_int_equal(request->minor, 0);
    assert_null(request->host.ptr);
    assert_false(request->chunked || request->keep_alive || request->expect_continue);
    assert_int_equal(request_method(request).len, 0);
    fill(request, "GET", "/b");
    add(request, "x", "y");
    is(request_target(request), "/b");
    is(request_header(request, STR("x")), "y");
    assert_null(request_header(request, STR("host")).ptr);
    request_free(request);
}

/* What points into the bytes follows them. */
static void a_shrunk_request_is_the_same(void **state) {
    (void)state;
    struct request *request = request_new();
    fill(request, "GET", "http://b/c?d=e");
    add(request, "host", "a");
    buf_reserve(&request->bytes, 100000);
    assert_int_equal(url_target(request_target(request), request_method(request), &request->target),
                     0);
    request->host = request->target.authority;
    request_shrink(request);
    assert_int_equal(request->bytes.cap, request->bytes.len);
    is(request_method(request), "GET");
    is(request_header(request, STR("host")), "a");
    is(request->target.scheme, "http");
    is(request->target.authority, "b");
    is(request->target.path, "/c");
    is(request->target.query, "d=e");
    is(request->host, "b");
    assert_ptr_equal(request->target.scheme.ptr, request->bytes.data + 3);
    assert_ptr_equal(request->host.ptr, request->bytes.data + 10);
    add(request, "x", "y"); /* it may grow again */
    is(request_header(request, STR("x")), "y");
    request_free(request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_request_is_empty),
        cmocka_unit_test(pieces_are_found),
        cmocka_unit_test(many_fields_fit),
        cmocka_unit_test(a_reset_request_is_as_new),
        cmocka_unit_test(a_shrunk_request_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

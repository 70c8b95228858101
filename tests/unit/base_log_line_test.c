/* What base/log_line promises: one line of either form, whatever the text. */
#include "base/log_line.h"

#include "table.h"

#define S(literal)                                                                                 \
    { (literal), sizeof(literal) - 1 }

static struct buf out;

static const char *line(void (*form)(struct buf *, const struct log_event *),
                        const struct log_event *event) {
    out.len = 0;
    form(&out, event);
    buf_add_char(&out, '\0');
    return out.data;
}

/* 2026-11-20T12:34:56.007Z */
#define TIME INT64_C(1795178096007)

static struct log_event event_of(struct str text) {
    return (struct log_event){.time_ms = TIME, .level = STR("info"), .text = text};
}

static void a_text_has_its_origin_behind_its_first_line(void **state) {
    (void)state;
    struct log_event event = event_of(STR("one\ntwo\n\tthree"));
    event.lines = true;
    strcpy(event.origin.request_id, "r1");
    assert_string_equal(line(log_line_text, &event),
                        "2026-11-20T12:34:56.007Z info  one request_id=r1\n    two\n    \tthree\n");
    strcpy(event.origin.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    event.lines = false;
    assert_string_equal(line(log_line_text, &event),
                        "2026-11-20T12:34:56.007Z info  one\\ntwo\\n\\x09three request_id=r1 "
                        "trace_id=4bf92f3577b34da6a3ce929d0e0e4736\n");
}

static void a_text_that_was_cut_says_so_at_its_end(void **state) {
    (void)state;
    struct log_event event = event_of(STR("one"));
    event.missing = 70;
    strcpy(event.origin.request_id, "r1");
    assert_string_equal(line(log_line_text, &event),
                        "2026-11-20T12:34:56.007Z info  one request_id=r1 … and 70 bytes more\n");
}

static void an_object_names_everything(void **state) {
    (void)state;
    struct log_event event = event_of(STR("one\ntwo"));
    event.lines = true;
    assert_string_equal(line(log_line_json, &event),
                        "{\"time\":\"2026-11-20T12:34:56.007Z\",\"level\":\"info\","
                        "\"message\":\"one\\ntwo\"}\n");
    event.missing = 70;
    event.fields = STR("{\"ms\":320}");
    strcpy(event.origin.request_id, "r1");
    strcpy(event.origin.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal(line(log_line_json, &event),
                        "{\"time\":\"2026-11-20T12:34:56.007Z\",\"level\":\"info\","
                        "\"message\":\"one\\ntwo\",\"missing_bytes\":70,\"request_id\":\"r1\","
                        "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                        "\"fields\":{\"ms\":320}}\n");
}

static void a_string_is_a_string(void **state) {
    static const struct {
        struct str text;
        const char *want;
    } rows[] = {
        {S(""), "\"\""},
        {S("a b"), "\"a b\""},
        {S("\"\\/"), "\"\\\"\\\\/\""},
        {S("a\nb\rc\t"), "\"a\\nb\\u000dc\\u0009\""},
        {S("\0\x1b[2J\x7f"), "\"\\u0000\\u001b[2J\\u007f\""},
        {S("\xc2\x9b\xc2\xa0"), "\"\\u009b\xc2\xa0\""}, /* a C1 control, and what comes behind */
        {S("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {S("\xff"), "\"\\ufffd\""},
        {S("a\xc3"), "\"a\\ufffd\""}, /* a beginning without its end */
        {S("\xe2\x82x"), "\"\\ufffd\\ufffdx\""},
        {S("\xc0\xaf"), "\"\\ufffd\\ufffd\""},            /* overlong */
        {S("\xed\xa0\x80"), "\"\\ufffd\\ufffd\\ufffd\""}, /* a surrogate */
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i].text);
        out.len = 0;
        log_quote(&out, text);
        SAME_STR(text, buf_str(&out), str_of(rows[i].want));
        exact_free(text);
    }
}

static int tear_down(void **state) {
    (void)state;
    buf_fini(&out);
    return 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, NULL, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_text_has_its_origin_behind_its_first_line),
        TEST(a_text_that_was_cut_says_so_at_its_end),
        TEST(an_object_names_everything),
        TEST(a_string_is_a_string),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What base/log_line promises: one line of either form, whatever the text. */
#include "base/log_line.h"

#include "proto/json_text.h"
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

/* Whatever the bytes, an object is one line, and every reader of JSON reads it. */
static void random_bytes_make_an_object(void **state) {
    static const char often[] = "\"\\\n\t\x7f\xc2\xe2\xf0\xed\x80\x9f\xbf\xff"
                                "au";
    uint32_t dice = 7; /* of a linear congruential generator: the same bytes each time */
    (void)state;
    for (int run = 0; run < 20000; run++) {
        char bytes[24];
        size_t n = (dice >> 16) % sizeof bytes, at;
        for (size_t i = 0; i < n; i++) {
            dice = dice * 1664525 + 1013904223;
            bytes[i] = dice >> 31 ? (char)(dice >> 16) : often[(dice >> 16) % (sizeof often - 1)];
        }
        dice = dice * 1664525 + 1013904223;
        struct str text = exact((struct str){bytes, n});
        struct log_event event = event_of(text);
        const char *line_of_it = line(log_line_json, &event);
        SAME_INT(text, json_text_check(str_of(line_of_it), &at) == NULL, 1);
        SAME_INT(text, strchr(line_of_it, '\n') - line_of_it, strlen(line_of_it) - 1);
        SAME_INT(text, strlen(line_of_it), out.len - 1); /* no NUL within */
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
        TEST(random_bytes_make_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A line as JSON, read back by a parser that is not ours; its time and its level. */
#include "logs/record.h"

#include "table.h"

#include <jansson.h>

static struct buf written(struct record record) {
    struct buf out = {0};
    buf_add(&out, STR("before"));
    record_write(&out, &record);
    buf_drop(&out, 6);
    return out;
}

static void test_form(void **state) {
    static const struct {
        struct tells tells;
        const char *line, *want;
        bool cut;
    } rows[] = {
        {{STAMP_NONE, LEVEL_NONE}, "a", "{\"id\":\"k~1\",\"line\":\"a\"}", false},
        {{1769860800000000, LEVEL_NONE},
         "",
         "{\"id\":\"k~1\",\"t\":1769860800,\"line\":\"\"}",
         false},
        {{1769860800120000, LEVEL_ERROR},
         "a",
         "{\"id\":\"k~1\",\"t\":1769860800.12,\"level\":\"error\",\"line\":\"a\"}",
         false},
        {{1000001, LEVEL_TRACE},
         "a",
         "{\"id\":\"k~1\",\"t\":1.000001,\"level\":\"trace\",\"line\":\"a\"}",
         false},
        {{-1500000, LEVEL_FATAL},
         "a",
         "{\"id\":\"k~1\",\"t\":-1.5,\"level\":\"fatal\",\"line\":\"a\",\"cut\":true}",
         true},
        {{STAMP_NONE, LEVEL_NONE},
         "a\"b\\c/\t\r\x1b[0m\x7f",
         "{\"id\":\"k~1\",\"line\":\"a\\\"b\\\\c/\\t\\r\\u001b[0m\x7f\"}",
         false},
        {{STAMP_NONE, LEVEL_NONE},
         "f\xc3\xbcr \xe2\x82\xac \xf0\x9f\x98\x80",
         "{\"id\":\"k~1\",\"line\":\"f\xc3\xbcr \xe2\x82\xac \xf0\x9f\x98\x80\"}",
         false},
        {{STAMP_NONE, LEVEL_NONE},
         "\xff\xc3\x28\xed\xa0\x80\xc3",
         "{\"id\":\"k~1\",\"line\":\"\xef\xbf\xbd\xef\xbf\xbd("
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}",
         false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str line = exact(str_of(rows[i].line));
        struct buf got = written((struct record){
            .id = STR("k~1"), .tells = rows[i].tells, .line = line, .cut = rows[i].cut});
        SAME_STR(line, buf_str(&got), str_of(rows[i].want));
        buf_fini(&got);
        exact_free(line);
    }
}

/* Lines of any ASCII bytes come back from jansson as they were; what is not UTF-8 is never there. */
static void test_a_parser_reads_it(void **state) {
    unsigned seed = 7;
    (void)state;
    for (int i = 0; i < 4000; i++) {
        char bytes[64];
        size_t n = (size_t)rand_r(&seed) % sizeof bytes;
        bool ascii = i % 2;
        for (size_t at = 0; at < n; at++)
            bytes[at] = (char)(rand_r(&seed) % (ascii ? 128 : 256));
        struct str line = exact((struct str){bytes, n});
        struct buf got =
            written((struct record){.id = STR("x"), .tells = {STAMP_NONE, 0}, .line = line});
        json_t *json = json_loadb(got.data, got.len, JSON_ALLOW_NUL, NULL);
        if (json == NULL)
            fail_msg("no JSON: %.*s", SHOWN(buf_str(&got)));
        json_t *text = json_object_get(json, "line");
        struct str read = {json_string_value(text), json_string_length(text)};
        if (ascii)
            SAME_STR(line, read, line);
        assert_int_equal(str_utf8_valid(buf_str(&got)), got.len);
        assert_null(memchr(got.data, '\n', got.len));
        json_decref(json);
        buf_fini(&got);
        exact_free(line);
    }
}

static void test_what_lines_tell(void **state) {
    static const struct {
        const char *line;
        int64_t time;
        enum level level;
    } rows[] = {
        {"2026-01-31T12:00:00Z WARN x", 1769860800000000, LEVEL_WARN},
        {"{\"level\":50,\"time\":1769860800123}", 1769860800123000, LEVEL_ERROR},
        {"{\"msg\":\"an error at "
         "2026-01-31T12:00:00Z\",\"ts\":1769860800.5,\"severity\":\"Notice\"}",
         1769860800500000, LEVEL_INFO},
        {"{\"a\":{\"level\":\"fatal\",\"time\":1},\"@timestamp\":\"2026-01-31T12:00:00Z\",\"lvl\":"
         "\"dbg\"}",
         1769860800000000, LEVEL_NONE},
        {"{\"a\":\"critical\"}", STAMP_NONE, LEVEL_FATAL},
        {"{\"time\":\"soon\",\"timestamp\":1769860800,\"level\":\"TRACE\"", 1769860800000000,
         LEVEL_TRACE},
        {"\x1b[1;33mWARN\x1b[0m x", STAMP_NONE, LEVEL_WARN},
        {"\x1b[2m2026-01-31T12:00:00Z\x1b[0m \x1b[32mINFO\x1b[39mfine", 1769860800000000,
         LEVEL_INFO},
        {"\x1b[38;5;196m2026-01-31 \x1b[1m12:00:00\x1b[0mZ e\x1b[mrror", 1769860800000000,
         LEVEL_NONE},
        {"\x1b[90m<3>Jan 31", STAMP_NONE, LEVEL_NONE},
        {"\x1b]0;error\x07", STAMP_NONE, LEVEL_ERROR}, /* no colour, so a text */
        {"\x1b[31merror\x1b[", STAMP_NONE, LEVEL_ERROR},
        {"\x1b[3", STAMP_NONE, LEVEL_NONE},
        {"\x1b", STAMP_NONE, LEVEL_NONE},
        {"{", STAMP_NONE, LEVEL_NONE},
        {"", STAMP_NONE, LEVEL_NONE},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str line = exact(str_of(rows[i].line));
        struct tells tells = tells_of(line);
        SAME_INT(line, tells.time, rows[i].time);
        SAME_INT(line, tells.level, rows[i].level);
        SAME_INT(line, tells_level(line), rows[i].level);
        exact_free(line);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_a_parser_reads_it),
        cmocka_unit_test(test_what_lines_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

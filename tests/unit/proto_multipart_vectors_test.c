/* The cases of tests/vectors/multipart, or those of the file that MULTIPART_CASES names, each whole
 * and split at every byte: the parser and what it is told of heads together. */
#include "proto/multipart.h"
#include "proto/part_head.h"

#include "table.h"

#include <jansson.h>

#define CASES "tests/vectors/multipart/cases.json"
#define HEAD_MAX 8192

/* `text`: its code points are bytes, or not. */
static void add_text(struct buf *out, const json_t *text, bool bytes) {
    struct str s = {json_string_value(text), json_string_length(text)};
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (bytes && c >= 0xC2)
            c = (unsigned char)(c << 6 | (s.ptr[++i] & 0x3F));
        buf_add_char(out, (char)c);
    }
}

/* Bytes, as SOURCE.md says they are written. */
static void add_bytes(struct buf *out, const json_t *value) {
    const json_t *piece;
    size_t i;
    if (json_is_string(value))
        add_text(out, value, true);
    json_array_foreach(value, i, piece) {
        json_int_t times = json_integer_value(json_array_get(piece, 1));
        for (json_int_t n = json_is_array(piece) ? times : 1; n > 0; n--)
            add_text(out, json_is_array(piece) ? json_array_get(piece, 0) : piece, true);
    }
}

/* What a part has, in the same form for what is wanted and what is read. */
static void add_part(struct buf *log, struct str name, struct str filename, struct str type) {
    buf_printf(log, "[%.*s|%.*s|%.*s|", STR_ARG(name), SHOWN(filename), SHOWN(type));
}

static struct buf wanted(const json_t *test) {
    const json_t *part;
    struct buf log = {0};
    size_t i;
    json_array_foreach(json_object_get(test, "parts"), i, part) {
        static const char *const members[] = {"name", "filename", "content_type"};
        struct buf texts[3] = {{0}, {0}, {0}};
        for (int m = 0; m < 3; m++)
            add_text(&texts[m], json_object_get(part, members[m]), false);
        if (json_object_get(part, "filename_star")) {
            texts[1].len = 0;
            add_text(&texts[1], json_object_get(part, "filename_star"), false);
        }
        struct str type = buf_str(&texts[2]); /* some have their parameters */
        add_part(&log, buf_str(&texts[0]), buf_str(&texts[1]), str_cut(&type, ';'));
        add_bytes(&log, json_object_get(part, "body"));
        buf_add_char(&log, ']');
        for (int m = 0; m < 3; m++)
            buf_fini(&texts[m]);
    }
    return log;
}

static int take_head(struct multipart *parser, struct str lines, struct buf *log) {
    struct buf text = {0};
    struct part_head head;
    int rc = part_head_read(lines, &text, &head);
    parser->part_left = UINT64_MAX;
    if (rc == 0)
        add_part(log, head.name, head.filename, head.type);
    buf_fini(&text);
    return rc;
}

/* MULTIPART_MORE or _END, or an error. */
static int take(struct multipart *parser, struct str piece, struct buf *log) {
    struct str given = exact(piece), in = given, out;
    int rc;
    do {
        rc = multipart_next(parser, &in, SIZE_MAX, &out);
        if (rc == MULTIPART_DATA)
            buf_add(log, out);
        else if (rc == MULTIPART_PART)
            buf_add_char(log, ']');
        else if (rc == MULTIPART_HEAD && (rc = take_head(parser, out, log)) == 0)
            rc = MULTIPART_HEAD;
    } while (rc > 0 && rc != MULTIPART_END);
    exact_free(given);
    return rc;
}

/* The body in two pieces: MULTIPART_END, or an error. */
static int read_body(struct str type, struct str body, size_t cut, struct buf *log) {
    char head[HEAD_MAX];
    struct multipart parser;
    int rc = multipart_init(&parser, type, head, HEAD_MAX, 100);
    if (rc == 0)
        rc = take(&parser, (struct str){body.ptr, cut}, log);
    if (rc >= 0)
        rc = take(&parser, (struct str){body.ptr + cut, body.len - cut}, log);
    if (rc < 0)
        return rc;
    multipart_over(&parser);
    return take(&parser, (struct str){NULL, 0}, log);
}

/* Of those where more than one outcome is right. */
static bool is_refused(const char *id) {
    static const char *const ids[] = {"044", "046", "061", "062", "208", "210"};
    for (size_t i = 0; i < COUNT(ids); i++)
        if (strncmp(id, ids[i], 3) == 0)
            return true;
    return false;
}

static void check_case(const json_t *test) {
    const char *id = json_string_value(json_object_get(test, "id"));
    struct str type = str_of(json_string_value(json_object_get(test, "content_type")));
    bool valid = json_is_true(json_object_get(test, "valid"));
    struct buf body = {0}, want = wanted(test);
    if (is_refused(id)) {
        assert_non_null(json_object_get(test, "either"));
        valid = false;
    }
    add_bytes(&body, json_object_get(test, "body"));
    for (size_t cut = 0; cut <= body.len; cut++) {
        struct buf log = {0};
        int rc = read_body(type, buf_str(&body), cut, &log);
        SAME_INT(str_of(id), valid ? rc : rc < 0, valid ? MULTIPART_END : 1);
        if (valid)
            SAME_STR(str_of(id), buf_str(&log), buf_str(&want));
        buf_fini(&log);
    }
    buf_fini(&body);
    buf_fini(&want);
}

static void cases(void **state) {
    (void)state;
    const char *others = getenv("MULTIPART_CASES");
    json_t *tests = json_load_file(others ? others : CASES, JSON_ALLOW_NUL, NULL);
    const json_t *test;
    size_t i;
    assert_true(others ? json_array_size(tests) > 0 : json_array_size(tests) == 58);
    json_array_foreach(tests, i, test) check_case(test);
    json_decref(tests);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cases)};
    return cmocka_run_group_tests_name("proto_multipart_vectors", tests, NULL, NULL);
}

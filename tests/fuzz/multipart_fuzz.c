/* The parser says the same of a body in whatever pieces it comes, and the same as a plain search of
 * the whole body does. What heads say, and names of files made safe, is tried on the way. */
#include "proto/file_name.h"
#include "proto/multipart.h"
#include "proto/part_head.h"

#include "fuzz.h"

#define HEAD_MAX 1024
#define PARTS_MAX 100
#define PART_MAX 4096

static struct str rest_of(struct str s, size_t from) {
    return (struct str){s.ptr + from, s.len - from};
}

/* --- the parser --- */

struct outcome {
    int rc;         /* MULTIPART_END or an error */
    struct buf log; /* "{head}<", content, ">" */
};

static void check_head(struct str lines) {
    struct buf text = {0};
    struct part_head head;
    char name[FILE_NAME_MAX], again[FILE_NAME_MAX];
    if (part_head_read(lines, &text, &head) == 0) {
        CHECK(text.len <= lines.len);
        CHECK(inside(head.name, buf_str(&text)) && (!head.type.ptr || inside(head.type, lines)));
        size_t n = file_name_safe(head.filename, name);
        CHECK(n > 0 && n <= FILE_NAME_MAX && str_utf8_valid((struct str){name, n}) == n);
        CHECK(!memchr(name, '/', n) && !memchr(name, '\\', n) && !memchr(name, '\0', n));
        CHECK(name[0] != '.' && name[n - 1] != '.');
        CHECK(file_name_safe((struct str){name, n}, again) == n && memcmp(name, again, n) == 0);
    }
    buf_fini(&text);
}

static void tell(struct outcome *outcome, struct multipart *parser, int rc, struct str out) {
    if (rc == MULTIPART_HEAD) {
        parser->part_left = PART_MAX;
        check_head(out);
        buf_printf(&outcome->log, "{");
        buf_add(&outcome->log, out);
        buf_printf(&outcome->log, "}<");
    } else if (rc == MULTIPART_PART) {
        buf_add_char(&outcome->log, '>');
    } else {
        CHECK(rc != MULTIPART_DATA || out.len > 0);
        buf_add(&outcome->log, out);
    }
}

static void drain(struct outcome *outcome, struct multipart *parser, struct str *in, size_t most) {
    struct str out, all = *in;
    while ((outcome->rc = multipart_next(parser, in, most, &out)) > 0 &&
           outcome->rc != MULTIPART_END) {
        bool held = out.ptr >= parser->line && out.ptr < parser->line + sizeof parser->line;
        CHECK(out.len == 0 || outcome->rc == MULTIPART_HEAD || held || inside(out, all));
        CHECK(outcome->rc != MULTIPART_DATA || out.len <= most);
        tell(outcome, parser, outcome->rc, out);
    }
    CHECK(outcome->rc < 0 || in->len == 0);
}

/* In pieces whose sizes cycle through those of `cuts`; without any it comes whole. */
static struct outcome parse(struct str type, struct str body, struct str cuts) {
    struct outcome outcome = {0};
    struct multipart parser;
    char *head = malloc(HEAD_MAX);
    outcome.rc = multipart_init(&parser, type, head, HEAD_MAX, PARTS_MAX);
    CHECK(outcome.rc == 0);
    for (size_t i = 0, used = 0; outcome.rc >= 0 && used < body.len; i++) {
        size_t n = cuts.len ? (size_t)(unsigned char)cuts.ptr[i % cuts.len] + 1 : body.len;
        struct input left = {(const uint8_t *)body.ptr + used, body.len - used};
        struct str piece = take(&left, n), in = piece;
        drain(&outcome, &parser, &in, cuts.len ? 1 + n / 2 : SIZE_MAX);
        used += piece.len;
        give_back(piece);
    }
    if (outcome.rc >= 0) {
        struct str none = {NULL, 0};
        multipart_over(&parser);
        drain(&outcome, &parser, &none, 1);
    }
    CHECK(outcome.rc == MULTIPART_END || outcome.rc < 0);
    free(head);
    return outcome;
}

/* --- the plain search --- */

struct line {
    size_t end; /* behind it; 0: there is none */
    bool closing, too_long;
};

/* The delimiter line that begins at `at`, behind a CRLF. */
static struct line line_at(struct str body, size_t at, struct str boundary) {
    struct str s = rest_of(body, at);
    struct line line = {0};
    if (!str_starts(s, STR("--")) || !str_starts(rest_of(s, 2), boundary))
        return line;
    size_t i = 2 + boundary.len, start = i;
    line.closing = str_starts(rest_of(s, i), STR("--"));
    i += line.closing ? 2 : 0;
    while (i < s.len && (s.ptr[i] == ' ' || s.ptr[i] == '\t'))
        if (i++ - start == MULTIPART_PADDING_MAX) {
            line.too_long = true;
            return line;
        }
    if (str_starts(rest_of(s, i), STR("\r\n")))
        line.end = at + i + 2;
    else if (line.closing && (i == s.len || str_eq(rest_of(s, i), STR("\r"))))
        line.end = body.len;
    return line;
}

/* Where the content that begins at `at` ends, and the line behind it. */
static size_t content_end(struct str body, size_t at, struct str boundary, struct line *line) {
    *line = line_at(body, at, boundary);
    if (line->end > 0 || line->too_long)
        return at;
    for (size_t i = at; i < body.len; i++) {
        if (!str_starts(rest_of(body, i), STR("\r\n")))
            continue;
        *line = line_at(body, i + 2, boundary);
        if (line->end > 0 || line->too_long)
            return i;
    }
    return body.len;
}

/* Behind the empty line of the head at `at`; 0: it has none. */
static size_t head_end(struct str body, size_t at, struct str boundary) {
    for (;;) {
        struct str rest = rest_of(body, at);
        const char *lf = rest.len > 0 ? memchr(rest.ptr, '\n', rest.len) : NULL;
        if (lf == NULL || lf == rest.ptr || lf[-1] != '\r')
            return 0;
        if (str_starts(rest, STR("--")) && str_starts(rest_of(rest, 2), boundary))
            return 0;
        at += (size_t)(lf - rest.ptr) + 1;
        if (lf == rest.ptr + 1)
            return at;
    }
}

/* A head's lines, unfolded. */
static void add_head(struct buf *log, struct str lines) {
    for (size_t i = 0; i < lines.len; i++) {
        bool folds = str_starts(rest_of(lines, i), STR("\r\n")) && i + 2 < lines.len &&
                     (lines.ptr[i + 2] == ' ' || lines.ptr[i + 2] == '\t');
        if (folds)
            buf_add(log, STR("  "));
        else
            buf_add_char(log, lines.ptr[i]);
        i += folds;
    }
}

/* Of a body that keeps to the limits. */
static struct outcome search(struct str body, struct str boundary) {
    struct outcome outcome = {.rc = -1};
    struct line line;
    content_end(body, 0, boundary, &line);
    while (line.end > 0 && !line.closing) {
        size_t start = head_end(body, line.end, boundary);
        if (start == 0)
            return outcome;
        buf_printf(&outcome.log, "{");
        add_head(&outcome.log, (struct str){body.ptr + line.end, start - 2 - line.end});
        buf_printf(&outcome.log, "}<");
        size_t end = content_end(body, start, boundary, &line);
        buf_add(&outcome.log, (struct str){body.ptr + start, end - start});
        if (line.end > 0)
            buf_add_char(&outcome.log, '>');
    }
    if (line.end > 0)
        outcome.rc = MULTIPART_END;
    return outcome;
}

static bool is_limit(int rc) {
    return rc == MULTIPART_ESTART || rc == MULTIPART_EHEADLEN || rc == MULTIPART_EPARTS ||
           rc == MULTIPART_ELENGTH;
}

/* The first byte: how many of the next say where to cut; then a boundary, "b" if that is none; the
 * rest is the body. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct str count = take(&in, 1);
    struct str cuts = take(&in, count.len ? (size_t)(unsigned char)count.ptr[0] % 8 : 0);
    struct str boundary = take_piece(&in), body = take(&in, in.left);
    struct multipart parser;
    struct buf type = {0};
    buf_printf(&type, "multipart/form-data; boundary=\"");
    buf_add(&type, boundary);
    buf_add_char(&type, '"');
    struct str used = boundary;
    if (has_byte(boundary, '"') || has_byte(boundary, '\\') ||
        multipart_init(&parser, buf_str(&type), NULL, 0, 0) < 0) {
        type.len = 0;
        buf_printf(&type, "multipart/form-data; boundary=b");
        used = STR("b");
    }
    struct outcome whole = parse(buf_str(&type), body, (struct str){NULL, 0});
    struct outcome parts = parse(buf_str(&type), body, cuts);
    struct outcome plain = search(body, used);
    CHECK(whole.rc == parts.rc);
    if (whole.rc == MULTIPART_END)
        CHECK(str_eq(buf_str(&whole.log), buf_str(&parts.log)));
    if (!is_limit(whole.rc))
        CHECK((whole.rc < 0) == (plain.rc < 0));
    if (whole.rc == MULTIPART_END)
        CHECK(str_eq(buf_str(&whole.log), buf_str(&plain.log)));
    buf_fini(&whole.log);
    buf_fini(&parts.log);
    buf_fini(&plain.log);
    buf_fini(&type);
    give_back(count);
    give_back(cuts);
    give_back(boundary);
    give_back(body);
    return 0;
}

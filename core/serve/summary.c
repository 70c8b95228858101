/* summary: what an app's README says of it, in a line: the list of several apps shows it.
 *
 * It is the first sentence of the first paragraph: of the Markdown before it, blocks that are no
 * prose (headings, lists, quotes, tables, code, badges, HTML, front matter) are passed over, and
 * the marks in it are left out. It is no Markdown reader: what it takes wrongly is a strange line,
 * which its author sees.
 *
 * Who wrote the README need not be trusted: only the first README_BYTES of a regular file that is
 * truly beneath the app's folder are read, and what comes out is one line of UTF-8 without control
 * characters, of bounded length; to escape it is left to who shows it. It is read when the app is
 * loaded, where and as the app's own file is: blocking. */
#include "serve/summary.h"

#include "net/file.h"

#include <ctype.h>

#define README_BYTES 8192

/* --- the paragraph --- */

static bool starts(struct str line, const char *with) {
    return str_starts(line, str_of(with));
}

/* "1. " and "1) " */
static bool is_numbered(struct str line) {
    size_t at = 0;
    while (at < line.len && isdigit((unsigned char)line.ptr[at]))
        at++;
    return at > 0 && at + 1 < line.len && (line.ptr[at] == '.' || line.ptr[at] == ')') &&
           line.ptr[at + 1] == ' ';
}

/* Whether a block that begins with this line is prose. */
static bool is_prose(struct str line) {
    unsigned char first = (unsigned char)line.ptr[0];
    if (starts(line, "* ") || starts(line, "***") || starts(line, "```") || starts(line, "[!") ||
        starts(line, "___") || is_numbered(line))
        return false;
    return isalnum(first) || first >= 0x80 || strchr("\"'(`*_[", first) != NULL;
}

/* What makes a heading of the lines above it. */
static bool is_underline(struct str line) {
    for (size_t i = 0; i < line.len; i++)
        if (line.ptr[i] != line.ptr[0] || strchr("=-", line.ptr[i]) == NULL)
            return false;
    return line.len > 0;
}

static struct str next_line(struct str *rest) {
    struct str line = str_cut(rest, '\n');
    while (line.len > 0 && isspace((unsigned char)line.ptr[line.len - 1]))
        line.len--;
    return line;
}

/* Passes over a block that is no prose: a heading is one line, code ends with its fence, all others
 * with an empty line. */
static void skip_block(struct str line, struct str *rest) {
    bool code = starts(line, "```");
    if (line.ptr[0] == '#')
        return;
    while (rest->ptr) {
        line = next_line(rest);
        if (code ? starts(line, "```") : line.len == 0)
            return;
    }
}

static void add_line(struct buf *out, struct str line) {
    buf_add(out, line);
    buf_add_char(out, ' ');
}

/* Appends the first paragraph, its lines with a space behind each. */
static void find_paragraph(struct str rest, struct buf *out) {
    size_t begun = out->len;
    while (rest.ptr) {
        struct str line = next_line(&rest);
        if (line.len == 0 && out->len > begun)
            return;
        if (line.len == 0)
            continue;
        if (out->len > begun && is_underline(line))
            out->len = begun;
        else if (out->len > begun || is_prose(line))
            add_line(out, str_trim(line));
        else
            skip_block(line, &rest);
    }
}

/* --- the line --- */

/* Behind the "](...)" of a link, or `at`, where there is none. */
static size_t behind_link(struct str text, size_t at) {
    if (at + 1 >= text.len || text.ptr[at] != ']' || text.ptr[at + 1] != '(')
        return at;
    const char *end = memchr(text.ptr + at, ')', text.len - at);
    return end ? (size_t)(end - text.ptr) + 1 : at;
}

static bool is_mark(struct str text, size_t at) {
    char c = text.ptr[at];
    bool image = c == '!' && at + 1 < text.len && text.ptr[at + 1] == '[';
    bool escape = c == '\\' && at + 1 < text.len && ispunct((unsigned char)text.ptr[at + 1]);
    return image || escape || c == '`' || c == '*' || c == '[' || c == ']';
}

/* Appends the first sentence without its marks. */
static void add_sentence(struct str text, struct buf *out) {
    for (size_t at = 0; at < text.len; at++) {
        size_t behind = behind_link(text, at);
        if (behind > at) {
            at = behind - 1;
            continue;
        }
        if (is_mark(text, at))
            continue;
        buf_add_char(out, text.ptr[at]);
        if (strchr(".!?", text.ptr[at]) && (at + 1 == text.len || text.ptr[at + 1] == ' '))
            return;
    }
}

/* Of a line that is too long, what ends with a word, or at least with a character. */
static void shorten(struct buf *line) {
    if (line->len <= SUMMARY_MAX)
        return;
    size_t end = SUMMARY_MAX;
    while (end > SUMMARY_MAX / 2 && line->data[end] != ' ')
        end--;
    if (line->data[end] != ' ')
        end = SUMMARY_MAX;
    for (int i = 0; i < 3 && ((unsigned char)line->data[end] & 0xc0) == 0x80; i++)
        end--;
    line->len = end;
    buf_add(line, STR("…"));
}

/* All of it can be shown: no control characters, those of C1 neither. */
static bool is_text(struct str line) {
    if (str_utf8_valid(line) != line.len)
        return false;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        if (iscntrl(c) || (c == 0xc2 && (unsigned char)line.ptr[i + 1] < 0xa0))
            return false;
    }
    return true;
}

void summary_of(struct str text, struct buf *out) {
    struct buf paragraph = {0}, line = {0};
    if (str_starts(text, STR("\xef\xbb\xbf")))
        text = (struct str){text.ptr + 3, text.len - 3};
    find_paragraph(text, &paragraph);
    add_sentence(str_trim(buf_str(&paragraph)), &line);
    shorten(&line);
    if (is_text(buf_str(&line)))
        buf_add(out, str_trim(buf_str(&line)));
    buf_fini(&paragraph);
    buf_fini(&line);
}

void summary_read(const char *folder, struct buf *out) {
    char text[README_BYTES];
    struct stat st;
    int fd = file_open_beneath(folder, STR("README.md"), &st);
    if (fd < 0)
        return;
    int64_t n = file_read_at(fd, text, sizeof text, 0);
    file_close(fd);
    if (n > 0)
        summary_of((struct str){text, (size_t)n}, out);
}

/* json_text: what of RFC 8259's grammar lenient JSON parsers let pass.
 *
 * A parser for speed reads strings and numbers with what the C library has, and takes more than the
 * grammar: raw control characters, bytes that are not UTF-8 (section 8.1), `1.`, `.5e3`, and
 * numbers that become infinite. This pass looks at exactly those, so that what is decoded here is
 * what any other reader of the text sees. How tokens follow each other, escapes and nesting are the
 * parser's.
 *
 * One pass over the bytes without memory of its own; borrows the text and knows no values. */
#include "proto/json_text.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The offset behind the string whose quote stands at `i`, or of what is wrong in it. */
static size_t skip_string(struct str text, size_t i, const char **wrong) {
    for (i++; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"')
            return i + 1;
        if (c < 0x20) {
            *wrong = "a control character in a string must be escaped";
            return i;
        }
        if (c == '\\')
            i++;
    }
    return text.len; /* without an end: the parser says so */
}

static size_t skip_digits(struct str text, size_t i) {
    while (i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9')
        i++;
    return i;
}

static bool is_at(struct str text, size_t i, const char *any) {
    return i < text.len && text.ptr[i] != '\0' && strchr(any, text.ptr[i]);
}

/* -? (0 | [1-9][0-9]*) ([.][0-9]+)? ([eE][+-]?[0-9]+)?, section 6. The offset behind it; `start`
 * when there is none. */
static size_t skip_number(struct str text, size_t start) {
    size_t i = start + is_at(text, start, "-"), end = skip_digits(text, i);
    if (end == i || (text.ptr[i] == '0' && end > i + 1))
        return start;
    if (is_at(text, end, ".")) {
        i = end + 1;
        end = skip_digits(text, i);
        if (end == i)
            return start;
    }
    if (is_at(text, end, "eE")) {
        i = end + 1;
        i += is_at(text, i, "+-");
        end = skip_digits(text, i);
        if (end == i)
            return start;
    }
    return end;
}

/* Only one with an exponent or of very many digits can be. */
bool json_text_is_infinite(struct str number) {
    if (number.len < 300 && !memchr(number.ptr, 'e', number.len) &&
        !memchr(number.ptr, 'E', number.len))
        return false;
    char *copy = mem_copy(number.ptr, number.len); /* with the NUL that strtod needs */
    bool infinite = isinf(strtod(copy, NULL));
    free(copy);
    return infinite;
}

static bool begins_number(char c) {
    return c == '-' || c == '+' || c == '.' || (c >= '0' && c <= '9');
}

/* The number at `i`, alone; empty when what stands there only looks like one. */
static struct str number_at(struct str text, size_t i) {
    size_t end = skip_number(text, i);
    if (is_at(text, end, ".eE+-0123456789"))
        end = i;
    return (struct str){text.ptr + i, end - i};
}

static size_t check_number(struct str text, size_t i, const char **wrong) {
    struct str number = number_at(text, i);
    if (number.len == 0)
        *wrong = "this is no JSON number";
    else if (json_text_is_infinite(number))
        *wrong = "this number is beyond the range of a double";
    return *wrong ? i : i + number.len;
}

bool json_text_next(struct str text, size_t *at, struct str *number) {
    const char *wrong = NULL;
    for (size_t i = *at; i < text.len; i++) {
        if (text.ptr[i] == '"')
            i = skip_string(text, i, &wrong) - 1;
        else if (begins_number(text.ptr[i])) {
            *number = number_at(text, i);
            while (is_at(text, i, ".eE+-0123456789"))
                i++;
            *at = i--;
            if (number->len > 0)
                return true;
        }
    }
    return false;
}

const char *json_text_check(struct str text, size_t *at) {
    const char *wrong = NULL;
    size_t i = str_utf8_valid(text);
    if (i < text.len)
        wrong = "a byte that is not UTF-8";
    else
        i = 0;
    while (!wrong && i < text.len) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"')
            i = skip_string(text, i, &wrong);
        else if (begins_number(text.ptr[i]))
            i = check_number(text, i, &wrong);
        else if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            wrong = "a control character";
        else
            i++;
    }
    *at = i;
    return wrong;
}

/* --- writing --- */

static void add_byte(struct buf *out, char c) {
    if (c == '"' || c == '\\')
        buf_printf(out, "\\%c", c);
    else if ((unsigned char)c < 0x20)
        buf_printf(out, "\\u%04x", c);
    else
        buf_add_char(out, c);
}

void json_text_quote(struct buf *out, struct str text) {
    buf_add_char(out, '"');
    while (text.len > 0) {
        size_t valid = str_utf8_valid(text);
        for (size_t i = 0; i < valid; i++)
            add_byte(out, text.ptr[i]);
        if (valid < text.len)
            buf_add(out, STR("\xEF\xBF\xBD"));
        valid += valid < text.len;
        text = (struct str){text.ptr + valid, text.len - valid};
    }
    buf_add_char(out, '"');
}

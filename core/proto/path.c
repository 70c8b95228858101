/* path: the one reading of a path.
 *
 *     /a%20b/c%2Fd/      as sent
 *     a b NUL c/d NUL    path_read: cut at '/', each segment decoded once
 *     /a b/c%2Fd/        path_text: what scripts see
 *     /a%20b/c%2Fd/      path_encode: what logs and redirects show
 *
 * A guard that reads a path otherwise than who answers it guards nothing. So a path is read here,
 * once, when the head of its request is complete, and prefixes, routes, mounts, files, the script
 * and the log are given these segments and nothing else.
 *
 * Whoever stood in front has read the path as well, and may have checked it. Therefore nothing is
 * merged or resolved: what servers are known to read differently (empty segments, dot segments,
 * broken escapes, NUL) is refused, and an encoded slash never becomes a separator. Pure; it knows
 * neither routes nor files. */
#include "proto/path.h"

#include "proto/url.h"

/* pchar without its escapes (RFC 3986 section 3.3). */
static const bool pchar[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['-'] = true, ['.'] = true,
    ['_'] = true,         ['~'] = true,         ['!'] = true,         ['$'] = true, ['&'] = true,
    ['\''] = true,        ['('] = true,         [')'] = true,         ['*'] = true, ['+'] = true,
    [','] = true,         [';'] = true,         ['='] = true,         [':'] = true, ['@'] = true,
};

/* ---- reading ----------------------------------------------------------------------------------
 */

static bool is_dots(const char *bytes, size_t len) {
    return (len == 1 || len == 2) && bytes[0] == '.' && bytes[len - 1] == '.';
}

/* Of one segment, decoded: 0, or an error. */
static int check(const char *bytes, size_t len, bool last) {
    if (len == 0 && !last)
        return PATH_EEMPTY;
    return is_dots(bytes, len) ? PATH_EDOT : 0;
}

int path_read(struct str raw, struct buf *out) {
    if (raw.len == 0 || raw.ptr[0] != '/')
        return PATH_ESLASH;
    char *start = buf_reserve(out, raw.len), *to = start, *segment = start;
    int rewritten = 0;
    for (size_t i = 1; i < raw.len; i++) {
        int c = (unsigned char)raw.ptr[i];
        if (pchar[c]) {
            *to++ = (char)c;
            continue;
        }
        if (c == '/') {
            int error = check(segment, (size_t)(to - segment), false);
            if (error)
                return error;
            *to++ = '\0';
            segment = to;
            continue;
        }
        if (c == '%') {
            c = url_escape(raw, i);
            i += 2;
        }
        if (c <= 0)
            return c < 0 ? PATH_EESCAPE : PATH_ENUL;
        *to++ = (char)c;
        rewritten = PATH_REWRITTEN;
    }
    int error = check(segment, (size_t)(to - segment), true);
    if (error)
        return error;
    out->len += (size_t)(to - start);
    return rewritten;
}

const char *path_error(int error) {
    switch (error) {
    case PATH_EESCAPE:
        return "the path has a '%' without two hex digits behind it";
    case PATH_ENUL:
        return "the path has a NUL";
    case PATH_EEMPTY:
        return "the path has an empty segment (\"//\")";
    case PATH_EDOT:
        return "the path has a segment \".\" or \"..\"";
    default:
        return "the path does not begin with '/'";
    }
}

/* ---- looking ----------------------------------------------------------------------------------
 */

bool path_is(struct path path, struct str text) {
    struct str segment;
    text = (struct str){text.ptr + 1, text.len - 1};
    while (text.ptr)
        if (!path_next(&path, &segment) || !str_eq(segment, str_cut(&text, '/')))
            return false;
    return path.bytes.ptr == NULL;
}

/* ---- writing ----------------------------------------------------------------------------------
 */

/* Whether a '%' that stands there could be taken for one that add_text has written. */
static bool is_ambiguous(struct str s, size_t i) {
    if (s.len - i < 3 || s.ptr[i + 1] != '2')
        return false;
    char c = s.ptr[i + 2];
    return c == 'F' || c == 'f' || c == '5';
}

static void add_text(struct str segment, bool every_percent, struct buf *out) {
    for (size_t i = 0; i < segment.len; i++) {
        char c = segment.ptr[i];
        if (c == '/')
            buf_add(out, STR("%2F"));
        else if (c == '%' && (every_percent || is_ambiguous(segment, i)))
            buf_add(out, STR("%25"));
        else
            buf_add_char(out, c);
    }
}

void path_text(struct path path, struct buf *out) {
    struct str segment;
    while (path_next(&path, &segment)) {
        buf_add_char(out, '/');
        add_text(segment, true, out);
    }
}

void path_rest_text(struct path rest, struct buf *out) {
    struct str segment;
    for (bool first = true; path_next(&rest, &segment); first = false) {
        if (!first)
            buf_add_char(out, '/');
        add_text(segment, false, out);
    }
}

/* Segments with a NUL between two. */
static void encode(struct str bytes, struct buf *out) {
    static const char hex[] = "0123456789ABCDEF";
    char *start = buf_reserve(out, 3 * bytes.len), *to = start;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (pchar[c]) {
            *to++ = (char)c;
        } else if (c == '\0') {
            *to++ = '/';
        } else {
            *to++ = '%';
            *to++ = hex[c >> 4];
            *to++ = hex[c & 15];
        }
    }
    out->len += (size_t)(to - start);
}

void path_encode_segment(struct str segment, struct buf *out) {
    encode(segment, out);
}

void path_encode(struct path path, struct buf *out) {
    if (path.bytes.ptr == NULL)
        return;
    buf_add_char(out, '/');
    encode(path.bytes, out);
}

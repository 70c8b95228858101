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

/* ---- reading ----------------------------------------------------------------------------------
 */

/* Decodes one segment to `to`, which has room: its length, or an error. */
static long long decode(struct str segment, char *to) {
    char *start = to;
    for (size_t i = 0; i < segment.len; i++) {
        int c = (unsigned char)segment.ptr[i];
        if (c == '%') {
            c = url_escape(segment, i);
            i += 2;
        }
        if (c <= 0)
            return c < 0 ? PATH_EESCAPE : PATH_ENUL;
        *to++ = (char)c;
    }
    return to - start;
}

static bool is_dots(const char *bytes, long long len) {
    return (len == 1 || len == 2) && bytes[0] == '.' && bytes[len - 1] == '.';
}

static int check(const char *bytes, long long len, bool last) {
    if (len < 0)
        return (int)len;
    if (len == 0 && !last)
        return PATH_EEMPTY;
    return is_dots(bytes, len) ? PATH_EDOT : 0;
}

int path_read(struct str raw, struct buf *out) {
    if (raw.len == 0 || raw.ptr[0] != '/')
        return PATH_ESLASH;
    struct str rest = {raw.ptr + 1, raw.len - 1};
    char *start = buf_reserve(out, raw.len), *to = start;
    while (rest.ptr) {
        struct str segment = str_cut(&rest, '/');
        long long len = decode(segment, to);
        int error = check(to, len, rest.ptr == NULL);
        if (error)
            return error;
        to += len;
        if (rest.ptr)
            *to++ = '\0';
    }
    out->len += (size_t)(to - start);
    return 0;
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

struct path path_after(struct path path, size_t n) {
    struct str segment;
    while (n-- > 0 && path_next(&path, &segment)) {
    }
    return path;
}

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

void path_text(struct path path, struct buf *out) {
    struct str segment;
    while (path_next(&path, &segment)) {
        buf_add_char(out, '/');
        for (size_t i = 0; i < segment.len; i++) {
            if (segment.ptr[i] == '/')
                buf_add(out, STR("%2F"));
            else if (segment.ptr[i] == '%')
                buf_add(out, STR("%25"));
            else
                buf_add_char(out, segment.ptr[i]);
        }
    }
}

/* pchar without its escapes (RFC 3986 section 3.3). */
static bool is_pchar(char c) {
    static const char others[] = "-._~!$&'()*+,;=:@";
    char lower = c | 0x20;
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           memchr(others, c, sizeof others - 1) != NULL;
}

void path_encode_segment(struct str segment, struct buf *out) {
    static const char hex[] = "0123456789ABCDEF";
    char *to = buf_reserve(out, 3 * segment.len);
    size_t n = 0;
    for (size_t i = 0; i < segment.len; i++) {
        unsigned char c = (unsigned char)segment.ptr[i];
        if (is_pchar(segment.ptr[i])) {
            to[n++] = segment.ptr[i];
            continue;
        }
        to[n++] = '%';
        to[n++] = hex[c >> 4];
        to[n++] = hex[c & 15];
    }
    out->len += n;
}

void path_encode(struct path path, struct buf *out) {
    struct str segment;
    while (path_next(&path, &segment)) {
        buf_add_char(out, '/');
        path_encode_segment(segment, out);
    }
}

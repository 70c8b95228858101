/* field_lines: header fields as they stand in a head.
 *
 *     Content-Type: text/plain CR LF Cache-Control: no-cache CR LF
 *
 * An answer has a handful of fields, which are set one by one, looked for now and then, and sent
 * once. So they are kept as the text that is sent: no list, no allocation for each, and looking
 * means reading some hundred bytes. Names are compared as HTTP does, whatever their case. That they
 * are well-formed, and may be set at all, has been checked (proto/header, http/stream). */
#include "proto/field_lines.h"

#include <string.h>

bool field_lines_next(struct str *lines, struct str *name, struct str *value) {
    if (lines->len == 0)
        return false;
    *value = str_cut(lines, '\n');
    *name = str_cut(value, ':');
    *value = str_trim((struct str){value->ptr, value->len - 1}); /* without the CR */
    return true;
}

struct str field_lines_get(struct str lines, struct str name) {
    struct str found, value;
    while (field_lines_next(&lines, &found, &value))
        if (str_ieq(found, name))
            return value;
    return (struct str){NULL, 0};
}

void field_lines_insert(struct buf *lines, size_t at, struct str name, struct str value) {
    size_t size = field_lines_size(name, value), behind = lines->len - at;
    char *to = buf_reserve(lines, size) - behind;
    memmove(to + size, to, behind);
    memcpy(to, name.ptr, name.len);
    memcpy(to + name.len, ": ", 2);
    if (value.len > 0)
        memcpy(to + name.len + 2, value.ptr, value.len);
    memcpy(to + size - 2, "\r\n", 2);
    lines->len += size;
}

void field_lines_add(struct buf *lines, struct str name, struct str value) {
    field_lines_insert(lines, lines->len, name, value);
}

size_t field_lines_remove(struct buf *lines, size_t from, size_t to, struct str name) {
    struct str rest = buf_str(lines), found, value;
    size_t before = lines->len, at = 0;
    while (at < to) {
        char *line = (char *)rest.ptr;
        if (!field_lines_next(&rest, &found, &value))
            break;
        size_t size = before - at - rest.len;
        if (at >= from && str_ieq(found, name)) {
            memmove(line, rest.ptr, rest.len);
            lines->len -= size;
            rest.ptr = line;
        }
        at += size;
    }
    return before - lines->len;
}

/* part_head: what the head of a form's part says of it (RFC 7578).
 *
 *     Content-Disposition: form-data; name="photo"; filename="a.jpg"
 *     Content-Type: image/jpeg
 *
 * Names are written in three ways. Browsers send UTF-8 and write '"', CR and LF as %22, %0D and %0A
 * and nothing else so (HTML, "multipart/form-data encoding algorithm"); older clients put a
 * backslash before '"' and '\'; some send `filename*` (RFC 8187), which RFC 7578 section 4.2
 * forbids: where it is there it counts, and must be right. A backslash before anything else is one,
 * as in C:\dir.
 *
 * What could be read in two ways is refused: a field or a parameter that is there twice. So is a
 * part with parts in it that is no file, which RFC 7578 section 4.3 has given up.
 *
 * Pure. Where a file's name may be used is for proto/file_name to say. */
#include "proto/part_head.h"

#include "proto/header.h"
#include "proto/url.h"

/* As they were sent; ptr NULL: not there. */
struct params {
    struct str name, filename, filename_star;
};

static int set_once(struct str *slot, struct str value) {
    if (slot->ptr)
        return -1;
    *slot = value;
    return 0;
}

static int read_params(struct str rest, struct params *params) {
    struct str name, value;
    int rc;
    while ((rc = header_param_next(&rest, &name, &value)) > 0) {
        struct str *slot = str_ieq(name, STR("name"))        ? &params->name
                           : str_ieq(name, STR("filename"))  ? &params->filename
                           : str_ieq(name, STR("filename*")) ? &params->filename_star
                                                             : NULL;
        if (slot && set_once(slot, value) < 0)
            return -1;
    }
    return rc;
}

/* "form-data" and its parameters. */
static int read_disposition(struct str value, struct params *params) {
    if (!str_ieq(header_media_type(value), STR("form-data")))
        return -1;
    str_cut(&value, ';');
    if (value.ptr == NULL)
        return -1;
    struct str rest = {value.ptr - 1, value.len + 1};
    return read_params(rest, params) < 0 || params->name.ptr == NULL ? -1 : 0;
}

/* The byte that stands at `i` however it is written, and by how much to go on. */
static char decode_at(struct str s, size_t i, size_t *width) {
    char c = s.ptr[i], next = i + 1 < s.len ? s.ptr[i + 1] : '\0';
    *width = 1;
    if (c == '\\' && (next == '"' || next == '\\')) {
        *width = 2;
        return next;
    }
    int code = c == '%' ? url_escape(s, i) : -1;
    if (code != '"' && code != '\r' && code != '\n')
        return c;
    *width = 3;
    return (char)code;
}

static void decode(struct str s, struct buf *out) {
    size_t width;
    for (size_t i = 0; i < s.len; i += width) {
        char c = decode_at(s, i, &width);
        buf_add_char(out, c);
    }
}

/* attr-char (RFC 8187 section 3.2.1): a token's but for three. */
static bool is_attr_char(char c) {
    return header_is_token((struct str){&c, 1}) && c != '*' && c != '\'' && c != '%';
}

/* ext-value = charset "'" [ language ] "'" value-chars; UTF-8 is the only charset left. */
static int decode_ext(struct str s, struct buf *out) {
    size_t start = out->len;
    struct str charset = str_cut(&s, '\'');
    if (s.ptr == NULL || !str_ieq(charset, STR("utf-8")))
        return -1;
    str_cut(&s, '\'');
    if (s.ptr == NULL)
        return -1;
    for (size_t i = 0; i < s.len; i++) {
        int c = is_attr_char(s.ptr[i]) ? s.ptr[i] : s.ptr[i] == '%' ? url_escape(s, i) : -1;
        if (c < 0)
            return -1;
        if (s.ptr[i] == '%')
            i += 2;
        buf_add_char(out, (char)c);
    }
    struct str text = {out->data + start, out->len - start};
    return str_utf8_valid(text) == text.len ? 0 : -1;
}

static int read_names(const struct params *params, struct buf *text, struct part_head *out) {
    size_t start = text->len;
    buf_reserve(text, 1); /* a name without bytes is there all the same */
    decode(params->name, text);
    size_t middle = text->len;
    if (params->filename_star.ptr) {
        if (decode_ext(params->filename_star, text) < 0)
            return PART_EFILENAME;
    } else if (params->filename.ptr) {
        decode(params->filename, text);
    }
    out->name = (struct str){text->data + start, middle - start};
    if (text->len > middle) /* a file input that was left empty sends an empty one, and no file */
        out->filename = (struct str){text->data + middle, text->len - middle};
    return 0;
}

int part_head_read(struct str lines, struct buf *text, struct part_head *out) {
    struct str name, value, disposition = {NULL, 0}, type = {NULL, 0};
    struct params params = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    int rc;
    *out = (struct part_head){{NULL, 0}, {NULL, 0}, {NULL, 0}};
    for (int n = 0; (rc = header_field_next(&lines, &name, &value)) > 0; n++) {
        if (n == PART_FIELDS_MAX)
            return PART_EFIELDS;
        if (str_ieq(name, STR("content-disposition")) && set_once(&disposition, value) < 0)
            return PART_EDISPOSITION;
        if (str_ieq(name, STR("content-type")) && set_once(&type, value) < 0)
            return PART_EFIELD;
    }
    if (rc < 0)
        return PART_EFIELD;
    if (disposition.ptr == NULL || read_disposition(disposition, &params) < 0)
        return PART_EDISPOSITION;
    if (type.ptr)
        out->type = header_media_type(type);
    rc = read_names(&params, text, out);
    if (rc == 0 && out->filename.ptr == NULL && out->type.len > 10 &&
        str_ieq((struct str){out->type.ptr, 10}, STR("multipart/")))
        return PART_ENESTED;
    return rc;
}

const char *part_head_error(int error) {
    switch (error) {
    case PART_EFIELD:
        return "a part of the form has a line in its head that is no header field";
    case PART_EDISPOSITION:
        return "a part of the form has no Content-Disposition of form-data with a name";
    case PART_EFIELDS:
        return "a part of the form has too many lines in its head";
    case PART_EFILENAME:
        return "a part of the form has a filename* that is malformed";
    default:
        return "a part of the form has parts itself; send each file as a part of its own";
    }
}

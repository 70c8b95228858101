/* json_field: looks fields up in a line that may be JSON.
 *
 * A filter asks this of each line of a log, and nearly always wants one field of ten: so what
 * stands before it is passed over, by its quotes and brackets alone, and nothing is built. What is
 * not valid JSON may therefore be taken for it; a filter can afford that, who shows the line parses
 * it anyway.
 *
 *     {"a": {"b": "x"}}    a.b = x    strings are told without quotes and escapes, 1.50 as it is
 *
 * Names are compared as they stand: one with an escape in it is not found. It keeps nothing. */
#include "logs/json_field.h"

static void skip_space(struct json_walk *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\r'))
        r->at++;
}

static bool take(struct json_walk *r, char c) {
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* Whether an odd number of backslashes stands before `at`. */
static bool is_escaped(const char *from, const char *at) {
    const char *first = at;
    while (first > from && first[-1] == '\\')
        first--;
    return (at - first) % 2 != 0;
}

/* What stands between the quotes; false: it has no end. */
static bool take_string(struct json_walk *r, struct str *out) {
    if (!take(r, '"'))
        return false;
    out->ptr = r->at;
    const char *quote = r->at;
    while ((quote = memchr(quote, '"', (size_t)(r->end - quote))) && is_escaped(out->ptr, quote))
        quote++;
    if (quote == NULL)
        return false;
    out->len = (size_t)(quote - out->ptr);
    r->at = quote + 1;
    return true;
}

/* Passes over a value; for `out` see json_field, with quotes and escapes. */
static bool take_value(struct json_walk *r, struct str *out) {
    int depth = 0;
    skip_space(r);
    out->ptr = r->at;
    do {
        struct str ignored;
        skip_space(r);
        if (r->at == r->end)
            return false;
        char c = *r->at;
        if (c == '"') {
            if (!take_string(r, &ignored))
                return false;
            continue;
        }
        if ((c == ',' || c == '}' || c == ']') && depth == 0)
            break;
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        r->at++;
        if (depth == 0 && (c == '}' || c == ']'))
            break;
        while (depth == 0 && r->at < r->end && strchr(",}] \t\r", *r->at) == NULL)
            r->at++;
    } while (depth > 0);
    out->len = (size_t)(r->at - out->ptr);
    return out->len > 0;
}

static void put_code(struct buf *out, unsigned code) {
    if (code < 0x80) {
        buf_add_char(out, (char)code);
    } else if (code < 0x800) {
        buf_add_char(out, (char)(0xc0 | code >> 6));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    } else {
        buf_add_char(out, (char)(0xe0 | code >> 12));
        buf_add_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_add_char(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* The four digits behind \u; UINT32_MAX: they are none. */
static unsigned code_at(const char *at, const char *end) {
    unsigned code = 0;
    if (end - at < 4)
        return UINT32_MAX;
    for (int i = 0; i < 4; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *digit = at[i] ? strchr(digits, at[i]) : NULL;
        if (digit == NULL)
            return UINT32_MAX;
        code = code << 4 | ((unsigned)(digit - digits) & 15);
    }
    return code;
}

static struct str unescape(struct str text, struct buf *room) {
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    if (memchr(text.ptr, '\\', text.len) == NULL)
        return text;
    room->len = 0;
    for (const char *at = text.ptr, *end = text.ptr + text.len; at < end; at++) {
        if (*at != '\\' || at + 1 == end) {
            buf_add_char(room, *at);
            continue;
        }
        const char *known = strchr(from, *++at);
        unsigned code = *at == 'u' ? code_at(at + 1, end) : UINT32_MAX;
        if (code != UINT32_MAX) {
            put_code(room, code);
            at += 4;
        } else {
            buf_add_char(room, known && *at ? to[known - from] : *at);
        }
    }
    return buf_str(room);
}

bool json_walk_begin(struct json_walk *walk, struct str line) {
    *walk = (struct json_walk){line.ptr, line.ptr + line.len};
    return take(walk, '{');
}

static bool take_name(struct json_walk *walk, struct str *name) {
    return take_string(walk, name) && take(walk, ':');
}

static bool take_found(struct json_walk *walk, struct json_found *found) {
    skip_space(walk);
    found->string = walk->at < walk->end && *walk->at == '"';
    return found->string ? take_string(walk, &found->value) : take_value(walk, &found->value);
}

bool json_walk_next(struct json_walk *walk, struct json_found *found) {
    if (!take_name(walk, &found->name) || !take_found(walk, found))
        return false;
    take(walk, ','); /* without one no name follows */
    return true;
}

bool json_field(struct str line, struct str path, struct buf *room, struct str *value) {
    struct str name = str_cut(&path, '.');
    struct json_walk walk;
    struct json_found found;

    if (!json_walk_begin(&walk, line))
        return false;
    while (take_name(&walk, &found.name)) {
        bool is_it = str_eq(found.name, name);
        if (is_it && path.ptr) {
            name = str_cut(&path, '.');
            if (!take(&walk, '{'))
                return false;
            continue;
        }
        if (!take_found(&walk, &found))
            return false;
        if (is_it) {
            *value = found.string ? unescape(found.value, room) : found.value;
            return true;
        }
        if (!take(&walk, ','))
            return false;
    }
    return false;
}

/* str: looking at bytes that someone else owns. Everything here is pure: nothing is allocated,
 * nothing is kept, and no function reads beyond `len`.
 *
 * A `ptr` of NULL always comes with a `len` of 0 and means "not there" to those who care (str_cut's
 * end, an absent field); to all others it is an empty run. The C library's mem functions must not
 * see it, hence the checks of `len` before them. */
#include "base/str.h"

#include <string.h>

/* tolower() without the locale. */
static unsigned char lower(char c) {
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

bool str_ieq(struct str a, struct str b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool str_starts(struct str s, struct str prefix) {
    return s.len >= prefix.len && str_eq((struct str){s.ptr, prefix.len}, prefix);
}

static bool blank(char c) {
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s) {
    while (s.len > 0 && blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct str str_cut(struct str *rest, char sep) {
    struct str all = *rest;
    const char *found = all.len != 0 ? memchr(all.ptr, sep, all.len) : NULL;
    if (found == NULL) {
        *rest = (struct str){NULL, 0};
        return all;
    }
    size_t before = (size_t)(found - all.ptr);
    *rest = (struct str){found + 1, all.len - before - 1};
    return (struct str){all.ptr, before};
}

int str_to_u64(struct str s, uint64_t *out) {
    uint64_t value = 0;
    if (s.len == 0)
        return -1;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return -1;
    }
    *out = value;
    return 0;
}

/* Takes "KB", "MB" or "GB" off the end of `s`: the power of two it stands for, 0 without. */
static int cut_unit(struct str *s) {
    static const struct {
        struct str name;
        int shift;
    } units[] = {{{"KB", 2}, 10}, {{"MB", 2}, 20}, {{"GB", 2}, 30}};

    if (s->len < 2)
        return 0;
    struct str end = {s->ptr + s->len - 2, 2};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (str_ieq(end, units[i].name)) {
            s->len -= 2;
            return units[i].shift;
        }
    }
    return 0;
}

int str_to_size(struct str s, uint64_t *out) {
    uint64_t value;
    int shift = cut_unit(&s);
    if (str_to_u64(s, &value) != 0 || value > UINT64_MAX >> shift)
        return -1;
    *out = value << shift;
    return 0;
}

/* The length of the one well-formed sequence of two to four bytes at `p`, 0 when there is none. The
 * second byte's range is what keeps out overlong forms, surrogates and what lies above U+10FFFF
 * (RFC 3629 section 4). */
static size_t sequence(const unsigned char *p, size_t len) {
    unsigned char low = 0x80, high = 0xBF;
    size_t need;

    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        need = 2;
    else if (p[0] >= 0xE0 && p[0] <= 0xEF)
        need = 3;
    else if (p[0] >= 0xF0 && p[0] <= 0xF4)
        need = 4;
    else
        return 0;

    if (p[0] == 0xE0)
        low = 0xA0;
    else if (p[0] == 0xED)
        high = 0x9F;
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F;

    if (len < need || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return need;
}

size_t str_utf8_valid(struct str s) {
    const unsigned char *p = (const unsigned char *)s.ptr;
    size_t i = 0;

    while (i < s.len) {
        uint64_t eight;
        if (s.len - i >= sizeof(eight)) { /* most of what is sent is ASCII: eight bytes a step */
            memcpy(&eight, p + i, sizeof(eight));
            if ((eight & 0x8080808080808080u) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        size_t n = p[i] < 0x80 ? 1 : sequence(p + i, s.len - i);
        if (n == 0)
            break;
        i += n;
    }
    return i;
}

/* str: a borrowed run of bytes. It owns nothing, is not terminated, and may hold NUL. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_ARG(s) (int)(s).len, (s).ptr /* for "%.*s" */

/* The bytes of a C string; NULL gives the empty str. Inline: of a literal it costs nothing. */
static inline struct str str_of(const char *c_string) {
    return (struct str){c_string, c_string != NULL ? strlen(c_string) : 0};
}

/* Inline, since most comparisons end with the lengths. */
static inline bool str_eq(struct str a, struct str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Equal but for ASCII case. */
bool str_ieq(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
/* `s` without leading and trailing SP and HTAB (RFC 9110 section 5.6.3, OWS). */
struct str str_trim(struct str s);
/* Cuts `*rest` at the first `sep`: returns what stands before it, leaves what follows in `*rest`.
 * Without a `sep` returns all and leaves `rest->ptr` NULL. */
struct str str_cut(struct str *rest, char sep);
/* An unsigned decimal number that fills all of `s`. 0, or -1: empty, another character, too large.
 */
int str_to_u64(struct str s, uint64_t *out);
/* A size as the contract writes it: "512", "64KB", "1MB", "2GB" (powers of 1024, any case). 0 or
 * -1. */
int str_to_size(struct str s, uint64_t *out);
/* How many leading bytes of `s` are whole, valid UTF-8 (RFC 3629: no surrogates, no overlong
 * forms). */
size_t str_utf8_valid(struct str s);

#endif

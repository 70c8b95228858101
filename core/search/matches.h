/* matches: the wanted lines that were found in one file, or the newest of them. */
#ifndef SEARCH_MATCHES_H
#define SEARCH_MATCHES_H

#include "base/buf.h"
#include "logs/tells.h"

#define MATCHES_BYTES (1u << 20) /* of lines that are kept, but for the newest one */

struct match {
    uint64_t from, to;  /* its place in the file, its end included */
    struct tells tells; /* of itself */
    int64_t time;       /* that it has, or the line before it that tells one; STAMP_NONE: none */
    size_t text, len;   /* in matches->text */
    bool cut;           /* it is a piece of a line that is too long */
};

struct matches {
    size_t most; /* matches that are kept, at least 1; SIZE_MAX: all, whatever they take */
    struct match *items;
    size_t n, cap, first; /* those before `first` are gone */
    struct buf text;
    bool dropped; /* older ones went, for the limits' sake */
};

void matches_fini(struct matches *matches);
/* Empties them. */
void matches_clear(struct matches *matches, size_t most);
/* Adds a line that stands behind all others, and copies its text. */
void matches_add(struct matches *matches, const struct match *match, struct str line);
static inline bool matches_is_empty(const struct matches *matches) {
    return matches->first == matches->n;
}
/* Of one that is not empty. */
static inline const struct match *matches_oldest(const struct matches *matches) {
    return &matches->items[matches->first];
}
static inline const struct match *matches_newest(const struct matches *matches) {
    return &matches->items[matches->n - 1];
}
static inline struct str matches_line(const struct matches *matches, const struct match *match) {
    return (struct str){matches->text.data + match->text, match->len};
}
static inline void matches_drop_oldest(struct matches *matches) {
    matches->first++;
}
static inline void matches_drop_newest(struct matches *matches) {
    matches->n--;
}

#endif

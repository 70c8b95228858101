/* name: the tree of topic names and prefixes. */
#ifndef HUB_NAME_H
#define HUB_NAME_H

#include "base/str.h"

#define NAME_MAX_BYTES 255

struct topic;
struct crowd;
struct gone;

struct name {
    struct name *parent; /* NULL: the root, which stands for "" */
    struct name **children;
    uint16_t nchildren, children_cap;
    uint16_t len;        /* of the label: what this name has beyond its parent's */
    struct topic *topic; /* of exactly this name; NULL: none */
    struct crowd *crowd; /* subscribers of all names that begin so; NULL: none */
    struct gone *gone;   /* a topic of exactly this name that is not there any more; NULL: none */
    char label[];
};

/* 1 to 255 bytes of UTF-8, no control characters, no "*". */
bool name_is_valid(struct str text);

/* The root of an empty tree. */
struct name *name_new(void);
/* The name in the tree of `root`, added if need be. */
struct name *name_get(struct name *root, struct str text);
/* The name if the tree has it, else NULL. */
struct name *name_find(struct name *root, struct str text);
/* Gives back a name that has nothing now, unless others pass through it. */
void name_release(struct name *name);
/* The whole text, into `out`; returns its length. */
size_t name_text(const struct name *name, char out[NAME_MAX_BYTES]);
/* The same, which is borrowed from `out`. */
static inline struct str name_str(const struct name *name, char out[NAME_MAX_BYTES]) {
    return (struct str){out, name_text(name, out)};
}
/* Steps through `root` and all below it in order of their bytes: first with `at` NULL, then with
 * what was returned; NULL: that was the last. */
struct name *name_next(struct name *root, struct name *at);

#endif

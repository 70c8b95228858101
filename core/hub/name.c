/* name: the tree of topic names and prefixes.
 *
 *     ""  ── "user/" ── "1" ── "2"          topics user/1 and user/12, prefix user/
 *                        └──── "/inbox"     topic user/1/inbox
 *
 * A radix tree: a name's label is what it has beyond its parent's, and siblings differ in their
 * first byte. So the prefixes of a topic are among its ancestors, and the topics of a prefix are
 * what lies below it: neither publishing nor joining looks at names that do not match.
 *
 * A name's address stays while it has a topic or a crowd: when a new name splits a label, the upper
 * half is the new one. Owned by the hub and touched under its lock; it must not know what a topic
 * is. */
#include "hub/name.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

bool name_is_valid(struct str name) {
    if (name.len == 0 || name.len > NAME_MAX_BYTES || str_utf8_valid(name) < name.len)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool c1 = c == 0xc2 && (unsigned char)name.ptr[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || c == '*' || c1)
            return false;
    }
    return true;
}

static struct name *make(struct name *parent, const char *label, size_t len) {
    struct name *name = mem_zalloc(sizeof *name + len);
    name->parent = parent;
    name->len = (uint16_t)len;
    memcpy(name->label, label, len);
    return name;
}

struct name *name_new(void) {
    return make(NULL, "", 0);
}

/* Where among the children the one that begins with `byte` is, or would be. */
static unsigned place(const struct name *name, char byte) {
    unsigned low = 0, high = name->nchildren;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if ((unsigned char)name->children[middle]->label[0] < (unsigned char)byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct name *child(const struct name *name, char byte) {
    unsigned at = place(name, byte);
    return at < name->nchildren && name->children[at]->label[0] == byte ? name->children[at] : NULL;
}

static void insert(struct name *parent, struct name *name) {
    unsigned at = place(parent, name->label[0]);
    if (parent->nchildren == parent->children_cap) {
        parent->children_cap = parent->children_cap ? (uint16_t)(parent->children_cap * 2) : 2;
        parent->children =
            mem_resize(parent->children, parent->children_cap * sizeof *parent->children);
    }
    memmove(parent->children + at + 1, parent->children + at,
            (parent->nchildren - at) * sizeof *parent->children);
    parent->children[at] = name;
    parent->nchildren++;
}

/* How many bytes of `text` and the label agree. */
static size_t common(const struct name *name, struct str text) {
    size_t n = 0;
    while (n < name->len && n < text.len && name->label[n] == text.ptr[n])
        n++;
    return n;
}

/* Puts a new name between `low` and its parent that takes the first `n` bytes of its label. */
static struct name *split(struct name *low, size_t n) {
    struct name *parent = low->parent;
    struct name *high = make(parent, low->label, n);
    parent->children[place(parent, low->label[0])] = high;
    low->parent = high;
    low->len = (uint16_t)(low->len - n);
    memmove(low->label, low->label + n, low->len);
    insert(high, low);
    return high;
}

struct name *name_get(struct name *root, struct str text) {
    struct name *at = root;
    while (text.len > 0) {
        struct name *next = child(at, text.ptr[0]);
        if (next == NULL) {
            next = make(at, text.ptr, text.len);
            insert(at, next);
            return next;
        }
        size_t n = common(next, text);
        at = n < next->len ? split(next, n) : next;
        text = (struct str){text.ptr + n, text.len - n};
    }
    return at;
}

struct name *name_find(struct name *root, struct str text) {
    struct name *at = root;
    while (text.len > 0) {
        at = child(at, text.ptr[0]);
        if (at == NULL || common(at, text) < at->len)
            return NULL;
        text = (struct str){text.ptr + at->len, text.len - at->len};
    }
    return at;
}

static void remove_child(struct name *parent, struct name *name) {
    unsigned at = place(parent, name->label[0]);
    parent->nchildren--;
    memmove(parent->children + at, parent->children + at + 1,
            (parent->nchildren - at) * sizeof *parent->children);
    if (parent->nchildren > 0)
        return;
    free(parent->children);
    parent->children = NULL;
    parent->children_cap = 0;
}

void name_release(struct name *name) {
    while (name->parent && name->topic == NULL && name->crowd == NULL && name->gone == NULL &&
           name->nchildren == 0) {
        struct name *parent = name->parent;
        remove_child(parent, name);
        free(name);
        name = parent;
    }
}

size_t name_text(const struct name *name, char out[NAME_MAX_BYTES]) {
    size_t len = 0;
    for (const struct name *at = name; at; at = at->parent)
        len += at->len;
    size_t end = len;
    for (const struct name *at = name; at; at = at->parent) {
        end -= at->len;
        memcpy(out + end, at->label, at->len);
    }
    return len;
}

struct name *name_next(struct name *root, struct name *at) {
    if (at == NULL)
        return root;
    if (at->nchildren > 0)
        return at->children[0];
    while (at != root) {
        struct name *parent = at->parent;
        unsigned next = place(parent, at->label[0]) + 1;
        if (next < parent->nchildren)
            return parent->children[next];
        at = parent;
    }
    return NULL;
}

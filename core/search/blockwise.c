/* blockwise: a PCRE2 pattern, so changed that it may be asked of a block of lines.
 *
 * Asked of one line after the other a pattern costs a call for each; asked of a block it runs over
 * it as fast as memory comes. But a block is not a line: "[^x]*" would run on into the next one, a
 * negative lookahead sees what stands behind the end. So only patterns are taken whose parts know
 * nothing of what surrounds them, and those that could match an LF are kept from it:
 *
 *     letters  .  \d \w \S  [a-z]  ( )  (?: )  |  * + ? {2,3}     as they are
 *     \s  \D  \W  [^"]                                           as [^\S\n] [^\d\n] [^\w\n] [^"\n]
 *     ^ $ \b  lookarounds, atoms, possessives, \1 and all else    are asked of each line
 *
 * What matches in a line then matches in the block, at the same place; and what matches in the
 * block lies in one line. It is asked again there by who wants to be sure (a line's CR is no part
 * of it, and one that is too long comes in pieces), so that nothing depends on this but speed.
 *
 * A pattern that takes too many steps in a block has one of its lines said to be a place where it
 * might match, and after PATIENCE of them all are: line by line it is bounded, too.
 *
 * Owned by a prefilter, used by one thread at a time. */
#include "search/blockwise.h"

#include "base/buf.h"
#include "base/mem.h"
#include "logs/pattern.h"

#define PATIENCE 8

struct blockwise {
    struct pattern *pattern;
    unsigned failed;
};

/* ---- the pattern, changed ---------------------------------------------------------------------*/

struct rewriting {
    struct str rest;
    struct buf out;
    bool quantified; /* what stands before is a quantifier: a plus would make it possessive */
};

static char take(struct str *rest) {
    char c = rest->len > 0 ? *rest->ptr : '\0';
    rest->ptr += rest->len > 0;
    rest->len -= rest->len > 0;
    return c;
}

static bool is_punctuation(char c) {
    return c != '\0' && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ", c) != NULL;
}

/* Behind a backslash, of which the class that it stands in or none is told. */
static bool rewrite_escape(struct rewriting *r, bool in_class) {
    char c = take(&r->rest);
    const char *as = c == 's'                ? (in_class ? "\\t\\x0b\\f\\r " : "[^\\S\\n]")
                     : c == 'D' && !in_class ? "[^\\d\\n]"
                     : c == 'W' && !in_class ? "[^\\w\\n]"
                                             : NULL;
    if (as) {
        buf_add(&r->out, str_of(as));
        return true;
    }
    buf_add_char(&r->out, '\\');
    buf_add_char(&r->out, c);
    return is_punctuation(c) || c == 'd' || c == 'w' || (c == 'S' && !in_class);
}

/* Behind its bracket. */
static bool rewrite_class(struct rewriting *r) {
    buf_add_char(&r->out, '[');
    bool negated = r->rest.len > 0 && *r->rest.ptr == '^';
    if (negated) {
        take(&r->rest);
        buf_add(&r->out, STR("^\\n"));
    }
    if (r->rest.len == 0 || *r->rest.ptr == ']')
        return false;
    while (r->rest.len > 0) {
        char c = take(&r->rest);
        if (c == '\\') {
            if ((negated && r->rest.len > 0 && *r->rest.ptr == 's') || !rewrite_escape(r, true))
                return false;
            continue;
        }
        if (c == '[' || c == '\n' || c == '\0')
            return false;
        buf_add_char(&r->out, c);
        if (c == ']')
            return true;
    }
    return false;
}

/* Behind a parenthesis: whether it is a group without a meaning of its own. */
static bool is_group(struct str rest) {
    if (rest.len == 0 || *rest.ptr == '*')
        return false;
    return *rest.ptr != '?' || (rest.len > 1 && rest.ptr[1] == ':');
}

static bool rewrite_one(struct rewriting *r) {
    char c = take(&r->rest);
    bool after_quantifier = r->quantified;
    r->quantified = c != '\0' && strchr("*+?}", c) != NULL;
    switch (c) {
    case '\\':
        return rewrite_escape(r, false);
    case '[':
        return rewrite_class(r);
    case '\0':
    case '\n':
    case '^':
    case '$':
        return false;
    case '+':
        if (after_quantifier)
            return false;
        break;
    case '(':
        if (!is_group(r->rest))
            return false;
        if (*r->rest.ptr == '?') {
            r->rest.ptr += 2;
            r->rest.len -= 2;
            buf_add(&r->out, STR("(?:"));
            return true;
        }
        break;
    }
    buf_add_char(&r->out, c);
    return true;
}

/* ---- its life ---------------------------------------------------------------------------------*/

struct blockwise *blockwise_new(struct str text, bool cased) {
    struct rewriting r = {.rest = text};
    struct pattern *pattern = NULL;
    struct blockwise *blockwise = NULL;
    char why[128];
    bool taken = true;

    while (taken && r.rest.len > 0)
        taken = rewrite_one(&r);
    if (taken)
        pattern = pattern_new(buf_str(&r.out), cased, why, sizeof why);
    buf_fini(&r.out);
    if (pattern) {
        blockwise = mem_zalloc(sizeof *blockwise);
        blockwise->pattern = pattern;
    }
    return blockwise;
}

void blockwise_free(struct blockwise *blockwise) {
    if (blockwise == NULL)
        return;
    pattern_free(blockwise->pattern);
    free(blockwise);
}

const char *blockwise_next(struct blockwise *blockwise, struct str lines) {
    size_t start, end;

    if (blockwise->failed == PATIENCE)
        return lines.ptr;
    switch (pattern_find(blockwise->pattern, lines, 0, &start, &end)) {
    case PATTERN_NONE:
        return NULL;
    case PATTERN_FOUND:
        return lines.ptr + start;
    default:
        blockwise->failed++;
        return lines.ptr;
    }
}

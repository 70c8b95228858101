/* pattern: one of PCRE2's, compiled to machine code where that is to be had, with all that it takes
 * to match.
 *
 * Patterns come from whoever looks at a log, or from its configuration, and lines from anybody. So
 * three things end one that asks for too much; nobody knows then whether it matches, and who asks
 * says what that means:
 *
 *     steps     from one place of the line on, which PCRE2 counts: it backtracks without end
 *     time      over all places: at each of them ".*" may run to the end, and is one step. A line
 *               is searched a window of places at a time, between which there is a look at the
 *               clock
 *     memory    of a pattern that asks not to be compiled to machine code ("(*NO_JIT)")
 *
 * What is said of where a search began (\G) or of giving it up ((*COMMIT)) is so of a window.
 *
 * Owned by its sift or redact, used on one thread. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "logs/pattern.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#define WINDOW 256 /* places to begin at, at least, where they take no time */
#define BLOCK 65536
#define FAST_NS 1000000u
#define HEAP_KIB 4096

struct pattern {
    pcre2_code *code;
    pcre2_match_context *context;
    pcre2_match_data *match;
    bool trusted;
};

struct pattern *pattern_new(struct str text, bool cased, char *why, size_t n) {
    uint32_t options =
        PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT;
    PCRE2_SIZE at;
    int error;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text.ptr, text.len,
                                     options | (cased ? 0 : PCRE2_CASELESS), &error, &at, NULL);
    if (code == NULL) {
        int said = snprintf(why, n, "at byte %zu of the pattern: ", (size_t)at + 1);
        pcre2_get_error_message(error, (PCRE2_UCHAR *)why + said, n - (size_t)said);
        return NULL;
    }
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it, it is slower */
    struct pattern *pattern = mem_alloc(sizeof *pattern);
    *pattern = (struct pattern){.code = code,
                                .context = pcre2_match_context_create(NULL),
                                .match = pcre2_match_data_create(1, NULL)};
    if (pattern->context == NULL || pattern->match == NULL)
        mem_die(sizeof *pattern);
    pcre2_set_heap_limit(pattern->context, HEAP_KIB);
    return pattern;
}

void pattern_trust(struct pattern *pattern) {
    pattern->trusted = true;
}

void pattern_free(struct pattern *pattern) {
    if (pattern == NULL)
        return;
    pcre2_match_data_free(pattern->match);
    pcre2_match_context_free(pattern->context);
    pcre2_code_free(pattern->code);
    free(pattern);
}

/* The time that one call has taken: by the clock, which costs nothing, and once that says that it
 * might be too much by the thread's own. */
struct effort {
    uint64_t began_ns, cpu_ns; /* 0: that is not asked yet */
};

static uint64_t took_ns(const struct effort *effort) {
    return clock_mono_ns() - effort->began_ns;
}

static bool is_exhausted(struct effort *effort) {
    if (took_ns(effort) < PATTERN_NS)
        return false;
    uint64_t now = clock_cpu_ns(CLOCK_THREAD_CPUTIME_ID);
    if (effort->cpu_ns == 0)
        effort->cpu_ns = now;
    return now - effort->cpu_ns >= PATTERN_NS;
}

/* Where the first character behind `last` begins; the length: nowhere. */
static size_t behind(struct str line, size_t last) {
    size_t at = last + 1;
    while (at < line.len && ((unsigned char)line.ptr[at] & 0xc0) == 0x80)
        at++;
    return at;
}

/* Looks for a match that begins at `from` or behind it, up to `last`. */
static enum pattern_found look(struct pattern *pattern, struct str line, size_t from, size_t last) {
    pcre2_set_offset_limit(pattern->context, last < line.len ? last : PCRE2_UNSET);
    int rc = pcre2_match(pattern->code, (PCRE2_SPTR)(line.len > 0 ? line.ptr : ""), line.len, from,
                         0, pattern->match, pattern->context);
    if (rc == PCRE2_ERROR_NOMATCH)
        return PATTERN_NONE;
    return rc < 0 ? PATTERN_LIMIT_REACHED : PATTERN_FOUND;
}

/* How many places come next: the first shows what they cost. For each window PCRE2 may look through
 * all that is left, so a block of lines has few. */
static size_t next_window(struct str line, size_t window, const struct effort *effort) {
    size_t most = line.len > BLOCK ? line.len / 8 : WINDOW;
    if (took_ns(effort) > FAST_NS)
        return 1 + window / 16;
    return 16 * window < most ? 16 * window : most;
}

enum pattern_found pattern_find(struct pattern *pattern, struct str line, size_t from,
                                size_t *start, size_t *end) {
    size_t limit = line.len > PATTERN_LIMIT ? line.len : PATTERN_LIMIT;
    bool whole = pattern->trusted || line.len - from <= WINDOW;
    size_t window = whole ? line.len - from : 1;
    struct effort effort = {.began_ns = whole ? 0 : clock_mono_ns()};
    enum pattern_found found;

    pcre2_set_match_limit(pattern->context, (uint32_t)limit);
    while ((found = look(pattern, line, from, from + window)) == PATTERN_NONE) {
        if (line.len - from <= window)
            return PATTERN_NONE;
        if (is_exhausted(&effort))
            return PATTERN_LIMIT_REACHED;
        from = behind(line, from + window);
        window = next_window(line, window, &effort);
    }
    if (found == PATTERN_FOUND) {
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(pattern->match);
        *start = at[0];
        *end = at[1];
    }
    return found;
}

/* prefilter: finds the few lines of a block that a sift has to be asked about.
 *
 *     "timed out" and not "probe" and level error     -->  lines with "timed out", by needle
 *     pattern "took \d{4} ms"                         -->  lines where it matches, by blockwise
 *     level error                                     -->  all lines
 *
 * Of the rules that a line must satisfy the one that fewest lines do is looked for, in a whole
 * block at once and without regard to where its lines end. Which that is, a sample tells. A place
 * that is found is no answer, only a question for the sift: so what counts is that no wanted line
 * is left out. Rules that exclude, levels and fields leave nothing to look for: those are cheap for
 * each line, and a search for all the names of levels was measured to be no cheaper.
 *
 * Owned by who reads, used by one thread at a time. It knows nothing of files. */
#include "search/prefilter.h"

#include "base/mem.h"
#include "base/must.h"
#include "logs/needle.h"
#include "search/blockwise.h"

#include <stdlib.h>

struct sought {
    struct blockwise *pattern; /* NULL: the needle */
    struct needle needle;
};

struct prefilter {
    struct sought sought[SIFT_RULES];
    size_t n, first; /* the one that is looked for */
};

struct prefilter *prefilter_new(void) {
    return mem_zalloc(sizeof(struct prefilter));
}

void prefilter_free(struct prefilter *prefilter) {
    if (prefilter == NULL)
        return;
    for (size_t i = 0; i < prefilter->n; i++) {
        blockwise_free(prefilter->sought[i].pattern);
        needle_fini(&prefilter->sought[i].needle);
    }
    free(prefilter);
}

void prefilter_add(struct prefilter *prefilter, const struct sift_rule *rule) {
    struct sought sought = {0};

    if (rule->exclude)
        return;
    if (rule->kind == SIFT_TEXT)
        needle_init(&sought.needle, rule->text, rule->cased);
    else if (rule->kind == SIFT_PATTERN)
        sought.pattern = blockwise_new(rule->text, rule->cased);
    if (sought.needle.len == 0 && sought.pattern == NULL)
        return;
    MUST(prefilter->n < SIFT_RULES);
    prefilter->sought[prefilter->n++] = sought;
}

static const char *next_of(struct sought *sought, struct str bytes) {
    return sought->pattern ? blockwise_next(sought->pattern, bytes)
                           : needle_find(&sought->needle, bytes);
}

const char *prefilter_next(struct prefilter *prefilter, struct str bytes) {
    return prefilter->n == 0 ? bytes.ptr : next_of(&prefilter->sought[prefilter->first], bytes);
}

/* In how many lines of the sample it is found. */
static size_t count(struct sought *sought, struct str sample) {
    size_t found = 0;
    const char *at = sample.ptr, *end = sample.ptr + sample.len;

    while (at && at < end && (at = next_of(sought, (struct str){at, (size_t)(end - at)})) != NULL) {
        found++;
        at = memchr(at, '\n', (size_t)(end - at));
        at += at != NULL;
    }
    return found;
}

void prefilter_tune(struct prefilter *prefilter, struct str sample) {
    size_t least = SIZE_MAX;

    for (size_t i = 0; i < prefilter->n; i++) {
        struct sought *sought = &prefilter->sought[i];
        if (sought->pattern == NULL)
            needle_tune(&sought->needle, sample);
        size_t found = prefilter->n > 1 ? count(sought, sample) : 0;
        if (found < least) {
            least = found;
            prefilter->first = i;
        }
    }
}

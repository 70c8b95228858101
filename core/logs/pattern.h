/* pattern: a regular expression that lines are matched with, a bounded number of steps each. */
#ifndef LOGS_PATTERN_H
#define LOGS_PATTERN_H

#include "base/str.h"

#define PATTERN_LIMIT 10000  /* steps in a line; more in one that has more bytes than that */
#define PATTERN_NS 10000000u /* of the thread's time, and a little more, in one */

struct pattern;

/* Of PCRE2, over UTF-8; bytes that are none match nothing. NULL and `why`: it cannot be compiled.
 */
struct pattern *pattern_new(struct str text, bool cased, char *why, size_t n);
/* It is known to take no more time than its lines are long: no clock is looked at. */
void pattern_trust(struct pattern *pattern);
/* NULL: nothing. */
void pattern_free(struct pattern *pattern);

enum pattern_found {
    PATTERN_LIMIT_REACHED = -1, /* nobody knows */
    PATTERN_NONE,
    PATTERN_FOUND /* from `*start` to before `*end` */
};
/* Looks in `line` from byte `from` on. Not from two threads at once. */
enum pattern_found pattern_find(struct pattern *pattern, struct str line, size_t from,
                                size_t *start, size_t *end);

#endif

/* sift: which lines are wanted. */
#ifndef LOGS_SIFT_H
#define LOGS_SIFT_H

#include "base/str.h"

#define SIFT_RULES 32        /* of one sift */
#define SIFT_TEXT_BYTES 1024 /* of a rule's text, field or pattern */

enum sift_kind {
    SIFT_TEXT,    /* the line contains `text` */
    SIFT_LEVEL,   /* it says that it is of the level `text`, or of a worse one */
    SIFT_FIELD,   /* it is JSON, and its field `text` (names joined by dots) is `value` */
    SIFT_PATTERN, /* the PCRE2 pattern `text` matches in it */
    SIFT_KINDS
};

struct sift_rule {
    enum sift_kind kind;
    bool exclude; /* lines for which it holds are not wanted; else those for which it does not */
    bool cased;   /* upper and lower case differ, in TEXT and PATTERN */
    struct str text, value;
};

struct sift;

struct sift *sift_new(void);
void sift_free(struct sift *sift);
/* Copies the rule. 0, or -1 and `why`: too many, a text that is empty or too long, no such level, a
 * pattern that cannot be compiled. */
int sift_add(struct sift *sift, const struct sift_rule *rule, char *why, size_t n);
/* A text that two sifts have in common only if they want the same. */
struct str sift_key(const struct sift *sift);
/* Whether the line is wanted: each rule holds, and none that excludes. A pattern that takes too
 * many steps does not match, which is logged once. */
bool sift_wants(struct sift *sift, struct str line);

#endif

/* blockwise: a pattern that is looked for in many lines at once. */
#ifndef SEARCH_BLOCKWISE_H
#define SEARCH_BLOCKWISE_H

#include "base/str.h"

struct blockwise;

/* NULL: a pattern that must be asked of each line. It is one that compiles. */
struct blockwise *blockwise_new(struct str pattern, bool cased);
void blockwise_free(struct blockwise *blockwise);
/* A place within the first of these lines in which the pattern matches, or might; NULL: in none. */
const char *blockwise_next(struct blockwise *blockwise, struct str lines);

#endif

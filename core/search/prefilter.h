/* prefilter: which lines of many a sift need not be asked about. */
#ifndef SEARCH_PREFILTER_H
#define SEARCH_PREFILTER_H

#include "logs/sift.h"

struct prefilter;

struct prefilter *prefilter_new(void);
void prefilter_free(struct prefilter *prefilter);
/* One more rule of the sift; it must be one that sift_add took. */
void prefilter_add(struct prefilter *prefilter, const struct sift_rule *rule);
/* Has it ask first what few of such lines have. */
void prefilter_tune(struct prefilter *prefilter, struct str sample);
/* A place within the first of these lines that may be wanted: all lines before it are not. NULL: no
 * line is. `bytes` begin with a line. */
const char *prefilter_next(struct prefilter *prefilter, struct str bytes);

#endif

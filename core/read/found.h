/* found: a topic that has something for a position, which came by a prefix. */
#ifndef READ_FOUND_H
#define READ_FOUND_H

#include "read/interest.h"

struct position;

/* All under the hub's lock. */

/* The position's interest in the topic, if it came by a prefix; else NULL. */
struct interest *found_get(const struct position *position, const struct topic *topic);
struct interest *found_add(struct position *position, struct topic *topic);
void found_free(struct interest *found);
void found_free_all(struct position *position);
/* It keeps no further one in mind. */
bool found_is_full(const struct position *position);

/* For tests: how many a position keeps in mind at most. */
extern size_t found_most;

#endif

/* named: a topic that a position has chosen by its name. */
#ifndef READ_NAMED_H
#define READ_NAMED_H

struct interest;
struct position;
struct topic;

/* --- within core/read, under the lock --- */

/* NULL: it has not chosen it so. */
struct interest *named_get(const struct position *position, const struct topic *topic);
/* A new one, of a topic that it has not. */
struct interest *named_add(struct position *position, struct topic *topic);
/* The topic goes with it, if nobody else wants that. */
void named_free(struct interest *interest);

#endif

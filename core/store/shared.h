/* shared: named dictionaries in memory, the same for all threads of the process. Keys and strings
 * are any bytes; an entry may have a time to live. Every function may be called from any thread,
 * and each is one step for all others. */
#ifndef STORE_SHARED_H
#define STORE_SHARED_H

#include "base/counter.h"
#include "base/str.h"

#define SHARED_NAME_MOST 255
#define SHARED_KEY_MOST 1024
#define SHARED_STRING_MOST (1024 * 1024)
#define SHARED_FOREVER UINT64_MAX /* a time to live without an end */
#define SHARED_ANY SIZE_MAX       /* any number of entries */

struct shared; /* a dictionary */

enum shared_kind { SHARED_NOTHING, SHARED_BOOLEAN, SHARED_NUMBER, SHARED_STRING };

struct shared_value {
    enum shared_kind kind;
    bool boolean;
    double number;
    struct str string;
    struct shared_bytes *held; /* keeps `string`, in a value that shared_get gave */
};

/* The dictionary of that name, made when there is none. It is there as long as it is open or holds
 * an entry. */
struct shared *shared_open(struct str name);
void shared_close(struct shared *shared);

/* What is there; SHARED_NOTHING: no entry, or one whose time is over. Give it back with
 * shared_value_fini. */
void shared_get(struct shared *shared, struct str key, struct shared_value *out);
void shared_value_fini(struct shared_value *value);

/* Errors of the three: -ENOSPC, there is no memory left for it (shared_set_limit). After an error
 * all is as it was. */

/* Stores a value, copied, in place of what was there, its time to live included. */
int shared_set(struct shared *shared, struct str key, const struct shared_value *value,
               uint64_t ttl_ns);
/* The same only where nothing is, else -EEXIST; -ENOSPC also where the dictionary has `most`
 * entries whose time is not over. */
int shared_add(struct shared *shared, struct str key, const struct shared_value *value,
               uint64_t ttl_ns, size_t most);
/* Adds to a number and gives the sum. What is not there counts as 0, and only then `ttl_ns` holds:
 * a counter keeps the time to live that it was begun with. -EINVAL: there is something else than a
 * number. */
int shared_incr(struct shared *shared, struct str key, double by, uint64_t ttl_ns, double *sum);
/* Whether there was an entry. */
bool shared_delete(struct shared *shared, struct str key);

/* Removes all entries of all. */
void shared_clear(void);

/* What all dictionaries may take together. What they already hold stays. */
void shared_set_limit(uint64_t bytes);
/* What they take now: keys, values, and what it costs to find them. */
uint64_t shared_memory(void);
extern const struct counter_row shared_counter_rows[];

#endif

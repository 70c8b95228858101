/* policy: what becomes of a position that is too far behind. */
#ifndef READ_POLICY_H
#define READ_POLICY_H

#include "hub/lag.h"
#include "proto/event_id.h"

#include <stdbool.h>
#include <stdint.h>

struct merge;
struct position;
struct topic;

enum overflow {
    OVERFLOW_NONE,
    OVERFLOW_DISCONNECT,
    OVERFLOW_DROP_OLDEST,
    OVERFLOW_DROP_NEWEST,
    OVERFLOW_CONFLATE,
    OVERFLOW_BLOCK
};

/* A position's, and what it has done so far. */
struct policy {
    event_id fence;      /* drop_newest: nothing beyond it is read; 0: none */
    event_id dropped_id; /* all up to here was dropped, not told yet; 0: nothing */
    uint64_t dropped;    /* how many were dropped up to dropped_id */
    bool dropped_more;   /* besides `dropped` an unknown number was lost */
    uint8_t reason;      /* enum gap_reason: why, for the gap that tells it */
    uint8_t overflow;    /* enum overflow */
    struct position_limit limit;
    struct lag owed; /* the position is no further behind than this; kept if policy_counts */
};

/* Before the first topic. */
void policy_set(struct position *position, enum overflow overflow, struct position_limit limit);
/* Whether more than its limit has come since it was last up to date. */
bool policy_is_over(struct position *position);
/* drop_newest: what comes from now on is not for this position until it has caught up. */
void policy_set_fence(struct position *position);

/* Under the lock, for who looks inside: what has come to it since it was up to date and is not
 * read, whether it has been told of that or rests. */
struct lag policy_lag(const struct position *position);

/* --- within core/read, under the lock --- */

static inline bool policy_conflates(const struct policy *policy) {
    return policy->overflow == OVERFLOW_CONFLATE;
}
/* It drops, or has publishers wait: each reading settles how far behind the position is. */
static inline bool policy_settles(const struct policy *policy) {
    return policy->overflow >= OVERFLOW_DROP_OLDEST && policy->overflow != OVERFLOW_CONFLATE;
}
/* It acts as soon as it is too far behind, read or not: so it must be told of everything. */
static inline bool policy_counts(const struct policy *policy) {
    return policy->fence == 0 &&
           (policy->overflow == OVERFLOW_DISCONNECT || policy->overflow == OVERFLOW_DROP_NEWEST);
}
static inline bool policy_exceeds(const struct policy *policy, struct lag lag) {
    return lag.events > policy->limit.events || lag.bytes > policy->limit.bytes;
}
/* Something may be there that it has to drop. */
static inline bool policy_drops(const struct policy *policy) {
    return policy->overflow == OVERFLOW_DROP_OLDEST || policy->fence > 0;
}
/* What can be read up to `bound` may be read up to here. */
static inline event_id policy_upto(const struct policy *policy, event_id bound) {
    return policy->fence > 0 && policy->fence < bound ? policy->fence : bound;
}
/* drop_oldest, drop_newest: passes what is not to be read. */
void policy_drop(struct position *position, struct merge *merge);
/* The gap of what was dropped was delivered. */
void policy_told(struct position *position);

/* block: publishers wait for the position or do not, as far as it is behind now. */
void policy_recount(struct position *position);
/* The same when it reads. */
void policy_settle(struct position *position);
/* Nobody need wait for it to read what it has left. */
void policy_let_go(struct position *position);

#endif

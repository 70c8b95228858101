/* policy: what becomes of a position that is too far behind.
 *
 *     disconnect   over the limit --> its subscriber has to go
 *     drop_oldest  over the limit --> reading drops from the front until it is not
 *     drop_newest  over the limit --> a fence: up to it all is read, what is behind it is dropped
 *     conflate     entries that a newer one of the same key supersedes are not read (see merge)
 *     block        at the limit   --> publishers wait
 *
 * A position has no queue, so nothing is too long by itself: how far it is behind, its lag, is
 * what its topics have appended since it was last up to date and it has not read. What was history
 * when it came does not count. Only the policy block needs to know without looking: publishers add
 * up what it owes, and each reading sets that right.
 *
 * What is dropped is passed in the merge, in order of ids; the count of it becomes one gap, told
 * before whatever is read next. Under the hub's lock. It must not know how anything is sent. */
#include "read/policy.h"

#include "base/must.h"
#include "hub/blocking.h"
#include "hub/hub.h"
#include "hub/publication.h"
#include "hub/reader.h"
#include "read/lapse.h"
#include "read/merge.h"
#include "read/position.h"
#include "read/replay.h"

void policy_set(struct position *position, enum overflow overflow, struct position_limit limit) {
    position->policy.overflow = (uint8_t)overflow;
    position->policy.limit = limit;
    if (overflow != OVERFLOW_BLOCK)
        return;
    hub_lock();
    position->blocking = blocking_new(position, position->reader, limit);
    hub_unlock();
}

/* --- how far behind --- */

static void add_lag(struct lag *lag, const struct interest *interest) {
    const struct topic *topic = interest->topic;
    const struct position *position = interest->position;
    event_id end = position->end > 0 ? position->end : EVENT_ID_NONE;
    if (interest_is_found(interest) &&
        position_listed(position) < end) /* the rest is counted there */
        end = position_listed(position);
    uint64_t from = interest->next > interest->mark ? interest->next : interest->mark;
    uint64_t begin = topic_after(topic, interest->after);
    if (begin > topic->first && from < begin) /* it came while that was being committed */
        from = begin;
    uint64_t upto = end < EVENT_ID_NONE ? topic_after(topic, end) : topic->next;
    if (from >= upto)
        return;
    lag->events += upto - from;
    if (from < topic->first)
        from = topic->first;
    if (from < upto)
        lag->bytes += (upto < topic->next ? topic_entry(topic, upto)->at : topic->end) -
                      topic_entry(topic, from)->at;
}

/* What has come since the position was last up to date and is not read. */
static struct lag lag_of(const struct position *position) {
    struct lag lag = position_is_lapsed(position) ? lapse_lag(position) : (struct lag){0, 0};
    if (position_is_single(position))
        add_lag(&lag, &position->only);
    else
        for (struct list *at = position->news.next; at != &position->news; at = at->next)
            add_lag(&lag, CONTAINER_OF(at, struct interest, in_news));
    return lag;
}

struct lag policy_lag(const struct position *position) {
    struct lag lag = position_is_lapsed(position) ? lapse_lag(position) : (struct lag){0, 0};
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next)
        add_lag(&lag, CONTAINER_OF(at, struct interest, in_position));
    for (struct list *at = position->news.next; at != &position->news; at = at->next)
        if (interest_is_found(CONTAINER_OF(at, struct interest, in_news)))
            add_lag(&lag, CONTAINER_OF(at, struct interest, in_news));
    return lag;
}

/* What `top` adds to it. */
static struct lag lag_at(const struct head *top) {
    const struct interest *interest = top->interest;
    if (interest == NULL)
        return (struct lag){0, 0};
    uint64_t from = top->next > interest->mark ? top->next : interest->mark;
    if (top->gap)
        return (struct lag){from < interest->topic->first ? interest->topic->first - from : 0, 0};
    if (from > top->next)
        return (struct lag){0, 0};
    return (struct lag){1, topic_entry(interest->topic, top->next)->len};
}

/* Looks only if it may be so. */
bool policy_is_over(struct position *position) {
    struct policy *policy = &position->policy;
    if (!policy_exceeds(policy, policy->owed))
        return false;
    hub_lock();
    policy->owed = lag_of(position);
    hub_unlock();
    return policy_exceeds(policy, policy->owed);
}

/* --- dropping --- */

/* A gap that would have been told is part of the one that will be. */
static void drop_gap(struct position *position, const struct head *top) {
    struct policy *policy = &position->policy;
    int64_t lost = merge_take_gap(position, top);
    if (lost < 0)
        policy->dropped_more = true;
    else
        policy->dropped += (uint64_t)lost;
}

/* A gap that is all that was passed so far says why, as it would have by itself. */
static void note_reason(struct position *position, const struct head *top) {
    struct policy *policy = &position->policy;
    if (!top->gap)
        policy->reason = GAP_OVERFLOW;
    else if (policy->dropped_id == 0)
        policy->reason = merge_reason(position, top);
}

/* What is at the top is not read, but dropped. */
static void drop_top(struct position *position, struct merge *merge, const struct head *top) {
    note_reason(position, top);
    position->policy.dropped_id = top->id;
    if (top->gap) {
        drop_gap(position, top);
    } else {
        position->policy.dropped++;
        if (top->replay)
            top->replay->at = top->next + 1;
        else
            top->interest->next = top->next + 1;
    }
    merge_pass(merge);
}

/* What has lapsed drops as it goes on. */
static void drop_oldest(struct position *position, struct merge *merge) {
    if (position_is_lapsed(position))
        return;
    struct lag lag = lag_of(position);
    const struct head *top;
    while (policy_exceeds(&position->policy, lag) &&
           (top = merge_top(merge, merge->bound)) != NULL) {
        struct lag less = lag_at(top);
        lag.events -= less.events;
        lag.bytes -= less.bytes;
        drop_top(position, merge, top);
    }
}

/* Once all up to the fence is read, what came behind it is dropped. */
static void drop_newest(struct position *position, struct merge *merge) {
    struct policy *policy = &position->policy;
    const struct head *top;
    if (merge_top(merge, policy->fence) != NULL)
        return;
    if (position_is_lapsed(position) && position_listed(position) < policy->fence)
        return;
    while ((top = merge_top(merge, merge->bound)) != NULL)
        drop_top(position, merge, top);
    if (position_is_lapsed(position) && merge->bound != merge->end) /* there is more to drop */
        return;
    policy->fence = 0;
    policy->owed = (struct lag){UINT64_MAX / 2, UINT64_MAX / 2}; /* nobody has counted meanwhile */
}

void policy_drop(struct position *position, struct merge *merge) {
    MUST(hub_is_locked());
    if (position->policy.overflow == OVERFLOW_DROP_OLDEST)
        drop_oldest(position, merge);
    else
        drop_newest(position, merge);
}

void policy_set_fence(struct position *position) {
    struct policy *policy = &position->policy;
    if (policy->fence > 0)
        return;
    hub_lock();
    struct merge *merge = merge_begin(position);
    struct lag sum = {0, 0};
    const struct head *top;
    policy->fence = 1; /* before everything */
    while ((top = merge_top(merge, position_listed(position))) != NULL) {
        lag_add(&sum, lag_at(top));
        if (policy_exceeds(policy, sum))
            break;
        policy->fence = top->id;
        merge_pass(merge);
    }
    if (top == NULL && position_is_lapsed(position))
        policy->fence = lapse_fence(position, sum);
    hub_unlock();
}

void policy_told(struct position *position) {
    struct policy *policy = &position->policy;
    counter_add(&position->reader->counters.dropped, policy->dropped);
    policy->dropped_id = policy->dropped = 0;
    policy->dropped_more = false;
}

/* --- having publishers wait --- */

void policy_let_go(struct position *position) {
    if (position->policy.overflow == OVERFLOW_BLOCK)
        publications_go_on(position->reader);
}

void policy_recount(struct position *position) {
    MUST(hub_is_locked());
    blocking_settle(position->blocking, lag_of(position));
    policy_let_go(position);
}

void policy_settle(struct position *position) {
    if (position->blocking && !position_is_lapsed(position)) /* else its publishers know */
        policy_recount(position);
}

/* merge: what a position has not read, from all its sources, in order of ids.
 *
 *     topic a:  . . . . next x x x \
 *     topic b:  . . next x          >-- heap of heads, the smallest id first --> top, pass, top ...
 *     replay:   at x x x           /
 *     gap, due at an id           /
 *
 * A head is where one source goes on: an entry of a topic or of a replay, or a gap, which has the
 * id where reading goes on behind it. Passing changes only the heads; what was really read, or
 * dropped, is for others to write down in the interests and replays. So a merge can be thrown away
 * at any time, and most of them are before they are through.
 *
 * Beyond its bound nothing comes in order yet: other topics' news may not have been told, or not
 * be visible, or still be in the store. A position of one topic needs none, and its heap is one
 * head.
 *
 * There is one, for one reading at a time, under the hub's lock. It must not know of slabs
 * and spans, and of policies only whether what is superseded is passed over. */
#include "read/merge.h"

#include "base/mem.h"
#include "base/must.h"
#include "hub/publication.h"
#include "read/position.h"
#include "read/prefix.h"
#include "read/replay.h"

/* --- the heap --- */

static void add_head(struct merge *merge, const struct head *head) {
    if (merge->count == merge->cap) {
        merge->cap = merge->cap ? merge->cap * 2 : 8;
        merge->heads = mem_resize(merge->heads, merge->cap * sizeof *merge->heads);
    }
    merge->heads[merge->count++] = *head;
}

/* A gap is told behind an event that has its id, which only one at an end can have: whoever leaves
 * in between has not read past the event. */
static bool is_before(const struct head *one, const struct head *other) {
    return one->id < other->id || (one->id == other->id && other->gap && !one->gap);
}

static void sift_down(struct head *heads, size_t count, size_t i) {
    struct head moved = heads[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < count && is_before(&heads[child + 1], &heads[child]))
            child++;
        if (child >= count || !is_before(&heads[child], &moved))
            break;
        heads[i] = heads[child];
        i = child;
    }
    heads[i] = moved;
}

static void make_heap(struct merge *merge) {
    for (size_t i = merge->count / 2; i-- > 0;)
        sift_down(merge->heads, merge->count, i);
}

/* --- heads --- */

/* Finds the entry that is to be read next, from head->next on; false: there is none. */
static bool find_entry(struct head *head, bool skips) {
    const struct interest *interest = head->interest;
    const struct topic *topic = interest->topic;
    head->gap = false;
    for (; head->next < topic->next; head->next++) {
        const struct entry *entry = topic_entry(topic, head->next);
        head->id = entry->id;
        bool skipped = skips && topic_is_superseded(topic, head->next, interest->position->end);
        if (entry->id > interest->after && !skipped)
            return true;
    }
    return false;
}

/* What comes first of an interest: a gap if something is missing, else an entry. What the store has
 * of what is missing makes a replay, with which the merge is to begin again. */
static bool find_first(struct merge *merge, struct head *head, struct interest *interest) {
    const struct topic *topic = interest->topic;
    event_id end = interest->position->end;
    bool skips = merge->skips, missing = interest_misses(interest, skips);
    if (missing && interest_fetch(interest)) {
        merge->fetched = true;
        missing = false;
    }
    *head = (struct head){.interest = interest, .next = interest->next};
    if (!interest->gap && !missing) {
        if (head->next < topic->first)
            head->next = topic->first;
        return find_entry(head, skips);
    }
    head->gap = true;
    head->id = end > 0 && end < topic->floor ? end : topic->floor;
    return true;
}

/* The same of a replay, behind its gap. */
static bool find_replayed(struct head *head) {
    head->gap = false;
    while (head->next < head->replay->count && replay_skips(head->replay, head->next))
        head->next++;
    if (head->next >= head->replay->count)
        return false;
    head->id = head->replay->entries[head->next].id;
    return true;
}

static bool find_next(struct head *head, bool skips) {
    if (head->replay)
        return find_replayed(head);
    return head->interest && find_entry(head, skips);
}

/* Behind what the head is at; false: its source has no more. */
static bool pass(const struct merge *merge, struct head *head) {
    if (head->gap && head->interest && head->next < head->interest->topic->first)
        head->next = head->interest->topic->first;
    else if (!head->gap)
        head->next++;
    return find_next(head, merge->skips);
}

void merge_pass(struct merge *merge) {
    MUST(merge->count > 0);
    struct head *top = merge->heads;
    if (!pass(merge, top))
        *top = merge->heads[--merge->count];
    if (merge->count > 1)
        sift_down(merge->heads, merge->count, 0);
}

/* --- gaps --- */

int64_t merge_lost(const struct position *position, const struct head *gap) {
    const struct interest *interest = gap->interest;
    if (gap->replay)
        return gap->replay->gap_lost;
    if (interest == NULL)
        return position_gap_lost(position);
    const struct topic *topic = interest->topic;
    bool beyond = gap->id < topic->floor; /* what was trimmed there is not for the position */
    bool mixed = policy_conflates(&position->policy) && topic->trimmed_superseded > gap->next;
    return beyond || mixed ? -1 : interest_lost(interest);
}

enum gap_reason merge_reason(const struct position *position, const struct head *gap) {
    if (gap->replay)
        return gap->replay->gap_reason;
    return gap->interest ? gap->interest->topic->floor_reason : position->gap_reason;
}

int64_t merge_take_gap(struct position *position, const struct head *gap) {
    int64_t lost = merge_lost(position, gap);
    struct interest *interest = gap->interest;
    if (gap->replay) {
        gap->replay->gap_id = 0;
    } else if (interest == NULL) {
        position->gap_id = 0;
    } else {
        interest->gap = false;
        if (interest->next < interest->topic->first)
            interest->next = interest->topic->first;
    }
    return lost;
}

/* Who broke off between two gaps with one id would never be told the other: the position's own
 * takes in those that are due there. */
static void join_gaps(struct merge *merge, struct position *position) {
    for (size_t i = merge->count; i-- > 0;) {
        struct head *head = &merge->heads[i];
        if (!head->gap || head->id != position->gap_id)
            continue;
        int64_t lost = merge_take_gap(position, head);
        position_note_gap(position, position->gap_reason, head->id, lost);
        if (!pass(merge, head))
            *head = merge->heads[--merge->count];
    }
    add_head(merge, &(struct head){.id = position->gap_id, .gap = true});
}

/* --- a position's sources --- */

/* All read: nothing is remembered of it. */
static void forget(struct interest *interest) {
    interest->next = interest->topic->next; /* what is left there is skipped for good */
    if (interest_is_found(interest))
        prefix_read_up(interest);
    else
        list_remove(&interest->in_news);
}

static void gather_news(struct merge *merge, struct position *position) {
    struct list *next;
    struct head head;
    for (struct list *at = position->news.next; at != &position->news; at = next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_news);
        next = at->next;
        if (find_first(merge, &head, interest))
            add_head(merge, &head);
        else
            forget(interest);
    }
}

static void gather_only(struct merge *merge, struct interest *only) {
    struct head head;
    if (find_first(merge, &head, only))
        add_head(merge, &head);
    else
        only->next = only->topic->next;
}

static void gather_replays(struct merge *merge, struct position *position) {
    struct list *next;
    for (struct list *at = position->replays.next; at != &position->replays; at = next) {
        struct replay *replay = CONTAINER_OF(at, struct replay, link);
        next = at->next;
        if (!replay_advance(replay)) {
            replay_free(replay);
            continue;
        }
        struct head head = {.replay = replay, .next = replay->at, .id = replay->gap_id};
        if ((head.gap = head.id > 0) || find_replayed(&head))
            add_head(merge, &head);
    }
}

/* Up to where all that is there, or was, is known to be. One topic is always in order; but an end
 * comes behind what is still to be committed. */
static event_id horizon_of(const struct position *position) {
    if (position_is_single(position))
        return position->end > 0 ? publications_visible() : EVENT_ID_NONE;
    event_id bound = position->reader->settled;
    if (position->known > bound)
        bound = position->known;
    if (position_is_lapsed(position))
        bound = position_listed(position);
    for (struct list *at = position->replays.next; at != &position->replays; at = at->next) {
        const struct replay *replay = CONTAINER_OF(at, struct replay, link);
        if (replay->covered < bound)
            bound = replay->covered;
    }
    return bound;
}

static void gather(struct merge *merge, struct position *position) {
    merge->count = 0;
    merge->fetched = false;
    merge->bound = horizon_of(position); /* before a replay goes that is over */
    merge->end = position->end;
    if (merge->end > 0 && merge->end < merge->bound)
        merge->bound = merge->end;
    merge->skips = policy_conflates(&position->policy);
    gather_replays(merge, position);
    if (position_is_single(position))
        gather_only(merge, &position->only);
    else
        gather_news(merge, position);
}

struct merge *merge_begin(struct position *position) {
    MUST(hub_is_locked());
    static struct merge merge;
    do
        gather(&merge, position);
    while (merge.fetched);
    if (position->gap_id > 0)
        join_gaps(&merge, position);
    make_heap(&merge);
    return &merge;
}

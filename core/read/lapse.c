/* lapse: a position of prefixes that has too many topics to keep in mind.
 *
 *     read | x x x | listed                                 newest
 *            found            a slice of the order
 *
 * It is not told of anything any more, and costs nobody anything: what it has is an id, `listed`,
 * up to where all that is to be read is in its list of topics. When that has been read it goes on
 * in the order of all events (order.c), a slice at a time, and when it has come to the end of that
 * it is told again.
 *
 * It reads what memory has. What was trimmed meanwhile it finds in the trims of the order, each
 * once; of those that are forgotten, and of topics that have gone, the crowds of its prefixes say
 * so. How much that was nobody knows: one gap, at the first of them, stands for all that is missing
 * by then.
 *
 * Under the hub's lock. It must not know how anything is sent. */
#include "read/lapse.h"

#include "base/must.h"
#include "hub/hub.h"
#include "hub/order.h"
#include "hub/publication.h"
#include "hub/reader.h"
#include "read/found.h"
#include "read/named.h"
#include "read/position.h"
#include "read/prefix.h"
#include "read/replay.h"

#define SLICE 4096 /* events looked at */

static event_id larger(event_id one, event_id other) {
    return one > other ? one : other;
}

/* --- how it begins --- */

static bool is_missing(const struct interest *interest) {
    if (interest->gap)
        return interest->topic->floor > interest->after;
    return interest_misses(interest, policy_conflates(&interest->position->policy));
}

/* Of the topic the first that is to be read, or told to be missing. */
static event_id first_of(const struct interest *interest) {
    const struct topic *topic = interest->topic;
    if (is_missing(interest))
        return topic->floor;
    uint64_t next = topic_after(topic, interest->after);
    if (next < interest->next)
        next = interest->next;
    bool skips = policy_conflates(&interest->position->policy);
    while (skips && next < topic->next && topic_is_superseded(topic, next, interest->position->end))
        next++;
    return next < topic->next ? topic_entry(topic, next)->id : EVENT_ID_NONE;
}

static event_id read_up_to(struct position *position) {
    event_id upto = position->mind->listed;
    if (!position_is_lapsed(position))
        upto = larger(position->reader->settled, position->known);
    for (struct list *at = position->news.next; at != &position->news; at = at->next) {
        const struct interest *interest = CONTAINER_OF(at, struct interest, in_news);
        if (!interest_is_found(interest))
            continue;
        event_id first = first_of(interest);
        if (first <= upto)
            upto = first - 1;
    }
    return upto;
}

/* Where reading begins of a topic, by the prefix that has read least; `prefix` NULL: none brings
 * it.
 */
struct start {
    event_id after, mark;
    const struct prefix_interest *prefix;
};

static struct start start_without(const struct prefix_interest *except,
                                  const struct position *position, const struct topic *topic) {
    struct start start = {EVENT_ID_NONE, 0, NULL};
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next) {
        const struct prefix_interest *prefix = prefix_of(at);
        if (prefix == except || prefix->after >= start.after || !prefix_is_of(prefix, topic))
            continue;
        start = (struct start){prefix->after, prefix_mark(prefix, topic), prefix};
    }
    if (start.after < position->mind->listed)
        start.after = position->mind->listed;
    return start;
}

static struct start start_of(const struct position *position, const struct topic *topic) {
    return start_without(NULL, position, topic);
}

/* Whether the prefixes bring what it has to read. What came before they did, of a name that was
 * left since, they do not. */
static bool is_brought(const struct interest *found) {
    return first_of(found) > start_of(found->position, found->topic).after;
}

/* Whether it is still to be read by itself: nothing else brings what it awaits. */
static bool is_kept(const struct interest *found) {
    return prefix_awaits(found) || !is_brought(found);
}

/* What it misses is told with all that is missing: memory alone is read from here on. */
static void forget(struct position *position) {
    struct list *next;
    for (struct list *at = position->news.next; at != &position->news; at = next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_news);
        next = at->next;
        if (!interest_is_found(interest))
            continue;
        if (is_missing(interest)) {
            lapse_note_missing(position, interest->topic->floor);
            interest_pass(interest, interest->topic->floor);
            interest->gap = false;
        }
        if (!is_kept(interest))
            found_free(interest);
    }
}

void lapse_begin(struct position *position) {
    MUST(hub_is_locked());
    position->mind->listed = read_up_to(position);
    position->mind->trims = 0;
    forget(position);
    prefix_file(position);
}

void lapse_from(struct position *position, event_id after) {
    event_id listed = position->mind->listed;
    if (after >= listed)
        return;
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next)
        prefix_of(at)->after = larger(prefix_of(at)->after, listed);
    position->mind->listed = after;
    position->mind->trims = 0;
}

void lapse_end(struct position *position) {
    position->mind->listed = EVENT_ID_NONE;
    position->mind->missing = 0;
    prefix_file(position);
}

void lapse_note_missing(struct position *position, event_id floor) {
    if (position->mind->missing == 0 || floor < position->mind->missing)
        position->mind->missing = floor;
}

/* --- what it has to read --- */

/* The ordinal where that is: behind what is not among the newest, for who wants these. */
static uint64_t first_at(const struct topic *topic, const struct start *start) {
    uint64_t next = topic_after(topic, start->after), mark = topic_after(topic, start->mark);
    uint64_t last = start->prefix->last;
    return last > 0 && next + last < mark ? mark - last : next;
}

/* The topic of the event there, if that is for the position. */
static struct topic *wanted(const struct position *position, uint64_t place, event_id *id,
                            struct start *start) {
    struct topic *topic = order_at(place, id);
    if (topic == NULL || named_get(position, topic))
        return NULL;
    *start = start_of(position, topic);
    if (*id <= start->after)
        return NULL;
    bool any = start->prefix->last == 0;
    return any || topic_after(topic, *id - 1) >= first_at(topic, start) ? topic : NULL;
}

struct lag lapse_lag(const struct position *position) {
    struct lag lag = {0, 0};
    struct start start;
    event_id id;
    for (uint64_t at = order_after(position->mind->listed); at < order_end(); at++) {
        const struct topic *topic = wanted(position, at, &id, &start);
        if (topic == NULL || id <= start.mark || (position->end > 0 && id > position->end))
            continue;
        lag.events++;
        lag.bytes += topic_entry(topic, topic_after(topic, id - 1))->len;
    }
    return lag;
}

event_id lapse_fence(const struct position *position, struct lag sum) {
    event_id fence = position->mind->listed, id;
    struct start start;
    for (uint64_t at = order_after(position->mind->listed); at < order_end(); at++) {
        const struct topic *topic = wanted(position, at, &id, &start);
        if (topic && id > start.mark) {
            sum.events++;
            sum.bytes += topic_entry(topic, topic_after(topic, id - 1))->len;
        }
        if (policy_exceeds(&position->policy, sum))
            break;
        fence = id;
    }
    return fence;
}

/* --- what it has lost --- */

static bool comes_otherwise(const struct position *position, const struct topic *topic,
                            event_id id) {
    return named_get(position, topic) || found_get(position, topic) ||
           replay_brings(position, topic, id);
}

/* Where it is told that an event is missing which is trimmed by now; 0: it was not wanted. How many
 * came behind one that the topic's trail has forgotten nobody knows; but of all that is forgotten
 * the newest was wanted, if any was. */
static event_id missing_at(const struct topic *topic, event_id id, const struct start *start) {
    uint64_t last = start->prefix->last, beyond, mark;
    if (id <= start->after)
        return 0;
    if (last == 0 || id > start->mark)
        return id;
    if (!topic_after_any(topic, id, &beyond) || !topic_after_any(topic, start->mark, &mark))
        return topic->trail.before;
    return beyond + last > mark ? id : 0;
}

static bool is_beyond_end(const struct position *position, event_id id) {
    return position->end > 0 && id > position->end;
}

/* Whether what is superseded and trimmed is not missing; for who ends, what superseded it may lie
 * beyond that. */
static bool skips_trimmed(const struct position *position) {
    return policy_conflates(&position->policy) && position->end == 0;
}

/* What was trimmed, since its prefix was chosen, of what is to be read. */
static void look_at_trims(struct position *position) {
    bool skips = skips_trimmed(position), superseded;
    uint64_t trim = order_trims_first();
    event_id id;
    if (trim <= position->mind->trims)
        trim = position->mind->trims + 1;
    for (; trim <= hub.trims; trim++) {
        const struct topic *topic = order_trim_at(trim, &id, &superseded);
        if (topic == NULL || id <= position->mind->listed || is_beyond_end(position, id) ||
            (skips && superseded) || comes_otherwise(position, topic, id))
            continue;
        struct start start = start_of(position, topic);
        bool is_news = start.prefix && trim > start.prefix->trims;
        if (is_news && (id = missing_at(topic, id, &start)) > 0)
            lapse_note_missing(position, id);
    }
}

/* The same of what is known no better. */
static void look_at_crowds(struct position *position) {
    bool skips = skips_trimmed(position);
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next) {
        const struct prefix_interest *prefix = prefix_of(at);
        const struct crowd *crowd = prefix->feed->crowd;
        event_id id = skips ? crowd->trimmed : crowd_trimmed(crowd);
        bool is_news = crowd->trims > prefix->trims && crowd->trims > position->mind->trims;
        if (is_news && id > larger(position->mind->listed, prefix->after))
            lapse_note_missing(position, id);
    }
}

/* Whether something is missing that was not told. */
static bool misses(struct position *position) {
    if (position->mind->missing <= position->mind->listed)
        position->mind->missing = 0;
    look_at_trims(position);
    look_at_crowds(position);
    position->mind->trims = hub.trims;
    return position->mind->missing > 0;
}

/* The same of one of them. What the store has trimmed comes from there. */
static bool is_missing_of(const struct topic *topic, const struct start *start) {
    bool tells = start->prefix->tells && !topic->stored;
    return topic->floor_reason == GAP_TRIMMED && missing_at(topic, topic->floor, start) > 0 &&
           (tells || topic->trimmed_when > start->prefix->trims);
}

/* The earliest is told first. */
static void note_gap(struct position *position, event_id id) {
    if (position->gap_id > 0 && position->gap_id <= id)
        return;
    position->gap_id = 0;
    position_note_gap(position, GAP_TRIMMED, id, -1);
}

/* --- going on --- */

/* What it still has of topics in mind is among what was passed. */
static void pass_found(struct position *position) {
    for (struct list *at = position->news.next; at != &position->news; at = at->next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_news);
        if (interest_is_found(interest))
            interest_pass(interest, position->mind->listed);
    }
}

/* Of what it has named, what is passed over as well. True: gaps are among it. What is trimmed
 * beyond that is told in its place. */
static bool pass_named(struct position *position) {
    bool gaps = false;
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_position);
        uint64_t next;
        bool known = topic_after_any(interest->topic, position->mind->listed, &next);
        if (interest->gap && interest->topic->floor <= position->mind->listed) {
            interest->gap = false;
            gaps = true;
        }
        if (next <= interest->next)
            continue;
        position->policy.dropped += next - interest->next;
        interest->next = next;
        gaps = gaps || !known;
    }
    return gaps;
}

static bool pass_gap(struct position *position) {
    if (position->gap_id == 0 || position->gap_id > position->mind->listed)
        return false;
    position->gap_id = 0;
    return true;
}

/* Goes on to where the rest is not too much. */
static void pass_events(struct position *position) {
    struct policy *policy = &position->policy;
    struct lag lag = lapse_lag(position);
    struct start start;
    event_id id, most = publications_visible();
    if (position->end > 0 && position->end < most)
        most = position->end;
    uint64_t at = order_after(position->mind->listed);
    for (; at < order_end() && policy_exceeds(policy, lag); at++, position->mind->listed = id) {
        const struct topic *topic = wanted(position, at, &id, &start);
        if (id > most)
            break;
        policy->dropped += topic != NULL;
        if (topic == NULL || id <= start.mark)
            continue;
        lag.events--;
        lag.bytes -= topic_entry(topic, topic_after(topic, id - 1))->len;
    }
}

/* drop_oldest: what is too much is passed over. */
static void drop_oldest(struct position *position) {
    struct policy *policy = &position->policy;
    uint64_t dropped = policy->dropped;
    event_id before = position->mind->listed;
    bool more = misses(position);
    pass_events(position);
    if (position->mind->listed == before)
        return;
    more = more && position->mind->missing <= position->mind->listed;
    more = pass_named(position) || more;
    more = pass_gap(position) || more;
    pass_found(position);
    if (policy->dropped > dropped)
        policy->reason = GAP_OVERFLOW;
    else if (more && policy->dropped_id == 0)
        policy->reason = GAP_TRIMMED;
    else if (!more)
        return;
    policy->dropped_more = policy->dropped_more || more;
    policy->dropped_id = position->mind->listed;
}

/* An event beyond `listed` is for the position. */
static void find(struct position *position, struct topic *topic, const struct start *start) {
    struct interest *found = found_add(position, topic);
    found->after = start->after;
    found->next = first_at(topic, start);
    found->mark = topic_after(topic, start->mark);
}

/* Finds what is to be read next. Where that ends; EVENT_ID_NONE: there is no more. */
static event_id find_slice(struct position *position) {
    event_id visible = publications_visible(), before = position->mind->listed, upto = before, id;
    uint64_t at = order_after(position->mind->listed), end = at + SLICE;
    struct start start;
    for (; at < order_end(); at++, upto = id) {
        struct topic *topic = wanted(position, at, &id, &start);
        bool is_new = topic && found_get(position, topic) == NULL;
        if (id <= visible && (at >= end || (is_new && upto > before && found_is_full(position))))
            return upto;
        if (is_new)
            find(position, topic, &start);
    }
    return EVENT_ID_NONE;
}

void lapse_go_on(struct position *position) {
    MUST(hub_is_locked());
    MUST(position_is_lapsed(position));
    forget(position);
    if (position->policy.overflow == OVERFLOW_DROP_OLDEST && list_empty(&position->replays))
        drop_oldest(position);
    if (misses(position))
        note_gap(position, position->mind->missing);
    event_id upto = find_slice(position);
    position_link_named(position);
    if (upto < EVENT_ID_NONE) {
        position->mind->listed = upto;
        return;
    }
    position->known = publications_visible();
    lapse_end(position);
}

/* --- choosing and leaving --- */

void lapse_leave(struct position *position, const struct prefix_interest *prefix) {
    MUST(hub_is_locked());
    MUST(position_is_lapsed(position));
    struct start start;
    event_id id;
    misses(position);
    for (uint64_t at = order_after(position->mind->listed); at < order_end(); at++) {
        struct topic *topic = wanted(position, at, &id, &start);
        if (topic == NULL || start.prefix != prefix || found_get(position, topic))
            continue;
        struct start rest = start_without(prefix, position, topic);
        if (rest.prefix == NULL || id > rest.after)
            continue;
        if (found_is_full(position)) {
            lapse_note_missing(position, id);
            return;
        }
        find(position, topic, &start);
    }
}

void lapse_bequeath(struct interest *named) {
    const struct topic *topic = named->topic;
    struct start start = start_of(named->position, topic);
    named->gap = named->gap || is_missing_of(topic, &start);
    interest_begin_by(named, first_at(topic, &start), topic_after(topic, start.mark), start.after);
}

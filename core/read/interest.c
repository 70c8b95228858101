/* interest: one topic as one position sees it.
 *
 *     none of its    history: does not     counts as being
 *     business       count                 behind
 *     . . . . . . . | . . . . . . . . . . | . . . . . . . . topic->next
 *                  after                 mark
 *                    next --> as it reads
 *
 * It is the ordinal of the first entry not read, and what belongs to it: where reading began, what
 * was history then, and whether a gap is to be told before anything else. Where it begins is
 * settled in one step under the hub's lock: what the topic has in memory is read from there, what
 * only the store has becomes a replay of the position, and what nobody has is a gap. Who wants the
 * newest events only gets those that memory has, and what is missing of them from the store.
 *
 * One that was chosen by name lives as long as that choice and is told of news by a feed. One that
 * came by a prefix lives while it has something to read (see prefix). It holds its topic. It must
 * not know what is read, nor what a policy does. */
#include "read/interest.h"

#include "base/must.h"
#include "hub/hub.h"
#include "read/position.h"
#include "read/prefix.h"
#include "read/replay.h"

void interest_init(struct interest *interest, struct position *position, struct topic *topic) {
    MUST(hub_is_locked());
    *interest = (struct interest){.position = position, .topic = topic, .extra = true};
    list_init(&interest->in_feed);
    list_init(&interest->in_position);
    list_init(&interest->in_news);
    topic->holds++;
}

void interest_fini(struct interest *interest) {
    MUST(hub_is_locked());
    MUST(interest->topic->holds > 0);
    struct topic *topic = interest->topic;
    list_remove(&interest->in_feed);
    list_remove(&interest->in_position);
    list_remove(&interest->in_news);
    topic->holds--;
    hub_release_topic(topic);
}

/* --- where it begins --- */

/* What the store has of the topic, and memory has not. */
static void place_stored(struct interest *interest, const struct replay_start *start) {
    struct position *position = interest->position;
    struct topic *topic = interest->topic;
    char text[NAME_MAX_BYTES];
    struct str name = name_str(topic->name, text);
    bool covered = prefix_covers(position, topic) && replay_has(position, name, start);
    if (topic->stored_last > start->after && !covered)
        replay_add(position, topic, start);
}

/* What is missing of the topic beyond `after`, which nobody has. Up to where that is told; 0: there
 * is nothing. */
static event_id place_gap(struct interest *interest, event_id after, bool counts) {
    uint8_t reason;
    uint64_t from;
    struct topic *topic = interest->topic;
    event_id floor = hub_floor(topic, after, &reason);
    int64_t lost = counts ? topic_count(topic, after, floor) : -1;
    if (after >= floor || lost == 0)
        return 0;
    interest->gap = floor == topic->floor && reason == GAP_TRIMMED;
    if (!interest->gap) /* it may concern the whole server: told once, for all topics */
        position_note_gap(interest->position, reason, floor, lost);
    else if ((interest->gap_counts = counts && topic_after_any(topic, after, &from)))
        interest->next = from;
    interest->position->resumed = false;
    return floor;
}

/* The newest ones only. What is older is none of its business: that it is gone is no gap. Returns
 * how many of them memory has not. */
static uint64_t keep_newest(struct interest *interest, uint64_t last) {
    const struct topic *topic = interest->topic;
    uint64_t kept = topic->next - interest->next;
    if (kept > last)
        interest->next = topic->next - last;
    event_id before =
        interest->next > topic->first ? topic_entry(topic, interest->next - 1)->id : topic->floor;
    if (before > interest->after)
        interest->after = before;
    return kept < last ? last - kept : 0;
}

void interest_place(struct interest *interest, const struct position_choice *choice) {
    MUST(hub_is_locked());
    const struct topic *topic = interest->topic;
    struct replay_start start = {.after = choice->after, .tell = choice->tell};
    interest->after = start.after;
    interest->next = topic_after(topic, start.after);
    interest->mark = topic->next;
    if (choice->last > 0 && (start.newest = keep_newest(interest, choice->last)) == 0)
        return;
    if (start.after >= topic->floor)
        return;
    start.told = start.tell ? place_gap(interest, start.after, start.newest == 0) : 0;
    interest->position->gap_came_back = interest->position->gap_came_back || start.told > 0;
    if (start.after < topic->unstored) /* what the store has of that it is still to trim */
        start.after = topic->unstored;
    if (topic->stored && !interest->gap) /* else all that memory lacks is told to be missing */
        place_stored(interest, &start);
}

/* The id of the last event that it has read, or passed; false: that is not known any more. */
static bool find_read(const struct interest *interest, event_id *id) {
    const struct trail *trail = &interest->topic->trail;
    if (interest->next < trail->first)
        return false;
    *id = trail_before(trail, interest->next);
    if (*id < interest->after)
        *id = interest->after;
    return true;
}

/* What has lapsed reads memory only: of topics that it does not have in mind nobody would fetch. */
static bool may_fetch(const struct interest *interest) {
    const struct position *position = interest->position;
    bool lapsed = position_is_lapsed(position) && interest_is_found(interest);
    return interest->topic->stored && !interest->gap && !position->resting && !lapsed;
}

bool interest_fetch(struct interest *interest) {
    MUST(hub_is_locked());
    struct replay_start start = {.tell = true, .alone = true};
    struct topic *topic = interest->topic;
    if (!may_fetch(interest) || !find_read(interest, &start.after))
        return false;
    start.told = hub_floor(topic, start.after, &start.reason);
    if (start.told >= topic->floor)
        return false;
    start.lost = topic_count(topic, start.after, start.told);
    if (start.told <= start.after || start.lost == 0)
        start.told = 0;
    interest->next = topic->first;
    replay_add(interest->position, topic, &start);
    interest_link_news(interest);
    return true;
}

int64_t interest_lost(const struct interest *interest) {
    MUST(interest->next <= interest->topic->next);
    const struct topic *topic = interest->topic;
    uint64_t from;
    if (interest->gap && !(interest->gap_counts && position_has_one(interest->position)))
        return -1;
    bool known = topic_after_any(topic, interest->after, &from); /* what is before is not for it */
    if (!known || from < interest->next)
        from = interest->next;
    return (int64_t)(topic->first - from);
}

bool interest_misses(const struct interest *interest, bool skips) {
    const struct topic *topic = interest->topic;
    uint64_t gone = skips && interest->position->end == 0 ? topic->trimmed : topic->first;
    return interest->next < gone && topic->floor > interest->after;
}

void interest_pass(struct interest *interest, event_id id) {
    uint64_t next = topic_after(interest->topic, id);
    if (interest->next < next)
        interest->next = next;
}

void interest_begin_by(struct interest *interest, uint64_t next, uint64_t mark, event_id after) {
    if (next < interest->next)
        interest->next = next;
    if (mark < interest->mark)
        interest->mark = mark;
    if (after < interest->after)
        interest->after = after;
}

/* --- in its position --- */

void interest_link_news(struct interest *interest) {
    if (list_empty(&interest->in_news))
        list_push(&interest->position->news, &interest->in_news);
}

void interest_set_extra(struct interest *interest, bool extra) {
    if (extra == interest->extra)
        return;
    interest->extra = extra;
    position_count(interest->position, &interest->topic->crowd, !extra);
}

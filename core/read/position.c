/* position: a subscriber's place in the topics it has chosen.
 *
 *     topic a:  . . . . next x x x          what is not read, merged by id,
 *     topic b:  . . next x                  gives what is to be sent: a span
 *
 * A position owns no queue. For each topic it names it has an interest, the ordinal of the first
 * entry not read; of a prefix's topics, such a record exists only while there is news. Reading (see
 * span) changes nothing; only what was sent is marked as read. What the topic has trimmed
 * meanwhile, and what the position's own policy drops, is told in between as a gap, an event of its
 * own with the id where reading goes on.
 *
 * Here topics are chosen and left. When one joins, all its news up to that moment are registered,
 * so that from then on the feeds tell the rest.
 *
 * Belongs to one worker's subscriber. Topics are looked at under the hub's lock; the rest is the
 * worker's own. It must not know what becomes of what it reads. */
#include "read/position.h"

#include "base/mem.h"
#include "base/must.h"
#include "hub/attendance.h"
#include "hub/blocking.h"
#include "hub/hub.h"
#include "hub/publication.h"
#include "read/merge.h"
#include "read/named.h"
#include "read/prefix.h"
#include "read/replay.h"

#include <stdlib.h>

#define SLICE 64 /* topics chosen, or left, while the lock is held */

static struct interest *of_interests(struct list *node) {
    return CONTAINER_OF(node, struct interest, in_position);
}

/* --- for its parts --- */

void position_note_gap(struct position *position, enum gap_reason reason, event_id id,
                       int64_t lost) {
    bool fresh = position->gap_id == 0, ends = position->end > 0 && id > position->end;
    position->resumed = false;
    position->gap_came_back = position->gap_came_back && !fresh;
    if (fresh)
        position->gap_lost = 0;
    if (lost < 0 || position->gap_lost < 0 || ends)
        position->gap_lost = -1;
    else
        position->gap_lost += lost;
    if (ends)
        id = position->end;
    if (id <= position->gap_id)
        return;
    position->gap_id = id;
    position->gap_reason = (uint8_t)reason;
}

int64_t position_gap_lost(const struct position *position) {
    return position->gap_came_back && !position_has_one(position) ? -1 : position->gap_lost;
}

bool position_covers(const struct position *position, const struct topic *topic) {
    return named_get(position, topic) || prefix_covers(position, topic);
}

void position_count(const struct position *position, struct crowd *crowd, bool in) {
    if (!position->is_stream)
        return;
    if (in)
        crowd_join(crowd, str_of(position->subject));
    else
        crowd_leave(crowd, str_of(position->subject));
}

/* --- choosing topics --- */

static void hear(struct interest *interest) {
    struct reader *reader = interest->position->reader;
    list_push(&reader_feed(reader, interest->topic)->interests, &interest->in_feed);
}

static void add_topic(struct position *position, const struct position_choice *choice) {
    struct topic *topic = hub_topic(choice->name);
    if (named_get(position, topic))
        return;
    bool covered = prefix_covers(position, topic);
    struct interest *interest = named_add(position, topic);
    interest_place(interest, choice);
    if (covered) /* by name from now on */
        prefix_bequeath(interest);
    interest_set_extra(interest, covered);
    if (position->is_stream)
        interest->attendance = attendance_join(topic, str_of(position->subject));
    if (interest_has_news(interest))
        interest_link_news(interest);
    blocking_join(position->blocking, &topic->crowd, choice->after);
    hear(interest);
}

/* Where reading begins: everything up to the `after` of what is returned is none of the position's
 * business. An id that was never given can only be told to be that. */
static struct position_choice settle_start(struct position *position,
                                           const struct position_choice *choice) {
    struct position_choice settled = *choice;
    if (choice->tell && list_empty(&position->interests) && list_empty(&position->prefixes))
        position->resumed = true;
    if (choice->tell && choice->after <= hub.last && choice->after > position->told)
        position->told = choice->after;
    if (choice->from_id && choice->after > hub.last) {
        position_note_gap(position, GAP_UNKNOWN, hub.last, -1);
        settled.tell = false;
    }
    if (!choice->from_id || choice->after > hub.last)
        settled.after = hub.last;
    if (settled.not_before > settled.after)
        settled.after = settled.not_before - 1;
    return settled;
}

void position_link_named(struct position *position) {
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next) {
        counter_add(&position->reader->counters.visits, 1);
        if (interest_has_news(of_interests(at)))
            interest_link_news(of_interests(at));
    }
}

static void add_one(struct position *position, const struct position_choice *choice) {
    if (position->gap_came_back) /* that was one topic's; it is not any more */
        position->gap_lost = -1;
    struct position_choice settled = settle_start(position, choice);
    if (settled.prefix)
        prefix_add(position, &settled);
    else
        add_topic(position, &settled);
}

/* With the first ones all its news are registered, those that feeds have yet to tell included; but
 * for what they have to tell of prefixes chosen earlier. The others register their own, and what
 * they have beyond that is read as feeds tell it. */
static void add_slice(struct position *position, const struct position_choice *choice,
                      const struct str *names, size_t n, bool first) {
    struct position_choice one = *choice;
    hub_lock();
    position_wake(position);
    bool prefixed = !list_empty(&position->prefixes);
    for (size_t i = 0; i < n; i++) {
        one.name = names[i];
        add_one(position, &one);
    }
    if (first && !prefixed)
        position->known = publications_visible();
    if (first)
        position_link_named(position);
    hub_unlock();
}

/* There may be any number of topics below a prefix. */
void position_add_all(struct position *position, const struct position_choice *choice,
                      const struct str *names, size_t n) {
    size_t slice = choice->prefix ? 1 : SLICE;
    for (size_t i = 0; i < n; i += slice)
        add_slice(position, choice, names + i, n - i < slice ? n - i : slice, i == 0);
    if (choice->prefix)
        prefix_count(position);
    reader_keep_time(position->reader);
    position_serve(position);
}

void position_add(struct position *position, const struct position_choice *choice) {
    position_add_all(position, choice, &choice->name, 1);
}

bool position_has(const struct position *position, struct str text, bool prefix) {
    hub_lock();
    const struct name *name = name_find(hub.names, text);
    bool has = name && (prefix ? prefix_get(position, name) != NULL
                               : name->topic && named_get(position, name->topic));
    hub_unlock();
    return has;
}

/* --- leaving them --- */

static void remove_interest(struct interest *interest) {
    struct position *position = interest->position;
    interest_set_extra(interest, true);
    attendance_leave(interest->attendance);
    blocking_leave(position->blocking, &interest->topic->crowd);
    list_remove(&interest->in_feed);
    feed_release(reader_feed(position->reader, interest->topic));
    named_free(interest);
}

static bool remove_named(struct position *position, struct str text) {
    const struct name *name = name_find(hub.names, text);
    struct interest *interest = name && name->topic ? named_get(position, name->topic) : NULL;
    if (interest == NULL)
        return false;
    if (interest->extra)
        prefix_inherit(interest);
    remove_interest(interest);
    return true;
}

/* It owes what it has to read of the rest, even if nobody has told it yet. */
static void recount(struct position *position) {
    position_wake(position);
    position_link_named(position);
    policy_recount(position);
}

bool position_remove(struct position *position, struct str name, bool prefix) {
    hub_lock();
    prefix_register(position);
    bool found = prefix ? prefix_remove(position, name) : remove_named(position, name);
    replay_leave(position, name, prefix);
    if (list_empty(&position->interests) && list_empty(&position->prefixes))
        position->gap_id = 0; /* it was of what is left */
    if (position->blocking)
        recount(position);
    hub_unlock();
    if (found) /* those that are left may all be closed */
        position_serve(position);
    return found;
}

void position_names(struct position *position, void (*each)(void *, struct str, bool), void *arg) {
    char text[NAME_MAX_BYTES];
    hub_lock();
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next)
        each(arg, name_str(of_interests(at)->topic->name, text), false);
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next)
        each(arg, name_str(prefix_of(at)->feed->name, text), true);
    hub_unlock();
}

/* --- its end --- */

/* What is superseded below `upto`, and not missing. */
static void pass_one(struct interest *interest, event_id upto) {
    if (interest->next >= interest->topic->first)
        interest_pass(interest, upto);
}

/* What is superseded below what comes next has been passed, even if what superseded it lies beyond
 * the end. */
static void pass_superseded(struct position *position) {
    const struct merge *merge = merge_begin(position);
    const struct head *top = merge_top(merge, merge->bound);
    event_id passed = top ? top->id - 1 : merge->bound;
    if (position_is_single(position))
        pass_one(&position->only, passed);
    for (struct list *at = position->news.next; at != &position->news; at = at->next)
        pass_one(CONTAINER_OF(at, struct interest, in_news), passed);
}

void position_end(struct position *position) {
    hub_lock();
    if (policy_conflates(&position->policy))
        pass_superseded(position);
    position->end = hub.last;
    if (position->blocking)
        blocking_end(position->blocking);
    policy_let_go(position);
    hub_unlock();
    position_serve(position);
}

event_id position_closed(const struct position *position) {
    event_id last = 0;
    if (!list_empty(&position->prefixes))
        return 0;
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next) {
        const struct topic *topic = of_interests(at)->topic;
        if (topic->ended == 0)
            return 0;
        if (topic->ended > last)
            last = topic->ended;
    }
    return last;
}

/* Of each topic it had been sent all. */
static bool had_all(const struct position *position) {
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next)
        if (of_interests(at)->after < of_interests(at)->topic->ended || of_interests(at)->gap)
            return false;
    return list_empty(&position->replays) && position->gap_id == 0;
}

bool position_is_done(const struct position *position) {
    if (!position->resumed)
        return false;
    hub_lock();
    bool done = position_closed(position) > 0 && had_all(position);
    hub_unlock();
    return done;
}

event_id position_newest(void) {
    hub_lock();
    event_id newest = hub.last;
    hub_unlock();
    return newest;
}

bool position_has_read(struct position *position, event_id upto) {
    hub_lock();
    const struct merge *merge = merge_begin(position);
    bool commits = publications_visible() < upto;
    bool settled = merge->bound >= upto && !commits;
    bool read = settled && merge_top(merge, upto) == NULL && position->policy.dropped_id == 0;
    bool replays = !list_empty(&position->replays); /* then their pages have it served */
    if (commits)
        position_hold(position);
    else if (!settled && !replays)
        position_serve(position);
    hub_unlock();
    return read;
}

/* --- being told, and served --- */

void position_serve(struct position *position) {
    struct reader *reader = position->reader;
    list_remove(&position->in_queue);
    list_push(&reader->ready, &position->in_queue);
    loop_chore(reader->loop, &reader->chore);
}

/* What was committed since the last turn may have been told to nobody here, and so nobody has a
 * turn. */
void position_hold(struct position *position) {
    MUST(hub_is_locked());
    struct reader *reader = position->reader;
    reader->holding = true;
    if (reader->settled < publications_visible())
        loop_chore(reader->loop, &reader->chore);
    list_remove(&position->in_queue);
    list_push(&reader->held, &position->in_queue);
}

bool position_is_past_end(const struct position *position) {
    return position->end > 0 && position->reader->settled >= position->end;
}

void position_rest(struct position *position) {
    if (position->resting || policy_counts(&position->policy))
        return;
    position->resting = true;
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next)
        list_remove(&of_interests(at)->in_feed);
    if (!list_empty(&position->prefixes)) {
        hub_lock();
        prefix_file(position);
        hub_unlock();
    }
}

/* What was not told is registered; a single topic is looked at anyway. */
void position_wake(struct position *position) {
    if (!position->resting)
        return;
    position->resting = false;
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next)
        hear(of_interests(at));
    if (list_empty(&position->prefixes))
        position->known = publications_visible();
    prefix_file(position);
    if (!position_is_single(position))
        position_link_named(position);
}

void position_tell(struct interest *interest) {
    struct position *position = interest->position;
    if (position_is_past_end(position))
        return;
    lag_add(&position->policy.owed, position->reader->news);
    if (position_is_single(position)) {
        position->ops->news(position);
    } else {
        interest_link_news(interest);
        position_serve(position);
    }
}

bool position_look(struct position *position) {
    hub_lock();
    event_id visible = publications_visible();
    bool any = !position_is_single(position) && position->known < visible;
    if (any) {
        prefix_look(position);
        position_link_named(position);
        position->known = visible;
    }
    hub_unlock();
    return any;
}

bool position_reads_on(const struct position *position) {
    return !position_is_single(position) || position->policy.fence > 0 ||
           position->policy.overflow == OVERFLOW_BLOCK;
}

/* --- life --- */

void position_init(struct position *position, struct reader *reader,
                   const struct position_ops *ops) {
    *position = (struct position){
        .ops = ops, .reader = reader, .policy = {.limit = {UINT32_MAX, UINT32_MAX}}};
    list_init(&position->in_queue);
    list_init(&position->interests);
    list_init(&position->prefixes);
    list_init(&position->news);
    list_init(&position->replays);
    counter_add(&reader->counters.subscribers, 1);
}

void position_set_subject(struct position *position, struct str subject) {
    free(position->subject);
    position->subject = subject.ptr ? mem_copy(subject.ptr, subject.len) : NULL;
}

static void remove_slice(struct position *position) {
    hub_lock();
    for (int i = 0; i < SLICE && !list_empty(&position->interests); i++)
        remove_interest(of_interests(position->interests.next));
    hub_unlock();
}

void position_fini(struct position *position) {
    while (!list_empty(&position->interests))
        remove_slice(position);
    hub_lock();
    prefix_remove_all(position);
    while (!list_empty(&position->replays))
        replay_free(CONTAINER_OF(position->replays.next, struct replay, link));
    if (position->blocking)
        blocking_free(position->blocking);
    policy_let_go(position);
    hub_unlock();
    list_remove(&position->in_queue);
    free(position->subject);
    counter_add(&position->reader->counters.subscribers, (uint64_t)-1);
}

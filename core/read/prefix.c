/* prefix: a position's choice of all topics that begin so.
 *
 *     news of a topic --> its feed, the crowds of its name's prefixes --> found: a topic that came
 *         by a prefix --all read--> forgotten
 *
 * There may be a million topics below a prefix, and more that do not exist yet, so a position has
 * an interest in one of them only while there is something to read: it is found when a feed tells
 * its news, or when the prefix is chosen, and forgotten when all is read. In between, where reading
 * went on is in the feed's memory of what it has told.
 *
 * The same topic may be chosen by name and by several prefixes, and comes once: by name if it was
 * named. What was found passes to the name when that is chosen, and back when it is left. For the
 * same reason a position counts once in a topic's presence, in the crowd of the shortest prefix.
 *
 * Under the hub's lock. It must not know what is read. */
#include "read/prefix.h"

#include "base/mem.h"
#include "base/must.h"
#include "hub/blocking.h"
#include "hub/hub.h"
#include "hub/publication.h"
#include "hub/reader.h"
#include "read/found.h"
#include "read/lapse.h"
#include "read/named.h"
#include "read/position.h"

#include <stdlib.h>

/* --- which names it covers --- */

static bool is_below(const struct name *name, const struct name *prefix) {
    for (const struct name *at = name; at; at = at->parent)
        if (at == prefix)
            return true;
    return false;
}

static struct str key_of(const struct name *const *name) {
    return (struct str){(const char *)name, sizeof *name};
}

struct prefix_interest *prefix_get(const struct position *position, const struct name *name) {
    if (name->crowd == NULL || list_empty(&position->prefixes))
        return NULL;
    struct map_node *node = map_find(&position->mind->prefixes, key_of(&name));
    return node ? CONTAINER_OF(node, struct prefix_interest, node) : NULL;
}

/* By another prefix than `except`. */
static bool is_covered(const struct position *position, const struct name *name,
                       const struct prefix_interest *except) {
    if (list_empty(&position->prefixes))
        return false;
    for (const struct name *at = name; at; at = at->parent) {
        const struct prefix_interest *prefix = prefix_get(position, at);
        if (prefix && prefix != except)
            return true;
    }
    return false;
}

bool prefix_covers(const struct position *position, const struct topic *topic) {
    return is_covered(position, topic->name, NULL);
}

bool prefix_is_of(const struct prefix_interest *prefix, const struct topic *topic) {
    return is_below(topic->name, prefix->feed->name);
}

/* What is in memory only was there at once; what the store has was, as far as it had committed. */
event_id prefix_mark(const struct prefix_interest *prefix, const struct topic *topic) {
    event_id there = topic->stored ? topic->unstored : prefix->mark;
    if (there > prefix->mark)
        there = prefix->mark;
    return there > prefix->committed ? there : prefix->committed;
}

/* Up to where a feed of the topic has nothing to tell those who chose a prefix of its name: before
 * they came, or registered when they did. */
static event_id told_by_prefix(const struct position *position, const struct topic *topic) {
    event_id after = EVENT_ID_NONE;
    for (const struct name *at = topic->name; at; at = at->parent) {
        const struct prefix_interest *prefix = prefix_get(position, at);
        if (prefix && prefix->after < after)
            after = prefix->after;
    }
    return after > position->known ? after : position->known;
}

/* --- topics that came by one --- */

/* It begins no later than what a feed tells those who chose a prefix: from `seen` on, where the
 * entry has `first_id`. Some of that may have been read by another way, or came before the prefix.
 * If it is trimmed and forgotten how much that was, nobody knows how much is missing. */
static void begin_told(struct interest *interest, uint64_t seen, event_id first_id) {
    struct topic *topic = interest->topic;
    event_id after = told_by_prefix(interest->position, topic);
    uint64_t beyond;
    bool known = after < first_id || topic_after_any(topic, after, &beyond);
    if (known && after >= first_id)
        seen = beyond;
    interest->gap = interest->gap || !known;
    interest->gap_counts = interest->gap_counts && known;
    interest_begin_by(interest, seen, seen, after);
}

/* The same of what it will tell; even if the store has yet to commit it. */
static void begin_untold(struct interest *interest) {
    struct position *position = interest->position;
    if (!prefix_covers(position, interest->topic))
        return;
    const struct feed *feed = reader_untold(position->reader, interest->topic);
    if (feed)
        begin_told(interest, feed->seen, feed->first_id);
    else
        begin_told(interest, interest->topic->next, EVENT_ID_NONE);
}

/* It had been named, and what was to be committed then comes before what the prefix is told. */
bool prefix_awaits(const struct interest *found) {
    return found->topic->committing > 0 &&
           found->after < told_by_prefix(found->position, found->topic);
}

void prefix_read_up(struct interest *found) {
    /* What a feed will tell has been seen here: where to go on is remembered until then. */
    if (!reader_untold(found->position->reader, found->topic) && !prefix_awaits(found))
        found_free(found);
}

void prefix_tell(const struct prefix_interest *prefix, struct feed *feed) {
    MUST(hub_is_locked());
    struct position *position = prefix->position;
    struct topic *topic = feed->topic;
    counter_add(&position->reader->counters.visits, 1);
    if (named_get(position, topic) || position_is_past_end(position))
        return;
    lag_add(&position->policy.owed, position->reader->news);
    bool is_new = !position_is_lapsed(position) && found_get(position, topic) == NULL;
    if (is_new && found_is_full(position)) {
        lapse_begin(position);
    } else if (is_new) {
        struct interest *found = found_add(position, topic);
        found->next = found->mark = topic->next;
        found->after = EVENT_ID_NONE;
        begin_told(found, feed->from, feed->first_id);
    }
    if (!position->resting)
        position_serve(position);
}

void prefix_bequeath(struct interest *named) {
    struct interest *found = found_get(named->position, named->topic);
    if (found) {
        interest_begin_by(named, found->next, found->mark, found->after);
        named->gap = named->gap || found->gap;
        named->gap_counts = false;
        found_free(found);
    } else if (position_is_lapsed(named->position)) {
        lapse_bequeath(named);
    } else {
        begin_untold(named);
    }
}

void prefix_inherit(const struct interest *named) {
    if (!interest_has_news(named) && named->topic->committing == 0 &&
        !reader_untold(named->position->reader, named->topic))
        return;
    if (found_get(named->position, named->topic))
        return;
    struct interest *interest = found_add(named->position, named->topic);
    interest->next = named->next;
    interest->mark = named->mark;
    interest->after = named->after;
    interest->gap = named->gap;
}

/* --- who is told --- */

static bool listens(const struct position *position) {
    return !position_is_lapsed(position) || policy_counts(&position->policy);
}

static void file(struct prefix_interest *prefix) {
    MUST(hub_is_locked());
    const struct position *position = prefix->position;
    struct crowd_feed *feed = prefix->feed;
    list_remove(&prefix->hearer.in_feed);
    if (!listens(position)) {
        list_push(&feed->lapsed, &prefix->hearer.in_feed);
    } else if (position->resting) {
        prefix->hearer.rested = hub.last;
        list_push(&feed->resting, &prefix->hearer.in_feed);
    } else {
        list_push(&feed->interests, &prefix->hearer.in_feed);
    }
}

void prefix_file(struct position *position) {
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next)
        file(prefix_of(at));
}

/* --- counting --- */

static void set_extra(struct prefix_interest *prefix, bool extra) {
    if (extra == prefix->extra)
        return;
    prefix->extra = extra;
    position_count(prefix->position, prefix->feed->crowd, !extra);
}

/* What several choices of a position cover counts once. */
static void mark_extra(struct position *position) {
    uint64_t *visits = &position->reader->counters.visits;
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next) {
        counter_add(visits, 1);
        set_extra(prefix_of(at), is_covered(position, prefix_of(at)->feed->name, prefix_of(at)));
    }
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next) {
        counter_add(visits, 1);
        struct interest *interest = CONTAINER_OF(at, struct interest, in_position);
        interest_set_extra(interest, prefix_covers(position, interest->topic));
    }
}

void prefix_count(struct position *position) {
    hub_lock();
    mark_extra(position);
    hub_unlock();
}

/* --- choosing and leaving --- */

/* A topic that is there already under a new prefix. */
static void find(struct position *position, const struct position_choice *choice,
                 struct topic *topic) {
    if (named_get(position, topic) || found_get(position, topic))
        return;
    if (!position_is_lapsed(position) && found_is_full(position))
        lapse_begin(position);
    struct interest *found = found_add(position, topic);
    interest_place(found, choice);
    begin_untold(found);
    if (!interest_has_news(found)) {
        prefix_read_up(found);
    } else if (position_is_lapsed(position)) {
        if (found->gap)
            lapse_note_missing(position, topic->floor);
        found_free(found);
    }
}

static void find_below(struct position *position, const struct position_choice *choice,
                       struct name *prefix) {
    struct topic *topic;
    for (struct name *at = prefix, *next; at; at = next) {
        if ((topic = at->topic) != NULL) {
            topic->holds++; /* what is found to be too old may have been all that it kept */
            find(position, choice, topic);
            topic->holds--;
        }
        next = name_next(prefix, at);
        if (topic)
            hub_release_topic(topic);
    }
}

/* Who begins now has nothing to read, but will be told of what came before. */
static void find_untold(struct position *position, const struct position_choice *choice,
                        const struct name *prefix, const struct list *feeds) {
    for (struct list *at = feeds->next; at != feeds; at = at->next) {
        struct topic *topic = CONTAINER_OF(at, struct feed, in_reader)->topic;
        if (is_below(topic->name, prefix))
            find(position, choice, topic);
    }
}

/* What is there; if that is too much, it is found as it is read. */
static void find_all(struct position *position, const struct position_choice *choice,
                     struct name *prefix) {
    bool goes_on = position_is_lapsed(position);
    if (choice->after >= hub.last && list_empty(&position->prefixes)) {
        find_untold(position, choice, prefix, &position->reader->dirty);
        find_untold(position, choice, prefix, &position->reader->batch);
    } else {
        find_below(position, choice, prefix);
    }
    if (goes_on) /* the others begin where they stand */
        lapse_begin(position);
    if (position_is_lapsed(position))
        lapse_from(position, choice->after);
}

/* What was below it and is there no more. */
static void note_gone(struct position *position, const struct position_choice *choice) {
    if (!choice->tell)
        return;
    uint8_t reason;
    event_id floor = hub_floor_below(choice->name, choice->after, &reason);
    if (choice->after < floor)
        position_note_gap(position, reason, floor, -1);
}

void prefix_add(struct position *position, const struct position_choice *choice) {
    MUST(hub_is_locked());
    struct name *name = name_get(hub.names, choice->name);
    if (prefix_get(position, name))
        return; /* its crowd keeps the name */
    if (position->mind == NULL) {
        position->mind = mem_zalloc(sizeof *position->mind);
        position->mind->listed = EVENT_ID_NONE;
        map_init(&position->mind->found);
        map_init(&position->mind->prefixes);
    }
    struct prefix_interest *prefix = mem_alloc(sizeof *prefix);
    *prefix = (struct prefix_interest){.position = position,
                                       .name = name,
                                       .feed = reader_crowd_feed(position->reader, name),
                                       .after = choice->after,
                                       .mark = hub.last,
                                       .committed = publications_visible(),
                                       .last = choice->last,
                                       .trims = hub.trims,
                                       .tells = choice->tell && choice->last == 0,
                                       .extra = true};
    list_init(&prefix->hearer.in_feed);
    find_all(position, choice, name);
    list_push(&position->prefixes, &prefix->in_position);
    map_insert(&position->mind->prefixes, &prefix->node, key_of(&prefix->name));
    position->chosen++;
    file(prefix);
    blocking_join(position->blocking, name->crowd, choice->after);
    note_gone(position, choice);
}

static void remove_prefix(struct prefix_interest *prefix) {
    set_extra(prefix, true);
    list_remove(&prefix->hearer.in_feed);
    list_remove(&prefix->in_position);
    map_remove(&prefix->position->mind->prefixes, &prefix->node);
    prefix->position->chosen--;
    blocking_leave(prefix->position->blocking, prefix->feed->crowd);
    crowd_feed_release(prefix->feed);
    free(prefix);
}

/* Of the topics that came by a prefix, those that none covers any more. */
static void forget_uncovered(struct position *position) {
    struct list *next;
    for (struct list *at = position->news.next; at != &position->news; at = next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_news);
        next = at->next;
        if (interest_is_found(interest) && !prefix_covers(position, interest->topic))
            found_free(interest);
    }
}

/* A topic of which it has yet to be told begins with what that will be. */
static void find_early(struct position *position, struct topic *topic) {
    if (!prefix_covers(position, topic) || named_get(position, topic) || found_get(position, topic))
        return;
    if (!position_is_lapsed(position) && found_is_full(position))
        lapse_begin(position);
    struct interest *found = found_add(position, topic);
    found->next = found->mark = topic->next;
    found->after = EVENT_ID_NONE;
    if (position_is_lapsed(position))
        lapse_bequeath(found);
    else
        begin_untold(found);
}

static void find_feeds_early(struct position *position, const struct list *feeds) {
    for (struct list *at = feeds->next; at != feeds; at = at->next)
        if (!position_is_lapsed(position)) /* else it looks at all of them as it goes on */
            find_early(position, CONTAINER_OF(at, struct feed, in_reader)->topic);
}

void prefix_look(struct position *position) {
    if (list_empty(&position->prefixes))
        return;
    find_feeds_early(position, &position->reader->dirty);
    find_feeds_early(position, &position->reader->batch);
}

void prefix_register(struct position *position) {
    if (list_empty(&position->prefixes))
        return;
    prefix_look(position);
    for (struct list *at = hub.pending.next; at != &hub.pending; at = at->next)
        find_early(position, CONTAINER_OF(at, struct publication, link)->at);
}

bool prefix_remove(struct position *position, struct str text) {
    const struct name *name = name_find(hub.names, text);
    struct prefix_interest *prefix = name ? prefix_get(position, name) : NULL;
    if (prefix == NULL)
        return false;
    if (position_is_lapsed(position))
        lapse_leave(position, prefix);
    remove_prefix(prefix);
    mark_extra(position);
    forget_uncovered(position);
    if (list_empty(&position->prefixes))
        lapse_end(position);
    return true;
}

void prefix_remove_all(struct position *position) {
    while (!list_empty(&position->prefixes))
        remove_prefix(prefix_of(position->prefixes.next));
    found_free_all(position);
    if (position->mind) {
        map_fini(&position->mind->found);
        map_fini(&position->mind->prefixes);
    }
    free(position->mind);
}

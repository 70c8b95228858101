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
#include "hub/prefix.h"

#include "base/mem.h"
#include "hub/hub.h"
#include "hub/position.h"
#include "hub/publication.h"
#include "hub/reader.h"

#include <stdlib.h>

/* A topic with news that came by a prefix. */
struct found {
    struct interest interest;
    struct map_node node;
    const struct topic *key; /* its address is the key */
};

static struct prefix_interest *prefix_of(struct list *node) {
    return CONTAINER_OF(node, struct prefix_interest, in_position);
}

/* --- which names it covers --- */

static bool is_below(const struct name *name, const struct name *prefix) {
    for (const struct name *at = name; at; at = at->parent)
        if (at == prefix)
            return true;
    return false;
}

/* By another prefix than `except`. */
static bool is_covered(const struct position *position, const struct name *name,
                       const struct prefix_interest *except) {
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next)
        if (prefix_of(at) != except && is_below(name, prefix_of(at)->feed->name))
            return true;
    return false;
}

bool prefix_covers(const struct position *position, const struct topic *topic) {
    return is_covered(position, topic->name, NULL);
}

static struct prefix_interest *find_prefix(const struct position *position,
                                           const struct name *name) {
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next)
        if (prefix_of(at)->feed->name == name)
            return prefix_of(at);
    return NULL;
}

/* Up to where a feed of the topic has nothing to tell those who chose a prefix of its name: before
 * they came, or registered when they did. */
static event_id told_by_prefix(const struct position *position, const struct topic *topic) {
    event_id after = EVENT_ID_NONE;
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next) {
        const struct prefix_interest *prefix = prefix_of(at);
        if (prefix->after < after && is_below(topic->name, prefix->feed->name))
            after = prefix->after;
    }
    return after > position->known ? after : position->known;
}

/* --- topics that came by one --- */

static struct str key_of(const struct topic *const *topic) {
    return (struct str){(const char *)topic, sizeof *topic};
}

static struct found *found_of(struct interest *interest) {
    return CONTAINER_OF(interest, struct found, interest);
}

static struct found *find(const struct position *position, const struct topic *topic) {
    struct map_node *node = map_find(position->found, key_of(&topic));
    return node ? CONTAINER_OF(node, struct found, node) : NULL;
}

static struct found *add_found(struct position *position, struct topic *topic) {
    struct found *found = pool_alloc(&position->reader->loop->pool, sizeof *found);
    interest_init(&found->interest, position, topic);
    found->key = topic;
    map_insert(position->found, &found->node, key_of(&found->key));
    interest_link_news(&found->interest);
    return found;
}

static void free_found(struct found *found) {
    struct position *position = found->interest.position;
    map_remove(position->found, &found->node);
    interest_fini(&found->interest);
    pool_free(&position->reader->loop->pool, found, sizeof *found);
}

/* It begins no later than what a feed will tell those who chose a prefix earlier; be it that the
 * store has yet to commit it. */
static void begin_untold(struct interest *interest) {
    struct position *position = interest->position;
    if (!prefix_covers(position, interest->topic))
        return;
    const struct feed *feed = reader_untold(position->reader, interest->topic);
    uint64_t seen = feed ? feed->seen : interest->topic->next;
    interest_begin_by(interest, seen, seen, told_by_prefix(position, interest->topic));
}

/* It had been named, and what was to be committed then comes before what the prefix is told. */
static bool awaits_commit(const struct interest *found) {
    return found->topic->committing > 0 &&
           found->after < told_by_prefix(found->position, found->topic);
}

void prefix_read_up(struct interest *found) {
    /* What a feed will tell has been seen here: where to go on is remembered until then. */
    if (!reader_untold(found->position->reader, found->topic) && !awaits_commit(found))
        free_found(found_of(found));
}

void prefix_tell(const struct prefix_interest *prefix, struct feed *feed) {
    struct position *position = prefix->position;
    struct topic *topic = feed->topic;
    if (position_named(position, topic) || position_is_past_end(position))
        return;
    if (find(position, topic) == NULL) {
        struct found *found = add_found(position, topic);
        found->interest.next = found->interest.mark = feed->from;
        found->interest.after = told_by_prefix(position, topic);
    }
    reader_serve(position->reader, position);
}

void prefix_bequeath(struct interest *named) {
    struct found *found = find(named->position, named->topic);
    if (found == NULL) {
        begin_untold(named);
        return;
    }
    const struct interest *from = &found->interest;
    interest_begin_by(named, from->next, from->mark, from->after);
    named->gap = named->gap || from->gap;
    free_found(found);
}

void prefix_inherit(const struct interest *named) {
    if (!interest_has_news(named) && named->topic->committing == 0)
        return;
    struct interest *interest = &add_found(named->position, named->topic)->interest;
    interest->next = named->next;
    interest->mark = named->mark;
    interest->after = named->after;
    interest->gap = named->gap;
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
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next)
        set_extra(prefix_of(at), is_covered(position, prefix_of(at)->feed->name, prefix_of(at)));
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_position);
        interest_set_extra(interest, prefix_covers(position, interest->topic));
    }
}

/* --- choosing and leaving --- */

/* What is there already under a new prefix. */
static void find_below(struct position *position, const struct position_choice *choice,
                       struct name *prefix) {
    for (struct name *at = prefix; at; at = name_next(prefix, at)) {
        struct topic *topic = at->topic;
        if (topic == NULL || position_named(position, topic) || find(position, topic))
            continue;
        struct found *found = add_found(position, topic);
        interest_place(&found->interest, choice);
        begin_untold(&found->interest);
        if (!interest_has_news(&found->interest))
            prefix_read_up(&found->interest);
    }
}

/* What was below it and is there no more. */
static void note_gone(struct position *position, const struct position_choice *choice) {
    if (!choice->tell)
        return;
    uint8_t reason;
    event_id floor = hub_floor_below(choice->name, choice->after, &reason);
    if (choice->after < floor)
        position_note_gap(position, reason, floor);
}

void prefix_add(struct position *position, const struct position_choice *choice) {
    struct name *name = name_get(hub.names, choice->name);
    if (find_prefix(position, name))
        return; /* its crowd keeps the name */
    if (position->found == NULL) {
        position->found = mem_zalloc(sizeof *position->found);
        map_init(position->found);
    }
    struct prefix_interest *prefix = mem_alloc(sizeof *prefix);
    *prefix = (struct prefix_interest){.position = position,
                                       .feed = reader_crowd_feed(position->reader, name),
                                       .after = choice->after,
                                       .extra = true};
    list_push(&prefix->feed->interests, &prefix->in_feed);
    find_below(position, choice, name);
    list_push(&position->prefixes, &prefix->in_position);
    position_block(position, name->crowd, true);
    note_gone(position, choice);
    mark_extra(position);
}

static void remove_prefix(struct prefix_interest *prefix) {
    set_extra(prefix, true);
    list_remove(&prefix->in_feed);
    list_remove(&prefix->in_position);
    position_block(prefix->position, prefix->feed->crowd, false);
    crowd_feed_release(prefix->feed);
    free(prefix);
}

/* Of the topics that came by a prefix, those that none covers any more. */
static void forget_uncovered(struct position *position) {
    struct list *next;
    for (struct list *at = position->news.next; at != &position->news; at = next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_news);
        next = at->next;
        if (list_empty(&interest->in_feed) && !prefix_covers(position, interest->topic))
            free_found(found_of(interest));
    }
}

/* What is being committed below it comes by another prefix, be that chosen since. */
static void leave_pending(struct position *position, const struct prefix_interest *prefix) {
    for (struct list *at = hub.pending.next; at != &hub.pending; at = at->next) {
        struct topic *topic = CONTAINER_OF(at, struct publication, link)->at;
        if (!is_below(topic->name, prefix->feed->name) ||
            !is_covered(position, topic->name, prefix) || position_named(position, topic) ||
            find(position, topic))
            continue;
        struct interest *interest = &add_found(position, topic)->interest;
        interest->next = interest->mark = topic->next;
        interest->after = EVENT_ID_NONE;
        begin_untold(interest);
    }
}

bool prefix_remove(struct position *position, struct str text) {
    const struct name *name = name_find(hub.names, text);
    struct prefix_interest *prefix = name ? find_prefix(position, name) : NULL;
    if (prefix == NULL)
        return false;
    leave_pending(position, prefix);
    remove_prefix(prefix);
    mark_extra(position);
    forget_uncovered(position);
    return true;
}

void prefix_remove_all(struct position *position) {
    while (!list_empty(&position->prefixes))
        remove_prefix(prefix_of(position->prefixes.next));
    while (!list_empty(&position->news))
        free_found(found_of(CONTAINER_OF(position->news.next, struct interest, in_news)));
    if (position->found)
        map_fini(position->found);
    free(position->found);
}

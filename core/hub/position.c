/* position: a subscriber's place in the topics it has chosen.
 *
 *     topic a:  . . . . next x x x          a heap of the topics with news, the smallest id first,
 *     topic b:  . . next x                  gives what is to be sent: a span
 *
 * A position owns no queue. For each topic it names it has the ordinal of the first entry not read;
 * for a prefix, such a record exists only while a topic under it has news. Reading makes a span of
 * what comes next, in order of ids, and changes nothing; only what was sent is marked as read. What
 * the topic has trimmed meanwhile, and what the position's own policy drops, is told in between as
 * a gap, an event of its own with the id where reading goes on.
 *
 * Belongs to one worker's subscriber. Topics are looked at under the hub's lock; the rest is the
 * worker's own. It must not know what becomes of what it reads. */
#include "hub/position.h"

#include "base/mem.h"
#include "hub/hub.h"
#include "hub/publication.h"
#include "hub/reader.h"
#include "hub/replay.h"

#include <stdlib.h>
#include <string.h>

/* A topic with news that came by a prefix. */
struct found {
    struct interest interest;
    struct map_node node;
    const struct topic *key; /* its address is the key */
};

static struct interest *of_news(struct list *node) {
    return CONTAINER_OF(node, struct interest, in_news);
}

bool position_is_single(const struct position *position) {
    return position->interests.next == &position->only.in_position &&
           position->only.in_position.next == &position->interests &&
           list_empty(&position->prefixes) && list_empty(&position->replays);
}

static struct str subject_of(const struct position *position) {
    return str_of(position->subject);
}

/* --- choosing topics --- */

void position_note_gap(struct position *position, enum gap_reason reason, event_id id) {
    position->resumed = false;
    if (id < position->gap_id)
        return;
    position->gap_id = id;
    position->gap_reason = (uint8_t)reason;
}

/* Where reading begins: everything up to the returned id is none of the position's business. */
static event_id start_of(const struct position_choice *choice) {
    event_id after = choice->from_id ? choice->after : hub.last;
    return choice->not_before > after ? choice->not_before - 1 : after;
}

static bool has_prefix_of(const struct position *position, const struct topic *topic);

/* What the store has of the topic, and memory has not. */
static void place_stored(struct interest *interest, const struct position_choice *choice) {
    struct position *position = interest->position;
    const struct topic *topic = interest->topic;
    char text[NAME_MAX_BYTES];
    struct str name = {text, name_text(topic->name, text)};
    event_id after = interest->after;
    bool covered = has_prefix_of(position, topic) && replay_has(position, name, after);
    if (topic->stored_last > after && !covered)
        replay_add(position, interest->topic, after, choice->tell);
    if (choice->tell && after < topic->stored_from)
        position_note_gap(position, topic->stored_reason, topic->stored_from);
}

static void place(struct interest *interest, const struct position_choice *choice) {
    struct topic *topic = interest->topic;
    interest->after = start_of(choice);
    interest->next = topic_after(topic, interest->after);
    interest->mark = topic->next;
    if (interest->after >= topic->floor)
        return;
    if (topic->stored) {
        place_stored(interest, choice);
        return;
    }
    if (!choice->tell)
        return;
    interest->gap = topic->floor_reason == GAP_TRIMMED;
    if (interest->gap)
        interest->position->resumed = false;
    else /* it concerns the whole server: told once, whatever the number of topics */
        position_note_gap(interest->position, topic->floor_reason, topic->floor);
}

static bool has_news(const struct interest *interest) {
    return interest->gap || interest->next < interest->topic->next;
}

static void link_news(struct interest *interest) {
    if (list_empty(&interest->in_news))
        list_push(&interest->position->news, &interest->in_news);
}

static void init_interest(struct interest *interest, struct position *position,
                          struct topic *topic) {
    *interest = (struct interest){.position = position, .topic = topic};
    list_init(&interest->in_feed);
    list_init(&interest->in_position);
    list_init(&interest->in_news);
    topic->holds++;
}

static bool is_below(const struct name *name, const struct name *prefix) {
    for (const struct name *at = name; at; at = at->parent)
        if (at == prefix)
            return true;
    return false;
}

static struct prefix_interest *prefix_of(struct list *node) {
    return CONTAINER_OF(node, struct prefix_interest, in_position);
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

/* A prefix that the position has chosen covers the topic. */
static bool has_prefix_of(const struct position *position, const struct topic *topic) {
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next)
        if (is_below(topic->name, prefix_of(at)->feed->name))
            return true;
    return false;
}

static struct interest *named(const struct position *position, const struct topic *topic) {
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_position);
        if (interest->topic == topic)
            return interest;
    }
    return NULL;
}

static void count_in(struct interest *interest, bool in) {
    struct position *position = interest->position;
    if (!position->is_stream || interest->extra)
        return;
    if (in)
        crowd_join(&interest->topic->crowd, subject_of(position));
    else
        crowd_leave(&interest->topic->crowd, subject_of(position));
}

static void inherit(struct interest *interest);

static void add_topic(struct position *position, const struct position_choice *choice) {
    struct topic *topic = hub_topic(choice->name);
    if (named(position, topic))
        return;
    struct interest *interest =
        position->only.topic ? mem_alloc(sizeof *interest) : &position->only;
    init_interest(interest, position, topic);
    place(interest, choice);
    interest->extra = has_prefix_of(position, topic);
    if (interest->extra) /* by name from now on */
        inherit(interest);
    count_in(interest, true);
    list_push(&position->interests, &interest->in_position);
    list_push(&reader_feed(position->reader, topic)->interests, &interest->in_feed);
}

/* --- prefixes --- */

static struct str key_of(const struct topic *const *topic) {
    return (struct str){(const char *)topic, sizeof *topic};
}

static struct found *find(const struct position *position, const struct topic *topic) {
    struct map_node *node = map_find(position->found, key_of(&topic));
    return node ? CONTAINER_OF(node, struct found, node) : NULL;
}

static struct found *add_found(struct position *position, struct topic *topic) {
    struct found *found = pool_alloc(&position->reader->loop->pool, sizeof *found);
    init_interest(&found->interest, position, topic);
    found->key = topic;
    map_insert(position->found, &found->node, key_of(&found->key));
    link_news(&found->interest);
    return found;
}

static void free_found(struct found *found) {
    struct position *position = found->interest.position;
    struct topic *topic = found->interest.topic;
    list_remove(&found->interest.in_news);
    map_remove(position->found, &found->node);
    pool_free(&position->reader->loop->pool, found, sizeof *found);
    topic->holds--;
    hub_release_topic(topic);
}

/* `to` begins no later than there. */
static void begin_by(struct interest *to, uint64_t next, uint64_t mark, event_id after) {
    if (next < to->next)
        to->next = next;
    if (mark < to->mark)
        to->mark = mark;
    if (after < to->after)
        to->after = after;
}

/* Nor later than what a feed will tell those who chose a prefix earlier. */
static void begin_untold(struct interest *interest) {
    struct position *position = interest->position;
    const struct feed *feed = reader_untold(position->reader, interest->topic);
    if (feed && has_prefix_of(position, interest->topic))
        begin_by(interest, feed->seen, feed->seen, told_by_prefix(position, interest->topic));
}

/* What has come by a prefix and is not read, or will come, comes by name from now on. */
static void inherit(struct interest *interest) {
    struct found *found = find(interest->position, interest->topic);
    if (found == NULL) {
        begin_untold(interest);
        return;
    }
    begin_by(interest, found->interest.next, found->interest.mark, found->interest.after);
    interest->gap = interest->gap || found->interest.gap;
    free_found(found);
}

/* The other way round. */
static void bequeath(const struct interest *interest) {
    if (!has_news(interest))
        return;
    struct found *found = add_found(interest->position, interest->topic);
    found->interest.next = interest->next;
    found->interest.mark = interest->mark;
    found->interest.after = interest->after;
    found->interest.gap = interest->gap;
}

/* What is there already under a new prefix. */
static void find_below(struct position *position, const struct position_choice *choice,
                       struct name *prefix) {
    for (struct name *at = prefix; at; at = name_next(prefix, at)) {
        struct topic *topic = at->topic;
        if (topic == NULL || named(position, topic) || find(position, topic))
            continue;
        struct found *found = add_found(position, topic);
        place(&found->interest, choice);
        begin_untold(&found->interest);
        position_read_up(&found->interest);
    }
}

static bool has_prefix(const struct position *position, const struct name *name) {
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next)
        if (prefix_of(at)->feed->name == name)
            return true;
    return false;
}

static bool is_within_another(const struct prefix_interest *prefix) {
    struct list *all = &prefix->position->prefixes;
    for (struct list *at = all->next; at != all; at = at->next)
        if (prefix_of(at) != prefix && is_below(prefix->feed->name, prefix_of(at)->feed->name))
            return true;
    return false;
}

static void count_prefix(struct prefix_interest *prefix, bool extra) {
    struct position *position = prefix->position;
    if (extra == prefix->extra || !position->is_stream)
        return;
    prefix->extra = extra;
    if (extra)
        crowd_leave(prefix->feed->crowd, subject_of(position));
    else
        crowd_join(prefix->feed->crowd, subject_of(position));
}

/* What several choices of a position cover counts once. */
static void mark_extra(struct position *position) {
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next)
        count_prefix(prefix_of(at), is_within_another(prefix_of(at)));
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_position);
        bool extra = has_prefix_of(position, interest->topic);
        if (extra == interest->extra)
            continue;
        interest->extra = false;
        count_in(interest, !extra);
        interest->extra = extra;
    }
}

static void add_prefix(struct position *position, const struct position_choice *choice) {
    struct name *name = name_get(hub.names, choice->name);
    if (has_prefix(position, name))
        return; /* its crowd keeps the name */
    if (position->found == NULL) {
        position->found = mem_zalloc(sizeof *position->found);
        map_init(position->found);
    }
    struct prefix_interest *prefix = mem_zalloc(sizeof *prefix);
    prefix->position = position;
    prefix->feed = reader_crowd_feed(position->reader, name);
    prefix->after = start_of(choice);
    prefix->extra = true; /* until it has been looked at */
    list_push(&prefix->feed->interests, &prefix->in_feed);
    find_below(position, choice, name);
    list_push(&position->prefixes, &prefix->in_position);
    enum gap_reason reason;
    event_id floor = hub_floor(choice->name, &reason);
    if (choice->tell && prefix->after < floor)
        position_note_gap(position, reason, floor);
    mark_extra(position);
}

/* An id that was never given can only be told to be that. */
static struct position_choice settle_start(struct position *position,
                                           const struct position_choice *choice) {
    struct position_choice settled = *choice;
    if (choice->tell && list_empty(&position->interests) && list_empty(&position->prefixes))
        position->resumed = true;
    if (!choice->from_id || choice->after <= hub.last)
        return settled;
    position_note_gap(position, GAP_UNKNOWN, hub.last);
    settled.from_id = settled.tell = false;
    return settled;
}

void position_add(struct position *position, const struct position_choice *choice) {
    hub_lock();
    bool prefixed = !list_empty(&position->prefixes);
    struct position_choice settled = settle_start(position, choice);
    if (settled.prefix)
        add_prefix(position, &settled);
    else
        add_topic(position, &settled);
    /* All its news are registered now, those that feeds have yet to tell included; but for what
     * they have to tell of prefixes chosen earlier. */
    if (!prefixed)
        position->known = publications_visible();
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_position);
        if (has_news(interest))
            link_news(interest);
    }
    hub_unlock();
    reader_keep_time(position->reader);
    reader_serve(position->reader, position);
}

static void remove_interest(struct interest *interest) {
    struct position *position = interest->position;
    struct topic *topic = interest->topic;
    count_in(interest, false);
    list_remove(&interest->in_feed);
    list_remove(&interest->in_position);
    list_remove(&interest->in_news);
    feed_release(reader_feed(position->reader, topic));
    topic->holds--;
    hub_release_topic(topic);
    if (interest == &position->only)
        position->only.topic = NULL;
    else
        free(interest);
}

static void remove_prefix(struct prefix_interest *prefix) {
    count_prefix(prefix, true);
    list_remove(&prefix->in_feed);
    list_remove(&prefix->in_position);
    crowd_feed_release(prefix->feed);
    free(prefix);
}

/* Of the topics that came by a prefix, those that none covers any more. */
static void forget_uncovered(struct position *position) {
    struct list *next;
    for (struct list *at = position->news.next; at != &position->news; at = next) {
        struct interest *interest = of_news(at);
        next = at->next;
        if (list_empty(&interest->in_feed) && !has_prefix_of(position, interest->topic))
            free_found(CONTAINER_OF(interest, struct found, interest));
    }
}

static bool covers(const struct position *position, const struct topic *topic);

/* What is chosen no more is not read from the store either. */
static void leave_replays(struct position *position, struct str text, bool prefix) {
    for (struct list *at = position->replays.next; at != &position->replays; at = at->next) {
        struct replay *replay = CONTAINER_OF(at, struct replay, link);
        for (size_t i = 0; i < replay->ntopics; i++) {
            struct str other = replay->topics[i].name;
            if (!(prefix ? str_starts(other, text) : str_eq(other, text)))
                continue;
            const struct name *name = name_find(hub.names, other);
            if (name == NULL || name->topic == NULL || !covers(position, name->topic))
                replay->topics[i].upto = 0;
        }
    }
}

static bool remove_named(struct position *position, struct str text) {
    struct name *name = name_find(hub.names, text);
    struct interest *interest = name && name->topic ? named(position, name->topic) : NULL;
    if (interest == NULL)
        return false;
    if (interest->extra)
        bequeath(interest);
    remove_interest(interest);
    return true;
}

static bool remove_by_prefix(struct position *position, struct str text) {
    struct name *name = name_find(hub.names, text);
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next) {
        if (prefix_of(at)->feed->name != name)
            continue;
        remove_prefix(prefix_of(at));
        mark_extra(position);
        forget_uncovered(position);
        return true;
    }
    return false;
}

bool position_remove(struct position *position, struct str name, bool prefix) {
    hub_lock();
    bool found = prefix ? remove_by_prefix(position, name) : remove_named(position, name);
    leave_replays(position, name, prefix);
    if (position->overflow == OVERFLOW_BLOCK) /* nobody need wait for it to read what it left */
        publications_go_on(position->reader);
    hub_unlock();
    return found;
}

void position_names(struct position *position, void (*each)(void *, struct str, bool), void *arg) {
    char text[NAME_MAX_BYTES];
    hub_lock();
    for (struct list *at = position->interests.next; at != &position->interests; at = at->next) {
        size_t len = name_text(CONTAINER_OF(at, struct interest, in_position)->topic->name, text);
        each(arg, (struct str){text, len}, false);
    }
    for (struct list *at = position->prefixes.next; at != &position->prefixes; at = at->next) {
        size_t len = name_text(prefix_of(at)->feed->name, text);
        each(arg, (struct str){text, len}, true);
    }
    hub_unlock();
}

/* --- life --- */

void position_init(struct position *position, struct reader *reader,
                   const struct position_ops *ops) {
    *position = (struct position){.ops = ops, .reader = reader, .limit = {UINT32_MAX, UINT32_MAX}};
    list_init(&position->in_queue);
    list_init(&position->interests);
    list_init(&position->prefixes);
    list_init(&position->news);
    list_init(&position->replays);
    list_init(&position->in_blocking);
    counter_up(&reader->counters.subscribers, 1);
}

void position_set_policy(struct position *position, enum overflow overflow,
                         struct position_limit limit) {
    position->overflow = (uint8_t)overflow;
    position->limit = limit;
    if (overflow != OVERFLOW_BLOCK)
        return;
    hub_lock();
    list_push(&hub.blocking, &position->in_blocking);
    hub_unlock();
}

void position_set_subject(struct position *position, struct str subject) {
    free(position->subject);
    position->subject = subject.ptr ? mem_copy(subject.ptr, subject.len) : NULL;
}

void position_fini(struct position *position) {
    hub_lock();
    while (!list_empty(&position->interests))
        remove_interest(CONTAINER_OF(position->interests.next, struct interest, in_position));
    while (!list_empty(&position->prefixes))
        remove_prefix(prefix_of(position->prefixes.next));
    while (!list_empty(&position->replays))
        replay_free(CONTAINER_OF(position->replays.next, struct replay, link));
    while (!list_empty(&position->news))
        free_found(CONTAINER_OF(of_news(position->news.next), struct found, interest));
    list_remove(&position->in_blocking);
    if (position->overflow == OVERFLOW_BLOCK)
        publications_go_on(position->reader);
    hub_unlock();
    list_remove(&position->in_queue);
    if (position->found)
        map_fini(position->found);
    free(position->found);
    free(position->subject);
    counter_up(&position->reader->counters.subscribers, (uint64_t)-1);
}

bool position_reads_on(const struct position *position) {
    return !position_is_single(position) || position->fence > 0 ||
           position->overflow == OVERFLOW_BLOCK;
}

/* --- being told --- */

void position_tell(struct interest *interest) {
    struct position *position = interest->position;
    if (position_is_single(position)) {
        position->ops->news(position);
    } else {
        link_news(interest);
        reader_serve(position->reader, position);
    }
}

void position_tell_prefix(const struct prefix_interest *prefix, struct feed *feed) {
    struct position *position = prefix->position;
    struct topic *topic = feed->topic;
    if (named(position, topic))
        return;
    if (find(position, topic) == NULL) {
        struct found *found = add_found(position, topic);
        found->interest.next = found->interest.mark = feed->from;
        found->interest.after = told_by_prefix(position, topic);
    }
    reader_serve(position->reader, position);
}

void position_read_up(struct interest *interest) {
    if (has_news(interest))
        return;
    if (!list_empty(&interest->in_feed))
        list_remove(&interest->in_news);
    else if (!reader_untold(interest->position->reader, interest->topic))
        free_found(CONTAINER_OF(interest, struct found, interest));
    /* else what is told next has been seen here: where to go on is remembered until then */
}

/* --- the policy block --- */

static bool covers(const struct position *position, const struct topic *topic) {
    return named(position, topic) || has_prefix_of(position, topic);
}

void position_owe(struct position *position, const struct topic *topic, uint64_t bytes) {
    if (!covers(position, topic))
        return;
    position->owed_events++;
    position->owed_bytes += bytes;
}

bool position_holds_up(const struct position *position, const struct topic *topic) {
    bool full = position->owed_events >= position->limit.events ||
                position->owed_bytes >= position->limit.bytes;
    return full && covers(position, topic);
}

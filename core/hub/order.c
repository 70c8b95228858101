/* order: all events that topics keep, by id, and those that they trimmed last.
 *
 *     topics:  1 -> a    2 -> (gone)   3 -> b
 *     ring:    | 17 a | 18 b | 19 (2) | 20 a | 21 b |        first <= place < next
 *     trims:   | 12 b | 11 a | 19 (2) |                      hub.trims counts them
 *
 * Who has fallen behind in very many topics does not remember which: from its id on it finds their
 * events here, as many at a time as it can take, without looking at topics that have nothing.
 *
 * What was trimmed meanwhile they find in the trims, of which the last 4,096 are known. Of those
 * before, and of topics that have gone, the crowds of their prefixes know that there were some.
 *
 * Trimming does not come to the ring. A place whose event is kept no longer is found out when it is
 * looked at, and is given back when the ring is full or time has passed: each event is looked at
 * about twice in its life.
 * Topics have numbers, for one may be freed while the ring still speaks of it; a number that was
 * given again does no harm, since a newer topic has no ids that old.
 *
 * Belongs to the hub, whose memory it counts in; under its lock. It must not know who reads. */
#include "hub/order.h"

#include "base/mem.h"
#include "base/must.h"
#include "hub/lock.h"
#include "hub/name.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64
#define TOPICS_MIN 16
#define TRIMS 4096

struct slot {
    event_id id;
    uint32_t topic;  /* its number */
    bool superseded; /* of a trim */
};

static struct slot *ring;
static uint64_t cap, first, next;
static uint64_t added; /* events; those that topics have trimmed since are as many as hub.trims */
static struct topic **topics; /* by number; NULL: not in use */
static uint32_t ntopics, topics_cap, look_at;
static struct slot trims[TRIMS];

static void count(int64_t bytes) {
    atomic_fetch_add_explicit(&hub.memory, (uint_fast64_t)bytes, memory_order_relaxed);
}

static struct slot *slot_at(uint64_t place) {
    return &ring[place & (cap - 1)];
}

/* --- topics --- */

static void resize_topics(uint32_t to) {
    count(((int64_t)to - topics_cap) * (int64_t)sizeof *topics);
    topics = mem_resize(topics, to * sizeof *topics);
    if (to > topics_cap)
        memset(topics + topics_cap, 0, (to - topics_cap) * sizeof *topics);
    topics_cap = to;
}

/* At least half of the numbers are free, so that the next free one is near. */
void order_enter(struct topic *topic) {
    if (ntopics == 0)
        added = hub.trims;
    if (ntopics * 2 >= topics_cap)
        resize_topics(topics_cap ? topics_cap * 2 : TOPICS_MIN);
    while (topics[look_at])
        look_at = (look_at + 1) & (topics_cap - 1);
    topics[look_at] = topic;
    topic->number = look_at;
    topic->since = hub.last;
    ntopics++;
}

static void free_topics(void) {
    count(-(int64_t)(topics_cap * sizeof *topics));
    free(topics);
    topics = NULL;
    topics_cap = look_at = 0;
}

static void free_ring(void) {
    count(-(int64_t)(cap * sizeof *ring));
    free(ring);
    ring = NULL;
    cap = first = next = 0;
}

/* --- events --- */

/* NULL: it has gone. */
static struct topic *topic_of(const struct slot *slot) {
    struct topic *topic = slot->topic < topics_cap ? topics[slot->topic] : NULL;
    return topic && slot->id > topic->since ? topic : NULL;
}

static struct topic *keeper_of(const struct slot *slot) {
    struct topic *topic = topics[slot->topic];
    bool kept = topic && !topic_is_empty(topic) && topic_entry(topic, topic->first)->id <= slot->id;
    return kept ? topic : NULL;
}

static void resize(uint64_t to) {
    struct slot *slots = mem_alloc(to * sizeof *slots);
    for (uint64_t at = first; at < next; at++)
        slots[at & (to - 1)] = *slot_at(at);
    count(((int64_t)to - (int64_t)cap) * (int64_t)sizeof *slots);
    free(ring);
    ring = slots;
    cap = to;
}

/* The places of what is kept no longer; then at least half are free. */
static void give_back(void) {
    uint64_t kept = first;
    for (uint64_t at = first; at < next; at++)
        if (keeper_of(slot_at(at)))
            *slot_at(kept++) = *slot_at(at);
    next = kept;
    uint64_t most = next - first, to = cap ? cap : SLOTS_MIN;
    while (to < most * 2)
        to *= 2;
    while (to > SLOTS_MIN && most < to / 8)
        to /= 2;
    if (to != cap)
        resize(to);
}

/* Numbers the topics again, from 0 on, in less memory. */
static void renumber(void) {
    uint32_t used = 0;
    give_back(); /* what is left speaks of no topic that has gone */
    for (uint32_t i = 0; i < topics_cap; i++)
        if (topics[i])
            topics[i]->number = used++;
    for (uint64_t at = first; at < next; at++)
        slot_at(at)->topic = topics[slot_at(at)->topic]->number;
    for (uint32_t i = 0; i < TRIMS; i++) {
        const struct topic *topic = topic_of(&trims[i]);
        trims[i].topic = topic ? topic->number : UINT32_MAX;
    }
    for (uint32_t i = 0; i < topics_cap; i++) {
        struct topic *topic = topics[i];
        topics[i] = NULL;
        if (topic)
            topics[topic->number] = topic;
    }
    resize_topics(topics_cap / 4);
    look_at = 0;
}

/* That there was one is all that is known of it from now on. */
static void forget_trim(const struct name *name, const struct slot *slot, uint64_t trim) {
    for (; name; name = name->parent) {
        if (name->crowd == NULL)
            continue;
        event_id *last = slot->superseded ? &name->crowd->superseded : &name->crowd->trimmed;
        if (*last < slot->id)
            *last = slot->id;
        if (name->crowd->trims < trim)
            name->crowd->trims = trim;
    }
}

void order_leave(struct topic *topic) {
    struct slot last = {.id = topic->floor}; /* the newest: nothing superseded it */
    if (topic->trimmed_when > 0 && hub.crowds > 0)
        forget_trim(topic->name, &last, topic->trimmed_when);
    topics[topic->number] = NULL;
    if (--ntopics == 0) {
        free_topics();
        free_ring();
    } else if (ntopics < topics_cap / 8 && topics_cap > TOPICS_MIN) {
        renumber();
    }
}

void order_tidy(void) {
    uint64_t kept = added - hub.trims;
    if (kept == 0)
        free_ring();
    else if (kept < cap / 8 && cap > SLOTS_MIN)
        give_back();
}

/* An event that was committed after others had come. */
static void insert(const struct slot *slot) {
    uint64_t place = order_after(slot->id);
    for (uint64_t at = next++; at > place; at--)
        *slot_at(at) = *slot_at(at - 1);
    *slot_at(place) = *slot;
}

void order_add(const struct topic *topic, event_id id) {
    MUST(hub_is_locked());
    struct slot slot = {id, topic->number, false};
    added++;
    if (next - first == cap)
        give_back();
    if (next > first && slot_at(next - 1)->id > id)
        insert(&slot);
    else
        *slot_at(next++) = slot;
}

uint64_t order_after(event_id id) {
    uint64_t low = first, high = next;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (slot_at(middle)->id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t order_end(void) {
    return next;
}

struct topic *order_at(uint64_t place, event_id *id) {
    const struct slot *slot = slot_at(place);
    *id = slot->id;
    return keeper_of(slot);
}

/* --- what was trimmed --- */

void order_note_trim(const struct topic *topic, const struct entry *entry) {
    struct slot *slot = &trims[++hub.trims % TRIMS];
    const struct topic *before = topic_of(slot);
    if (before && hub.crowds > 0)
        forget_trim(before->name, slot, hub.trims - TRIMS);
    *slot = (struct slot){entry->id, topic->number, entry->superseded > 0};
}

uint64_t order_trims_first(void) {
    return hub.trims >= TRIMS ? hub.trims - TRIMS + 1 : 1;
}

struct topic *order_trim_at(uint64_t trim, event_id *id, bool *superseded) {
    const struct slot *slot = &trims[trim % TRIMS];
    *id = slot->id;
    *superseded = slot->superseded;
    return topic_of(slot);
}

/* hub: all topics of the process, and what they keep.
 *
 *     hub_topic --> made, with the rules that hold for it --> kept while it has events, readers, or
 *     events in the store --> gone: its largest id is remembered by its name
 *
 * A topic's *floor* is the id up to which events of it may be nowhere any more; who has read no
 * further has missed something. It is said here, in hub_floor:
 *
 *     in memory     what was trimmed; or what went with the topic before it was made again; or the
 *                   server's start
 *     durable       the same of what was lost before the store had it: what went with the topic, or
 *                   since when its rule says so; or what the store has trimmed. What it trims
 *                   while it is read is told with the page that lacks it (read/replay.c)
 *
 * Here are the topics by name, with the rules that say what they keep, and what makes them smaller:
 * age, the limit on what all take together, beyond which those that nobody has read for longest
 * give way, and the end of those that nobody needs.
 *
 * Nothing here is sent to anybody: workers are told that a topic has news, each sends to its own
 * subscribers from their positions (core/read).
 *
 * It must not know of streams, nor of Lua. */
#include "hub/hub.h"

#include "base/clock.h"
#include "base/must.h"
#include "hub/attendance.h"
#include "hub/gone.h"
#include "hub/order.h"
#include "hub/reader.h"
#include "hub/rule.h"
#include "hub/run.h"
#include "hub/stored.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define SHRUNK_BYTES (64 * 1024)

static uint64_t memory(void) {
    return atomic_load_explicit(&hub.memory, memory_order_relaxed);
}

/* --- rules --- */

static atomic_bool any_durable;

static void watch_stored(void);

static void note_rules(void) {
    hub.rules_version++;
    rules_changed();
    any_durable = rules_any_durable();
}

static void add_rules(const char *owner, const struct topic_rule *given, size_t n) {
    for (size_t i = 0; i < n; i++)
        rules_add(owner, &given[i]);
    note_rules();
    watch_stored();
}

void hub_set_rules(const char *owner, const struct topic_rule *given, size_t n) {
    hub_lock();
    rules_remove(owner);
    add_rules(owner, given, n);
    hub_unlock();
}

void hub_add_rules(const char *owner, const struct topic_rule *given, size_t n) {
    hub_lock();
    add_rules(owner, given, n);
    hub_unlock();
}

bool hub_has_rules(const char *owner) {
    hub_lock();
    bool any = rules_any_of(owner);
    hub_unlock();
    return any;
}

static void refresh(struct topic *topic) {
    if (topic->rules != hub.rules_version)
        rule_apply(topic);
}

bool hub_is_durable(struct str name) {
    if (!any_durable || hub.store == NULL)
        return false;
    hub_lock();
    struct topic *topic = hub_topic(name);
    bool durable = topic->durable || topic->ends_span;
    hub_release_topic(topic);
    hub_unlock();
    return durable;
}

/* --- floors --- */

/* What topics of that name may have lost before they are made: in earlier servers, before they were
 * durable, and with those that are not remembered. `after` is whose position it is for: what came
 * to a server without this store is nowhere. */
static event_id common_floor(struct str name, bool prefix, event_id after, uint8_t *reason) {
    event_id since = rule_durable_since(name, prefix);
    event_id floor = since == EVENT_ID_NONE ? hub.start : since;
    event_id behind = run_behind(after);
    *reason = GAP_RESTART;
    return behind > floor ? behind : floor;
}

static event_id raised(event_id floor, event_id other, uint8_t *reason) {
    if (other <= floor)
        return floor;
    *reason = GAP_EXPIRED;
    return other;
}

event_id hub_floor(const struct topic *topic, event_id after, uint8_t *reason) {
    MUST(hub_is_locked());
    char text[NAME_MAX_BYTES];
    *reason = topic->floor_reason;
    if (!topic->durable && !topic->stored)
        return topic->floor;
    uint8_t why;
    event_id floor = common_floor(name_str(topic->name, text), false, after, &why);
    floor = raised(floor, topic->gone, &why);
    event_id lacks = stored_lacks(topic, hub.store);
    if (lacks > floor) {
        floor = lacks;
        why = GAP_TRIMMED;
    }
    if (floor >= topic->floor) /* from there on memory has all */
        return topic->floor;
    *reason = why;
    return floor;
}

event_id hub_floor_below(struct str prefix, event_id after, uint8_t *reason) {
    MUST(hub_is_locked());
    struct name *name = name_get(hub.names, prefix);
    event_id floor = common_floor(prefix, true, after, reason);
    return raised(floor, gone_below(name), reason);
}

/* Nothing of the topic is left: what it had is remembered by its name. */
static void remember(const struct topic *topic) {
    event_id floor = topic->gone;
    if (topic->floor_reason == GAP_TRIMMED && topic->floor > floor)
        floor = topic->floor;
    if (floor > gone_expired())
        gone_add(topic->name, floor);
}

/* --- topics --- */

static void on_age(struct timer *timer);

static struct topic *make_topic(struct name *name) {
    event_id gone = gone_take(name);
    bool expired = gone > hub.start;
    struct topic *topic = topic_new(name, expired ? gone : hub.start,
                                    expired ? GAP_EXPIRED : GAP_RESTART, &hub.memory);
    topic->gone = gone;
    order_enter(topic);
    timer_init(&topic->age, on_age);
    list_push(&hub.empty, &topic->unread);
    rule_apply(topic);
    hub.topics++;
    return topic;
}

struct topic *hub_topic(struct str text) {
    MUST(hub_is_locked());
    struct name *name = name_get(hub.names, text);
    struct topic *topic = name->topic ? name->topic : make_topic(name);
    refresh(topic);
    return topic;
}

/* That it is closed is known for as long as it keeps an event. */
static bool remembers_end(const struct topic *topic) {
    return topic->ended > 0 && topic->ended_at > 0 &&
           topic->ended_at + topic->keep.age_ms >= hub.ages.now;
}

void hub_release_topic(struct topic *topic) {
    MUST(hub_is_locked());
    if (topic->holds > 0 || topic->stored || !topic_is_empty(topic) || remembers_end(topic))
        return;
    if (reader_untold(NULL, topic)) /* of events that are gone: that is told as a gap */
        return;
    while (!list_empty(&topic->feeds))
        feed_free(CONTAINER_OF(topic->feeds.next, struct feed, in_topic));
    remember(topic);
    MUST(hub.topics > 0);
    hub.topics--;
    order_leave(topic);
    topic_free(topic);
}

/* Who looks for something to trim meets no topic that has nothing. */
static void file(struct topic *topic) {
    topic->is_filed = !topic_is_empty(topic);
    list_remove(&topic->unread);
    list_push(topic->is_filed ? &hub.unread : &hub.empty, &topic->unread);
}

void hub_topic_read(struct topic *topic) {
    file(topic);
}

/* --- age --- */

/* When the oldest that is kept becomes too old, monotonic ms. */
static uint64_t end_of_age(struct topic *topic) {
    uint64_t end = UINT64_MAX;
    if (!topic_is_empty(topic))
        end = topic_entry(topic, topic->first)->born + topic->keep.age_ms + 1;
    else if (!topic->stored && remembers_end(topic))
        end = topic->ended_at + topic->keep.age_ms + 1;
    if (topic->stored && topic->ruled) {
        uint64_t stored = stored_look(topic, hub.store, hub.ages.now);
        end = stored < end ? stored : end;
    }
    return end;
}

static void watch_age(struct topic *topic) {
    if (timer_is_set(&topic->age))
        return;
    uint64_t end = end_of_age(topic);
    if (end < UINT64_MAX)
        wheel_set(&hub.ages, &topic->age, end);
}

static void watch_all(const struct list *topics) {
    for (struct list *at = topics->next; at != topics; at = at->next) {
        struct topic *topic = CONTAINER_OF(at, struct topic, unread);
        struct topic_keep before = topic->keep;
        bool was_ruled = topic->ruled;
        refresh(topic);
        if (!topic->stored || !topic->ruled)
            continue;
        const struct topic_keep *keep = &topic->keep;
        if (!was_ruled || keep->count < before.count || keep->bytes < before.bytes)
            stored_trim(topic, hub.store);
        timer_clear(&topic->age);
        watch_age(topic);
    }
}

/* The rules have changed, or are given for the first time: the store keeps what they say, also of
 * what nobody publishes to. */
static void watch_stored(void) {
    watch_all(&hub.unread);
    watch_all(&hub.empty);
}

/* Its history goes on in the store from here. */
void hub_stored(struct topic *topic, event_id id) {
    MUST(hub_is_locked());
    char text[NAME_MAX_BYTES];
    stored_came(topic, id);
    if (!topic->ends_span)
        return;
    rule_span_ended(name_str(topic->name, text));
    any_durable = rules_any_durable();
}

void hub_ended(struct topic *topic, event_id id) {
    MUST(hub_is_locked());
    MUST(id >= topic->ended);
    topic->ended = id;
    topic->ended_at = clock_mono_ms();
}

static void on_age(struct timer *timer) {
    struct topic *topic = CONTAINER_OF(timer, struct topic, age);
    refresh(topic);
    topic_trim_age(topic, hub.ages.now);
    if (topic_is_empty(topic))
        file(topic);
    watch_age(topic);
    hub_release_topic(topic);
}

/* Many small blocks have been freed: without a word the allocator keeps them. */
static bool has_shrunk(void) {
    uint64_t now = memory();
    bool shrunk = now < hub.peak / 2 && hub.peak - now > SHRUNK_BYTES;
    if (shrunk || now > hub.peak)
        hub.peak = now;
    return shrunk;
}

bool hub_tick(void) {
    hub_lock();
    wheel_advance(&hub.ages, clock_mono_ms());
    order_tidy();
    bool any = hub.topics > 0 || hub.attendances.count > 0, shrunk = has_shrunk();
    hub_unlock();
    if (shrunk)
        malloc_trim(0);
    return any;
}

static void add_stored(void *arg, const struct stored_topic *stored) {
    (void)arg;
    if (stored->oldest == 0 && stored->end == 0) {
        if (stored->floor > 0)
            gone_add(name_get(hub.names, stored->name), stored->floor);
        return;
    }
    struct topic *topic = hub_topic(stored->name);
    topic->stored = true;
    topic->stored_last = topic->before = stored->last_id;
    topic->ended = stored->end;
    topic->gone = 0;          /* what it has trimmed it tells itself */
    topic->floor = hub.start; /* before it, only the store has any */
    trail_forget(&topic->trail, hub.start, &hub.memory);
    watch_age(topic);
}

/* The ids of this server begin behind all that the file knows of. */
static void take_over(struct store *store) {
    if (store_last_id(store) >= hub.last)
        hub.last = store_last_id(store);
    hub.start = hub_next_id();
    run_begin(store, hub.start);
    gone_expire(store_gone(store));
    rules_load(store_rules(store));
    store_topics(store, add_stored, NULL);
}

void hub_use_store(struct store *store) {
    hub_lock();
    struct store *before = hub.store;
    hub.store = store;
    if (store)
        take_over(store);
    else if (before)
        run_end(before, hub.last);
    if (store == NULL)
        rules_load(STR(""));
    any_durable = rules_any_durable();
    hub_unlock();
}

/* Half of what the topic unread for longest keeps, until all fit; `newest` keeps its last one. */
static void make_room(struct topic *newest) {
    MUST(hub_is_locked());
    bool passed = false;
    while (!list_empty(&hub.unread) && memory() > hub.memory_limit) {
        struct topic *topic = CONTAINER_OF(hub.unread.next, struct topic, unread);
        uint64_t kept = topic->next - topic->first, least = topic == newest;
        if (kept <= least && passed) /* there is no other */
            return;
        passed = kept <= least;
        if (!passed)
            topic_trim(topic, topic->first + (kept - least + 1) / 2);
        if (passed || topic_is_empty(topic))
            file(topic);
        hub_release_topic(topic);
    }
}

void hub_set_memory(uint64_t bytes) {
    hub_lock();
    hub.memory_limit = bytes;
    make_room(NULL);
    hub_unlock();
}

void hub_clear(void) {
    hub_lock();
    rules_remove(NULL);
    note_rules();
    attendance_clear();
    struct list all;
    list_init(&all);
    list_splice(&all, &hub.unread);
    list_splice(&all, &hub.empty);
    struct list *node;
    while ((node = list_pop(&all)) != NULL) {
        struct topic *topic = CONTAINER_OF(node, struct topic, unread);
        topic->stored = topic->stored && hub.store;
        topic->ended = 0;
        topic->gone = 0;
        topic_trim(topic, topic->next);
        file(topic);
        hub_release_topic(topic);
    }
    gone_clear();
    if (hub.topics == 0 && hub.store == NULL)
        hub.last = 0; /* a clock that was moved on may have been set back */
    hub.start = hub_next_id();
    hub_unlock();
}

void hub_appended(struct topic *topic) {
    MUST(hub_is_locked());
    if (!topic->is_filed)
        file(topic);
    watch_age(topic);
    make_room(topic);
}

/* --- seeing inside --- */

static void add_counters(struct hub_counters *to, const struct hub_counters *from) {
    counters_sum((uint64_t *)to, (const uint64_t *)from, HUB_COUNTERS);
}

void hub_retire(const struct hub_counters *counters) {
    add_counters(&hub.retired, counters);
}

void hub_totals(struct hub_counters *totals) {
    hub_lock();
    *totals = hub.retired;
    for (struct list *at = hub.readers.next; at != &hub.readers; at = at->next)
        add_counters(totals, &CONTAINER_OF(at, struct reader, all)->counters);
    totals->topics = hub.topics;
    totals->published = hub.published;
    totals->memory = memory();
    hub_unlock();
}

void hub_waits(struct histogram *waits) {
    hub_lock();
    *waits = hub.waits;
    hub_unlock();
}

void hub_count_replaced(uint64_t n) {
    if (n == 0)
        return;
    hub_lock();
    hub.retired.utf8_replaced += n;
    hub_unlock();
}

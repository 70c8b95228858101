/* hub: all topics of the process, and the order of their events.
 *
 *     hub_topic --> made, with the rules that hold for it --> kept while it has events, readers, or
 *     events in the store --> gone: its largest id is the floor of topics made anew
 *
 * One lock covers giving an id and appending (publication.c), so that whoever sees an id has
 * everything before it within reach. Here are the topics by name, the rules that say what they
 * keep, and what makes them smaller: age, the limit on what all take together, beyond which those
 * that nobody has read for longest give way, and the end of those that nobody needs.
 *
 * Nothing here is sent to anybody: workers are told that a topic has news, each sends to its own
 * subscribers from their positions (reader.c).
 *
 * One object per process. It must not know of streams, nor of Lua. */
#include "hub/hub.h"

#include "base/clock.h"
#include "base/mem.h"
#include "hub/reader.h"
#include "hub/store.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define SHRUNK_BYTES (64 * 1024)

struct hub hub = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

static uint64_t wall_ms(void) {
    int64_t ns = clock_wall_ns();
    return ns > 0 ? (uint64_t)ns / 1000000 : 0;
}

event_id hub_next_id(void) {
    event_id now = event_id_at(wall_ms());
    hub.last = now > hub.last ? now : hub.last + 1; /* whatever the clock does */
    return hub.last;
}

static void init(void) {
    hub.start = hub_next_id();
    hub.names = name_new();
    hub.memory_limit = 256 * 1024 * 1024;
    wheel_init(&hub.ages, clock_mono_ms());
    list_init(&hub.readers);
    list_init(&hub.unread);
    list_init(&hub.empty);
    list_init(&hub.pending);
    list_init(&hub.staged);
    list_init(&hub.waiting);
    list_init(&hub.blocking);
}

void hub_lock(void) {
    pthread_mutex_lock(&hub.lock);
    if (hub.names == NULL)
        init();
}

void hub_unlock(void) {
    pthread_mutex_unlock(&hub.lock);
}

static uint64_t memory(void) {
    return atomic_load_explicit(&hub.memory, memory_order_relaxed);
}

/* --- names --- */

bool hub_name_is_valid(struct str name) {
    if (name.len == 0 || name.len > NAME_MAX_BYTES || str_utf8_valid(name) < name.len)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        bool c1 = c == 0xc2 && (unsigned char)name.ptr[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || c == '*' || c1)
            return false;
    }
    return true;
}

/* --- rules --- */

struct rule {
    char *owner;
    char *pattern;
    size_t len; /* without the "*" */
    bool prefix;
    struct topic_keep keep;
    bool durable;
};

static struct rule *rules;
static size_t nrules;

static const struct topic_keep keep_default = {TOPIC_COUNT, TOPIC_AGE_MS, TOPIC_BYTES};

static bool matches(const struct rule *rule, struct str name) {
    struct str pattern = {rule->pattern, rule->len};
    return rule->prefix ? str_starts(name, pattern) : str_eq(name, pattern);
}

static const struct rule *find_rule(struct str name) {
    const struct rule *best = NULL;
    for (size_t i = 0; i < nrules; i++) {
        bool longer = best == NULL || rules[i].len > best->len ||
                      (rules[i].len == best->len && !rules[i].prefix);
        if (longer && matches(&rules[i], name))
            best = &rules[i];
    }
    return best;
}

/* The rule of all names that begin so, if they are all durable. */
static const struct rule *find_durable(struct str prefix) {
    const struct rule *best = hub.store ? find_rule(prefix) : NULL;
    if (best == NULL || !best->prefix || !best->durable)
        return NULL;
    for (size_t i = 0; i < nrules; i++)
        if (!rules[i].durable && str_starts((struct str){rules[i].pattern, rules[i].len}, prefix))
            return NULL;
    return best;
}

event_id hub_floor(struct str prefix, enum gap_reason *reason) {
    const struct rule *durable = find_durable(prefix);
    event_id floor = hub.start;
    if (durable) { /* what has gone since was too old */
        uint64_t now = wall_ms(), age = durable->keep.age_ms;
        floor = now > age ? event_id_at(now - age) : 0;
    }
    bool expired = durable || hub.expired > floor;
    *reason = expired ? GAP_EXPIRED : GAP_RESTART;
    return hub.expired > floor ? hub.expired : floor;
}

static void apply_rules(struct topic *topic) {
    char text[NAME_MAX_BYTES];
    const struct rule *best = find_rule((struct str){text, name_text(topic->name, text)});
    topic->keep = best ? best->keep : keep_default;
    topic->durable = best && best->durable && hub.store;
    topic->rules = hub.rules_version;
}

static void refresh(struct topic *topic) {
    if (topic->rules != hub.rules_version)
        apply_rules(topic);
}

static atomic_bool any_durable;

static void watch_stored(void);

/* NULL: everybody's. */
static void remove_rules(const char *owner) {
    size_t kept = 0;
    for (size_t i = 0; i < nrules; i++) {
        if (owner && strcmp(rules[i].owner, owner) != 0) {
            rules[kept++] = rules[i];
            continue;
        }
        free(rules[i].owner);
        free(rules[i].pattern);
    }
    nrules = kept;
}

static void note_rules(void) {
    bool durable = false;
    for (size_t i = 0; i < nrules; i++)
        durable = durable || rules[i].durable;
    any_durable = durable;
    hub.rules_version++;
}

void hub_set_rules(const char *owner, const struct topic_rule *given, size_t n) {
    hub_lock();
    remove_rules(owner);
    rules = mem_resize(rules, (nrules + n) * sizeof *rules);
    for (size_t i = 0; i < n; i++) {
        struct str pattern = given[i].pattern;
        bool prefix = pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*';
        rules[nrules++] = (struct rule){.owner = mem_strdup(owner),
                                        .pattern = mem_copy(pattern.ptr, pattern.len),
                                        .len = pattern.len - prefix,
                                        .prefix = prefix,
                                        .keep = given[i].keep,
                                        .durable = given[i].durable};
    }
    note_rules();
    watch_stored();
    hub_unlock();
}

bool hub_has_rules(const char *owner) {
    bool found = false;
    hub_lock();
    for (size_t i = 0; i < nrules; i++)
        found = found || strcmp(rules[i].owner, owner) == 0;
    hub_unlock();
    return found;
}

bool hub_is_durable(struct str name) {
    if (!any_durable || hub.store == NULL)
        return false;
    hub_lock();
    struct topic *topic = hub_topic(name);
    bool durable = topic->durable;
    hub_release_topic(topic);
    hub_unlock();
    return durable;
}

/* --- topics --- */

static void on_age(struct timer *timer);

static struct topic *make_topic(struct name *name) {
    bool expired = hub.expired > hub.start;
    struct topic *topic = topic_new(name, expired ? hub.expired : hub.start,
                                    expired ? GAP_EXPIRED : GAP_RESTART, &hub.memory);
    timer_init(&topic->age, on_age);
    list_push(&hub.empty, &topic->unread);
    apply_rules(topic);
    hub.topics++;
    return topic;
}

struct topic *hub_topic(struct str text) {
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
    if (topic->holds > 0 || topic->stored || !topic_is_empty(topic) || remembers_end(topic))
        return;
    if (reader_untold(NULL, topic)) /* of events that are gone: that is told as a gap */
        return;
    while (!list_empty(&topic->feeds))
        feed_free(CONTAINER_OF(topic->feeds.next, struct feed, in_topic));
    if (topic->floor > hub.expired)
        hub.expired = topic->floor;
    hub.topics--;
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

/* When the oldest that is kept becomes too old, monotonic ms. What only the store has is as old as
 * its id says. */
static uint64_t end_of_age(const struct topic *topic) {
    if (!topic_is_empty(topic))
        return topic_entry(topic, topic->first)->born + topic->keep.age_ms + 1;
    if (!topic->stored)
        return topic->ended_at + topic->keep.age_ms + 1;
    uint64_t end = event_id_ms(topic->stored_last) + topic->keep.age_ms + 1, now = wall_ms();
    return clock_mono_ms() + (end > now ? end - now : 0);
}

/* What no rule calls durable now is not forgotten: the rules may be still to come, their app may be
 * broken. */
static bool may_forget(const struct topic *topic) {
    return topic->stored && topic->durable && topic_is_empty(topic);
}

static void watch_age(struct topic *topic) {
    bool keeps = !topic_is_empty(topic) || may_forget(topic) || remembers_end(topic);
    if (keeps && !timer_is_set(&topic->age))
        wheel_set(&hub.ages, &topic->age, end_of_age(topic));
}

static void watch_all(const struct list *topics) {
    for (struct list *at = topics->next; at != topics; at = at->next) {
        struct topic *topic = CONTAINER_OF(at, struct topic, unread);
        if (!topic->stored)
            continue;
        refresh(topic);
        timer_clear(&topic->age);
        watch_age(topic);
    }
}

/* The rules have changed: how long the store keeps what nobody publishes to. */
static void watch_stored(void) {
    watch_all(&hub.unread);
    watch_all(&hub.empty);
}

/* All that the store has of the topic is too old. */
static void forget_stored(struct topic *topic) {
    char text[NAME_MAX_BYTES];
    store_forget(hub.store, (struct str){text, name_text(topic->name, text)});
    topic->stored = false;
    topic->forgotten = topic->stored_last;
    if (topic->stored_last <= topic->floor)
        return;
    topic->floor = topic->stored_last;
    topic->floor_reason = GAP_EXPIRED;
}

/* Its history goes on in the store from here. Of events that are nowhere any more those of a
 * durable topic were too old. */
void hub_stored(struct topic *topic, event_id id) {
    if (!topic->stored) {
        uint64_t now = wall_ms(), age = topic->keep.age_ms;
        event_id old = now > age ? event_id_at(now - age) : 0;
        bool in_memory = !topic_is_empty(topic) || topic->floor_reason == GAP_TRIMMED;
        topic->stored_reason = in_memory ? GAP_TRIMMED : GAP_EXPIRED;
        topic->stored_from = topic_last_id(topic);
        if (!in_memory && old < topic->stored_from)
            topic->stored_from = old;
    }
    topic->stored = true;
    topic->stored_last = id;
}

void hub_ended(struct topic *topic, event_id id) {
    topic->ended = id;
    topic->ended_at = clock_mono_ms();
}

static void on_age(struct timer *timer) {
    struct topic *topic = CONTAINER_OF(timer, struct topic, age);
    refresh(topic);
    topic_trim_age(topic, hub.ages.now);
    if (topic_is_empty(topic))
        file(topic);
    if (may_forget(topic) && topic->committing == 0 && end_of_age(topic) <= hub.ages.now)
        forget_stored(topic);
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
    bool any = hub.topics > 0, shrunk = has_shrunk();
    hub_unlock();
    if (shrunk)
        malloc_trim(0);
    return any;
}

static void add_stored(void *arg, const struct stored_topic *stored) {
    (void)arg;
    if (stored->last_id <= stored->floor)
        return;
    struct topic *topic = hub_topic(stored->name);
    topic->stored = true;
    topic->stored_last = stored->last_id;
    topic->ended = stored->end;
    watch_age(topic);
}

void hub_use_store(struct store *store) {
    hub_lock();
    hub.store = store;
    event_id last = store ? store_last_id(store) : 0;
    if (last >= hub.last)
        hub.last = last;
    hub.start = hub_next_id();
    if (store)
        store_topics(store, add_stored, NULL);
    hub_unlock();
}

/* Half of what the topic unread for longest keeps, until all fit; `newest` keeps its last one. */
static void make_room(struct topic *newest) {
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
    remove_rules(NULL);
    note_rules();
    struct list all;
    list_init(&all);
    list_splice(&all, &hub.unread);
    list_splice(&all, &hub.empty);
    struct list *node;
    while ((node = list_pop(&all)) != NULL) {
        struct topic *topic = CONTAINER_OF(node, struct topic, unread);
        topic->stored = topic->stored && hub.store;
        topic->ended = 0;
        topic_trim(topic, topic->next);
        file(topic);
        hub_release_topic(topic);
    }
    hub.expired = 0;
    if (hub.topics == 0 && hub.store == NULL)
        hub.last = 0; /* a clock that was moved on may have been set back */
    hub.start = hub_next_id();
    hub_unlock();
}

void hub_appended(struct topic *topic) {
    if (!topic->is_filed)
        file(topic);
    watch_age(topic);
    make_room(topic);
}

/* --- seeing inside --- */

uint32_t hub_streams(const struct name *name) {
    uint32_t streams = name->topic ? name->topic->crowd.streams : 0;
    for (const struct name *at = name; at && hub.crowds > 0; at = at->parent)
        if (at->crowd)
            streams += at->crowd->streams;
    return streams;
}

typedef void each_subject(void *arg, struct str subject, uint32_t streams);

static void tell_subjects(struct crowd *crowd, each_subject *each, void *arg) {
    struct map_node *node = NULL;
    while ((node = map_next(&crowd->subjects, node)) != NULL) {
        struct subject *subject = CONTAINER_OF(node, struct subject, node);
        each(arg, (struct str){subject->text, subject->len}, subject->streams);
    }
}

uint32_t hub_presence(struct str text, each_subject *each, void *arg) {
    hub_lock();
    struct name *name = name_get(hub.names, text);
    uint32_t streams = hub_streams(name);
    if (name->topic)
        tell_subjects(&name->topic->crowd, each, arg);
    for (struct name *at = name; at; at = at->parent)
        if (at->crowd)
            tell_subjects(at->crowd, each, arg);
    name_release(name);
    hub_unlock();
    return streams;
}

static void add_counters(struct hub_counters *to, const struct hub_counters *from) {
    uint64_t *sum = (uint64_t *)to;
    const uint64_t *part = (const uint64_t *)from;
    for (size_t i = 0; i < HUB_COUNTERS; i++)
        sum[i] += __atomic_load_n(&part[i], __ATOMIC_RELAXED);
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

void hub_count_replaced(uint64_t n) {
    if (n == 0)
        return;
    hub_lock();
    hub.retired.utf8_replaced += n;
    hub_unlock();
}

/* stored: what the store has of a topic.
 *
 *     in the store:  ...  stored_last       none of these: unstored
 *     in memory:                      before  first .. next
 *
 * A durable topic has its events twice, the newest in memory and all in the store, which trims by
 * itself as events come. What it does not know is that time passes, and that rules change: so a
 * topic with events there is looked at when the oldest of them should be too old, and the store is
 * asked to trim, again and again until it has. It stays in memory for as long, even without an
 * event: its rule is here.
 *
 * A topic may have been in memory only before, or become so: then its history in the store begins
 * behind what memory alone had, or ends. It knows one topic and the store; which there are is the
 * hub's affair. */
#include "hub/stored.h"

#include "base/clock.h"
#include "base/must.h"
#include "hub/name.h"

#define LOOK_MS 1000       /* until the store has done what it was asked for */
#define STOPPED_MS 3600000 /* until it is asked again that has stopped */

static uint64_t wall_ms(void) {
    int64_t ms = clock_wall_ms();
    return ms > 0 ? (uint64_t)ms : 0;
}

void stored_came(struct topic *topic, event_id id) {
    MUST(id > topic->stored_last);
    if (!topic->stored && topic->next > 0)
        topic->unstored = topic_last_id(topic);
    topic->stored = true;
    topic->stored_last = id;
}

void stored_ends(struct topic *topic, struct store *store, event_id last) {
    char text[NAME_MAX_BYTES];
    store_trim(store, name_str(topic->name, text),
               (struct retention){UINT64_MAX, UINT64_MAX, last});
    topic->stored = false;
    if (topic_is_empty(topic))
        topic->floor = topic->stored_last;
    if (topic_is_empty(topic) || topic->before > 0) /* memory does not have all that goes */
        topic->floor_reason = GAP_TRIMMED;
}

void stored_trim(const struct topic *topic, struct store *store) {
    char text[NAME_MAX_BYTES];
    const struct topic_keep *keep = &topic->keep;
    uint64_t now = wall_ms();
    event_id too_old = now > keep->age_ms ? event_id_at(now - keep->age_ms) : 0;
    store_trim(store, name_str(topic->name, text),
               (struct retention){keep->count, keep->bytes, too_old});
}

uint64_t stored_look(struct topic *topic, struct store *store, uint64_t now) {
    char text[NAME_MAX_BYTES];
    struct stored_topic stored = {.oldest = 0};
    bool known = store_topic(store, name_str(topic->name, text), &stored);
    event_id first = stored.oldest > 0 ? stored.oldest : stored.end;
    if (topic->committing == 0 && first == 0) { /* nothing is left */
        event_id gone = known ? stored.floor : topic->stored_last;
        topic->stored = false;
        if (topic->gone < gone)
            topic->gone = gone;
        return UINT64_MAX;
    }
    if (store_has_stopped(store))
        return now + STOPPED_MS;
    uint64_t end = event_id_ms(first) + topic->keep.age_ms + 1, wall = wall_ms();
    if (first > 0 && end > wall)
        return now + (end - wall);
    stored_trim(topic, store);
    return now + LOOK_MS;
}

event_id stored_lacks(const struct topic *topic, struct store *store) {
    char text[NAME_MAX_BYTES];
    struct stored_topic kept;
    if (!topic->stored || !store_topic(store, name_str(topic->name, text), &kept))
        return 0;
    if (kept.floor > topic_lacks(topic)) /* beyond that memory has what the store has lost */
        kept.floor = topic_lacks(topic);
    return kept.floor > topic->unstored ? kept.floor : topic->unstored;
}

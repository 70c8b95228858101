/* reader: one worker's part of the hub.
 *
 *     publish --> feed dirty --wake--> the worker's next turn (read/turn.c)
 *
 * A feed is a topic as this worker is told of it; a publish marks it, from any thread, and wakes
 * the worker. A topic has one for each worker with positions that name it, and gets one for each
 * that has somebody listening to a prefix of its name as soon as there is news.
 *
 * Belongs to its loop's thread but for what the hub's lock guards. It must not know of positions.
 */
#include "hub/reader.h"

#include "base/mem.h"
#include "base/must.h"
#include "hub/name.h"
#include "hub/topic.h"

#include <stdlib.h>

#define TICK_MS 1000

/* --- waking --- */

void reader_wake(struct reader *reader, struct reader *self) {
    if (reader->woken)
        return;
    reader->woken = true;
    if (reader == self)
        loop_chore(reader->loop, &reader->chore);
    else
        loop_post(reader->loop, &reader->mail);
}

void reader_keep_time(struct reader *reader) {
    if (!timer_is_set(&reader->tick))
        loop_timer(reader->loop, &reader->tick, TICK_MS);
}

/* --- feeds --- */

struct feed *reader_feed(struct reader *reader, struct topic *topic) {
    MUST(hub_is_locked());
    for (struct list *at = topic->feeds.next; at != &topic->feeds; at = at->next) {
        struct feed *feed = CONTAINER_OF(at, struct feed, in_topic);
        if (feed->reader == reader)
            return feed;
    }
    struct feed *feed = mem_zalloc(sizeof *feed);
    feed->topic = topic;
    feed->reader = reader;
    feed->seen = topic->next;
    list_init(&feed->in_reader);
    list_init(&feed->interests);
    list_push(&topic->feeds, &feed->in_topic);
    return feed;
}

void feed_free(struct feed *feed) {
    list_remove(&feed->in_topic);
    list_remove(&feed->in_reader);
    free(feed);
}

void feed_release(struct feed *feed) {
    if (list_empty(&feed->interests) && list_empty(&feed->in_reader) && feed != feed->reader->told)
        feed_free(feed);
}

bool hearer_knows(const struct hearer *resting, const struct topic *topic, uint64_t ordinal) {
    return resting->rested < topic_id_before(topic, ordinal);
}

static bool listens(const struct crowd_feed *feed, const struct topic *topic) {
    if (!list_empty(&feed->interests))
        return true;
    const struct hearer *newest = CONTAINER_OF(feed->resting.prev, struct hearer, in_feed);
    return !list_empty(&feed->resting) && !hearer_knows(newest, topic, topic->next);
}

/* A feed for each worker that has subscribers to a prefix of the topic's name who listen. */
static void cover_crowds(struct topic *topic) {
    for (struct name *at = topic->name; at; at = at->parent) {
        if (at->crowd == NULL)
            continue;
        struct list *feeds = &at->crowd->feeds;
        for (struct list *node = feeds->next; node != feeds; node = node->next) {
            const struct crowd_feed *feed = CONTAINER_OF(node, struct crowd_feed, in_crowd);
            if (listens(feed, topic))
                reader_feed(feed->reader, topic);
        }
    }
}

void reader_tell(struct topic *topic, event_id id, struct reader *self) {
    MUST(hub_is_locked());
    if (hub.crowds > 0)
        cover_crowds(topic);
    for (struct list *at = topic->feeds.next; at != &topic->feeds; at = at->next) {
        struct feed *feed = CONTAINER_OF(at, struct feed, in_topic);
        if (!list_empty(&feed->in_reader))
            continue;
        feed->first_id = id;
        list_push(&feed->reader->dirty, &feed->in_reader);
        reader_wake(feed->reader, self);
    }
}

struct feed *reader_untold(const struct reader *reader, const struct topic *topic) {
    for (struct list *at = topic->feeds.next; at != &topic->feeds; at = at->next) {
        struct feed *feed = CONTAINER_OF(at, struct feed, in_topic);
        if (!list_empty(&feed->in_reader) && (reader == NULL || feed->reader == reader))
            return feed;
    }
    return NULL;
}

struct crowd_feed *reader_crowd_feed(struct reader *reader, struct name *name) {
    if (name->crowd == NULL) {
        name->crowd = mem_zalloc(sizeof *name->crowd);
        crowd_init(name->crowd);
        hub.crowds++;
    }
    struct list *feeds = &name->crowd->feeds;
    for (struct list *at = feeds->next; at != feeds; at = at->next) {
        struct crowd_feed *feed = CONTAINER_OF(at, struct crowd_feed, in_crowd);
        if (feed->reader == reader)
            return feed;
    }
    struct crowd_feed *feed = mem_zalloc(sizeof *feed);
    *feed = (struct crowd_feed){.crowd = name->crowd, .name = name, .reader = reader};
    list_init(&feed->interests);
    list_init(&feed->resting);
    list_init(&feed->lapsed);
    list_push(feeds, &feed->in_crowd);
    return feed;
}

void crowd_feed_release(struct crowd_feed *feed) {
    if (!list_empty(&feed->interests) || !list_empty(&feed->resting) || !list_empty(&feed->lapsed))
        return;
    struct name *name = feed->name;
    list_remove(&feed->in_crowd);
    free(feed);
    if (!list_empty(&name->crowd->feeds))
        return;
    crowd_fini(name->crowd);
    free(name->crowd);
    name->crowd = NULL;
    hub.crowds--;
    name_release(name);
}

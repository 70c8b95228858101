/* turn: what a worker does for its positions in its loop's turn.
 *
 *     feed dirty --wake--> [ batch: each feed tells its positions | ready: positions
 *                            that are served ] --left over--> the next turn
 *
 * In the turn the feeds that a publish has marked become a batch, and each tells the positions that
 * name its topic, or a prefix of it. A position of one topic is served at once. One of several is
 * queued until the whole batch has been told, because only then is it known to see everything up to
 * `settled`: it never reads beyond, or ids would reach its client out of order.
 *
 * A turn serves so many and no more; the rest come in the next one, so that ten thousand
 * subscribers do not hold up the worker's other connections.
 *
 * Here a reader's life begins and ends. On its loop's thread. It must not know what a position does
 * with what it reads. */
#include "read/turn.h"

#include "base/mem.h"
#include "base/must.h"
#include "hub/attendance.h"
#include "hub/blocking.h"
#include "hub/publication.h"
#include "read/position.h"
#include "read/prefix.h"
#include "read/span.h"

#include <stdlib.h>

#define SERVED_A_TURN 512

/* --- telling --- */

static struct prefix_interest *prefix_in(struct list *node) {
    return CONTAINER_OF(node, struct prefix_interest, hearer.in_feed);
}

/* Those who chose the prefix; of who rests those to whom the topic is new. */
static void tell_crowd(struct crowd_feed *crowd, struct feed *feed) {
    struct list *next, *before;
    for (struct list *at = crowd->interests.next; at != &crowd->interests; at = next) {
        next = at->next; /* it may lapse */
        prefix_tell(prefix_in(at), feed);
    }
    for (struct list *at = crowd->resting.prev; at != &crowd->resting; at = before) {
        if (hearer_knows(&prefix_in(at)->hearer, feed->topic, feed->from))
            return;
        before = at->prev;
        prefix_tell(prefix_in(at), feed);
    }
}

/* Those who chose a prefix of the topic's name. */
static void tell_crowds(struct reader *reader, struct feed *feed) {
    for (struct name *at = feed->topic->name; at && hub.crowds > 0; at = at->parent) {
        if (at->crowd == NULL)
            continue;
        struct list *feeds = &at->crowd->feeds;
        for (struct list *node = feeds->next; node != feeds; node = node->next) {
            struct crowd_feed *crowd = CONTAINER_OF(node, struct crowd_feed, in_crowd);
            if (crowd->reader == reader)
                tell_crowd(crowd, feed);
        }
    }
}

/* Everything that was news before is told: takes what has become news since. */
static void take_batch(struct reader *reader) {
    reader->settled = reader->candidate;
    reader->candidate = publications_visible();
    reader->woken = false;
    list_splice(&reader->batch, &reader->dirty);
    if (list_empty(&reader->batch))
        reader->settled = reader->candidate;
}

static struct lag news_of(const struct feed *feed) {
    const struct topic *topic = feed->topic;
    uint64_t from = feed->from > topic->first ? feed->from : topic->first;
    uint64_t bytes = from < topic->next ? topic->end - topic_entry(topic, from)->at : 0;
    return (struct lag){feed->seen - feed->from, bytes};
}

static bool next_feed(struct reader *reader) {
    hub_lock();
    if (list_empty(&reader->batch))
        take_batch(reader);
    struct list *node = list_pop(&reader->batch);
    if (node) {
        struct feed *feed = reader->told = CONTAINER_OF(node, struct feed, in_reader);
        feed->from = feed->seen;
        feed->seen = feed->topic->next;
        feed->topic->holds++;
        hub_topic_read(feed->topic);
        reader->news = news_of(feed);
        list_splice(&reader->to_tell, &feed->interests);
        tell_crowds(reader, feed);
    }
    hub_unlock();
    return node != NULL;
}

/* Under the lock. */
static void end_feed(struct reader *reader) {
    MUST(hub_is_locked());
    MUST(reader->told->topic->holds > 0);
    struct feed *feed = reader->told;
    struct topic *topic = feed->topic;
    reader->told = NULL;
    feed_release(feed);
    topic->holds--;
    hub_release_topic(topic);
}

/* Nobody is left who could be told. */
static void forget_news(struct reader *reader) {
    struct list *node;
    if (reader->told)
        end_feed(reader);
    list_splice(&reader->batch, &reader->dirty);
    while ((node = list_pop(&reader->batch)) != NULL) {
        struct feed *feed = CONTAINER_OF(node, struct feed, in_reader);
        struct topic *topic = feed->topic;
        feed_release(feed);
        hub_release_topic(topic);
    }
}

/* Returns how many of `budget` are left. */
static unsigned tell(struct reader *reader, unsigned budget) {
    struct list *node;
    while (budget > 0 && (node = list_pop(&reader->to_tell)) != NULL) {
        struct interest *interest = CONTAINER_OF(node, struct interest, in_feed);
        list_push(&reader->told->interests, node);
        position_tell(interest);
        counter_add(&reader->counters.visits, 1);
        budget--;
    }
    if (!list_empty(&reader->to_tell))
        return budget;
    hub_lock();
    end_feed(reader);
    hub_unlock();
    return budget;
}

/* --- serving --- */

static void serve(struct reader *reader) {
    struct list *node;
    for (unsigned left = SERVED_A_TURN; left > 0 && (node = list_pop(&reader->ready)); left--) {
        struct position *position = CONTAINER_OF(node, struct position, in_queue);
        position->ops->news(position);
        counter_add(&reader->counters.visits, 1);
    }
}

/* Those that a publisher has waited for in vain. */
static void expel(struct reader *reader) {
    struct list *node;
    do {
        hub_lock();
        node = list_pop(&reader->expelled);
        hub_unlock();
        struct position *position =
            node ? CONTAINER_OF(node, struct blocking, in_expelled)->position : NULL;
        if (position)
            position->ops->overflow(position);
    } while (node);
}

static void run(struct chore *chore) {
    struct reader *reader = CONTAINER_OF(chore, struct reader, chore);
    unsigned budget = SERVED_A_TURN;
    expel(reader);
    list_splice(&reader->ready, &reader->held);
    while (budget > 0 && (reader->told || next_feed(reader)))
        budget = tell(reader, budget);
    attendance_tell(reader);
    serve(reader);
    span_release(reader->span);
    if (budget == 0 || !list_empty(&reader->ready))
        loop_chore(reader->loop, &reader->chore);
}

/* --- life --- */

static void on_mail(struct mail *mail) {
    struct reader *reader = CONTAINER_OF(mail, struct reader, mail);
    loop_chore(reader->loop, &reader->chore);
}

static void on_tick(struct timer *timer) {
    struct reader *reader = CONTAINER_OF(timer, struct reader, tick);
    if (hub_tick())
        reader_keep_time(reader);
    attendance_tell(reader);
}

void reader_init(struct reader *reader, struct loop *loop) {
    *reader = (struct reader){
        .loop = loop, .mail = {.run = on_mail}, .completion = {.run = publications_on_mail}};
    reader->span = mem_zalloc(sizeof *reader->span);
    chore_init(&reader->chore, run);
    chore_init(&reader->turn_end, publications_on_turn_end);
    list_init(&reader->completed);
    timer_init(&reader->tick, on_tick);
    list_init(&reader->dirty);
    list_init(&reader->expelled);
    list_init(&reader->batch);
    list_init(&reader->to_tell);
    list_init(&reader->ready);
    list_init(&reader->held);
    hub_lock();
    list_push(&hub.readers, &reader->all);
    bool any = hub.topics > 0; /* from the store */
    hub_unlock();
    if (any)
        reader_keep_time(reader);
}

void reader_fini(struct reader *reader) {
    hub_lock();
    publications_finish(reader);
    forget_news(reader);
    list_remove(&reader->all);
    hub_retire(&reader->counters);
    hub_unlock();
    timer_clear(&reader->tick);
    chore_clear(&reader->chore);
    chore_clear(&reader->turn_end);
    buf_fini(&reader->span->text);
    free(reader->span);
}

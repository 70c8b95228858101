/* sent: publications on their way.
 *
 *     publish --> [waits: somebody with the policy block is full] --> given its id
 *         \--refused: the topic is closed                                 |
 *                                             [is being committed] --> there, or failed
 *
 * Publishers are told by mail, clients get an event as soon as it is there: so what became of a
 * publication is asked of the hub, in the order in which they were made, and the oracle has heard
 * of an event before anybody shows it one. */
#include "sent.h"

#include "base/clock.h"
#include "base/mem.h"
#include "dice.h"
#include "hub/publication.h"
#include "store/own.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAD_MAX 200

struct sent {
    struct publication publication;
    struct list link;
    size_t topic;
    unsigned number, end; /* the oracle's: of its event and its end; 0: it has none */
    bool given;           /* they have their ids, or it was refused */
    bool heard;           /* the oracle knows what became of it */
    bool barred;          /* a sync had failed before it was published */
    event_id since;       /* the newest id when it began to wait */
    uint64_t begun_ms;
    char text[PAD_MAX + 40];
};

void (*sent_passed)(size_t topic, uint64_t before, bool in_vain);
static struct list sent;
static bool given_up;
static uint64_t told; /* workers knew of so many events before what is heard now was appended */

void sent_init(void) {
    list_init(&sent);
}

void sent_begin(void) {
    given_up = false;
}

void sent_give_up(void) {
    given_up = true;
}

/* --- what becomes of them --- */

/* Whether it went to the store. */
static bool is_durable(const struct sent *one) {
    return one->publication.stored.done != NULL;
}

static void tell_passed(const struct sent *one) {
    uint64_t wait = one->publication.wait_ms;
    bool in_vain = one->since > 0 && clock_mono_ms() >= one->begun_ms + wait;
    bool refused = one->publication.id == 0;
    tally.in_vain += in_vain;
    if (wait > 0)
        sent_passed(one->topic, refused ? 0 : told, in_vain);
}

/* It waits no more. */
static void give(struct sent *one) {
    one->given = true;
    tell_passed(one);
    if (one->publication.id == 0) {
        oracle_refused(one->topic, one->since > 0 ? one->since : EVENT_ID_NONE);
        return;
    }
    if (one->number > 0)
        oracle_given(one->number, one->publication.event, is_durable(one));
    if (one->end > 0)
        oracle_given(one->end, one->publication.id, is_durable(one));
    if (one->publication.only)
        oracle_alone(one->number > 0 ? one->number : one->end);
}

static void hear(struct sent *one, int error) {
    if (one->heard)
        return;
    one->heard = true;
    if (!is_durable(one))
        return;
    if (one->barred && error == 0)
        oracle_fail("event %u is acknowledged, though a sync had failed before", one->number);
    bool stopped = world_store() && store_has_stopped(world_store());
    if (one->number > 0)
        oracle_done(one->number, error, stopped);
    if (one->end > 0)
        oracle_done(one->end, error, stopped);
}

static bool is_pending(const struct publication *publication) {
    for (struct list *at = hub.pending.next; at != &hub.pending; at = at->next)
        if (at == &publication->link)
            return true;
    return false;
}

static void hear_given(void) {
    for (struct list *at = sent.next; at != &sent; at = at->next) {
        struct sent *one = CONTAINER_OF(at, struct sent, link);
        if (one->given && !is_pending(&one->publication))
            hear(one, one->publication.error);
    }
}

/* An end that has failed first, for what waited was given its id after. */
void sent_hear(void) {
    told = oracle_told();
    hub_lock();
    hear_given();
    for (struct list *at = sent.next; at != &sent; at = at->next) {
        struct sent *one = CONTAINER_OF(at, struct sent, link);
        if (!one->given && !one->publication.waiting)
            give(one);
        if (one->given && !is_pending(&one->publication))
            hear(one, one->publication.error);
    }
    hub_unlock();
}

static void on_done(struct publication *publication, int error) {
    struct sent *one = CONTAINER_OF(publication, struct sent, publication);
    if (one->heard && error != publication->error)
        oracle_fail("the publisher of event %u is told another error", one->number);
    if (!given_up)
        sent_hear();
    list_remove(&one->link);
    free(one);
}

bool sent_is_settled(void) {
    for (struct list *at = sent.next; at != &sent; at = at->next)
        if (CONTAINER_OF(at, struct sent, link)->given)
            return false;
    return true;
}

bool sent_waits_for(size_t topic) {
    for (struct list *at = sent.next; at != &sent; at = at->next) {
        const struct sent *one = CONTAINER_OF(at, struct sent, link);
        if (!one->given && one->topic == topic)
            return true;
    }
    return false;
}

void sent_each_waiting(void (*each)(size_t topic)) {
    for (struct list *at = sent.next; at != &sent; at = at->next)
        if (!CONTAINER_OF(at, struct sent, link)->given)
            each(CONTAINER_OF(at, struct sent, link)->topic);
}

/* --- publishing --- */

/* An event has just come to it. */
static void check_topic(size_t number) {
    hub_lock();
    const struct topic *topic = hub_topic(str_of(topic_names[number]));
    uint64_t kept = topic->next - topic->first;
    uint64_t bytes = kept > 0 ? topic->end - topic_entry(topic, topic->first)->at : 0;
    if (kept > topic->keep.count || (bytes > topic->keep.bytes && kept > 1))
        oracle_fail("%s keeps %u events, %u bytes: it may %u, %u", topic_names[number],
                    (unsigned)kept, (unsigned)bytes, (unsigned)topic->keep.count,
                    (unsigned)topic->keep.bytes);
    hub_unlock();
}

static void put_event(struct sent *one, const struct sending *sending) {
    static const char *const keys[KEYS] = {"a", "b", "c"};
    uint32_t pad = one_in(10) ? below(PAD_MAX) : below(20);
    one->number = oracle_add(sending->topic, sending->key, pad + 24); /* or less */
    int n =
        snprintf(one->text, sizeof one->text, "data: %u %0*d\n\n", one->number, (int)pad + 1, 0);
    one->publication.text = (struct str){one->text, (size_t)n};
    one->publication.key = str_of(sending->key < 0 ? NULL : keys[sending->key]);
}

static struct sent *prepare(const struct sending *sending) {
    struct sent *one = mem_zalloc(sizeof *one);
    one->topic = sending->topic;
    one->publication.topic = str_of(topic_names[sending->topic]);
    one->publication.done = on_done;
    one->publication.wait_ms = sending->wait_ms;
    one->publication.closes = sending->end;
    one->publication.only = sending->only;
    if (sending->event)
        put_event(one, sending);
    if (sending->end)
        one->end = oracle_add_end(sending->topic, one->number);
    one->barred = world_store() && store_has_stopped(world_store());
    list_init(&one->link);
    return one;
}

bool sent_publish(const struct sending *sending) {
    sent_hear();
    told = oracle_told();
    struct sent *one = prepare(sending);
    struct worker *worker = &workers[below(WORKERS)];
    one->begun_ms = loop_now(&worker->loop);
    int rc = publication_send(&one->publication, &worker->reader);
    if (rc == PUBLICATION_LATER) {
        bool waits = one->publication.waiting;
        one->since = waits ? hub.last : 0;
        list_push(&sent, &one->link);
        if (!waits)
            give(one);
        tally.waited += waits;
        return waits;
    }
    if (rc != 0 && rc != PUBLICATION_CLOSED)
        oracle_fail("event %u cannot be published: %d", one->number, rc);
    give(one);
    if (rc == 0 && sending->event)
        check_topic(sending->topic);
    free(one);
    return false;
}

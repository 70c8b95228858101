/* publication: an event on its way into a topic.
 *
 *     send --> [waiting: a subscriber with the policy block is behind] --> append --> done
 *                      \--time over: that subscriber has to go--^   |
 *                        durable: [staged: the turn's end] -> [pending: the commit]--^
 *
 * Giving the id and appending are one step under the hub's lock; so is telling the workers. What a
 * turn publishes to durable topics goes to the store in one piece, in order of ids whichever worker
 * gave them, and so into one commit; its publishers are told together, and what they publish next
 * is one piece again. Were they told one by one, the first would begin a commit of its own while
 * the others still wake up, and every second commit would be for one event.
 *
 * Whoever waits is told of the end on its own loop. Belongs to who publishes. */
#include "hub/publication.h"

#include "base/clock.h"
#include "base/must.h"
#include "hub/attendance.h"
#include "hub/blocking.h"
#include "hub/order.h"
#include "hub/reader.h"
#include "hub/rule.h"
#include "hub/stored.h"

event_id publications_visible(void) {
    if (list_empty(&hub.pending))
        return hub.last;
    const struct publication *next = CONTAINER_OF(hub.pending.next, struct publication, link);
    return next->stored.id - 1;
}

event_id hub_position(void) {
    hub_lock();
    event_id visible = publications_visible();
    hub_unlock();
    return visible;
}

/* --- appending --- */

static void append_event(struct publication *publication) {
    struct topic *topic = publication->at;
    topic_append(topic, publication->event, publication->text, publication->key, clock_mono_ms());
    order_add(topic, publication->event);
    const struct entry *entry = topic_entry(topic, topic->next - 1);
    blocking_owe(topic, entry);
    if (publication->only)
        topic_trim(topic, topic->next - 1);
    hub.published++;
}

static void append(struct publication *publication, struct reader *self) {
    struct topic *topic = publication->at;
    reader_tell(topic, publication->event > 0 ? publication->event : publication->id, self);
    if (publication->text.len > 0)
        append_event(publication);
    else if (publication->only)
        topic_trim(topic, topic->next);
    if (publication->closes)
        hub_ended(topic, publication->id);
    publication->streams = attendance_streams(topic->name);
    hub_appended(topic);
}

/* An end has an id of its own, for who has the last event may not have been told of it. */
static void take_ids(struct publication *publication) {
    if (publication->text.len > 0)
        publication->id = publication->event = hub_next_id();
    if (publication->closes)
        publication->id = hub_next_id();
}

static void append_now(struct publication *publication, struct reader *self) {
    MUST(hub_is_locked());
    if (publication->at->stored)
        stored_ends(publication->at, hub.store, hub.last);
    take_ids(publication);
    append(publication, self);
}

/* --- publishing later --- */

/* On the reader's loop. */
static void tell_publishers(struct reader *reader) {
    struct list completed, *node;
    list_init(&completed);
    hub_lock();
    list_splice(&completed, &reader->completed);
    hub_unlock();
    while ((node = list_pop(&completed)) != NULL) {
        struct publication *publication = CONTAINER_OF(node, struct publication, link);
        timer_clear(&publication->deadline);
        publication->done(publication, publication->error);
    }
}

void publications_on_mail(struct mail *mail) {
    tell_publishers(CONTAINER_OF(mail, struct reader, completion));
}

/* The publisher is told with those of its worker that come next, see post_completed. */
static void complete(struct publication *publication, int error) {
    MUST(hub_is_locked() && publication->at->holds > 0 && publication->reader->outstanding > 0);
    publication->error = error;
    histogram_add(&hub.waits, clock_mono_ms() - publication->sent);
    publication->at->holds--;
    hub_release_topic(publication->at);
    list_remove(&publication->link);
    list_push(&publication->reader->completed, &publication->link);
    publication->reader->outstanding--;
}

static void post_completed(struct reader *reader) {
    if (!list_empty(&reader->completed))
        loop_post(reader->loop, &reader->completion);
}

static int send_later(struct publication *publication, struct list *where) {
    publication->at->holds++;
    publication->reader->outstanding++;
    publication->sent = clock_mono_ms();
    list_push(where, &publication->link);
    return PUBLICATION_LATER;
}

/* --- durable topics --- */

/* A piece has been committed: publishers are told, and positions that waited for the horizon. */
static void end_piece(void) {
    for (struct list *at = hub.readers.next; at != &hub.readers; at = at->next) {
        struct reader *reader = CONTAINER_OF(at, struct reader, all);
        post_completed(reader);
        if (reader->holding)
            reader_wake(reader, NULL);
        reader->holding = false;
    }
    pthread_cond_broadcast(&hub.done);
}

/* On the store's thread, in order of ids. */
static void on_stored(struct stored_event *stored, int error) {
    struct publication *publication = CONTAINER_OF(stored, struct publication, stored);
    hub_lock();
    bool last = publication->ends_piece;
    MUST(publication->at->committing > 0);
    publication->at->committing--;
    if (publication->closes)
        publication->at->closing = false;
    if (error == 0) {
        hub_stored(publication->at, publication->id);
        append(publication, NULL);
    }
    complete(publication, error);
    if (last)
        end_piece();
    hub_unlock();
}

/* From any worker: all that is staged, so that the store has it in order of ids. */
static void submit(void) {
    if (list_empty(&hub.staged))
        return;
    struct store_op *last = CONTAINER_OF(hub.staged.prev, struct store_op, link);
    CONTAINER_OF(last, struct publication, stored.op)->ends_piece = true;
    store_append(hub.store, &hub.staged);
}

void publications_on_turn_end(struct chore *chore) {
    (void)chore;
    hub_lock();
    submit();
    hub_unlock();
}

static void stage(struct publication *publication, struct reader *self) {
    const struct topic_keep *keep = &publication->at->keep;
    if (publication->at->ends_span)
        rule_end_span(publication->topic);
    take_ids(publication);
    uint64_t now = event_id_ms(publication->id);
    event_id own = publication->text.len > 0 ? publication->event : publication->id;
    event_id too_old = now > keep->age_ms ? event_id_at(now - keep->age_ms) : 0;
    publication->stored = (struct stored_event){
        .id = own,
        .end = publication->closes ? publication->id : 0,
        .topic = publication->topic,
        .key = publication->key,
        .text = publication->text,
        .keep = {keep->count, keep->bytes, publication->only ? own - 1 : too_old},
        .done = on_stored};
    list_remove(&publication->link);
    list_push(&hub.pending, &publication->link);
    publication->at->committing++;
    publication->at->closing = publication->closes;
    list_push(&hub.staged, &publication->stored.op.link);
    loop_chore(self->loop, &self->turn_end);
}

/* So is one whose events are still being committed: ids of a topic grow; and one of which the
 * store's file says so. */
static bool is_durable(const struct topic *topic) {
    return topic->durable || topic->committing > 0 || topic->ends_span;
}

/* --- waiting --- */

/* Publications to one topic stay in order. */
static bool others_wait(const struct topic *topic, const struct publication *before) {
    for (struct list *at = hub.waiting.next; at != &hub.waiting; at = at->next) {
        const struct publication *other = CONTAINER_OF(at, struct publication, link);
        if (other == before)
            return false;
        if (other->at == topic)
            return true;
    }
    return false;
}

static bool is_closed(const struct topic *topic) {
    return topic->ended > 0 || topic->closing;
}

static void go_on(struct publication *publication, struct reader *self) {
    publication->waiting = false;
    if (is_closed(publication->at)) {
        complete(publication, UV_ESHUTDOWN);
        post_completed(publication->reader);
        return;
    }
    if (is_durable(publication->at)) {
        stage(publication, self);
        return;
    }
    append_now(publication, self);
    complete(publication, 0);
    post_completed(publication->reader);
}

void publications_go_on(struct reader *self) {
    struct list *next;
    for (struct list *at = hub.waiting.next; at != &hub.waiting; at = next) {
        struct publication *publication = CONTAINER_OF(at, struct publication, link);
        next = at->next;
        if (!blocking_holds_up(publication->at) && !others_wait(publication->at, publication))
            go_on(publication, self);
    }
}

static void on_deadline(struct timer *timer) {
    struct publication *publication = CONTAINER_OF(timer, struct publication, deadline);
    hub_lock();
    while (publication->waiting) { /* those before it may fill up another */
        blocking_expel(publication->at, publication->reader);
        publications_go_on(publication->reader);
    }
    hub_unlock();
}

void publications_finish(struct reader *reader) {
    struct list *next;
    for (struct list *at = hub.waiting.next; at != &hub.waiting; at = next) {
        struct publication *publication = CONTAINER_OF(at, struct publication, link);
        next = at->next;
        if (publication->reader == reader)
            go_on(publication, reader);
    }
    submit();
    while (reader->outstanding > 0)
        pthread_cond_wait(&hub.done, &hub.lock);
    hub_unlock();
    loop_retract(reader->loop, &reader->completion);
    tell_publishers(reader);
    hub_lock();
}

int publication_send(struct publication *publication, struct reader *reader) {
    int rc = 0;
    hub_lock();
    publication->reader = reader;
    publication->waiting = publication->ends_piece = false;
    list_init(&publication->link);
    timer_init(&publication->deadline, on_deadline);
    struct topic *topic = publication->at = hub_topic(publication->topic);
    if (is_closed(topic)) {
        hub_release_topic(topic);
        rc = PUBLICATION_CLOSED;
    } else if (publication->done == NULL && is_durable(topic)) {
        hub_release_topic(topic);
        rc = PUBLICATION_WOULD_WAIT;
    } else if (publication->wait_ms > 0 && (blocking_holds_up(topic) || others_wait(topic, NULL))) {
        rc = send_later(publication, &hub.waiting);
        publication->waiting = true;
        loop_timer(reader->loop, &publication->deadline, publication->wait_ms);
    } else if (is_durable(topic)) {
        rc = send_later(publication, &hub.pending);
        stage(publication, reader);
    } else {
        append_now(publication, reader);
    }
    hub_unlock();
    reader_keep_time(reader);
    return rc;
}

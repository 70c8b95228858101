/* blocking: a position that publishers wait for.
 *
 *     the crowd of a topic, or of a prefix:  [full] [full] | [counting] [counting]
 *                   whoever is in front is full: wait --^                 ^-- each publish adds
 *
 * Publishers must know without looking how far behind such a position is, so each publish adds to
 * what it owes. But one that is at its limit holds publishers up whatever comes further, those that
 * do not wait as well: it is not counted any more, and stands in front in the lists of all that it
 * has chosen, until it reads and is set right. So those that do not read cost publishers nothing.
 *
 * What several of its choices cover counts once: an id is not counted a second time. What was being
 * committed when it came does not count, if that is not for it.
 *
 * Under the hub's lock. It must not know how a publisher waits. */
#include "hub/blocking.h"

#include "base/mem.h"
#include "hub/lock.h"
#include "hub/name.h"
#include "hub/reader.h"
#include "hub/topic.h"

#include <stdlib.h>

static struct blocking_choice *in_crowd(struct list *node) {
    return CONTAINER_OF(node, struct blocking_choice, in_crowd);
}

static struct blocking_choice *in_blocking(struct list *node) {
    return CONTAINER_OF(node, struct blocking_choice, in_blocking);
}

/* --- what it has chosen --- */

/* Those that are full are in front. */
static void file(struct blocking_choice *choice) {
    struct list *all = &choice->crowd->blocking;
    list_remove(&choice->in_crowd);
    list_push(choice->blocking->full ? all->next : all, &choice->in_crowd);
}

static void set_full(struct blocking *blocking) {
    struct position_limit limit = blocking->limit;
    bool full = blocking->owed.events >= limit.events || blocking->owed.bytes >= limit.bytes;
    if (full == blocking->full)
        return;
    blocking->full = full;
    for (struct list *at = blocking->choices.next; at != &blocking->choices; at = at->next)
        file(in_blocking(at));
}

void blocking_join(struct blocking *blocking, struct crowd *crowd, event_id after) {
    if (blocking == NULL || blocking->ended)
        return;
    struct blocking_choice *choice = mem_alloc(sizeof *choice);
    *choice = (struct blocking_choice){.blocking = blocking, .crowd = crowd, .after = after};
    list_init(&choice->in_crowd);
    list_push(&blocking->choices, &choice->in_blocking);
    file(choice);
}

static void leave(struct blocking_choice *choice) {
    list_remove(&choice->in_crowd);
    list_remove(&choice->in_blocking);
    free(choice);
}

void blocking_leave(struct blocking *blocking, const struct crowd *crowd) {
    if (blocking == NULL)
        return;
    for (struct list *at = blocking->choices.next; at != &blocking->choices; at = at->next) {
        if (in_blocking(at)->crowd != crowd)
            continue;
        leave(in_blocking(at));
        return;
    }
}

void blocking_end(struct blocking *blocking) {
    blocking->ended = true;
    while (!list_empty(&blocking->choices))
        leave(in_blocking(blocking->choices.next));
}

/* --- how far behind it is --- */

void blocking_settle(struct blocking *blocking, struct lag lag) {
    blocking->owed = lag;
    set_full(blocking);
}

static void owe(const struct blocking_choice *choice, const struct entry *entry) {
    struct blocking *blocking = choice->blocking;
    hub.retired.visits++;
    if (entry->id == blocking->newest || entry->id <= choice->after)
        return;
    blocking->newest = entry->id;
    blocking->owed.events++;
    blocking->owed.bytes += entry->len;
    set_full(blocking);
}

static void owe_crowd(const struct crowd *crowd, const struct entry *entry) {
    struct list *before;
    for (struct list *at = crowd->blocking.prev; at != &crowd->blocking; at = before) {
        before = at->prev;
        if (in_crowd(at)->blocking->full)
            return;
        owe(in_crowd(at), entry);
    }
}

void blocking_owe(const struct topic *topic, const struct entry *entry) {
    owe_crowd(&topic->crowd, entry);
    for (const struct name *at = topic->name; at && hub.crowds > 0; at = at->parent)
        if (at->crowd)
            owe_crowd(at->crowd, entry);
}

/* --- holding up --- */

static struct blocking *full_of(const struct crowd *crowd) {
    struct list *first = crowd->blocking.next;
    bool full = first != &crowd->blocking && in_crowd(first)->blocking->full;
    return full ? in_crowd(first)->blocking : NULL;
}

/* One of those that hold up publishers there; NULL: none. */
static struct blocking *full_at(const struct topic *topic) {
    struct blocking *full = full_of(&topic->crowd);
    for (const struct name *at = topic->name; at && hub.crowds > 0 && full == NULL; at = at->parent)
        if (at->crowd)
            full = full_of(at->crowd);
    return full;
}

bool blocking_holds_up(const struct topic *topic) {
    return full_at(topic) != NULL;
}

void blocking_expel(const struct topic *topic, struct reader *self) {
    struct blocking *full;
    while ((full = full_at(topic)) != NULL) {
        blocking_end(full);
        list_push(&full->reader->expelled, &full->in_expelled);
        reader_wake(full->reader, self);
    }
}

/* --- life --- */

struct blocking *blocking_new(struct position *position, struct reader *reader,
                              struct position_limit limit) {
    struct blocking *blocking = mem_alloc(sizeof *blocking);
    *blocking = (struct blocking){.position = position, .reader = reader, .limit = limit};
    list_init(&blocking->choices);
    list_init(&blocking->in_expelled);
    return blocking;
}

void blocking_free(struct blocking *blocking) {
    blocking_end(blocking);
    list_remove(&blocking->in_expelled);
    free(blocking);
}

/* trail: the ids of the events that a topic trimmed last.
 *
 *     ordinals:  forgotten | first ...... next | kept by the topic
 *                       before                 floor
 *
 * Who comes back with an id is to be told how many events it has lost. What it had last is trimmed
 * like the others by then, so that the number needs the ids of what is gone. Eight bytes each are a
 * twentieth of what the smallest event took, and adding one costs a publish a few instructions; but
 * only so many are kept, and none of a topic that keeps no event, even if the store has one: who
 * was away for longer is told that nobody knows. By the trail of one that the store has, a reader
 * that fell behind what memory has finds where to go on there.
 *
 * Part of its topic, under the hub's lock. */
#include "hub/trail.h"

#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>

#define TRAIL_LEAST 8
#define TRAIL_MOST 1024 /* more than the events that a topic keeps by default */

static event_id *at(const struct trail *trail, uint64_t ordinal) {
    return &trail->ids[ordinal & (trail->cap - 1)];
}

static void count(atomic_uint_fast64_t *total, uint32_t ids) {
    atomic_fetch_add_explicit(total, ids * sizeof(event_id), memory_order_relaxed);
}

void trail_init(struct trail *trail, event_id before) {
    *trail = (struct trail){.before = before};
}

void trail_fini(struct trail *trail, atomic_uint_fast64_t *total) {
    atomic_fetch_sub_explicit(total, trail->cap * sizeof(event_id), memory_order_relaxed);
    free(trail->ids);
}

void trail_forget(struct trail *trail, event_id floor, atomic_uint_fast64_t *total) {
    trail_fini(trail, total);
    *trail = (struct trail){.first = trail->next, .next = trail->next, .before = floor};
}

static void grow(struct trail *trail, atomic_uint_fast64_t *total) {
    struct trail larger = *trail;
    larger.cap = trail->cap ? trail->cap * 2 : TRAIL_LEAST;
    larger.ids = mem_alloc(larger.cap * sizeof *larger.ids);
    for (uint64_t ordinal = trail->first; ordinal < trail->next; ordinal++)
        *at(&larger, ordinal) = *at(trail, ordinal);
    free(trail->ids);
    count(total, larger.cap - trail->cap);
    *trail = larger;
}

void trail_add(struct trail *trail, event_id id, atomic_uint_fast64_t *total) {
    if (trail->next - trail->first == trail->cap && trail->cap < TRAIL_MOST)
        grow(trail, total);
    else if (trail->next - trail->first == trail->cap)
        trail->before = *at(trail, trail->first++);
    *at(trail, trail->next++) = id;
}

event_id trail_before(const struct trail *trail, uint64_t ordinal) {
    MUST(ordinal <= trail->next);
    return ordinal > trail->first ? *at(trail, ordinal - 1) : trail->before;
}

bool trail_after(const struct trail *trail, event_id id, uint64_t *ordinal) {
    uint64_t low = trail->first, high = trail->next;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (*at(trail, middle) <= id)
            low = middle + 1;
        else
            high = middle;
    }
    *ordinal = low;
    return id >= trail->before;
}

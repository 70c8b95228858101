/* wheel: a hierarchical timing wheel in milliseconds (Varghese and Lauck, 1987). Setting, clearing
 * and firing are O(1); a timer that is set again moves. Not thread-safe: one wheel per loop. */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_NEVER UINT64_MAX
#define WHEEL_LEVELS 6
#define WHEEL_SLOTS 64

struct timer {
    struct list link; /* unlinked: not set */
    uint64_t due;     /* ms on the wheel's clock, not before the moment it was set */
    void (*fire)(struct timer *timer);
};

struct wheel {
    uint64_t now;
    struct list late;                /* set to a time not after `now`: the next advance's first */
    uint64_t occupied[WHEEL_LEVELS]; /* a bit for each slot that may hold a timer */
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

/* An empty wheel at `now_ms`. There is nothing to give back: who ends a wheel clears its timers. */
void wheel_init(struct wheel *w, uint64_t now_ms);
/* Must be called once before a timer is first set or cleared. */
void timer_init(struct timer *t, void (*fire)(struct timer *));
/* Fires once at or after `due_ms`, from wheel_advance; a time past counts as the wheel's now and
 * fires at the next advance. Setting a set timer to a later time costs two compares and a store: do
 * not clear it first. WHEEL_NEVER is as far away as any other time that never comes. */
void wheel_set(struct wheel *w, struct timer *t, uint64_t due_ms);
/* Harmless when not set. */
void timer_clear(struct timer *t);
/* Whether it is to fire; no longer so when its callback begins. */
static inline bool timer_is_set(const struct timer *t) {
    return !list_empty(&t->link);
}
/* Moves to `now_ms` (never back) and fires what is due, in order of their ms. A callback may set
 * and clear any timer, itself included, and free its own, which is no longer set. One set from a
 * callback fires in the same call only if its ms lies ahead of the one being fired (which is
 * `w->now` then) and not after `now_ms`, else in a later one. */
void wheel_advance(struct wheel *w, uint64_t now_ms);
/* A lower bound on the next due time, WHEEL_NEVER when nothing is set: waking then and advancing
 * never fires late, and gets nearer each time. */
uint64_t wheel_next(const struct wheel *w);

#endif

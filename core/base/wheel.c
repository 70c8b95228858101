/* wheel: all the deadlines of one loop. A connection sets and clears several timers per request and
 * nearly none of them ever fires, so setting and clearing must cost next to nothing and firing may
 * cost a little more.
 *
 * A time is read as a number with six digits to the base of 64, one level of the wheel per digit. A
 * timer stands at the level of the highest digit in which its time differs from now, in the slot
 * which that digit of its time names:
 *
 *     now       .. 0  0  2 17 40          due        level  slot
 *                  |  |  |  |  |          .. 2 17 55   0     55   exact
 *     level        4  3  2  1  0          .. 2 30  9   1     30   at its start: moved to level 0
 *                                         .. 5  0  0   2      5   at its start: moved to level 1
 *
 * Hence two rules: what stands at a lower level is due before all that stands above it, and the
 * slot of now is always empty. When now reaches the start of a slot above level 0, its timers are
 * placed again, each at a lower level. The top level is a circle: it reaches 63 slots of 2^30 ms
 * ahead (two years), and what lies beyond stands in its last slot until it is placed again from
 * there.
 *
 * Two things are lazy. A timer set to a later time stays where it is, and is placed again when its
 * slot is reached. And a slot that empties by a clear keeps its bit in `occupied`, since a timer
 * does not know its wheel; wheel_advance drops such bits when it meets them, wheel_next looks past
 * them.
 *
 * A wheel belongs to its loop and is touched by its thread only. It knows no clock: the loop brings
 * the time. */
#include "base/wheel.h"

#include "base/must.h"

#include <stddef.h>

enum { DIGIT = 6, MASK = WHEEL_SLOTS - 1, TOP = WHEEL_LEVELS - 1 };

void wheel_init(struct wheel *w, uint64_t now_ms) {
    w->now = now_ms;
    list_init(&w->late);
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        w->occupied[level] = 0;
        for (int slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
    }
}

void timer_init(struct timer *t, void (*fire)(struct timer *)) {
    list_init(&t->link);
    t->due = 0;
    t->fire = fire;
}

/* Links a timer that is not linked and not past where its time belongs; with a time of just now
 * that is the slot about to be fired. */
static void place(struct wheel *w, struct timer *t) {
    MUST(list_empty(&t->link) && t->due >= w->now);
    uint64_t differs = (t->due ^ w->now) | MASK;
    int level = (63 - __builtin_clzll(differs)) / DIGIT;
    if (level > TOP)
        level = TOP;
    uint64_t at = t->due >> (level * DIGIT);
    uint64_t last = (w->now >> (level * DIGIT)) + MASK;
    if (at > last) /* at the top only: below it the higher digits are the same */
        at = last;
    w->occupied[level] |= UINT64_C(1) << (at & MASK);
    list_push(&w->slots[level][at & MASK], &t->link);
}

void wheel_set(struct wheel *w, struct timer *t, uint64_t due_ms) {
    if (due_ms <= w->now) {
        list_remove(&t->link);
        t->due = w->now;
        list_push(&w->late, &t->link);
        return;
    }
    /* one that is late or being fired moves: from there it would cost a wake for nothing */
    bool stays = timer_is_set(t) && t->due > w->now && due_ms >= t->due;
    t->due = due_ms;
    if (stays)
        return;
    list_remove(&t->link);
    place(w, t);
}

void timer_clear(struct timer *t) {
    list_remove(&t->link);
}

/* When the first slot ahead at `level` that holds a timer begins; WHEEL_NEVER when none does. Takes
 * the bits of the empty slots it meets out of `*occupied`. */
static uint64_t ahead(const struct wheel *w, int level, uint64_t *occupied) {
    uint64_t first = (w->now >> (level * DIGIT)) + 1;
    unsigned turn = first & MASK;
    uint64_t bits = *occupied >> turn | *occupied << (-turn & MASK);
    for (; bits != 0; bits &= bits - 1) {
        uint64_t at = first + (unsigned)__builtin_ctzll(bits);
        if (!list_empty(&w->slots[level][at & MASK]))
            return at << (level * DIGIT);
        *occupied &= ~(UINT64_C(1) << (at & MASK));
    }
    return WHEEL_NEVER;
}

uint64_t wheel_next(const struct wheel *w) {
    if (!list_empty(&w->late))
        return w->now;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t occupied = w->occupied[level];
        uint64_t when = ahead(w, level, &occupied);
        if (when != WHEEL_NEVER)
            return when;
    }
    return WHEEL_NEVER;
}

/* Places the timers of a slot again. */
static void cascade(struct wheel *w, struct list *slot) {
    struct list moving;
    struct list *node;
    list_init(&moving);
    list_splice(&moving, slot);
    while ((node = list_pop(&moving)) != NULL)
        place(w, CONTAINER_OF(node, struct timer, link));
}

/* Fires the timers of a list. They are moved to a list of this call first, so that what callbacks
 * set is not fired with them and what they clear is gone from it. */
static void fire(struct wheel *w, struct list *list) {
    struct list firing;
    struct list *node;
    list_init(&firing);
    list_splice(&firing, list);
    while ((node = list_pop(&firing)) != NULL) {
        struct timer *t = CONTAINER_OF(node, struct timer, link);
        if (t->due > w->now) /* set to a later time since it was placed */
            place(w, t);
        else
            t->fire(t); /* may free it */
    }
}

/* Moves to the start of the next slot that holds timers, if that is not after `limit`, and deals
 * with them; false if it is. */
static bool step(struct wheel *w, uint64_t limit) {
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t when = ahead(w, level, &w->occupied[level]);
        if (when == WHEEL_NEVER)
            continue;
        if (when > limit)
            return false;
        unsigned slot = when >> (level * DIGIT) & MASK;
        w->now = when;
        w->occupied[level] &= ~(UINT64_C(1) << slot);
        if (level > 0)
            cascade(w, &w->slots[level][slot]);
        fire(w, &w->slots[0][when & MASK]);
        return true;
    }
    return false;
}

void wheel_advance(struct wheel *w, uint64_t now_ms) {
    fire(w, &w->late);
    while (step(w, now_ms)) {
    }
    if (now_ms > w->now)
        w->now = now_ms;
}

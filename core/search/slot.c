/* slot: leave to be at work in the thread pool, for work that could fill it.
 *
 *     slot_ask --one is free----> HAS (go) --slot_end--> NONE, and the first who waits:
 *        `-----none is--> WAITS --------------------------> CALLED --mail--> HAS (go), on its loop
 *
 * The pool has four threads, and static files, uploads and the store's files need it too. Searches
 * would take as many as there are people who search. So they come in slices, of which SLOTS are in
 * the pool at a time and the others stand in line; whoever has had a slice goes to the end of it.
 *
 * One queue for the process, under a lock. A slot is owned by what it is embedded in; it knows not
 * what is done in it. */
#include "search/slot.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list queue = {&queue, &queue};
static unsigned at_work; /* CALLED or HAS */

static void on_called(struct mail *mail) {
    struct slot *slot = CONTAINER_OF(mail, struct slot, mail);
    pthread_mutex_lock(&lock);
    MUST(slot->state == SLOT_CALLED);
    slot->state = SLOT_HAS;
    pthread_mutex_unlock(&lock);
    slot->go(slot);
}

void slot_init(struct slot *slot, struct loop *loop, void (*go)(struct slot *slot)) {
    *slot = (struct slot){.loop = loop, .mail = {.run = on_called}, .go = go};
    list_init(&slot->link);
}

void slot_ask(struct slot *slot) {
    pthread_mutex_lock(&lock);
    MUST(slot->state == SLOT_NONE);
    bool free = at_work < SLOTS;
    slot->state = free ? SLOT_HAS : SLOT_WAITS;
    if (free)
        at_work++;
    else
        list_push(&queue, &slot->link);
    pthread_mutex_unlock(&lock);
    if (free)
        slot->go(slot);
}

/* Under the lock. */
static void pass_on(void) {
    if (list_empty(&queue)) {
        at_work--;
        return;
    }
    struct slot *next = CONTAINER_OF(queue.next, struct slot, link);
    list_remove(&next->link);
    next->state = SLOT_CALLED;
    loop_post(next->loop, &next->mail);
}

void slot_end(struct slot *slot) {
    pthread_mutex_lock(&lock);
    MUST(slot->state == SLOT_HAS);
    slot->state = SLOT_NONE;
    pass_on();
    pthread_mutex_unlock(&lock);
}

bool slot_cancel(struct slot *slot) {
    pthread_mutex_lock(&lock);
    bool has = slot->state == SLOT_HAS;
    if (slot->state == SLOT_WAITS)
        list_remove(&slot->link);
    if (slot->state == SLOT_CALLED) {
        loop_retract(slot->loop, &slot->mail);
        pass_on();
    }
    if (!has)
        slot->state = SLOT_NONE;
    pthread_mutex_unlock(&lock);
    return !has;
}

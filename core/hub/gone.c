/* gone: what is remembered of topics that are not there any more.
 *
 *     name --gone--> floor: the largest id it had     GONE_MOST at most, the oldest go first
 *                       \--forgotten--> expired: the floor of every name that is not known
 *
 * A topic that is made again must tell what it lost, and one that never was must not tell what
 * others lost. So each name keeps its floor, for as long as not very many have gone since. Durable
 * ones are remembered by the store too (see events.c), which is how they come here at the
 * start.
 *
 * It hangs on the tree of names, where those below a prefix are found. Under the hub's lock. */
#include "hub/gone.h"

#include "base/list.h"
#include "base/mem.h"

#include <stdlib.h>

#define GONE_MOST 4096

struct gone {
    struct list link; /* the one that has gone first in front */
    struct name *name;
    event_id floor;
};

static struct list all;
static size_t count;
static event_id expired; /* the largest of those that are not remembered either */

static event_id take(struct gone *gone) {
    event_id floor = gone->floor;
    list_remove(&gone->link);
    gone->name->gone = NULL;
    count--;
    free(gone);
    return floor;
}

static event_id drop(struct gone *gone) {
    struct name *name = gone->name;
    event_id floor = take(gone);
    name_release(name);
    return floor;
}

static struct gone *oldest(void) {
    return CONTAINER_OF(all.next, struct gone, link);
}

void gone_add(struct name *name, event_id floor) {
    if (count == 0)
        list_init(&all);
    if (name->gone == NULL) {
        name->gone = mem_zalloc(sizeof *name->gone);
        name->gone->name = name;
        list_init(&name->gone->link);
        count++;
    }
    name->gone->floor = floor;
    list_remove(&name->gone->link);
    list_push(&all, &name->gone->link);
    if (count > GONE_MOST)
        gone_expire(drop(oldest()));
}

void gone_expire(event_id upto) {
    if (upto > expired)
        expired = upto;
}

event_id gone_expired(void) {
    return expired;
}

event_id gone_take(struct name *name) {
    return name->gone ? take(name->gone) : expired;
}

event_id gone_below(struct name *prefix) {
    event_id floor = expired;
    for (const struct name *at = prefix; at; at = name_next(prefix, (struct name *)at))
        if (at->gone && at->gone->floor > floor)
            floor = at->gone->floor;
    return floor;
}

void gone_clear(void) {
    while (count > 0)
        drop(oldest());
    expired = 0;
}

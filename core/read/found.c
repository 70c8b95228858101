/* found: a topic that has something for a position, which came by a prefix.
 *
 *     position --map--> found: an interest --> topic
 *
 * There may be a million topics below a prefix, so a position keeps in mind only those where
 * something is to be read, and of them so many: a list of a thousand is cheaper than to look for
 * them again, a list of a hundred thousand is not. All lists together may take an eighth of the
 * hub's memory, in which they count; beyond that a position keeps a few. Who has more to read than
 * it can keep in mind lapses (lapse.c).
 *
 * Belongs to its position, under the hub's lock. It must not know why a topic is found. */
#include "read/found.h"

#include "base/must.h"
#include "hub/hub.h"
#include "hub/reader.h"
#include "read/position.h"

#define FOUND_FEW 16

size_t found_most = 1024;

struct found {
    struct interest interest;
    struct map_node node;
    const struct topic *key; /* its address is the key */
};

static struct found *of_interest(struct interest *interest) {
    return CONTAINER_OF(interest, struct found, interest);
}

static void count(int64_t bytes) {
    hub.found += (uint64_t)bytes;
    atomic_fetch_add_explicit(&hub.memory, (uint_fast64_t)bytes, memory_order_relaxed);
}

struct interest *found_get(const struct position *position, const struct topic *topic) {
    struct map_node *node = map_find(&position->mind->found, topic_key(&topic));
    return node ? &CONTAINER_OF(node, struct found, node)->interest : NULL;
}

struct interest *found_add(struct position *position, struct topic *topic) {
    MUST(hub_is_locked());
    MUST(found_get(position, topic) == NULL);
    struct found *found = pool_alloc(&position->reader->loop->pool, sizeof *found);
    interest_init(&found->interest, position, topic);
    found->key = topic;
    map_insert(&position->mind->found, &found->node, topic_key(&found->key));
    interest_link_news(&found->interest);
    count(sizeof *found);
    return &found->interest;
}

void found_free(struct interest *interest) {
    MUST(hub_is_locked());
    MUST(interest_is_found(interest));
    struct found *found = of_interest(interest);
    struct position *position = interest->position;
    map_remove(&position->mind->found, &found->node);
    interest_fini(interest);
    pool_free(&position->reader->loop->pool, found, sizeof *found);
    count(-(int64_t)sizeof *found);
}

void found_free_all(struct position *position) {
    struct list *next;
    for (struct list *at = position->news.next; at != &position->news; at = next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_news);
        next = at->next;
        if (interest_is_found(interest))
            found_free(interest);
    }
}

bool found_is_full(const struct position *position) {
    size_t most =
        hub.found > hub.memory_limit / 8 && found_most > FOUND_FEW ? FOUND_FEW : found_most;
    return position->mind->found.count >= most;
}

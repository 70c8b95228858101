/* named: a topic that a position has chosen by its name.
 *
 *     position --only--> the first one
 *              --map---> the others, each an interest --> topic
 *
 * Most positions have one topic, and pay for no more than a pointer. Some have a thousand, and who
 * asks for one of them, as for each name of a long list, must not walk through all.
 *
 * Belongs to its position, under the hub's lock. It must not know what is read, nor who is told. */
#include "read/named.h"

#include "base/mem.h"
#include "read/position.h"

#include <stdlib.h>

struct named {
    struct interest interest;
    struct map_node node;
    const struct topic *key; /* its address is the key */
};

struct interest *named_get(const struct position *position, const struct topic *topic) {
    if (position->only.topic == topic)
        return (struct interest *)&position->only;
    struct map_node *node = position->named ? map_find(position->named, topic_key(&topic)) : NULL;
    return node ? &CONTAINER_OF(node, struct named, node)->interest : NULL;
}

static struct interest *make(struct position *position, const struct topic *topic) {
    if (position->named == NULL) {
        position->named = mem_alloc(sizeof *position->named);
        map_init(position->named);
    }
    struct named *named = mem_alloc(sizeof *named);
    named->key = topic;
    map_insert(position->named, &named->node, topic_key(&named->key));
    return &named->interest;
}

struct interest *named_add(struct position *position, struct topic *topic) {
    struct interest *interest = position->only.topic ? make(position, topic) : &position->only;
    interest_init(interest, position, topic);
    list_push(&position->interests, &interest->in_position);
    position->chosen++;
    return interest;
}

static void unmap(struct position *position, struct named *named) {
    map_remove(position->named, &named->node);
    if (position->named->count > 0)
        return;
    free(position->named);
    position->named = NULL;
}

void named_free(struct interest *interest) {
    struct position *position = interest->position;
    position->chosen--;
    interest_fini(interest);
    if (interest == &position->only) {
        position->only.topic = NULL;
        return;
    }
    struct named *named = CONTAINER_OF(interest, struct named, interest);
    unmap(position, named);
    free(named);
}

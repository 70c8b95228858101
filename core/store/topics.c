/* topics: what the store remembers of each topic: its number in the file, its floor, its last
 * id, how much it holds.
 *
 * The writer changes topics while a transaction is under way; the reader and the hub must see only
 * what is committed. So a topic has two states, and a transaction a list of the topics it touched:
 *
 *     now  --topics_commit, under the lock-->  committed
 *     now  <--topics_rollback----------------  committed
 *
 * The writer alone changes the map, under the lock, so it may look things up without. What is
 * forgotten is forgotten at the end of a transaction, so nothing is made again within the same one.
 * It knows nothing of SQLite. */
#include "store/topics.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void topics_init(struct topics *topics) {
    *topics = (struct topics){.next_number = 1};
    map_init(&topics->map);
    pthread_mutex_init(&topics->lock, NULL);
    list_init(&topics->touched);
}

static struct kept_topic *of_node(const struct map_node *node) {
    return node ? CONTAINER_OF(node, struct kept_topic, node) : NULL;
}

static void free_topic(struct kept_topic *topic) {
    free(topic->ahead);
    free(topic);
}

void topics_fini(struct topics *topics) {
    struct map_node *next;
    for (struct map_node *node = map_next(&topics->map, NULL); node; node = next) {
        next = map_next(&topics->map, node);
        map_remove(&topics->map, node);
        free_topic(of_node(node));
    }
    map_fini(&topics->map);
    pthread_mutex_destroy(&topics->lock);
}

const struct kept_topic *topics_next(struct topics *topics, const struct kept_topic *topic) {
    do
        topic = of_node(map_next(&topics->map, topic ? &topic->node : NULL));
    while (topic && topic->fresh);
    return topic;
}

const struct kept_topic *topics_committed(struct topics *topics, struct str name) {
    const struct kept_topic *topic = of_node(map_find(&topics->map, name));
    return topic && topic->fresh ? NULL : topic;
}

static struct kept_topic *make(struct str name, int64_t number) {
    struct kept_topic *topic = mem_zalloc(sizeof *topic + name.len);
    topic->number = number;
    topic->node.key = (struct str){topic->name, name.len};
    memcpy(topic->name, name.ptr, name.len);
    list_init(&topic->touched);
    return topic;
}

/* Under the lock. */
static void discard(struct topics *topics, struct kept_topic *topic) {
    map_remove(&topics->map, &topic->node);
    free_topic(topic);
}

void topics_load(struct topics *topics, int64_t number, struct str name, uint64_t floor,
                 uint64_t oldest, uint64_t last) {
    struct kept_topic *topic = make(name, number);
    topic->now.floor = floor;
    topic->now.oldest = oldest;
    topic->now.last = last > floor ? last : floor;
    topic->committed = topic->now;
    topics->empty += topic_is_spent(&topic->now);
    map_insert(&topics->map, &topic->node, topic->node.key);
    if (number >= topics->next_number)
        topics->next_number = number + 1;
    if (topic->now.last > topics->last_id)
        topics->last_id = topic->now.last;
}

void topics_load_end(struct topics *topics, struct str name, uint64_t end) {
    struct kept_topic *topic = of_node(map_find(&topics->map, name));
    if (topic == NULL)
        return;
    topics->empty -= topic_is_spent(&topic->now);
    topic->now.end = end;
    if (end > topic->now.last)
        topic->now.last = end;
    topic->committed = topic->now;
    if (end > topics->last_id)
        topics->last_id = end;
}

/* --- the writer's transaction --- */

struct kept_topic *topics_find(struct topics *topics, struct str name) {
    return of_node(map_find(&topics->map, name));
}

void topics_touch(struct topics *topics, struct kept_topic *topic) {
    if (list_empty(&topic->touched))
        list_push(&topics->touched, &topic->touched);
}

struct kept_topic *topics_add(struct topics *topics, struct str name) {
    struct kept_topic *topic = make(name, topics->next_number++);
    topic->fresh = true;
    topics_touch(topics, topic);
    pthread_mutex_lock(&topics->lock);
    map_insert(&topics->map, &topic->node, topic->node.key);
    pthread_mutex_unlock(&topics->lock);
    return topic;
}

static int by_id(const void *a, const void *b) {
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
    return one < other ? -1 : one > other;
}

uint64_t topics_oldest_empty(struct topics *topics, size_t left) {
    uint64_t *ids = mem_alloc((topics->empty + 1) * sizeof *ids), limit = 0;
    size_t n = 0;
    for (struct map_node *at = NULL; (at = map_next(&topics->map, at)) != NULL;)
        if (n < topics->empty && topic_is_spent(&of_node(at)->now))
            ids[n++] = of_node(at)->now.last;
    qsort(ids, n, sizeof *ids, by_id);
    if (n > left)
        limit = ids[n - left - 1];
    free(ids);
    return limit;
}

static void raise(uint64_t *value, uint64_t least) {
    if (*value < least)
        *value = least;
}

void topics_commit(struct topics *topics) {
    struct list *node;
    pthread_mutex_lock(&topics->lock);
    raise(&topics->last_id, topics->spent);
    topics->gone = topics->now_gone;
    while ((node = list_pop(&topics->touched)) != NULL) {
        struct kept_topic *topic = CONTAINER_OF(node, struct kept_topic, touched);
        raise(&topics->last_id, topic->now.last);
        topics->empty -= !topic->fresh && topic_is_spent(&topic->committed);
        topics->empty += !topic->gone && topic_is_spent(&topic->now);
        topic->committed = topic->now;
        topic->fresh = false;
        if (topic->gone)
            discard(topics, topic);
    }
    pthread_mutex_unlock(&topics->lock);
}

void topics_rollback(struct topics *topics) {
    struct list *node;
    pthread_mutex_lock(&topics->lock);
    topics->now_gone = topics->gone;
    while ((node = list_pop(&topics->touched)) != NULL) {
        struct kept_topic *topic = CONTAINER_OF(node, struct kept_topic, touched);
        topic->now = topic->committed;
        topic->gone = false;
        if (topic->ahead)
            topic->ahead->at = topic->ahead->count = 0;
        if (topic->fresh)
            discard(topics, topic);
    }
    pthread_mutex_unlock(&topics->lock);
}

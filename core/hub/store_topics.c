/* store_topics: what the store remembers of each topic: its number in the file, its floor, its last
 * id, how much it holds.
 *
 * The writer changes topics while a transaction is under way; the reader and the hub must see only
 * what is committed. So a topic has two states, and a transaction a list of the topics it touched:
 *
 *     now  --topics_commit, under the lock-->  committed
 *     now  <--topics_rollback----------------  committed
 *
 * The table is a hash with chains; the writer alone changes it, under the lock, so it may look
 * things up without. A topic forgotten and made anew within one transaction stands there twice, the
 * old one for everybody, the new one for the writer. It knows nothing of SQLite. */
#include "hub/store_topics.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 64

void topics_init(struct topics *topics) {
    *topics = (struct topics){.mask = BUCKETS_FIRST - 1, .next_number = 1};
    topics->buckets = mem_zalloc(BUCKETS_FIRST * sizeof *topics->buckets);
    pthread_mutex_init(&topics->lock, NULL);
    list_init(&topics->touched);
}

static void free_topic(struct topic *topic) {
    free(topic->ahead);
    free(topic);
}

void topics_fini(struct topics *topics) {
    for (size_t i = 0; i <= topics->mask; i++) {
        while (topics->buckets[i]) {
            struct topic *topic = topics->buckets[i];
            topics->buckets[i] = topic->next;
            free_topic(topic);
        }
    }
    free(topics->buckets);
    pthread_mutex_destroy(&topics->lock);
}

/* --- the table --- */

/* FNV-1a: names are short. Whoever picks names to collide slows down his own topics' writer. */
static uint64_t hash_of(struct str name) {
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.ptr[i]) * 1099511628211u;
    return hash ^ hash >> 32;
}

static void grow(struct topics *topics) {
    size_t mask = topics->mask * 2 + 1;
    struct topic **buckets = mem_zalloc((mask + 1) * sizeof *buckets);
    for (size_t i = 0; i <= topics->mask; i++) {
        for (struct topic *topic = topics->buckets[i], *next; topic; topic = next) {
            next = topic->next;
            topic->next = buckets[topic->hash & mask];
            buckets[topic->hash & mask] = topic;
        }
    }
    free(topics->buckets);
    topics->buckets = buckets;
    topics->mask = mask;
}

static struct topic *insert(struct topics *topics, struct str name, int64_t number, bool fresh) {
    struct topic *topic = mem_zalloc(sizeof *topic + name.len);
    topic->hash = hash_of(name);
    topic->number = number;
    topic->fresh = fresh;
    topic->name_len = name.len;
    memcpy(topic->name, name.ptr, name.len);
    list_init(&topic->touched);
    pthread_mutex_lock(&topics->lock);
    if (++topics->count > topics->mask)
        grow(topics);
    struct topic **bucket = &topics->buckets[topic->hash & topics->mask];
    topic->next = *bucket;
    *bucket = topic;
    pthread_mutex_unlock(&topics->lock);
    return topic;
}

/* Under the lock. */
static void drop(struct topics *topics, struct topic *topic) {
    struct topic **at = &topics->buckets[topic->hash & topics->mask];
    while (*at != topic)
        at = &(*at)->next;
    *at = topic->next;
    topics->count--;
    free_topic(topic);
}

static struct topic *next_of_name(struct topic *topic, uint64_t hash, struct str name) {
    while (topic && (topic->hash != hash || !str_eq(topic_name(topic), name)))
        topic = topic->next;
    return topic;
}

static struct topic *first_of_name(struct topics *topics, struct str name) {
    uint64_t hash = hash_of(name);
    return next_of_name(topics->buckets[hash & topics->mask], hash, name);
}

void topics_load(struct topics *topics, int64_t number, struct str name, uint64_t floor,
                 uint64_t last) {
    struct topic *topic = insert(topics, name, number, false);
    topic->now.floor = floor;
    topic->now.last = last > floor ? last : floor;
    topic->committed = topic->now;
    if (number >= topics->next_number)
        topics->next_number = number + 1;
    if (topic->now.last > topics->last_id)
        topics->last_id = topic->now.last;
}

const struct topic *topics_committed(struct topics *topics, struct str name) {
    struct topic *topic = first_of_name(topics, name);
    while (topic && topic->fresh)
        topic = next_of_name(topic->next, topic->hash, name);
    return topic;
}

/* --- the writer's transaction --- */

struct topic *topics_find(struct topics *topics, struct str name) {
    struct topic *topic = first_of_name(topics, name);
    while (topic && topic->gone)
        topic = next_of_name(topic->next, topic->hash, name);
    return topic;
}

void topics_touch(struct topics *topics, struct topic *topic) {
    if (list_empty(&topic->touched))
        list_push(&topics->touched, &topic->touched);
}

struct topic *topics_add(struct topics *topics, struct str name) {
    struct topic *topic = insert(topics, name, topics->next_number++, true);
    topics_touch(topics, topic);
    return topic;
}

static void raise(uint64_t *value, uint64_t least) {
    if (*value < least)
        *value = least;
}

void topics_commit(struct topics *topics) {
    struct list *node;
    pthread_mutex_lock(&topics->lock);
    raise(&topics->last_id, topics->forgotten);
    while ((node = list_pop(&topics->touched)) != NULL) {
        struct topic *topic = CONTAINER_OF(node, struct topic, touched);
        raise(&topics->last_id, topic->now.last);
        topic->committed = topic->now;
        topic->fresh = false;
        if (topic->gone)
            drop(topics, topic);
    }
    pthread_mutex_unlock(&topics->lock);
}

void topics_rollback(struct topics *topics) {
    struct list *node;
    pthread_mutex_lock(&topics->lock);
    while ((node = list_pop(&topics->touched)) != NULL) {
        struct topic *topic = CONTAINER_OF(node, struct topic, touched);
        topic->now = topic->committed;
        topic->gone = false;
        if (topic->ahead)
            topic->ahead->at = topic->ahead->count = 0;
        if (topic->fresh)
            drop(topics, topic);
    }
    pthread_mutex_unlock(&topics->lock);
}

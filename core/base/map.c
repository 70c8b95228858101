/* map: a hash map whose nodes are part of what they find.
 *
 * Chains in a table that doubles and halves with the count. Keys come from clients and scripts, so
 * the hash is keyed with random bytes, once per process: SipHash-1-3 (Aumasson and Bernstein,
 * 2012), for which nobody can choose keys that fall into one chain.
 *
 * Belongs to whoever embeds it, who also guards it against other threads. */
#include "base/map.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CAP_MIN 8

/* --- hashing --- */

static uint64_t seed[2];

__attribute__((constructor)) static void make_seed(void) {
    if (getrandom(seed, sizeof seed, 0) != sizeof seed)
        abort();
}

static uint64_t rotate(uint64_t x, int bits) {
    return x << bits | x >> (64 - bits);
}

static void mix(uint64_t v[4]) {
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void take_word(uint64_t v[4], uint64_t word) {
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
}

static uint64_t hash_of(struct str key) {
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
                     seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573};
    uint64_t word;
    size_t left = key.len;
    for (const char *at = key.ptr; left >= sizeof word; at += sizeof word, left -= sizeof word) {
        memcpy(&word, at, sizeof word);
        take_word(v, word);
    }
    word = 0;
    if (left > 0)
        memcpy(&word, key.ptr + key.len - left, left);
    take_word(v, word | (uint64_t)key.len << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- the table --- */

void map_init(struct map *map) {
    *map = (struct map){0};
}

void map_fini(struct map *map) {
    free(map->buckets);
    map_init(map);
}

static struct map_node **bucket(const struct map *map, uint64_t hash) {
    return &map->buckets[hash & (map->cap - 1)];
}

static void link_node(struct map *map, struct map_node *node) {
    struct map_node **head = bucket(map, node->hash);
    node->next = *head;
    *head = node;
}

static void resize(struct map *map, size_t cap) {
    struct map old = *map;
    map->buckets = mem_zalloc(cap * sizeof *map->buckets);
    map->cap = cap;
    for (size_t i = 0; i < old.cap; i++) {
        struct map_node *next;
        for (struct map_node *node = old.buckets[i]; node; node = next) {
            next = node->next;
            link_node(map, node);
        }
    }
    free(old.buckets);
}

struct map_node *map_find(const struct map *map, struct str key) {
    if (map->count == 0)
        return NULL;
    uint64_t hash = hash_of(key);
    struct map_node *node = *bucket(map, hash);
    while (node && (node->hash != hash || !str_eq(node->key, key)))
        node = node->next;
    return node;
}

void map_insert(struct map *map, struct map_node *node, struct str key) {
    if (map->count == map->cap)
        resize(map, map->cap ? map->cap * 2 : CAP_MIN);
    node->key = key;
    node->hash = hash_of(key);
    link_node(map, node);
    map->count++;
}

void map_remove(struct map *map, struct map_node *node) {
    struct map_node **at = bucket(map, node->hash);
    while (*at != node)
        at = &(*at)->next;
    *at = node->next;
    map->count--;
    if (map->count == 0)
        map_fini(map);
    else if (map->cap > CAP_MIN && map->count <= map->cap / 8)
        resize(map, map->cap / 4);
}

struct map_node *map_next(const struct map *map, const struct map_node *node) {
    if (node && node->next)
        return node->next;
    size_t at = node ? (node->hash & (map->cap - 1)) + 1 : 0;
    while (at < map->cap && map->buckets[at] == NULL)
        at++;
    return at < map->cap ? map->buckets[at] : NULL;
}

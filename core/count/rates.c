/* rates: how often a key may come.
 *
 * A bucket is one number: when it will be full again. A token taken moves that on by what one token
 * takes to come; it may lie as far ahead as a whole burst takes, then there is none left (the
 * generic cell rate algorithm, ITU-T I.371). A bucket that is full says no more than one that is
 * not there, so it is forgotten: each shard has its buckets in a heap by that time, drops those
 * that have become full whenever it is used, and rates_sweep does it for shards that nobody uses.
 *
 * Peers choose the keys, so their number has a limit: beyond it the bucket that would be full next
 * makes room, whose owner gains least by it. Keys are kept as a keyed hash of 128 bits, so a bucket
 * has one size, whatever was hashed, and nobody can look for keys that collide.
 *
 * Sharded by the hash, a lock each, so that workers seldom meet. It must not know what keys stand
 * for. */
#include "count/rates.h"

#include "base/clock.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/siphash.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SHARDS 16

struct bucket {
    struct map_node node;
    struct heap_node full; /* rank: when it will be full, ns on the monotonic clock */
    uint64_t hash[2];
};

static struct shard {
    _Alignas(64) pthread_mutex_t lock;
    struct map buckets;
    struct heap by_full;
} shards[SHARDS];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t secret[2];

static void init(void) {
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&shards[i].lock, NULL);
    if (getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret)
        abort(); /* never, once the kernel has seeded it: up to 256 bytes come at once */
}

/* Two hashes under different keys. The limiter's length goes in, so that no key can pass for the
 * end of another limiter's name. */
static void hash_of(struct str limiter, struct str key, uint64_t out[2]) {
    uint64_t inner[4];
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t mine[2] = {secret[0] + i, secret[1]};
        inner[2 * i] = siphash13(mine, limiter);
        inner[2 * i + 1] = siphash13(mine, key);
        out[i] = siphash13(mine, (struct str){(char *)&inner[2 * i], 2 * sizeof *inner});
    }
}

static void forget(struct shard *shard, struct heap_node *node) {
    struct bucket *bucket = CONTAINER_OF(node, struct bucket, full);
    heap_remove(&shard->by_full, node);
    map_remove(&shard->buckets, &bucket->node);
    free(bucket);
}

static void forget_full(struct shard *shard, uint64_t now) {
    struct heap_node *first;
    while ((first = heap_first(&shard->by_full)) != NULL && first->rank <= now)
        forget(shard, first);
}

static struct bucket *find(struct shard *shard, const uint64_t hash[2]) {
    struct map_node *node = map_find(&shard->buckets, (struct str){(const char *)hash, 16});
    return node ? CONTAINER_OF(node, struct bucket, node) : NULL;
}

static struct bucket *add(struct shard *shard, const uint64_t hash[2]) {
    if (shard->buckets.count == RATES_KEYS_MAX / SHARDS)
        forget(shard, heap_first(&shard->by_full));
    struct bucket *bucket = mem_zalloc(sizeof *bucket);
    memcpy(bucket->hash, hash, sizeof bucket->hash);
    map_insert(&shard->buckets, &bucket->node, (struct str){(const char *)bucket->hash, 16});
    return bucket;
}

/* Nanoseconds, of a span that a script may have made as long as it likes. */
static uint64_t span_ns(double seconds) {
    return seconds < 1e9 ? (uint64_t)(seconds * 1e9) : (uint64_t)1e18;
}

static uint64_t take(struct shard *shard, const uint64_t hash[2], const struct rate *rate) {
    uint64_t now = clock_mono_ns();
    forget_full(shard, now);
    struct bucket *bucket = find(shard, hash);
    uint64_t full = bucket ? bucket->full.rank : now;
    uint64_t next = full + span_ns(1 / rate->per_second);
    uint64_t latest = now + span_ns(rate->burst / rate->per_second);
    if (next > latest)
        return (next - latest + 999999) / 1000000;
    if (bucket == NULL)
        bucket = add(shard, hash);
    heap_put(&shard->by_full, &bucket->full, next);
    return 0;
}

uint64_t rates_take(struct str limiter, struct str key, const struct rate *rate) {
    uint64_t hash[2];
    pthread_once(&once, init);
    hash_of(limiter, key, hash);
    struct shard *shard = &shards[hash[0] % SHARDS];
    pthread_mutex_lock(&shard->lock);
    uint64_t after = take(shard, hash, rate);
    pthread_mutex_unlock(&shard->lock);
    return after;
}

/* Those that will be full by then; returns how many are left. */
static size_t sweep(uint64_t by) {
    size_t left = 0;
    pthread_once(&once, init);
    for (int i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&shards[i].lock);
        forget_full(&shards[i], by);
        left += shards[i].buckets.count;
        pthread_mutex_unlock(&shards[i].lock);
    }
    return left;
}

size_t rates_sweep(void) {
    return sweep(clock_mono_ns());
}

void rates_clear(void) {
    sweep(UINT64_MAX);
}

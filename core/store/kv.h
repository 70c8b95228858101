/* kv: named sets of pairs in the store: what is behind weir.store. Keys and values are bytes
 * of any kind; whoever calls knows what they mean, and limits them. */
#ifndef STORE_KV_H
#define STORE_KV_H

#include "store/store.h"
#include "net/loop.h"

enum kv_kind {
    KV_GET,
    KV_LIST,   /* a page of the pairs whose keys begin with `key` and are larger than `from` */
    KV_SET,    /* `value`, until `ttl_ms` from now */
    KV_DELETE, /* `found`: there was one */
    KV_CLEAR,  /* all pairs of all names */
    KV_SWAP,   /* `value` (or nothing) takes the place of `expected` (or nothing); a value that is
                  replaced leaves its end of life */
};

struct kv_pair {
    size_t at; /* the key, then the value, stand in call->bytes from here on */
    size_t key_len, value_len;
};

/* One question and its answer. Made by kv_new on the thread of its loop, filled, given to
 * kv_submit; comes back by `done` there, and is then freed with kv_free, unless it was abandoned.
 */
struct kv_call {
    struct store_op op;
    enum kv_kind kind;
    struct loop *loop;
    void (*done)(struct kv_call *call);
    void *arg; /* the caller's */

    struct buf name, key;
    struct buf value, expected;
    bool has_value, has_expected; /* of KV_SWAP: else there is to be none, was none */
    uint64_t ttl_ms;              /* of KV_SET; 0: for ever */
    struct buf from;              /* of KV_LIST */
    size_t pairs_max, bytes_max;

    int error;        /* 0, UV_EIO, UV_ENOSPC, UV_ECANCELED */
    bool found;       /* there is, or was, a value; of KV_GET and a KV_SWAP that failed: `bytes` */
    bool swapped;     /* else `bytes` is what stands there instead */
    bool more;        /* of KV_LIST */
    struct buf bytes; /* the value, or the pairs */
    struct kv_pair *pairs;
    size_t npairs, pairs_cap;

    struct mail mail; /* the rest is the store's own, under its lock */
    int state;
};

struct kv_call *kv_new(struct loop *loop, enum kv_kind kind, void (*done)(struct kv_call *call),
                       void *arg);
/* Queues it: writes to the writer, whose answer comes after the commit, the others to the reader,
 * which sees all that was committed before. */
void kv_submit(struct store *store, struct kv_call *call);
/* From the loop's thread, after kv_submit and before `done`: nobody waits for it any more. `done`
 * is not called, the call is freed. A write may still be done. */
void kv_abandon(struct store *store, struct kv_call *call);
void kv_free(struct kv_call *call);

static inline struct str kv_pair_key(const struct kv_call *call, size_t i) {
    return (struct str){call->bytes.data + call->pairs[i].at, call->pairs[i].key_len};
}

static inline struct str kv_pair_value(const struct kv_call *call, size_t i) {
    const struct kv_pair *pair = &call->pairs[i];
    return (struct str){call->bytes.data + pair->at + pair->key_len, pair->value_len};
}

#endif

/* keys: which event is the newest of its key, for one who conflates. */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "base/buf.h"
#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

struct keys_chunk;

struct keys { /* all zeroes: empty, no memory */
    struct map map;
    struct keys_chunk *chunks; /* of its nodes */
    size_t bytes;              /* they have */
    struct buf text;           /* scratch: a key as the map knows it */
    /* The pass has been through the topics before `topic`, and of that one up to `at`; */
    uint32_t topic;
    uint64_t at;
    bool whole; /* or through all */
};

/* How many bytes they may take; keys that come when these are used up are not noted. For tests. */
extern size_t keys_bytes_most;

void keys_fini(struct keys *keys);
/* An event of the topic with that number, in order of ids; a key of no bytes is none. */
void keys_note(struct keys *keys, uint32_t topic, struct str key, uint64_t id);
/* Whether a newer one than `id` has been noted. */
bool keys_supersede(struct keys *keys, uint32_t topic, struct str key, uint64_t id);

#endif

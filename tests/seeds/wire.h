/* wire: the bytes of an answer as a client reads them, by code that is not the server's. */
#ifndef TESTS_SEEDS_WIRE_H
#define TESTS_SEEDS_WIRE_H

#include "base/buf.h"

#include <stdbool.h>

struct wire {
    struct buf raw;  /* as it came, from the first byte that is not understood yet */
    struct buf body; /* without the chunks, the same */
    bool framed;     /* in chunks */
    bool begun;      /* the head has come */
    bool over;       /* so has the last chunk, */
    bool declined;   /* ... or there is none: the answer is 204 */
    size_t seen;     /* of `body`, by the last event */
};

/* NUL-terminated, until the next call. */
struct wire_event {
    char name[16], id[32]; /* "message", "" if it has none */
    char data[64];         /* its beginning */
};

/* The bytes that come belong to a new answer. */
void wire_reset(struct wire *wire, bool framed);
/* NULL, or what is wrong with them. */
const char *wire_feed(struct wire *wire, const char *bytes, size_t n);
/* The next event that is complete; false: there is none. */
bool wire_next(struct wire *wire, struct wire_event *event);
void wire_fini(struct wire *wire);

#endif

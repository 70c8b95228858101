/* client: a stream with the program's own subscription, over a connection that the run lets take as
 * many bytes as it likes. */
#ifndef TESTS_SEEDS_CLIENT_H
#define TESTS_SEEDS_CLIENT_H

#include "http/stream.h"
#include "record.h"
#include "wire.h"

struct worker;

struct client {
    struct record record;
    struct stream *stream; /* NULL: not connected */
    struct worker *worker;
    struct subscription *sub;
    bool framed;      /* HTTP/1.1 */
    size_t room;      /* bytes that it still takes; SIZE_MAX: all */
    struct buf waits; /* what it has been sent and has not taken */
    struct buf taken; /* what it has, and has not looked at */
    struct wire wire;
    bool closing;  /* the stream has finished: the connection ends behind `waits` */
    bool slow;     /* it was ended because it reads too slowly */
    bool declined; /* it was answered 204 */
};

/* Prints what clients get. */
extern bool client_tracing;

void client_init(struct client *client, unsigned number);
/* A new stream, without topics yet. `limit`: events, of its policy. */
void client_connect(struct client *client, struct worker *worker, enum overflow overflow,
                    uint32_t limit, bool framed);
void client_choose(struct client *client, size_t choice, enum beginning how, uint64_t last);
void client_leave(struct client *client, size_t choice);
/* The connection breaks. */
void client_cut(struct client *client);
/* The server ends the stream well, as sse:close() does. */
void client_end(struct client *client);
/* It takes so many bytes more. */
void client_take(struct client *client, size_t room);
/* Looks at what it has. */
void client_check(struct client *client);
bool client_is_behind(const struct client *client);
void client_fini(struct client *client);

#endif

/* subscription: a stream that is sent what its topics get. */
#ifndef READ_SUBSCRIPTION_H
#define READ_SUBSCRIPTION_H

#include "http/stream.h"
#include "read/position.h"

struct subscription {
    struct position position;
    struct producer producer;
    struct stream *stream;
    bool blocked;  /* the peer has not taken what it was sent: until the stream drains */
    bool flushing; /* somebody waits until what was published is with the kernel */
};

struct subscription_options {
    enum overflow overflow;
    struct position_limit limit;
    struct str subject; /* ptr NULL: none */
};

/* The stream's subscription, or NULL. */
struct subscription *subscription_of(const struct stream *stream);
/* Makes one, without topics yet, on a stream that has no producer. It goes with the stream. */
struct subscription *subscription_new(struct stream *stream, struct reader *reader,
                                      const struct subscription_options *options);
/* Somebody waits until what has been published by now is with the kernel: the id of the newest.
 * Whenever that may be so the stream's owner gets on_writable; it resets `flushing` when nobody
 * waits any more. */
event_id subscription_flush(struct subscription *sub);
bool subscription_is_flushed(struct subscription *sub, event_id upto);

#endif

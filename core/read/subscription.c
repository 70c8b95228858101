/* subscription: a stream that is sent what its topics get.
 *
 *     news --> span_read --> send --all taken--> up to date
 *                                   \--not all--> blocked --the stream drains--> served again
 *
 * It is the producer of its stream and holds a position; from here on no Lua runs for the client.
 * What the topics keep is sent as it lies there, if the stream is framed in chunks; others get a
 * copy without the chunk lines. A peer that does not read costs the rest of one entry and nothing
 * else: what comes meanwhile stays in the topics, and the policy says what becomes of it.
 *
 * A good end, and a flush, is an id: the newest at that moment. What has been published up to there
 * is delivered as ever, by the same reading; then the stream is finished, or who waits is told.
 *
 * Freed with its stream. It must not know of Lua. */
#include "read/subscription.h"

#include "base/mem.h"
#include "http/sse.h"
#include "read/span.h"

#include <string.h>

#define COPY_MAX 4096 /* a longer rest of an entry holds its slab instead */

static struct subscription *of_position(struct position *position) {
    return CONTAINER_OF(position, struct subscription, position);
}

/* --- sending --- */

static void keep_rest(struct stream *stream, const struct piece *rest, size_t n) {
    stream_queue_chunks(stream, n > COPY_MAX ? rest->slab : NULL, rest->bytes, n);
}

/* What the position passes, the stream has sent, or has been told that it lost. */
static size_t advance(struct subscription *sub, const struct span *span, size_t taken,
                      struct piece *rest) {
    const struct hub_counters *counters = &sub->position.reader->counters;
    uint64_t delivered = counters->delivered, lost = counters->lost;
    size_t n = span_advance(&sub->position, span, taken, rest);
    sub->stream->delivered += counters->delivered - delivered;
    sub->stream->lost += counters->lost - lost;
    return n;
}

/* Sends the span as it is. Returns how much of it has been read with that; 0 as well when that has
 * ended the stream, and with it the subscription. */
static size_t send_chunks(struct subscription *sub, const struct span *span) {
    struct stream *stream = sub->stream;
    struct iovec iov[SPAN_PIECES];
    for (int i = 0; i < span->count; i++)
        iov[i] = (struct iovec){(char *)span->pieces[i].bytes, span->pieces[i].len};
    size_t taken = stream_send_chunks(stream, iov, span->count, span->bytes);
    if (subscription_of(stream) == NULL)
        return 0;
    struct piece rest;
    size_t n = advance(sub, span, taken, &rest);
    if (n > 0)
        keep_rest(stream, &rest, n);
    sub->blocked = taken < span->bytes;
    return taken + n;
}

/* Copies entry by entry until the stream is full. */
static size_t send_copies(struct subscription *sub, const struct span *span) {
    struct stream *stream = sub->stream;
    size_t taken = 0;
    for (int i = 0; i < span->count && subscription_of(stream) && !stream_is_full(stream); i++) {
        struct str chunks = {span->pieces[i].bytes, span->pieces[i].len};
        while (chunks.len > 0 && subscription_of(stream) && !stream_is_full(stream)) {
            size_t before = chunks.len;
            struct str text = span_cut_chunk(&chunks);
            stream_produce(stream, text.ptr, text.len);
            taken += before - chunks.len;
        }
    }
    if (subscription_of(stream) == NULL)
        return 0;
    struct piece rest;
    advance(sub, span, taken, &rest);
    sub->blocked = taken < span->bytes;
    return taken;
}

/* --- being served --- */

static void go(struct subscription *sub) {
    counter_add(&sub->position.reader->counters.disconnected, 1);
    stream_abort(sub->stream, REASON_OVERFLOW, "the client reads too slowly");
}

/* There is news for a peer that does not read. */
static void fall_behind(struct subscription *sub) {
    enum overflow overflow = sub->position.policy.overflow;
    if (!policy_counts(&sub->position.policy)) {
        position_rest(&sub->position);
    } else if (policy_is_over(&sub->position)) {
        if (overflow == OVERFLOW_DISCONNECT)
            go(sub);
        else
            policy_set_fence(&sub->position);
    }
}

/* Sends what there is, as much as one turn may have. */
static void serve(struct subscription *sub) {
    struct stream *stream = sub->stream;
    struct reader *reader = sub->position.reader;
    struct span *span = reader->span;
    size_t most = stream->server->limits.turn_bytes, sent = 0;
    bool framed = stream_takes_chunks(stream);
    bool more = true;
    while (more && !sub->blocked) {
        if (sent >= most) {
            position_serve(&sub->position);
            return;
        }
        span_read(&sub->position, span, most - sent);
        size_t read = 0;
        if (span->count > 0)
            read = framed ? send_chunks(sub, span) : send_copies(sub, span);
        if (subscription_of(stream) == NULL)
            return;
        if (span->ended && read == span->bytes) {
            stream_finish(stream);
            return;
        }
        more = span->count > 0 && (span->more || position_reads_on(&sub->position));
        sent += read;
    }
}

static void on_news(struct position *position) {
    struct subscription *sub = of_position(position);
    struct stream *stream = stream_ref(sub->stream);
    if (stream->state == STREAM_OPEN)
        sse_open(stream); /* for HEAD that is the end */
    if (stream_is_live(stream) && sub->blocked)
        fall_behind(sub);
    else if (stream_is_live(stream))
        serve(sub);
    if (stream_is_live(stream) && sub->flushing && stream_queued(stream) == 0)
        stream_drained(stream); /* whoever waits for that is told, and looks whether this is it */
    stream_unref(stream);
}

static void on_overflow(struct position *position) {
    go(of_position(position));
}

static const struct position_ops position_ops = {.news = on_news, .overflow = on_overflow};

/* --- flushing --- */

event_id subscription_flush(struct subscription *sub) {
    sub->flushing = true;
    position_serve(&sub->position);
    return position_newest();
}

bool subscription_is_flushed(struct subscription *sub, event_id upto) {
    return stream_queued(sub->stream) == 0 && position_has_read(&sub->position, upto);
}

/* --- the stream's side --- */

static void proceed(struct producer *producer, struct stream *stream) {
    (void)stream;
    struct subscription *sub = CONTAINER_OF(producer, struct subscription, producer);
    if (!sub->blocked)
        return;
    sub->blocked = false;
    position_serve(&sub->position);
}

/* In the next turn at the latest. */
static void end(struct producer *producer, struct stream *stream) {
    (void)stream;
    position_end(&CONTAINER_OF(producer, struct subscription, producer)->position);
}

/* Who comes back from the end of all is told to stay away. */
static bool answer(struct producer *producer, struct stream *stream) {
    bool done = position_is_done(&CONTAINER_OF(producer, struct subscription, producer)->position);
    if (done)
        sse_decline(stream);
    return done;
}

static void stop(struct producer *producer, struct stream *stream) {
    struct subscription *sub = CONTAINER_OF(producer, struct subscription, producer);
    position_fini(&sub->position);
    pool_free(&stream->server->loop->pool, sub, sizeof *sub);
}

static const struct producer_ops producer_ops = {
    .proceed = proceed, .stop = stop, .end = end, .open = answer};

struct subscription *subscription_of(const struct stream *stream) {
    struct producer *producer = stream->producer;
    return producer && producer->ops == &producer_ops
               ? CONTAINER_OF(producer, struct subscription, producer)
               : NULL;
}

struct subscription *subscription_new(struct stream *stream, struct reader *reader,
                                      const struct subscription_options *options) {
    struct subscription *sub = pool_zalloc(&stream->server->loop->pool, sizeof *sub);
    position_init(&sub->position, reader, &position_ops);
    sub->position.is_stream = true;
    sub->position.nameless = sse_is_nameless(stream);
    sub->producer.ops = &producer_ops;
    sub->stream = stream;
    policy_set(&sub->position, options->overflow, options->limit);
    position_set_subject(&sub->position, options->subject);
    stream_attach(stream, &sub->producer);
    return sub;
}

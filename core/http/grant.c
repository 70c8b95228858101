/* grant: what a stream's token gives it: in whose name it is open, and until when.
 *
 *     grant_set --the answer opens, and its end is not known--> timed --at the end--> withdrawn
 *                                                                 \--renewed: timed again--/
 *
 * Only an answer that streams is timed: one with an end was allowed when it was asked for, and
 * comes to it by itself. The timer is this object's, so that streams without a token pay for a
 * pointer and nothing else. The end is wall time, which is set, and goes on while a machine sleeps,
 * so the clock is looked at again at least once a minute.
 *
 * Withdrawing needs no script: it happens between two writes, so between events, since whoever
 * writes events queues whole ones. Belongs to its stream. It must not know of tokens, nor of Lua.
 */
#include "http/grant.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 60000
#define SECONDS_MAX 9e12 /* further away is never */

struct grant {
    struct timer timer;
    struct stream *stream;
    struct tallied *counted; /* under its subject; NULL: it has none, or there is no limit */
    int64_t end_ms;
    bool named;
    char subject[];
};

int64_t grant_end_of(double seconds) {
    if (!(seconds < SECONDS_MAX)) /* not a number either */
        return GRANT_FOREVER;
    return seconds < 0 ? 0 : (int64_t)(seconds * 1000);
}

static bool is_streaming(const struct stream *stream) {
    return stream_is_live(stream) && stream->open_ended;
}

/* A time past fires at once, but not from within the caller. */
static void arm(struct grant *grant) {
    int64_t left = grant->end_ms - clock_wall_ms();
    uint64_t wait = left < 0 ? 0 : left > LOOK_MS ? LOOK_MS : (uint64_t)left;
    timer_clear(&grant->timer);
    if (grant->end_ms != GRANT_FOREVER)
        loop_timer(grant->stream->server->loop, &grant->timer, wait);
}

static void on_timer(struct timer *timer) {
    struct grant *grant = CONTAINER_OF(timer, struct grant, timer);
    if (!is_streaming(grant->stream))
        return;
    if (clock_wall_ms() < grant->end_ms)
        arm(grant);
    else
        grant_withdraw(grant->stream, REASON_EXPIRED);
}

/* The grant becomes one of its subject's, whose streams may be limited. */
static int join(struct grant *grant) {
    struct http_server *server = grant->stream->server;
    if (!grant->named || server->limits.streams_per_sub == 0)
        return 0;
    grant->counted = http_server_join(server, str_of(grant->subject));
    return grant->counted ? 0 : STREAM_ELIMIT;
}

static struct grant *grant_new(struct stream *stream, struct str subject, int64_t end_ms) {
    struct grant *grant = mem_zalloc(sizeof *grant + subject.len + 1);
    *grant = (struct grant){.stream = stream, .end_ms = end_ms, .named = subject.ptr != NULL};
    if (subject.len > 0)
        memcpy(grant->subject, subject.ptr, subject.len);
    timer_init(&grant->timer, on_timer);
    return grant;
}

int grant_set(struct stream *stream, struct str subject, int64_t end_ms) {
    if (stream->state == STREAM_CLOSED)
        return 0;
    grant_free(stream->grant);
    stream->grant = grant_new(stream, subject, end_ms);
    if (join(stream->grant) < 0) {
        grant_free(stream->grant);
        stream->grant = NULL;
        return STREAM_ELIMIT;
    }
    if (is_streaming(stream))
        arm(stream->grant);
    return 0;
}

void grant_renew(struct stream *stream, int64_t end_ms) {
    struct grant *grant = stream->grant;
    if (grant == NULL) {
        grant_set(stream, (struct str){NULL, 0}, end_ms);
        return;
    }
    grant->end_ms = end_ms;
    if (is_streaming(stream))
        arm(grant);
}

const char *grant_subject(const struct stream *stream) {
    return stream->grant && stream->grant->named ? stream->grant->subject : NULL;
}

void grant_withdraw(struct stream *stream, enum stream_reason reason) {
    if (stream->state > STREAM_ENDING)
        return;
    if (stream->manner == NULL) {
        stream_abort(stream, reason, NULL);
        return;
    }
    const struct manner_ops *manner = stream->manner->ops;
    stream->policy = WRITE_BLOCK; /* what is said at the end is not dropped */
    stream_ref(stream);
    manner->open(stream); /* for HEAD that is the end already */
    manner->withdrawn(stream, reason);
    stream_finish_because(stream, reason);
    stream_unref(stream);
}

void grant_opened(struct stream *stream) {
    if (stream->grant)
        arm(stream->grant);
}

void grant_free(struct grant *grant) {
    if (grant == NULL)
        return;
    timer_clear(&grant->timer);
    if (grant->counted)
        http_server_leave(grant->counted);
    free(grant);
}

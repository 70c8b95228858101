/* listing: which streams the workers have, and what each of them is at, for scripts and for who
 * operates the server.
 *
 *     each worker: those that are meant --the first of them: rows--> all rows, the first of these
 *
 * The one that stands first by its backlog is the one that does not read: that is what the kernel
 * has not taken of what was written to it, and what its topics have for it beyond that. A worker
 * makes rows of its own first streams only, since no others can be among the first of all; so who
 * wants twenty of ten thousand pays for a number of each and a row of few. A row is numbers and,
 * behind them, texts, and holds nothing of the stream, which may have ended when the row is read.
 *
 * Here is said what a row tells, whoever shows it, and which streams a choice means; who asks all
 * workers, and how the answer looks, is not known here. */
#include "exchange/listing.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/grant.h"
#include "hub/lock.h"
#include "read/subscription.h"

#include <stdlib.h>

const char *const listing_orders[] = {"backlog", "age", "sent", "id", NULL};

/* --- putting in order --- */

struct place {
    uint64_t key, id;
    const void *of; /* a stream, or a row */
};

/* The largest first; of those that are equal the oldest, so that the next answer has the same. */
static int compare(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static void add_place(struct buf *places, uint64_t key, uint64_t id, const void *of) {
    struct place place = {.key = key, .id = id, .of = of};
    buf_append(places, &place, sizeof place);
}

/* Sorts them: how many are the first. */
static size_t sort(const struct listing *listing, struct buf *places) {
    size_t count = places->len / sizeof(struct place);
    if (count > 1)
        qsort(places->data, count, sizeof(struct place), compare);
    return count < listing->limit ? count : listing->limit;
}

/* --- in each worker --- */

struct wanted { /* a topic that may be among those of a subscription */
    struct str topic;
    bool found;
};

static void look_for(void *arg, struct str name, bool prefix) {
    struct wanted *wanted = arg;
    wanted->found =
        wanted->found || (prefix ? str_starts(wanted->topic, name) : str_eq(wanted->topic, name));
}

static bool has_topic(const struct stream *stream, const char *topic) {
    struct subscription *sub = subscription_of(stream);
    struct wanted wanted = {.topic = str_of(topic)};
    if (sub)
        position_names(&sub->position, look_for, &wanted);
    return wanted.found;
}

const char *listing_subject(const struct stream *stream) {
    const char *subject = grant_subject(stream);
    const struct subscription *sub = subject ? NULL : subscription_of(stream);
    return sub ? sub->position.subject : subject;
}

static bool is_of(const struct stream *stream, const char *wanted) {
    const char *subject = listing_subject(stream);
    return subject && strcmp(subject, wanted) == 0;
}

static bool is_meant(const struct listing *listing, const struct stream *stream) {
    return stream->state != STREAM_CLOSED && (listing->id == 0 || listing->id == stream->id) &&
           (listing->subject == NULL || is_of(stream, listing->subject)) &&
           (listing->topic == NULL || has_topic(stream, listing->topic));
}

void listing_each(const struct listing *listing, struct loop *loop,
                  void (*each)(void *arg, struct stream *stream), void *arg) {
    size_t count;
    struct stream **streams = http_server_streams(loop, &count);
    for (size_t i = 0; i < count; i++) {
        if (is_meant(listing, streams[i]))
            each(arg, streams[i]);
        stream_unref(streams[i]);
    }
    free(streams);
}

/* --- a row --- */

/* What its topics have for it. */
static struct lag lag_of(const struct stream *stream) {
    const struct subscription *sub = subscription_of(stream);
    struct lag lag = {0, 0};
    if (sub == NULL)
        return lag;
    hub_lock();
    lag = policy_lag(&sub->position);
    hub_unlock();
    return lag;
}

static uint64_t age_of(const struct stream *stream) {
    return loop_now(stream->server->loop) - stream->started;
}

static uint64_t key_of(enum listing_order order, const struct stream *stream) {
    switch (order) {
    case LISTING_BACKLOG:
        return stream_queued(stream) + lag_of(stream).bytes;
    case LISTING_AGE:
        return age_of(stream);
    case LISTING_SENT:
        return stream->sent;
    case LISTING_ID:
        break;
    }
    return stream->id;
}

static const char *kind_of(const struct stream *stream) {
    if (stream->state == STREAM_OPEN)
        return "waiting";
    return stream->asked.kind ? traffic_kind_names[stream->asked.kind] : "answer";
}

struct names { /* of a subscription's topics, as they are collected */
    struct buf *text;
    uint32_t count;
};

static void add_name(void *arg, struct str name, bool prefix) {
    struct names *names = arg;
    if (names->count++ >= LISTING_TOPICS)
        return;
    buf_add(names->text, name);
    if (prefix)
        buf_add_char(names->text, '*');
    buf_add_char(names->text, '\0');
}

struct row {
    uint64_t key;
    struct listed listed; /* whose texts, but the route, follow */
};

static struct listed describe(const struct stream *stream) {
    const struct asked_route *route = stream->asked.route;
    uint64_t age = age_of(stream);
    return (struct listed){
        .id = stream->id,
        .started = clock_wall_ms() - (int64_t)age,
        .age = age,
        .sent = stream->sent,
        .queued = stream_queued(stream),
        .behind = lag_of(stream),
        .address = *stream_client(stream),
        .kind = kind_of(stream),
        .route = route ? traffic_pattern(route) : STR(TRAFFIC_NONE), /* which stays */
        .method = request_method(stream->request),
        .subject = str_of(listing_subject(stream)),
    };
}

static void add_row(struct buf *out, uint64_t key, const struct stream *stream) {
    struct buf path = {0}, text = {0};
    struct names names = {.text = &text};
    struct subscription *sub = subscription_of(stream);
    struct row row = {.key = key, .listed = describe(stream)};
    struct listed *listed = &row.listed;
    path_text(request_path(stream->request), &path);
    listed->path = buf_str(&path);
    if (sub)
        position_names(&sub->position, add_name, &names);
    if (sub && sub->position.told != EVENT_ID_NONE)
        listed->position = sub->position.told;
    listed->topics = names.count;
    listed->names = buf_str(&text);
    buf_append(out, &row, sizeof row);
    buf_add(out, listed->method);
    buf_add(out, listed->path);
    buf_add(out, listed->subject);
    buf_add(out, listed->names);
    buf_fini(&path);
    buf_fini(&text);
}

/* What a worker has found begins with this; so many rows follow. */
struct head {
    uint64_t meant, rows;
};

struct looking {
    enum listing_order order;
    struct buf places;
};

static void collect(void *arg, struct stream *stream) {
    struct looking *looking = arg;
    add_place(&looking->places, key_of(looking->order, stream), stream->id, stream_ref(stream));
}

void listing_look(const struct listing *listing, struct loop *loop, struct buf *out,
                  void (*closing)(struct stream *stream)) {
    struct looking looking = {.order = listing->order};
    listing_each(listing, loop, collect, &looking);
    struct head head = {.rows = sort(listing, &looking.places)};
    const struct place *places = (const struct place *)looking.places.data;
    head.meant = looking.places.len / sizeof *places;
    buf_append(out, &head, sizeof head);
    for (size_t i = 0; i < head.meant; i++) {
        struct stream *stream = (struct stream *)places[i].of;
        if (i < head.rows)
            add_row(out, places[i].key, stream);
        if (i < head.rows && closing)
            closing(stream);
        stream_unref(stream);
    }
    buf_fini(&looking.places);
}

/* --- reading rows --- */

/* The text that stands at `*at`, which passes it. */
static struct str take(const char **at, struct str text) {
    struct str taken = {text.ptr ? *at : NULL, text.len};
    *at += text.len;
    return taken;
}

/* The row at `*at`, which passes it. */
static struct row take_row(const char **at) {
    struct row row;
    memcpy(&row, *at, sizeof row);
    *at += sizeof row;
    row.listed.method = take(at, row.listed.method);
    row.listed.path = take(at, row.listed.path);
    row.listed.subject = take(at, row.listed.subject);
    row.listed.names = take(at, row.listed.names);
    return row;
}

void rows_read(struct rows *rows, const struct listing *listing, struct str found) {
    struct buf places = {0};
    *rows = (struct rows){0};
    for (const char *at = found.ptr; found.len > 0 && at < found.ptr + found.len;) {
        struct head head;
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        rows->meant += head.meant;
        for (uint64_t i = 0; i < head.rows; i++) {
            const char *of = at;
            struct row row = take_row(&at);
            add_place(&places, row.key, row.listed.id, of);
        }
    }
    rows->count = sort(listing, &places);
    rows->places = (struct place *)places.data;
}

void rows_fini(struct rows *rows) {
    free(rows->places);
}

struct listed rows_at(const struct rows *rows, size_t i) {
    const char *at = rows->places[i].of;
    return take_row(&at).listed;
}

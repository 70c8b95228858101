/* streams: the list of all streams, for who operates the server, and closing one.
 *
 *     each worker: a row for each of its streams --survey--> sorted, the first ones as JSON
 *
 * A row tells who it is and what it is at, and how far it is behind: what the kernel has not taken
 * of what was written to it, and what its topics have for it beyond that. So the one that stands
 * first by `backlog` is the one that does not read. Of topics only the first few are named. A
 * stream that is closed from here is cut, whatever is on its way to it, for it may not read: the
 * app sees the reason "cancelled". Belongs to one request. */
#include "ops/streams.h"

#include "base/mem.h"
#include "http/grant.h"
#include "ops/survey.h"
#include "proto/json_text.h"
#include "read/subscription.h"
#include "serve/host.h"

#include <stdlib.h>

#define TOPICS_SHOWN 20

struct row {
    uint64_t id;
    double age;
    uint64_t sent, queued;
    struct lag behind;
    event_id position; /* 0: none */
    uint32_t topics;   /* how many */
    uint32_t shown;    /* bytes of the JSON that follows: who, where, which topics */
};

struct listing {
    struct survey survey;
    uint64_t id; /* to be closed; 0: all are listed */
    size_t limit;
    int (*order)(const void *a, const void *b);
};

/* --- in each worker --- */

struct names {
    struct buf *out;
    uint32_t count;
};

static void add_topic(void *arg, struct str name, bool prefix) {
    struct names *names = arg;
    struct buf whole = {0};
    if (names->count++ >= TOPICS_SHOWN)
        return;
    buf_add(&whole, name);
    if (prefix)
        buf_add_char(&whole, '*');
    if (names->count > 1)
        buf_add(names->out, STR(", "));
    json_text_quote(names->out, buf_str(&whole));
    buf_fini(&whole);
}

static void add_pair(struct buf *out, const char *name, struct str value) {
    buf_printf(out, "\"%s\": ", name);
    json_text_quote(out, value);
    buf_add(out, STR(", "));
}

static const char *kind_of(const struct stream *stream) {
    if (stream->state == STREAM_OPEN)
        return "waiting";
    return stream->asked.kind ? traffic_kind_names[stream->asked.kind] : "answer";
}

static void add_who(struct buf *out, const struct stream *stream,
                    const struct subscription *subscription) {
    char client[ADDRESS_TEXT];
    const char *subject = grant_subject(stream);
    if (subject == NULL && subscription)
        subject = subscription->position.subject;
    address_format(stream_client(stream), client);
    add_pair(out, "client", str_of(client));
    if (subject)
        add_pair(out, "sub", str_of(subject));
    add_pair(out, "method", request_method(stream->request));
    add_pair(out, "route",
             stream->asked.route ? traffic_pattern(stream->asked.route) : STR(TRAFFIC_NONE));
    add_pair(out, "kind", str_of(kind_of(stream)));
}

/* What it is subscribed to, and how far behind. */
static void add_subscription(struct row *row, struct buf *out,
                             const struct subscription *subscription) {
    const struct position *position = &subscription->position;
    struct names names = {.out = out};
    position_names((struct position *)position, add_topic, &names);
    row->topics = names.count;
    row->position = position->told;
    hub_lock();
    row->behind = policy_lag(position);
    hub_unlock();
}

static void add_row(struct buf *out, const struct stream *stream, uint64_t now) {
    const struct subscription *subscription = subscription_of(stream);
    struct row row = {.id = stream->id,
                      .age = (double)(now - stream->started) / 1000,
                      .sent = stream->sent,
                      .queued = stream_queued(stream)};
    struct buf shown = {0};
    add_who(&shown, stream, subscription);
    buf_add(&shown, STR("\"topics\": ["));
    if (subscription)
        add_subscription(&row, &shown, subscription);
    buf_add_char(&shown, ']');
    row.shown = (uint32_t)shown.len;
    buf_append(out, &row, sizeof row);
    buf_add(out, buf_str(&shown));
    buf_fini(&shown);
}

static bool look(struct survey *survey, struct host *host, int worker, struct buf *out) {
    const struct listing *listing = CONTAINER_OF(survey, struct listing, survey);
    struct loop *loop = host_http(host)->loop;
    size_t count;
    struct stream **streams = http_server_streams(loop, &count);
    (void)worker;
    for (size_t i = 0; i < count; i++) {
        struct stream *stream = streams[i];
        bool wanted = listing->id == 0 || listing->id == stream->id;
        if (wanted && stream->state < STREAM_CLOSED) {
            add_row(out, stream, loop_now(loop));
            if (listing->id)
                stream_cut(stream, REASON_CANCELLED, "closed by who operates the server");
        }
        stream_unref(stream);
    }
    free(streams);
    return false;
}

/* --- back at home --- */

static uint64_t backlog_of(const struct row *row) {
    return row->queued + row->behind.bytes;
}

static int compare(uint64_t a, uint64_t b) { /* the largest first */
    return a < b ? 1 : a > b ? -1 : 0;
}

#define ORDER(name, key)                                                                           \
    static int name(const void *a, const void *b) {                                                \
        const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;   \
        int order = compare(key(x), key(y));                                                       \
        return order ? order : compare(y->id, x->id);                                              \
    }
#define AGE(row) ((uint64_t)((row)->age * 1000))
#define SENT(row) ((row)->sent)
#define ID(row) ((row)->id)
ORDER(by_backlog, backlog_of)
ORDER(by_age, AGE)
ORDER(by_sent, SENT)
ORDER(by_id, ID)

static const struct order {
    const char *name;
    int (*compare)(const void *a, const void *b);
} orders[] = {{"backlog", by_backlog}, {"age", by_age}, {"sent", by_sent}, {"id", by_id}};

/* Copies of all rows, each with what it shows: an array of `*count`, to be freed as a whole. */
static struct row **rows_of(struct str found, size_t *count) {
    struct row **rows = NULL;
    *count = 0;
    while (found.len > 0) {
        struct row row;
        memcpy(&row, found.ptr, sizeof row);
        size_t n = sizeof row + row.shown;
        if ((*count & (*count + 1)) == 0) /* the room doubles */
            rows = mem_resize(rows, 2 * (*count + 1) * sizeof *rows);
        rows[*count] = mem_alloc(n);
        memcpy(rows[(*count)++], found.ptr, n);
        found = (struct str){found.ptr + n, found.len - n};
    }
    return rows;
}

static void show_row(struct buf *out, const struct row *row) {
    char position[EVENT_ID_TEXT] = "";
    if (row->position > 0 && row->position != EVENT_ID_NONE)
        event_id_format(row->position, position);
    buf_printf(out,
               "{\"id\": %llu, \"age\": %.1f, \"sent\": %llu, \"queued\": %llu, "
               "\"backlog\": %llu, \"behind\": %llu, \"position\": \"%s\", ",
               (unsigned long long)row->id, row->age, (unsigned long long)row->sent,
               (unsigned long long)row->queued, (unsigned long long)backlog_of(row),
               (unsigned long long)row->behind.events, position);
    buf_printf(out, "%.*s, \"topics_count\": %u}", (int)row->shown, (const char *)(row + 1),
               row->topics);
}

static void add_silent(struct buf *out, const struct survey *survey) {
    struct buf lines = {0};
    survey_add_silent(survey, &lines, "", "\n");
    struct str rest = buf_str(&lines);
    buf_add(out, STR("\"silent\": ["));
    for (int i = 0; rest.len > 0; i++) {
        struct str line = str_cut(&rest, '\n');
        buf_add(out, str_of(i > 0 ? ", " : ""));
        json_text_quote(out, line);
    }
    buf_add_char(out, ']');
    buf_fini(&lines);
}

static void tell(struct survey *survey, struct stream *stream, struct str found) {
    const struct listing *listing = CONTAINER_OF(survey, struct listing, survey);
    size_t count;
    struct row **rows = rows_of(found, &count);
    struct buf out = {0};
    if (count > 0)
        qsort(rows, count, sizeof *rows, listing->order);
    buf_printf(&out, "{\"%s\": %zu, ", listing->id ? "closed" : "count", count);
    add_silent(&out, survey);
    buf_add(&out, STR(", \"streams\": ["));
    for (size_t i = 0; i < count && i < listing->limit; i++) {
        buf_add(&out, str_of(i > 0 ? ",\n" : "\n"));
        show_row(&out, rows[i]);
    }
    buf_add(&out, STR("\n]}\n"));
    for (size_t i = 0; i < count; i++)
        free(rows[i]);
    free(rows);
    if (listing->id && count == 0)
        stream_set_status(stream, 404);
    stream_respond(stream, "application/json", out.data, out.len);
    buf_fini(&out);
}

static void free_listing(struct survey *survey) {
    free(CONTAINER_OF(survey, struct listing, survey));
}

/* --- being asked --- */

/* Takes what stands in the query. NULL, or what is wrong with it. */
static const char *take_query(struct listing *listing, struct str query) {
    struct str name, value;
    while (url_query_next(&query, &name, &value)) {
        uint64_t n = 0;
        bool is_number = str_to_u64(value, &n) == 0 && n > 0;
        if (str_eq(name, STR("sort"))) {
            listing->order = NULL;
            for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
                if (str_eq(value, str_of(orders[i].name)))
                    listing->order = orders[i].compare;
        } else if (str_eq(name, STR("limit")) && is_number && n <= STREAMS_LISTED_MAX) {
            listing->limit = (size_t)n;
        } else if (str_eq(name, STR("id")) && is_number) {
            listing->id = n;
        } else {
            return "expected sort=backlog, age, sent or id, limit=1 to 10000, or id=, a number";
        }
        if (listing->order == NULL)
            return "sort: expected backlog, age, sent or id";
    }
    return NULL;
}

void streams_serve(struct stream *stream, struct loop *home, struct crew *crew) {
    static const struct survey_ops ops = {look, tell, free_listing};
    struct listing asked = {.limit = STREAMS_LISTED, .order = by_backlog};
    const char *wrong = take_query(&asked, request_query(stream->request));
    bool closes = str_eq(request_method(stream->request), STR("POST"));
    if (wrong == NULL && closes != (asked.id > 0))
        wrong = "POST /streams?id=N closes one; GET lists them, without an id";
    if (wrong) {
        stream_fail(stream, 400, wrong);
        return;
    }
    struct listing *listing = mem_alloc(sizeof *listing);
    *listing = asked;
    survey_start(&listing->survey, &ops, home, crew, stream);
}

/* streams: the list of all streams, for who operates the server, and closing one.
 *
 *     each worker: rows of its first streams --survey--> the first ones of all, as JSON
 *
 * Which streams are meant and what a row tells is exchange/listing's; this is how the admin
 * endpoint asks and shows it. A stream that is closed from here is cut, whatever is on its way to
 * it, for it may not read: the app sees the reason "cancelled". Belongs to one request. */
#include "ops/streams.h"

#include "base/mem.h"
#include "exchange/listing.h"
#include "ops/survey.h"
#include "proto/json_text.h"
#include "serve/host.h"

#include <stdlib.h>

struct asking {
    struct survey survey;
    struct listing listing; /* with an id: that is to be closed */
};

/* --- in each worker --- */

static void close_it(struct stream *stream) {
    stream_cut(stream, REASON_CANCELLED, "closed by who operates the server");
}

static bool look(struct survey *survey, struct host *host, int worker, struct buf *out) {
    const struct listing *listing = &CONTAINER_OF(survey, struct asking, survey)->listing;
    (void)worker;
    listing_look(listing, host_http(host)->loop, out, listing->id ? close_it : NULL);
    return false;
}

/* --- back at home --- */

static void show_pair(struct buf *out, const char *name, struct str value) {
    buf_printf(out, "\"%s\": ", name);
    json_text_quote(out, value);
    buf_add(out, STR(", "));
}

static void show_who(struct buf *out, const struct listed *listed) {
    char client[ADDRESS_TEXT];
    address_format(&listed->address, client);
    show_pair(out, "client", str_of(client));
    if (listed->subject.ptr)
        show_pair(out, "sub", listed->subject);
    show_pair(out, "method", listed->method);
    show_pair(out, "route", listed->route);
    show_pair(out, "kind", str_of(listed->kind));
}

static void show_topics(struct buf *out, const struct listed *listed) {
    struct str rest = listed->names;
    buf_add(out, STR("\"topics\": ["));
    for (int i = 0; rest.len > 0; i++) {
        struct str name = str_cut(&rest, '\0');
        buf_add(out, str_of(i > 0 ? ", " : ""));
        json_text_quote(out, name);
    }
    buf_printf(out, "], \"topics_count\": %u", listed->topics);
}

static void show(struct buf *out, const struct listed *listed) {
    char position[EVENT_ID_TEXT] = "";
    if (listed->position)
        event_id_format(listed->position, position);
    buf_printf(out,
               "{\"id\": %llu, \"age\": %.1f, \"sent\": %llu, \"queued\": %llu, "
               "\"backlog\": %llu, \"behind\": %llu, \"position\": \"%s\", ",
               (unsigned long long)listed->id, (double)listed->age / 1000,
               (unsigned long long)listed->sent, (unsigned long long)listed->queued,
               (unsigned long long)listed_backlog(listed),
               (unsigned long long)listed->behind.events, position);
    show_who(out, listed);
    show_topics(out, listed);
    buf_add_char(out, '}');
}

/* How many. */
static int add_silent(struct buf *out, const struct survey *survey) {
    struct buf lines = {0};
    int silent = survey_add_silent(survey, &lines, "", "\n");
    struct str rest = buf_str(&lines);
    buf_add(out, STR("\"silent\": ["));
    for (int i = 0; rest.len > 0; i++) {
        struct str line = str_cut(&rest, '\n');
        buf_add(out, str_of(i > 0 ? ", " : ""));
        json_text_quote(out, line);
    }
    buf_add_char(out, ']');
    buf_fini(&lines);
    return silent;
}

static void show_rows(struct buf *out, const struct rows *rows) {
    buf_add(out, STR(", \"streams\": ["));
    for (size_t i = 0; i < rows->count; i++) {
        struct listed listed = rows_at(rows, i);
        buf_add(out, str_of(i > 0 ? ",\n" : "\n"));
        show(out, &listed);
    }
    buf_add(out, STR("\n]}\n"));
}

static void tell(struct survey *survey, struct stream *stream, struct str found) {
    const struct listing *listing = &CONTAINER_OF(survey, struct asking, survey)->listing;
    struct rows rows;
    struct buf out = {0};
    rows_read(&rows, listing, found);
    buf_printf(&out, "{\"%s\": %llu, ", listing->id ? "closed" : "count",
               (unsigned long long)rows.meant);
    int silent = add_silent(&out, survey);
    show_rows(&out, &rows);
    if (listing->id && rows.meant == 0)
        stream_set_status(stream, silent > 0 ? 503 : 404);
    rows_fini(&rows);
    stream_respond(stream, "application/json", out.data, out.len);
    buf_fini(&out);
}

static void free_survey(struct survey *survey) {
    free(CONTAINER_OF(survey, struct asking, survey));
}

/* --- being asked --- */

/* False: there is no such order. */
static bool take_order(struct listing *listing, struct str value) {
    for (int i = 0; listing_orders[i]; i++)
        if (str_eq(value, str_of(listing_orders[i]))) {
            listing->order = (enum listing_order)i;
            return true;
        }
    return false;
}

/* Takes what stands in the query. NULL, or what is wrong with it. */
static const char *take_query(struct listing *listing, struct str query) {
    struct str name, value;
    while (url_query_next(&query, &name, &value)) {
        uint64_t n = 0;
        bool is_number = str_to_u64(value, &n) == 0 && n > 0;
        if (str_eq(name, STR("sort"))) {
            if (!take_order(listing, value))
                return "sort: expected backlog, age, sent or id";
        } else if (str_eq(name, STR("limit")) && is_number && n <= STREAMS_LISTED_MAX) {
            listing->limit = (size_t)n;
        } else if (str_eq(name, STR("id")) && is_number) {
            listing->id = n;
        } else {
            return "expected sort=backlog, age, sent or id, limit=1 to 10000, or id=, a number";
        }
    }
    return NULL;
}

void streams_serve(struct stream *stream, struct loop *home, struct crew *crew) {
    static const struct survey_ops ops = {look, tell, free_survey, .late = false};
    struct listing listing = {.limit = STREAMS_LISTED, .order = LISTING_BACKLOG};
    const char *wrong = take_query(&listing, request_query(stream->request));
    bool closes = str_eq(request_method(stream->request), STR("POST"));
    if (wrong == NULL && closes != (listing.id > 0))
        wrong = "POST /streams?id=N closes one; GET lists them, without an id";
    if (wrong) {
        stream_fail(stream, 400, wrong);
        return;
    }
    struct asking *asking = mem_alloc(sizeof *asking);
    asking->listing = listing;
    survey_start(&asking->survey, &ops, home, crew, stream);
}

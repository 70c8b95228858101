/* pages: open pages that follow their app, in watch mode.
 *
 *     a page ends with <script src="/.weir/reload.js" data-app data-version>
 *       --> GET /.weir/reload, a stream subscribed to the topics weir.pages/N, one of each app
 *       <-- N, the app's version, and in the lines below why the newest change failed, if it did
 *
 * A browser has six connections to a server, so all of its pages share one stream, through a worker
 * (lua/weir/reload.js). Each topic keeps one event, so who comes late gets it at once; a page of an
 * older version reloads itself. Versions begin with the time of the start: a page that outlives
 * the server knows. Made once for all workers; what changes is told by the first one, the versions
 * are read by all. It must not know what a reload is. */
#include "serve/pages.h"

#include "base/clock.h"
#include "base/mem.h"
#include "http/bundled.h"
#include "http/sse.h"
#include "hub/publication.h"
#include "read/subscription.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define RETRY_MS 500
#define HEARTBEAT_MS 15000
#define NAME_BYTES 32

struct followed {
    atomic_uint_fast64_t version;
    char *error; /* the teller's */
};

struct pages {
    int apps;
    struct followed list[];
};

struct pages *pages_new(int apps) {
    struct topic_rule rule = {.pattern = STR("weir.pages/*"), .keep = {1, UINT32_MAX, 1 << 20}};
    struct pages *pages = mem_zalloc(sizeof *pages + (size_t)apps * sizeof *pages->list);
    pages->apps = apps;
    for (int i = 0; i < apps; i++)
        atomic_store(&pages->list[i].version, (uint64_t)clock_wall_ms());
    hub_set_rules("/.weir", &rule, 1);
    return pages;
}

void pages_free(struct pages *pages) {
    for (int i = 0; i < pages->apps; i++)
        free(pages->list[i].error);
    free(pages);
}

/* --- telling --- */

static struct str name_of(int app, char *name) {
    return (struct str){name, (size_t)snprintf(name, NAME_BYTES, "weir.pages/%d", app)};
}

static void publish(struct followed *page, struct reader *reader, int app) {
    char name[NAME_BYTES];
    struct buf data = {0}, text = {0};
    uint64_t replaced = 0;
    buf_printf(&data, "%d %llu%s%s", app, (unsigned long long)atomic_load(&page->version),
               page->error ? "\n" : "", page->error ? page->error : "");
    struct sse_event event = {.data = buf_str(&data), .retry = -1};
    sse_encode(&text, &event, &replaced);
    struct publication publication = {.topic = name_of(app, name), .text = buf_str(&text)};
    publication_send(&publication, reader);
    buf_fini(&data);
    buf_fini(&text);
}

void pages_refresh(struct pages *pages, struct reader *reader, int app) {
    atomic_fetch_add(&pages->list[app].version, 1);
    publish(&pages->list[app], reader, app);
}

void pages_tell(struct pages *pages, struct reader *reader, int app, const char *error) {
    struct followed *page = &pages->list[app];
    free(page->error);
    page->error = error ? mem_strdup(error) : NULL;
    if (error)
        publish(page, reader, app);
    else
        pages_refresh(pages, reader, app);
}

/* --- serving --- */

static bool is_download(const struct stream *stream) {
    struct str disposition = stream_get_header(stream, STR("Content-Disposition"));
    return str_ieq(str_trim(str_cut(&disposition, ';')), STR("attachment"));
}

/* HTML that a browser shows by itself: no part of a page that a script has asked for, nothing that
 * is saved, nothing that is encoded already. */
static bool is_page(const struct stream *stream, const char *type) {
    struct str set = stream_get_header(stream, STR("Content-Type"));
    struct str kind = set.ptr ? set : str_of(type);
    return str_ieq(str_trim(str_cut(&kind, ';')), STR("text/html")) &&
           stream_get_header(stream, STR("Content-Encoding")).ptr == NULL && !is_download(stream) &&
           request_is_for_page(stream->request);
}

void pages_end(const struct pages *pages, int app, const struct stream *stream, const char *type,
               struct buf *out) {
    if (!is_page(stream, type))
        return;
    buf_printf(out,
               "\n<script src=\"/.weir/reload.js\" data-app=\"%d\" data-version=\"%llu\"></script>"
               "\n",
               app, (unsigned long long)atomic_load(&pages->list[app].version));
}

static void follow(struct stream *stream, struct reader *reader) {
    struct sse_options options = {.retry_ms = RETRY_MS, .heartbeat_ms = HEARTBEAT_MS};
    struct subscription_options none = {.limit = {UINT32_MAX, UINT32_MAX}};
    struct position_choice choice = {.name = STR("weir.pages/"), .prefix = true, .from_id = true};
    if (sse_start(stream, &options) < 0)
        return;
    position_add(&subscription_new(stream, reader, &none)->position, &choice);
    sse_open(stream);
}

bool pages_serve(struct stream *stream, struct reader *reader) {
    struct path path = request_path(stream->request), below = path;
    struct str first = STR("");
    path_next(&below, &first);
    if (!str_eq(first, STR(".weir")) || below.bytes.ptr == NULL)
        return false;
    if (path_is(path, STR("/.weir/reload.js"))) {
        bundled_serve(stream, "weir/reload.js", "text/javascript; charset=utf-8");
    } else if (!stream->head_only && !str_eq(request_method(stream->request), STR("GET"))) {
        stream_set_header(stream, STR("Allow"), STR("GET, HEAD"));
        stream_fail(stream, 405, NULL);
    } else if (path_is(path, STR("/.weir/reload"))) {
        follow(stream, reader);
    } else {
        stream_fail(stream, 404, NULL);
    }
    return true;
}

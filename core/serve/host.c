/* host: apps that answer on one loop.
 *
 * One app answers at "/"; several answer each under "/<folder>", and "/" lists them. The host owns
 * the places of the apps (mount.h) with the generations that it loaded, the doors (doors.h) and the
 * HTTP server; a test adds an app of its own generation instead. One thread only. */
#include "serve/host.h"

#include "base/mem.h"
#include "exchange/exchange.h"
#include "serve/boot.h"
#include "serve/inspect.h"
#include "serve/mount.h"
#include "serve/own_pages.h"
#include "store/shared.h"
#include "wire/http1.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct host {
    struct http_server http;
    struct loop *loop;
    struct scheduler *scheduler;
    struct limits limits;
    struct reloads *reloads; /* NULL: apps stay as they are */
    struct pages *pages;     /* NULL: not in watch mode */
    struct mount *apps;
    int napps;
    struct doors doors;
    int starting;
    struct chore reaper; /* frees generations that are over */
    struct timer start_limit;
    struct timer over; /* looks whether all is closed, in a turn of its own */
    void (*started)(struct host *, char *error, void *arg);
    void *started_arg;
    void (*drained)(void *arg);
    void *drained_arg;
    void (*closed)(void *arg);
    void *closed_arg;
    bool closing;
};

static atomic_uint_fast64_t drain_timeout;

uint64_t host_drain_timeout(void) {
    return atomic_load(&drain_timeout);
}

/* --- requests --- */

static struct mount *find(struct host *host, struct str name) {
    for (int i = 0; i < host->napps; i++)
        if (str_eq(name, str_of(host->apps[i].prefix + 1)))
            return &host->apps[i];
    return NULL;
}

static void adopt(struct mount *mount);

static void refuse(const struct host *host, struct stream *stream) {
    if (host->pages)
        own_pages_not_started(stream);
    else
        stream_fail(stream, 503, "this app could not be started; the log says why");
}

static void serve(struct mount *mount, struct stream *stream, size_t skip) {
    adopt(mount);
    if (mount->app)
        app_serve(mount->app, stream, skip, mount->prefix);
    else
        refuse(mount->owner, stream);
}

static void serve_one_of(struct host *host, struct stream *stream) {
    struct path below = request_path(stream->request);
    struct str first = STR("");
    path_next(&below, &first);
    struct mount *mount = find(host, first);
    if (mount && below.bytes.ptr)
        serve(mount, stream, 1);
    else if (mount)
        static_redirect(stream);
    else if (first.len == 0)
        own_pages_index(stream, host->apps, host->napps);
    else if (path_is(request_path(stream->request), STR("/weir.js")))
        app_serve_page_script(stream);
    else
        stream_fail(stream, 404, NULL);
}

static bool is_alone(const struct host *host) {
    return host->napps == 1 && host->apps[0].prefix[0] == '\0';
}

/* Its app is found again: the answer may come long after the request. */
static void end_page(struct http_server *server, const struct stream *stream, const char *type,
                     struct buf *out) {
    struct host *host = server->owner;
    struct path path = request_path(stream->request);
    struct mount *mount = host->apps;
    struct str first = STR("");
    if (!is_alone(host)) {
        path_next(&path, &first);
        mount = find(host, first);
    }
    if (mount)
        pages_end(host->pages, (int)(mount - host->apps), stream, type, out);
}

static void on_request(struct http_server *server, struct stream *stream) {
    struct host *host = server->owner;
    if (host->pages && pages_serve(stream, host_reader(host)))
        return;
    if (stream->request->form == TARGET_AUTHORITY) {
        stream_fail(stream, 501, "this server is no proxy");
    } else if (stream->request->form ==
               TARGET_ASTERISK) { /* OPTIONS *: the server as a whole (RFC 9110 section 9.3.7) */
        stream_set_header(stream, STR("Allow"),
                          STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, QUERY"));
        stream_finish(stream);
    } else if (is_alone(host)) {
        serve(&host->apps[0], stream, 0);
    } else {
        serve_one_of(host, stream);
    }
}

/* Whether some app here has a route with it. */
static bool has_method(struct http_server *server, struct str method) {
    const struct host *host = server->owner;
    for (int i = 0; i < host->napps; i++)
        if (host->apps[i].app && router_has_method(host->apps[i].app->router, method))
            return true;
    return false;
}

/* --- apps --- */

static void on_start_limit(struct timer *timer);
static void on_over(struct timer *timer);
static void on_left(struct http_server *server);
static void on_door_closed(struct doors *doors);
static void on_reap(struct chore *chore);
static void on_settled(struct mount *mount);

struct host *host_new(struct loop *loop, struct scheduler *scheduler, const struct limits *limits) {
    struct host *host = mem_zalloc(sizeof *host);
    host->loop = loop;
    host->scheduler = scheduler;
    host->limits = *limits;
    http_server_init(&host->http, loop, limits);
    host->http.protocol = &http1;
    doors_init(&host->doors, &host->http, on_door_closed);
    timer_init(&host->start_limit, on_start_limit);
    timer_init(&host->over, on_over);
    chore_init(&host->reaper, on_reap);
    host->http.on_request = on_request;
    host->http.on_left = on_left;
    host->http.has_method = has_method;
    host->http.owner = host;
    http_server_count_tasks(&host->http, &scheduler->tasks, &scheduler->queued);
    return host;
}

struct http_server *host_http(struct host *host) {
    return &host->http;
}

void host_use_reloads(struct host *host, struct reloads *reloads) {
    host->reloads = reloads;
}

void host_use_pages(struct host *host, struct pages *pages) {
    host->pages = pages;
    host->http.end_page = end_page;
}

struct reader *host_reader(struct host *host) {
    return host->scheduler->reader;
}

static struct mount *add(struct host *host, const char *prefix) {
    host->apps = mem_resize(host->apps, (size_t)(host->napps + 1) * sizeof *host->apps);
    struct mount *mount = &host->apps[host->napps++];
    mount_init(mount, host->scheduler, prefix);
    mount->owner = host;
    mount->on_settled = on_settled;
    return mount;
}

void host_add(struct host *host, const char *prefix, struct app *app) {
    add(host, prefix)->app = app;
}

static void add_source(struct host *host, const struct source *source, const char *prefix) {
    struct mount *mount = add(host, prefix);
    mount->folder = mem_strdup(source->folder);
    mount->file = mem_strdup(source->file);
    if (host->reloads)
        mount->lineage = reloads_lineage(host->reloads, host->napps - 1);
}

static void load_one(struct host *host, struct mount *mount) {
    struct generation *gen = mount_load(mount, 1, &host->limits, &mount->error);
    if (gen)
        mount_serve(mount, gen);
}

/* Of several apps that set a limit the lowest holds; one that sets none does not count. */
static void combine_limits(struct host *host) {
    struct limits all = host->limits;
    uint64_t set = 0;
    for (int i = 0; i < host->napps; i++) {
        struct generation *gen = host->apps[i].gen;
        for (const struct limit_row *row = limit_rows; gen && row->name; row++) {
            if (row->own)
                continue;
            uint64_t bit = 1ull << (row - limit_rows);
            uint64_t value = limits_get(&gen->asked, row);
            if (!(gen->limits_set & bit) || ((set & bit) && limits_get(&all, row) <= value))
                continue;
            limits_set(&all, row, value);
            set |= bit;
        }
    }
    host->http.limits = all;
    for (int i = 0; i < host->napps; i++)
        if (host->apps[i].gen)
            limits_take(&host->apps[i].gen->limits, &all);
}

static void apply_limits(struct host *host) {
    hub_set_memory(host->http.limits.hub_memory);
    shared_set_limit(host->http.limits.shared_memory);
    atomic_store(&drain_timeout, host->http.limits.drain_timeout);
}

/* All have their places before the first is loaded: a generation knows its mount by its address. */
void host_load_sources(struct host *host, const struct sources *sources) {
    int first = host->napps;
    for (int i = 0; i < sources->count; i++) {
        struct buf prefix = {0};
        if (!sources->single)
            buf_printf(&prefix, "/%s", sources->list[i].name);
        buf_add_char(&prefix, '\0');
        add_source(host, &sources->list[i], prefix.data);
        buf_fini(&prefix);
    }
    for (int i = first; i < host->napps; i++)
        load_one(host, &host->apps[i]);
    combine_limits(host);
}

const char *host_error(struct host *host, int index) {
    return host->apps[index].error;
}

/* A copy of the first error; NULL: none. */
static char *first_error(struct host *host) {
    for (int i = 0; i < host->napps; i++)
        if (host->apps[i].error)
            return mem_strdup(host->apps[i].error);
    return NULL;
}

void host_disable(struct host *host, int index) {
    struct mount *mount = &host->apps[index];
    if (mount->error == NULL)
        mount->error = mem_strdup("it failed in another worker");
    mount_disable(mount);
}

int host_load(struct host *host, const char *path, char **error) {
    struct sources sources = {0};
    int rc = sources_add(&sources, path, error);
    if (rc == 0) {
        host_load_sources(host, &sources);
        *error = first_error(host);
        rc = *error ? -1 : 0;
    }
    sources_free(&sources);
    return rc;
}

void host_list_routes(struct host *host, struct buf *out) {
    for (int i = 0; i < host->napps; i++)
        app_list_routes(host->apps[i].app, host->apps[i].prefix, out);
}

/* --- starting --- */

static void finish_start(struct host *host) {
    void (*started)(struct host *, char *, void *) = host->started;
    if (started == NULL)
        return;
    host->started = NULL;
    timer_clear(&host->start_limit);
    started(host, first_error(host), host->started_arg);
}

static void one_started(char *error_take, void *arg) {
    struct mount *mount = arg;
    struct host *host = mount->owner;
    if (mount->error == NULL)
        mount->error = error_take;
    else
        free(error_take); /* it came too late: the limit's error stands */
    if (--host->starting == 0)
        finish_start(host);
}

static void on_start_limit(struct timer *timer) {
    struct host *host = CONTAINER_OF(timer, struct host, start_limit);
    for (int i = 0; i < host->napps; i++) {
        struct mount *mount = &host->apps[i];
        if (mount->gen && mount->gen->starting.left > 0 && mount->error == NULL)
            mount->error = mem_strdup(START_LATE);
    }
    finish_start(host);
}

void host_start(struct host *host, bool first_worker, void (*done)(struct host *, char *, void *),
                void *arg) {
    host->started = done;
    host->started_arg = arg;
    host->starting = 1;
    /* before on_start functions, which may fill dictionaries */
    shared_set_limit(host->http.limits.shared_memory);
    loop_timer(host->loop, &host->start_limit, START_MS);
    for (int i = 0; i < host->napps; i++) {
        struct mount *mount = &host->apps[i];
        if (mount->gen == NULL)
            continue;
        host->starting++;
        boot_start(mount->gen, first_worker, one_started, mount);
    }
    if (--host->starting == 0)
        finish_start(host);
}

void host_take_over(struct host *host) {
    apply_limits(host);
    for (int i = 0; i < host->napps; i++)
        if (host->apps[i].gen && host->apps[i].error == NULL)
            generation_take_over(host->apps[i].gen);
}

/* --- reloading --- */

char *host_load_next(struct host *host, int index, unsigned number) {
    struct mount *mount = &host->apps[index];
    char *error = NULL;
    mount->next = mount_load(mount, number, &host->limits, &error);
    return error;
}

void host_start_next(struct host *host, int index, bool first_worker, void (*done)(char *, void *),
                     void *arg) {
    boot_start(host->apps[index].next, first_worker, done, arg);
}

void host_apply_rules(struct host *host, int index) {
    generation_apply_rules(host->apps[index].next);
}

static void adopt(struct mount *mount) {
    struct host *host = mount->owner;
    if (mount->next == NULL || !mount_adopt(mount))
        return;
    combine_limits(host);
    apply_limits(host);
}

void host_retire(struct host *host, int index, void (*done)(void *), void *arg) {
    adopt(&host->apps[index]);
    mount_retire(&host->apps[index], done, arg);
}

void host_begin(struct host *host, int index) {
    generation_take_over(host->apps[index].gen);
    mount_make_room(&host->apps[index]);
}

void host_drop_next(struct host *host, int index) {
    mount_drop(&host->apps[index]);
}

/* --- connections --- */

/* Something ended: perhaps it was the last. */
static void look_later(struct host *host) {
    if (host->closing)
        loop_timer(host->loop, &host->over, 0);
}

static void on_door_closed(struct doors *doors) {
    look_later(CONTAINER_OF(doors, struct host, doors));
}

static void on_left(struct http_server *server) {
    struct host *host = server->owner;
    doors_admit(&host->doors);
}

struct doors *host_doors(struct host *host) {
    return &host->doors;
}

/* --- ending --- */

static void on_drained(struct http_server *server) {
    struct host *host = server->owner;
    if (host->drained)
        host->drained(host->drained_arg); /* may close and free the host */
}

void host_drain(struct host *host, void (*drained)(void *), void *arg) {
    host->drained = drained;
    host->drained_arg = arg;
    host->http.on_drained = on_drained;
    doors_close(&host->doors);
    http_server_drain(&host->http);
}

static void free_apps(struct host *host) {
    for (int i = 0; i < host->napps; i++)
        mount_fini(&host->apps[i]);
    free(host->apps);
}

/* Tasks still run: those that clean up, or that the cancellation has just woken. */
static bool is_busy(struct host *host) {
    for (int i = 0; i < host->napps; i++)
        if (mount_is_busy(&host->apps[i]))
            return true;
    return false;
}

static void on_reap(struct chore *chore) {
    struct host *host = CONTAINER_OF(chore, struct host, reaper);
    for (int i = 0; i < host->napps; i++)
        mount_reap(&host->apps[i]);
}

static void on_settled(struct mount *mount) {
    struct host *host = mount->owner;
    loop_chore(host->loop, &host->reaper);
    look_later(host);
}

static void on_over(struct timer *timer) {
    struct host *host = CONTAINER_OF(timer, struct host, over);
    if (host->doors.open > 0 || !list_empty(&host->http.connections) || host->http.alive > 0 ||
        is_busy(host))
        return;
    void (*closed)(void *) = host->closed;
    void *arg = host->closed_arg;
    timer_clear(&host->http.drain_deadline);
    timer_clear(&host->start_limit);
    chore_clear(&host->reaper);
    free_apps(host);
    http_server_fini(&host->http);
    free(host);
    if (closed)
        closed(arg);
}

static void on_all_left(struct http_server *server) {
    look_later(server->owner);
}

void host_close(struct host *host, void (*closed)(void *), void *arg) {
    host->closing = true;
    host->closed = closed;
    host->closed_arg = arg;
    host->http.on_left = on_all_left;
    host->http.on_drained = NULL;
    for (int i = 0; i < host->napps; i++)
        mount_cancel(&host->apps[i]);
    doors_close(&host->doors);
    http_server_stop(&host->http);
    look_later(host);
}

struct mount *host_mount(struct host *host, int index) {
    return index < host->napps ? &host->apps[index] : NULL;
}

void host_inspect(struct host *host) {
    inspect_streams(&host->http);
    for (int i = 0; i < host->napps; i++)
        mount_each_task(&host->apps[i], inspect_task, NULL);
}

/* admin: the second endpoint of a server, for who operates it.
 *
 *     STARTING --admin_serve--> SERVING --admin_drain--> DRAINING --admin_stop--> over
 *
 * It has a thread, a loop and an application of its own, in C, and its connections are none of the
 * process's: so it answers when workers do not, or there are no connections left, and says so. It
 * asks nobody for what it can read from here; what only workers know it asks of all, and waits for
 * a second at most (survey).
 *
 * Each view is a row below, and a file. It must not know what they tell. One per process. */
#include "ops/admin.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/loops.h"
#include "ops/profile.h"
#include "ops/streams.h"
#include "ops/survey.h"
#include "ops/tasks.h"
#include "serve/crew.h"
#include "serve/doors.h"
#include "serve/metrics.h"
#include "store/store.h"
#include "wire/http1.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CONNECTIONS 64 /* at a time, fewer where there are few descriptors, */
#define CONNECTIONS_LEAST 4
#define KEEPALIVE_MS 10000 /* for so long without a request */
#define OWN_DESCRIPTORS 5  /* its loop's, and where it listens */

enum stage { STARTING, SERVING, DRAINING };

struct admin {
    struct loop loop;
    pthread_t thread;
    struct http_server http;
    struct doors doors;
    struct gate gate;
    struct crew *crew; /* once it serves */
    atomic_int stage;
    struct mail quit;
    struct timer over; /* looks whether all is closed, in a turn of its own */
    bool quitting;
};

#define TEXT "text/plain; charset=utf-8"

static void respond(struct stream *stream, const char *type, struct buf *text) {
    stream_respond(stream, type, text->data, text->len);
    buf_fini(text);
}

static struct crew *crew_of(const struct admin *admin) {
    return atomic_load(&admin->stage) == STARTING ? NULL : admin->crew;
}

/* --- whether it is well --- */

/* Those that do not reply, a line each. How many. */
static int add_silent(struct buf *out, struct crew *crew) {
    int silent = 0;
    for (int i = 0; crew && i < crew_count(crew); i++) {
        char what[CREW_WHAT];
        uint64_t ms = crew_busy_ms(crew, i);
        if (ms < SURVEY_MS)
            continue;
        crew_running(crew, i, what);
        buf_printf(out, "worker %d has not replied for %.1f s: it runs %s\n", i, (double)ms / 1000,
                   what);
        silent++;
    }
    return silent;
}

static void serve_health(struct admin *admin, struct stream *stream) {
    struct buf text = {0};
    if (add_silent(&text, crew_of(admin)) > 0)
        stream_set_status(stream, 503);
    else
        buf_add(&text, STR("every worker replies\n"));
    respond(stream, TEXT, &text);
}

/* Why nobody should be sent here; NULL: it is ready. */
static const char *unready(const struct admin *admin) {
    enum stage stage = (enum stage)atomic_load(&admin->stage);
    if (stage == STARTING)
        return "the apps are starting\n";
    if (stage == DRAINING)
        return "the server is draining\n";
    return store_default_has_stopped()
               ? "the store has failed: nothing durable is written until a restart\n"
               : NULL;
}

static void serve_ready(struct admin *admin, struct stream *stream) {
    struct buf text = {0};
    const char *why = unready(admin);
    if (why)
        stream_set_status(stream, 503);
    buf_add(&text, str_of(why ? why : "ready\n"));
    respond(stream, TEXT, &text);
}

static void serve_metrics(struct admin *admin, struct stream *stream) {
    struct buf text = {0};
    (void)admin;
    metrics_add(&text);
    respond(stream, METRICS_TYPE, &text);
}

static bool has_workers(const struct admin *admin, struct stream *stream) {
    bool there = crew_of(admin) != NULL;
    if (!there)
        stream_fail(stream, 503, "the apps are starting");
    return there;
}

static void serve_streams(struct admin *admin, struct stream *stream) {
    if (has_workers(admin, stream))
        streams_serve(stream, &admin->loop, crew_of(admin));
}

static void serve_tasks(struct admin *admin, struct stream *stream) {
    if (has_workers(admin, stream))
        tasks_serve(stream, &admin->loop, crew_of(admin));
}

static void serve_profile(struct admin *admin, struct stream *stream) {
    if (has_workers(admin, stream))
        profile_serve(stream, &admin->loop, crew_of(admin));
}

/* --- what there is to see --- */

static void serve_index(struct admin *admin, struct stream *stream);

static const struct view {
    const char *path, *help;
    void (*serve)(struct admin *admin, struct stream *stream);
    bool acts; /* it takes POST */
} views[] = {
    {"/", "this list", serve_index, false},
    {"/healthz", "200 while every worker replies, else 503 and which do not", serve_health, false},
    {"/readyz", "200 when clients may be sent here, else 503 and why not", serve_ready, false},
    {"/metrics", "what the process counts, for Prometheus", serve_metrics, false},
    {"/streams",
     "who is connected and how far behind: ?sort=backlog|age|sent|id&limit=100; POST "
     "/streams?id=N closes one",
     serve_streams, true},
    {"/tasks", "where tasks wait, the most frequent place first", serve_tasks, false},
    {"/profile", "where Lua spends its time, as folded stacks: ?seconds=5&worker=0&app=/NAME",
     serve_profile, false},
};

#define VIEWS (sizeof views / sizeof *views)

static void serve_index(struct admin *admin, struct stream *stream) {
    (void)admin;
    struct buf text = {0};
    for (size_t i = 0; i < VIEWS; i++)
        buf_printf(&text, "%-10s %s\n", views[i].path, views[i].help);
    respond(stream, TEXT, &text);
}

static const struct view *find(const struct stream *stream) {
    for (size_t i = 0; i < VIEWS; i++)
        if (path_is(request_path(stream->request), str_of(views[i].path)))
            return &views[i];
    return NULL;
}

static void refuse(struct stream *stream, int status, const char *why) {
    static struct log_kind refusals = LOG_KIND("refused admin requests");
    char peer[ADDRESS_TEXT];
    address_format(&stream->peer, peer);
    if (log_admits(&refusals, LOG_WARN))
        log_warn("admin: %s: %d: %s", peer, status, why);
    if (status == 401)
        stream_set_header(stream, STR("WWW-Authenticate"), STR("Bearer realm=\"weir admin\""));
    stream_fail(stream, status, why);
}

static bool is_allowed(const struct view *view, const struct stream *stream) {
    struct str method = request_method(stream->request);
    return stream->head_only || str_eq(method, STR("GET")) ||
           (view->acts && str_eq(method, STR("POST")));
}

static void on_request(struct http_server *server, struct stream *stream) {
    struct admin *admin = server->owner;
    const char *why;
    int status = gate_judge(&admin->gate, stream, &why);
    const struct view *view = find(stream);
    if (status != 0) {
        refuse(stream, status, why);
    } else if (view == NULL) {
        stream_fail(stream, 404, "GET / lists what there is");
    } else if (!is_allowed(view, stream)) {
        stream_set_header(stream, STR("Allow"),
                          view->acts ? STR("GET, HEAD, POST") : STR("GET, HEAD"));
        stream_fail(stream, 405, NULL);
    } else {
        stream_set_header(stream, STR("Cache-Control"), STR("no-store"));
        view->serve(admin, stream);
    }
}

/* --- life --- */

static void on_over(struct timer *timer) {
    struct admin *admin = CONTAINER_OF(timer, struct admin, over);
    if (admin->doors.open == 0 && list_empty(&admin->http.connections) && admin->http.alive == 0)
        loop_stop(&admin->loop);
}

static void look_later(struct admin *admin) {
    if (admin->quitting)
        loop_timer(&admin->loop, &admin->over, 0);
}

static void on_left(struct http_server *server) {
    struct admin *admin = server->owner;
    if (!admin->quitting)
        doors_admit(&admin->doors);
    look_later(admin);
}

static void on_door_closed(struct doors *doors) {
    look_later(CONTAINER_OF(doors, struct admin, doors));
}

static void on_quit(struct mail *mail) {
    struct admin *admin = CONTAINER_OF(mail, struct admin, quit);
    admin->quitting = true;
    doors_close(&admin->doors);
    http_server_stop(&admin->http);
    look_later(admin);
}

static void *run(void *arg) {
    struct admin *admin = arg;
    loop_run(&admin->loop);
    loops_leave(&admin->loop);
    return NULL;
}

static uint64_t connections_of(const struct limits *limits) {
    uint64_t share = limits->connections / 12;
    return share < CONNECTIONS_LEAST ? CONNECTIONS_LEAST
           : share < CONNECTIONS     ? share
                                     : CONNECTIONS;
}

unsigned admin_descriptors(void) {
    struct limits limits;
    limits_init(&limits);
    uint64_t most = connections_of(&limits);
    return OWN_DESCRIPTORS + (unsigned)(most + limits_refused(most));
}

static void init_server(struct admin *admin) {
    struct limits limits;
    limits_init(&limits);
    limits.connections = connections_of(&limits);
    limits.keepalive_timeout = KEEPALIVE_MS;
    http_server_init(&admin->http, &admin->loop, &limits);
    http_server_set_apart(&admin->http);
    admin->http.protocol = &http1;
    admin->http.owner = admin;
    admin->http.on_request = on_request;
    admin->http.on_left = on_left;
    doors_init(&admin->doors, &admin->http, on_door_closed);
}

static void free_admin(struct admin *admin) {
    http_server_fini(&admin->http);
    loop_fini(&admin->loop);
    free(admin);
}

int admin_start(int fd, const struct gate *gate, struct admin **out) {
    struct admin *admin = mem_zalloc(sizeof *admin);
    int rc = loop_init(&admin->loop);
    if (rc < 0) {
        free(admin);
        return rc;
    }
    admin->gate = *gate;
    admin->quit.run = on_quit;
    timer_init(&admin->over, on_over);
    init_server(admin);
    rc = doors_listen(&admin->doors, fd);
    if (rc < 0) {
        free_admin(admin);
        return rc;
    }
    loops_join(&admin->loop);
    if (pthread_create(&admin->thread, NULL, run, admin) != 0)
        log_fatal("cannot start the admin thread");
    *out = admin;
    return 0;
}

void admin_serve(struct admin *admin, struct crew *crew) {
    admin->crew = crew;
    atomic_store(&admin->stage, SERVING);
}

void admin_drain(struct admin *admin) {
    atomic_store(&admin->stage, DRAINING);
}

void admin_stop(struct admin *admin) {
    loop_post(&admin->loop, &admin->quit);
    pthread_join(admin->thread, NULL);
    free_admin(admin);
}

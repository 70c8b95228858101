/* crew: the worker threads of a process.
 *
 *     main:    crew_start ........ all ready? .. crew_serve ...... crew_drain .. crew_join
 *     worker:  load, on_start --report--^        take over, accept   drain, end --^
 *
 * Each worker is a thread with a loop, a scheduler and a host of its own; the main thread only
 * waits for signals. It speaks to workers by mail, they answer by `report`, once. What they do
 * among themselves when an app changes is reload's. Nothing else is shared. */
#include "script/crew.h"

#include "base/log.h"
#include "base/mem.h"
#include "http/access_log.h"
#include "script/host.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    struct crew *crew;
    int index;
    pthread_t thread;
    struct loop loop;
    struct scheduler scheduler;
    struct host *host;
    struct mail serve, drain, inspect, quit;
    const int *fds;
    int addresses;
};

struct crew {
    struct crew_options options;
    struct limits limits;
    struct reloads *reloads;
    struct pages *pages; /* NULL: not in watch mode */
    struct worker *workers;
    int running; /* threads that were started */
    pthread_mutex_t lock;
    pthread_cond_t reported;
    int reports;   /* under the lock, as are: */
    char *error;   /* of a worker that could not start at all */
    char **errors; /* of each app, from the first worker where it failed; NULL: it serves */
};

static struct worker *of_mail(struct mail *mail, size_t offset) {
    return (struct worker *)((char *)mail - offset);
}

static void report(struct crew *crew, char *error_take) {
    pthread_mutex_lock(&crew->lock);
    crew->reports++;
    if (crew->error == NULL)
        crew->error = error_take;
    else
        free(error_take);
    pthread_cond_signal(&crew->reported);
    pthread_mutex_unlock(&crew->lock);
}

/* --- in the worker's thread --- */

static void on_started(struct host *host, char *error, void *arg) {
    struct worker *worker = arg;
    struct crew *crew = worker->crew;
    free(error);
    pthread_mutex_lock(&crew->lock);
    for (int i = 0; i < crew->options.sources->count; i++)
        if (host_error(host, i) && crew->errors[i] == NULL)
            crew->errors[i] = mem_strdup(host_error(host, i));
    pthread_mutex_unlock(&crew->lock);
    report(crew, NULL);
}

static void on_host_closed(void *arg) {
    loop_stop(&((struct worker *)arg)->loop);
}

static void close_host(void *arg) {
    struct worker *worker = arg;
    reloads_leave(worker->crew->reloads, worker->index);
    access_log_close(host_http(worker->host)->access_log);
    host_http(worker->host)->access_log = NULL;
    host_close(worker->host, on_host_closed, worker);
}

static void on_quit(struct mail *mail) {
    close_host(of_mail(mail, offsetof(struct worker, quit)));
}

static void on_drain(struct mail *mail) {
    struct worker *worker = of_mail(mail, offsetof(struct worker, drain));
    host_drain(worker->host, close_host, worker);
}

static void on_inspect(struct mail *mail) {
    host_inspect(of_mail(mail, offsetof(struct worker, inspect))->host);
}

static void tell_pages(struct worker *worker) {
    struct crew *crew = worker->crew;
    for (int i = 0; crew->pages && i < crew->options.sources->count; i++)
        pages_tell(crew->pages, host_reader(worker->host), i, crew->errors[i]);
}

static void on_serve(struct mail *mail) {
    struct worker *worker = of_mail(mail, offsetof(struct worker, serve));
    for (int i = 0; i < worker->crew->options.sources->count; i++)
        if (worker->crew->errors[i])
            host_disable(worker->host, i);
    host_take_over(worker->host);
    if (worker->index == 0)
        tell_pages(worker);
    for (int i = 0; i < worker->addresses; i++) {
        int rc = host_listen(worker->host, worker->fds[worker->index * worker->addresses + i]);
        if (rc < 0)
            log_error("cannot watch a listening socket: %s", uv_strerror(rc));
    }
    report(worker->crew, NULL);
}

static char *prepare(struct worker *worker) {
    struct crew *crew = worker->crew;
    worker->host = host_new(&worker->loop, &worker->scheduler, &crew->limits);
    const char *path = crew->options.access_log;
    if (path) {
        int rc = access_log_open(&worker->loop, path, &host_http(worker->host)->access_log);
        if (rc < 0) {
            struct buf text = {0};
            buf_printf(&text, "the access log %s cannot be opened: %s", path, uv_strerror(rc));
            buf_add_char(&text, '\0');
            return text.data;
        }
    }
    host_use_reloads(worker->host, crew->reloads);
    if (crew->pages)
        host_use_pages(worker->host, crew->pages);
    reloads_join(crew->reloads, worker->index, &worker->loop, worker->host);
    host_load_sources(worker->host, crew->options.sources);
    return NULL;
}

static void *worker_main(void *arg) {
    struct worker *worker = arg;
    int rc = loop_init(&worker->loop);
    if (rc < 0) {
        log_error("cannot make an event loop: %s", uv_strerror(rc));
        abort();
    }
    scheduler_init(&worker->scheduler, &worker->loop);
    char *error = prepare(worker);
    if (error)
        report(worker->crew, error);
    else
        host_start(worker->host, worker->index == 0, on_started, worker);
    loop_run(&worker->loop);
    scheduler_fini(&worker->scheduler);
    return NULL;
}

/* --- in the main thread --- */

static void wait_for_reports(struct crew *crew) {
    pthread_mutex_lock(&crew->lock);
    while (crew->reports < crew->running)
        pthread_cond_wait(&crew->reported, &crew->lock);
    crew->reports = 0;
    pthread_mutex_unlock(&crew->lock);
}

static void post_all(struct crew *crew, size_t offset) {
    for (int i = 0; i < crew->running; i++)
        loop_post(&crew->workers[i].loop, (struct mail *)((char *)&crew->workers[i] + offset));
}

static void init_worker(struct crew *crew, int index) {
    struct worker *worker = &crew->workers[index];
    worker->crew = crew;
    worker->index = index;
    worker->serve.run = on_serve;
    worker->drain.run = on_drain;
    worker->inspect.run = on_inspect;
    worker->quit.run = on_quit;
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
        log_error("cannot start a worker thread");
        abort();
    }
    crew->running++;
}

static void log_broken(struct crew *crew, int app, bool others) {
    struct buf text = {0};
    const struct reload_events *events = crew->options.events;
    buf_printf(&text, "the app %s does not start%s: %s", crew->options.sources->list[app].name,
               others ? ", the others do" : "", crew->errors[app]);
    log_text(LOG_ERROR, buf_str(&text));
    buf_fini(&text);
    if (events && events->ended)
        events->ended(events->arg, app, crew->errors[app]);
}

/* An app that failed does not hold back the others; if none is left there is nothing to serve: the
 * first error. */
static char *judge(struct crew *crew) {
    const struct sources *sources = crew->options.sources;
    int failed = 0;
    for (int i = 0; i < sources->count; i++)
        failed += crew->errors[i] != NULL;
    if (failed == sources->count && !crew->options.watch)
        return mem_strdup(crew->errors[0]);
    for (int i = 0; i < sources->count; i++)
        if (crew->errors[i])
            log_broken(crew, i, failed < sources->count);
    return NULL;
}

int crew_start(const struct crew_options *options, struct crew **out, char **error) {
    struct crew *crew = *out = mem_zalloc(sizeof *crew);
    crew->options = *options;
    limits_init(&crew->limits);
    crew->pages = options->watch ? pages_new(options->sources->count) : NULL;
    crew->reloads = reloads_new(options->sources, options->workers, options->events, crew->pages);
    crew->errors = mem_zalloc((size_t)options->sources->count * sizeof *crew->errors);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->reported, NULL);
    crew->workers = mem_zalloc((size_t)options->workers * sizeof *crew->workers);
    for (int i = 0; i < options->workers; i++)
        init_worker(crew, i);
    wait_for_reports(crew);
    *error = crew->error ? crew->error : judge(crew);
    if (*error == NULL)
        return 0;
    post_all(crew, offsetof(struct worker, quit));
    crew_join(crew);
    return -1;
}

void crew_serve(struct crew *crew, const int *fds, int addresses) {
    for (int i = 0; i < crew->running; i++) {
        crew->workers[i].fds = fds;
        crew->workers[i].addresses = addresses;
    }
    post_all(crew, offsetof(struct worker, serve));
    wait_for_reports(crew);
    reloads_open(crew->reloads, crew->errors);
}

void crew_reload(struct crew *crew, int app) {
    reload_request(reloads_of(crew->reloads, app));
}

void crew_refresh(struct crew *crew, int app) {
    reload_refresh(reloads_of(crew->reloads, app));
}

void crew_drain(struct crew *crew) {
    post_all(crew, offsetof(struct worker, drain));
}

void crew_inspect(struct crew *crew) {
    post_all(crew, offsetof(struct worker, inspect));
}

void crew_join(struct crew *crew) {
    for (int i = 0; i < crew->running; i++)
        pthread_join(crew->workers[i].thread, NULL);
    for (int i = 0; i < crew->running; i++) /* until then others may post to it */
        loop_fini(&crew->workers[i].loop);
    reloads_free(crew->reloads);
    if (crew->pages)
        pages_free(crew->pages);
    pthread_mutex_destroy(&crew->lock);
    pthread_cond_destroy(&crew->reported);
    for (int i = 0; i < crew->options.sources->count; i++)
        free(crew->errors[i]);
    free(crew->errors);
    free(crew->workers);
    free(crew);
}

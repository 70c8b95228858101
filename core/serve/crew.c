/* crew: the worker threads of a process.
 *
 *     main:    crew_start ........ all ready? .. crew_serve ...... crew_drain .. crew_join
 *     worker:  load, on_start --report--^        take over, accept   drain, end --^
 *
 * Each worker is a thread with a loop, a scheduler and a host of its own; the main thread only
 * waits for signals, and looks. It speaks to workers by mail, they answer by `report`, once. What
 * they do among themselves when an app changes is reload's; what they share besides is the hub.
 *
 * A worker that is inside one call for long answers nobody, and the kernel, which deals new
 * connections out to all listening sockets of an address, goes on giving it its share. So the main
 * thread looks who has not turned for a while (crew_look), copies its descriptors, and lets another
 * worker accept from them until it turns again. From a socket that all share, others accept anyway;
 * and it stays open, for it is the service manager's too. Whose helper is who is a number that only
 * the main thread writes; mail tells the workers that it has changed. */
#include "serve/crew.h"

#include "base/clock.h"
#include "base/log.h"
#include "vm/cstack.h"
#include "base/mem.h"
#include "access/access_log.h"
#include "base/must.h"
#include "serve/host.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STUCK_MS 2000      /* without a turn */
#define DESCRIPTORS 24     /* standard ones, signals, logs, data, modules that load */
#define DESCRIPTORS_EACH 4 /* a loop's */

struct worker {
    struct crew *crew;
    int index;
    pthread_t thread;
    struct loop loop;
    struct reader reader;
    struct scheduler scheduler;
    struct host *host;
    struct mail serve, drain, inspect, quit, help;
    atomic_int helper; /* who accepts for it, as a number from 1 on; 0: it does itself */
    bool stuck;        /* the main thread's: that was logged */
    atomic_int *lent;  /* copies of its descriptors on their way to the helper; -1: none */
    const int *fds;
    int addresses;
    bool ended;      /* under the crew's lock, as is: */
    uint64_t cpu_ns; /* when it had */
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
    int ended;     /* threads that have */
    char *error;   /* of a worker that could not start at all */
    char **errors; /* of each app, from the first worker where it failed; NULL: it serves */
};

static struct crew *_Atomic serving; /* the process's, once all its workers are there */

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
    struct worker *worker = arg;
    worker->host = NULL;
    loop_stop(&worker->loop);
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
        int rc = doors_listen(host_doors(worker->host),
                              worker->fds[worker->index * worker->addresses + i]);
        if (rc < 0)
            log_error("cannot watch a listening socket: %s", uv_strerror(rc));
    }
    report(worker->crew, NULL);
}

/* Takes what is there for this worker, and leaves those that need no help of it. */
static void on_help(struct mail *mail) {
    struct worker *worker = of_mail(mail, offsetof(struct worker, help));
    struct crew *crew = worker->crew;
    for (int i = 0; i < crew->running; i++) {
        struct worker *other = &crew->workers[i];
        if (atomic_load(&other->helper) != worker->index + 1)
            doors_help_ends(host_doors(worker->host), i);
        else
            for (int j = 0; j < other->addresses; j++) {
                int fd = atomic_exchange(&other->lent[j], -1);
                if (fd >= 0)
                    doors_help(host_doors(worker->host), i, fd);
            }
    }
}

static char *prepare(struct worker *worker) {
    struct crew *crew = worker->crew;
    worker->host = host_new(&worker->loop, &worker->scheduler, &crew->limits);
    const char *path = crew->options.access_log;
    if (path) {
        struct http_server *server = host_http(worker->host);
        int rc = access_log_open(&worker->loop, path, &server->access_log);
        server->log = access_log_stream;
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
    if (rc < 0)
        log_fatal("cannot make an event loop: %s", uv_strerror(rc));
    reader_init(&worker->reader, &worker->loop);
    scheduler_init(&worker->scheduler, &worker->loop, &worker->reader,
                   worker->crew->options.library);
    char *error = prepare(worker);
    if (error)
        report(worker->crew, error);
    else
        host_start(worker->host, worker->index == 0, on_started, worker);
    loop_run(&worker->loop);
    scheduler_fini(&worker->scheduler);
    reader_fini(&worker->reader);
    pthread_mutex_lock(&worker->crew->lock);
    worker->cpu_ns = clock_cpu_ns(worker->scheduler.guard.clock);
    worker->ended = true;
    worker->crew->ended++;
    pthread_cond_signal(&worker->crew->reported);
    pthread_mutex_unlock(&worker->crew->lock);
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
    worker->help.run = on_help;
    if (cstack_start(&worker->thread, worker_main, worker) != 0)
        log_fatal("cannot start a worker thread");
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

unsigned crew_descriptors(int workers, int addresses) {
    return DESCRIPTORS + (unsigned)workers * (DESCRIPTORS_EACH + (unsigned)addresses);
}

void crew_stop(struct crew *crew) {
    post_all(crew, offsetof(struct worker, quit));
    crew_join(crew);
}

int crew_start(const struct crew_options *options, struct crew **out, char **error) {
    struct crew *crew = *out = mem_zalloc(sizeof *crew);
    crew->options = *options;
    limits_init(&crew->limits);
    limits_leave(&crew->limits, options->descriptors);
    crew->pages = options->watch ? pages_new(options->sources->count) : NULL;
    crew->reloads = reloads_new(options->sources, options->workers, options->events, crew->pages);
    crew->errors = mem_zalloc((size_t)options->sources->count * sizeof *crew->errors);
    pthread_mutex_init(&crew->lock, NULL);
    clock_init_cond(&crew->reported);
    crew->workers = mem_zalloc((size_t)options->workers * sizeof *crew->workers);
    for (int i = 0; i < options->workers; i++)
        init_worker(crew, i);
    wait_for_reports(crew);
    *error = crew->error ? crew->error : judge(crew);
    if (*error == NULL)
        return 0;
    crew_stop(crew);
    return -1;
}

void crew_serve(struct crew *crew, const int *fds, int addresses) {
    for (int i = 0; i < crew->running; i++) {
        struct worker *worker = &crew->workers[i];
        worker->fds = fds;
        worker->addresses = addresses;
        worker->lent = mem_alloc((size_t)addresses * sizeof *worker->lent);
        for (int j = 0; j < addresses; j++)
            atomic_init(&worker->lent[j], -1);
    }
    atomic_store(&serving, crew);
    post_all(crew, offsetof(struct worker, serve));
    wait_for_reports(crew);
    reloads_open(crew->reloads, crew->errors);
}

struct crew *crew_serving(void) {
    return atomic_load(&serving);
}

void crew_reload(struct crew *crew, int app) {
    reloads_request(crew->reloads, app);
}

bool crew_reloads(struct crew *crew) {
    return reloads_go_on(crew->reloads);
}

void crew_refresh(struct crew *crew, int app) {
    reloads_refresh(crew->reloads, app);
}

/* --- workers that do not turn --- */

static bool is_stuck(struct worker *worker, uint64_t ms) {
    return loop_busy_ms(&worker->loop) >= ms;
}

void crew_running(struct crew *crew, int index, char what[CREW_WHAT]) {
    if (!guard_running(&crew->workers[index].scheduler.guard, what))
        snprintf(what, CREW_WHAT, "a worker, outside of Lua");
}

/* The number of the next one that turns; 0: there is none. */
static int find_helper(struct crew *crew, int index) {
    for (int i = 1; i < crew->running; i++) {
        int other = (index + i) % crew->running;
        if (!is_stuck(&crew->workers[other], STUCK_MS))
            return other + 1;
    }
    return 0;
}

/* Copies go to the new helper; what the last one has not taken is closed. */
static void lend(struct worker *worker, int helper) {
    const int *fds = worker->fds + (size_t)worker->index * (size_t)worker->addresses;
    for (int i = worker->crew->options.shared; i < worker->addresses; i++) {
        int copy = helper ? fcntl(fds[i], F_DUPFD_CLOEXEC, 0) : -1;
        int left = atomic_exchange(&worker->lent[i], copy);
        if (left >= 0)
            close(left);
    }
    atomic_store(&worker->helper, helper);
    post_all(worker->crew, offsetof(struct worker, help));
}

static void warn_of(struct worker *worker, int helper) {
    char what[CREW_WHAT];
    crew_running(worker->crew, worker->index, what);
    log_warn("%s: one call has lasted for more than %d s; this worker's streams wait, %s", what,
             STUCK_MS / 1000,
             helper ? "another worker accepts its connections"
                    : "and its new connections, for no other worker could accept them");
}

static void tell_stuck(struct worker *worker, bool stuck, int helper) {
    if (stuck && !worker->stuck)
        warn_of(worker, helper);
    else if (!stuck && worker->stuck)
        log_info("the worker whose streams had to wait goes on");
    worker->stuck = stuck;
}

void crew_look(struct crew *crew) {
    for (int i = 0; i < crew->running; i++) {
        struct worker *worker = &crew->workers[i];
        bool stuck = is_stuck(worker, STUCK_MS);
        int helper = atomic_load(&worker->helper);
        bool helped = helper != 0 && !is_stuck(&crew->workers[helper - 1], STUCK_MS);
        int next = !stuck ? 0 : helped ? helper : find_helper(crew, i);
        tell_stuck(worker, stuck, next);
        if (next != helper)
            lend(worker, next);
    }
}

int crew_stuck(struct crew *crew) {
    for (int i = 0; i < crew->running; i++)
        if (crew_busy_ms(crew, i) >= STUCK_MS / 2)
            return i;
    return -1;
}

int crew_count(const struct crew *crew) {
    return crew->running;
}

uint64_t crew_busy_ms(struct crew *crew, int index) {
    struct worker *worker = &crew->workers[index];
    pthread_mutex_lock(&crew->lock);
    bool ended = worker->ended;
    pthread_mutex_unlock(&crew->lock);
    return ended ? 0 : loop_busy_ms(&worker->loop);
}

uint64_t crew_cpu_ns(struct crew *crew, int index) {
    struct worker *worker = &crew->workers[index];
    pthread_mutex_lock(&crew->lock);
    uint64_t ns = worker->ended ? worker->cpu_ns : clock_cpu_ns(worker->scheduler.guard.clock);
    pthread_mutex_unlock(&crew->lock);
    return ns;
}

int crew_find(const struct crew *crew, const struct loop *loop) {
    for (int i = 0; i < crew->running; i++)
        if (&crew->workers[i].loop == loop)
            return i;
    return -1;
}

struct host *crew_host(const struct crew *crew, int worker) {
    MUST(loop_is_mine(&crew->workers[worker].loop));
    return crew->workers[worker].host;
}

/* --- the end --- */

bool crew_ended(struct crew *crew, int ms) {
    struct timespec until = clock_after_ns((uint64_t)ms * 1000000);
    pthread_mutex_lock(&crew->lock);
    while (crew->ended < crew->running &&
           pthread_cond_timedwait(&crew->reported, &crew->lock, &until) == 0)
        ;
    bool ended = crew->ended == crew->running;
    pthread_mutex_unlock(&crew->lock);
    return ended;
}

void crew_drain(struct crew *crew) {
    post_all(crew, offsetof(struct worker, drain));
}

void crew_inspect(struct crew *crew) {
    post_all(crew, offsetof(struct worker, inspect));
}

static void free_lent(struct worker *worker) {
    for (int i = 0; i < worker->addresses; i++)
        if (atomic_load(&worker->lent[i]) >= 0)
            close(atomic_load(&worker->lent[i]));
    free(worker->lent);
}

void crew_join(struct crew *crew) {
    for (int i = 0; i < crew->running; i++)
        pthread_join(crew->workers[i].thread, NULL);
    for (int i = 0; i < crew->running; i++) /* until then others may post to it */
        loop_fini(&crew->workers[i].loop);
    atomic_store(&serving, NULL);
    for (int i = 0; i < crew->running; i++)
        free_lent(&crew->workers[i]);
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

/* cli_serve: `weir serve`: options, listening sockets, signals.
 *
 * The main thread reads the options, binds, opens the data, starts the crew of workers, which loads
 * the apps, and lets clients connect only then: before that nobody could answer them. Then it waits
 * for signals (cli_signals.h): SIGTERM and SIGINT drain, a second one stops at once; SIGHUP reloads
 * all apps; SIGUSR1 shows what is alive; SIGUSR2 reopens the access log. Between two signals it
 * looks whether all workers turn. What the service manager wants to know it is told (ops/notify).
 * The store is opened before the crew and closed, by cli.c, after it.
 */
#include "cli.h"

#include "base/clock.h"
#include "base/console.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/scribe.h"
#include "base/str.h"
#include "cli_addresses.h"
#include "cli_admin.h"
#include "cli_signals.h"
#include "hub/hub.h"
#include "store/store.h"
#include "ops/notify.h"
#include "ops/watcher.h"
#include "library.h"
#include "serve/crew.h"
#include "serve/host.h"
#include "vm/lineage.h"
#include "vm/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORKERS_MAX 256
#define LEAST_CLIENTS 8
#define LOOK_MS 500       /* between two looks at what nobody tells of */
#define RELOAD_LOOK_MS 20 /* whether a reload is over */
#define GRACE_MS 1000     /* after the drain timeout */

struct serve {
    struct sources sources;
    struct addresses addresses;
    struct notify notify;
    int workers;
    const char *access_log;
    const char *data; /* NULL: memory only */
    struct cli_admin admin;
    bool reloading;    /* by a signal */
    uint64_t failures; /* of reloads, when it began */
};

/* --- options --- */

static int set_listen(struct serve *serve, const char *value) {
    return addresses_add(&serve->addresses, value);
}

static int set_workers(struct serve *serve, const char *value) {
    uint64_t n;
    if (str_to_u64(str_of(value), &n) < 0 || n < 1 || n > WORKERS_MAX)
        return cli_usage("serve", "--workers %s: expected a number from 1 to %d", value,
                         WORKERS_MAX);
    serve->workers = (int)n;
    return 0;
}

static int set_access_log(struct serve *serve, const char *value) {
    serve->access_log = value;
    return 0;
}

static int set_data(struct serve *serve, const char *value) {
    if (value[0] == '\0')
        return cli_usage("serve", "--data: expected a folder, such as /var/lib/weir");
    serve->data = value;
    return 0;
}

static int set_watch(struct serve *serve, const char *value) {
    (void)value;
    (void)serve;
    state_mode.watching = true;
    return 0;
}

static int set_admin(struct serve *serve, const char *value) {
    return cli_admin_set_address(&serve->admin, value);
}

static int set_admin_token(struct serve *serve, const char *value) {
    serve->admin.token = value;
    return 0;
}

static int set_log(struct serve *serve, const char *value) {
    (void)serve;
    bool json = strcmp(value, "json") == 0;
    if (!json && strcmp(value, "text") != 0)
        return cli_usage("serve", "--log %s: expected text or json", value);
    log_set_json(json);
    return 0;
}

static int set_log_level(struct serve *serve, const char *value) {
    (void)serve;
    enum log_level level;
    if (log_level_of(str_of(value), &level) < 0)
        return cli_usage("serve", "--log-level %s: expected debug, info, warn or error", value);
    log_set_level(level);
    return 0;
}

static const struct option {
    const char *name;
    int (*set)(struct serve *serve, const char *value);
    bool alone; /* it takes no value */
} options[] = {{"--listen", set_listen, false},      {"--workers", set_workers, false},
               {"--data", set_data, false},          {"--access-log", set_access_log, false},
               {"--admin", set_admin, false},        {"--admin-token", set_admin_token, false},
               {"--watch", set_watch, true},         {"--log", set_log, false},
               {"--log-level", set_log_level, false}};

/* One option, "--name value" or "--name=value"; `*at` moves on. */
static int parse_option(struct serve *serve, int argc, char **argv, int *at) {
    const char *given = argv[*at];
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        size_t n = strlen(options[i].name);
        if (strncmp(given, options[i].name, n) != 0)
            continue;
        if (options[i].alone && given[n] == '\0')
            return options[i].set(serve, NULL);
        if (options[i].alone && given[n] == '=')
            return cli_usage("serve", "%s takes no value", options[i].name);
        if (given[n] == '=')
            return options[i].set(serve, given + n + 1);
        if (given[n] != '\0')
            continue;
        if (*at + 1 == argc)
            return cli_usage("serve", "%s needs a value", given);
        return options[i].set(serve, argv[++*at]);
    }
    return cli_usage("serve", "unknown option %s", given);
}

static int find_apps(struct serve *serve, int count, char **paths) {
    char *error;
    for (int i = 0; i < count; i++) {
        if (sources_add(&serve->sources, paths[i], &error) == 0)
            continue;
        int rc = cli_fail("%s", error);
        free(error);
        return rc;
    }
    return 0;
}

/* Moves the PATHs to the front of argv. */
static int parse(struct serve *serve, int argc, char **argv) {
    int npaths = 0;
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] != '-') {
            argv[npaths++] = argv[i];
            continue;
        }
        int rc = parse_option(serve, argc, argv, &i);
        if (rc != 0)
            return rc;
    }
    if (npaths == 0)
        return cli_usage("serve", "which app? give a PATH");
    int rc = cli_admin_check(&serve->admin);
    if (rc == 0)
        rc = find_apps(serve, npaths, argv);
    if (rc != 0)
        return rc;
    if (serve->addresses.count == 0)
        set_listen(serve, "127.0.0.1:8080");
    if (serve->workers == 0) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        serve->workers = cpus < 1 ? 1 : cpus > WORKERS_MAX ? WORKERS_MAX : (int)cpus;
    }
    return 0;
}

/* --- before anything runs --- */

static unsigned descriptors_of(const struct serve *serve) {
    return crew_descriptors(serve->workers, serve->addresses.count) +
           cli_admin_descriptors(&serve->admin);
}

/* Modules, sockets and files are said to be missing when a process may open no more of them. */
static int check_descriptors(const struct serve *serve) {
    unsigned needed = descriptors_of(serve);
    struct rlimit limit = {.rlim_cur = needed};
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= needed + LEAST_CLIENTS)
        return 0;
    return cli_fail("this process may open %llu files (ulimit -n); %d workers need %u for "
                    "themselves, and clients one each: raise it (ulimit -n 4096, LimitNOFILE= of "
                    "systemd), or take fewer --workers",
                    (unsigned long long)limit.rlim_cur, serve->workers, needed);
}

/* --- data --- */

/* Before any worker is there: what an app stores when it starts must be kept too. */
static int open_data(const struct serve *serve) {
    char why[STORE_WHY_BYTES];
    struct store *store;
    if (serve->data == NULL) {
        log_info("memory only: what is stored goes with this process; --data DIR keeps it");
        return 0;
    }
    if (store_open(serve->data, &store, why, sizeof why) < 0)
        return cli_fail("--data: %s", why);
    store_set_default(store);
    hub_use_store(store);
    return 0;
}

/* --- running --- */

/* Whoever counts on this server's signs of life has it started anew without them: so they are those
 * of the workers. */
static void tell_alive(struct crew *crew, struct serve *serve) {
    if (crew_stuck(crew) < 0)
        notify_alive(&serve->notify);
}

static void end_without(struct crew *crew, int worker) {
    char what[CREW_WHAT];
    crew_running(crew, worker, what);
    log_error("%s: the call does not return; ending without it", what);
    console_finish();
    _exit(EXIT_FAILED);
}

/* After drain_timeout streams are closed and tasks cancelled, which takes the workers no second.
 * One that does not come to it, because a call does not return, is not waited for. */
static int drain(struct serve *serve, struct crew *crew) {
    uint64_t end = clock_mono_ms() + host_drain_timeout() + GRACE_MS;
    log_info("draining: open streams end now, requests within the drain timeout; once more stops "
             "at once");
    if (serve->admin.admin)
        admin_drain(serve->admin.admin);
    crew_drain(crew);
    while (!crew_ended(crew, notify_wait_ms(&serve->notify, LOOK_MS))) {
        log_sums(false);
        tell_alive(crew, serve);
        int stuck = clock_mono_ms() >= end ? crew_stuck(crew) : -1;
        if (stuck >= 0)
            end_without(crew, stuck);
    }
    cli_admin_close(&serve->admin);
    crew_join(crew);
    return EXIT_DONE;
}

static void tell_serving(struct serve *serve, const char *what) {
    notify_tell(&serve->notify, "READY=1\nSTATUS=%sapps: %d, workers: %d", what,
                serve->sources.count, serve->workers);
}

static void reload_all(struct crew *crew, struct serve *serve) {
    notify_reloading(&serve->notify);
    serve->failures = atomic_load(&lineage_counters.failures);
    serve->reloading = true;
    for (int i = 0; i < serve->sources.count; i++)
        crew_reload(crew, i);
}

/* What was begun by reload_all is told when it is over. */
static void follow_reload(struct crew *crew, struct serve *serve) {
    if (!serve->reloading || crew_reloads(crew))
        return;
    bool failed = atomic_load(&lineage_counters.failures) != serve->failures;
    serve->reloading = false;
    tell_serving(serve, failed ? "an app was not reloaded, the log says why; " : "");
}

/* Until one that ends. */
static void wait_for_signals(struct crew *crew, struct serve *serve) {
    for (;;) {
        unsigned come = signals_wait(
            notify_wait_ms(&serve->notify, serve->reloading ? RELOAD_LOOK_MS : LOOK_MS));
        if (come & SIGNAL_INSPECT)
            crew_inspect(crew);
        if (come & SIGNAL_REOPEN)
            scribes_reopen();
        if (come & SIGNAL_RELOAD)
            reload_all(crew, serve);
        if (come & SIGNAL_END)
            return;
        crew_look(crew);
        follow_reload(crew, serve);
        tell_alive(crew, serve);
        log_sums(false);
    }
}

/* From the start of the workers to their end. */
static int serve_all(struct serve *serve, struct watcher *watcher, char **error) {
    struct crew_options crew_options = {.sources = &serve->sources,
                                        .library = library_open,
                                        .workers = serve->workers,
                                        .addresses = serve->addresses.count,
                                        .shared = serve->addresses.inherited,
                                        .descriptors = descriptors_of(serve),
                                        .access_log = serve->access_log,
                                        .events = watcher ? watcher_events(watcher) : NULL,
                                        .watch = state_mode.watching};
    struct crew *crew;
    if (crew_start(&crew_options, &crew, error) < 0)
        return EXIT_FAILED;
    int rc = addresses_open(&serve->addresses);
    if (rc != 0) {
        crew_stop(crew);
        return rc;
    }
    crew_serve(crew, serve->addresses.fds, serve->addresses.count);
    if (serve->admin.admin)
        admin_serve(serve->admin.admin, crew);
    if (watcher)
        watcher_start(watcher, crew);
    addresses_announce(&serve->addresses);
    tell_serving(serve, "");
    wait_for_signals(crew, serve);
    notify_tell(&serve->notify, "STOPPING=1\nSTATUS=draining");
    if (watcher)
        watcher_stop(watcher);
    return drain(serve, crew);
}

static int run(struct serve *serve) {
    int rc = check_descriptors(serve);
    if (rc == 0)
        rc = addresses_bind(&serve->addresses, serve->workers);
    if (rc == 0)
        rc = open_data(serve);
    if (rc == 0)
        rc = cli_admin_open(&serve->admin);
    if (rc != 0)
        return rc;
    char *error = NULL;
    struct watcher *watcher = state_mode.watching ? watcher_new(&serve->sources, &error) : NULL;
    if (error == NULL)
        rc = serve_all(serve, watcher, &error);
    if (watcher)
        watcher_free(watcher);
    cli_admin_close(&serve->admin);
    if (error)
        rc = cli_fail("%s", error);
    free(error);
    return rc;
}

/* What the environment says is for this process alone, and other threads may read it later. */
static int inherit(struct serve *serve) {
    char *error = NULL;
    notify_open(&serve->notify);
    int rc = addresses_inherit(&serve->addresses, &error) < 0 ? cli_fail("%s", error) : 0;
    free(error);
    return rc;
}

static int start(struct serve *serve, int argc, char **argv) {
    int rc = signals_catch();
    if (rc == 0)
        rc = console_open();
    return rc < 0 ? cli_fail("cannot start: %s", strerror(-rc)) : parse(serve, argc, argv);
}

int cli_serve(int argc, char **argv) {
    struct serve serve = {0};
    int rc = inherit(&serve);
    if (rc == 0)
        rc = start(&serve, argc, argv);
    if (rc == 0)
        rc = run(&serve);
    sources_free(&serve.sources);
    addresses_free(&serve.addresses);
    notify_close(&serve.notify);
    return rc;
}

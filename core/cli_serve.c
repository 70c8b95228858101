/* cli_serve: `weir serve`: options, listening sockets, signals.
 *
 * The main thread reads the options, binds, opens the data, starts the crew of workers, which loads
 * the apps, and lets clients connect only then: before that nobody could answer them. Then it waits
 * for signals (cli_signals.h): SIGTERM and SIGINT drain, a second one stops at once; SIGHUP reloads
 * all apps; SIGUSR1 shows what is alive; SIGUSR2 reopens the access log. Between two signals it
 * looks whether all workers turn. Addresses are probed without SO_REUSEPORT first, or two servers
 * would share a port without a word. The store is opened before the crew and closed, by cli.c,
 * after it.
 */
#include "cli.h"

#include "base/clock.h"
#include "base/console.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/scribe.h"
#include "base/str.h"
#include "cli_signals.h"
#include "hub/hub.h"
#include "store/store.h"
#include "net/listener.h"
#include "ops/watcher.h"
#include "library.h"
#include "serve/crew.h"
#include "serve/host.h"
#include "vm/state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define ADDRESSES_MAX 16
#define WORKERS_MAX 256
#define LEAST_CLIENTS 8
#define LOOK_MS 500   /* between two looks at what nobody tells of */
#define GRACE_MS 1000 /* after the drain timeout */

struct address_option {
    char host[256];
    uint16_t port;
};

struct serve {
    struct sources sources;
    struct address_option addresses[ADDRESSES_MAX];
    int naddresses;
    int workers;
    const char *access_log;
    const char *data; /* NULL: memory only */
    int *fds;
};

/* --- options --- */

/* "HOST:PORT", "[IPV6]:PORT". 0 or -1. */
static int parse_address(const char *text, struct address_option *out) {
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL || str_to_u64(str_of(colon + 1), &port) < 0 || port > 65535)
        return -1;
    struct str host = {text, (size_t)(colon - text)};
    if (host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = (struct str){host.ptr + 1, host.len - 2};
    else if (memchr(host.ptr, ':', host.len))
        return -1;
    if (host.len == 0 || host.len >= sizeof out->host)
        return -1;
    memcpy(out->host, host.ptr, host.len);
    out->host[host.len] = '\0';
    out->port = (uint16_t)port;
    return 0;
}

static int set_listen(struct serve *serve, const char *value) {
    if (serve->naddresses == ADDRESSES_MAX)
        return cli_usage("serve", "more than %d addresses", ADDRESSES_MAX);
    if (parse_address(value, &serve->addresses[serve->naddresses]) < 0)
        return cli_usage("serve",
                         "--listen %s: expected HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080",
                         value);
    serve->naddresses++;
    return 0;
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
    int rc = find_apps(serve, npaths, argv);
    if (rc != 0)
        return rc;
    if (serve->naddresses == 0)
        set_listen(serve, "127.0.0.1:8080");
    if (serve->workers == 0) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        serve->workers = cpus < 1 ? 1 : cpus > WORKERS_MAX ? WORKERS_MAX : (int)cpus;
    }
    return 0;
}

/* --- sockets --- */

static int refuse_address(const struct address_option *address, int rc) {
    return cli_fail(
        "cannot listen on %s:%u: %s%s", address->host, address->port, uv_strerror(rc),
        rc == UV_EADDRINUSE ? "; stop what listens there, or choose another with --listen" : "");
}

/* Whether somebody listens there. 0 or an error. */
static int probe(struct address_option *address) {
    int fd = listener_claim(address->host, &address->port, false);
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

static int bind_address(struct serve *serve, int index) {
    struct address_option *address = &serve->addresses[index];
    int rc = probe(address);
    for (int i = 0; rc >= 0 && i < serve->workers; i++)
        serve->fds[i * serve->naddresses + index] = rc =
            listener_claim(address->host, &address->port, true);
    return rc < 0 ? refuse_address(address, rc) : 0;
}

/* Others may have begun to listen while the apps were loaded. */
static int open_address(struct serve *serve, int index) {
    int rc = probe(&serve->addresses[index]);
    for (int i = 0; rc == 0 && i < serve->workers; i++)
        rc = listener_open(serve->fds[i * serve->naddresses + index]);
    return rc < 0 ? refuse_address(&serve->addresses[index], rc) : 0;
}

static int open_all(struct serve *serve) {
    int rc = 0;
    for (int i = 0; rc == 0 && i < serve->naddresses; i++)
        rc = open_address(serve, i);
    return rc;
}

static int bind_all(struct serve *serve) {
    int count = serve->workers * serve->naddresses;
    serve->fds = mem_alloc((size_t)count * sizeof *serve->fds);
    for (int i = 0; i < count; i++)
        serve->fds[i] = -1;
    for (int i = 0; i < serve->naddresses; i++) {
        int rc = bind_address(serve, i);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* Modules, sockets and files are said to be missing when a process may open no more of them. */
static int check_descriptors(const struct serve *serve) {
    unsigned needed = crew_descriptors(serve->workers, serve->naddresses);
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

static void announce(const struct serve *serve) {
    for (int i = 0; i < serve->naddresses; i++) {
        const struct address_option *address = &serve->addresses[i];
        bool v6 = strchr(address->host, ':') != NULL;
        console_announce("weir: listening on http://%s%s%s:%u", v6 ? "[" : "", address->host,
                         v6 ? "]" : "", address->port);
    }
}

/* --- running --- */

/* After drain_timeout streams are closed and tasks cancelled, which takes the workers no second.
 * One that does not come to it, because a call does not return, is not waited for. */
static int drain(struct crew *crew) {
    uint64_t end = clock_mono_ms() + host_drain_timeout() + GRACE_MS;
    log_info("draining: open streams end now, requests within the drain timeout; once more stops "
             "at once");
    crew_drain(crew);
    while (!crew_ended(crew, LOOK_MS)) {
        log_sums(false);
        const char *stuck = clock_mono_ms() >= end ? crew_stuck(crew) : NULL;
        if (stuck == NULL)
            continue;
        log_error("%s: the call does not return; ending without it", stuck);
        console_finish();
        _exit(EXIT_FAILED);
    }
    crew_join(crew);
    return EXIT_DONE;
}

static void reload_all(struct crew *crew, const struct serve *serve) {
    for (int i = 0; i < serve->sources.count; i++)
        crew_reload(crew, i);
}

/* Until one that ends. */
static void wait_for_signals(struct crew *crew, const struct serve *serve) {
    for (;;) {
        unsigned come = signals_wait(LOOK_MS);
        if (come & SIGNAL_INSPECT)
            crew_inspect(crew);
        if (come & SIGNAL_REOPEN)
            scribes_reopen();
        if (come & SIGNAL_RELOAD)
            reload_all(crew, serve);
        if (come & SIGNAL_END)
            return;
        crew_look(crew);
        log_sums(false);
    }
}

/* From the start of the workers to their end. */
static int serve_all(struct serve *serve, struct watcher *watcher, char **error) {
    struct crew_options crew_options = {.sources = &serve->sources,
                                        .library = library_open,
                                        .workers = serve->workers,
                                        .addresses = serve->naddresses,
                                        .access_log = serve->access_log,
                                        .events = watcher ? watcher_events(watcher) : NULL,
                                        .watch = state_mode.watching};
    struct crew *crew;
    if (crew_start(&crew_options, &crew, error) < 0)
        return EXIT_FAILED;
    int rc = open_all(serve);
    if (rc != 0) {
        crew_stop(crew);
        return rc;
    }
    crew_serve(crew, serve->fds, serve->naddresses);
    if (watcher)
        watcher_start(watcher, crew);
    announce(serve);
    wait_for_signals(crew, serve);
    if (watcher)
        watcher_stop(watcher);
    return drain(crew);
}

static int run(struct serve *serve) {
    int rc = check_descriptors(serve);
    if (rc == 0)
        rc = bind_all(serve);
    if (rc == 0)
        rc = open_data(serve);
    if (rc != 0)
        return rc;
    char *error = NULL;
    struct watcher *watcher = state_mode.watching ? watcher_new(&serve->sources, &error) : NULL;
    if (error == NULL)
        rc = serve_all(serve, watcher, &error);
    if (watcher)
        watcher_free(watcher);
    if (error)
        rc = cli_fail("%s", error);
    free(error);
    return rc;
}

int cli_serve(int argc, char **argv) {
    struct serve serve = {0};
    int rc = signals_catch();
    if (rc == 0)
        rc = console_open();
    rc = rc < 0 ? cli_fail("cannot start: %s", strerror(-rc)) : parse(&serve, argc, argv);
    if (rc == 0)
        rc = run(&serve);
    sources_free(&serve.sources);
    free(serve.fds);
    return rc;
}

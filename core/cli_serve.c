/* cli_serve: `weir serve`: options, listening sockets, signals.
 *
 * The main thread reads the options, binds, starts the crew of workers, and then waits for signals:
 * SIGTERM and SIGINT drain, a second one stops at once; SIGHUP reloads all apps; SIGUSR1 shows what
 * is alive. Addresses are probed without SO_REUSEPORT first, or two servers would share a port
 * without a word. The store is opened before the crew and closed, by cli.c, after it. */
#include "cli.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "hub/hub.h"
#include "hub/store.h"
#include "net/listener.h"
#include "ops/watcher.h"
#include "script/crew.h"
#include "script/state.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESSES_MAX 16
#define WORKERS_MAX 256

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
    if (strcmp(value, "text") != 0)
        return cli_usage("serve", "--log %s: expected text", value);
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

static int bind_address(struct serve *serve, int index) {
    struct address_option *address = &serve->addresses[index];
    int fd = listener_bind(address->host, &address->port, false);
    if (fd >= 0)
        close(fd); /* a probe: nobody else has it */
    for (int i = 0; fd >= 0 && i < serve->workers; i++)
        serve->fds[i * serve->naddresses + index] = fd =
            listener_bind(address->host, &address->port, true);
    if (fd >= 0)
        return 0;
    return cli_fail(
        "cannot listen on %s:%u: %s%s", address->host, address->port, uv_strerror(fd),
        fd == UV_EADDRINUSE ? "; stop what listens there, or choose another with --listen" : "");
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
        printf("weir: listening on http://%s%s%s:%u\n", v6 ? "[" : "", address->host, v6 ? "]" : "",
               address->port);
    }
    fflush(stdout);
}

/* --- running --- */

static sigset_t block_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* the workers inherit it */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its limit is an error like a full disk */
    return set;
}

static atomic_bool all_over;

/* Waits for the workers while the main thread waits for signals, and wakes it when all is over. */
static void *join_crew(void *arg) {
    crew_join(arg);
    atomic_store(&all_over, true);
    kill(getpid(), SIGUSR1);
    return NULL;
}

/* Drains; a second signal to end stops at once. The crew is the joiner's by then: nothing else is
 * asked of it. */
static int drain(struct crew *crew, const sigset_t *set) {
    pthread_t joiner;
    log_info("draining: open streams end now, requests within the drain timeout; once more stops "
             "at once");
    crew_drain(crew);
    if (pthread_create(&joiner, NULL, join_crew, crew) != 0) {
        crew_join(crew);
        return EXIT_DONE;
    }
    for (;;) {
        int signo;
        sigwait(set, &signo);
        if (atomic_load(&all_over)) {
            pthread_join(joiner, NULL);
            return EXIT_DONE;
        }
        if (signo == SIGTERM || signo == SIGINT) {
            log_warn("stopped before all streams had ended");
            _exit(EXIT_FAILED);
        }
    }
}

static void reload_all(struct crew *crew, const struct serve *serve) {
    for (int i = 0; i < serve->sources.count; i++)
        crew_reload(crew, i);
}

/* Until one that ends. */
static void wait_for_signals(struct crew *crew, const struct serve *serve, const sigset_t *set) {
    for (;;) {
        int signo;
        sigwait(set, &signo);
        if (signo == SIGUSR1)
            crew_inspect(crew);
        else if (signo == SIGHUP)
            reload_all(crew, serve);
        else
            return;
    }
}

/* From the start of the workers to their end. */
static int serve_all(struct serve *serve, struct watcher *watcher, const sigset_t *set,
                     char **error) {
    struct crew_options crew_options = {.sources = &serve->sources,
                                        .workers = serve->workers,
                                        .access_log = serve->access_log,
                                        .events = watcher ? watcher_events(watcher) : NULL,
                                        .watch = state_mode.watching};
    struct crew *crew;
    if (crew_start(&crew_options, &crew, error) < 0)
        return EXIT_FAILED;
    crew_serve(crew, serve->fds, serve->naddresses);
    if (watcher)
        watcher_start(watcher, crew);
    announce(serve);
    wait_for_signals(crew, serve, set);
    if (watcher)
        watcher_stop(watcher);
    return drain(crew, set);
}

static int run(struct serve *serve) {
    sigset_t set = block_signals();
    int rc = bind_all(serve);
    if (rc == 0)
        rc = open_data(serve);
    if (rc != 0)
        return rc;
    char *error = NULL;
    struct watcher *watcher = state_mode.watching ? watcher_new(&serve->sources, &error) : NULL;
    if (error == NULL)
        rc = serve_all(serve, watcher, &set, &error);
    if (watcher)
        watcher_free(watcher);
    if (error)
        rc = cli_fail("%s", error);
    free(error);
    return rc;
}

int cli_serve(int argc, char **argv) {
    struct serve serve = {0};
    int rc = parse(&serve, argc, argv);
    if (rc == 0)
        rc = run(&serve);
    sources_free(&serve.sources);
    free(serve.fds);
    return rc;
}

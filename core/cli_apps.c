/* cli_apps: `weir check` and `weir routes`: apps loaded as `serve` does it, on a loop of their own
 * and without a socket.
 *
 * check tells all it can: a mistake that a script need not stop at (an unknown option, a bad route)
 * is collected while the apps load and start; an error ends only the app that raised it; what only
 * reading finds, such as a global that nobody set, is luacheck's (cli_luacheck.c). */
#include "cli.h"

#include "vm/cstack.h"
#include "base/buf.h"
#include "base/mem.h"
#include "library.h"
#include "serve/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct trial {
    struct sources sources;
    struct loop loop;
    struct reader reader;
    struct scheduler scheduler;
    struct host *host;
    char *error; /* the first; host_error has all */
};

static void on_closed(void *arg) {
    loop_stop(&((struct trial *)arg)->loop);
}

static void close_trial(struct trial *trial) {
    host_close(trial->host, on_closed, trial);
    loop_run(&trial->loop);
    scheduler_fini(&trial->scheduler);
    reader_fini(&trial->reader);
    loop_fini(&trial->loop);
    sources_free(&trial->sources);
    free(trial->error);
}

/* How many of the apps do not load or start; each is told. */
static int tell_broken(struct trial *trial) {
    int broken = 0;
    for (int i = 0; i < trial->sources.count; i++)
        if (host_error(trial->host, i) != NULL) {
            cli_fail("%s", host_error(trial->host, i));
            broken++;
        }
    return broken;
}

/* 0: there is a trial to close, though some of its apps may be broken. */
static int load(struct trial *trial, const char *path) {
    *trial = (struct trial){0};
    int rc;
    if (sources_add(&trial->sources, path, &trial->error) < 0) {
        rc = cli_fail("%s", trial->error);
        sources_free(&trial->sources);
        free(trial->error);
        return rc;
    }
    rc = loop_init(&trial->loop);
    if (rc < 0) {
        sources_free(&trial->sources);
        return cli_fail("cannot make an event loop: %s", uv_strerror(rc));
    }
    reader_init(&trial->reader, &trial->loop);
    scheduler_init(&trial->scheduler, &trial->loop, &trial->reader, library_open);
    struct limits limits;
    limits_init(&limits);
    trial->host = host_new(&trial->loop, &trial->scheduler, &limits);
    host_load_sources(trial->host, &trial->sources);
    return 0;
}

/* --- check --- */

static struct buf mistakes; /* lines; each once, however often a script makes it */

static void on_mistake(struct str text) {
    if (mistakes.len > 0 && memmem(mistakes.data, mistakes.len, text.ptr, text.len))
        return;
    buf_add(&mistakes, text);
    buf_add_char(&mistakes, '\n');
}

static int tell_mistakes(void) {
    int count = 0;
    struct str rest = buf_str(&mistakes);
    for (; rest.len > 0; count++) {
        struct str line = str_cut(&rest, '\n');
        cli_fail("%.*s", STR_ARG(line));
    }
    buf_fini(&mistakes);
    mistakes = (struct buf){0};
    return count;
}

static void on_started(struct host *host, char *error, void *arg) {
    (void)host;
    struct trial *trial = arg;
    trial->error = error;
    loop_stop(&trial->loop);
}

static bool has_loaded(const struct trial *trial) {
    for (int i = 0; i < trial->sources.count; i++)
        if (host_error(trial->host, i) == NULL)
            return true;
    return false;
}

/* How much is wrong with the apps; all is told, what may be the cause of an error before it. */
static int try_apps(struct trial *trial) {
    if (has_loaded(trial)) {
        host_start(trial->host, true, on_started, trial);
        loop_run(&trial->loop);
    }
    int wrong = tell_mistakes();
    return wrong + tell_broken(trial);
}

/* The file that was given, or all that is below a folder. */
static int read_apps(struct trial *trial, const char *path) {
    struct stat st;
    bool one = stat(path, &st) == 0 && S_ISREG(st.st_mode);
    int wrong = 0;
    for (int i = 0; i < trial->sources.count; i++) {
        const struct source *source = &trial->sources.list[i];
        wrong += cli_luacheck(source->folder, one ? source->file : source->folder) != 0;
    }
    return wrong;
}

static int check_here(int argc, char **argv) {
    if (argc != 1)
        return cli_usage("check", "expected one PATH");
    struct trial trial;
    state_on_mistake = on_mistake;
    int rc = load(&trial, argv[0]);
    if (rc == 0) {
        int wrong = try_apps(&trial);
        wrong += read_apps(&trial, argv[0]);
        close_trial(&trial);
        rc = wrong > 0 ? EXIT_FAILED : EXIT_DONE;
    }
    state_on_mistake = NULL;
    if (rc == 0)
        printf("%s: ok\n", argv[0]);
    return rc;
}

int cli_check(int argc, char **argv) {
    return cstack_call(check_here, argc, argv);
}

/* --- routes --- */

static int routes_here(int argc, char **argv) {
    if (argc != 1)
        return cli_usage("routes", "expected one PATH");
    struct trial trial;
    int rc = load(&trial, argv[0]);
    if (rc != 0)
        return rc;
    if (tell_broken(&trial) > 0) {
        rc = EXIT_FAILED;
    } else {
        struct buf text = {0};
        host_list_routes(trial.host, &text);
        fwrite(text.data, 1, text.len, stdout);
        buf_fini(&text);
    }
    close_trial(&trial);
    return rc;
}

int cli_routes(int argc, char **argv) {
    return cstack_call(routes_here, argc, argv);
}

/* cli_apps: the commands about an app as files.
 *
 * `weir check` and `weir routes` load it as `serve` does, on a loop of their own and without a
 * socket; `weir new` writes one from the template that is embedded in the program. */
#include "cli.h"

#include "base/buf.h"
#include "base/embedded.h"
#include "base/mem.h"
#include "script/host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* --- check and routes --- */

struct trial { /* apps loaded on a loop of their own */
    struct loop loop;
    struct scheduler scheduler;
    struct host *host;
    char *error;
};

static void on_closed(void *arg) {
    loop_stop(&((struct trial *)arg)->loop);
}

static void close_trial(struct trial *trial) {
    host_close(trial->host, on_closed, trial);
    loop_run(&trial->loop);
    scheduler_fini(&trial->scheduler);
    loop_fini(&trial->loop);
}

static int load(struct trial *trial, const char *path) {
    *trial = (struct trial){0};
    int rc = loop_init(&trial->loop);
    if (rc < 0)
        return cli_fail("cannot make an event loop: %s", uv_strerror(rc));
    scheduler_init(&trial->scheduler, &trial->loop);
    struct limits limits;
    limits_init(&limits);
    trial->host = host_new(&trial->loop, &trial->scheduler, &limits);
    if (host_load(trial->host, path, &trial->error) == 0)
        return 0;
    rc = cli_fail("%s", trial->error);
    free(trial->error);
    close_trial(trial);
    return rc;
}

static void on_started(struct host *host, char *error, void *arg) {
    (void)host;
    struct trial *trial = arg;
    trial->error = error;
    loop_stop(&trial->loop);
}

int cli_check(int argc, char **argv) {
    if (argc != 1)
        return cli_usage("check", "expected one PATH");
    struct trial trial;
    int rc = load(&trial, argv[0]);
    if (rc != 0)
        return rc;
    host_start(trial.host, true, on_started, &trial);
    loop_run(&trial.loop);
    if (trial.error)
        rc = cli_fail("%s", trial.error);
    else
        printf("%s: ok\n", argv[0]);
    free(trial.error);
    close_trial(&trial);
    return rc;
}

int cli_routes(int argc, char **argv) {
    if (argc != 1)
        return cli_usage("routes", "expected one PATH");
    struct trial trial;
    int rc = load(&trial, argv[0]);
    if (rc != 0)
        return rc;
    struct buf text = {0};
    host_list_routes(trial.host, &text);
    fwrite(text.data, 1, text.len, stdout);
    buf_fini(&text);
    close_trial(&trial);
    return EXIT_DONE;
}

/* --- new --- */

static bool is_name(const char *name) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n > 0 && name[n] == '\0' && name[0] != '-';
}

static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
}

/* The template's text with the app's name in place of __NAME__. */
static void write_text(FILE *file, const char *text, const char *name) {
    static const char mark[] = "__NAME__";
    const char *found;
    while ((found = strstr(text, mark)) != NULL) {
        fwrite(text, 1, (size_t)(found - text), file);
        fputs(name, file);
        text = found + sizeof mark - 1;
    }
    fputs(text, file);
}

static int write_file(const char *name, const struct embedded *source) {
    struct buf path = {0};
    buf_printf(&path, "%s/%s", name, source->name + strlen("new/"));
    buf_add_char(&path, '\0');
    make_folders(path.data);
    FILE *file = fopen(path.data, "wx");
    if (file)
        write_text(file, source->data, name);
    int rc = file && fclose(file) == 0 ? 0 : cli_fail("%s: %s", path.data, strerror(errno));
    if (rc == 0)
        printf("%s\n", path.data);
    buf_fini(&path);
    return rc;
}

int cli_new(int argc, char **argv) {
    if (argc != 1 || !is_name(argv[0]))
        return cli_usage("new", "expected a NAME of letters, digits, '-' and '_'");
    const char *name = argv[0];
    if (mkdir(name, 0777) != 0)
        return cli_fail("%s: %s%s", name, strerror(errno),
                        errno == EEXIST ? "; choose another name" : "");
    for (const struct embedded *source = embedded_files; source->name; source++) {
        if (strncmp(source->name, "new/", 4) != 0)
            continue;
        int rc = write_file(name, source);
        if (rc != 0)
            return rc;
    }
    printf("\nServe it:  weir serve %s\nTest it:   cd %s && weir spec\n", name, name);
    return EXIT_DONE;
}

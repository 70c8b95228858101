/* cli_new: `weir new NAME`: a small app from the template that is embedded in the program.
 *
 * The template is lua/new/, real files: this repository checks them as it checks its own. In each
 * __NAME__ stands for the app's name. Nothing that is there already is touched: the folder must be
 * new or empty. */
#include "cli.h"

#include "base/buf.h"
#include "base/embedded.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEMPLATE "new/"

static bool is_name(const char *name) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return n > 0 && name[n] == '\0' && name[0] != '-';
}

/* Makes it, unless it is there and empty. 0 or an errno. */
static int make_app_folder(const char *name) {
    if (mkdir(name, 0777) == 0)
        return 0;
    if (errno != EEXIST)
        return errno;
    DIR *dir = opendir(name);
    if (dir == NULL)
        return errno == ENOTDIR ? EEXIST : errno;
    int entries = 0;
    while (readdir(dir) != NULL)
        entries++;
    closedir(dir);
    return entries > 2 ? ENOTEMPTY : 0; /* "." and ".." */
}

static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
}

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
    buf_printf(&path, "%s/%s", name, source->name + strlen(TEMPLATE));
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

/* How the program was called, so that it can be called from the new folder too. */
static void tell_next(const char *name) {
    char *path = NULL;
    if (strchr(program_invocation_name, '/'))
        path = realpath(program_invocation_name, NULL);
    const char *weir = path ? path : "weir";
    printf("\nWhat next:\n"
           "    cd %s\n"
           "    %s serve --watch .    shows it on http://127.0.0.1:8080, and each change\n"
           "    %s spec               runs its tests\n",
           name, weir, weir);
    free(path);
}

int cli_new(int argc, char **argv) {
    if (argc != 1)
        return cli_usage("new", "expected one NAME");
    const char *name = argv[0];
    if (!is_name(name))
        return cli_usage("new",
                         "\"%s\" cannot be the name: it becomes a folder here and a part of "
                         "addresses; take letters, digits, '-' and '_'",
                         name);
    int rc = make_app_folder(name);
    if (rc != 0)
        return cli_fail("%s: %s%s", name, strerror(rc),
                        rc == EEXIST || rc == ENOTEMPTY ? "; choose another name" : "");
    for (const struct embedded *source = embedded_files; source->name; source++) {
        if (strncmp(source->name, TEMPLATE, strlen(TEMPLATE)) != 0)
            continue;
        rc = write_file(name, source);
        if (rc != 0)
            return rc;
    }
    tell_next(name);
    return EXIT_DONE;
}

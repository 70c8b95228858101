/* source: which apps a PATH of the command line means.
 *
 * A file, a folder that holds an app.lua, or a folder of such folders, by their names. Only the
 * file system is looked at here; nothing is loaded. */
#include "script/source.h"

#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *join(const char *folder, const char *name) {
    struct buf text = {0};
    buf_printf(&text, "%s/%s", folder, name);
    buf_add_char(&text, '\0');
    return text.data;
}

static bool is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static void add(struct sources *sources, const char *folder, char *file_take) {
    sources->list = mem_resize(sources->list, (size_t)(sources->count + 1) * sizeof *sources->list);
    char *copy = mem_strdup(folder);
    sources->list[sources->count++] = (struct source){
        .name = mem_strdup(basename(copy)), .folder = mem_strdup(folder), .file = file_take};
    free(copy);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct source *)a)->name, ((const struct source *)b)->name);
}

/* A folder of folders: those with an app.lua. */
static void add_below(struct sources *sources, const char *folder) {
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return;
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        char *below = join(folder, entry->d_name);
        char *file = join(below, "app.lua");
        if (is_file(file))
            add(sources, below, file);
        else
            free(file);
        free(below);
    }
    closedir(dir);
}

static int fail(char **error, const char *path, const char *why) {
    struct buf text = {0};
    buf_printf(&text, "%s: %s", path, why);
    buf_add_char(&text, '\0');
    *error = text.data;
    return -1;
}

/* What stands in a path, and in the list of apps, as it is. */
static bool is_plain(const char *name) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return name[strspn(name, plain)] == '\0';
}

/* Several apps: each needs a name of its own. */
static int check_names(struct sources *sources, const char *path, char **error) {
    if (sources->single)
        return 0;
    qsort(sources->list, (size_t)sources->count, sizeof *sources->list, by_name);
    for (int i = 0; i < sources->count; i++)
        if (!is_plain(sources->list[i].name))
            return fail(error, sources->list[i].folder,
                        "an app's folder is a part of its address; name it with letters, digits, "
                        "'.', '_' and '-'");
    for (int i = 1; i < sources->count; i++)
        if (strcmp(sources->list[i].name, sources->list[i - 1].name) == 0)
            return fail(
                error, path,
                "two apps in folders of the same name; they would answer under the same path");
    return 0;
}

int sources_add(struct sources *sources, const char *path, char **error) {
    char real[PATH_MAX];
    if (realpath(path, real) == NULL)
        return fail(error, path,
                    errno == ENOENT ? "there is no such file or folder; expected an app.lua, or a "
                                      "folder with one (weir new NAME makes one)"
                                    : strerror(errno));
    int before = sources->count;
    sources->single = 0;
    if (is_file(real)) {
        char *copy = mem_strdup(real);
        add(sources, dirname(copy), mem_strdup(real));
        free(copy);
        sources->single = before == 0;
        return check_names(sources, path, error);
    }
    char *file = join(real, "app.lua");
    if (is_file(file)) {
        add(sources, real, file);
        sources->single = before == 0;
        return check_names(sources, path, error);
    }
    free(file);
    add_below(sources, real);
    if (sources->count == before)
        return fail(
            error, path,
            "no app here: expected an app.lua, in it or in the folders below it (weir new NAME "
            "makes one)");
    return check_names(sources, path, error);
}

void sources_free(struct sources *sources) {
    for (int i = 0; i < sources->count; i++) {
        free(sources->list[i].name);
        free(sources->list[i].folder);
        free(sources->list[i].file);
    }
    free(sources->list);
    *sources = (struct sources){0};
}

/* source: which apps a PATH of the command line means.
 *
 * A file, a folder that holds an app.lua, or a folder of such folders, by their names. Only the
 * file system is looked at here; nothing is loaded.
 *
 * Names stay as they were given, but for what makes them absolute: no link is followed. So each
 * reload finds what is there by then, when `current` leads to the next release or a mounted
 * configuration has been exchanged, and the folder of an app is called the same before and after.
 * A name that is relative begins where the shell says that we are, which may be a link, too. */
#include "serve/source.h"

#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *join(const char *folder, const char *name) {
    struct buf text = {0};
    buf_printf(&text, "%s/%s", folder, name);
    buf_add_char(&text, '\0');
    return text.data;
}

/* The current folder by the name that the shell has for it, if that leads here. NULL with errno. */
static char *here(void) {
    const char *named = getenv("PWD");
    struct stat dot, other;
    if (stat(".", &dot) != 0)
        return NULL;
    if (named && named[0] == '/' && stat(named, &other) == 0 && other.st_dev == dot.st_dev &&
        other.st_ino == dot.st_ino)
        return mem_strdup(named);
    return getcwd(NULL, 0);
}

/* Absolute, without "." and without a slash too many. NULL with errno. */
static char *absolute(const char *path) {
    struct buf text = {0}, out = {0};
    if (path[0] != '/') {
        char *folder = here();
        if (folder == NULL)
            return NULL;
        buf_add(&text, str_of(folder));
        buf_add_char(&text, '/');
        free(folder);
    }
    buf_add(&text, str_of(path));
    struct str rest = buf_str(&text);
    while (rest.ptr) {
        struct str segment = str_cut(&rest, '/');
        if (segment.len > 0 && !str_eq(segment, STR(".")))
            buf_printf(&out, "/%.*s", STR_ARG(segment));
    }
    if (out.len == 0)
        buf_add_char(&out, '/');
    buf_add_char(&out, '\0');
    buf_fini(&text);
    return out.data;
}

static bool is_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* What it is called above; of "..", where that leads. */
static char *name_of(const char *folder) {
    char real[PATH_MAX];
    const char *last = strrchr(folder, '/') + 1;
    if (strcmp(last, "..") == 0 && realpath(folder, real))
        last = strrchr(real, '/') + 1;
    return mem_strdup(last);
}

static void add(struct sources *sources, const char *folder, char *file_take) {
    sources->list = mem_resize(sources->list, (size_t)(sources->count + 1) * sizeof *sources->list);
    sources->list[sources->count++] =
        (struct source){.name = name_of(folder), .folder = mem_strdup(folder), .file = file_take};
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

/* Of a name that is there. */
static int add_named(struct sources *sources, const char *path, const char *named, char **error) {
    int before = sources->count;
    sources->single = 0;
    if (is_file(named)) {
        char *copy = mem_strdup(named);
        add(sources, dirname(copy), mem_strdup(named));
        free(copy);
        sources->single = before == 0;
        return check_names(sources, path, error);
    }
    char *file = join(named, "app.lua");
    if (is_file(file)) {
        add(sources, named, file);
        sources->single = before == 0;
        return check_names(sources, path, error);
    }
    free(file);
    add_below(sources, named);
    if (sources->count == before)
        return fail(
            error, path,
            "no app here: expected an app.lua, in it or in the folders below it (weir new NAME "
            "makes one)");
    return check_names(sources, path, error);
}

int sources_add(struct sources *sources, const char *path, char **error) {
    struct stat st;
    char *named = stat(path, &st) == 0 ? absolute(path) : NULL;
    if (named == NULL)
        return fail(error, path,
                    errno == ENOENT ? "there is no such file or folder; expected an app.lua, or a "
                                      "folder with one (weir new NAME makes one)"
                                    : strerror(errno));
    int rc = add_named(sources, path, named, error);
    free(named);
    return rc;
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

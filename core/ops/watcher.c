/* watcher: reloads an app when one of its files changes.
 *
 *     a worker loads a file --looked--> known, its folder watched --changed--> 50 ms of rest
 *                  ^------------------------- crew_reload <--------------------'
 *
 * What to watch is what generations have loaded, or looked for in vain; a failed one's too, so that
 * mending it is seen. Below a folder of files that an app serves everything is watched, and changes
 * there make open pages reload. What the newest good one did not ask for is forgotten. Folders
 * are watched and not files (net/watch.h); for what is not there the nearest folder above it. Once
 * a second all is looked at without being told, for what the kernel did not tell or before it was
 * asked.
 *
 * It has a thread and a loop of its own, so that it does not wait for a busy worker; workers tell
 * it under a lock. One per process. It must not know what is in the files. */
#include "ops/watcher.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/watch.h"

#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LOOK_MS 1000
#define TREE_FOLDERS 256 /* of one folder that is served; changes below further ones go unseen */

struct version { /* of what a name leads to; all zeroes: nothing is there */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct folder {
    struct watch watch;
    struct list link;
    struct watcher *watcher;
    char *path;
    struct version version; /* of what is watched */
    bool wanted;            /* a file lies there, or a link on the way to one */
    bool stale;             /* it may be another folder by now */
};

struct file {
    char *path;
    struct version version; /* that was seen last */
    struct folder *folder;  /* the nearest one above it that is there; NULL: not looked for yet */
    size_t entry;           /* in `path`, where the name of that folder's entry begins */
    bool fresh;             /* asked for by the newest generation */
    bool tree;              /* a folder of files that are served */
};

struct app {
    struct watcher *watcher;
    struct file *files; /* under the lock */
    size_t nfiles;
    struct timer rest;
    bool reload; /* then; else pages are reloaded */
};

struct watcher {
    struct reload_events events;
    struct crew *crew;
    struct loop loop;
    pthread_t thread;
    pthread_mutex_t lock;
    struct app *apps;
    int napps;
    struct list folders; /* the loop's */
    struct mail arrange, quit;
    struct timer look;
    bool complained, quitting;
};

/* --- files --- */

/* `*tree`: it is a folder. Of one all that counts is that it is there. */
static struct version version_of(const char *path, bool *tree) {
    struct stat st;
    *tree = false;
    if (stat(path, &st) != 0)
        return (struct version){0};
    *tree = S_ISDIR(st.st_mode);
    if (*tree)
        return (struct version){.device = st.st_dev, .inode = st.st_ino};
    return (struct version){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool is_same(const struct version *a, const struct version *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static struct file *find(struct app *app, const char *path) {
    for (size_t i = 0; i < app->nfiles; i++)
        if (strcmp(app->files[i].path, path) == 0)
            return &app->files[i];
    app->files = mem_resize(app->files, (app->nfiles + 1) * sizeof *app->files);
    app->files[app->nfiles] = (struct file){.path = mem_strdup(path)};
    return &app->files[app->nfiles++];
}

static void post(struct watcher *watcher) {
    loop_post(&watcher->loop, &watcher->arrange);
}

static void on_looked(void *arg, int index, const char *path) {
    struct watcher *watcher = arg;
    bool tree;
    struct version now = version_of(path, &tree);
    pthread_mutex_lock(&watcher->lock);
    struct file *file = find(&watcher->apps[index], path);
    if (!file->fresh) { /* else another worker has looked before: a change since counts as one */
        file->version = now;
        file->tree = tree;
    }
    file->fresh = true;
    pthread_mutex_unlock(&watcher->lock);
    post(watcher);
}

static void on_began(void *arg, int index) {
    struct watcher *watcher = arg;
    struct app *app = &watcher->apps[index];
    pthread_mutex_lock(&watcher->lock);
    for (size_t i = 0; i < app->nfiles; i++)
        app->files[i].fresh = false;
    pthread_mutex_unlock(&watcher->lock);
}

static void on_ended(void *arg, int index, const char *error) {
    struct watcher *watcher = arg;
    struct app *app = &watcher->apps[index];
    size_t kept = 0;
    pthread_mutex_lock(&watcher->lock);
    for (size_t i = 0; i < app->nfiles; i++) {
        if (error || app->files[i].fresh)
            app->files[kept++] = app->files[i];
        else
            free(app->files[i].path);
    }
    app->nfiles = kept;
    pthread_mutex_unlock(&watcher->lock);
    post(watcher);
}

/* --- changes --- */

static void on_rest(struct timer *timer) {
    struct app *app = CONTAINER_OF(timer, struct app, rest);
    struct watcher *watcher = app->watcher;
    int index = (int)(app - watcher->apps);
    if (app->reload)
        crew_reload(watcher->crew, index);
    else
        crew_refresh(watcher->crew, index);
    app->reload = false;
}

/* Of a folder that stays one, and is another, only files that are served have changed. */
static void changed(struct app *app, struct file *file) {
    bool was_tree = file->tree;
    file->version = version_of(file->path, &file->tree);
    log_debug("watch: %s has changed", file->path);
    app->reload = app->reload || !was_tree || !file->tree;
    loop_timer(&app->watcher->loop, &app->rest, WATCHER_DEBOUNCE_MS);
}

static bool is_below(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* What editors write beside a file while they are at it. */
static bool is_scratch(const char *name) {
    size_t n = strlen(name);
    return name[0] == '.' || name[n - 1] == '~';
}

/* Whether what happened to the entry of `folder` concerns the file. */
static bool is_about(const struct file *file, const struct folder *folder, const char *name) {
    if (file->tree && is_below(folder->path, file->path))
        return !is_scratch(name);
    if (file->folder != folder)
        return false;
    size_t n = strlen(name);
    const char *rest = file->path + file->entry;
    return strncmp(rest, name, n) == 0 && (rest[n] == '\0' || rest[n] == '/');
}

static void arrange(struct watcher *watcher);

static void on_change(struct watch *watch, const char *name, bool renamed) {
    struct folder *folder = CONTAINER_OF(watch, struct folder, watch);
    struct watcher *watcher = folder->watcher;
    (void)renamed;
    if (name == NULL) {
        folder->stale = true;
        post(watcher);
        return;
    }
    pthread_mutex_lock(&watcher->lock);
    for (int i = 0; i < watcher->napps; i++)
        for (size_t j = 0; j < watcher->apps[i].nfiles; j++) {
            struct file *file = &watcher->apps[i].files[j];
            if (is_about(file, folder, name))
                changed(&watcher->apps[i], file);
        }
    pthread_mutex_unlock(&watcher->lock);
    post(watcher); /* what was watched from above may be there now */
}

/* --- folders --- */

static void on_closed(struct watch *watch) {
    struct folder *folder = CONTAINER_OF(watch, struct folder, watch);
    free(folder->path);
    free(folder);
}

static struct folder *folder_of(struct watcher *watcher, const char *path) {
    for (struct list *at = watcher->folders.next; at != &watcher->folders; at = at->next) {
        struct folder *folder = CONTAINER_OF(at, struct folder, link);
        if (strcmp(folder->path, path) == 0)
            return folder;
    }
    struct folder *folder = mem_zalloc(sizeof *folder);
    folder->watcher = watcher;
    folder->path = mem_strdup(path);
    folder->stale = true;
    watch_init(&folder->watch, &watcher->loop, on_change);
    list_push(&watcher->folders, &folder->link);
    return folder;
}

/* One that is there. Behind a link it may be another than the one that is watched. */
static struct folder *want(struct watcher *watcher, const char *path) {
    bool tree;
    struct folder *folder = folder_of(watcher, path);
    struct version now = version_of(path, &tree);
    folder->stale = folder->stale || !is_same(&now, &folder->version);
    folder->version = now;
    folder->wanted = true;
    return folder;
}

/* Where links lie on the way to it: what they lead to changes there. */
static void want_links(struct watcher *watcher, const char *path) {
    char *copy = mem_strdup(path);
    struct stat st;
    for (char *slash = copy, *end; slash; slash = end) {
        end = strchr(slash + 1, '/');
        if (end)
            *end = '\0';
        if (lstat(copy, &st) == 0 && S_ISLNK(st.st_mode)) {
            *slash = '\0';
            want(watcher, slash > copy ? copy : "/");
            *slash = '/';
        }
        if (end)
            *end = '/';
    }
    free(copy);
}

/* The nearest folder above it that is there. */
static void place(struct watcher *watcher, struct file *file) {
    char *path = mem_strdup(file->path);
    char *slash = strrchr(path, '/');
    struct stat st;
    while (slash > path) {
        *slash = '\0';
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            break;
        slash = strrchr(path, '/');
    }
    file->entry = (size_t)(slash - path) + 1;
    file->folder = want(watcher, slash > path ? path : "/");
    free(path);
    want_links(watcher, file->path);
}

/* A folder that is served, and those in it; `*room` for so many more. */
static void place_tree(struct watcher *watcher, const char *path, int *room) {
    DIR *dir = --*room >= 0 ? opendir(path) : NULL;
    if (dir == NULL)
        return;
    want(watcher, path);
    struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        struct buf below = {0};
        buf_printf(&below, "%s/%s", path, entry->d_name);
        buf_add_char(&below, '\0');
        place_tree(watcher, below.data, room);
        buf_fini(&below);
    }
    closedir(dir);
}

static void start(struct folder *folder) {
    int rc = watch_start(&folder->watch, folder->path);
    folder->stale = rc < 0;
    if (rc < 0 && !folder->watcher->complained) {
        log_warn("watch: %s cannot be watched (%s): changes are looked for once a second",
                 folder->path, uv_strerror(rc));
        folder->watcher->complained = true;
    }
}

static void drop_unwanted(struct watcher *watcher) {
    struct list *next;
    for (struct list *at = watcher->folders.next; at != &watcher->folders; at = next) {
        next = at->next;
        struct folder *folder = CONTAINER_OF(at, struct folder, link);
        if (folder->wanted && folder->stale)
            start(folder);
        if (folder->wanted)
            continue;
        list_remove(&folder->link);
        watch_close(&folder->watch, on_closed);
    }
}

/* Watches what is to be watched, and finds what has changed unseen. */
static void arrange(struct watcher *watcher) {
    pthread_mutex_lock(&watcher->lock);
    for (struct list *at = watcher->folders.next; at != &watcher->folders; at = at->next)
        CONTAINER_OF(at, struct folder, link)->wanted = false;
    for (int i = 0; i < watcher->napps; i++)
        for (size_t j = 0; j < watcher->apps[i].nfiles; j++) {
            struct file *file = &watcher->apps[i].files[j];
            int room = TREE_FOLDERS;
            place(watcher, file);
            if (file->tree)
                place_tree(watcher, file->path, &room);
        }
    drop_unwanted(watcher);
    for (int i = 0; i < watcher->napps; i++)
        for (size_t j = 0; j < watcher->apps[i].nfiles; j++) {
            struct file *file = &watcher->apps[i].files[j];
            bool tree;
            struct version now = version_of(file->path, &tree);
            if (!is_same(&now, &file->version))
                changed(&watcher->apps[i], file);
        }
    pthread_mutex_unlock(&watcher->lock);
}

static void on_arrange(struct mail *mail) {
    struct watcher *watcher = CONTAINER_OF(mail, struct watcher, arrange);
    if (!watcher->quitting)
        arrange(watcher);
}

static void on_look(struct timer *timer) {
    struct watcher *watcher = CONTAINER_OF(timer, struct watcher, look);
    arrange(watcher);
    loop_timer(&watcher->loop, &watcher->look, LOOK_MS);
}

/* --- life --- */

static void *run(void *arg) {
    struct watcher *watcher = arg;
    loop_run(&watcher->loop);
    return NULL;
}

static void on_quit(struct mail *mail) {
    struct watcher *watcher = CONTAINER_OF(mail, struct watcher, quit);
    struct list *node;
    watcher->quitting = true;
    timer_clear(&watcher->look);
    for (int i = 0; i < watcher->napps; i++)
        timer_clear(&watcher->apps[i].rest);
    while ((node = list_pop(&watcher->folders)) != NULL)
        watch_close(&CONTAINER_OF(node, struct folder, link)->watch, on_closed);
    loop_stop(&watcher->loop);
}

struct watcher *watcher_new(const struct sources *sources, char **error) {
    struct watcher *watcher = mem_zalloc(sizeof *watcher);
    int rc = loop_init(&watcher->loop);
    if (rc < 0) {
        *error = mem_strdup(uv_strerror(rc));
        free(watcher);
        return NULL;
    }
    watcher->events = (struct reload_events){
        .arg = watcher, .looked = on_looked, .began = on_began, .ended = on_ended};
    pthread_mutex_init(&watcher->lock, NULL);
    list_init(&watcher->folders);
    watcher->arrange.run = on_arrange;
    watcher->quit.run = on_quit;
    timer_init(&watcher->look, on_look);
    watcher->napps = sources->count;
    watcher->apps = mem_zalloc((size_t)sources->count * sizeof *watcher->apps);
    for (int i = 0; i < sources->count; i++) {
        watcher->apps[i].watcher = watcher;
        timer_init(&watcher->apps[i].rest, on_rest);
    }
    return watcher;
}

const struct reload_events *watcher_events(struct watcher *watcher) {
    return &watcher->events;
}

void watcher_start(struct watcher *watcher, struct crew *crew) {
    watcher->crew = crew;
    arrange(watcher); /* before anybody is told that it serves: no change from then on is missed */
    loop_timer(&watcher->loop, &watcher->look, LOOK_MS);
    if (pthread_create(&watcher->thread, NULL, run, watcher) != 0)
        log_fatal("cannot start a thread that watches files");
}

void watcher_stop(struct watcher *watcher) {
    loop_post(&watcher->loop, &watcher->quit);
    pthread_join(watcher->thread, NULL);
    watcher->crew = NULL;
}

void watcher_free(struct watcher *watcher) {
    loop_fini(&watcher->loop);
    for (int i = 0; i < watcher->napps; i++) {
        for (size_t j = 0; j < watcher->apps[i].nfiles; j++)
            free(watcher->apps[i].files[j].path);
        free(watcher->apps[i].files);
    }
    free(watcher->apps);
    pthread_mutex_destroy(&watcher->lock);
    free(watcher);
}

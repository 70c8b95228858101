/* roster: the files that paths and globs stand for, looked for again and again while somebody
 * wants to know.
 *
 *     a path   waiting <--> found <--> error          it is there from the start
 *     a glob            found <--> error --> gone     a file joins when it is found
 *
 * A look is a piece of work in the pool: a glob reads folders, and a disk may be slow. It happens
 * when the first user joins, and ROSTER_MS after the one before as long as there is one. A file of
 * a glob is gone when two looks in a row have not found it, since a rotation takes its name away
 * for a moment; its entry stays, in case it comes again, until another file needs it. There are
 * ROSTER_MOST at most: what a glob finds beyond that is left out, which is logged once.
 *
 * Links that lead out of the folder in which a glob begins are left out, too: who writes there may
 * put them there, and Weir may read more than they. It is asked at each look and not when a file is
 * opened, so it keeps slips out, and no attack.
 *
 * The key of a file is a hash of its path, the same in each process and at each start, for ids and
 * links hold it.
 *
 * Owned by a weir.logs, on its loop. It does not read the files. */
#include "logs/roster.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MISSED_MOST 2

struct wanted {
    char *path, *labels;
    bool glob;
};

/* What a look has found of one file. */
struct sight {
    char *path;
    const struct wanted *wanted;
    int error;
};

struct roster {
    struct loop *loop;
    struct wanted *wanted;
    size_t n_wanted;
    struct roster_file files[ROSTER_MOST];
    size_t n;
    unsigned looks;
    struct list users;
    struct timer timer;
    struct work work;
    struct sight sights[ROSTER_MOST]; /* the work's while it is under way */
    size_t n_sights;
    bool too_many, said_too_many;
    bool strays, said_strays; /* links that lead elsewhere */
    bool looking, freed;
};

const char *roster_state_name(enum roster_state state) {
    return (const char *const[]){"found", "waiting", "gone", "error"}[state];
}

/* ---- the look, on a pool thread ---------------------------------------------------------------*/

static int examine(const char *path) {
    struct stat st;
    if (stat(path, &st) < 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? EISDIR : ESPIPE;
    return faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0 ? errno : 0;
}

static void see(struct roster *roster, const struct wanted *wanted, const char *path) {
    if (roster->n_sights == ROSTER_MOST) {
        roster->too_many = true;
        return;
    }
    roster->sights[roster->n_sights++] =
        (struct sight){.path = mem_strdup(path), .wanted = wanted, .error = examine(path)};
}

/* The folder in front of a glob's first wildcard, as it is called without links; NULL: it is not
 * there. The caller's. */
static char *folder_of(const char *glob) {
    size_t n = strcspn(glob, "*?[");
    while (n > 0 && glob[n - 1] != '/')
        n--;
    char *folder = n > 0 ? mem_copy(glob, n) : mem_strdup(".");
    char *real = realpath(folder, NULL);
    free(folder);
    return real;
}

static bool is_below(const char *folder, const char *path) {
    size_t n = strlen(folder);
    return n == 1 /* "/" */ || (strncmp(path, folder, n) == 0 && path[n] == '/');
}

/* What a glob has found. A link that leads nowhere is nothing. */
static void see_found(struct roster *roster, const struct wanted *wanted, const char *folder,
                      const char *path) {
    char *real = realpath(path, NULL);
    bool below = real && is_below(folder, real);
    if (below && examine(path) != EISDIR)
        see(roster, wanted, path);
    roster->strays |= real && !below;
    free(real);
}

static void see_glob(struct roster *roster, const struct wanted *wanted) {
    glob_t found;
    char *folder = folder_of(wanted->path);
    if (folder && glob(wanted->path, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            see_found(roster, wanted, folder, found.gl_pathv[i]);
        globfree(&found);
    }
    free(folder);
}

static void run(struct work *work) {
    struct roster *roster = CONTAINER_OF(work, struct roster, work);
    for (size_t i = 0; i < roster->n_wanted; i++)
        if (roster->wanted[i].glob)
            see_glob(roster, &roster->wanted[i]);
        else
            see(roster, &roster->wanted[i], roster->wanted[i].path);
}

/* ---- what it found ----------------------------------------------------------------------------*/

static void set_key(struct roster_file *file) {
    static const uint64_t key[2] = {0x7765697273726373, 0x6b65796f66706174};
    uint64_t hash = siphash13(key, str_of(file->path));
    snprintf(file->key, sizeof file->key, "%08x", (unsigned)(hash ^ hash >> 32));
}

static struct roster_file *find(struct roster *roster, const char *path) {
    for (size_t i = 0; i < roster->n; i++)
        if (strcmp(roster->files[i].path, path) == 0)
            return &roster->files[i];
    return NULL;
}

/* One that is free, or else that of the file which has been gone for longest. NULL: none. */
static struct roster_file *entry(struct roster *roster) {
    struct roster_file *oldest = NULL;
    if (roster->n < ROSTER_MOST)
        return &roster->files[roster->n++];
    for (size_t i = 0; i < roster->n; i++) {
        struct roster_file *file = &roster->files[i];
        if (file->state == ROSTER_GONE && (oldest == NULL || file->missed > oldest->missed))
            oldest = file;
    }
    if (oldest)
        free(oldest->path);
    return oldest;
}

static const char *reason(int error) {
    return error == EACCES   ? "permission denied"
           : error == EISDIR ? "is a folder"
           : error == ESPIPE ? "is no regular file"
           : error == ELOOP  ? "too many symbolic links"
                             : "cannot be read";
}

static void update(struct roster_file *file, int error) {
    bool absent = error == ENOENT || error == ENOTDIR;
    if (absent && file->globbed)
        return; /* it went while it was looked at: missed */
    file->missed = 0;
    file->state = error == 0 ? ROSTER_FOUND : absent ? ROSTER_WAITING : ROSTER_ERROR;
    file->why = file->state == ROSTER_ERROR ? reason(error) : NULL;
}

static void add(struct roster *roster, const struct sight *sight) {
    struct roster_file *file = entry(roster);
    if (file == NULL) {
        roster->too_many = true;
        return;
    }
    *file = (struct roster_file){.path = mem_strdup(sight->path),
                                 .labels = sight->wanted->labels,
                                 .globbed = sight->wanted->glob,
                                 .seen = roster->looks};
    set_key(file);
    update(file, sight->error);
}

static void take_sights(struct roster *roster) {
    roster->looks++;
    for (size_t i = 0; i < roster->n; i++)
        roster->files[i].missed++;
    for (size_t i = 0; i < roster->n_sights; i++) {
        struct roster_file *file = find(roster, roster->sights[i].path);
        if (file)
            update(file, roster->sights[i].error);
    }
    for (size_t i = 0; i < roster->n_sights; i++) /* now all that are still there are known */
        if (find(roster, roster->sights[i].path) == NULL)
            add(roster, &roster->sights[i]);
    for (size_t i = 0; i < roster->n; i++)
        if (roster->files[i].globbed && roster->files[i].missed >= MISSED_MOST)
            roster->files[i].state = ROSTER_GONE;
}

static void forget_sights(struct roster *roster) {
    for (size_t i = 0; i < roster->n_sights; i++)
        free(roster->sights[i].path);
    roster->n_sights = 0;
}

static void say_what_is_left_out(struct roster *roster) {
    if (roster->too_many && !roster->said_too_many)
        log_warn("logs: more than %d files fit the sources; the others are left out", ROSTER_MOST);
    if (roster->strays && !roster->said_strays)
        log_warn("logs: links that lead out of the folder of their glob are left out; name the "
                 "files that are meant, or the folder where they are");
    roster->said_too_many |= roster->too_many;
    roster->said_strays |= roster->strays;
}

/* A user may leave, or others join, when it is told. */
static void tell(struct roster *roster) {
    struct list told;
    list_init(&told);
    list_splice(&told, &roster->users);
    struct list *node;
    while ((node = list_pop(&told)) != NULL) {
        struct roster_user *user = CONTAINER_OF(node, struct roster_user, link);
        list_push(&roster->users, node);
        user->on_look(user);
    }
}

static void look(struct roster *roster) {
    if (roster->looking)
        return;
    roster->looking = true;
    work_submit(roster->loop, &roster->work);
}

static void release(struct roster *roster);

static void done(struct work *work) {
    struct roster *roster = CONTAINER_OF(work, struct roster, work);

    roster->looking = false;
    if (roster->freed) {
        release(roster);
        return;
    }
    take_sights(roster);
    forget_sights(roster);
    say_what_is_left_out(roster);
    if (!list_empty(&roster->users))
        loop_timer(roster->loop, &roster->timer, ROSTER_MS);
    tell(roster);
}

static void on_timer(struct timer *timer) {
    look(CONTAINER_OF(timer, struct roster, timer));
}

/* ---- for its owner and users ------------------------------------------------------------------*/

struct roster *roster_new(struct loop *loop) {
    struct roster *roster = mem_zalloc(sizeof *roster);
    roster->loop = loop;
    roster->work.run = run;
    roster->work.done = done;
    list_init(&roster->users);
    timer_init(&roster->timer, on_timer);
    return roster;
}

static void release(struct roster *roster) {
    forget_sights(roster);
    for (size_t i = 0; i < roster->n; i++)
        free(roster->files[i].path);
    for (size_t i = 0; i < roster->n_wanted; i++) {
        free(roster->wanted[i].path);
        free(roster->wanted[i].labels);
    }
    free(roster->wanted);
    free(roster);
}

void roster_free(struct roster *roster) {
    MUST(list_empty(&roster->users));
    timer_clear(&roster->timer);
    roster->freed = true;
    if (!roster->looking)
        release(roster);
}

void roster_add(struct roster *roster, const char *path, bool glob, const char *labels) {
    roster->wanted = mem_resize(roster->wanted, (roster->n_wanted + 1) * sizeof *roster->wanted);
    roster->wanted[roster->n_wanted++] =
        (struct wanted){.path = mem_strdup(path), .labels = mem_strdup(labels), .glob = glob};
}

bool roster_join(struct roster *roster, struct roster_user *user) {
    bool first = list_empty(&roster->users);
    list_push(&roster->users, &user->link);
    if (first)
        look(roster);
    return !first && timer_is_set(&roster->timer);
}

void roster_leave(struct roster *roster, struct roster_user *user) {
    list_remove(&user->link);
    if (list_empty(&roster->users))
        timer_clear(&roster->timer);
}

unsigned roster_looks(const struct roster *roster) {
    return roster->looks;
}

const struct roster_file *roster_files(const struct roster *roster, size_t *n) {
    *n = roster->n;
    return roster->files;
}

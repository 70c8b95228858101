/* key_file: a JWK Set in a file, read again when it changes.
 *
 *     open --> good --looked at, once a second; stat differs--> read --usable--> published
 *               ^                                                |
 *               +---------------- broken, missing: logged, the last good keys stay
 *
 * Reading is blocking work on a worker's thread: one stat in a second, and one read of a small file
 * when it has changed. All workers share the file by its path; whichever comes first when it is
 * time does the looking, the others go on with the keys they have.
 *
 * A token whose kid is unknown makes the file be read, changed or not, at most once a second as
 * well: time stamps are coarse, and somebody who puts a new key in place may use it at once. What
 * reads the same as before is not parsed again, so tokens with invented kids cost no more than
 * that; and what was wrong is logged once, not each second. */
#include "auth/key_file.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRESH_S 2

struct key_file {
    struct key_source source;
    struct list link; /* in files */
    char *path;
    const struct alg *only;
    uint64_t next_look, next_read; /* ms; atomic */
    pthread_mutex_t reading;       /* what follows */
    struct stat seen;
    bool fresh;            /* it had just been written, and could be again in the same tick */
    struct buf text;       /* as last read */
    struct reason trouble; /* as last logged; empty: none */
};

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static struct list files = {&files, &files};

/* --- reading --- */

static int read_fd(int fd, struct buf *out) {
    ssize_t n;
    do {
        n = fault("key_file_read");
        if (n == 0)
            n = read(fd, buf_reserve(out, 16384), 16384);
        else
            errno = (int)-n;
        if (n < 0 && errno != EINTR)
            return -errno;
        out->len += n > 0 ? (size_t)n : 0;
    } while (n != 0 && out->len <= KEY_FILE_MAX);
    return out->len <= KEY_FILE_MAX ? 0 : -EFBIG;
}

/* Never waits for a FIFO, and reads from nothing but a file. */
static int read_file(const char *path, struct buf *out, struct stat *st) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    int rc = fstat(fd, st) < 0 ? -errno : S_ISREG(st->st_mode) ? read_fd(fd, out) : -EINVAL;
    close(fd);
    return rc;
}

static void log_skipped(void *arg, size_t place, struct str kid, const char *why) {
    const struct key_file *file = arg;
    log_warn("%s: key %zu (kid \"%.*s\") is not used: %s", file->path, place, STR_ARG(kid), why);
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Reads the file. 1 with new keys, 0 when it reads as before, KEY_FILE_EBAD with the reason. */
static int load(struct key_file *file, struct jwks **out, struct reason *why) {
    struct buf text = {0};
    struct reason inner;
    int rc = read_file(file->path, &text, &file->seen);
    file->fresh = clock_wall_s() - file->seen.st_mtim.tv_sec < FRESH_S;
    if (rc < 0) {
        buf_fini(&text);
        buf_fini(&file->text); /* when it is back it is parsed, even if it is the same */
        return reason_set(why, KEY_FILE_EBAD, "%s: %s", file->path,
                          rc == -EINVAL  ? "not a file"
                          : rc == -EFBIG ? "longer than 1 MiB"
                                         : strerror(-rc));
    }
    if (file->text.data && str_eq(buf_str(&text), buf_str(&file->text))) {
        buf_fini(&text);
        return 0;
    }
    buf_fini(&file->text);
    file->text = text;
    if (jwks_parse(buf_str(&text), file->only, log_skipped, file, out, &inner) < 0)
        return reason_set(why, KEY_FILE_EBAD, "%s: %s", file->path, inner.text);
    return 1;
}

/* --- reading again --- */

static void reload(struct key_file *file) {
    struct jwks *jwks;
    struct reason why;
    int rc = load(file, &jwks, &why);
    if (rc > 0) {
        log_info("%s: read again, %zu keys", file->path, jwks_count(jwks));
        key_source_publish(&file->source, jwks);
        file->trouble.text[0] = '\0';
    } else if (rc < 0 && strcmp(why.text, file->trouble.text) != 0) {
        log_error("%s; the keys read before stay in use", why.text);
        file->trouble = why;
    }
}

/* Whether the time has come that stands in `*next`; true for one of those who ask together. */
static bool is_due(uint64_t *next, uint64_t now_ms) {
    uint64_t due = __atomic_load_n(next, __ATOMIC_RELAXED);
    return now_ms >= due && __atomic_compare_exchange_n(next, &due, now_ms + KEY_FILE_CHECK_MS,
                                                        false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static void poll_file(struct key_source *source, uint64_t now_ms) {
    struct key_file *file = CONTAINER_OF(source, struct key_file, source);
    struct stat st;
    if (!is_due(&file->next_look, now_ms) || pthread_mutex_trylock(&file->reading) != 0)
        return;
    if (stat(file->path, &st) < 0 || file->fresh || !same_file(&st, &file->seen))
        reload(file);
    pthread_mutex_unlock(&file->reading);
}

static void read_for_missed(struct key_source *source, uint64_t now_ms) {
    struct key_file *file = CONTAINER_OF(source, struct key_file, source);
    if (!is_due(&file->next_read, now_ms))
        return;
    pthread_mutex_lock(&file->reading);
    reload(file);
    pthread_mutex_unlock(&file->reading);
}

/* --- opening --- */

static void free_parts(struct key_file *file) {
    pthread_mutex_destroy(&file->reading);
    buf_fini(&file->text);
    free(file->path);
    free(file);
}

static void free_file(struct key_source *source) {
    struct key_file *file = CONTAINER_OF(source, struct key_file, source);
    pthread_mutex_lock(&registry);
    list_remove(&file->link);
    pthread_mutex_unlock(&registry);
    free_parts(file);
}

static const struct key_source_ops ops = {poll_file, read_for_missed, free_file};

/* The one that is open already, with a reference; NULL: none. The registry is locked. One that is
 * about to go (no references) is no longer of use. */
static struct key_file *find(const char *path, const struct alg *only) {
    for (struct list *at = files.next; at != &files; at = at->next) {
        struct key_file *file = CONTAINER_OF(at, struct key_file, link);
        if (file->only == only && strcmp(file->path, path) == 0 &&
            key_source_try_ref(&file->source))
            return file;
    }
    return NULL;
}

static struct key_file *make(const char *path, const struct alg *only, struct reason *why) {
    struct key_file *file = mem_zalloc(sizeof *file);
    struct jwks *jwks;
    list_init(&file->link);
    file->path = mem_strdup(path);
    file->only = only;
    file->next_look = clock_mono_ms() + KEY_FILE_CHECK_MS;
    pthread_mutex_init(&file->reading, NULL);
    if (load(file, &jwks, why) < 0) {
        free_parts(file);
        return NULL;
    }
    key_source_init(&file->source, &ops, jwks);
    list_push(&files, &file->link);
    return file;
}

int key_file_open(const char *path, const struct alg *only, struct key_source **out,
                  struct reason *why) {
    pthread_mutex_lock(&registry);
    struct key_file *file = find(path, only);
    if (!file)
        file = make(path, only, why);
    pthread_mutex_unlock(&registry);
    if (!file)
        return KEY_FILE_EBAD;
    *out = &file->source;
    return 0;
}

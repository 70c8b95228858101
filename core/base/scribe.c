/* scribe: whole lines on their way to a descriptor that may be slow, full or gone.
 *
 *     any thread: scribe_put --> waiting --(all of it)--> batch --> write(2) :the scribe's thread
 *                                  `------ at most SCRIBE_BYTES -----'
 *
 * Whoever has something to say never waits for whoever reads it: a log that is a pipe to a program
 * which rests must not be able to hold up a server. So each descriptor has a thread of its own, and
 * that alone writes, with plain blocking calls: O_NONBLOCK would be seen by all who share a
 * terminal or a pipe. When as much waits as may, the newest lines are dropped and counted; the log
 * tells how many as soon as there is room again. A write that failed (a full disk, a pipe without a
 * reader) is tried again every SCRIBE_RETRY_MS; the log tells it once, and once when it works
 * again. A file that was renamed and cannot be opened anew is written on: its lines can be found.
 *
 * Others may write to the same pipe: lines go there in pieces of at most PIPE_BUF bytes that end
 * with a line, which the kernel keeps together.
 *
 * The threads are detached, for a blocked write cannot be ended: scribes_finish waits a little, and
 * the process goes. One lock guards all of it and is held for a copy of some KiB at most, never
 * during a system call. The points "scribe_open" and "scribe_write" are for tests (base/fault.h).
 */
#include "base/scribe.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEPT_BYTES (256 * 1024) /* of a buffer that was larger for a while */

struct scribe {
    /* under the lock: */
    struct list link;
    pthread_cond_t wake; /* there is something to do */
    struct buf waiting;
    size_t taken;     /* bytes of the batch */
    uint64_t dropped; /* lines, since it was last told */
    int users;
    bool due; /* the file is to be reopened */
    bool failing;
    /* the thread's: */
    pthread_t thread;
    struct buf batch;
    size_t written;
    int fd;
    bool astray; /* it is not the one that `name` names */
    /* fixed: */
    bool file;
    char *name; /* the path of a file */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct list scribes = {&scribes, &scribes};
static uint64_t all_dropped; /* lines, of all scribes */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_cond_t calm; /* a thread has done what it could */

/* --- waiting, under the lock --- */

static void init_once(void) {
    clock_init_cond(&calm);
}

static bool has_work(const struct scribe *scribe) {
    return scribe->waiting.len > 0 || scribe->due || scribe->dropped > 0;
}

/* Until there is something to do. False: it was closed and has nothing left, or cannot write. */
static bool await_work(struct scribe *scribe) {
    if (scribe->failing && scribe->users > 0) {
        struct timespec until = clock_after_ns(SCRIBE_RETRY_MS * 1000000ull);
        while (scribe->users > 0 && !scribe->due &&
               pthread_cond_timedwait(&scribe->wake, &lock, &until) == 0)
            ;
        return true;
    }
    if (scribe->failing)
        return false;
    while (!has_work(scribe) && scribe->users > 0)
        pthread_cond_wait(&scribe->wake, &lock);
    return has_work(scribe);
}

/* What waits becomes the batch, and its memory theirs; unless the last one is not written yet. */
static void take_batch(struct scribe *scribe) {
    if (scribe->written < scribe->batch.len)
        return;
    struct buf empty = scribe->batch;
    if (empty.cap > KEPT_BYTES)
        buf_fini(&empty);
    empty.len = 0;
    scribe->batch = scribe->waiting;
    scribe->waiting = empty;
    scribe->written = 0;
    scribe->taken = scribe->batch.len;
}

/* --- writing, without the lock --- */

static int open_append(const char *path) {
    int rc = fault("scribe_open");
    if (rc < 0)
        return rc;
    do /* O_NONBLOCK, or a FIFO that nobody reads would not open */
        rc = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : rc;
}

/* Whether `path` still names the open file: not after it was renamed or removed. */
static bool is_named(int fd, const char *path) {
    struct stat open, named;
    return fstat(fd, &open) == 0 && stat(path, &named) == 0 && open.st_dev == named.st_dev &&
           open.st_ino == named.st_ino;
}

/* The beginning of a line that an error has cut is in the file before: here it is to be whole. */
static size_t start_of_line(const struct scribe *scribe) {
    const char *end = scribe->written ? memrchr(scribe->batch.data, '\n', scribe->written) : NULL;
    return end ? (size_t)(end + 1 - scribe->batch.data) : 0;
}

static int reopen(struct scribe *scribe, bool due) {
    if (!scribe->file)
        return 0;
    bool named = is_named(scribe->fd, scribe->name);
    if (named && !due)
        return 0;
    int fd = open_append(scribe->name);
    if (fd < 0)
        return named ? 0 : fd;
    close(scribe->fd);
    scribe->fd = fd;
    scribe->written = start_of_line(scribe);
    return 0;
}

/* Whether what is written there can be found. */
static bool has_name(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* Where `path` cannot be opened any more, lines go on in the file that was renamed, if it is there:
 * 0, or the error. */
static int choose_file(struct scribe *scribe, bool due) {
    int error = reopen(scribe, due);
    bool astray = error < 0 && has_name(scribe->fd);
    if (astray && !scribe->astray)
        log_warn("%s: %s; lines go on in the file that is open", scribe->name, strerror(-error));
    else if (error == 0 && scribe->astray)
        log_info("%s: opened again", scribe->name);
    scribe->astray = astray;
    return astray ? 0 : error;
}

/* As many whole lines as a pipe keeps together, or one that is longer. */
static size_t next_piece(struct str left) {
    if (left.len <= PIPE_BUF)
        return left.len;
    const char *end = memrchr(left.ptr, '\n', PIPE_BUF);
    if (end == NULL)
        end = memchr(left.ptr + PIPE_BUF, '\n', left.len - PIPE_BUF);
    return end ? (size_t)(end + 1 - left.ptr) : left.len;
}

static ssize_t write_once(int fd, const char *bytes, size_t n) {
    int failed = fault("scribe_write");
    if (failed != 0)
        return failed;
    ssize_t put = write(fd, bytes, n);
    return put < 0 ? -errno : put;
}

/* 0 when all is written. A descriptor that somebody made non-blocking is waited for all the same.
 */
static int write_batch(struct scribe *scribe) {
    struct stat st;
    bool whole = fstat(scribe->fd, &st) == 0 && S_ISREG(st.st_mode);
    while (scribe->written < scribe->batch.len) {
        struct str left = {scribe->batch.data + scribe->written,
                           scribe->batch.len - scribe->written};
        ssize_t n = write_once(scribe->fd, left.ptr, whole ? left.len : next_piece(left));
        if (n == -EAGAIN)
            poll(&(struct pollfd){.fd = scribe->fd, .events = POLLOUT}, 1, -1);
        else if (n < 0 && n != -EINTR)
            return (int)n;
        else if (n > 0)
            scribe->written += (size_t)n;
    }
    return 0;
}

static void tell(const struct scribe *scribe, int error, uint64_t dropped) {
    if (error < 0 && !scribe->failing)
        log_warn("%s: %s; lines wait, those beyond %u MiB are dropped", scribe->name,
                 strerror(-error), SCRIBE_BYTES >> 20);
    else if (error == 0 && scribe->failing)
        log_warn("%s: writing again, %llu lines were dropped", scribe->name,
                 (unsigned long long)dropped);
    else if (error == 0 && dropped > 0)
        log_warn("%s: %llu lines were dropped: they are read too slowly there", scribe->name,
                 (unsigned long long)dropped);
}

/* --- the thread --- */

/* Enters and leaves with the lock. */
static void work(struct scribe *scribe) {
    bool due = scribe->due;
    scribe->due = false;
    take_batch(scribe);
    pthread_mutex_unlock(&lock);
    int error = choose_file(scribe, due);
    if (error == 0)
        error = write_batch(scribe);
    pthread_mutex_lock(&lock);
    uint64_t dropped = error < 0 ? 0 : scribe->dropped;
    scribe->dropped -= dropped;
    pthread_mutex_unlock(&lock);
    tell(scribe, error, dropped);
    pthread_mutex_lock(&lock);
    scribe->failing = error < 0;
    if (!scribe->failing)
        scribe->taken = 0;
    pthread_cond_broadcast(&calm);
}

/* What is left is lost, and told before anybody may believe that all is done. */
static void end(struct scribe *scribe) {
    size_t left = scribe->batch.len - scribe->written + scribe->waiting.len;
    if (left > 0)
        log_warn("%s: %zu bytes were not written", scribe->name, left);
    if (scribe->file)
        close(scribe->fd);
    pthread_mutex_lock(&lock);
    list_remove(&scribe->link);
    pthread_cond_broadcast(&calm);
    pthread_mutex_unlock(&lock);
    buf_fini(&scribe->waiting);
    buf_fini(&scribe->batch);
    pthread_cond_destroy(&scribe->wake);
    free(scribe->name);
    free(scribe);
}

static void *run(void *arg) {
    struct scribe *scribe = arg;
    pthread_mutex_lock(&lock);
    scribe->thread = pthread_self();
    while (await_work(scribe))
        work(scribe);
    pthread_mutex_unlock(&lock);
    end(scribe);
    return NULL;
}

/* It takes no signals: they are for others. */
static int start_thread(struct scribe *scribe) {
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, run, scribe);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == 0)
        pthread_detach(thread);
    return -rc;
}

/* --- for everybody --- */

/* Under the lock. */
static struct scribe *find(int fd, const char *path) {
    for (struct list *at = scribes.next; at != &scribes; at = at->next) {
        struct scribe *scribe = CONTAINER_OF(at, struct scribe, link);
        bool same = path ? scribe->file && strcmp(scribe->name, path) == 0
                         : !scribe->file && scribe->fd == fd;
        if (same && scribe->users > 0)
            return scribe;
    }
    return NULL;
}

static int start(int fd, bool file, const char *name, struct scribe **out) {
    struct scribe *scribe = mem_zalloc(sizeof *scribe);
    scribe->fd = fd;
    scribe->file = file;
    scribe->name = mem_strdup(name);
    scribe->users = 1;
    clock_init_cond(&scribe->wake);
    list_push(&scribes, &scribe->link);
    int rc = start_thread(scribe);
    if (rc == 0) {
        *out = scribe;
        return 0;
    }
    list_remove(&scribe->link);
    pthread_cond_destroy(&scribe->wake);
    free(scribe->name);
    free(scribe);
    return rc;
}

/* For `fd`, which is the file `path` unless that is NULL. 1 when another one is shared instead. */
static int share(int fd, const char *path, const char *name, struct scribe **out) {
    pthread_once(&once, init_once);
    pthread_mutex_lock(&lock);
    struct scribe *found = find(fd, path);
    if (found) {
        found->users++;
        *out = found;
    }
    int rc = found ? 1 : start(fd, path != NULL, name, out);
    pthread_mutex_unlock(&lock);
    return rc;
}

int scribe_of(int fd, const char *name, struct scribe **out) {
    int rc = share(fd, NULL, name, out);
    return rc < 0 ? rc : 0;
}

int scribe_open(const char *path, struct scribe **out) {
    int fd = open_append(path);
    if (fd < 0)
        return fd;
    int rc = share(fd, path, path, out);
    if (rc != 0)
        close(fd);
    return rc < 0 ? rc : 0;
}

void scribe_close(struct scribe *scribe) {
    pthread_mutex_lock(&lock);
    MUST(scribe->users > 0);
    scribe->users--;
    pthread_cond_signal(&scribe->wake);
    pthread_mutex_unlock(&lock);
}

static uint64_t count_lines(struct str lines) {
    uint64_t count = 0;
    while (lines.len > 0) {
        str_cut(&lines, '\n');
        count++;
    }
    return count;
}

/* What the thread itself tells of its scribe is never too much. */
static void put(struct scribe *scribe, struct str lines, bool always) {
    pthread_mutex_lock(&lock);
    size_t waits = scribe->waiting.len + scribe->taken;
    if (!always && waits + lines.len > SCRIBE_BYTES &&
        !pthread_equal(scribe->thread, pthread_self())) {
        uint64_t count = count_lines(lines);
        scribe->dropped += count;
        counter_add(&all_dropped, count);
    } else {
        buf_add(&scribe->waiting, lines);
    }
    if (waits == 0)
        pthread_cond_signal(&scribe->wake);
    pthread_mutex_unlock(&lock);
}

static uint64_t read_dropped(size_t at) {
    (void)at;
    return counter_read(&all_dropped);
}

const struct counter_row scribe_counter_rows[] = {
    {"log_dropped", "Lines for which a log, or who reads it, had no room.", COUNTER, read_dropped,
     0, NULL, NULL},
    {0},
};

void scribe_put(struct scribe *scribe, struct str lines) {
    put(scribe, lines, false);
}

void scribe_put_always(struct scribe *scribe, struct str lines) {
    put(scribe, lines, true);
}

/* When nothing waits, the buffers change places. */
static bool swap(struct scribe *scribe, struct buf *lines) {
    pthread_mutex_lock(&lock);
    bool fits = scribe->waiting.len == 0 && scribe->taken + lines->len <= SCRIBE_BYTES;
    if (fits) {
        struct buf empty = scribe->waiting;
        scribe->waiting = *lines;
        *lines = empty;
        pthread_cond_signal(&scribe->wake);
    }
    pthread_mutex_unlock(&lock);
    return fits;
}

void scribe_take(struct scribe *scribe, struct buf *lines) {
    if (!swap(scribe, lines))
        scribe_put(scribe, buf_str(lines));
    lines->len = 0;
}

void scribes_reopen(void) {
    pthread_mutex_lock(&lock);
    for (struct list *at = scribes.next; at != &scribes; at = at->next) {
        struct scribe *scribe = CONTAINER_OF(at, struct scribe, link);
        scribe->due = scribe->file;
        pthread_cond_signal(&scribe->wake);
    }
    pthread_mutex_unlock(&lock);
}

/* Under the lock. */
static bool is_calm(void) {
    for (struct list *at = scribes.next; at != &scribes; at = at->next) {
        struct scribe *scribe = CONTAINER_OF(at, struct scribe, link);
        bool ends = scribe->users == 0;
        if (ends || (!scribe->failing && (scribe->waiting.len > 0 || scribe->taken > 0)))
            return false;
    }
    return true;
}

void scribes_finish(void) {
    pthread_once(&once, init_once);
    struct timespec until = clock_after_ns(SCRIBE_PATIENCE_MS * 1000000ull);
    pthread_mutex_lock(&lock);
    while (!is_calm() && pthread_cond_timedwait(&calm, &lock, &until) == 0)
        ;
    pthread_mutex_unlock(&lock);
}

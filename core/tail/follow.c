/* follow: a file as a log: its last lines, then each line as it is written.
 *
 *     inotify, timer --> look (pool thread: logfile) --> bytes --> lines --> follow_next
 *            ^             |                                        |
 *            +-------------+ at once while there is more            | more than AHEAD bytes not
 *            ^                                                      | taken: paused
 *            +------------------------------------------------------+ taken: look again
 *
 * The rules, which lua/README.md repeats for users:
 *
 *   - What a line is, lines.c says; where following starts, and what becomes of a file that is
 *     renamed, removed, replaced or truncated, logfile.c says. Every line is given once, in order.
 *   - A last line without LF is held back until its LF comes; if its file is rotated or truncated
 *     away instead, it is given as it is.
 *   - What is not there is waited for. What cannot be read (a folder, no permission, an error of
 *     the disk) is said once in the log and tried again.
 *   - At most FOLLOW_AHEAD_BYTES of lines are read ahead (one block after a line longer than that):
 *     who takes them slowly makes the file wait, not the memory grow. A file that came and went
 *     meanwhile, while two others were to be read before it, is missed.
 *
 * A look happens when inotify tells of the name in its folder: a millisecond after a write. A timer
 * is the safety net, each second, or 250 ms when there is no inotify (its limits are reached, the
 * folder is missing) or it would not tell: the path is a symbolic link, another file is about to be
 * read. One look at a time; what is heard during a look asks for another (`dirty`). While paused,
 * looks read nothing, but do see and open a new file, so that a rotation is not missed.
 *
 * Owned by whoever called follow_new, on that loop. A pool thread may be inside a look and libuv
 * may hold the watch's handle when it is freed; so follow_free only marks it, and whichever of the
 * two ends last frees the memory. Viewers of the same file have a follow each. It knows nothing of
 * Lua, and not what the bytes mean. */
#include "tail/follow.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/watch.h"
#include "net/work.h"
#include "tail/lines.h"
#include "tail/logfile.h"

#include <stdlib.h>
#include <string.h>

#define UNWATCHED_MS 250

struct follow {
    struct loop *loop;
    char *path;
    char *folder;     /* where `path` stands */
    const char *name; /* its last component, within `path` */
    void (*on_ready)(struct follow *, void *);
    void *arg;
    struct lines lines;
    struct watch watch;
    struct timer timer;
    struct work work; /* the look that is under way; the next two are its own until it is done */
    struct logfile file;
    struct look look;
    int told; /* the error that was last logged */
    bool looking;
    bool dirty;   /* something was heard since the look began */
    bool paused;  /* too much is not taken yet */
    bool starved; /* follow_next has returned false */
    bool said_unwatched;
    bool freed; /* by its owner */
    bool watch_closed;
};

static void release(struct follow *follow) {
    if (follow->looking || !follow->watch_closed)
        return;
    logfile_fini(&follow->file);
    lines_fini(&follow->lines);
    free(follow->look.block);
    free(follow->folder);
    free(follow->path);
    free(follow);
}

/* ---- when to look -----------------------------------------------------------------------------*/

static void look(struct follow *follow) {
    if (follow->looking) {
        follow->dirty = true;
        return;
    }
    timer_clear(&follow->timer);
    follow->dirty = false;
    follow->looking = true;
    if (!follow->paused)
        follow->look.block = mem_alloc(LOGFILE_MARK + LOGFILE_BLOCK);
    work_submit(follow->loop, &follow->work);
}

static void watch(struct follow *follow) {
    int rc = watch_start(&follow->watch, follow->folder);
    if (rc == 0 || follow->said_unwatched)
        return;
    follow->said_unwatched = true;
    log_debug("tail: %s: cannot be watched (%s), looked at every %d ms", follow->folder,
              logfile_reason(rc), UNWATCHED_MS);
}

static void on_change(struct watch *watched, const char *name, bool renamed) {
    struct follow *follow = CONTAINER_OF(watched, struct follow, watch);

    if (name == NULL)
        watch(follow);
    else if (strcmp(name, follow->name) != 0)
        return;
    else if (follow->paused && !renamed) /* the new bytes would not be read */
        return;
    look(follow);
}

static void on_timer(struct timer *timer) {
    struct follow *follow = CONTAINER_OF(timer, struct follow, timer);

    if (!watch_is_on(&follow->watch))
        watch(follow);
    look(follow);
}

static void rest(struct follow *follow) {
    uint32_t ms = follow->look.wait_ms;
    if (!watch_is_on(&follow->watch) && ms > UNWATCHED_MS)
        ms = UNWATCHED_MS;
    loop_timer(follow->loop, &follow->timer, ms);
}

/* ---- what a look found ------------------------------------------------------------------------*/

/* Whether another block may be read: all that may become of it stays within FOLLOW_AHEAD_BYTES. A
 * longer line must still be able to end, hence the first clause. */
static bool has_room(const struct follow *follow) {
    size_t ready = lines_ready(&follow->lines);
    return ready == 0 || ready + follow->lines.held.len + LOGFILE_BLOCK <= FOLLOW_AHEAD_BYTES;
}

static void tell(struct follow *follow, int error) {
    if (error < 0 && error != follow->told)
        log_warn("tail: %s: %s; trying again until it can be read", follow->path,
                 logfile_reason(error));
    follow->told = error;
}

static void run(struct work *work) {
    struct follow *follow = CONTAINER_OF(work, struct follow, work);
    logfile_look(&follow->file, &follow->look);
}

static void take(struct follow *follow) {
    struct look *found = &follow->look;

    if (found->cut)
        lines_flush(&follow->lines);
    lines_add(&follow->lines, found->data.ptr, found->data.len);
    free(found->block);
    found->block = NULL;
    tell(follow, found->error);
}

static void done(struct work *work) {
    struct follow *follow = CONTAINER_OF(work, struct follow, work);

    follow->looking = false;
    if (follow->freed) {
        release(follow);
        return;
    }
    take(follow);
    follow->paused = !has_room(follow);
    if (follow->dirty || (follow->look.again && !follow->paused))
        look(follow);
    else
        rest(follow);
    if (follow->starved && lines_ready(&follow->lines) > 0) {
        follow->starved = false;
        follow->on_ready(follow, follow->arg); /* may free it */
    }
}

/* ---- for the owner ----------------------------------------------------------------------------*/

/* "a/b" stands in "a", "/b" in "/", "b" in ".". */
static void split_path(struct follow *follow) {
    const char *slash = strrchr(follow->path, '/');

    follow->name = slash ? slash + 1 : follow->path;
    if (slash == NULL)
        follow->folder = mem_strdup(".");
    else
        follow->folder =
            mem_copy(follow->path, slash == follow->path ? 1 : (size_t)(slash - follow->path));
}

int follow_new(struct loop *loop, const char *path, const struct follow_options *options,
               void (*on_ready)(struct follow *, void *), void *arg, struct follow **out) {
    if (path[0] == '\0' || options->lines > FOLLOW_LINES_MAX || options->max_line == 0 ||
        options->max_line > FOLLOW_LINE_BYTES_MAX)
        return UV_EINVAL;
    struct follow *follow = mem_zalloc(sizeof *follow);
    follow->loop = loop;
    follow->path = mem_strdup(path);
    split_path(follow);
    follow->on_ready = on_ready;
    follow->arg = arg;
    follow->work.run = run;
    follow->work.done = done;
    lines_init(&follow->lines, options->max_line);
    logfile_init(&follow->file, follow->path, options->lines);
    timer_init(&follow->timer, on_timer);
    watch_init(&follow->watch, loop, on_change);
    watch(follow); /* before the first look, so that nothing is missed between the two */
    look(follow);
    *out = follow;
    return 0;
}

bool follow_next(struct follow *follow, struct str *line) {
    bool got = lines_next(&follow->lines, line);

    if (follow->paused && has_room(follow)) {
        follow->paused = false;
        look(follow);
    }
    follow->starved = !got;
    return got;
}

static void on_watch_closed(struct watch *closed) {
    struct follow *follow = CONTAINER_OF(closed, struct follow, watch);
    follow->watch_closed = true;
    release(follow);
}

void follow_free(struct follow *follow) {
    follow->freed = true;
    timer_clear(&follow->timer);
    watch_close(&follow->watch, on_watch_closed);
}

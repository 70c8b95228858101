/* follower: a file that grows, followed once for all who read it.
 *
 *     inotify, timer --> look (pool thread: logfile) --> window, the newest part --> who waits
 *            ^             |
 *            +-------------+ at once while there is more
 *
 * Who reads is an offset in a part (follow); the follower does not know how many there are, and
 * goes at its file's pace: what is not read in time is read again from the part's file, which stays
 * open as long as somebody refers to the part, renamed or removed. Of such former parts the newest
 * FOLLOWER_PARTS keep their files, so that one who stands still does not hold the disk's space for
 * ever. A part that was truncated has its copy in place of the file, or nothing.
 *
 *     parts:  [ empty ] -> [ inode 7, 0..4711, ended ] -> [ inode 8, 0..812 ] newest
 *
 * The first part is empty and has no file, so that "behind it" is wherever the first file begins.
 *
 * A look happens when inotify tells of the name in its folder: a millisecond after a write, but not
 * before LOOK_MS have passed since the last one, for most programs write each line on its own. A
 * timer is the safety net, each second, or 250 ms when there is no inotify (its limits are reached,
 * the folder is missing) or it would not tell: the path is a symbolic link, another file is about
 * to be read. One look at a time; what is heard during a look asks for another (`dirty`). What
 * cannot be read is said once in the log and tried again, as is that inotify does not help.
 *
 * One for each path and process, in a registry, until nobody uses it. It lives on home's loop; what
 * viewers share stands under its lock. A pool thread may be inside a look and libuv may hold the
 * watch's handle when it is freed, so whichever ends last frees the memory. It knows nothing of
 * lines but how many LF it has seen, so that a gap can be counted. */
#include "tail/follower.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tail/home.h"

#include <stdlib.h>
#include <string.h>

#define UNWATCHED_MS 250
#define LOOK_MS 2

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct map registry;
static uint64_t serials;

/* ---- what is counted --------------------------------------------------------------------------*/

static uint64_t counts[TAIL_COUNTS];

void tail_count(enum tail_count which, int64_t n) {
    __atomic_add_fetch(&counts[which], (uint64_t)n, __ATOMIC_RELAXED);
}

static uint64_t read_count(size_t at) {
    return counter_read(&counts[at]);
}

const struct counter_row tail_counter_rows[] = {
    {"tail_files", "Files that are followed.", GAUGE, read_count, TAIL_FILES, NULL, NULL},
    {"tail_viewers", "Tails that read followed files.", GAUGE, read_count, TAIL_VIEWERS, NULL,
     NULL},
    {"tail_read", "Bytes of followed files that were read, once for all tails.", COUNTER,
     read_count, TAIL_READ, "tail_read_bytes", NULL},
    {"tail_reread", "Bytes that tails read on their own, being behind.", COUNTER, read_count,
     TAIL_REREAD, "tail_reread_bytes", NULL},
    {"tail_gaps", "Gaps that tails were told of.", COUNTER, read_count, TAIL_GAPS, NULL, NULL},
    {"tail_lost", "Lines that tails were told to have missed.", COUNTER, read_count, TAIL_LOST,
     NULL, NULL},
    {0},
};

/* ---- parts ------------------------------------------------------------------------------------*/

struct part *part_ref(struct part *part) {
    part->refs++;
    return part;
}

void part_unref(struct part *part) {
    while (part && --part->refs == 0) {
        struct part *next = part->next;
        list_remove(&part->link);
        source_unref(part->source);
        free(part);
        part = next;
    }
}

struct part *follower_newest(struct follower *follower) {
    return part_ref(follower->newest);
}

/* The oldest of too many lose their files. */
static void bound_parts(struct follower *follower) {
    unsigned kept = 0;
    for (struct list *at = follower->parts.prev; at != &follower->parts; at = at->prev) {
        struct part *part = CONTAINER_OF(at, struct part, link);
        if (part->source == NULL || kept++ <= FOLLOWER_PARTS)
            continue;
        source_unref(part->source);
        part->source = NULL;
    }
}

static void add_part(struct follower *follower, struct source *source, uint64_t start) {
    struct part *part = mem_zalloc(sizeof *part), *before = follower->newest;

    *part = (struct part){.refs = 1, .start = start, .end = start, .at = follower->window.end};
    list_push(&follower->parts, &part->link);
    if (source) {
        part->source = source_ref(source);
        part->head.ino = source->ino;
    }
    follower->newest = part;
    if (before) {
        before->ended = true;
        before->next = part_ref(part);
        part_unref(before);
    }
    bound_parts(follower);
}

bool follower_has(const struct follower *follower, const struct part *part, uint64_t offset) {
    return offset >= part->start && offset <= part->end &&
           part->at + (offset - part->start) >= window_begin(&follower->window);
}

/* ---- when to look -----------------------------------------------------------------------------*/

static void look(struct follower *follower) {
    if (follower->looking) {
        follower->dirty = true;
        return;
    }
    timer_clear(&follower->timer);
    follower->dirty = false;
    follower->looking = true;
    follower->look.block = mem_alloc(LOGFILE_MARK + LOGFILE_BLOCK);
    work_submit(home_loop(), &follower->work);
}

/* While the clock stands still nobody would come back to it. */
static void look_soon(struct follower *follower) {
    uint64_t passed = loop_now(home_loop()) - follower->looked_ms;
    if (follower->looking || passed >= LOOK_MS || clock_is_frozen())
        look(follower);
    else
        loop_timer(home_loop(), &follower->timer, LOOK_MS - passed);
}

static void watch(struct follower *follower) {
    int rc = watch_start(&follower->watch, follower->folder);
    if (rc == 0 || follower->said_unwatched)
        return;
    follower->said_unwatched = true;
    log_at(logfile_is_absent(rc) ? LOG_DEBUG : LOG_WARN,
           "tail: %s: cannot be watched (%s), looked at every %d ms", follower->folder,
           logfile_reason(rc), UNWATCHED_MS);
}

static void on_change(struct watch *watched, const char *name, bool renamed) {
    struct follower *follower = CONTAINER_OF(watched, struct follower, watch);

    (void)renamed;
    if (name == NULL)
        watch(follower);
    else if (strcmp(name, follower->name) != 0)
        return;
    look_soon(follower);
}

static void on_timer(struct timer *timer) {
    struct follower *follower = CONTAINER_OF(timer, struct follower, timer);

    if (!watch_is_on(&follower->watch))
        watch(follower);
    look(follower);
}

static void rest(struct follower *follower) {
    uint32_t ms = follower->look.wait_ms;
    if (!watch_is_on(&follower->watch) && ms > UNWATCHED_MS)
        ms = UNWATCHED_MS;
    loop_timer(home_loop(), &follower->timer, ms);
}

/* ---- what a look found ------------------------------------------------------------------------*/

static void tell_error(struct follower *follower, int error) {
    if (error < 0 && error != follower->told)
        log_warn("tail: %s: %s; trying again until it can be read", follower->path,
                 logfile_reason(error));
    follower->told = error;
}

void follower_wait(struct follower *follower, struct follower_wait *wait) {
    if (list_empty(&wait->link))
        list_push(&follower->waiting, &wait->link);
}

/* Those for whom there is enough, or all: it is another file. */
static void wake(struct follower *follower, bool all) {
    struct list *next;
    for (struct list *node = follower->waiting.next; node != &follower->waiting; node = next) {
        struct follower_wait *wait = CONTAINER_OF(node, struct follower_wait, link);
        next = node->next;
        if (!all && wait->least > follower->window.end)
            continue;
        list_remove(node);
        loop_post(wait->loop, &wait->mail);
    }
}

static void change_file(struct follower *follower, const struct look *found) {
    struct part *part = follower->newest;

    if (found->event == LOOK_SAME)
        return;
    if (found->gone || found->event == LOOK_COPY) {
        source_unref(part->source);
        part->source = NULL;
    }
    if (found->event == LOOK_COPY) {
        part->source = source_ref(follower->file.now);
        part->head.ino = part->source->ino;
    } else {
        add_part(follower, follower->file.now, found->from);
    }
}

static void add_bytes(struct follower *follower, const struct look *found) {
    struct part *part = follower->newest;
    uint64_t before = follower->window.end;

    part->head.head_len = (uint32_t)follower->file.head_len;
    memcpy(part->first, follower->file.head, follower->file.head_len);
    part->head.hash = place_hash(follower->file.head, follower->file.head_len);
    window_add(&follower->window, found->data);
    part->end += found->data.len;
    if (found->data.len > 0)
        part->open_line = found->data.ptr[found->data.len - 1] != '\n';
    part->lines += window_lines(&follower->window, before, follower->window.end);
    if (found->skipped > 0) { /* positions and offsets go on together behind the hole */
        window_clear(&follower->window);
        part->end += found->skipped;
        part->start = part->end;
        part->at = follower->window.end;
    }
}

static void take(struct follower *follower) {
    struct look *found = &follower->look;

    tail_count(TAIL_READ, (int64_t)found->data.len);
    uv_mutex_lock(&follower->lock);
    follower->looks++;
    follower->passes = logfile_passes(&follower->file);
    change_file(follower, found);
    if (follower->file.now)
        add_bytes(follower, found);
    wake(follower, found->event != LOOK_SAME || found->skipped > 0 || follower->looks == 1);
    uv_mutex_unlock(&follower->lock);
    free(found->block);
    found->block = NULL;
    tell_error(follower, found->error);
}

static void run(struct work *work) {
    struct follower *follower = CONTAINER_OF(work, struct follower, work);
    logfile_look(&follower->file, &follower->look);
}

static void release(struct follower *follower);

static void done(struct work *work) {
    struct follower *follower = CONTAINER_OF(work, struct follower, work);

    follower->looking = false;
    if (follower->freed) {
        release(follower);
        return;
    }
    take(follower);
    follower->looked_ms = loop_now(home_loop());
    if (follower->look.again)
        look(follower);
    else if (follower->dirty)
        look_soon(follower);
    else
        rest(follower);
}

/* ---- its life ---------------------------------------------------------------------------------*/

/* "a/b" stands in "a", "/b" in "/", "b" in ".". */
static void split_path(struct follower *follower) {
    const char *slash = strrchr(follower->path, '/');

    follower->name = slash ? slash + 1 : follower->path;
    if (slash == NULL)
        follower->folder = mem_strdup(".");
    else
        follower->folder = mem_copy(follower->path,
                                    slash == follower->path ? 1 : (size_t)(slash - follower->path));
}

static void unmake(struct follower *follower) {
    MUST(list_empty(&follower->waiting));
    part_unref(follower->newest);
    MUST(list_empty(&follower->parts));
    logfile_fini(&follower->file);
    window_fini(&follower->window);
    uv_mutex_destroy(&follower->lock);
    free(follower->look.block);
    free(follower->folder);
    free(follower->path);
    free(follower);
}

static void release(struct follower *follower) {
    if (follower->looking || !follower->watch_closed)
        return;
    unmake(follower);
    home_leave();
    tail_count(TAIL_FILES, -1); /* who sees it at 0 finds no thread */
}

static void on_begin(struct mail *mail) {
    struct follower *follower = CONTAINER_OF(mail, struct follower, begin);

    watch_init(&follower->watch, home_loop(), on_change);
    watch(follower); /* before the first look, so that nothing is missed between the two */
    look(follower);
}

static void on_watch_closed(struct watch *closed) {
    struct follower *follower = CONTAINER_OF(closed, struct follower, watch);
    follower->watch_closed = true;
    release(follower);
}

static void on_end(struct mail *mail) {
    struct follower *follower = CONTAINER_OF(mail, struct follower, end);

    follower->freed = true;
    timer_clear(&follower->timer);
    loop_retract(home_loop(), &follower->nudge);
    watch_close(&follower->watch, on_watch_closed);
}

static void on_nudge(struct mail *mail) {
    look(CONTAINER_OF(mail, struct follower, nudge));
}

static struct follower *make(const char *path) {
    struct follower *follower = mem_zalloc(sizeof *follower);

    follower->serial = __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
    follower->path = mem_strdup(path);
    split_path(follower);
    uv_mutex_init(&follower->lock);
    list_init(&follower->waiting);
    list_init(&follower->parts);
    follower->begin.run = on_begin;
    follower->end.run = on_end;
    follower->nudge.run = on_nudge;
    follower->work.run = run;
    follower->work.done = done;
    logfile_init(&follower->file, follower->path);
    timer_init(&follower->timer, on_timer);
    add_part(follower, NULL, 0);
    return follower;
}

int follower_join(const char *path, struct follower **out) {
    int rc = 0;

    pthread_mutex_lock(&registry_lock);
    struct map_node *node = map_find(&registry, str_of(path));
    if (node) {
        *out = CONTAINER_OF(node, struct follower, node);
    } else {
        *out = make(path);
        rc = home_enter(&(*out)->begin);
        if (rc == 0) {
            map_insert(&registry, &(*out)->node, str_of((*out)->path));
            tail_count(TAIL_FILES, 1);
        } else {
            unmake(*out);
        }
    }
    if (rc == 0)
        (*out)->users++;
    pthread_mutex_unlock(&registry_lock);
    return rc;
}

void follower_leave(struct follower *follower) {
    pthread_mutex_lock(&registry_lock);
    if (--follower->users == 0) {
        map_remove(&registry, &follower->node);
        home_post(&follower->end);
    }
    pthread_mutex_unlock(&registry_lock);
}

void follower_nudge(struct follower *follower) {
    home_post(&follower->nudge);
}

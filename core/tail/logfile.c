/* logfile: reads what is appended under one path, across rotation and truncation.
 *
 *     nothing --path names a file--> reading --path names another--> reading, next open
 *                                     ^    |                            |
 *                                     |    +----+ truncated: the rest   | end reached, late
 *                                     |         | of it from a copy     | writers had time
 *                                     +------------- next is read from 0 +
 *
 * Where it starts. One block before the end of the file that is found first, so that who wants the
 * last lines finds them in memory; which lines those are is not its business.
 *
 * Rotation. The path naming another inode means that the file was renamed or removed; its number
 * cannot be used again while it is open here. The new file is opened at once, so that it is not
 * lost if it is rotated as well, but read only when the old one has ended, because writers reopen
 * their log when they are told to and not when it is renamed:
 *
 *   - the new file is empty: the old one is read on, until it has not grown for 10 s;
 *   - it has bytes: until the old one has not grown for 100 ms, or for 10 s if it never rests;
 *   - the path names a third file already: until the end of the old one is met.
 *
 * Every look sees where the path leads before it reads, so with one writer nothing is lost: what it
 * wrote to the old file before it wrote to the new one is there to be read by then. A file that
 * came and went under the path between the two is looked for in the folder (kin), and read between
 * them.
 *
 * Truncation. Size and time do not tell a log that was truncated and has grown past the old offset
 * from one that has just grown. So the last up to 64 bytes before the offset, the *mark*, are read
 * again together with what follows them: if they are gone or differ, the file is read from 0. What
 * was not read of it may be in a copy (copytruncate): it is looked for by the first bytes and the
 * mark, and read to its end before.
 *
 * A file that takes the other's place and begins with all that was read of it is a copy, too, and
 * read on from there.
 *
 * What cannot be noticed:
 *
 *   - bytes truncated away before they were read, of which nobody has made a copy (copytruncate
 *     loses those that are written between its copy and its truncation in any case);
 *   - a truncation after which the file has the same bytes at the mark's place again when it is
 *     looked at: a log of identical lines, or a mark of few bytes because few had been written.
 *
 * Who writes without O_APPEND leaves a hole where the truncated bytes were; it is told by its size.
 *
 * Owned by its follower, which looks from a pool thread, one look at a time. It knows no lines, and
 * no loop: time is asked from the clock, only to measure the graces. */
#include "tail/logfile.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEADY_MS 1000   /* between looks when all is as it should be */
#define UNSTEADY_MS 250  /* when something is awaited, or changes where no one tells */
#define FILLED_GRACE 100 /* ms without growth after which a rotated file has ended */
#define EMPTY_GRACE 10000

struct file_id {
    dev_t dev;
    ino_t ino;
};

void logfile_init(struct logfile *file, const char *path) {
    *file = (struct logfile){.path = path};
}

static void forget_later(struct logfile *file) {
    while (file->n_later > 0)
        source_unref(file->later[--file->n_later]);
}

void logfile_fini(struct logfile *file) {
    source_unref(file->now);
    source_unref(file->next);
    forget_later(file);
}

const char *logfile_reason(int error) {
    return error == -ESPIPE ? "not a regular file" : strerror(-error);
}

bool logfile_passes(const struct logfile *file) {
    return file->next && file->hurry;
}

bool logfile_is_absent(int error) {
    return error == -ENOENT || error == -ENOTDIR;
}

static void wait_at_most(struct look *look, uint64_t ms) {
    if (ms < look->wait_ms)
        look->wait_ms = (uint32_t)ms;
}

/* What the path names. A link's target may change in a folder that no one watches: that takes
 * shorter waits. 0 or a negative errno. */
static int identify(const char *path, struct file_id *id, struct look *look) {
    struct stat st;

    if (lstat(path, &st) != 0)
        return -errno;
    if (S_ISLNK(st.st_mode)) {
        wait_at_most(look, UNSTEADY_MS);
        if (stat(path, &st) != 0)
            return -errno;
    }
    *id = (struct file_id){st.st_dev, st.st_ino};
    if (S_ISREG(st.st_mode))
        return 0;
    return S_ISDIR(st.st_mode) ? -EISDIR : -ESPIPE; /* and never opened: a device may act on it */
}

static bool is(const struct file_id *id, const struct source *source) {
    return source->dev == id->dev && source->ino == id->ino;
}

/* As many of the first bytes as there are. */
static void read_head(struct logfile *file) {
    ssize_t got = source_read(file->now, file->head, sizeof file->head, 0);
    file->head_len = got > 0 ? (size_t)got : 0;
}

/* ---- where to start ---------------------------------------------------------------------------*/

/* Starts at `offset`; at 0 if the file has become shorter meanwhile. 0 or a negative errno. */
static int place(struct logfile *file, uint64_t offset) {
    size_t n = offset < LOGFILE_MARK ? (size_t)offset : LOGFILE_MARK;
    ssize_t got = source_read(file->now, file->mark, n, offset - n);

    if (got < 0)
        return (int)got;
    bool whole = (size_t)got == n;
    file->offset = whole ? offset : 0;
    file->mark_len = whole ? n : 0;
    return 0;
}

/* The path has not led anywhere yet. */
static void find(struct logfile *file, struct look *look) {
    struct file_id id;
    struct stat st;
    int rc = identify(file->path, &id, look);

    if (rc == 0)
        rc = source_open(AT_FDCWD, file->path, false, &file->now);
    if (rc == 0) {
        rc = fstat(file->now->fd, &st) != 0 ? -errno : 0;
        if (rc == 0)
            rc = place(file, st.st_size > LOGFILE_BLOCK ? st.st_size - LOGFILE_BLOCK : 0);
        if (rc < 0) {
            source_unref(file->now);
            file->now = NULL;
        }
    }
    if (rc == 0) {
        look->event = LOOK_BEGAN;
        look->from = file->offset;
        read_head(file);
    } else if (!logfile_is_absent(rc)) {
        look->error = rc;
    }
}

/* ---- from one file to the next ----------------------------------------------------------------*/

/* Sees where the path leads by now, and opens what it is the first time. */
static void see_path(struct logfile *file, struct look *look) {
    struct file_id id;
    int rc = identify(file->path, &id, look);

    if (rc == 0 && is(&id, file->now)) {
        source_unref(file->next); /* the file was put back into its place */
        file->next = NULL;
        return;
    }
    wait_at_most(look, UNSTEADY_MS);
    if (file->next) {
        file->hurry |= rc == 0 && !is(&id, file->next);
        return;
    }
    if (rc == 0)
        rc = source_open(AT_FDCWD, file->path, false, &file->next);
    if (rc == 0) {
        file->filled = file->hurry = file->asked = false;
        file->met_ms = file->grown_ms = clock_mono_ms();
    } else if (!logfile_is_absent(rc)) {
        look->error = rc;
    }
}

static void remember(struct logfile *file) {
    struct past *past = &file->past[file->n_past++ % LOGFILE_PAST];
    past->dev = file->now->dev;
    past->place = (struct place){.ino = file->now->ino,
                                 .head_len = (uint32_t)file->head_len,
                                 .hash = place_hash(file->head, file->head_len)};
}

/* Whether it was read already: it is such a file, or a copy of one. The latter only if it is no
 * newer than the file that is read now: there are logs that all begin alike. `others`: than the one
 * that is read now, and those that it is a copy of. */
static bool is_past(const struct logfile *file, struct source *source, bool others) {
    char head[PLACE_HEAD];
    struct stat st;
    size_t n = file->n_past < LOGFILE_PAST ? file->n_past : LOGFILE_PAST;
    bool old = fstat(source->fd, &st) == 0 && kin_time(&st) <= file->written;
    ssize_t got = source_read(source, head, sizeof head, 0);

    for (size_t i = 0; got > 0 && i < n; i++) {
        const struct past *past = &file->past[i];
        bool itself = past->dev == source->dev && past->place.ino == source->ino;
        if (others && place_fits(&past->place, file->head, file->head_len))
            continue;
        if (past->place.head_len > 0 && (itself || old) &&
            place_fits(&past->place, head, (size_t)got))
            return true;
    }
    return false;
}

/* Whether another file is a copy of the one that is read now, with all that was read of it. */
static bool continues(const struct logfile *file, struct source *source) {
    char bytes[PLACE_HEAD];
    ssize_t got;

    if (file->offset == 0 || source == file->now || file->now->gz || file->mark_len == 0)
        return false;
    got = source_read(source, bytes, file->head_len, 0);
    if (got < (ssize_t)file->head_len || memcmp(bytes, file->head, file->head_len) != 0)
        return false;
    do
        got = source_read(source, bytes, file->mark_len, file->offset - file->mark_len);
    while (got == -EAGAIN);
    return got == (ssize_t)file->mark_len && memcmp(bytes, file->mark, file->mark_len) == 0;
}

static void queue(struct logfile *file, const struct kin *kin) {
    forget_later(file);
    for (size_t i = 0; i < kin->n_after; i++)
        if (!is_past(file, kin->after[i], false) || continues(file, kin->after[i]))
            file->later[file->n_later++] = source_ref(kin->after[i]);
}

/* `source` is read from its start; from where we are if it is a copy. */
static void begin(struct logfile *file, struct source *source, struct look *look) {
    look->again = true;
    remember(file);
    if (continues(file, source)) {
        source_unref(file->now);
        file->now = source;
        file->mark_len = source->gz ? 0 : file->mark_len;
        look->event = LOOK_COPY;
        return;
    }
    if (source != file->now)
        source_unref(file->now);
    file->now = source;
    file->offset = 0;
    file->mark_len = 0;
    file->written = 0;
    read_head(file);
    look->event = LOOK_BEGAN;
}

/* What came between this file and the next one. */
static void ask_between(struct logfile *file) {
    struct kin_wanted wanted = {.place.ino = file->now->ino, .open = file->now};
    struct kin kin;

    file->asked = true;
    if (kin_look(file->path, &wanted, file->next, &kin) == 0)
        queue(file, &kin);
    kin_fini(&kin);
}

static void leave(struct logfile *file, struct look *look) {
    if (!file->asked)
        ask_between(file);
    if (file->n_later == 0) {
        struct source *next = file->next;
        file->next = NULL;
        begin(file, next, look);
        return;
    }
    struct source *next = file->later[0];
    memmove(file->later, file->later + 1, --file->n_later * sizeof *file->later);
    begin(file, next, look);
    file->hurry = true;
}

/* Another file waits to be read: goes there if this one, which has just grown or not, has ended. */
static void move_on(struct logfile *file, bool grown, struct look *look) {
    uint64_t now = clock_mono_ms();
    struct stat st;

    if (grown)
        file->grown_ms = now;
    if (!file->filled && fstat(file->next->fd, &st) == 0 && st.st_size > 0) {
        file->filled = true;
        file->met_ms = file->grown_ms = now;
    }
    uint64_t grace = file->filled ? FILLED_GRACE : EMPTY_GRACE;
    uint64_t quiet = now - file->grown_ms;
    if (file->filled && now - file->met_ms >= EMPTY_GRACE)
        file->hurry = true;
    if (!grown && (file->hurry || quiet >= grace))
        leave(file, look);
    else if (file->hurry)
        look->again = true;
    else
        wait_at_most(look, quiet < grace ? grace - quiet : UNSTEADY_MS);
}

/* The bytes before the offset are not there any more: the file itself is what comes next, and the
 * rest of what it was is read from a copy, if there is one. */
static void truncated(struct logfile *file, struct look *look) {
    struct kin_wanted wanted = {
        .place = {.ino = 0,
                  .hash = place_hash(file->head, file->head_len),
                  .head_len = (uint32_t)file->head_len,
                  .offset = file->offset},
        .mark = file->mark,
        .since = file->written,
        .mark_len = file->mark_len,
    };
    struct kin kin;

    if (file->next) { /* it has been renamed: no copy was made */
        begin(file, file->now, look);
        look->gone = true;
        return;
    }
    kin_look(file->path, &wanted, file->now, &kin);
    if (kin.found == NULL || is_past(file, kin.found, true)) {
        begin(file, file->now, look);
        look->gone = true;
    } else {
        queue(file, &kin);
        file->next = file->now;
        file->now = source_ref(kin.found);
        file->hurry = file->asked = true;
        file->mark_len = file->now->gz ? 0 : file->mark_len;
        look->event = LOOK_COPY;
        look->again = true;
    }
    kin_fini(&kin);
}

/* ---- reading ----------------------------------------------------------------------------------*/

/* `n` more bytes were read, at block + mark_len. What is packed has no mark: nobody truncates that,
 * and reading it backwards is to begin anew. */
static void advance(struct logfile *file, const char *block, size_t n) {
    size_t all = file->now->gz ? 0 : file->mark_len + n;
    file->offset += n;
    file->mark_len = all < LOGFILE_MARK ? all : LOGFILE_MARK;
    memcpy(file->mark, block + all - file->mark_len, file->mark_len);
    if (n > 0 && file->head_len < PLACE_HEAD)
        read_head(file);
}

/* A block of nothing but NUL: there may be many more that need not be read. */
static void skip_hole(struct logfile *file, struct look *look) {
    uint64_t behind = source_skip_hole(file->now, file->offset);

    look->skipped = behind - file->offset;
    file->offset = behind;
    memset(file->mark, 0, file->mark_len);
}

static void read_on(struct logfile *file, struct look *look) {
    size_t mark = file->mark_len;
    struct stat st;
    bool known = fstat(file->now->fd, &st) == 0; /* before it is read: it may be truncated since */
    ssize_t got =
        source_read(file->now, look->block, mark + LOGFILE_BLOCK, file->offset - file->mark_len);
    size_t n = 0;

    if (got == -EAGAIN) {
        look->again = true;
        return;
    }
    if (got < 0) {
        look->error = (int)got;
    } else if ((size_t)got < mark || memcmp(look->block, file->mark, mark) != 0) {
        truncated(file, look);
        return;
    } else {
        n = (size_t)got - mark;
        look->data = (struct str){look->block + mark, n};
        look->again = n == LOGFILE_BLOCK;
        advance(file, look->block, n);
        if (n > 0 && known)
            file->written = kin_time(&st);
        if (n == LOGFILE_BLOCK && source_is_hole(look->data))
            skip_hole(file, look);
    }
    if (file->next)
        move_on(file, n > 0, look);
}

void logfile_look(struct logfile *file, struct look *look) {
    *look = (struct look){.block = look->block, .wait_ms = STEADY_MS};
    if (file->now == NULL)
        find(file, look);
    else if (file->now->gz == NULL || file->next == NULL)
        see_path(file, look);
    if (file->now)
        read_on(file, look);
}

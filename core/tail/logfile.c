/* logfile: reads what is appended under one path, across rotation and truncation.
 *
 *     nothing --path names a file--> reading --path names another--> reading, next open
 *                                     ^    |                            |
 *                            again    +----+ truncated: from 0          | end reached, late
 *                                     ^                                 | writers had time
 *                                     +------------- next is read from 0 +
 *
 * Where it starts. In a file that is there when it is asked for: before the last `lines` lines,
 * found by reading backwards. At most 16 MiB are searched; if they hold fewer lines it starts at
 * the first line that begins in them, and if none does (one line longer than that), at the end. A
 * last line without LF is none of the `lines`: it is given in addition, with what completes it. A
 * file that was not there then is new and is given from its start.
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
 * wrote to the old file before it wrote to the new one is there to be read by then.
 *
 * Truncation. Size and time do not tell a log that was truncated and has grown past the old offset
 * from one that has just grown. So the last up to 64 bytes before the offset, the *mark*, are read
 * again together with what follows them: if they are gone or differ, the file is read from 0.
 *
 * What cannot be noticed:
 *
 *   - bytes truncated away before they were read (copytruncate loses those that are written between
 *     its copy and its truncation in any case);
 *   - a truncation after which the file has the same bytes at the mark's place again when it is
 *     looked at: a log of identical lines, or a mark of few bytes because few had been written;
 *   - a file that came and went under the path between two looks, or while two others were open.
 *
 * Who writes without O_APPEND leaves a hole where the truncated bytes were; it is read as the NULs
 * it consists of.
 *
 * Owned by its follow, which looks from a pool thread, one look at a time. It knows no lines but to
 * find the last ones, and no loop: time is asked from the clock, only to measure the graces. */
#include "tail/logfile.h"

#include "base/clock.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEARCHED_BYTES (16u << 20)
#define STEADY_MS 1000   /* between looks when all is as it should be */
#define UNSTEADY_MS 250  /* when something is awaited, or changes where no one tells */
#define FILLED_GRACE 100 /* ms without growth after which a rotated file has ended */
#define EMPTY_GRACE 10000

void logfile_fini(struct logfile *file) {
    if (file->fd >= 0)
        close(file->fd);
    if (file->next >= 0)
        close(file->next);
}

const char *logfile_reason(int error) {
    return error == -ESPIPE ? "not a regular file" : strerror(-error);
}

static bool is_absent(int error) {
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

/* The descriptor, or a negative errno. */
static int open_path(const char *path, struct file_id *id) {
    struct stat st;
    int fd = fault("tail_open");

    if (fd == 0 && (fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) < 0)
        fd = -errno;
    if (fd < 0)
        return fd;
    int rc = fstat(fd, &st) != 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -ESPIPE;
    if (rc < 0) { /* another one since it was identified */
        close(fd);
        return rc;
    }
    *id = (struct file_id){st.st_dev, st.st_ino};
    return fd;
}

static ssize_t read_at(int fd, char *into, size_t n, uint64_t offset) {
    ssize_t got = fault("tail_read");

    if (got == 0 && (got = pread(fd, into, n, (off_t)offset)) < 0)
        got = -errno;
    return got;
}

static bool same(const struct file_id *a, const struct file_id *b) {
    return a->dev == b->dev && a->ino == b->ino;
}

void logfile_init(struct logfile *file, const char *path, uint32_t lines) {
    struct stat st;

    *file = (struct logfile){.path = path, .lines = lines, .fd = -1, .next = -1};
    if (stat(path, &st) == 0) {
        file->asked = (struct file_id){st.st_dev, st.st_ino};
        file->asked_size = (uint64_t)st.st_size;
    } else {
        file->awaited = is_absent(-errno);
    }
}

/* ---- where to start ---------------------------------------------------------------------------*/

/* Starts at `offset`; at 0 if the file has become shorter meanwhile. 0 or a negative errno. */
static int place(struct logfile *file, uint64_t offset) {
    size_t n = offset < LOGFILE_MARK ? (size_t)offset : LOGFILE_MARK;
    ssize_t got = read_at(file->fd, file->mark, n, offset - n);

    if (got < 0)
        return (int)got;
    bool whole = (size_t)got == n;
    file->offset = whole ? offset : 0;
    file->mark_len = whole ? n : 0;
    return 0;
}

/* Starts before the last lines: behind the LF that is preceded by `lines` others, counted from the
 * end. 0 or a negative errno. */
static int place_before_last(struct logfile *file, char *block) {
    struct stat st;

    if (fstat(file->fd, &st) != 0)
        return -errno;
    uint64_t size = (uint64_t)st.st_size;
    if (same(&file->id, &file->asked) && file->asked_size < size)
        size = file->asked_size;
    uint64_t at = size;
    uint64_t floor = size > SEARCHED_BYTES ? size - SEARCHED_BYTES : 0;
    uint64_t start = size; /* of the earliest line seen so far */
    uint32_t found = 0;

    while (at > floor) {
        size_t n = at - floor < LOGFILE_BLOCK ? (size_t)(at - floor) : LOGFILE_BLOCK;
        ssize_t got = read_at(file->fd, block, n, at - n);
        if (got < 0)
            return (int)got;
        if ((size_t)got < n)
            return place(file, 0);
        at -= n;
        const char *lf;
        while ((lf = memrchr(block, '\n', n)) != NULL) {
            n = (size_t)(lf - block);
            start = at + n + 1;
            if (found++ == file->lines)
                return place(file, start);
        }
    }
    return place(file, floor > 0 ? start : 0);
}

/* The path has not led anywhere yet. */
static void find(struct logfile *file, struct look *look) {
    struct file_id id;
    int rc = identify(file->path, &id, look);

    if (rc == 0)
        rc = open_path(file->path, &file->id);
    if (rc >= 0) {
        file->fd = rc;
        rc = file->awaited ? 0 : place_before_last(file, look->block);
        if (rc == 0)
            return;
        close(file->fd);
        file->fd = -1;
    }
    if (is_absent(rc))
        file->awaited = true;
    else
        look->error = rc;
}

/* ---- from one file to the next ----------------------------------------------------------------*/

/* Sees where the path leads by now, and opens what it is the first time. */
static void see_path(struct logfile *file, struct look *look) {
    struct file_id id;
    int rc = identify(file->path, &id, look);

    if (rc == 0 && same(&id, &file->id)) {
        if (file->next >= 0) /* the file was put back into its place */
            close(file->next);
        file->next = -1;
        return;
    }
    wait_at_most(look, UNSTEADY_MS);
    if (file->next >= 0) {
        file->hurry |= rc == 0 && !same(&id, &file->next_id);
        return;
    }
    if (rc == 0)
        rc = open_path(file->path, &file->next_id);
    if (rc >= 0) {
        file->next = rc;
        file->filled = file->hurry = false;
        file->met_ms = file->grown_ms = clock_mono_ms();
    } else if (!is_absent(rc)) {
        look->error = rc;
    }
}

/* Reads on from the start, of the same file or of another. */
static void restart(struct logfile *file, struct look *look) {
    file->offset = 0;
    file->mark_len = 0;
    look->cut = look->again = true;
}

static void leave(struct logfile *file, struct look *look) {
    close(file->fd);
    file->fd = file->next;
    file->id = file->next_id;
    file->next = -1;
    restart(file, look);
}

/* Another file waits to be read: goes there if this one, which has just grown or not, has ended. */
static void move_on(struct logfile *file, bool grown, struct look *look) {
    uint64_t now = clock_mono_ms();
    struct stat st;

    if (grown)
        file->grown_ms = now;
    if (!file->filled && fstat(file->next, &st) == 0 && st.st_size > 0) {
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

/* ---- reading ----------------------------------------------------------------------------------*/

/* `n` more bytes were read, at block + mark_len. */
static void advance(struct logfile *file, const char *block, size_t n) {
    size_t all = file->mark_len + n;
    file->offset += n;
    file->mark_len = all < LOGFILE_MARK ? all : LOGFILE_MARK;
    memcpy(file->mark, block + all - file->mark_len, file->mark_len);
}

static void read_on(struct logfile *file, struct look *look) {
    size_t mark = file->mark_len;
    ssize_t got =
        read_at(file->fd, look->block, mark + LOGFILE_BLOCK, file->offset - file->mark_len);
    size_t n = 0;

    if (got < 0) {
        look->error = (int)got;
    } else if ((size_t)got < mark || memcmp(look->block, file->mark, mark) != 0) {
        restart(file, look);
        return;
    } else {
        n = (size_t)got - mark;
        look->data = (struct str){look->block + mark, n};
        look->again = n == LOGFILE_BLOCK;
        advance(file, look->block, n);
    }
    if (file->next >= 0)
        move_on(file, n > 0, look);
}

void logfile_look(struct logfile *file, struct look *look) {
    *look = (struct look){.block = look->block, .wait_ms = STEADY_MS};
    if (file->fd < 0)
        find(file, look);
    else
        see_path(file, look);
    if (file->fd >= 0 && look->block != NULL)
        read_on(file, look);
}

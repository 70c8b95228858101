/* source: a file of lines that is open, by whatever name it has now.
 *
 *     source_open --> read by pread, at any offset, from any thread
 *                 \-> packed: read by zlib from the start on; an offset is inflated up to, a few
 *                     MiB at a time, so that whoever lost interest is not waited for
 *
 * What is not a regular file is never opened: a pipe would block, a device may act on it. A last
 * component that is a link is followed only for who gives a path of its own; within a folder
 * (what kin has found) it is not.
 *
 * Shared by reference between the follower, whose file it is, and those who read older parts of it.
 * It knows neither lines nor where the file came from. */
#include "tail/source.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define INFLATED_AT_ONCE (4u << 20)
#define INFLATE_BUFFER (64u << 10)

static unsigned open_now;

/* Whether it begins as RFC 1952 wants. A file under a packed name that does not is read as it is.
 */
static bool is_gzip(int fd) {
    unsigned char magic[2];
    return pread(fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
}

static int wrap(int fd, bool packed, const struct stat *st, struct source **out) {
    gzFile gz = NULL;
    if (packed && is_gzip(fd)) {
        gz = gzdopen(fd, "rb");
        if (gz == NULL)
            return -ENOMEM;
        gzbuffer(gz, INFLATE_BUFFER);
    }
    *out = mem_zalloc(sizeof **out);
    **out = (struct source){.refs = 1, .fd = fd, .gz = gz, .dev = st->st_dev, .ino = st->st_ino};
    return 0;
}

int source_open(int folder, const char *name, bool packed, struct source **out) {
    struct stat st;
    int fd = fault("tail_open");
    int links = folder == AT_FDCWD ? 0 : O_NOFOLLOW;

    if (fd == 0 &&
        (fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | links)) < 0)
        fd = -errno;
    if (fd < 0)
        return fd;
    int rc = fstat(fd, &st) != 0   ? -errno
             : S_ISREG(st.st_mode) ? 0
             : S_ISDIR(st.st_mode) ? -EISDIR
                                   : -ESPIPE;
    if (rc == 0)
        rc = wrap(fd, packed, &st, out);
    if (rc < 0)
        close(fd);
    else
        __atomic_add_fetch(&open_now, 1, __ATOMIC_RELAXED);
    return rc;
}

bool source_scarce(void) {
    static struct log_kind scarce = LOG_KIND("logs left out for want of descriptors");
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        __atomic_load_n(&open_now, __ATOMIC_RELAXED) < limit.rlim_cur / 2)
        return false;
    if (log_admits(&scarce, LOG_WARN))
        log_warn("logs: %u files are being read, half of what may be open; others are left out "
                 "(raise the limit with ulimit -n)",
                 __atomic_load_n(&open_now, __ATOMIC_RELAXED));
    return true;
}

struct source *source_again(const struct source *source) {
    struct source *again;
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", source->fd);
    return source_open(AT_FDCWD, path, source->gz != NULL, &again) == 0 ? again : NULL;
}

struct source *source_ref(struct source *source) {
    __atomic_add_fetch(&source->refs, 1, __ATOMIC_RELAXED);
    return source;
}

void source_unref(struct source *source) {
    if (source == NULL || __atomic_sub_fetch(&source->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    __atomic_sub_fetch(&open_now, 1, __ATOMIC_RELAXED);
    if (source->gz)
        gzclose_r(source->gz); /* and the descriptor with it */
    else
        close(source->fd);
    free(source);
}

/* Whether it ends before what is packed does: zlib takes that for the end. */
static bool is_cut_off(struct source *source) {
    int error;
    gzerror(source->gz, &error);
    return error == Z_BUF_ERROR;
}

static ssize_t inflate_at(struct source *source, char *into, size_t n, uint64_t offset) {
    uint64_t at = (uint64_t)gztell(source->gz);
    char *waste = NULL;
    int got = 1;

    if (at > offset)
        gzrewind(source->gz), at = 0;
    uint64_t stop = at + INFLATED_AT_ONCE;
    if (at < offset)
        waste = mem_alloc(INFLATE_BUFFER);
    while (got > 0 && at < offset && at < stop) {
        uint64_t part = offset - at < INFLATE_BUFFER ? offset - at : INFLATE_BUFFER;
        got = gzread(source->gz, waste, (unsigned)part);
        at += got > 0 ? (uint64_t)got : 0;
    }
    free(waste);
    if (got > 0 && at < offset)
        return -EAGAIN;
    if (got > 0)
        got = gzread(source->gz, into, (unsigned)n);
    return got < 0 || (got == 0 && is_cut_off(source)) ? -EIO : got;
}

ssize_t source_read(struct source *source, char *into, size_t n, uint64_t offset) {
    ssize_t got = fault("tail_read");

    if (got < 0)
        return got;
    if (source->gz)
        return inflate_at(source, into, n, offset);
    got = pread(source->fd, into, n, (off_t)offset);
    return got < 0 ? -errno : got;
}

bool source_is_hole(struct str bytes) {
    return bytes.len > 0 && bytes.ptr[0] == '\0' &&
           memcmp(bytes.ptr, bytes.ptr + 1, bytes.len - 1) == 0;
}

/* How long it is is asked first: what is appended meanwhile is no hole. */
uint64_t source_skip_hole(const struct source *source, uint64_t offset) {
    struct stat st;

    if (source->gz || fstat(source->fd, &st) != 0)
        return offset;
    off_t data = lseek(source->fd, (off_t)offset, SEEK_DATA);
    if (data < 0 && errno == ENXIO)
        data = st.st_size; /* nothing but hole up to the end */
    return data > (off_t)offset ? (uint64_t)data : offset;
}

/* file: what the program does with files, in blocking calls of the C library.
 *
 * Reading a file may take as long as a disk or a network file system likes, so all of this is for
 * pool threads: static files and weir.fs submit a struct work that calls it.
 * Nothing here keeps state; descriptors belong to whoever opened them.
 *
 * Staying beneath a folder is decided by what was opened, not by what was asked for:
 *
 *   root ──open O_PATH──> folder ──openat(relative)──> file
 *                           │ /proc/self/fd              │ /proc/self/fd
 *                       true path of root   is it above   true path of the file?
 *
 * Symbolic links, "..", and renames in between cannot trick that: the kernel tells where the thing
 * in our hands is. Where /proc is missing, nothing is served.
 *
 * Opening never waits: O_NONBLOCK keeps a FIFO from holding a pool thread until someone writes. The
 * points "file_open", "file_read" and "file_write" are for tests (base/fault.h). Must not know
 * about loops, streams or Lua.
 */
#include "net/file.h"

#include "base/fault.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <uv.h>

/* --- open files --- */

static int open_at(int folder, const char *path, int flags) {
    int rc = fault("file_open");
    if (rc < 0)
        return rc;
    do
        rc = openat(folder, path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : rc;
}

/* Closes `fd` on its way to being returned when there is an error. */
static int or_close(int fd, int error) {
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int file_check_regular(const struct stat *st) {
    if (S_ISREG(st->st_mode))
        return 0;
    return S_ISDIR(st->st_mode) ? -EISDIR : UV_EFTYPE;
}

const char *file_why(int error) {
    return error == UV_EFTYPE ? "it is a device, a pipe or a socket, no file" : strerror(-error);
}

int file_stat_regular(int fd, struct stat *st) {
    return fstat(fd, st) < 0 ? -errno : file_check_regular(st);
}

static int open_regular(const char *path, int flags, struct stat *st) {
    int fd = open_at(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | flags);
    return fd < 0 ? fd : or_close(fd, file_stat_regular(fd, st));
}

int file_open(const char *path, struct stat *st) {
    return open_regular(path, 0, st);
}

/* Where the open file is, after all links; its length, or an error. */
int64_t file_true_path(int fd, char out[PATH_MAX]) {
    char link[32];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, PATH_MAX);
    if (n == PATH_MAX)
        return -ENAMETOOLONG;
    return n < 0 ? -errno : n;
}

int file_check_beneath(int root, int fd) {
    char above[PATH_MAX], path[PATH_MAX];
    int64_t length = file_true_path(root, above), n = file_true_path(fd, path);
    if (length <= 0 || n <= 0 || above[0] != '/')
        return -EACCES;
    if (length == 1) /* "/": everything is beneath */
        length = 0;
    bool inside = n >= length && memcmp(above, path, (size_t)length) == 0 &&
                  (n == length || path[length] == '/');
    return inside ? 0 : -EACCES;
}

static int open_in(int root, const char *relative, struct stat *st) {
    int fd = open_at(root, relative, O_RDONLY | O_NONBLOCK);
    if (fd < 0)
        return fd;
    int error = file_check_beneath(root, fd);
    return or_close(fd, error < 0 ? error : file_stat_regular(fd, st));
}

int file_open_beneath(const char *root, struct str relative, struct stat *st) {
    char path[PATH_MAX];
    if (relative.len >= sizeof(path))
        return -ENAMETOOLONG;
    if (relative.len == 0)
        return -ENOENT;
    if (relative.ptr[0] == '/')
        return -EACCES;
    if (memchr(relative.ptr, 0, relative.len))
        return -EINVAL;
    memcpy(path, relative.ptr, relative.len);
    path[relative.len] = '\0';

    int folder = open_at(AT_FDCWD, root, O_PATH | O_DIRECTORY);
    if (folder < 0)
        return folder;
    int fd = open_in(folder, path, st);
    close(folder);
    return fd;
}

static int64_t read_some(int fd, void *out, size_t n, uint64_t offset) {
    int rc = fault("file_read");
    if (rc < 0)
        return rc;
    ssize_t got;
    do
        got = pread(fd, out, n, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

int64_t file_read_at(int fd, void *out, size_t n, uint64_t offset) {
    size_t done = 0;
    while (done < n) {
        int64_t got = read_some(fd, (char *)out + done, n - done, offset + done);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

static int open_append(const char *path) {
    return open_at(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK);
}

static int64_t write_once(int fd, const void *bytes, size_t n) {
    int rc = fault("file_write");
    if (rc < 0)
        return rc;
    ssize_t put;
    do
        put = write(fd, bytes, n);
    while (put < 0 && errno == EINTR);
    return put < 0 ? -errno : put;
}

void file_close(int fd) {
    close(fd);
}

/* --- whole files --- */

/* The size is a hint only: files under /proc have none, and others grow. */
static int read_rest(int fd, const struct stat *st, size_t limit, struct buf *out) {
    enum { LEAST = 4096, MOST = 65536 };
    size_t step = st->st_size < LEAST ? LEAST : st->st_size < MOST ? (size_t)st->st_size + 1 : MOST;
    size_t before = out->len;
    for (;;) {
        size_t have = out->len - before;
        size_t want = limit - have < step ? limit - have + 1 : step; /* one more shows the excess */
        int64_t got = file_read_at(fd, buf_reserve(out, want), want, have);
        if (got >= 0)
            out->len += (size_t)got;
        bool excess = out->len - before > limit;
        if (got < 0 || excess) {
            out->len = before;
            return got < 0 ? (int)got : -EFBIG;
        }
        if ((size_t)got < want)
            return 0;
    }
}

static int read_all(const char *path, int flags, size_t limit, struct buf *out) {
    struct stat st;
    int fd = open_regular(path, flags, &st);
    if (fd < 0)
        return fd;
    int rc = read_rest(fd, &st, limit, out);
    close(fd);
    return rc;
}

int file_read_all(const char *path, size_t limit, struct buf *out) {
    return read_all(path, 0, limit, out);
}

int file_read_own(const char *path, size_t limit, struct buf *out) {
    return read_all(path, O_NOFOLLOW, limit, out);
}

int file_read_head(const char *path, size_t n, struct buf *out) {
    struct stat st;
    int fd = file_open(path, &st);
    if (fd < 0)
        return fd;
    int64_t got = file_read_at(fd, buf_reserve(out, n), n, 0);
    if (got > 0)
        out->len += (size_t)got;
    close(fd);
    return got < 0 ? (int)got : 0;
}

int file_write(int fd, struct str bytes) {
    while (bytes.len > 0) {
        int64_t n = write_once(fd, bytes.ptr, bytes.len);
        if (n < 0)
            return (int)n;
        bytes.ptr += n;
        bytes.len -= (size_t)n;
    }
    return 0;
}

int file_append(const char *path, struct str bytes) {
    struct stat st;
    int rc = file_stat(path, &st);
    if (rc == 0)
        rc = file_check_regular(&st);
    if (rc < 0 && rc != -ENOENT)
        return rc;
    int fd = open_append(path);
    if (fd < 0)
        return fd;
    rc = file_stat_regular(fd, &st);
    if (rc == 0)
        rc = file_write(fd, bytes);
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    return rc;
}

/* --- folders --- */

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_dots(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

struct names {
    char **list;
    size_t count, cap, limit;
    const char *after; /* NULL: all are listed, and more than `limit` are an error */
};

static void names_sort(struct names *names) {
    if (names->count > 0)
        qsort(names->list, names->count, sizeof(char *), by_bytes);
}

/* Leaves so many of them. */
static void names_cut(struct names *names, size_t count) {
    while (names->count > count)
        free(names->list[--names->count]);
}

/* Of pages, twice as many as are wanted are kept, and then the latter half is dropped. */
static int names_add(struct names *names, const char *name) {
    if (names->after && strcmp(name, names->after) <= 0)
        return 0;
    if (!names->after && names->count == names->limit)
        return -EFBIG;
    if (names->after && names->count == 2 * names->limit) {
        names_sort(names);
        names_cut(names, names->limit);
    }
    if (names->count == names->cap) {
        names->cap = names->cap ? 2 * names->cap : 32;
        names->list = mem_resize(names->list, names->cap * sizeof(char *));
    }
    names->list[names->count++] = mem_strdup(name);
    return 0;
}

static int read_names(DIR *folder, struct names *names) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (!entry)
            return -errno;
        int rc = is_dots(entry->d_name) ? 0 : names_add(names, entry->d_name);
        if (rc < 0)
            return rc;
    }
}

static int64_t list(const char *path, struct names *names, struct buf *out) {
    int fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    DIR *folder = fdopendir(fd);
    if (!folder)
        return or_close(fd, -errno);
    int rc = read_names(folder, names);
    closedir(folder);
    names_sort(names);
    names_cut(names, rc < 0 ? 0 : names->limit);
    for (size_t i = 0; i < names->count; i++)
        buf_append(out, names->list[i], strlen(names->list[i]) + 1);
    int64_t count = rc < 0 ? rc : (int64_t)names->count;
    names_cut(names, 0);
    free(names->list);
    return count;
}

int64_t file_list(const char *path, size_t limit, struct buf *out) {
    return list(path, &(struct names){.limit = limit}, out);
}

int64_t file_list_after(const char *path, const char *after, size_t limit, struct buf *out) {
    return list(path, &(struct names){.limit = limit, .after = after}, out);
}

int file_stat(const char *path, struct stat *st) {
    return stat(path, st) < 0 ? -errno : 0;
}

int file_space(const char *path, struct file_space *out) {
    struct statvfs vfs;
    if (statvfs(path, &vfs) < 0)
        return -errno;
    *out = (struct file_space){.total = (uint64_t)vfs.f_blocks * vfs.f_frsize,
                               .free = (uint64_t)vfs.f_bavail * vfs.f_frsize};
    return 0;
}

int file_rename(const char *from, const char *to) {
    return rename(from, to) < 0 ? -errno : 0;
}

int file_remove(const char *path) {
    return remove(path) < 0 ? -errno : 0;
}

static int make_folder(const char *path) {
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return 0;
    int error = -errno;
    return error == -EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? 0 : error;
}

/* From the top, so that each folder finds the one above it. */
int file_mkdir(const char *path) {
    if (!*path)
        return -ENOENT;
    char *part = mem_strdup(path);
    int rc = 0;
    for (char *slash = part; rc == 0 && (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        rc = make_folder(part);
        *slash = '/';
    }
    if (rc == 0)
        rc = make_folder(part);
    free(part);
    return rc;
}

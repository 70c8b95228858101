/* file_appender: a file that grows, by one at a time, over days and processes.
 *
 *     open: no link, locked, still there --add, copy--> longer --sync--> durable --close-->
 *        \--somebody has the lock: -EAGAIN                \--cut--> shorter         the next one's
 *
 * What is there is the length of the file and nothing else: no record beside it has to agree with
 * it. An addition that fails takes back what it has written, so that the length is always a place
 * up to which every byte was meant.
 *
 * The lock is the kernel's (flock) and hangs on the descriptor: two threads of a process exclude
 * each other as two processes do, and who dies gives it back. Between the opening and the lock the
 * file may have been removed or have got another name; so the name is looked up again behind it.
 *
 * One owner, one call at a time. The points "file_open", "file_lock", "file_write" and "file_sync"
 * are for tests (base/fault.h). */
#include "net/file_appender.h"

#include "base/fault.h"
#include "net/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

static int open_folder(const char *root) {
    int rc;
    do
        rc = openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : rc;
}

/* A regular file by its plain name. */
static int open_plain(int folder, const char *name, int flags, struct stat *st) {
    int fd = fault("file_open");
    if (fd < 0)
        return fd;
    if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return -EINVAL;
    do
        fd = openat(folder, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    int rc = file_stat_regular(fd, st);
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

/* --- begun --- */

static int lock(int fd) {
    int rc = fault("file_lock");
    if (rc < 0)
        return rc;
    do
        rc = flock(fd, LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

/* What has the name is what was opened. */
static int check_named(int folder, const char *name, const struct stat *st) {
    struct stat now;
    if (fstatat(folder, name, &now, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return now.st_dev == st->st_dev && now.st_ino == st->st_ino ? 0 : -ENOENT;
}

/* Its length is that behind the lock: the one who had it before may just have written. */
static int begin(struct file_appender *file, int folder, const char *name) {
    struct stat st;
    int rc = lock(file->fd);
    if (rc == 0)
        rc = file_stat_regular(file->fd, &st);
    if (rc == 0)
        rc = check_named(folder, name, &st);
    if (rc == 0 && lseek(file->fd, st.st_size, SEEK_SET) < 0)
        rc = -errno;
    if (rc < 0) {
        file_appender_close(file);
        return rc;
    }
    file->size = file->begun = (uint64_t)st.st_size;
    file->changed_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return 0;
}

int file_appender_open(struct file_appender *file, const char *root, const char *name, bool make) {
    struct stat st;
    *file = (struct file_appender){.fd = -1};
    int folder = open_folder(root);
    if (folder < 0)
        return folder;
    file->fd = open_plain(folder, name, O_WRONLY | (make ? O_CREAT | O_EXCL : 0), &st);
    int rc = file->fd < 0 ? file->fd : begin(file, folder, name);
    close(folder);
    return rc;
}

/* --- longer and shorter --- */

static int set_size(struct file_appender *file, uint64_t size) {
    int rc;
    do
        rc = ftruncate(file->fd, (off_t)size);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 || lseek(file->fd, (off_t)size, SEEK_SET) < 0)
        return -errno;
    file->size = size;
    return 0;
}

int file_appender_add(struct file_appender *file, struct str bytes) {
    int rc = file_write(file->fd, bytes);
    if (rc == 0)
        file->size += bytes.len;
    else
        set_size(file, file->size);
    return rc;
}

static int64_t copy_once(int from, off_t *at, int to, size_t n) {
    int rc = fault("file_write");
    if (rc < 0)
        return rc;
    ssize_t done;
    do
        done = copy_file_range(from, at, to, NULL, n, 0);
    while (done < 0 && errno == EINTR);
    return done < 0 ? -errno : done;
}

/* Where the kernel cannot copy from this file system to itself. */
static int64_t copy_by_hand(int from, off_t *at, int to, size_t n) {
    char bytes[65536];
    int64_t got = file_read_at(from, bytes, n < sizeof bytes ? n : sizeof bytes, (uint64_t)*at);
    int rc = got > 0 ? file_write(to, (struct str){bytes, (size_t)got}) : 0;
    *at += got > 0 ? got : 0;
    return rc < 0 ? rc : got;
}

static int copy_all(int from, off_t at, int to, uint64_t n) {
    bool by_hand = false;
    while (n > 0) {
        size_t most = n < 1u << 30 ? (size_t)n : 1u << 30;
        int64_t done = (by_hand ? copy_by_hand : copy_once)(from, &at, to, most);
        if (!by_hand &&
            (done == -EXDEV || done == -EINVAL || done == -EOPNOTSUPP || done == -ENOSYS)) {
            by_hand = true;
            continue;
        }
        if (done <= 0)
            return done < 0 ? (int)done : UV_EOF;
        n -= (uint64_t)done;
    }
    return 0;
}

int file_appender_copy(struct file_appender *file, const char *root, const char *name,
                       uint64_t from, uint64_t n) {
    struct stat st;
    int folder = open_folder(root);
    if (folder < 0)
        return folder;
    int fd = open_plain(folder, name, O_RDONLY, &st);
    close(folder);
    if (fd < 0)
        return fd;
    int rc = copy_all(fd, (off_t)from, file->fd, n);
    close(fd);
    if (rc == 0)
        file->size += n;
    else
        set_size(file, file->size);
    return rc;
}

/* --- durable --- */

int file_appender_sync(struct file_appender *file) {
    int rc = fault("file_sync");
    if (rc == 0 && fdatasync(file->fd) < 0)
        rc = -errno;
    if (rc == 0)
        file->begun = file->size;
    else
        set_size(file, file->begun);
    return rc;
}

int file_appender_cut(struct file_appender *file, uint64_t size) {
    int rc = size < file->size ? set_size(file, size) : 0;
    if (file->begun > file->size)
        file->begun = file->size;
    return rc < 0 ? rc : file_appender_sync(file);
}

/* Closing gives the room back where nobody else has the file; of a large one that takes long. */
int file_appender_remove(struct file_appender *file, const char *root, const char *name) {
    struct stat st;
    int folder = open_folder(root);
    if (folder < 0)
        return folder;
    int rc = file_stat_regular(file->fd, &st);
    if (rc == 0)
        rc = check_named(folder, name, &st);
    if (rc == 0 && unlinkat(folder, name, 0) < 0)
        rc = -errno;
    close(folder);
    if (rc == 0)
        file_appender_close(file);
    return rc;
}

void file_appender_close(struct file_appender *file) {
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* file_writer: a file written piece by piece, of which nothing is seen before it is whole.
 *
 *     open --> a file without a name (O_TMPFILE) --commit--> synced --the name is free--> linked
 *        \                                                     \--it is not--> linked temporarily,
 *         \                                                                              \
 *          \--not for this file system: a temporary name --commit--> synced -------> renamed
 *
 * What has no name goes with its descriptor, so an abort, a crash and kill -9 leave nothing, and
 * give the room on the disk back. The rest is net/temporary's.
 *
 * Where a name leads is decided once, when the folder is opened: from there on names are looked up
 * in it, and neither link nor rename follows a link. Folders that are missing are made one by one,
 * each in one that is open and was looked at.
 *
 * One owner, one call at a time, any pool thread. The points "file_tmpfile", "file_open",
 * "file_mkdir", "file_write", "file_sync", "file_link" and "file_rename" are for tests
 * (base/fault.h). */
#include "net/file_writer.h"

#include "base/fault.h"
#include "base/mem.h"
#include "net/file.h"
#include "net/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void forget(struct file_writer *writer) {
    if (writer->fd >= 0)
        close(writer->fd);
    if (writer->folder >= 0)
        close(writer->folder);
    free(writer->temporary);
    free(writer->path);
    *writer = (struct file_writer){.fd = -1, .folder = -1};
}

/* A name that nothing is read or written by; it opens no device and waits for nothing. */
static int open_path(int folder, const char *path, int flags) {
    int rc;
    do
        rc = openat(folder, path, O_PATH | O_CLOEXEC | flags);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : rc;
}

/* --- synced --- */

/* What a network file system says only when a file is closed is told in either case. */
static int sync_file(int fd, bool durable) {
    int rc = fault("file_sync");
    if (rc < 0)
        return rc;
    if (durable)
        rc = fdatasync(fd);
    else if ((rc = dup(fd)) >= 0)
        rc = close(rc);
    return rc < 0 ? -errno : 0;
}

/* That of a folder needs a descriptor to read. */
static int sync_folder(int folder) {
    int rc = fault("file_sync");
    int fd = rc < 0 ? -1 : openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rc == 0 && (fd < 0 || fsync(fd) < 0))
        rc = -errno;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* --- where it will stand --- */

/* The regular file that `fd` stands for: its path after all links. */
static int path_of(int fd, char **path) {
    char text[PATH_MAX];
    struct stat st;
    int rc = file_stat_regular(fd, &st);
    int64_t n = rc < 0 ? rc : file_true_path(fd, text);
    if (n >= 0)
        *path = mem_copy(text, (size_t)n);
    return n < 0 ? (int)n : 0;
}

/* Makes *path the one of the file that it names, after all links; a name that is free stays. */
static int follow_links(int root, char **path) {
    int fd = open_path(AT_FDCWD, *path, 0);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    char *target = NULL;
    int rc = root < 0 ? 0 : file_check_beneath(root, fd);
    if (rc == 0)
        rc = path_of(fd, &target);
    close(fd);
    if (rc == 0) {
        free(*path);
        *path = target;
    }
    return rc;
}

/* Opens the folder `name` of `above`, making it where that is beneath `root` and durable. */
static int make_folder(int root, int above, const char *name) {
    int rc = file_check_beneath(root, above);
    if (rc == 0)
        rc = fault("file_mkdir");
    if (rc < 0)
        return rc;
    if (mkdirat(above, name, 0777) < 0 && errno != EEXIST)
        return -errno;
    int fd = open_path(above, name, O_DIRECTORY);
    rc = fd < 0 ? 0 : sync_folder(above);
    if (rc < 0)
        close(fd);
    return rc < 0 ? rc : fd;
}

/* Opens the folder `path`, which is changed, segment by segment, and makes those that are missing.
 */
static int open_folders(int root, char *path) {
    int fd = open_path(AT_FDCWD, *path == '/' ? "/" : ".", O_DIRECTORY);
    char *rest = path, *name;
    while (fd >= 0 && (name = strsep(&rest, "/")) != NULL) {
        if (*name == '\0')
            continue;
        int next = open_path(fd, name, O_DIRECTORY);
        if (next == -ENOENT)
            next = make_folder(root, fd, name);
        close(fd);
        fd = next;
    }
    return fd;
}

/* Opens the folder of writer->path, which must be beneath `root`. */
static int open_folder(struct file_writer *writer, int root) {
    char *slash = strrchr(writer->path, '/');
    writer->name = slash ? slash + 1 : writer->path;
    if (*writer->name == '\0')
        return -EISDIR;
    char *folder =
        slash ? mem_copy(writer->path, (size_t)(writer->name - writer->path)) : mem_strdup(".");
    writer->folder = open_path(AT_FDCWD, folder, O_DIRECTORY);
    if (writer->folder == -ENOENT && root >= 0)
        writer->folder = open_folders(root, folder);
    free(folder);
    if (writer->folder < 0)
        return writer->folder;
    return root < 0 ? 0 : file_check_beneath(root, writer->folder);
}

/* --- begun --- */

static int open_nameless(int folder) {
    int rc = fault("file_tmpfile");
    if (rc == 0)
        rc = fault("file_open");
    if (rc < 0)
        return rc;
    do
        rc = openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : rc;
}

/* EISDIR is what systems say that do not know of files without names. */
static int open_file(struct file_writer *writer) {
    writer->fd = open_nameless(writer->folder);
    if (writer->fd == -EOPNOTSUPP || writer->fd == -EISDIR)
        writer->fd = temporary_open(writer->folder, &writer->temporary);
    return writer->fd;
}

/* `root` is a folder, or -1: anywhere. */
static int open_in_place(struct file_writer *writer, int root) {
    int rc = follow_links(root, &writer->path);
    if (rc == 0)
        rc = open_folder(writer, root);
    if (rc == 0 && root >= 0)
        temporary_sweep(writer->folder);
    if (rc == 0)
        rc = open_file(writer);
    if (rc < 0)
        forget(writer);
    return rc < 0 ? rc : 0;
}

int file_writer_open(struct file_writer *writer, const char *root, const char *path) {
    *writer = (struct file_writer){.fd = -1, .folder = -1};
    int folder = root ? open_path(AT_FDCWD, root, O_DIRECTORY) : -1;
    if (root && folder < 0)
        return folder;
    size_t room = (root ? strlen(root) : 0) + strlen(path) + 2;
    writer->path = mem_alloc(room);
    snprintf(writer->path, room, "%s%s%s", root ? root : "", root ? "/" : "", path);
    int rc = open_in_place(writer, folder);
    if (root)
        close(folder);
    return rc;
}

int file_writer_add(struct file_writer *writer, struct str bytes) {
    return file_write(writer->fd, bytes);
}

/* --- over --- */

/* Who may not give files away keeps the new one: the content counts more than its owner. */
static int inherit(int fd, const struct stat *old) {
    if (fchown(fd, old->st_uid, old->st_gid) < 0 && errno != EPERM)
        return -errno;
    return fchmod(fd, old->st_mode & 0777) < 0 ? -errno : 0;
}

/* What stands there is replaced, a link that somebody has put there meanwhile too. */
static int take_over(struct file_writer *writer) {
    struct stat old;
    if (fstatat(writer->folder, writer->name, &old, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (S_ISLNK(old.st_mode))
        return 0;
    int rc = file_check_regular(&old);
    return rc < 0 ? rc : inherit(writer->fd, &old);
}

static int rename_to(struct file_writer *writer) {
    int rc = fault("file_rename");
    if (rc == 0 && renameat(writer->folder, writer->temporary, writer->folder, writer->name) < 0)
        rc = -errno;
    if (rc < 0)
        unlinkat(writer->folder, writer->temporary, 0);
    return rc;
}

static int give_name(struct file_writer *writer) {
    if (writer->temporary == NULL) {
        int rc = temporary_place(writer->fd, writer->folder, writer->name);
        if (rc == -EEXIST)
            rc = temporary_link(writer->fd, writer->folder, &writer->temporary);
        if (rc < 0 || writer->temporary == NULL)
            return rc;
    }
    return rename_to(writer);
}

int file_writer_commit(struct file_writer *writer, bool durable) {
    int rc = take_over(writer);
    if (rc == 0)
        rc = sync_file(writer->fd, durable);
    if (rc < 0) {
        file_writer_abort(writer);
        return rc;
    }
    rc = give_name(writer);
    if (rc == 0 && durable)
        rc = sync_folder(writer->folder);
    forget(writer);
    return rc;
}

void file_writer_abort(struct file_writer *writer) {
    if (writer->temporary)
        unlinkat(writer->folder, writer->temporary, 0);
    forget(writer);
}

static int write_whole(const char *root, const char *path, struct str bytes) {
    struct file_writer writer;
    int rc = file_writer_open(&writer, root, path);
    if (rc < 0)
        return rc;
    rc = file_writer_add(&writer, bytes);
    if (rc == 0)
        return file_writer_commit(&writer, root != NULL);
    file_writer_abort(&writer);
    return rc;
}

int file_replace(const char *path, struct str bytes) {
    return write_whole(NULL, path, bytes);
}

int file_put(const char *root, const char *path, struct str bytes) {
    return write_whole(root, path, bytes);
}

/* folder: the folder that a store has for itself.
 *
 * The database is one file, its log beside it; nobody but its user may read them, and no second
 * server may have them open: two writers with a memory of the topics each would overwrite what the
 * other knows. Locks of the kernel see to it, which go with the process, however it ends. There are
 * two, of the folder itself and of a file in it, since there are file systems that have no locks of
 * folders, and lock files that an operator removes.
 *
 *     folder_take: made, locked, the file made --> SQLite opens it --> folder_sync --> folder_leave
 *
 * The lock file stays when the folder is left: removing it would race with who has just opened it.
 * What stands in the database it does not know. */
#include "store/folder.h"

#include "base/buf.h"
#include "base/fault.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *join(const char *folder, const char *name) {
    struct buf path = {0};
    buf_printf(&path, "%s/%s", folder, name);
    buf_add_char(&path, '\0');
    return path.data;
}

static int refuse(char *why, size_t why_size, const char *path, const char *remedy) {
    snprintf(why, why_size, "%s: %s; %s", path, strerror(errno), remedy);
    return -1;
}

static int refuse_second(const struct folder *folder, char *why, size_t why_size) {
    snprintf(why, why_size,
             "%s is in use by another server; stop that one, or give this one a folder of its own",
             folder->path);
    return -1;
}

/* Of the folder itself, which nobody removes while the database is in it. Not every network file
 * system has locks of folders; there the lock file alone must do. */
static bool is_taken(struct folder *folder) {
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder->fd >= 0 && flock(folder->fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* The locks are the kernel's and go with the process, however it ends; the lock file stays. */
static int take_lock(struct folder *folder, char *why, size_t why_size) {
    if (is_taken(folder))
        return refuse_second(folder, why, why_size);
    char *path = join(folder->path, "weir.lock");
    int rc = 0;
    folder->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (folder->lock_fd < 0)
        rc = refuse(why, why_size, path, "see that this user may write there");
    else if (flock(folder->lock_fd, LOCK_EX | LOCK_NB) < 0)
        rc = refuse_second(folder, why, why_size);
    free(path);
    return rc;
}

/* Makes the file before SQLite does, so that nobody else can read it whatever the umask. */
static int make_file(const struct folder *folder, char *why, size_t why_size) {
    int fd = open(folder->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return refuse(why, why_size, folder->file, "see that this user may read and write it");
    close(fd);
    return 0;
}

int folder_take(struct folder *folder, const char *path, char *why, size_t why_size) {
    *folder = (struct folder){mem_strdup(path), join(path, "weir.db"), -1, -1};
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return refuse(why, why_size, path,
                      "make the folder above it, and see that this user may write there");
    if (take_lock(folder, why, why_size) < 0)
        return -1;
    return make_file(folder, why, why_size);
}

int folder_sync(const struct folder *folder, char *why, size_t why_size) {
    int fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int rc = fault("store_sync_folder");
    if (rc == 0 && fsync(fd) < 0 && errno != EINVAL)
        rc = -errno;
    close(fd);
    if (rc == 0)
        return 0;
    errno = -rc;
    return refuse(why, why_size, folder->path,
                  "it cannot be synced to the disk; see what the kernel's log says of that");
}

void folder_leave(struct folder *folder) {
    if (folder->path == NULL)
        return;
    if (folder->lock_fd >= 0)
        close(folder->lock_fd);
    if (folder->fd >= 0)
        close(folder->fd);
    free(folder->path);
    free(folder->file);
}

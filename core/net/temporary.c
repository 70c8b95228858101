/* temporary: the names that files have while they are being written: ".weir-PID-N.tmp".
 *
 *     made, locked --the descriptor closes--> not locked: left behind --swept--> gone
 *          \--renamed--> no temporary file any more
 *
 * Where the file system allows it, a file that is being written has no name at all, and goes with
 * its process (net/file_writer). A name is for the others, and for the moment in which a file takes
 * the place of another. Whoever dies then leaves it behind; so each is locked (flock) while its
 * writer lives, this process or another: the kernel takes the lock away with the descriptor. What
 * can be locked by somebody else is nobody's, and is removed.
 *
 * Who makes a file and who sweeps may meet between the making and the lock: then the maker finds
 * it locked or without its name, and makes another. Where files cannot be locked nothing is swept.
 *
 * A folder is looked through once a process. Which have been is a table of fixed size: what falls
 * out of it is looked through again. For pool threads, like all of net/file. The points
 * "file_open", "file_link" and "file_lock" are for tests (base/fault.h). */
#include "net/temporary.h"

#include "base/fault.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX ".weir-"
#define SUFFIX ".tmp"

typedef char temporary_name[48];

static void next_name(temporary_name name) {
    static atomic_uint serial;
    snprintf(name, sizeof(temporary_name), PREFIX "%d-%u" SUFFIX, (int)getpid(),
             atomic_fetch_add(&serial, 1));
}

static bool is_temporary(const char *name) {
    size_t n = strlen(name), before = sizeof PREFIX - 1, behind = sizeof SUFFIX - 1;
    return n > before + behind && strncmp(name, PREFIX, before) == 0 &&
           strcmp(name + n - behind, SUFFIX) == 0;
}

/* --- the lock --- */

/* 0, or -EWOULDBLOCK when another has it, or why there is none. */
static int lock(int fd) {
    int rc = fault("file_lock");
    if (rc < 0)
        return rc;
    do
        rc = flock(fd, LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : 0;
}

static bool has_name(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* --- made --- */

static int create(int folder, const char *name) {
    int rc = fault("file_open");
    if (rc < 0)
        return rc;
    do
        rc = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, 0666);
    while (rc < 0 && errno == EINTR);
    return rc < 0 ? -errno : rc;
}

int temporary_open(int folder, char **name) {
    temporary_name text;
    for (;;) {
        next_name(text);
        int fd = create(folder, text);
        if (fd == -EEXIST)
            continue;
        if (fd >= 0 && (lock(fd) == -EWOULDBLOCK || !has_name(fd))) { /* it is being swept */
            close(fd);
            continue;
        }
        if (fd >= 0)
            *name = mem_strdup(text);
        return fd;
    }
}

int temporary_place(int fd, int folder, const char *name) {
    char link[32];
    int rc = fault("file_link");
    if (rc < 0)
        return rc;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, link, folder, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

int temporary_link(int fd, int folder, char **name) {
    temporary_name text;
    int rc;
    lock(fd); /* nobody else has it: it has no name yet */
    do {
        next_name(text);
        rc = temporary_place(fd, folder, text);
    } while (rc == -EEXIST);
    if (rc == 0)
        *name = mem_strdup(text);
    return rc;
}

/* --- swept --- */

static void remove_if_left(int folder, const char *name) {
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && lock(fd) == 0 && has_name(fd))
        unlinkat(folder, name, 0);
    close(fd);
}

/* Whether it is the first time that the folder is asked about, as far as is known. */
static bool is_new(int folder) {
    static struct {
        dev_t dev;
        ino_t ino;
    } seen[256];
    static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;
    struct stat st;
    if (fstat(folder, &st) < 0)
        return false;
    size_t i = (size_t)(st.st_ino ^ st.st_dev) % (sizeof seen / sizeof *seen);
    pthread_mutex_lock(&guard);
    bool known = seen[i].dev == st.st_dev && seen[i].ino == st.st_ino;
    seen[i].dev = st.st_dev;
    seen[i].ino = st.st_ino;
    pthread_mutex_unlock(&guard);
    return !known;
}

void temporary_sweep(int folder) {
    if (!is_new(folder))
        return;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *names = fd < 0 ? NULL : fdopendir(fd);
    if (names == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(names)) != NULL)
        if (is_temporary(entry->d_name))
            remove_if_left(folder, entry->d_name);
    closedir(names);
}

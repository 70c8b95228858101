/* file: blocking file work for pool threads (net/work.h). None of it may run on a loop's thread but
 * for file_close. Results are 0 or more, errors negative errno, which libuv's codes are. */
#ifndef NET_FILE_H
#define NET_FILE_H

#include "base/buf.h"

#include <limits.h>
#include <sys/stat.h>

/* --- open files --- */

/* Opens a regular file for reading. The descriptor, with `*st` filled in; -EISDIR for a folder,
 * -EACCES for what is neither (a FIFO, a device, a socket). */
int file_open(const char *path, struct stat *st);
/* The same for `relative` to the folder `root`, only if the true path, after all symbolic links, is
 * beneath the true path of `root`: else -EACCES. Links that stay inside are fine. An absolute
 * `relative` is -EACCES, one that holds NUL -EINVAL. */
int file_open_beneath(const char *root, struct str relative, struct stat *st);
/* Up to `n` bytes from `offset`: less only where the file ends. How many. */
int64_t file_read_at(int fd, void *out, size_t n, uint64_t offset);
/* All of the bytes, where the file stands. 0; after an error a part of them. */
int file_write(int fd, struct str bytes);
void file_close(int fd);
/* 0 for a regular file; -EISDIR, UV_EFTYPE. */
int file_check_regular(const struct stat *st);
/* The same of an open one, with `*st` filled in. */
int file_stat_regular(int fd, struct stat *st);
/* What a negative result of these functions means, in words. */
const char *file_why(int error);
/* Where the open file is, after all links: its length, without a NUL. */
int64_t file_true_path(int fd, char out[PATH_MAX]);
/* 0 when the true path of the open file `fd` is beneath that of the open folder `root`; -EACCES. */
int file_check_beneath(int root, int fd);

/* --- whole files, by path: what weir.fs is made of --- */

/* Appends the content to `out`. 0; -EFBIG when it is longer than `limit`, then and on other errors
 * `out` is as it was. What file_open refuses is refused. */
int file_read_all(const char *path, size_t limit, struct buf *out);

/* The same of a name that is no link itself: else -ELOOP. */
int file_read_own(const char *path, size_t limit, struct buf *out);

/* Appends at most the first `n` bytes of the content to `out`. 0, or an error; what file_open
 * refuses is refused. */
int file_read_head(const char *path, size_t n, struct buf *out);

/* Adds the bytes to a regular file; one that is missing is made with mode 0666 less the umask. A
 * part of them may stay behind when it fails. 0; what file_open refuses is refused. */
int file_append(const char *path, struct str bytes);

/* Appends the names in a folder, each with a NUL behind it, sorted by bytes, without "." and "..".
 * How many; -EFBIG when there are more than `limit`, then and on other errors `out` is as it was.
 */
int64_t file_list(const char *path, size_t limit, struct buf *out);
/* The same of a folder with any number of them: the first `limit` (at least 1) that come behind
 * `after`. */
int64_t file_list_after(const char *path, const char *after, size_t limit, struct buf *out);
/* Follows links. */
int file_stat(const char *path, struct stat *st);
struct file_space {
    uint64_t total, free; /* bytes; `free`: those that a process without privileges may use */
};
/* Of the file system that the path is on. */
int file_space(const char *path, struct file_space *out);
/* Replaces `to`, atomically; both on the same file system. */
int file_rename(const char *from, const char *to);
/* A file, a link or an empty folder. */
int file_remove(const char *path);
/* Makes a folder, and those above it that are missing. A folder that is there is no error. */
int file_mkdir(const char *path);

#endif

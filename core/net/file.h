/* file: blocking file work for pool threads (net/work.h). None of it may run on a loop's thread but
 * for file_close. Results are 0 or more, errors negative errno, which libuv's codes are. */
#ifndef NET_FILE_H
#define NET_FILE_H

#include "base/buf.h"

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
void file_close(int fd);

/* --- whole files, by path: what weir.fs is made of --- */

/* Appends the content to `out`. 0; -EFBIG when it is longer than `limit`, then and on other errors
 * `out` is as it was. What file_open refuses is refused. */
int file_read_all(const char *path, size_t limit, struct buf *out);

enum file_mode { FILE_REPLACE, FILE_APPEND };

/* Writes a regular file; one that is missing is made with mode 0666 less the umask.
 * REPLACE is atomic: a temporary file in the same folder takes the name when it is complete, so a
 * reader sees the old content or the new. The mode stays, the owner where that is allowed; a link
 * is followed. It is not synced to disk. APPEND may leave a part of the bytes behind when it fails.
 * 0; -EISDIR, -EACCES for what is no regular file. */
int file_write_all(const char *path, struct str bytes, enum file_mode mode);

/* A file written piece by piece: nothing is seen of it before the commit, or ever after an abort.
 */
struct file_writer {
    int fd;
    int folder;       /* the folder of both names, open */
    char *path;       /* where it will stand, after links, */
    const char *name; /* and its name there, within `path` */
    char *temporary;  /* its name until then */
};

/* Begins a file that is to take the name `path`, relative to the folder `root` and beneath it as
 * file_open_beneath has it, or anywhere when `root` is NULL; what it refuses is what file_write_all
 * refuses. 0, then exactly one of commit and abort must follow. */
int file_writer_open(struct file_writer *writer, const char *root, const char *path);
/* Adds the bytes to the end. 0; after an error what stands there is unknown: abort. */
int file_writer_add(struct file_writer *writer, struct str bytes);
/* Gives the file its name, as FILE_REPLACE does; not synced to disk. 0 or an error; the writer is
 * over either way, and after an error nothing has changed. */
int file_writer_commit(struct file_writer *writer);
void file_writer_abort(struct file_writer *writer);

/* Appends the names in a folder, each with a NUL behind it, sorted by bytes, without "." and "..".
 * How many; -EFBIG when there are more than `limit`, then and on other errors `out` is as it was.
 */
int64_t file_list(const char *path, size_t limit, struct buf *out);
/* Follows links. */
int file_stat(const char *path, struct stat *st);
/* Replaces `to`, atomically; both on the same file system. */
int file_rename(const char *from, const char *to);
/* A file, a link or an empty folder. */
int file_remove(const char *path);
/* Makes a folder, and those above it that are missing. A folder that is there is no error. */
int file_mkdir(const char *path);

#endif

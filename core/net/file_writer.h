/* file_writer: a file written piece by piece, of which nothing is seen before it is whole. For pool
 * threads (net/work.h); results are 0 or more, errors negative errno, which libuv's codes are. */
#ifndef NET_FILE_WRITER_H
#define NET_FILE_WRITER_H

#include "base/str.h"

struct file_writer {
    int fd;
    int folder;       /* the one that it will stand in, open */
    char *path;       /* where the file will stand, links resolved */
    const char *name; /* the last part of `path` */
    char *temporary;  /* its name until then; NULL: it has none */
};

/* Begins a file that is to take the name `path`.
 * `root` NULL: anywhere. Else `path` is relative to that folder, and only what is beneath it as
 * file_open_beneath has it is written; folders that are missing there are made, mode 0777 less the
 * umask, and synced; the first time that this process writes into a folder, what others that are no
 * more have left there is removed. 0, then exactly one of commit and abort must follow; -EISDIR,
 * UV_EFTYPE for what is no regular file, -EACCES. */
int file_writer_open(struct file_writer *writer, const char *root, const char *path);
/* Adds the bytes to the end. 0; after an error what stands there is unknown: abort. */
int file_writer_add(struct file_writer *writer, struct str bytes);
/* Gives the file its name, in the place of one that has it, whose mode it takes, and its owner
 * where that is allowed; a new one has the mode 0666 less the umask. `durable`: the file is synced
 * before, its folder after. 0 or an error; the writer is over either way, and after an error
 * nothing has changed: unless it was the folder that could not be synced, when it has its name, and
 * might not have after the power went. */
int file_writer_commit(struct file_writer *writer, bool durable);
void file_writer_abort(struct file_writer *writer);

/* All of it at once, not durable: a reader sees the old content or the new. A link is followed. */
int file_replace(const char *path, struct str bytes);
/* The same, durable, of what is beneath `root`. */
int file_put(const char *root, const char *path, struct str bytes);

#endif

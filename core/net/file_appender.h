/* file_appender: a file that grows, by one at a time, over days and processes. For pool threads
 * (net/work.h) but for its closing; results are 0 or more, errors negative errno, which libuv's
 * codes are. */
#ifndef NET_FILE_APPENDER_H
#define NET_FILE_APPENDER_H

#include "base/str.h"

struct file_appender {
    int fd;
    uint64_t size;  /* its length now */
    uint64_t begun; /* its length when it was opened, or last synced: where a failed sync leads */
    int64_t changed_ms; /* when it was last written before that, Unix time */
};

/* Opens the regular file `name` of the folder `root` to add to its end, and locks it until it is
 * closed. `name` is plain: no "/", which is -EINVAL; a link is not followed: -ELOOP. `make`: it
 * must not be there (-EEXIST) and is made, mode 0666 less the umask. -EAGAIN: somebody else, of
 * this process or another, has it open so. -ENOENT also where it was removed meanwhile. 0, then
 * file_appender_close must follow. */
int file_appender_open(struct file_appender *file, const char *root, const char *name, bool make);
/* Adds the bytes. After an error the file is as it was. */
int file_appender_add(struct file_appender *file, struct str bytes);
/* Adds `n` bytes of the file `name` of `root`, from `from` on, which it must have: else UV_EOF.
 * A link is not followed. After an error the file is as it was. */
int file_appender_copy(struct file_appender *file, const char *root, const char *name,
                       uint64_t from, uint64_t n);
/* Makes durable what is there. After an error the file has the length that it was opened with. */
int file_appender_sync(struct file_appender *file);
/* Takes away what is beyond `size`, durably. */
int file_appender_cut(struct file_appender *file, uint64_t size);
/* Removes its name, if that is still the file's (-ENOENT: it is not), and closes it. Bytes that
 * have another name, or that somebody reads, stay. After an error it is open as before. */
int file_appender_remove(struct file_appender *file, const char *root, const char *name);
/* Gives the lock to whoever comes next. On any thread; twice is harmless. */
void file_appender_close(struct file_appender *file);

#endif

/* source: an open file of lines, as it is or packed by gzip. */
#ifndef TAIL_SOURCE_H
#define TAIL_SOURCE_H

#include "base/str.h"

#include <sys/types.h>

struct stat;

struct source {
    unsigned refs;
    int fd;
    void *gz; /* zlib's; NULL: it is read as it is */
    dev_t dev;
    ino_t ino;
};

/* Opens `name` of the open folder `folder` (AT_FDCWD: a path), a regular file; `packed` by gzip if
 * its bytes say so, too. 0 or a negative errno: -EISDIR, -ESPIPE: it is no file. Blocks. */
int source_open(int folder, const char *name, bool packed, struct source **out);
/* Another one of the same file, for a thread of its own; NULL: there is none to be had. */
struct source *source_again(const struct source *source);
struct source *source_ref(struct source *source);
/* From any thread; the last one closes. NULL: nothing. */
void source_unref(struct source *source);
/* Whether half of the descriptors of the process are sources: the others are for those who are not
 * here yet. Who would open many leaves it, then, and tells what is missing. */
bool source_scarce(void);
/* Up to `n` bytes at `offset`; 0 at the end, or a negative errno. Blocks. Of what is packed, one
 * thread at a time, and -EAGAIN after a part of the way to `offset`: once more. */
ssize_t source_read(struct source *source, char *into, size_t n, uint64_t offset);
/* Whether these bytes are nothing but NUL, as those of a hole are. */
bool source_is_hole(struct str bytes);
/* Behind a hole that begins at `offset`, at the earliest `offset` itself. */
uint64_t source_skip_hole(const struct source *source, uint64_t offset);

#endif

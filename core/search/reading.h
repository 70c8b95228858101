/* reading: one log that is open to be read, whichever way. */
#ifndef SEARCH_READING_H
#define SEARCH_READING_H

#include "search/pick.h"
#include "search/volumes.h"

struct reading {
    struct volumes volumes;
    char *block; /* of `room` bytes, more than twice as many as the longest line */
    size_t room;
    struct pick pick;       /* picks into the next; filled by who opens it */
    struct matches matches; /* what was found last and is yet to be given */
    size_t most;            /* lines that are wanted yet */
    uint64_t bytes;         /* read so far, as reading_size counts them */
};

#define READING_ROOM (256u << 10) /* at least, unless a test has set `room` before */

/* Opens the files of the log. 0 or a negative errno; it is to be closed in any case. Blocks. */
int reading_open(struct reading *reading, const char *path);
void reading_close(struct reading *reading);
/* `n` bytes more of its volume `i` were read; of what is packed, its bytes on the disk once it is
 * `over`: how far that is nobody else knows. */
void reading_count(struct reading *reading, size_t i, uint64_t n, bool over);
/* The bytes of its files on the disk. */
uint64_t reading_size(const struct reading *reading);

#endif

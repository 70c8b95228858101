/* scribe: whole lines on their way to a descriptor that may be slow, full or gone. */
#ifndef BASE_SCRIBE_H
#define BASE_SCRIBE_H

#include "base/buf.h"
#include "base/counter.h"

#define SCRIBE_BYTES (1u << 20) /* that wait; lines beyond it are dropped */
#define SCRIBE_RETRY_MS 1000    /* after a write that failed */
#define SCRIBE_PATIENCE_MS 1000 /* what the end of the process waits at most */

struct scribe;

/* Of a descriptor that stays its owner's, such as standard error. 0 or a negative errno. */
int scribe_of(int fd, const char *name, struct scribe **out);
/* Of a file, opened for appending, made when it is missing; who opens the same path again shares
 * the scribe. A file that was renamed or removed is reopened by its path with the next lines.
 * 0 or a negative errno. */
int scribe_open(const char *path, struct scribe **out);
/* What waits is still written; after the last of those who share it the file is closed. */
void scribe_close(struct scribe *scribe);

/* Hands over lines, each with its newline, all or none; never waits. From any thread. */
void scribe_put(struct scribe *scribe, struct str lines);
/* The same of a buffer, which is empty afterwards; copies nothing where it can. */
void scribe_take(struct scribe *scribe, struct buf *lines);
/* The same for what must not be dropped, however much waits. */
void scribe_put_always(struct scribe *scribe, struct str lines);

extern const struct counter_row scribe_counter_rows[];

/* Opens the files of all scribes again, whether they were renamed or not. */
void scribes_reopen(void);
/* Waits until all is written, SCRIBE_PATIENCE_MS at most; not for what cannot be written now. */
void scribes_finish(void);

#endif

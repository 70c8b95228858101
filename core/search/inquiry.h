/* inquiry: the lines of some logs that are wanted, asked for once. */
#ifndef SEARCH_INQUIRY_H
#define SEARCH_INQUIRY_H

#include "logs/line_id.h"
#include "logs/redact.h"
#include "logs/sift.h"

struct loop;
struct prefilter;
struct inquiry;

#define INQUIRY_FILES 64         /* of one */
#define INQUIRY_LINES_MAX 100000 /* that one gives */

/* A log. */
struct inquiry_file {
    const char *key; /* of its ids: LINE_ID_KEY letters and digits at most */
    const char *path;
};

struct inquiry_options {
    bool backward; /* from the end, the newest line first; else from the start */
    bool plain;    /* lines as they are, not as JSON */
    size_t lines;  /* how many at most, 1 to INQUIRY_LINES_MAX */
    size_t max_line;
    int64_t since, before; /* in microseconds; STAMP_NONE: of any time */
    struct str from;       /* the id before which, or behind which, it begins; ptr NULL: none */
    struct str upto;       /* and up to which it goes, forward; ptr NULL: to the end */
    const struct inquiry_file *files; /* copied, as are the ids */
    size_t n_files;
    /* The inquiry's from now on, also if it cannot be made. NULL: none. */
    struct sift *sift;
    struct prefilter *prefilter; /* of those of its rules that are asked before it is redacted */
    struct redact *redact;
};

/* Borrowed until the next call. */
struct inquiry_event {
    const char *name; /* "lines", "gap", "progress", "end" */
    struct str id;    /* where another one goes on; len 0: it has none */
    struct str data;
};

/* `on_ready` is called on the loop's thread when inquiry_next has returned false and there is an
 * event again. NULL and `why`: an id that is none, or more than is allowed. */
struct inquiry *inquiry_new(struct loop *loop, const struct inquiry_options *options,
                            void (*on_ready)(struct inquiry *, void *), void *arg,
                            const char **why);
/* False: none yet. The last one is "end". */
bool inquiry_next(struct inquiry *inquiry, struct inquiry_event *event);
/* At any time, from within on_ready too, which is not called any more. What is at work in the pool
 * stops at its next block, and then gives the memory back. */
void inquiry_free(struct inquiry *inquiry);

#endif

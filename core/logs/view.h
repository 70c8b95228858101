/* view: the lines of several logs for one viewer, live. */
#ifndef LOGS_VIEW_H
#define LOGS_VIEW_H

#include "logs/logs.h"

#define VIEW_LINES_MAX 100000                /* that come first */
#define VIEW_ID_MAX (64 * (LINE_ID_MAX + 1)) /* of as many files as one reads */
#define VIEW_BATCH_MS 50

struct view;

struct view_options {
    uint32_t lines;    /* how many of those that are there come first */
    struct str after;  /* or those behind an event with this id; ptr NULL: none */
    int64_t since;     /* or those that are not before; STAMP_NONE: any. In microseconds */
    int64_t before;    /* and none that is not before this; STAMP_NONE: any */
    struct str only;   /* keys of files, with a comma between them; empty: all */
    uint64_t behind;   /* bytes; who is further behind is moved to the end */
    size_t max_line;   /* as follow_options has it */
    bool plain;        /* lines as they are, not as JSON */
    struct sift *sift; /* which are wanted, NULL: all; borrowed as long as the view lives */
};

/* What a viewer is sent; borrowed until the next call. */
struct view_event {
    const char *name; /* "source", "lines", "gap", "slow" */
    struct str id;    /* len 0: it has none */
    struct str data;
};

/* `on_ready` is called on the loop's thread when view_next has returned false and there is an event
 * again. NULL and `why`: an option beyond its limits. */
struct view *view_new(struct logs *logs, const struct view_options *options,
                      void (*on_ready)(struct view *, void *), void *arg, const char **why);
bool view_next(struct view *view, struct view_event *event);
/* At any time, from within on_ready too. */
void view_free(struct view *view);

#endif

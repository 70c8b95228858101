/* view_own: what the parts of view share: a struct and who is called. */
#ifndef LOGS_VIEW_OWN_H
#define LOGS_VIEW_OWN_H

#include "logs/merge.h"
#include "logs/view.h"

/* What the viewer was told of a file. */
enum told { TOLD_NOTHING, TOLD_UNREAD, TOLD_STATE }; /* from TOLD_STATE on: of a state */

struct view {
    struct logs *logs;
    void (*on_ready)(struct view *, void *);
    void *arg;
    struct roster_user user;
    char *after, *only; /* NULL: none, all */
    struct view_options options;
    struct merge merge;
    struct strand *strand_of[ROSTER_MOST]; /* NULL: it does not read that file */
    uint8_t told[ROSTER_MOST];             /* enum told, plus the state */
    bool was_read[ROSTER_MOST];            /* to its end, before it was gone */
    unsigned seen[ROSTER_MOST];            /* of the file that these four are of; 0: none */
    bool opened;
    unsigned first_look; /* what was found later is new */
    bool news;           /* of the roster */
    bool lost_id;        /* no file is the one that `after` names */
    struct timer timer;
    bool stirred, starved;
    bool was_sent;
    uint64_t sent_ms, slow_told_ms; /* when the last batch, and "slow", went */
    uint64_t slow_ns;               /* what the filter took, to be told; 0: nothing is, */
    uint32_t slow_lines;
    struct buf id, data;
};

/* Opens what was chosen when the roster has looked for the first time; */
void view_begin(struct view *view);
/* and what has come since. */
void view_open_strands(struct view *view);
void view_close_strands(struct view *view);
/* Puts what is new of a file into `data`; false: nothing is. */
bool view_next_source(struct view *view);
/* There may be lines. */
void view_on_lines(struct follow *follow, void *arg);

#endif

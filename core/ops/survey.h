/* survey: one question to all workers, of which some may not reply. */
#ifndef OPS_SURVEY_H
#define OPS_SURVEY_H

#include "http/stream.h"

#include <pthread.h>

struct crew;
struct host;
struct question;
struct survey;

#define SURVEY_MS 1000 /* who takes longer does not reply */

struct survey_ops {
    /* On each worker's own thread: appends what it has to tell. `host` is what it serves. True:
     * there is more, in a later turn. */
    bool (*look)(struct survey *survey, struct host *host, int worker, struct buf *out);
    /* Back at home: what those have found that replied, if one took too long not all of it. To be
     * answered to `stream`. */
    void (*tell)(struct survey *survey, struct stream *stream, struct str found);
    void (*free)(struct survey *survey);
    bool late; /* `look` is to come from a worker that was not waited for, too */
};

/* Begins whatever asks; what is asked for does not change any more. */
struct survey {
    const struct survey_ops *ops;
    struct crew *crew;
    struct question *question;
    struct stream *stream; /* that is to be answered; NULL: it has been, or its client has left */
    struct timer patience;
    pthread_mutex_t lock; /* of the rest */
    struct buf found;
    bool *replied; /* each worker, with something at least */
    bool over;     /* what comes now comes too late */
};

/* Asks; takes `survey`. `home` is the loop of `stream`, and has joined (net/loops). `stream` NULL:
 * nobody is told, and `look` is all there is. */
void survey_start(struct survey *survey, const struct survey_ops *ops, struct loop *home,
                  struct crew *crew, struct stream *stream);
/* In `look`: nobody who has not begun needs to. */
void survey_enough(struct survey *survey);
/* In `tell`: appends the workers that have not replied, and what they run, each with `begin` before
 * and `end` behind it. How many. */
int survey_add_silent(const struct survey *survey, struct buf *out, const char *begin,
                      const char *end);

#endif

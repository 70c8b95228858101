/* tasks: where all suspended tasks wait, for who operates the server. */
#ifndef OPS_TASKS_H
#define OPS_TASKS_H

#include "http/stream.h"

struct crew;

#define TASKS_LOOKED_AT 10000 /* of one worker */

/* Answers with them, grouped. `home` is the loop of `stream`. */
void tasks_serve(struct stream *stream, struct loop *home, struct crew *crew);

#endif

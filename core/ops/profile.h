/* profile: where the Lua of a worker spends its time, for who operates the server. */
#ifndef OPS_PROFILE_H
#define OPS_PROFILE_H

#include "http/stream.h"

struct crew;

#define PROFILE_SECONDS 5 /* unless it is asked for more or less */
#define PROFILE_SECONDS_MAX 60

/* Answers with the stacks of one Lua state, sampled for ?seconds=: of the worker that computes
 * most, unless ?worker= says which, and of the app at ?app=. `home` is the loop of `stream`. */
void profile_serve(struct stream *stream, struct loop *home, struct crew *crew);

#endif

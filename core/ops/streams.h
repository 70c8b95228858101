/* streams: the list of all streams, for who operates the server, and closing one. */
#ifndef OPS_STREAMS_H
#define OPS_STREAMS_H

#include "http/stream.h"

struct crew;

#define STREAMS_LISTED 100 /* unless it is asked for more */
#define STREAMS_LISTED_MAX 10000

/* Answers GET with the list, by ?sort= and ?limit=; POST closes the one of ?id=. `home` is the loop
 * of `stream`. */
void streams_serve(struct stream *stream, struct loop *home, struct crew *crew);

#endif

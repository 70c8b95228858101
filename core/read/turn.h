/* turn: what a worker does for its positions in its loop's turn. */
#ifndef READ_TURN_H
#define READ_TURN_H

#include "hub/reader.h"

/* From now on it has turns of the loop. */
void reader_init(struct reader *reader, struct loop *loop);
/* No position may be left. */
void reader_fini(struct reader *reader);

#endif

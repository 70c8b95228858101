/* inspect: what lives in a worker, told to the log. */
#ifndef SERVE_INSPECT_H
#define SERVE_INSPECT_H

#include "http/server.h"
#include "serve/mount.h"

/* Every live stream. */
void inspect_streams(struct http_server *http);
/* Every task of one generation that waits, with its traceback. */
void inspect_tasks(struct mount *mount, struct generation *gen);

#endif

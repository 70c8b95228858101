/* inspect: what lives in a worker, told to the log. */
#ifndef SERVE_INSPECT_H
#define SERVE_INSPECT_H

#include "http/server.h"
#include "serve/mount.h"

/* Every live stream. */
void inspect_streams(struct http_server *http);
/* A task, what it waits for and its traceback; for mount_each_task. */
bool inspect_task(void *arg, struct task *task, const char *prefix);
/* Appends that text. */
void inspect_describe(struct task *task, const char *prefix, struct buf *out);

#endif

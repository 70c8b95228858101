/* boot: a generation's way from a file to an app that may serve. */
#ifndef SERVE_BOOT_H
#define SERVE_BOOT_H

#include "vm/generation.h"

/* Runs the app file. 0, or -1 with the error, "file:line: reason", in `*error` (free it). */
int boot_load(struct generation *gen, const char *file, char **error);
/* Runs the on_start functions; those for one worker only in the first. */
void boot_start(struct generation *gen, bool first_worker,
                void (*done)(char *error_take, void *arg), void *arg);

#endif

/* inherited: listening sockets that whoever started this process has opened for it. */
#ifndef NET_INHERITED_H
#define NET_INHERITED_H

#include "net/conn.h"

#define INHERITED_MAX 16

struct inherited {
    int fd;
    char host[ADDRESS_TEXT]; /* where it listens */
    uint16_t port;
};

/* Takes them, if the environment says that some are there for this process, and removes from it
 * what is said of them, so that no child takes them for its own; while there is no other thread.
 * How many, or -1: `*error` (free it) says which of them is of no use, and why; the descriptors are
 * left open then. */
int inherited_take(struct inherited out[INHERITED_MAX], char **error);

#endif

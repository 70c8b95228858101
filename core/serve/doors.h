/* doors: the listening sockets of one loop, its own and those of workers that it helps. */
#ifndef SERVE_DOORS_H
#define SERVE_DOORS_H

#include "http/server.h"
#include "net/listener.h"

#define DOORS_MAX 16

struct doors {
    struct http_server *http; /* takes what comes in */
    struct listener own[DOORS_MAX];
    int count;          /* of these */
    int open;           /* of all */
    struct list helped; /* those of workers that do not turn */
    bool paused;        /* perhaps some of all: there are too many connections */
    void (*on_closed)(struct doors *doors);
};

/* `on_closed` is called for each that has closed. */
void doors_init(struct doors *doors, struct http_server *http,
                void (*on_closed)(struct doors *doors));
/* Accepts connections on the listening socket `fd`, which is taken. 0 or a libuv error. */
int doors_listen(struct doors *doors, int fd);
/* The same for worker `of`, while that does not come to it; until doors_help_ends, or the end. */
void doors_help(struct doors *doors, int of, int fd);
void doors_help_ends(struct doors *doors, int of);
/* A connection has left: there is room for another. */
void doors_admit(struct doors *doors);
/* All close, for good. */
void doors_close(struct doors *doors);

#endif

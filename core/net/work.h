/* work: a blocking piece of work done by libuv's thread pool, its end told on the loop. */
#ifndef NET_WORK_H
#define NET_WORK_H

#include "net/loop.h"

struct work {
    uv_work_t req;
    void (*run)(struct work *work);  /* in a pool thread: may block, must not touch the loop */
    void (*done)(struct work *work); /* on the loop's thread; may free the work */
};

/* Queues `work`, which stays the caller's and must live until `done`. Cannot be cancelled: whoever
 * loses interest marks its own struct and lets `done` free it. */
void work_submit(struct loop *loop, struct work *work);

#endif

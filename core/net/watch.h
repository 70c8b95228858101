/* watch: tells when something in a folder was created, renamed, removed or written to. */
#ifndef NET_WATCH_H
#define NET_WATCH_H

#include "net/loop.h"

struct watch {
    uv_fs_event_t event;
    const char *folder; /* borrowed from the owner */
    /* `name` is an entry of the folder, borrowed for the call; `renamed`: the entry came, went or
     * was replaced, else its content or mode changed. NULL: the folder itself may have gone or may
     * be another one now, so the watch should be started again. */
    void (*on_change)(struct watch *watch, const char *name, bool renamed);
    void (*on_closed)(struct watch *watch); /* its memory may be freed */
};

/* Embedded by its owner; watches nothing yet. */
void watch_init(struct watch *watch, struct loop *loop,
                void (*on_change)(struct watch *, const char *, bool));
/* Watches `folder`, which must stay valid while it does, and nothing else any more. 0 or a negative
 * errno (-ENOENT, -ENOSPC and -EMFILE when the user's inotify watches or instances are used up);
 * then it watches nothing. */
int watch_start(struct watch *watch, const char *folder);
bool watch_is_on(const struct watch *watch);
/* Once; on_change is not called any more. */
void watch_close(struct watch *watch, void (*on_closed)(struct watch *));

#endif

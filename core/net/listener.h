/* listener: one worker's listening sockets. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/conn.h"

struct listener {
    uv_poll_t poll;
    struct timer retry; /* descriptors were exhausted: when to try again */
    struct loop *loop;
    int fd;
    void (*on_accept)(struct listener *listener, int fd, const struct address *peer);
    void (*on_closed)(struct listener *listener);
    void *owner;
    bool starved, paused, closing;
};

/* Binds, but accepts no connection yet; `host` is a numeric address or a name; with `share` several
 * sockets may share the port (SO_REUSEPORT). The port chosen goes to `*port` (in: 0 picks one).
 * Returns the descriptor or a negative errno (UV_EADDRINUSE), or a libuv resolver error. */
int listener_claim(const char *host, uint16_t *port, bool share);
/* From now on clients can connect. 0 or a negative errno. */
int listener_open(int fd);
/* Both. */
int listener_bind(const char *host, uint16_t *port, bool share);
/* Makes a listening socket that somebody else has opened as those of listener_claim are; `*bound`:
 * where it listens. */
void listener_adopt(int fd, struct address *bound);
/* Watches `fd`, which becomes the listener's. 0 or a libuv error (then `fd` is still the caller's).
 */
int listener_init(struct listener *listener, struct loop *loop, int fd,
                  void (*on_accept)(struct listener *, int, const struct address *));
/* Leaves new connections in the kernel's queue while paused. */
void listener_pause(struct listener *listener, bool pause);
/* Stops and closes; on_closed is called when its memory may be freed. */
void listener_close(struct listener *listener);

#endif

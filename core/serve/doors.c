/* doors: the listening sockets of one loop.
 *
 *     own:     one for each address, open until the server drains
 *     helped:  a copy of another worker's descriptor, while that worker does not turn (crew.c)
 *
 *     open --the server has too many connections--> paused --one of them left--> open --> closed
 *
 * Each worker listens for itself and the kernel spreads what comes, so what waits at the door of a
 * worker that is stuck in a call would wait with it. Therefore another one opens the same door.
 * Owned by the host; one thread only. What becomes of a connection it does not know. */
#include "serve/doors.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct help {
    struct listener listener;
    struct list link;
    int of;
};

static struct help *help_at(struct list *at) {
    return CONTAINER_OF(at, struct help, link);
}

void doors_init(struct doors *doors, struct http_server *http,
                void (*on_closed)(struct doors *doors)) {
    doors->http = http;
    doors->on_closed = on_closed;
    list_init(&doors->helped);
}

static void pause_one(struct listener *listener, bool pause) {
    if (!listener->closing && listener->paused != pause)
        listener_pause(listener, pause);
}

static void pause_all(struct doors *doors, bool pause) {
    doors->paused = pause;
    for (int i = 0; i < doors->count; i++)
        pause_one(&doors->own[i], pause);
    for (struct list *at = doors->helped.next; at != &doors->helped; at = at->next)
        pause_one(&help_at(at)->listener, pause);
}

void doors_admit(struct doors *doors) {
    if (doors->paused)
        pause_all(doors, false);
}

static void on_accept(struct listener *listener, int fd, const struct address *peer) {
    struct doors *doors = listener->owner;
    if (!http_server_accept(doors->http, fd, peer))
        pause_all(doors, true);
}

static int open_one(struct doors *doors, struct listener *listener, int fd,
                    void (*on_closed)(struct listener *)) {
    int rc = listener_init(listener, doors->http->loop, fd, on_accept);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    listener->owner = doors;
    listener->on_closed = on_closed;
    doors->open++;
    return 0;
}

static void on_own_closed(struct listener *listener) {
    struct doors *doors = listener->owner;
    doors->open--;
    doors->on_closed(doors);
}

int doors_listen(struct doors *doors, int fd) {
    int rc = open_one(doors, &doors->own[doors->count], fd, on_own_closed);
    if (rc == 0)
        doors->count++;
    return rc;
}

static void on_help_closed(struct listener *listener) {
    struct doors *doors = listener->owner;
    struct help *help = CONTAINER_OF(listener, struct help, listener);
    list_remove(&help->link);
    free(help);
    doors->open--;
    doors->on_closed(doors);
}

void doors_help(struct doors *doors, int of, int fd) {
    struct help *help = mem_zalloc(sizeof *help);
    if (open_one(doors, &help->listener, fd, on_help_closed) < 0) {
        free(help);
        return;
    }
    help->of = of;
    list_push(&doors->helped, &help->link);
}

void doors_help_ends(struct doors *doors, int of) {
    for (struct list *at = doors->helped.next; at != &doors->helped; at = at->next)
        if (help_at(at)->of == of)
            listener_close(&help_at(at)->listener);
}

/* Who is helped has the socket, too, and may never come to close it: nobody must wait there. */
void doors_close(struct doors *doors) {
    for (int i = 0; i < doors->count; i++)
        listener_close(&doors->own[i]);
    for (struct list *at = doors->helped.next; at != &doors->helped; at = at->next) {
        struct listener *listener = &help_at(at)->listener;
        if (!listener->closing)
            shutdown(listener->fd, SHUT_RD);
        listener_close(listener);
    }
}

/* notify: what the service manager is told. */
#ifndef OPS_NOTIFY_H
#define OPS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
    struct sockaddr_un manager;
    socklen_t len;
    int fd;            /* -1: nobody wants to know */
    uint64_t alive_ms; /* between two signs of life; 0: nobody wants them */
    uint64_t next_ms;  /* when one is due, clock_mono_ms */
    bool failed;
};

/* Reads from the environment whether somebody wants to know, and removes it from there, so that no
 * child speaks for this process; while there is no other thread. */
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);
/* Lines as sd_notify(3) has them, such as "READY=1\nSTATUS=serving". Waits for the manager for a
 * second at most. */
void notify_tell(struct notify *notify, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same of RELOADING=1, with the time, which the manager compares with its own. */
void notify_reloading(struct notify *notify);
/* Now and then: tells, when it is time to, that the server is alive. */
void notify_alive(struct notify *notify);
/* How long may be waited until it is time, `most` at most. */
int notify_wait_ms(const struct notify *notify, int most);

#endif

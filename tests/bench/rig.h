/* rig: what every program of the bench needs: a way to give up, local sockets, what the server
 * uses. */
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Prints "bench: " and the message (printf's format and %m) on standard error and
 * exits with 1: a bench that meets the unexpected has no figure to give. */
_Noreturn void rig_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The decimal number in `text`, at least `low` and at most `high`; anything else fails, naming
 * `what`. */
long rig_number(const char *text, const char *what, long low, long high);
/* A non-blocking socket that listens on a free port of 127.0.0.1; prints the line that `run` waits
 * for, "NAME: listening on http://127.0.0.1:PORT", on standard output. */
int rig_listen(const char *name);
/* A connected socket to `port` of 127.0.0.1, non-blocking from then on, TCP_NODELAY set. */
int rig_connect(int port);
/* The same for a peer on a network that will read little: segments as on Ethernet, which also keeps
 * the server's kernel from buffering megabytes, and the least of receive buffers. */
int rig_connect_narrow(int port);
/* Closing `fd` resets its connection, so that thousands leave no TIME_WAIT behind. */
void rig_reset_on_close(int fd);
/* A new epoll descriptor. */
int rig_epoll(void);
/* Adds `fd` to `epoll`, edge-triggered for reading; `number` comes back as data.u32. */
void rig_watch(int epoll, int fd, uint32_t number);
/* Accepts all who wait at `listener` and adds them so, for writing too if `writes`, by their
 * descriptors, which must be below `most`. */
void rig_admit(int epoll, int listener, bool writes, int most);
/* Nanoseconds of CPU, user and system, that all threads of `pid` have used since it started. */
uint64_t rig_cpu(pid_t pid);
/* At the beginning and at the end of what is measured: runs the command in the environment's MARK,
 * if there is one. */
void rig_mark(void);
/* Bytes of anonymous memory of `pid`, each shared page divided by those who share it. */
long rig_memory(pid_t pid);
/* Nanoseconds of a clock that only goes forward. */
uint64_t rig_now(void);

#endif

/* child: a process that this one has started: lines of its stdout on demand, its stderr kept. */
#ifndef NET_CHILD_H
#define NET_CHILD_H

#include "base/buf.h"
#include "net/loop.h"

#define CHILD_LINE_MAX (1024 * 1024)   /* a longer line comes in pieces */
#define CHILD_ERRORS_MAX (1024 * 1024) /* of stderr; of more the older half is dropped */

struct child_options {
    char **args;     /* the program, found on PATH, and its arguments; ends with NULL */
    char **env;      /* "NAME=value", ends with NULL; NULL: this process's own */
    const char *cwd; /* NULL: this process's own */
};

struct child {
    uv_process_t process;
    uv_pipe_t out, err;
    struct loop *loop;
    /* A line that child_line had not, the end of stdout, or the exit. NULL: nobody cares. It may
     * call any function of the child's. */
    void (*on_change)(struct child *child);
    void *owner; /* of whoever set on_change */
    struct buf lines;
    size_t given;   /* bytes of `lines` that child_line has returned */
    size_t scanned; /* bytes of `lines` that are known to hold no line end */
    struct buf errors;
    int64_t code;  /* with which it has exited */
    int signal;    /* that has killed it; 0: none */
    unsigned open; /* handles that are not closed */
    bool exited;   /* its descriptors are closed and what it wrote to them is here */
    bool out_ended, freed;
};

/* Starts a process with nothing on stdin. 0, or a libuv error (UV_ENOENT: no such program). */
int child_start(struct child **out, struct loop *loop, const struct child_options *options);
/* The next line of stdout, without its LF: 1 and the line, valid until the next call; 0: not here
 * yet, on_change tells of it; UV_EOF: there will be none. What follows the last LF counts as a
 * line. Nothing is read ahead of what is asked for, so a child that writes much waits. */
int child_line(struct child *child, struct str *line);
/* What stderr has had so far. */
struct str child_errors(const struct child *child);
/* 0, or UV_ESRCH when it has ended. */
int child_kill(struct child *child, int signal);
/* Kills a child that still runs, calls nothing any more, and frees it once it is gone. */
void child_free(struct child *child);

#endif

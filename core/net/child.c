/* child: a process that this one has started.
 *
 *     running --exit--> exited (what its pipes still held is taken, all handles close) --> free
 *        \--child_free: killed --^
 *
 * stdout is for programs: it is read only while a line is asked for, so that a test can let a child
 * stall. stderr is for people: it is read always, and the last of it kept. A pipe's end may be held
 * open by the child's own children, so its exit is the end of both: what it wrote itself is in the
 * kernel by then and is taken without waiting.
 *
 * It lives on the heap, because libuv must see the exit of each process it has started, else a
 * zombie stays: whoever loses interest calls child_free and forgets it. It knows nothing of what
 * the processes are. */
#include "net/child.h"

#include "base/fault.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REST_MAX (1024 * 1024) /* taken of a pipe after the exit: its other holders may go on */

/* --- the end --- */

static void release(struct child *child) {
    if (!child->freed || child->open > 0)
        return;
    buf_fini(&child->lines);
    buf_fini(&child->errors);
    free(child);
}

static void on_closed(uv_handle_t *handle) {
    struct child *child = handle->data;
    child->open--;
    release(child);
}

static void close_handle(uv_handle_t *handle) {
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void close_all(struct child *child) {
    close_handle((uv_handle_t *)&child->out);
    close_handle((uv_handle_t *)&child->err);
    close_handle((uv_handle_t *)&child->process);
}

static void tell(struct child *child) {
    if (child->on_change)
        child->on_change(child);
}

/* --- what it writes --- */

static void add_lines(struct child *child, const char *bytes, size_t n) {
    if (child->given > 0) {
        buf_drop(&child->lines, child->given);
        child->given = 0;
    }
    buf_append(&child->lines, bytes, n);
}

static void add_errors(struct child *child, const char *bytes, size_t n) {
    buf_append(&child->errors, bytes, n);
    if (child->errors.len > CHILD_ERRORS_MAX)
        buf_drop(&child->errors, child->errors.len - CHILD_ERRORS_MAX / 2);
}

/* Looks for a line from where it stopped the last time. How long it is; -1: there is none yet. */
static ssize_t find_line(struct child *child) {
    const char *start = child->lines.data + child->given;
    size_t left = child->lines.len - child->given;
    const char *end =
        left > child->scanned ? memchr(start + child->scanned, '\n', left - child->scanned) : NULL;
    if (end)
        return end - start;
    child->scanned = left;
    if (left >= CHILD_LINE_MAX)
        return CHILD_LINE_MAX;
    return child->out_ended && left > 0 ? (ssize_t)left : -1;
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    (void)suggested;
    struct child *child = handle->data;
    *buf = uv_buf_init(child->loop->read_buf, LOOP_READ_BYTES);
}

static void on_out(uv_stream_t *pipe, ssize_t n, const uv_buf_t *buf) {
    struct child *child = pipe->data;
    if (n > 0)
        add_lines(child, buf->base, (size_t)n);
    else if (n < 0)
        child->out_ended = true;
    if (child->out_ended)
        close_handle((uv_handle_t *)pipe);
    if (find_line(child) < 0 && !child->out_ended)
        return;
    if (!child->out_ended)
        uv_read_stop(pipe);
    tell(child);
}

static void on_err(uv_stream_t *pipe, ssize_t n, const uv_buf_t *buf) {
    struct child *child = pipe->data;
    if (n > 0)
        add_errors(child, buf->base, (size_t)n);
    else if (n < 0)
        close_handle((uv_handle_t *)pipe);
}

int child_line(struct child *child, struct str *line) {
    ssize_t n = find_line(child);
    if (n < 0 && child->out_ended)
        return UV_EOF;
    if (n < 0) {
        uv_read_start((uv_stream_t *)&child->out, on_alloc, on_out); /* again is harmless */
        return 0;
    }
    *line = (struct str){child->lines.data + child->given, (size_t)n};
    child->given += (size_t)n;
    if (child->given < child->lines.len && child->lines.data[child->given] == '\n')
        child->given++;
    child->scanned = 0;
    return 1;
}

struct str child_errors(const struct child *child) {
    return buf_str(&child->errors);
}

/* Takes what the kernel holds, for a process that writes no more. */
static void take_rest(struct child *child, uv_pipe_t *pipe,
                      void (*add)(struct child *, const char *, size_t)) {
    uv_os_fd_t fd;
    ssize_t n;
    size_t total = 0;
    if (uv_fileno((uv_handle_t *)pipe, &fd) != 0)
        return; /* it has ended already */
    do {
        n = read(fd, child->loop->read_buf, LOOP_READ_BYTES);
        if (n > 0) {
            add(child, child->loop->read_buf, (size_t)n);
            total += (size_t)n;
        }
    } while ((n > 0 && total < REST_MAX) || (n < 0 && errno == EINTR));
}

/* --- its life --- */

static void on_exit_of(uv_process_t *process, int64_t code, int signal) {
    struct child *child = process->data;
    take_rest(child, &child->out, add_lines);
    take_rest(child, &child->err, add_errors);
    child->code = code;
    child->signal = signal;
    child->exited = child->out_ended = true;
    close_all(child);
    tell(child);
}

static int spawn(struct child *child, const struct child_options *options) {
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->out},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->err}};
    uv_process_options_t how = {.file = options->args[0],
                                .args = options->args,
                                .env = options->env,
                                .cwd = options->cwd,
                                .exit_cb = on_exit_of,
                                .stdio = stdio,
                                .stdio_count = 3};
    int rc = uv_spawn(&child->loop->uv, &child->process, &how);
    if (rc == 0)
        rc = uv_read_start((uv_stream_t *)&child->err, on_alloc, on_err);
    return rc;
}

int child_start(struct child **out, struct loop *loop, const struct child_options *options) {
    int rc = fault("spawn");
    if (rc < 0)
        return rc;
    struct child *child = mem_zalloc(sizeof *child);
    child->loop = loop;
    child->open = 3;
    uv_pipe_init(&loop->uv, &child->out, 0);
    uv_pipe_init(&loop->uv, &child->err, 0);
    child->process.data = child->out.data = child->err.data = child;
    rc = spawn(child, options);
    if (rc < 0) {
        child->freed = true;
        close_all(child);
        return rc;
    }
    *out = child;
    return 0;
}

int child_kill(struct child *child, int signal) {
    return child->exited ? UV_ESRCH : uv_process_kill(&child->process, signal);
}

void child_free(struct child *child) {
    child->on_change = NULL;
    child->freed = true;
    child_kill(child, SIGKILL);
    release(child);
}

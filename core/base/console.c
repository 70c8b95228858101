/* console: standard output and standard error of a server.
 *
 *     print, io.write, printf --> stdout --\                 /--> descriptor 1
 *     io.stderr, fprintf      --> stderr ---> lines, scribes ---> descriptor 2
 *     log_at, log_text        --------------/
 *
 * Both may be pipes to programs that rest, and a worker that waits for one answers nobody. glibc's
 * `stdout` and `stderr` are variables: here they become streams of our own (fopencookie), before
 * any Lua state takes them, so that all who use stdio are served, in Lua and in C. What they write
 * is kept until its line is complete, since only whole lines can be dropped; a longer beginning
 * than PART_MAX goes as it is. The descriptors themselves stay as they were, for children.
 *
 * It lasts until the process ends, and nothing here is freed: others may write to the last. */
#include "base/console.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/scribe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define PART_MAX 65536

struct console {
    struct scribe *scribe;
    struct buf part; /* the beginning of a line; under the stream's own lock */
};

static struct console output, errors;
static bool opened;

/* All whole lines of what has come. */
static void put_lines(struct console *console) {
    struct buf *part = &console->part;
    const char *end = part->len ? memrchr(part->data, '\n', part->len) : NULL;
    size_t n = end ? (size_t)(end + 1 - part->data) : part->len > PART_MAX ? part->len : 0;
    if (n == 0)
        return;
    scribe_put(console->scribe, (struct str){part->data, n});
    buf_drop(part, n);
}

/* stdio calls it with the stream's lock. */
static ssize_t on_write(void *cookie, const char *bytes, size_t n) {
    struct console *console = cookie;
    int saved = errno;
    if (console->part.len == 0 && n > 0 && bytes[n - 1] == '\n') {
        scribe_put(console->scribe, (struct str){bytes, n});
    } else {
        buf_append(&console->part, bytes, n);
        put_lines(console);
    }
    errno = saved;
    return (ssize_t)n;
}

static int open_one(struct console *console, int fd, const char *name, FILE **stream) {
    int rc = scribe_of(fd, name, &console->scribe);
    if (rc < 0)
        return rc;
    FILE *own = fopencookie(console, "w", (cookie_io_functions_t){.write = on_write});
    if (own == NULL)
        return -errno;
    setvbuf(own, NULL, _IONBF, 0); /* lines are put together here */
    fflush(*stream);
    *stream = own;
    return 0;
}

int console_open(void) {
    int rc = open_one(&errors, STDERR_FILENO, "standard error", &stderr);
    if (rc == 0)
        rc = open_one(&output, STDOUT_FILENO, "standard output", &stdout);
    if (rc == 0)
        log_use(errors.scribe);
    opened = rc == 0;
    return rc;
}

void console_announce(const char *format, ...) {
    struct buf line = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&line, format, args);
    va_end(args);
    buf_add_char(&line, '\n');
    scribe_put_always(output.scribe, buf_str(&line));
    buf_fini(&line);
}

/* A line that was begun and never ended. */
static void put_part(struct console *console, FILE *stream) {
    flockfile(stream);
    scribe_put(console->scribe, buf_str(&console->part));
    console->part.len = 0;
    funlockfile(stream);
}

void console_finish(void) {
    if (!opened)
        return;
    log_sums(true);
    put_part(&output, stdout);
    put_part(&errors, stderr);
    scribes_finish();
}

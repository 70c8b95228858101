/* access_log: lines on their way to a file.
 *
 *   stream begins, closes ──> lines ──(64 KiB or 100 ms)──> scribe (base/scribe.h): a thread writes
 *
 * The loop formats (line.h) and hands over many lines at once; it never waits for the disk, nor for
 * who reads a pipe. Several workers have one scribe, so their lines do not mix. What the scribe has
 * no room for it drops and counts, reopens renamed files, and tells when it cannot write. Owned by
 * a worker; must not know protocols or Lua.
 */
#include "access/access_log.h"

#include "access/line.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/scribe.h"

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

_Static_assert(ACCESS_LINE_MAX <= PIPE_BUF, "a line must be written at once");

struct access_log {
    struct loop *loop;
    struct line line;
    struct buf lines;
    struct timer flush;
    struct scribe *scribe;
};

static void hand_over(struct access_log *log) {
    timer_clear(&log->flush);
    scribe_take(log->scribe, &log->lines);
}

static void on_flush(struct timer *timer) {
    hand_over(CONTAINER_OF(timer, struct access_log, flush));
}

int access_log_open(struct loop *loop, const char *path, struct access_log **out) {
    struct scribe *scribe;
    int rc = strcmp(path, "-") == 0 ? scribe_of(STDOUT_FILENO, "standard output", &scribe)
                                    : scribe_open(path, &scribe);
    if (rc < 0)
        return rc;
    struct access_log *log = mem_zalloc(sizeof(*log));
    log->loop = loop;
    log->scribe = scribe;
    line_init(&log->line, log_is_json());
    timer_init(&log->flush, on_flush);
    *out = log;
    return 0;
}

void access_log_stream(struct access_log *log, const struct stream *stream) {
    char *at = buf_reserve(&log->lines, ACCESS_LINE_MAX);
    log->lines.len += (size_t)(log->line.put(&log->line, at, stream) - at);
    if (log->lines.len >= ACCESS_FLUSH_BYTES)
        hand_over(log);
    else if (!timer_is_set(&log->flush))
        loop_timer(log->loop, &log->flush, ACCESS_FLUSH_MS);
}

void access_log_close(struct access_log *log) {
    if (!log)
        return;
    hand_over(log);
    scribe_close(log->scribe);
    buf_fini(&log->lines);
    line_fini(&log->line);
    free(log);
}

void access_log_shorten(struct request *request) {
    static const struct str logged[] = {
        {"referer", 7}, {"user-agent", 10}, {"x-request-id", 12}, {"traceparent", 11}};
    request_shorten(request, logged, sizeof logged / sizeof *logged);
}

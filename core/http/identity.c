/* identity: the names by which a request is known elsewhere: its request id, its trace.
 *
 *     X-Request-Id of the request, if sane --\
 *     else "<this process>-<stream number>" --> stream.request_id, log lines, the answer's head
 *
 * Most requests are asked for neither, so nothing is kept of them: both are read from the head when
 * somebody asks, and an id that is made is made of what the stream has anyway. A process has a part
 * of its own, drawn by lot, so that its ids are not those of one before it, or beside it.
 *
 * Pure, but for the process's own part. It must not know of streams. */
#include "http/identity.h"

#include "base/clock.h"
#include "proto/field_lines.h"
#include "proto/trace.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static uint64_t process;

static void draw(void) {
    if (getrandom(&process, sizeof process, GRND_NONBLOCK) != sizeof process)
        process = clock_mono_ns() ^ (uint64_t)clock_wall_ns() << 20;
}

/* The value of the only field of that name; ptr NULL: there is none, or another one. */
static struct str only_field(const struct request *request, struct str name) {
    struct str found = {NULL, 0};
    for (size_t i = 0; i < request->nfields; i++) {
        if (!str_eq(request_field_name(request, i), name))
            continue;
        if (found.ptr)
            return (struct str){NULL, 0};
        found = request_field_value(request, i);
    }
    return found;
}

struct str identity_of(const struct request *request, uint64_t stream_id,
                       char made[IDENTITY_MADE]) {
    struct str came = only_field(request, STR("x-request-id"));
    if (trace_is_request_id(came))
        return came;
    pthread_once(&once, draw);
    int n = snprintf(made, IDENTITY_MADE, "%016llx-%llu", (unsigned long long)process,
                     (unsigned long long)stream_id);
    return (struct str){made, (size_t)n};
}

void identity_answer(const struct request *request, uint64_t stream_id, struct buf *fields) {
    char made[IDENTITY_MADE];
    if (field_lines_get(buf_str(fields), STR("X-Request-Id")).ptr == NULL)
        field_lines_add(fields, STR("X-Request-Id"), identity_of(request, stream_id, made));
}

struct str identity_traceparent(const struct request *request) {
    struct str came = only_field(request, STR("traceparent"));
    return trace_is_parent(came) ? came : (struct str){NULL, 0};
}

struct str identity_trace(const struct request *request) {
    struct str parent = identity_traceparent(request);
    return parent.ptr ? trace_id(parent) : parent;
}

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
#include "http/head.h"
#include "proto/field_lines.h"
#include "proto/trace.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char process[18]; /* its part, with the dash behind it */

static void draw(void) {
    uint64_t lot;
    if (getrandom(&lot, sizeof lot, GRND_NONBLOCK) != sizeof lot)
        lot = clock_mono_ns() ^ (uint64_t)clock_wall_ns() << 20;
    snprintf(process, sizeof process, "%016llx-", (unsigned long long)lot);
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
    memcpy(made, process, sizeof process - 1);
    char *end = head_put_number(made + sizeof process - 1, stream_id);
    return (struct str){made, (size_t)(end - made)};
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

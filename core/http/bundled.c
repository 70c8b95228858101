/* bundled: a file that is part of the program, as an answer.
 *
 * As static (http/static.h) serves a folder's files: caches keep it and ask each time, by an entity
 * tag, whether it has changed; it may be there compressed, too. It is in memory, so it is answered
 * at once, and in whole: who asks for a part gets all of it. The tag is made of the bytes: with
 * another version of the program it is another one exactly when the file is.
 *
 * Must not know which files there are, nor at which path. */
#include "http/bundled.h"

#include "base/embedded.h"
#include "base/siphash.h"
#include "proto/header.h"
#include "proto/range.h"

#include <inttypes.h>
#include <stdio.h>

#define NAME_MAX_BYTES 64
#define TAG_BYTES 48

/* The compressed one, if there is one and the client likes it no less. */
static const struct embedded *choose(struct stream *stream, const char *name) {
    const struct embedded *plain = embedded_find(name);
    char packed_name[NAME_MAX_BYTES];
    snprintf(packed_name, sizeof packed_name, "%s.gz", name);
    const struct embedded *packed = embedded_find(packed_name);
    struct str accept = request_header(stream->request, STR("accept-encoding"));
    int weight = header_accepts_coding(accept, STR("gzip"));
    if (packed == NULL)
        return plain;
    stream_add_header(stream, STR("Vary"), STR("Accept-Encoding"));
    if (weight == 0 || weight < header_accepts_coding(accept, STR("identity")))
        return plain;
    return packed;
}

static int status_for(struct stream *stream, struct str tag) {
    struct preconditions pre = {
        .if_match = request_header(stream->request, STR("if-match")),
        .if_none_match = request_header(stream->request, STR("if-none-match")),
    };
    struct validators now = {.etag = tag, .modified = MODIFIED_NONE};
    bool range_holds;
    return conditional_status(&pre, &now, &range_holds);
}

static void send_file(struct stream *stream, const struct embedded *file, bool packed,
                      const char *type) {
    static const uint64_t key[2] = {0}; /* the same in every worker, and after a restart */
    char tag[TAG_BYTES];
    snprintf(tag, sizeof tag, "\"%zx-%016" PRIx64 "\"", file->len,
             siphash13(key, (struct str){file->data, file->len}));
    int status = status_for(stream, str_of(tag));
    if (status == 412) {
        stream_fail(stream, status, NULL);
        return;
    }
    if (stream_get_header(stream, STR("Cache-Control")).ptr == NULL)
        stream_set_header(stream, STR("Cache-Control"), STR("no-cache"));
    stream_set_header(stream, STR("ETag"), str_of(tag));
    stream_set_status(stream, status);
    if (status == 304) {
        stream_finish(stream);
        return;
    }
    if (packed)
        stream_set_header(stream, STR("Content-Encoding"), STR("gzip"));
    stream_respond(stream, type, file->data, file->len);
}

void bundled_serve(struct stream *stream, const char *name, const char *type) {
    if (stream->state != STREAM_OPEN)
        return;
    if (!stream->head_only && !str_eq(request_method(stream->request), STR("GET"))) {
        stream_set_header(stream, STR("Allow"), STR("GET, HEAD"));
        stream_fail(stream, 405, NULL);
        return;
    }
    const struct embedded *file = choose(stream, name);
    send_file(stream, file, file != embedded_find(name), type);
}

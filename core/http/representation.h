/* representation: which bytes of which file answer a request, and what the head says of them. */
#ifndef HTTP_REPRESENTATION_H
#define HTTP_REPRESENTATION_H

#include "http/file_tag.h"
#include "http/stream.h"
#include "proto/range.h"

#include <sys/stat.h>

struct representation {
    /* What is wanted; constant from `find` on. */
    char *root; /* NULL: anywhere */
    char *path;
    bool siblings; /* encoded ones may stand for the file */
    bool amended;  /* something follows the file: never cached, never in parts, as it is */
    bool plain;    /* GET or HEAD, and no status of the application's own */
    bool head_only;
    struct buf fields; /* what these are borrowed from */
    struct preconditions pre;
    struct str range, accept;
    /* What was found. */
    int fd; /* or the error */
    struct stat st;
    const struct coding *coding; /* NULL: the file itself */
    bool varies;
    char etag[FILE_TAG_MAX];
    int64_t modified;
    int status; /* 200, 206, 304, 412, 416 */
    struct byte_range part;
    uint64_t offset, left; /* still to be sent */
};

/* For the file at `path_take`: beneath `root`, relative to it, or anywhere when `root` is NULL.
 * Copies what the stream's request asks. */
void representation_init(struct representation *found, const char *root, char *path_take,
                         const struct stream *stream);
/* Looks for it, and decides; not for the loop. */
void representation_find(struct representation *found);
/* Sets the status and the fields of the head, unless the application has. With a `max_age` below 0
 * caches ask each time. */
void representation_describe(const struct representation *found, struct stream *stream,
                             int64_t max_age);
/* Sets Content-Range: the part that is sent, or for 416 that there is no such part. */
void representation_set_range(const struct representation *found, struct stream *stream);
void representation_fini(struct representation *found);

#endif

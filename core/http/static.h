/* static: files as answers, read off the loop.
 *
 * Conditional requests (304, 412), one range (206, 416), entity tags from size and modification
 * time, HEAD, and for folders precompressed siblings and index.html. */
#ifndef HTTP_STATIC_H
#define HTTP_STATIC_H

#include "http/stream.h"
#include "proto/path.h"

struct static_dir;
struct static_job;

struct static_options {
    /* Seconds for "Cache-Control: max-age"; below 0 "no-cache" is sent: caches keep the file and
     * ask each time whether it has changed, where without a field they would guess for how long. A
     * Cache-Control that the application has set wins. */
    int64_t max_age;
    bool hidden; /* names that start with '.' are served; else they are not there (404) */
};

/* A folder of files; `root` and the options are copied. */
struct static_dir *static_dir_new(const char *root, const struct static_options *options);
/* NULL is allowed. Streams that are being served do not need it any more. */
void static_dir_free(struct static_dir *dir);

/* Answers with the file that the segments of `relative`, a route's *rest, name in the folder; the
 * stream is over by itself when all is sent. An empty last one means index.html there; a folder
 * without it is answered by 301 to the one with it. NAME.br or NAME.gz is sent for NAME to who
 * accepts that coding no less than none, br first where both weigh the same. 404 for what is not
 * there, is no regular file, leads out of the folder, or has a segment that holds '/'; 503 when
 * descriptors are exhausted. With `done` the 404 is the caller's: it is told as by static_file, and
 * NULL comes back where no file can have that name. */
struct static_job *static_serve(struct stream *stream, const struct static_dir *dir,
                                struct path relative, void (*done)(void *arg, int error),
                                void *arg);

/* Answers with the file at `path`: beneath `root`, relative to it, or anywhere when `root` is NULL.
 * As it is: no siblings, no index. `done` is called once, never from within: 0 when the answer has
 * begun (the file is open and the rest follows by itself: nobody else may write or finish the
 * stream), -ENOENT, -EISDIR, -EACCES or another error when nothing was sent, STREAM_ECLOSED when
 * the stream closed before. With a status other than 200 set before, preconditions and ranges do
 * not count. */
struct static_job *static_file(struct stream *stream, const char *root, const char *path,
                               int64_t max_age, void (*done)(void *arg, int error), void *arg);
/* Before `done`: it will not be called, and nothing is sent. */
void static_cancel(struct static_job *job);

/* 301 to the request's own path with a slash behind it, the query kept. */
void static_redirect(struct stream *stream);

#endif

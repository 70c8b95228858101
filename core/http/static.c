/* static: a file becomes an answer.
 *
 *   on the loop          in the pool                          on the loop
 *   ───────────          ───────────                          ───────────
 *   static_serve ──────> find the representation, ──────────> head, first block
 *   static_file          first block                             │
 *                        next block <──── below the low mark ────┤
 *                             └─────────────────────────────> block, ..., finish
 *
 * A job is one such file on its way. A pool thread and the loop never touch it at the same time:
 * `busy` tells that it is in other hands, and then whoever loses interest (the stream closed, the
 * task was cancelled) only takes the stream away; the job frees itself when it comes back.
 *
 * Which bytes of which file these are is decided in representation.c. A file that shrinks cannot
 * keep its Content-Length: the stream is aborted. A name is made of the segments that routes and
 * guards have seen, one folder each, so the kernel finds nothing in it to resolve; staying beneath
 * the folder, whatever links there are, is net/file's. Must not know Lua.
 */
#include "http/static.h"

#include "base/log.h"
#include "base/mem.h"
#include "http/representation.h"
#include "net/file.h"
#include "net/work.h"
#include "proto/media.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 65536 };

struct static_dir {
    char *root;
    struct static_options options;
};

struct static_job {
    struct work work;
    struct producer producer;
    struct stream *stream; /* a reference; NULL: closed or cancelled */
    struct loop *loop;
    bool busy; /* see above */
    int64_t max_age;
    bool in_dir; /* static_serve: siblings, and all answers but perhaps 404, are ours */
    bool index;  /* the path was a folder's, index.html has been added */
    void (*done)(void *arg, int error);
    void *arg;
    struct representation file;
    struct buf end; /* behind it, for a page in watch mode */
    char *block;
    size_t want;
    int64_t got;
};

/* --- in the pool --- */

static void read_block(struct work *work) {
    struct static_job *job = CONTAINER_OF(work, struct static_job, work);
    const struct representation *file = &job->file;
    job->want = file->left < BLOCK ? (size_t)file->left : BLOCK;
    job->got = file_read_at(file->fd, job->block, job->want, file->offset);
}

static void find(struct work *work) {
    struct static_job *job = CONTAINER_OF(work, struct static_job, work);
    representation_find(&job->file);
    if (job->file.fd < 0 || job->file.head_only || job->file.left == 0)
        return;
    job->block = mem_alloc(job->file.left < BLOCK ? (size_t)job->file.left : BLOCK);
    read_block(work);
}

/* --- life, on the loop --- */

static void free_job(struct static_job *job) {
    representation_fini(&job->file);
    buf_fini(&job->end);
    free(job->block);
    free(job);
}

/* The job has nothing to do with its stream any more. */
static void leave(struct static_job *job) {
    struct stream *stream = job->stream;
    job->stream = NULL;
    if (!stream)
        return;
    if (stream->producer == &job->producer)
        stream_attach(stream, NULL);
    stream_unref(stream);
}

static void tell(struct static_job *job, int error) {
    void (*done)(void *, int) = job->done;
    job->done = NULL;
    if (done)
        done(job->arg, error);
}

static void stop(struct producer *producer, struct stream *stream) {
    (void)stream;
    struct static_job *job = CONTAINER_OF(producer, struct static_job, producer);
    leave(job);
    tell(job, STREAM_ECLOSED);
    if (!job->busy)
        free_job(job);
}

void static_cancel(struct static_job *job) {
    job->done = NULL;
    leave(job); /* `busy` until `done`, so what comes back frees it */
}

/* --- the answer --- */

/* Sends the head. */
static int begin(struct static_job *job) {
    struct stream *stream = job->stream;
    if (stream->state != STREAM_OPEN)
        return stream->state == STREAM_CLOSED ? STREAM_ECLOSED : STREAM_EHEAD;
    representation_describe(&job->file, stream, job->max_age);
    if (job->file.status == 304)
        return stream_start(stream, 0);
    int rc = stream_start(stream, (int64_t)(job->file.left + job->end.len));
    stream_drop_body(stream);
    return rc;
}

/* Detached first, so that the closing which may follow does not call back. */
static void end(struct static_job *job) {
    struct stream *stream = stream_ref(job->stream);
    leave(job);
    stream_write(stream, job->end.data, job->end.len);
    stream_finish(stream);
    stream_unref(stream);
}

static void complain(const struct static_job *job, const char *what) {
    static struct log_kind complaints = LOG_KIND("static");
    const char *root = job->file.root;
    if (log_admits(&complaints, LOG_WARN))
        log_warn("static: %s%s%s: %s", root ? root : "", root ? "/" : "", job->file.path, what);
}

static void give_up(struct static_job *job) {
    struct stream *stream = stream_ref(job->stream);
    complain(job, job->got < 0 ? strerror((int)-job->got)
                               : "shorter than it was when its head was sent");
    leave(job);
    stream_abort(stream, REASON_ERROR, "the file could not be read to its end");
    stream_unref(stream);
}

static void sent_next(struct work *work);

static void submit(struct static_job *job, void (*run)(struct work *),
                   void (*done)(struct work *)) {
    job->busy = true;
    job->work.run = run;
    job->work.done = done;
    work_submit(job->loop, &job->work);
}

/* Below the low mark: another block is due. A job that is busy has one on its way. */
static void proceed(struct producer *producer, struct stream *stream) {
    (void)stream;
    struct static_job *job = CONTAINER_OF(producer, struct static_job, producer);
    if (!job->busy)
        submit(job, read_block, sent_next);
}

static const struct producer_ops producer_ops = {.proceed = proceed, .stop = stop};

/* Hands the block that was read to the stream. */
static void pass(struct static_job *job) {
    if (job->got != (int64_t)job->want) {
        give_up(job);
        return;
    }
    int rc = stream_write(job->stream, job->block, job->want);
    if (rc == STREAM_ELENGTH) { /* someone else has written into it */
        give_up(job);
        return;
    }
    if (rc < 0 || !job->stream) { /* someone else has ended it */
        leave(job);
        return;
    }
    job->file.offset += job->want;
    job->file.left -= job->want;
    if (job->file.left == 0)
        end(job);
}

/* Gives the job out of hand: frees it, reads on, or waits for `proceed`. */
static void settle(struct static_job *job) {
    job->busy = false;
    if (!job->stream)
        free_job(job);
    else if (stream_queued(job->stream) <= job->stream->server->limits.low_mark)
        submit(job, read_block, sent_next);
}

static void sent_next(struct work *work) {
    struct static_job *job = CONTAINER_OF(work, struct static_job, work);
    if (job->stream)
        pass(job);
    settle(job);
}

static bool is_exhausted(int error) {
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

static bool is_absent(int error) {
    static const int errors[] = {ENOENT, ENOTDIR, EISDIR, EACCES,      EPERM,
                                 ELOOP,  EINVAL,  ENXIO,  ENAMETOOLONG};
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (error == -errors[i])
            return true;
    return error == UV_EFTYPE;
}

/* The answer of a folder without the file; `folder`: with one of that name. */
static void refuse_here(struct static_job *job, struct stream *stream, int error, bool folder) {
    if (folder) {
        static_redirect(stream);
    } else if (is_absent(error)) {
        stream_fail(stream, 404, NULL);
    } else {
        complain(job, strerror(-error));
        stream_fail(stream, is_exhausted(error) ? 503 : 500, NULL);
    }
}

/* There is no file to send. */
static void refuse(struct static_job *job) {
    struct stream *stream = stream_ref(job->stream);
    int error = job->file.fd;
    bool folder = error == -EISDIR && !job->index;
    leave(job);
    if (!job->in_dir || (!folder && job->done && is_absent(error))) {
        tell(job, error);
    } else {
        refuse_here(job, stream, error, folder);
        tell(job, 0);
    }
    stream_unref(stream);
}

/* The client's conditions or its range forbid the file. Detached first: the answer may close the
 * stream. */
static void decline(struct static_job *job) {
    struct stream *stream = stream_ref(job->stream);
    if (job->file.status == 416)
        representation_set_range(&job->file, stream);
    leave(job);
    stream_fail(stream, job->file.status, NULL);
    tell(job, 0);
    stream_unref(stream);
}

static void answer(struct static_job *job) {
    if (job->file.status >= 400 && job->stream->state == STREAM_OPEN) {
        decline(job);
        return;
    }
    int rc = begin(job);
    tell(job, rc);
    if (job->stream && rc == 0 && job->file.head_only)
        stream_write(job->stream, NULL, job->file.left); /* measured, never looked at */
    if (!job->stream)
        return;
    if (rc < 0)
        leave(job);
    else if (job->file.left == 0 || job->file.head_only)
        end(job);
    else
        pass(job);
}

static void found(struct work *work) {
    struct static_job *job = CONTAINER_OF(work, struct static_job, work);
    if (job->stream && job->file.fd < 0)
        refuse(job);
    else if (job->stream)
        answer(job);
    settle(job);
}

/* --- beginning --- */

static struct static_job *make_job(struct stream *stream, const char *root, char *path,
                                   int64_t max_age) {
    struct static_job *job = mem_zalloc(sizeof(*job));
    *job = (struct static_job){
        .producer = {&producer_ops},
        .stream = stream_ref(stream),
        .loop = stream->server->loop,
        .max_age = max_age,
    };
    representation_init(&job->file, root, path, stream);
    stream_end_page(stream, media_type_of(str_of(path)), &job->end);
    job->file.amended = job->end.len > 0;
    stream->policy = WRITE_BLOCK; /* a block may pass the high mark: that is no overflow */
    stream_attach(stream, &job->producer);
    return job;
}

/* Appends the name that the segments mean, of an index the folder's with its slash. False: it
 * cannot be served, whether or not it is there. */
static bool add_name(struct path relative, bool hidden, struct buf *out) {
    struct str segment;
    while (path_next(&relative, &segment)) {
        if ((segment.len > 0 && memchr(segment.ptr, '/', segment.len)) ||
            (!hidden && str_starts(segment, STR("."))))
            return false;
        buf_add(out, segment);
        if (relative.bytes.ptr)
            buf_add_char(out, '/');
    }
    return true;
}

static bool is_folder(struct str path) {
    return path.len == 0 || path.ptr[path.len - 1] == '/';
}

struct static_job *static_serve(struct stream *stream, const struct static_dir *dir,
                                struct path relative, void (*done)(void *arg, int error),
                                void *arg) {
    struct buf path = {0};
    if (!add_name(relative, dir->options.hidden, &path)) {
        buf_fini(&path);
        if (!done)
            stream_fail(stream, 404, NULL);
        return NULL;
    }
    bool index = is_folder(buf_str(&path));
    if (index)
        buf_add(&path, STR("index.html"));
    struct static_job *job =
        make_job(stream, dir->root, mem_copy(path.data, path.len), dir->options.max_age);
    buf_fini(&path);
    job->in_dir = job->file.siblings = true;
    job->index = index;
    job->done = done;
    job->arg = arg;
    submit(job, find, found);
    return job;
}

struct static_job *static_file(struct stream *stream, const char *root, const char *path,
                               int64_t max_age, void (*done)(void *arg, int error), void *arg) {
    struct static_job *job = make_job(stream, root, mem_strdup(path), max_age);
    job->done = done;
    job->arg = arg;
    submit(job, find, found);
    return job;
}

/* Relative to the request's own path, so that no name in it can be taken for a host ("//host/") or
 * a scheme ("a:b/"). */
void static_redirect(struct stream *stream) {
    struct path path = request_path(stream->request);
    struct str last = STR(""), query = request_query(stream->request);
    while (path_next(&path, &last)) {
    }
    struct buf location = {0};
    buf_add(&location, STR("./"));
    path_encode_segment(last, &location);
    buf_printf(&location, "/%s%.*s", query.ptr ? "?" : "", STR_ARG(query));
    stream_set_header(stream, STR("Location"), buf_str(&location));
    stream_set_status(stream, 301);
    stream_respond(stream, NULL, "", 0);
    buf_fini(&location);
}

struct static_dir *static_dir_new(const char *root, const struct static_options *options) {
    struct static_dir *dir = mem_alloc(sizeof(*dir));
    *dir = (struct static_dir){.root = mem_strdup(root), .options = *options};
    return dir;
}

void static_dir_free(struct static_dir *dir) {
    if (!dir)
        return;
    free(dir->root);
    free(dir);
}

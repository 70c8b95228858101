/* static: a file becomes an answer.
 *
 *   on the loop          in the pool                          on the loop
 *   ───────────          ───────────                          ───────────
 *   static_serve ──────> open, siblings, preconditions, ────> head, first block
 *   static_file          range, first block                      │
 *                        next block <──── below the low mark ────┤
 *                             └─────────────────────────────> block, ..., finish
 *
 * A job is one such file on its way. A pool thread and the loop never touch it at the same time:
 * `busy` tells that it is in other hands, and then whoever loses interest (the stream closed, the
 * task was cancelled) only takes the stream away; the job frees itself when it comes back. The pool
 * must not look at the stream, which may close meanwhile: the request's fields are copied before.
 *
 * Everything is decided on the open descriptor, so what was checked is what is sent, even when the
 * name is given to another file meanwhile. A file that shrinks cannot keep its Content-Length: the
 * stream is aborted. A name is made of the segments that routes and guards have seen, one folder
 * each, so the kernel finds nothing in it to resolve; staying beneath the folder, whatever links
 * there are, is net/file's. Must not know Lua.
 */
#include "http/static.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/file_tag.h"
#include "net/file.h"
#include "net/work.h"
#include "proto/date.h"
#include "proto/header.h"
#include "proto/media.h"
#include "proto/range.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 65536 };

struct static_dir {
    char *root;
    struct static_options options;
};

static const struct coding {
    const char *suffix; /* of the sibling's name */
    struct str name;    /* as the fields have it */
    const char *tag;    /* of the entity tag: the encoded bytes are another representation */
} codings[] = {{".br", {"br", 2}, "-br"}, {".gz", {"gzip", 4}, "-gz"}};

struct static_job {
    struct work work;
    struct producer producer;
    struct stream *stream; /* a reference; NULL: closed or cancelled */
    struct loop *loop;
    bool busy; /* see above */
    /* What is wanted; constant while a pool thread may look. */
    char *root; /* NULL: anywhere */
    char *path;
    int64_t max_age;
    bool in_dir; /* static_serve: siblings, and all answers but perhaps 404, are ours */
    bool index;  /* the path was a folder's, index.html has been added */
    bool plain;  /* GET or HEAD, and no status of the application's own */
    bool head_only;
    struct buf fields; /* what these are borrowed from */
    struct preconditions pre;
    struct str range, accept;
    void (*done)(void *arg, int error);
    void *arg;
    /* What was found. */
    int fd; /* or the error */
    struct stat st;
    const struct coding *coding; /* NULL: the file itself */
    bool varies;
    char etag[FILE_TAG_MAX];
    int64_t modified;
    int status;
    struct byte_range part;
    uint64_t offset, left; /* still to be sent, */
    struct buf end; /* and behind it, for a page in watch mode: never cached, never in parts */
    char *block;
    size_t want;
    int64_t got;
};

/* --- in the pool --- */

static int open_named(const struct static_job *job, const char *suffix, struct stat *st) {
    char name[PATH_MAX];
    int n = snprintf(name, sizeof(name), "%s%s", job->path, suffix);
    if (n >= (int)sizeof(name))
        return -ENAMETOOLONG;
    return job->root ? file_open_beneath(job->root, (struct str){name, (size_t)n}, st)
                     : file_open(name, st);
}

static bool is_older(const struct stat *st, const struct stat *than) {
    const struct timespec *a = &st->st_mtim, *b = &than->st_mtim;
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Takes the sibling that the client likes best, if it likes one no less than the file as it is. One
 * that is older is of what the file was before. */
static void choose_coding(struct static_job *job) {
    int best = header_accepts_coding(job->accept, STR("identity")) - 1;
    const struct stat plain = job->st;
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        struct stat st;
        int fd = open_named(job, codings[i].suffix, &st);
        if (fd < 0)
            continue;
        if (is_older(&st, &plain)) {
            file_close(fd);
            continue;
        }
        job->varies = true;
        int weight = header_accepts_coding(job->accept, codings[i].name);
        if (weight > 0 && weight > best) {
            int worse = job->fd;
            best = weight;
            job->fd = fd;
            job->st = st;
            job->coding = &codings[i];
            fd = worse;
        }
        file_close(fd);
    }
}

/* Last-Modified must not be later than Date (RFC 9110 section 8.8.2.1). Builds that set all times
 * alike take 0 or 1, which say nothing. */
static void make_validators(struct static_job *job) {
    int64_t now = clock_wall_ns() / 1000000000;
    file_tag_make(job->fd, &job->st, job->coding ? job->coding->tag : "", job->etag);
    int64_t mtime = (int64_t)job->st.st_mtim.tv_sec;
    job->modified = mtime <= 1 ? MODIFIED_NONE : mtime < now ? mtime : now;
}

/* Sets the status and which bytes are to be sent. Range is defined for GET only (section 14.2). */
static void decide(struct static_job *job) {
    struct validators now = {.etag = str_of(job->etag), .modified = job->modified};
    uint64_t size = (uint64_t)job->st.st_size;
    bool range_holds = false;
    bool asks = job->plain && job->end.len == 0;
    job->status = asks ? conditional_status(&job->pre, &now, &range_holds) : 200;
    if (job->status == 200 && range_holds && job->range.ptr && !job->head_only) {
        enum range_verdict verdict = range_parse(job->range, size, &job->part);
        if (verdict != RANGE_NONE)
            job->status = verdict == RANGE_PARTIAL ? 206 : 416;
    }
    job->offset = job->status == 206 ? job->part.first : 0;
    if (job->status == 206)
        job->left = job->part.last - job->part.first + 1;
    else
        job->left = job->status == 200 ? size : 0;
}

static void read_block(struct work *work) {
    struct static_job *job = CONTAINER_OF(work, struct static_job, work);
    job->want = job->left < BLOCK ? (size_t)job->left : BLOCK;
    job->got = file_read_at(job->fd, job->block, job->want, job->offset);
}

static void find(struct work *work) {
    struct static_job *job = CONTAINER_OF(work, struct static_job, work);
    job->fd = open_named(job, "", &job->st);
    if (job->fd < 0)
        return;
    if (job->in_dir && job->end.len == 0)
        choose_coding(job);
    make_validators(job);
    decide(job);
    if (job->head_only || job->left == 0)
        return;
    job->block = mem_alloc(job->left < BLOCK ? (size_t)job->left : BLOCK);
    read_block(work);
}

/* --- life, on the loop --- */

static void free_job(struct static_job *job) {
    if (job->fd >= 0)
        file_close(job->fd);
    buf_fini(&job->fields);
    buf_fini(&job->end);
    free(job->block);
    free(job->root);
    free(job->path);
    free(job);
}

/* The job has nothing to do with its stream any more. */
static void leave(struct static_job *job) {
    struct stream *stream = job->stream;
    job->stream = NULL;
    if (!stream)
        return;
    if (stream->producer == &job->producer)
        stream_detach(stream);
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

static void set_default(struct stream *stream, struct str name, const char *value) {
    if (!stream_get_header(stream, name).ptr)
        stream_set_header(stream, name, str_of(value));
}

static void set_cache_control(struct static_job *job) {
    char text[40] = "no-cache";
    if (job->max_age >= 0)
        snprintf(text, sizeof(text), "max-age=%" PRId64, job->max_age);
    set_default(job->stream, STR("Cache-Control"), text);
}

/* What a 304 has to repeat of the 200 that it stands for (RFC 9110 section 15.4.5). */
static void set_validators(struct static_job *job) {
    if (job->end.len > 0) {
        stream_set_header(job->stream, STR("Cache-Control"), STR("no-store"));
        return;
    }
    set_cache_control(job);
    if (job->varies)
        stream_add_header(job->stream, STR("Vary"), STR("Accept-Encoding"));
    if (!job->plain)
        return;
    stream_set_header(job->stream, STR("ETag"), str_of(job->etag));
    if (job->modified != MODIFIED_NONE) {
        char date[HTTP_DATE_LEN + 1];
        http_date_format(job->modified, date);
        stream_set_header(job->stream, STR("Last-Modified"), str_of(date));
    }
}

static void set_content(struct static_job *job) {
    set_default(job->stream, STR("Content-Type"), media_type_of(str_of(job->path)));
    if (job->coding)
        stream_set_header(job->stream, STR("Content-Encoding"), job->coding->name);
    if (job->plain && job->end.len == 0)
        stream_set_header(job->stream, STR("Accept-Ranges"), STR("bytes"));
}

static void set_content_range(struct static_job *job) {
    char text[80];
    uint64_t size = (uint64_t)job->st.st_size;
    if (job->status == 206)
        snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, job->part.first,
                 job->part.last, size);
    else
        snprintf(text, sizeof(text), "bytes */%" PRIu64, size);
    stream_set_header(job->stream, STR("Content-Range"), str_of(text));
}

/* Sends the head. */
static int begin(struct static_job *job) {
    struct stream *stream = job->stream;
    if (stream->state != STREAM_OPEN)
        return stream->state == STREAM_CLOSED ? STREAM_ECLOSED : STREAM_EHEAD;
    if (job->plain)
        stream_set_status(stream, job->status);
    set_validators(job);
    if (job->status == 304)
        return stream_start(stream, 0);
    set_content(job);
    if (job->status == 206)
        set_content_range(job);
    int rc = stream_start(stream, (int64_t)(job->left + job->end.len));
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
    if (log_admits(&complaints, LOG_WARN))
        log_warn("static: %s%s%s: %s", job->root ? job->root : "", job->root ? "/" : "", job->path,
                 what);
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
    job->offset += job->want;
    job->left -= job->want;
    if (job->left == 0)
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
    int error = job->fd;
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
    if (job->status == 416)
        set_content_range(job);
    leave(job);
    stream_fail(stream, job->status, NULL);
    tell(job, 0);
    stream_unref(stream);
}

static void answer(struct static_job *job) {
    if (job->status >= 400 && job->stream->state == STREAM_OPEN) {
        decline(job);
        return;
    }
    int rc = begin(job);
    tell(job, rc);
    if (job->stream && rc == 0 && job->head_only)
        stream_write(job->stream, NULL, job->left); /* measured, never looked at */
    if (!job->stream)
        return;
    if (rc < 0)
        leave(job);
    else if (job->left == 0 || job->head_only)
        end(job);
    else
        pass(job);
}

static void found(struct work *work) {
    struct static_job *job = CONTAINER_OF(work, struct static_job, work);
    if (job->stream && job->fd < 0)
        refuse(job);
    else if (job->stream)
        answer(job);
    settle(job);
}

/* --- beginning --- */

static struct str keep(struct static_job *job, struct str name) {
    struct str value = request_header(job->stream->request, name);
    if (!value.ptr)
        return value;
    struct str kept = {job->fields.data + job->fields.len, value.len};
    buf_add(&job->fields, value);
    return kept;
}

/* Room for all fields at once, so that none of the borrowed ones moves. */
static void keep_fields(struct static_job *job) {
    buf_reserve(&job->fields, job->stream->request->bytes.len);
    job->pre = (struct preconditions){
        .if_match = keep(job, STR("if-match")),
        .if_none_match = keep(job, STR("if-none-match")),
        .if_modified_since = keep(job, STR("if-modified-since")),
        .if_unmodified_since = keep(job, STR("if-unmodified-since")),
        .if_range = keep(job, STR("if-range")),
    };
    job->range = keep(job, STR("range"));
    job->accept = keep(job, STR("accept-encoding"));
}

static struct static_job *make_job(struct stream *stream, const char *root, char *path,
                                   int64_t max_age) {
    struct static_job *job = mem_zalloc(sizeof(*job));
    *job = (struct static_job){
        .producer = {&producer_ops},
        .stream = stream_ref(stream),
        .loop = stream->server->loop,
        .root = root ? mem_strdup(root) : NULL,
        .path = path,
        .max_age = max_age,
        .head_only = stream->head_only,
        .fd = -1,
    };
    bool get = stream->head_only || str_eq(request_method(stream->request), STR("GET"));
    job->plain = get && (stream->status == 0 || stream->status == 200);
    keep_fields(job);
    stream_end_page(stream, media_type_of(str_of(path)), &job->end);
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
    job->in_dir = true;
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

/* representation: which bytes of which file answer a request, and what the head says of them.
 *
 *     init            in the pool: find                               describe
 *     ────            ─────────────────                               ────────
 *     what the  ────> open, siblings, validators, preconditions, ───> status and fields
 *     request asks    range: a descriptor and a part of it
 *
 * The terms are those of RFC 9110: of a file there are several representations, itself and its
 * encoded siblings; validators are of the one that was selected; its preconditions and its range
 * are decided upon in the order of section 13.2.2. All of it is decided on the open descriptor, so
 * what was checked is what is sent, even when the name is given to another file meanwhile.
 *
 * A pool thread must not look at the stream, which may close meanwhile, so the request's fields are
 * copied before. How the bytes are read and sent it does not know. */
#include "http/representation.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/file.h"
#include "proto/date.h"
#include "proto/header.h"
#include "proto/media.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

static const struct coding {
    const char *suffix; /* of the sibling's name */
    struct str name;    /* as the fields have it */
    const char *tag;    /* of the entity tag: the encoded bytes are another representation */
} codings[] = {{".br", {"br", 2}, "-br"}, {".gz", {"gzip", 4}, "-gz"}};

/* --- what is asked --- */

static struct str keep(struct representation *found, const struct request *request,
                       struct str name) {
    struct str value = request_header(request, name);
    if (!value.ptr)
        return value;
    struct str kept = {found->fields.data + found->fields.len, value.len};
    buf_add(&found->fields, value);
    return kept;
}

/* Room for all fields at once, so that none of the borrowed ones moves. */
static void keep_fields(struct representation *found, const struct request *request) {
    buf_reserve(&found->fields, request->bytes.len);
    found->pre = (struct preconditions){
        .if_match = keep(found, request, STR("if-match")),
        .if_none_match = keep(found, request, STR("if-none-match")),
        .if_modified_since = keep(found, request, STR("if-modified-since")),
        .if_unmodified_since = keep(found, request, STR("if-unmodified-since")),
        .if_range = keep(found, request, STR("if-range")),
    };
    found->range = keep(found, request, STR("range"));
    found->accept = keep(found, request, STR("accept-encoding"));
}

void representation_init(struct representation *found, const char *root, char *path_take,
                         const struct stream *stream) {
    bool get = stream->head_only || str_eq(request_method(stream->request), STR("GET"));
    *found = (struct representation){
        .root = root ? mem_strdup(root) : NULL,
        .path = path_take,
        .plain = get && (stream->status == 0 || stream->status == 200),
        .head_only = stream->head_only,
        .fd = -1,
    };
    keep_fields(found, stream->request);
}

void representation_fini(struct representation *found) {
    if (found->fd >= 0)
        file_close(found->fd);
    buf_fini(&found->fields);
    free(found->root);
    free(found->path);
}

/* --- what is found --- */

static int open_named(const struct representation *found, const char *suffix, struct stat *st) {
    char name[PATH_MAX];
    int n = snprintf(name, sizeof(name), "%s%s", found->path, suffix);
    if (n >= (int)sizeof(name))
        return -ENAMETOOLONG;
    return found->root ? file_open_beneath(found->root, (struct str){name, (size_t)n}, st)
                       : file_open(name, st);
}

static bool is_older(const struct stat *st, const struct stat *than) {
    const struct timespec *a = &st->st_mtim, *b = &than->st_mtim;
    return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Takes the sibling that the client likes best, if it likes one no less than the file as it is. One
 * that is older is of what the file was before. */
static void choose_coding(struct representation *found) {
    int best = header_accepts_coding(found->accept, STR("identity")) - 1;
    const struct stat plain = found->st;
    for (size_t i = 0; i < sizeof(codings) / sizeof(codings[0]); i++) {
        struct stat st;
        int fd = open_named(found, codings[i].suffix, &st);
        if (fd < 0)
            continue;
        if (is_older(&st, &plain)) {
            file_close(fd);
            continue;
        }
        found->varies = true;
        int weight = header_accepts_coding(found->accept, codings[i].name);
        if (weight > 0 && weight > best) {
            int worse = found->fd;
            best = weight;
            found->fd = fd;
            found->st = st;
            found->coding = &codings[i];
            fd = worse;
        }
        file_close(fd);
    }
}

/* Last-Modified must not be later than Date (RFC 9110 section 8.8.2.1). Builds that set all times
 * alike take 0 or 1, which say nothing. */
static void make_validators(struct representation *found) {
    int64_t now = clock_wall_ns() / 1000000000;
    file_tag_make(found->fd, &found->st, found->coding ? found->coding->tag : "", found->etag);
    int64_t mtime = (int64_t)found->st.st_mtim.tv_sec;
    found->modified = mtime <= 1 ? MODIFIED_NONE : mtime < now ? mtime : now;
}

/* Sets the status and which bytes are to be sent. Range is defined for GET only (section 14.2). */
static void decide(struct representation *found) {
    struct validators now = {.etag = str_of(found->etag), .modified = found->modified};
    uint64_t size = (uint64_t)found->st.st_size;
    bool range_holds = false;
    bool asks = found->plain && !found->amended;
    found->status = asks ? conditional_status(&found->pre, &now, &range_holds) : 200;
    if (found->status == 200 && range_holds && found->range.ptr && !found->head_only) {
        enum range_verdict verdict = range_parse(found->range, size, &found->part);
        if (verdict != RANGE_NONE)
            found->status = verdict == RANGE_PARTIAL ? 206 : 416;
    }
    found->offset = found->status == 206 ? found->part.first : 0;
    if (found->status == 206)
        found->left = found->part.last - found->part.first + 1;
    else
        found->left = found->status == 200 ? size : 0;
}

void representation_find(struct representation *found) {
    found->fd = open_named(found, "", &found->st);
    if (found->fd < 0)
        return;
    if (found->siblings && !found->amended)
        choose_coding(found);
    make_validators(found);
    decide(found);
}

/* --- what is told --- */

static void set_default(struct stream *stream, struct str name, const char *value) {
    if (!stream_get_header(stream, name).ptr)
        stream_set_header(stream, name, str_of(value));
}

static void set_cache_control(struct stream *stream, int64_t max_age) {
    char text[40] = "no-cache";
    if (max_age >= 0)
        snprintf(text, sizeof(text), "max-age=%" PRId64, max_age);
    set_default(stream, STR("Cache-Control"), text);
}

/* What a 304 has to repeat of the 200 that it stands for (RFC 9110 section 15.4.5). */
static void set_validators(const struct representation *found, struct stream *stream,
                           int64_t max_age) {
    if (found->amended) {
        stream_set_header(stream, STR("Cache-Control"), STR("no-store"));
        return;
    }
    set_cache_control(stream, max_age);
    if (found->varies)
        stream_add_header(stream, STR("Vary"), STR("Accept-Encoding"));
    if (!found->plain)
        return;
    stream_set_header(stream, STR("ETag"), str_of(found->etag));
    if (found->modified != MODIFIED_NONE) {
        char date[HTTP_DATE_LEN + 1];
        http_date_format(found->modified, date);
        stream_set_header(stream, STR("Last-Modified"), str_of(date));
    }
}

static void set_content(const struct representation *found, struct stream *stream) {
    set_default(stream, STR("Content-Type"), media_type_of(str_of(found->path)));
    if (found->coding)
        stream_set_header(stream, STR("Content-Encoding"), found->coding->name);
    if (found->plain && !found->amended)
        stream_set_header(stream, STR("Accept-Ranges"), STR("bytes"));
}

void representation_set_range(const struct representation *found, struct stream *stream) {
    char text[80];
    uint64_t size = (uint64_t)found->st.st_size;
    if (found->status == 206)
        snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, found->part.first,
                 found->part.last, size);
    else
        snprintf(text, sizeof(text), "bytes */%" PRIu64, size);
    stream_set_header(stream, STR("Content-Range"), str_of(text));
}

void representation_describe(const struct representation *found, struct stream *stream,
                             int64_t max_age) {
    if (found->plain)
        stream_set_status(stream, found->status);
    set_validators(found, stream, max_age);
    if (found->status == 304)
        return;
    set_content(found, stream);
    if (found->status == 206)
        representation_set_range(found, stream);
}

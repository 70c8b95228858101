/* follow: one reader of a file that grows: an offset in it, and the lines from there on.
 *
 *     start --after--> resume: in memory, or in the folder (kin) --> past files --+
 *       |                                    | not there: a gap                   v
 *       +--lines---------------> search <----+ ------------> window, or pread --> lines
 *
 * The rules, which lua/REFERENCE.md repeats for users:
 *
 *   - What a line is, lines.c says; what becomes of a file that is renamed, removed, replaced or
 *     truncated, logfile.c says. Every line is given once, in order.
 *   - It begins before the last `lines` lines, which are searched from the end of the file as it
 *     was when it was asked for, in the window or else in at most 16 MiB; if those hold fewer, at
 *     the first line that begins in them, and if none does (one line longer than that), at the end.
 *     A last line without LF is none of them: it is given in addition, with what completes it. A
 *     file that was not there then is new and is given from its start.
 *   - Or it begins behind a line that was given before, by its id. If that file is renamed, or
 *     copied and truncated, its rest is read where it is now, then the files between it and the one
 *     under the path, then that. If it is not there any more that is a gap of nobody knows how many
 *     lines, and it begins as if there was no id.
 *   - A last line without LF is held back until its LF comes; if its file is rotated or truncated
 *     away instead, it is given as it is.
 *
 * Nothing is read ahead but the block from which the lines are taken: who is in step takes it from
 * the follower's window, who is behind reads 64 KiB at a time on a pool thread, and who does not
 * come is a number. What was read by pread is made sure of: the bytes before the offset (the mark)
 * must be those that were read before, or the file has been truncated meanwhile. Then, and if the
 * follower keeps too many former files, what is neither in the window nor in a copy is lost, which
 * is told with its number of lines if they have been counted: from where it began or first was in
 * step.
 *
 * Owned by whoever called follow_new, on that loop. One piece of work at a time may be at it in the
 * pool (`busy`); so follow_free only marks it, and the end of the work frees it. It knows nothing
 * of Lua, and not what the bytes mean. */
#include "tail/follow.h"

#include "base/log.h"
#include "base/mem.h"
#include "tail/follow_own.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define AGAIN_MS 250 /* between looks at it */

static bool fill(struct follow *follow);

/* ---- what is missing --------------------------------------------------------------------------*/

void follow_tell_gap(struct follow *follow, int64_t lines) {
    tail_count(TAIL_GAPS, 1);
    if (lines > 0)
        tail_count(TAIL_LOST, lines);
    if (follow->gap_due && (lines < 0 || follow->gap_lines_due < 0))
        follow->gap_lines_due = -1;
    else
        follow->gap_lines_due = follow->gap_due ? follow->gap_lines_due + lines : lines;
    follow->gap_due = true;
}

/* Goes on where bytes of the part are to be had again: at a line of it in the window, or its end.
 * Under the lock. */
static void fall_forward(struct follow *follow) {
    struct part *part = follow->part;
    const struct window *window = &follow->follower->window;
    uint64_t end = part_position(part, part->end), begin = window_begin(window);
    uint64_t at = window_first(window, begin < part->at ? part->at : begin, end);
    uint64_t line_no = part->lines - window_lines(window, at < begin ? begin : at, end);
    int64_t lost = follow->counted ? (int64_t)(line_no - follow->line_no) : -1;
    if (lost >= 0 && at == end && part->ended && part->open_line)
        lost++;
    if (lost != 0)
        follow_tell_gap(follow, lost);
    lines_drop(&follow->lines);
    follow->offset = follow->given.offset = part->start + (at - part->at);
    follow->line_no = line_no;
    follow->counted = true;
    follow->mark_len = 0;
    follow->doubt = 0;
    follow->peeks = false;
}

/* ---- reading ----------------------------------------------------------------------------------*/

void follow_submit(struct follow *follow, enum follow_work kind, struct source *source) {
    follow->kind = kind;
    follow->source = source ? source_ref(source) : NULL;
    follow->busy = true;
    if (kind != WORK_RESUME)
        follow->block = mem_alloc(LOGFILE_MARK + LOGFILE_BLOCK);
    work_submit(follow->loop, &follow->work);
}

/* Keeps the last of them. */
void follow_mark(struct follow *follow, struct str bytes) {
    size_t n = bytes.len < LOGFILE_MARK ? bytes.len : LOGFILE_MARK;
    if (n == 0)
        return;
    size_t keep = follow->mark_len + n > LOGFILE_MARK ? LOGFILE_MARK - n : follow->mark_len;

    memmove(follow->mark, follow->mark + follow->mark_len - keep, keep);
    memcpy(follow->mark + keep, bytes.ptr + bytes.len - n, n);
    follow->mark_len = keep + n;
}

/* Passes over the byte before the one that it begins with: if that is no LF, a piece comes. */
static struct str peek(struct follow *follow, struct str bytes) {
    follow->peeks = false;
    follow->given.offset++;
    follow->lines.inside = *bytes.ptr != '\n';
    follow->line_no += *bytes.ptr == '\n';
    return (struct str){bytes.ptr + 1, bytes.len - 1};
}

void follow_add(struct follow *follow, struct str bytes, uint64_t hole) {
    follow_mark(follow, bytes);
    follow->offset += bytes.len + hole;
    if (follow->peeks && bytes.len > 0)
        bytes = peek(follow, bytes);
    lines_add(&follow->lines, bytes.ptr, bytes.len);
    follow->taken += bytes.len;
    if (hole > 0) {
        lines_skip(&follow->lines, hole);
        follow->mark_len = 0;
    }
}

/* From the start of the next part. Under the lock. */
void follow_enter(struct follow *follow, struct part *part) {
    follow->part = part;
    follow->offset = 0;
    follow->given = part->head;
    follow->given.offset = 0;
    follow->line_no = 0;
    follow->counted = part->start == 0;
    follow->mark_len = 0;
    follow->doubt = 0;
    follow->peeks = false;
}

static void drop_own(struct follow *follow) {
    source_unref(follow->own);
    source_unref(follow->own_of);
    follow->own = follow->own_of = NULL;
}

static void enter_next(struct follow *follow) {
    drop_own(follow);
    struct part *before = follow->part;
    follow_enter(follow, part_ref(before->next));
    part_unref(before);
}

/* It waits until the follower has looked again. Under the lock. */
bool follow_ask(struct follow *follow) {
    follow->wait.least = follow->follower->window.end + follow->need;
    follower_wait(follow->follower, &follow->wait);
    return false;
}

bool follow_ask_look(struct follow *follow) {
    follower_nudge(follow->follower);
    follow_ask(follow);
    follow->wait.least = 0; /* whatever it brings */
    return false;
}

/* What is to be done when the file is not what it was: the follower must know of it, too. */
static bool doubt(struct follow *follow) {
    if (follow->follower->looks >= follow->doubt) {
        fall_forward(follow);
        return true;
    }
    return follow_ask_look(follow);
}

void follow_count(struct follow *follow) {
    const struct part *part = follow->part;
    uint64_t at = part_position(part, follow->offset), end = part_position(part, part->end);

    if (!follow->counted)
        follow->line_no = part->lines - window_lines(&follow->follower->window, at, end);
    follow->counted = true;
    follow->doubt = 0;
}

/* Under the lock. False: there is nothing to be done now. */
static bool read_part(struct follow *follow) {
    struct follower *follower = follow->follower;
    struct part *part = follow->part;

    if (follow->offset >= part->end && part->ended) {
        lines_flush(&follow->lines);
        if (lines_ready(&follow->lines) > 0)
            return true;
        enter_next(follow);
        return follow->search ? follow_search(follow) : true;
    }
    if (follow->offset >= part->end)
        return follow_ask(follow);
    follow->given.head_len = part->head.head_len;
    follow->given.hash = part->head.hash;
    if (follower_has(follower, part, follow->offset)) {
        uint64_t at = part_position(part, follow->offset), end = part_position(part, part->end);
        follow_count(follow);
        size_t most = end - at < LOGFILE_BLOCK ? (size_t)(end - at) : LOGFILE_BLOCK;
        follow_add(follow, window_piece(&follower->window, at, most), 0);
        return true;
    }
    if (part->source == NULL) {
        fall_forward(follow);
        return true;
    }
    if (follow->doubt > 0 && follow->source == part->source)
        return doubt(follow);
    source_unref(follow->source);
    follow->source = NULL;
    follow_submit(follow, WORK_READ, part->source);
    return false;
}

/* It is tried again, and said once. */
void follow_fail(struct follow *follow, int error) {
    if (!follow->said_error)
        log_warn("tail: %s: %s; trying again until it can be read", follow->follower->path,
                 logfile_reason(error));
    follow->said_error = true;
    loop_timer(follow->loop, &follow->timer, AGAIN_MS);
}

/* What the follower has not seen yet comes by the window. */
static void take_block(struct follow *follow) {
    size_t mark = follow->mark_len;

    uv_mutex_lock(&follow->follower->lock);
    unsigned looks = follow->follower->looks;
    bool same = follow->part->source == follow->source;
    uint64_t room = follow->part->end > follow->offset ? follow->part->end - follow->offset : 0;
    uv_mutex_unlock(&follow->follower->lock);
    if (follow->got > (ssize_t)mark && memcmp(follow->block, follow->mark, mark) == 0) {
        size_t n = (size_t)follow->got - mark < room ? (size_t)follow->got - mark : (size_t)room;
        uint64_t hole = follow->hole < room - n ? follow->hole : room - n;
        tail_count(TAIL_REREAD, (int64_t)n);
        follow_add(follow, (struct str){follow->block + mark, n}, hole);
        follow->doubt = 0;
        follow->said_error = false;
    } else if (follow->got < 0 && follow->got != -EAGAIN) {
        follow_fail(follow, (int)follow->got);
    } else if (follow->got >= 0 && same) {
        follow->doubt = looks + 2; /* one may be under way */
    }
}

/* ---- the work ---------------------------------------------------------------------------------*/

static void run_read(struct follow *follow) {
    size_t mark = 0, most = LOGFILE_BLOCK;

    follow->hole = 0;
    if (has_past(follow)) {
        follow_run_past(follow);
    } else {
        mark = follow->source->gz ? 0 : follow->mark_len;
        follow->mark_len = mark;
        follow->got =
            source_read(follow->source, follow->block, mark + most, follow->offset - mark);
    }
    if (follow->got == (ssize_t)(mark + most) &&
        source_is_hole((struct str){follow->block + mark, most}))
        follow->hole =
            source_skip_hole(follow->source, follow->offset + most) - (follow->offset + most);
}

/* What is packed is inflated by one at a time: each reader has the file open for itself, for as
 * long as it is at it. NULL: it cannot be had. */
static struct source *own(struct follow *follow) {
    struct source *shared = follow->source;
    if (shared == NULL || shared->gz == NULL || has_past(follow))
        return shared;
    if (follow->own_of != shared || follow->own == NULL) {
        drop_own(follow);
        follow->own_of = source_ref(shared);
        follow->own = source_again(shared);
    }
    return follow->own;
}

static void run(struct work *work) {
    struct follow *follow = CONTAINER_OF(work, struct follow, work);
    struct source *shared = follow->source;

    follow->source = own(follow);
    if (shared && follow->source == NULL)
        follow->got = -EMFILE;
    else if (follow->kind == WORK_SEARCH)
        follow_run_search(follow);
    else if (follow->kind == WORK_RESUME)
        follow_run_resume(follow);
    else
        run_read(follow);
    follow->source = shared;
}

static void release(struct follow *follow) {
    uv_mutex_lock(&follow->follower->lock);
    part_unref(follow->part);
    uv_mutex_unlock(&follow->follower->lock);
    kin_fini(&follow->past);
    source_unref(follow->source);
    drop_own(follow);
    free(follow->block);
    follower_leave(follow->follower);
    lines_fini(&follow->lines);
    free(follow);
    tail_count(TAIL_VIEWERS, -1);
}

/* There may be lines now. */
static void go_on(struct follow *follow) {
    bool runs = follow->runs; /* it reads on by itself, perhaps what another has made */
    follow->runs = false;
    if ((runs || fill(follow) || (follow->ends && follow_at_end(follow))) && follow->starved) {
        follow->starved = false;
        follow->on_ready(follow, follow->arg); /* may free it */
    }
}

static void done(struct work *work) {
    struct follow *follow = CONTAINER_OF(work, struct follow, work);

    follow->busy = false;
    if (follow->freed) {
        release(follow);
        return;
    }
    if (follow->kind == WORK_SEARCH)
        follow_take_search(follow);
    else if (follow->kind == WORK_RESUME)
        follow_take_resume(follow);
    else if (has_past(follow))
        follow_take_past(follow);
    else
        take_block(follow);
    if (follow->doubt == 0) { /* else it is remembered which one it was */
        source_unref(follow->source);
        follow->source = NULL;
    }
    free(follow->block);
    follow->block = NULL;
    go_on(follow);
}

/* ---- for the owner ----------------------------------------------------------------------------*/

static bool step(struct follow *follow) {
    if (follow->started && has_past(follow)) {
        follow_read_past(follow);
        return false;
    }
    uv_mutex_lock(&follow->follower->lock);
    bool moved = !follow->started                         ? follow_start(follow)
                 : follow->search && follow->part->source ? follow_search(follow)
                                                          : read_part(follow);
    uv_mutex_unlock(&follow->follower->lock);
    return moved;
}

/* Until there is a line; false: it is waited for. */
static bool fill(struct follow *follow) {
    while (lines_ready(&follow->lines) == 0) {
        if (follow->busy || timer_is_set(&follow->timer))
            return false;
        if (follow->taken > FOLLOW_TURN_BYTES) { /* others have their turn */
            follow->taken = 0;
            loop_post(follow->loop, &follow->wait.mail);
            return false;
        }
        if (!step(follow))
            return false;
    }
    return true;
}

static void on_mail(struct mail *mail) {
    go_on(CONTAINER_OF(mail, struct follow, wait.mail));
}

static void on_timer(struct timer *timer) {
    go_on(CONTAINER_OF(timer, struct follow, timer));
}

int follow_new(struct loop *loop, const char *path, const struct follow_options *options,
               void (*on_ready)(struct follow *, void *), void *arg, struct follow **out) {
    struct follower *follower;
    struct stat st;

    if (path[0] == '\0' || options->lines > FOLLOW_LINES_MAX || options->max_line == 0 ||
        options->max_line > FOLLOW_LINE_BYTES_MAX)
        return UV_EINVAL;
    int rc = follower_join(path, &follower);
    if (rc < 0)
        return rc;
    struct follow *follow = mem_zalloc(sizeof *follow);
    follow->follower = follower;
    uv_mutex_lock(&follower->lock); /* before it is seen whether there is a file */
    follow->part = follower_newest(follower);
    uv_mutex_unlock(&follower->lock);
    follow->loop = loop;
    follow->on_ready = on_ready;
    follow->arg = arg;
    follow->last = options->lines;
    follow->whole = options->whole;
    follow->seek = options->seek;
    follow->time = options->time;
    follow->need = 1;
    follow->work.run = run;
    follow->work.done = done;
    follow->wait.loop = loop;
    follow->wait.mail.run = on_mail;
    list_init(&follow->wait.link);
    timer_init(&follow->timer, on_timer);
    lines_init(&follow->lines, options->max_line);
    if (options->after.ptr) {
        follow->has_after = place_parse(options->after, &follow->after) == 0;
        if (!follow->has_after)
            follow_tell_gap(follow, -1);
    }
    if (stat(path, &st) == 0) {
        follow->asked_dev = st.st_dev;
        follow->asked_ino = st.st_ino;
        follow->asked_size = (uint64_t)st.st_size;
    } else {
        follow->awaited = logfile_is_absent(-errno);
    }
    tail_count(TAIL_VIEWERS, 1);
    fill(follow);
    *out = follow;
    return 0;
}

bool follow_next(struct follow *follow, struct str *line) {
    follow->runs = false;
    if (!fill(follow) || !lines_next(&follow->lines, line)) {
        follow->starved = true;
        return false;
    }
    follow->given.offset += follow->lines.raw;
    follow->line_no += follow->lines.ended;
    follow->gap = follow->gap_due;
    follow->gap_lines = follow->gap_lines_due;
    follow->gap_due = false;
    return true;
}

size_t follow_id(const struct follow *follow, char out[FOLLOW_ID_MAX]) {
    struct place place = follow_place(follow);
    return place_write(out, &place);
}

bool follow_gap(const struct follow *follow, int64_t *lines) {
    *lines = follow->gap_lines;
    return follow->gap;
}

struct place follow_begin(const struct follow *follow) {
    struct place place = follow->given;
    place.offset -= follow->lines.raw;
    return place;
}

bool follow_ended(const struct follow *follow) {
    return follow->lines.ended;
}

bool follow_cut(const struct follow *follow) {
    return follow->lines.cut;
}

struct place follow_place(const struct follow *follow) {
    struct place place = follow->given;
    place.offset += follow->peeks;
    return place;
}

void follow_free(struct follow *follow) {
    follow->freed = true;
    timer_clear(&follow->timer);
    uv_mutex_lock(&follow->follower->lock);
    list_remove(&follow->wait.link);
    uv_mutex_unlock(&follow->follower->lock);
    loop_retract(follow->loop, &follow->wait.mail);
    if (!follow->busy)
        release(follow);
}

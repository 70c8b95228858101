/* follow_share: a reader in step with its file, among others who are.
 *
 *     follow_run --> at the same position as another: what that one has made of the lines is used
 *        |                                                                              |
 *        +---> else follow_copy, and what is made of them is kept ----------------> follow_pass
 *
 * A hundred viewers of a log stand at the same byte of it nearly always, and want the same lines in
 * the same form. So who can share asks where it stands, and passes over what it has got elsewhere:
 * lines are neither copied nor cut for each of them. Where the follower's window does not suffice
 * (it is behind, a file has ended, a line has no end yet) it reads by follow_next as others do.
 *
 * A part of follow, under whose rules about threads it stands. */
#include "tail/follow_own.h"

/* Whether nothing stands between it and the next byte of its part. */
static bool is_aligned(const struct follow *follow) {
    const struct lines *lines = &follow->lines;
    return follow->started && !follow->busy && !follow->search && !follow->peeks &&
           !follow->gap_due && !has_past(follow) && !timer_is_set(&follow->timer) &&
           lines_ready(lines) == 0 && lines->pending == 0 && !lines->inside;
}

static enum follow_at_hand wait_for_more(struct follow *follow) {
    follow_ask(follow);
    follow->starved = follow->runs = true;
    return FOLLOW_WAITS;
}

/* The position behind the last line that is there, 0: there is none. */
static uint64_t last_line(const struct follow *follow) {
    const struct part *part = follow->part;
    return window_last(&follow->follower->window, part_position(part, follow->offset),
                       part_position(part, part->end));
}

/* Whether the bytes that are there begin a line whose end is still to come. Under the lock. */
static bool is_within_line(const struct follow *follow) {
    const struct part *part = follow->part;
    return !part->ended && part->end - follow->offset <= follow->lines.max_line &&
           last_line(follow) == 0;
}

/* Under the lock. */
static enum follow_at_hand look(struct follow *follow, struct follow_run *run) {
    const struct part *part = follow->part;

    if (follow->offset >= part->end)
        return part->ended ? FOLLOW_NEXT : wait_for_more(follow);
    if (!follower_has(follow->follower, part, follow->offset))
        return FOLLOW_NEXT;
    if (last_line(follow) == 0)
        return is_within_line(follow) ? wait_for_more(follow) : FOLLOW_NEXT;
    follow_count(follow);
    follow->given.head_len = part->head.head_len;
    follow->given.hash = part->head.hash;
    *run = (struct follow_run){.follower = follow->follower->serial,
                               .position = part_position(part, follow->offset),
                               .place = follow->given};
    return FOLLOW_RUN;
}

enum follow_at_hand follow_run(struct follow *follow, struct follow_run *run) {
    if (!is_aligned(follow))
        return FOLLOW_NEXT;
    uv_mutex_lock(&follow->follower->lock);
    enum follow_at_hand found = look(follow, run);
    uv_mutex_unlock(&follow->follower->lock);
    return found;
}

/* Since follow_run the window may have moved on. Under the lock. */
static void copy(const struct follow *follow, struct buf *out, size_t most) {
    const struct window *window = &follow->follower->window;

    if (!follower_has(follow->follower, follow->part, follow->offset))
        return;
    uint64_t at = part_position(follow->part, follow->offset), end = last_line(follow);
    if (end - at > most) {
        uint64_t fits = window_last(window, at, at + most);
        end = fits > 0 ? fits : end;
    }
    while (at < end) {
        struct str piece = window_piece(window, at, (size_t)(end - at));
        buf_add(out, piece);
        at += piece.len;
    }
}

bool follow_copy(struct follow *follow, struct buf *out, size_t most) {
    uv_mutex_lock(&follow->follower->lock);
    copy(follow, out, most);
    uv_mutex_unlock(&follow->follower->lock);
    return out->len > 0;
}

void follow_pass(struct follow *follow, uint64_t bytes, uint64_t lines, struct str tail) {
    follow->offset += bytes;
    follow->given.offset = follow->offset;
    follow->line_no += lines;
    follow->gap = false;
    follow->lines.cut = false;
    follow->lines.inside = tail.len > 0 && tail.ptr[tail.len - 1] != '\n';
    follow->mark_len = 0;
    follow_mark(follow, tail);
}

/* ---- how far it is behind ---------------------------------------------------------------------*/

void follow_need(struct follow *follow, size_t bytes) {
    follow->need = bytes;
}

/* Whether there is no line yet for who shares, for whom a part of one stays where it is. Under the
 * lock. */
static bool awaits_line(const struct follow *follow) {
    const struct part *part = follow->part;
    if (follow->offset >= part->end)
        return !part->ended;
    return is_aligned(follow) && follower_has(follow->follower, part, follow->offset) &&
           is_within_line(follow);
}

static bool is_at_end(struct follow *follow) {
    if (timer_is_set(&follow->timer))
        return true;
    if (follow->busy || !follow->started || has_past(follow))
        return false;
    uv_mutex_lock(&follow->follower->lock);
    bool at_end = awaits_line(follow);
    uv_mutex_unlock(&follow->follower->lock);
    return at_end;
}

bool follow_at_end(struct follow *follow) {
    bool at_end = is_at_end(follow);
    follow->ends = !at_end;
    return at_end;
}

uint64_t follow_lag(struct follow *follow) {
    uint64_t lag = lines_ready(&follow->lines) + follow->lines.pending;

    uv_mutex_lock(&follow->follower->lock);
    uint64_t at = follow->offset;
    for (const struct part *part = follow->part; part;
         part = part->next, at = part ? part->start : 0)
        lag += part->end > at ? part->end - at : 0;
    uv_mutex_unlock(&follow->follower->lock);
    return lag;
}

/* From the line given last up to the end of `target`; -1: nobody knows. Under the lock. */
static int64_t lines_until(const struct follow *follow, const struct part *target) {
    uint64_t lines = target->lines - (follow->counted ? follow->line_no : 0);

    for (const struct part *part = follow->part; part != target; part = part->next) {
        if (part->next->start != 0)
            return -1;
        lines += part->lines + part->open_line;
    }
    return follow->counted ? (int64_t)lines : -1;
}

/* Where the lines begin that are the last `keep` bytes of a part, as far as they are in memory: a
 * position, the end of its last line at the latest. Under the lock. */
static uint64_t last_lines(const struct window *window, const struct part *part, size_t keep) {
    uint64_t from = window_begin(window) > part->at ? window_begin(window) : part->at;
    uint64_t end = part_position(part, part->end), last = window_last(window, from, end);

    if (last == 0)
        return end;
    if (from == part->at && part->start == 0 && last - from <= keep)
        return from;
    from = last - from > keep ? last - keep - 1 : from; /* an LF there would be right before them */
    for (;;) {
        struct str piece = window_piece(window, from, (size_t)(last - from));
        const char *lf = memchr(piece.ptr, '\n', piece.len);
        from += lf ? (uint64_t)(lf - piece.ptr) + 1 : piece.len;
        if (lf)
            return from;
    }
}

bool follow_skip(struct follow *follow, size_t keep, int64_t *lines) {
    if (follow->busy || !follow->started || has_past(follow) || follow->search)
        return false;
    const struct window *window = &follow->follower->window;
    size_t max_line = follow->lines.max_line;
    lines_fini(&follow->lines);
    lines_init(&follow->lines, max_line);
    uv_mutex_lock(&follow->follower->lock);
    struct part *before = follow->part, *target = follower_newest(follow->follower);
    uint64_t at = last_lines(window, target, keep), end = part_position(target, target->end);
    int64_t kept = (int64_t)window_lines(window, at, end);
    *lines = lines_until(follow, target);
    if (*lines >= 0)
        *lines -= kept;
    follow_enter(follow, target);
    follow->offset = follow->given.offset = target->start + (at - target->at);
    follow->line_no = target->lines - (uint64_t)kept;
    follow->counted = true;
    part_unref(before);
    uv_mutex_unlock(&follow->follower->lock);
    return true;
}

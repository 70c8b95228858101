/* follow_begin: where a reader begins, which follow says: before the last lines of the file, or
 * behind a line that was given before.
 *
 *     start --id--> resume --a part of the follower's, or found in the folder--> there
 *       |             +--not there: a gap--+
 *       +---------------------------------> search: in the window, else by pread --> there
 *
 * Who has no file yet begins in the first part that has one (search, in the next part).
 *
 * A part of follow, under whose rules about threads it stands. It does not read on: what comes
 * behind the place that it has found is not its business. */
#include "base/mem.h"
#include "tail/follow_own.h"

#include <stdlib.h>

/* Under the lock. */
static void begin_at(struct follow *follow, uint64_t offset) {
    follow->offset = offset;
    follow->given = follow->part->head;
    follow->given.offset = offset;
    follow->counted = false;
    if (offset == 0 && follow->part->start == 0) {
        follow->line_no = 0;
        follow->counted = true;
    } else if (follower_has(follow->follower, follow->part, offset)) {
        follow_count(follow);
    }
}

/* Behind an id, which anybody may have made up: whether a line begins there is looked at, for what
 * is shown of a piece of one is another matter. */
static void resume_at(struct follow *follow, uint64_t offset) {
    follow->peeks = offset > 0;
    begin_at(follow, offset - follow->peeks);
}

/* In the window; false: the last lines go further back. Under the lock. */
static bool search_window(struct follow *follow, uint64_t end) {
    const struct window *window = &follow->follower->window;
    const struct part *part = follow->part;
    uint64_t from = window_begin(window) > part->at ? window_begin(window) : part->at;
    uint64_t at = part_position(part, end), start;

    if (end < part->start || end > part->end || at < from)
        return false;
    for (uint32_t found = 0; (start = window_last(window, from, at)) > 0; found++) {
        if (found == follow->last) {
            begin_at(follow, part->start + (start - part->at));
            return true;
        }
        at = start - 1;
    }
    if (from != part->at || part->start != 0)
        return false;
    begin_at(follow, 0);
    return true;
}

/* Before the last lines of the part. Under the lock. False: it takes a while. */
bool follow_search(struct follow *follow) {
    struct part *part = follow->part;
    uint64_t end = part->end;

    follow->search = false;
    follow->from = end;
    if (part->source == NULL) { /* no file yet: it begins in the next one */
        follow->search = !follow->awaited;
        follow->given = part->head;
        follow->offset = follow->given.offset = end;
        return true;
    }
    if (follow->whole) {
        begin_at(follow, 0);
        return true;
    }
    if (follow->awaited)
        follow->last = 0;
    else if (part->source->dev == follow->asked_dev && part->source->ino == follow->asked_ino)
        follow->from = follow->asked_size;
    if (follow->seek == NULL && search_window(follow, follow->from))
        return true;
    source_unref(follow->source);
    follow_submit(follow, WORK_SEARCH, part->source);
    return false;
}

/* On a pool thread, as the next one. */
static void run_seek(struct follow *follow) {
    uint64_t end = follow->from;
    int found = follow->seek(follow->source, end, follow->time, follow->block, LOGFILE_BLOCK,
                             &follow->from);
    follow->got = found < 0 ? found : 0;
    if (found == 0)
        follow->from = end;
}

/* From the end backwards, to behind the LF that is preceded by `last` others. */
static void run_last(struct follow *follow) {
    uint64_t end = follow->from, at = end, start = end;
    uint64_t floor = end > FOLLOW_SEARCHED_BYTES ? end - FOLLOW_SEARCHED_BYTES : 0;
    uint32_t found = 0;

    while (at > floor) {
        size_t n = at - floor < LOGFILE_BLOCK ? (size_t)(at - floor) : LOGFILE_BLOCK;
        follow->got = source_read(follow->source, follow->block, n, at - n);
        if (follow->got < 0)
            return;
        if ((size_t)follow->got < n) { /* it has become shorter */
            follow->from = 0;
            return;
        }
        at -= n;
        const char *lf;
        while ((lf = memrchr(follow->block, '\n', n)) != NULL) {
            n = (size_t)(lf - follow->block);
            start = at + n + 1;
            if (found++ == follow->last) {
                follow->from = start;
                return;
            }
        }
    }
    follow->from = floor > 0 ? start : 0;
}

void follow_run_search(struct follow *follow) {
    if (follow->seek)
        run_seek(follow);
    else
        run_last(follow);
}

void follow_take_search(struct follow *follow) {
    uv_mutex_lock(&follow->follower->lock);
    if (follow->got < 0) {
        follow->search = true;
        follow_fail(follow, (int)follow->got);
    } else {
        begin_at(follow, follow->from);
    }
    uv_mutex_unlock(&follow->follower->lock);
}

/* Among the parts that are there; false: it is in none. Under the lock. */
static bool resume_part(struct follow *follow) {
    struct list *parts = &follow->follower->parts;
    const struct place *after = &follow->after;

    for (struct list *at = parts->prev; at != parts; at = at->prev) {
        struct part *part = CONTAINER_OF(at, struct part, link);
        if (part->head.ino != after->ino || part->head.ino == 0 || after->offset > part->end ||
            !place_fits(after, part->first, part->head.head_len))
            continue;
        part_ref(part);
        part_unref(follow->part);
        follow->part = part;
        resume_at(follow, after->offset);
        return true;
    }
    return false;
}

/* On a pool thread. Where there are too few descriptors nothing is found. */
void follow_run_resume(struct follow *follow) {
    struct kin_wanted wanted = {.place = follow->after};
    if (!source_scarce())
        kin_look(follow->follower->path, &wanted, follow->source, &follow->past);
}

/* What stands in the folder is known, but not yet whether the follower has seen it, too. */
void follow_take_resume(struct follow *follow) {
    uv_mutex_lock(&follow->follower->lock);
    follow->doubt = follow->follower->looks + 2; /* one may be under way */
    uv_mutex_unlock(&follow->follower->lock);
}

/* Where what was found in the folder says. Under the lock. */
static bool resume_past(struct follow *follow) {
    struct kin *past = &follow->past;
    const struct source *now = follow->part->source;

    follow->started = true;
    if (past->found == NULL) {
        follow_tell_gap(follow, -1);
        follow->search = true;
    } else if (now && past->found->ino == now->ino && past->found->dev == now->dev) {
        kin_fini(past);
        resume_at(follow, follow->after.offset);
    } else {
        follow->at_past = 0;
        follow->peeks = follow->after.offset > 0;
        follow->offset = follow->after.offset - follow->peeks;
        follow->given = follow->after;
        follow->given.offset = follow->offset;
        follow->given.head_len = 0; /* more of it may be known by now */
    }
    return true;
}

/* From the newest part on, or what comes before it in the folder. What is in both must not come
 * twice, and of a copy nothing tells that it is: so the folder must have been seen as the follower
 * has seen it, and the newest part must be the file under the path. Under the lock. */
static bool resume(struct follow *follow) {
    struct follower *follower = follow->follower;
    const struct part *newest = follower->newest;

    if (follow->doubt > 0) {
        if (follower->looks < follow->doubt)
            return follow_ask_look(follow);
        bool same = follow->part == newest && follow->source == newest->source;
        follow->doubt = 0;
        source_unref(follow->source);
        follow->source = NULL;
        if (same)
            return resume_past(follow);
        kin_fini(&follow->past);
    }
    part_unref(follow->part);
    follow->part = follower_newest(follower);
    follow->awaited &= newest->source == NULL;
    if (resume_part(follow)) {
        follow->started = true;
        return true;
    }
    if (follower->passes)
        return follow_ask_look(follow);
    follow_submit(follow, WORK_RESUME, newest->source);
    return false;
}

/* Under the lock. */
bool follow_start(struct follow *follow) {
    if (follow->follower->looks == 0)
        return follow_ask(follow);
    if (follow->has_after)
        return resume(follow);
    follow->started = true;
    return follow_search(follow);
}

/* follow_past: the files that a reader who comes back has to read before the one under the path:
 * the rest of the one that it was in, renamed or copied, and those that came after it.
 *
 *     found, from the offset on --end--> after[0] --end--> after[1] ... --end--> the part
 *
 * A renamed file whose writer has not noticed yet may grow: as long as it was written to in the
 * last ten seconds its end is waited for as logfile waits. What cannot be read is a gap of nobody
 * knows how many lines.
 *
 * A part of follow, and each reader has its own: these files are not shared, since those who were
 * away were not away at the same place. */
#include "base/clock.h"
#include "base/log.h"
#include "tail/follow_own.h"

#include <errno.h>
#include <sys/stat.h>

#define LATE_MS 10000 /* a renamed file that was written to since then may be written to again */
#define FILLED_MS 100 /* how long it must not have grown, the one after it having bytes */

static struct source *past_now(const struct follow *follow) {
    return follow->at_past == 0 ? follow->past.found : follow->past.after[follow->at_past - 1];
}

void follow_read_past(struct follow *follow) {
    follow_submit(follow, WORK_READ, past_now(follow));
}

/* The past file is at its end: the next one, or the part. */
static void leave_past(struct follow *follow) {
    follow->quiet_ms = 0;
    follow->given.head_len = 0; /* not known yet */
    follow->given.offset = follow->offset = 0;
    follow->peeks = false;
    follow->mark_len = 0;
    if (follow->at_past++ < follow->past.n_after)
        return;
    kin_fini(&follow->past);
    uv_mutex_lock(&follow->follower->lock);
    follow_enter(follow, follow->part);
    uv_mutex_unlock(&follow->follower->lock);
}

/* Whether a renamed file that has ended may yet be written to: as logfile has it. */
static bool may_grow(struct follow *follow) {
    uint64_t now = clock_mono_ms();

    if (follow->at_past > 0 || !follow->past.renamed || follow->past.found->gz ||
        follow->written_ms + LATE_MS < clock_wall_ms())
        return false;
    if (follow->quiet_ms == 0)
        follow->quiet_ms = now;
    uv_mutex_lock(&follow->follower->lock);
    bool filled = follow->part->end > 0;
    uv_mutex_unlock(&follow->follower->lock);
    return now - follow->quiet_ms < (filled ? FILLED_MS : LATE_MS);
}

void follow_take_past(struct follow *follow) {
    if (follow->given.head_len == 0) {
        uint64_t offset = follow->given.offset;
        follow->given = follow->head;
        follow->given.offset = offset;
    }
    if (follow->got > 0) {
        follow->quiet_ms = 0;
        follow_add(follow, (struct str){follow->block, (size_t)follow->got}, follow->hole);
    } else if (follow->got < 0 && follow->got != -EAGAIN) {
        log_warn("tail: a former file of %s: %s; the rest of it is left out",
                 follow->follower->path, logfile_reason((int)follow->got));
        lines_flush(&follow->lines);
        follow_tell_gap(follow, -1);
        leave_past(follow);
    } else if (follow->got == 0 && may_grow(follow)) {
        loop_timer(follow->loop, &follow->timer, FILLED_MS);
    } else if (follow->got == 0) {
        lines_flush(&follow->lines);
        if (lines_ready(&follow->lines) == 0)
            leave_past(follow);
    }
}

void follow_run_past(struct follow *follow) {
    struct source *source = follow->source;
    struct stat st;

    if (follow->given.head_len == 0) {
        ssize_t n = source_read(source, follow->block, PLACE_HEAD, 0);
        n = n > 0 ? n : 0;
        follow->head = (struct place){.ino = source->ino, .head_len = (uint32_t)n};
        follow->head.hash = place_hash(follow->block, (size_t)n);
    }
    follow->written_ms = INT64_MIN / 2;
    if (fstat(source->fd, &st) == 0)
        follow->written_ms = st.st_mtim.tv_sec * 1000ll + st.st_mtim.tv_nsec / 1000000;
    follow->got = source_read(source, follow->block, LOGFILE_BLOCK, follow->offset);
}

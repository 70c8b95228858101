/* file_tag: the entity tag of a file, which changes when its content does.
 *
 * Size and time of modification do not tell two contents apart: both can be set at will, renaming
 * brings along those of another file, and builds that are to be reproducible give all files the
 * same time. So the tag also holds which file it is and when anything of it was last changed
 * (ctime), which nobody can set. All is hashed, as the numbers are nobody's business.
 *
 * The kernel counts these times in ticks of some milliseconds. A file that was changed in the
 * present tick could be changed once more without a trace, so the end of the tick is waited for. */
#include "http/file_tag.h"

#include "base/siphash.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define TICK_MS_MAX 10

static int64_t ns_of(struct timespec time) {
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* Whether the tick in which it was changed goes on. The clock is the one that stamps files; where
 * another machine does, and its clock is ahead, there is nothing to wait for. */
static bool is_changing(const struct stat *st) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    int64_t ahead = ns_of(st->st_ctim) - ns_of(now);
    return ahead >= 0 && ahead < (int64_t)TICK_MS_MAX * 1000000;
}

static void await_tick(int fd, struct stat *st) {
    static const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < TICK_MS_MAX && is_changing(st); i++) {
        nanosleep(&pause, NULL);
        fstat(fd, st);
    }
}

void file_tag_make(int fd, struct stat *st, const char *suffix, char out[FILE_TAG_MAX]) {
    static const uint64_t key[2] = {0}; /* the same in every worker, and after a restart */
    await_tick(fd, st);
    const int64_t state[] = {ns_of(st->st_mtim), ns_of(st->st_ctim), (int64_t)st->st_ino,
                             (int64_t)st->st_dev};
    uint64_t hash = siphash13(key, (struct str){(const char *)state, sizeof state});
    snprintf(out, FILE_TAG_MAX, "\"%" PRIx64 "-%016" PRIx64 "%s\"", (uint64_t)st->st_size, hash,
             suffix);
}

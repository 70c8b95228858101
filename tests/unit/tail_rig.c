/* The rig of the tail tests: a loop that a test turns by hand. It waits for conditions: a beat each
 * few milliseconds keeps a turn from blocking for good, and counts towards the deadline. */
#include "tail_rig.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "tail/follower.h"
#include "tail/home.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define BEAT_MS 5

static void on_beat(uv_timer_t *beat) {
    struct rig *rig = beat->data;
    rig->beats++;
}

static void on_log(enum log_level level, struct str line, void *arg) {
    struct rig *rig = arg;
    if (level == LOG_DEBUG) {
        rig->debugged++;
    } else if (level == LOG_WARN) {
        rig->warned++;
        snprintf(rig->warning, sizeof rig->warning, "%.*s", STR_ARG(line));
    }
}

int rig_setup(void **state) {
    struct rig *rig = mem_zalloc(sizeof *rig);
    if (loop_init(&rig->loop) != 0)
        return -1;
    home_use(&rig->loop); /* the follower lives here too, so that the test turns it by hand */
    uv_timer_init(&rig->loop.uv, &rig->beat);
    rig->beat.data = rig;
    uv_timer_start(&rig->beat, on_beat, BEAT_MS, BEAT_MS);
    strcpy(rig->folder, "/tmp/weir-tail-XXXXXX");
    if (mkdtemp(rig->folder) == NULL)
        return -1;
    snprintf(rig->path, sizeof rig->path, "%s/log", rig->folder);
    log_set_sink(on_log, rig);
    log_set_level(LOG_DEBUG);
    *state = rig;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

int rig_teardown(void **state) {
    struct rig *rig = *state;
    clock_thaw();
    fault_reset();
    if (rig->follow)
        follow_free(rig->follow);
    if (rig->other)
        follow_free(rig->other);
    uv_close((uv_handle_t *)&rig->beat, NULL);
    for (int turns = 0; turns < 5; turns++) {
        uv_run(&rig->loop.uv, UV_RUN_NOWAIT);
        while (rig->loop.uv.active_reqs.count > 0) /* a look that was under way */
            uv_run(&rig->loop.uv, UV_RUN_NOWAIT);
    }
    home_use(NULL);
    int handles = loop_handles(&rig->loop);
    log_set_level(LOG_INFO);
    log_set_sink(NULL, NULL);
    nftw(rig->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    if (handles > 0) /* of a test that failed: the end of the loop would wait for them for good */
        return -1;
    loop_fini(&rig->loop);
    free(rig);
    return 0;
}

static void on_ready(struct follow *follow, void *arg) {
    struct rig *rig = arg;
    (void)follow;
    rig->ready++;
}

void rig_follow(struct rig *rig, uint32_t lines, size_t max_line) {
    rig_resume(rig, NULL, lines, max_line);
}

void rig_resume(struct rig *rig, const char *after, uint32_t lines, size_t max_line) {
    struct follow_options options = {.lines = lines, .max_line = max_line, .after = str_of(after)};
    assert_int_equal(follow_new(&rig->loop, rig->path, &options, on_ready, rig, &rig->follow), 0);
}

void rig_turn(struct rig *rig) {
    uv_run(&rig->loop.uv, UV_RUN_ONCE);
    if (rig->beats > RIG_PATIENCE)
        fail_msg("waited in vain");
}

/* A look that waits for its turn, while the clock runs. */
static bool is_about_to_look(struct rig *rig) {
    return !clock_is_frozen() && rig->loop.alarm_due <= loop_now(&rig->loop) + 3;
}

/* What was done to a file is in inotify's queue when the call returns, so the first turn hears of
 * it and a look is under way; what that asks for follows in the same way. */
void rig_settle(struct rig *rig) {
    rig->beats = 0;
    do {
        while (rig->loop.uv.active_reqs.count > 0 || is_about_to_look(rig))
            rig_turn(rig);
        for (int turns = 0; turns < 4; turns++)
            uv_run(&rig->loop.uv, UV_RUN_NOWAIT);
    } while (rig->loop.uv.active_reqs.count > 0 || is_about_to_look(rig));
}

void rig_advance(struct rig *rig, uint64_t ms) {
    rig_settle(rig);
    clock_advance_ns(ms * 1000000);
    rig_settle(rig);
}

struct str rig_next(struct rig *rig) {
    struct str line;
    rig->beats = 0;
    while (!follow_next(rig->follow, &line)) {
        int before = rig->ready;
        while (rig->ready == before)
            rig_turn(rig);
    }
    return line;
}

void rig_expect(struct rig *rig, const char *lines) {
    struct str rest = str_of(lines);
    do {
        struct str want = str_cut(&rest, '|');
        struct str got = rig_next(rig);
        if (!str_eq(got, want))
            fail_msg("got \"%.*s\", want \"%.*s\"", STR_ARG(got), STR_ARG(want));
    } while (rest.ptr != NULL);
}

void rig_expect_none(struct rig *rig) {
    struct str line;
    rig_settle(rig);
    if (follow_next(rig->follow, &line))
        fail_msg("got \"%.*s\", want none", STR_ARG(line));
}

const char *rig_path(struct rig *rig, const char *name) {
    static char paths[4][256];
    static unsigned at;
    char *path = paths[at++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", rig->folder, name);
    return path;
}

void rig_append_bytes(struct rig *rig, const char *name, const void *bytes, size_t n) {
    int fd = open(rig_path(rig, name), O_WRONLY | O_CREAT | O_APPEND, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

void rig_append(struct rig *rig, const char *name, const char *text) {
    rig_append_bytes(rig, name, text, strlen(text));
}

void rig_rename(struct rig *rig, const char *from, const char *to) {
    assert_int_equal(rename(rig_path(rig, from), rig_path(rig, to)), 0);
}

void rig_truncate(struct rig *rig, const char *name) {
    assert_int_equal(truncate(rig_path(rig, name), 0), 0);
}

size_t rig_piece(const char *bytes, size_t n, size_t max_line) {
    if (n <= max_line)
        return n;
    size_t back = 1; /* from the end to where its last character begins */
    while (back < max_line && ((unsigned char)bytes[max_line - back] & 0xc0) == 0x80)
        back++;
    unsigned char first = (unsigned char)bytes[max_line - back];
    size_t whole = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    return back < max_line && whole > back ? max_line - back : max_line;
}

/* ---- who comes back, and logrotate ------------------------------------------------------------*/

void rig_come_back(struct rig *rig, const char *id) {
    if (rig->follow)
        follow_free(rig->follow);
    rig->follow = NULL;
    rig_settle(rig);
    rig_resume(rig, id, 0, 100);
}

void rig_leave(struct rig *rig) {
    follow_free(rig->follow);
    rig->follow = NULL;
    rig_settle(rig);
}

const char *rig_id(struct rig *rig) {
    static char ids[4][FOLLOW_ID_MAX + 1];
    static unsigned at;
    char *id = ids[at++ % 4];
    id[follow_id(rig->follow, id)] = '\0';
    return id;
}

const char *rig_read_to(struct rig *rig, const char *text, const char *last) {
    rig_append(rig, "log", text);
    rig_follow(rig, 1000, 100);
    for (;;) {
        struct str line = rig_next(rig);
        if (str_eq(line, str_of(last)))
            break;
    }
    const char *id = rig_id(rig);
    rig_leave(rig);
    return id;
}

static char *content(struct rig *rig, const char *name, size_t *n) {
    struct stat st;
    int fd = open(rig_path(rig, name), O_RDONLY);
    assert_int_equal(fstat(fd, &st), 0);
    char *bytes = malloc((size_t)st.st_size + 1);
    *n = (size_t)read(fd, bytes, (size_t)st.st_size);
    close(fd);
    return bytes;
}

void rig_copy(struct rig *rig, const char *from, const char *to) {
    size_t n;
    char *bytes = content(rig, from, &n);
    rig_append_bytes(rig, to, bytes, n);
    free(bytes);
}

void rig_copytruncate(struct rig *rig, const char *to) {
    rig_copy(rig, "log", to);
    rig_truncate(rig, "log");
}

void rig_pack(struct rig *rig, const char *name) {
    char packed[128];
    size_t n;
    struct stat st;
    char *bytes = content(rig, name, &n);
    snprintf(packed, sizeof packed, "%s.gz", rig_path(rig, name));
    gzFile gz = gzopen(packed, "wb");
    assert_int_equal(gzwrite(gz, bytes, (unsigned)n), n);
    gzclose(gz);
    free(bytes);
    stat(rig_path(rig, name), &st);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, packed, times, 0), 0);
    unlink(rig_path(rig, name));
}

void rig_age(struct rig *rig, const char *name, int seconds) {
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - seconds}};
    assert_int_equal(utimensat(AT_FDCWD, rig_path(rig, name), times, 0), 0);
}

void rig_assert_no_gap(struct rig *rig) {
    int64_t lines;
    assert_false(follow_gap(rig->follow, &lines));
}

void rig_assert_gap(struct rig *rig, int64_t lines) {
    int64_t told;
    assert_true(follow_gap(rig->follow, &told));
    assert_int_equal(told, lines);
}

uint64_t rig_counter(const char *name) {
    const struct counter_row *row = tail_counter_rows;
    while (strcmp(row->name, name) != 0)
        row++;
    return row->read(row->at);
}

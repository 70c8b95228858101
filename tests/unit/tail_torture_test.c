/* Numbered lines through anything that is done to a log, drawn from seeds: they must come exactly
 * once and in order, or be told as missing with the right number.
 *
 *     this process: writes, renames, copies and truncates, packs, deletes, replaces, switches a
 *                   link, finds the disk full within a line
 *     a child:      follows with a thread of its own, says each line, its id and its gap by a pipe;
 *                   is killed by SIGKILL at any moment, and another one begins behind the last id
 *
 * Each second seed is a viewer of logs: the file, with lines among its own that a rule leaves out,
 * and another one beside it that grows and must come exactly once, too. Its ids stand behind whole
 * batches, so a batch counts when its id has been heard. Each fifth log is a symbolic link, which
 * is switched to a new file instead of all that is done to others.
 *
 * What nobody can know is allowed for: lines that were not read when their file was truncated
 * without a copy, or was deleted, may be missing, and may come. Whose last line was in such a file
 * is told of a gap of nobody knows how many lines.
 *
 *     tail_torture_test [FIRST-SEED [COUNT]] */
#include "tail_rig.h"

#include "base/buf.h"
#include "base/mem.h"
#include "logs/stamp.h"
#include "logs/view.h"
#include "tail/home.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#define STEPS 60
#define KEPT STEPS /* rotated files: none is removed while a reader is away */
#define PATIENCE_MS 30000

static unsigned first_seed = 1, seeds = 8;

/* ---- the child --------------------------------------------------------------------------------*/

struct child {
    struct loop loop;
    struct follow *follow;
    struct view *view;
    int out;
};

static void write_out(struct child *child, struct buf *text) {
    if (write(child->out, text->data, text->len) != (ssize_t)text->len)
        _exit(1);
    buf_fini(text);
}

static void say(struct child *child) {
    struct buf text = {0};
    struct str line;
    char id[FOLLOW_ID_MAX];
    while (follow_next(child->follow, &line)) {
        int64_t lost = 0;
        bool gap = follow_gap(child->follow, &lost);
        buf_printf(&text, "%.*s %.*s %d %lld\n", STR_ARG(line), (int)follow_id(child->follow, id),
                   id, gap, (long long)lost);
        write_out(child, &text);
    }
}

static void on_ready(struct follow *follow, void *arg) {
    (void)follow;
    say(arg);
}

/* "line TEXT" for each line of a batch, then "id ID"; "gap DATA". */
static void say_events(struct child *child) {
    struct view_event event;
    struct buf text = {0};
    while (view_next(child->view, &event)) {
        struct str data = event.data;
        if (strcmp(event.name, "gap") == 0)
            buf_printf(&text, "gap %.*s\n", STR_ARG(data));
        while (strcmp(event.name, "lines") == 0 && data.ptr) {
            struct str line = str_cut(&data, '\n');
            buf_printf(&text, "line %.*s\n", STR_ARG(line));
        }
        if (event.id.len > 0)
            buf_printf(&text, "id %.*s\n", STR_ARG(event.id));
        if (text.len > 0)
            write_out(child, &text);
    }
}

static void on_events(struct view *view, void *arg) {
    (void)view;
    say_events(arg);
}

static void look(struct child *child, const char *path, const char *after) {
    struct view_options options = {.lines = 100000,
                                   .max_line = 1000,
                                   .after = str_of(after),
                                   .since = STAMP_NONE,
                                   .before = STAMP_NONE,
                                   .behind = 1u << 30,
                                   .plain = true,
                                   .sift = sift_new()};
    struct sift_rule rule = {.kind = SIFT_TEXT, .exclude = true, .text = STR("noise")};
    char why[256], beside[128];
    const char *wrong;
    struct logs *logs = logs_new(&child->loop);
    sift_add(options.sift, &rule, why, sizeof why);
    snprintf(beside, sizeof beside, "%s-beside", path);
    roster_add(logs->roster, path, false, "{}");
    roster_add(logs->roster, beside, false, "{}");
    child->view = view_new(logs, &options, on_events, child, &wrong);
    say_events(child);
}

static void follow_for_ever(const char *path, const char *after, int out, bool views) {
    struct child *child = mem_zalloc(sizeof *child);
    struct follow_options options = {.lines = 100000, .max_line = 1000, .after = str_of(after)};
    child->out = out;
    if (loop_init(&child->loop) < 0)
        _exit(1);
    if (views)
        look(child, path, after);
    else if (follow_new(&child->loop, path, &options, on_ready, child, &child->follow) < 0)
        _exit(1);
    else
        say(child);
    uv_timer_t keeps;
    uv_timer_init(&child->loop.uv, &keeps);
    uv_timer_start(&keeps, (uv_timer_cb)abort, 600000, 0);
    loop_run(&child->loop);
    _exit(1);
}

/* ---- the torturer -----------------------------------------------------------------------------*/

struct run {
    unsigned seed;
    char folder[64], path[96];
    pid_t pid;
    int from; /* the child's pipe; -1: there is no child */
    struct buf heard;
    char id[256]; /* of the line heard last */
    bool views, linked;
    struct buf batch;             /* lines whose id has not been heard */
    long gap_most;                /* lines of a gap, those left out by the rule among them */
    long beside, expected_beside; /* as the next two, of the file beside */
    long written;                 /* the number of the last line */
    long expected;                /* of the next one */
    long doubtful; /* up to this number lines may be missing, and only for that reason */
    long first;    /* of the lines in the file under the path */
    bool dated;
    int rotations, kills, gaps;
    struct buf trace;
};

static unsigned dice(struct run *run, unsigned sides) {
    return (unsigned)rand_r(&run->seed) % sides;
}

static void note(struct run *run, const char *what) {
    buf_printf(&run->trace, "%s at %ld, expected %ld\n", what, run->written, run->expected);
}

static void start(struct run *run) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    run->pid = fork();
    if (run->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves it */
        close(ends[0]);
        follow_for_ever(run->path, run->id[0] ? run->id : NULL, ends[1], run->views);
    }
    close(ends[1]);
    run->from = ends[0];
}

/* Whether `number` is how the line of `whole` begins. */
static bool is_half(long number, long whole) {
    while (whole > number)
        whole /= 10;
    return whole == number;
}

static void hear_line(struct run *run, char *text) {
    long number;
    int gap;
    long long lost;
    char id[FOLLOW_ID_MAX + 1];
    if (sscanf(text, "%ld %64s %d %lld", &number, id, &gap, &lost) != 4)
        fail_msg("the child said: %s\n%s", text, run->trace.data);
    run->gaps += gap;
    if (gap && lost >= 0)
        run->expected += lost;
    if (number > run->expected && number <= run->expected + run->gap_most)
        run->expected = number; /* some of those that are missing were left out by the rule */
    bool gone = run->doubtful >= number - 1;                                /* with their file */
    bool placeless = gap && lost < 0 && run->doubtful >= run->expected - 1; /* that of the id */
    if (number > run->expected && (gone || placeless))
        run->expected = number;
    if (!run->views)
        snprintf(run->id, sizeof run->id, "%s", id);
    if (number < run->expected && run->doubtful >= run->expected && is_half(number, run->expected))
        return; /* truncated away in the middle, it was given as it was */
    if (number != run->expected)
        fail_msg("got %ld, want %ld (doubtful up to %ld, gap %d of %lld)\n%s", number,
                 run->expected, run->doubtful, gap, lost, run->trace.data);
    run->expected = number + 1;
}

/* What a viewer of logs said, a line of it. */
static void hear_view(struct run *run, char *text) {
    if (strncmp(text, "line ", 5) == 0 || strncmp(text, "gap ", 4) == 0) {
        buf_printf(&run->batch, "%s\n", text);
        return;
    }
    assert_int_equal(strncmp(text, "id ", 3), 0);
    char *at = run->batch.data, *lf, line[512];
    int gap = 0;
    long long lost = 0;
    for (; run->batch.len > 0 &&
           (lf = memchr(at, '\n', run->batch.len - (size_t)(at - run->batch.data)));
         at = lf + 1) {
        *lf = '\0';
        const char *lines = strstr(at, "\"lines\":");
        if (strncmp(at, "gap ", 4) == 0) {
            gap = 1;
            lost = lines ? atoll(lines + 8) : -1;
        } else if (at[5] == 'b') {
            if (atol(at + 6) != run->expected_beside)
                fail_msg("beside: got %s, want %ld\n%s", at, run->expected_beside, run->trace.data);
            run->expected_beside++;
        } else {
            run->gap_most = gap && lost > 0 ? lost : 0;
            snprintf(line, sizeof line, "%s %s %d %lld", at + 5, "-", gap,
                     run->gap_most ? 0 : lost);
            hear_line(run, line);
            gap = 0;
        }
        if (lf + 1 == run->batch.data + run->batch.len)
            break;
    }
    buf_fini(&run->batch);
    snprintf(run->id, sizeof run->id, "%s", text + 3);
}

/* What the child has said so far; waits for `ms` if that is nothing. False: nothing came. */
static bool hear(struct run *run, int ms) {
    struct pollfd poll_in = {.fd = run->from, .events = POLLIN};
    if (run->from < 0 || poll(&poll_in, 1, ms) <= 0)
        return false;
    ssize_t got = read(run->from, buf_reserve(&run->heard, 65536), 65536);
    if (got <= 0)
        return false;
    run->heard.len += (size_t)got;
    size_t at = 0;
    char *lf;
    while ((lf = memchr(run->heard.data + at, '\n', run->heard.len - at)) != NULL) {
        *lf = '\0';
        if (run->views)
            hear_view(run, run->heard.data + at);
        else
            hear_line(run, run->heard.data + at);
        at = (size_t)(lf - run->heard.data) + 1;
    }
    buf_drop(&run->heard, at);
    return true;
}

/* What is not heard yet may be lost. */
static void doubt(struct run *run, long up_to) {
    if (up_to > run->doubtful)
        run->doubtful = up_to;
}

static void kill_child(struct run *run) {
    if (run->from < 0)
        return;
    note(run, "kill");
    if (run->linked) /* what was switched away is not to be found */
        doubt(run, run->written);
    kill(run->pid, SIGKILL);
    waitpid(run->pid, NULL, 0);
    while (hear(run, 100)) /* what it has said before counts */
        ;
    close(run->from);
    run->from = -1;
    buf_fini(&run->heard); /* half a line */
    buf_fini(&run->batch);
    run->kills++;
}

static void write_lines(struct run *run, unsigned n) {
    struct buf text = {0};
    int fd = open(run->path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    assert_true(fd >= 0);
    while (n-- > 0) {
        buf_printf(&text, "%ld\n", ++run->written);
        if (run->views && dice(run, 3) == 0)
            buf_printf(&text, "noise %u\n", dice(run, 1000));
    }
    size_t part = dice(run, (unsigned)text.len + 1); /* a line may be seen in two parts */
    assert_int_equal(write(fd, text.data, part), part);
    if (dice(run, 20) == 0)
        hear(run, 20); /* the disk is full; then there is room */
    assert_int_equal(write(fd, text.data + part, text.len - part), text.len - part);
    close(fd);
    buf_fini(&text);
}

static const char *kept(struct run *run, int n, const char *end) {
    static char paths[4][128];
    static unsigned at;
    char *path = paths[at++ % 4];
    if (run->dated)
        snprintf(path, sizeof paths[0], "%s-2026%04d%s", run->path, run->rotations - n, end);
    else
        snprintf(path, sizeof paths[0], "%s.%d%s", run->path, n, end);
    return path;
}

/* Makes room for a new "log.1", as logrotate does. */
static void shift(struct run *run) {
    run->rotations++;
    for (int n = KEPT; n > 0 && !run->dated; n--)
        for (int packed = 0; packed < 2; packed++)
            if (n == KEPT)
                unlink(kept(run, n, packed ? ".gz" : ""));
            else
                rename(kept(run, n, packed ? ".gz" : ""), kept(run, n + 1, packed ? ".gz" : ""));
    if (run->dated)
        for (int packed = 0; packed < 2; packed++)
            unlink(kept(run, KEPT, packed ? ".gz" : ""));
}

static void pack(const char *from, const char *to) {
    char bytes[65536];
    struct stat st;
    int fd = open(from, O_RDONLY);
    if (fd < 0)
        return;
    fstat(fd, &st);
    gzFile gz = gzopen(to, "wb");
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
        gzwrite(gz, bytes, (unsigned)n);
    gzclose(gz);
    close(fd);
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    utimensat(AT_FDCWD, to, times, 0);
    unlink(from);
}

/* Times are told apart by file systems only if some of it passes. */
static void tick(void) {
    struct timespec ms = {.tv_nsec = 12000000};
    nanosleep(&ms, NULL);
}

static void copy_to(struct run *run, const char *to) {
    char bytes[65536];
    int in = open(run->path, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    for (ssize_t n; in >= 0 && (n = read(in, bytes, sizeof bytes)) > 0;)
        assert_int_equal(write(out, bytes, (size_t)n), n);
    close(out);
    if (in >= 0)
        close(in);
}

/* The link leads to a new file in the same step. */
static void switch_link(struct run *run) {
    char real[128], aside[128];
    snprintf(real, sizeof real, "%s/real-%d", run->folder, ++run->rotations);
    snprintf(aside, sizeof aside, "%s/aside", run->folder);
    close(open(real, O_WRONLY | O_CREAT, 0644));
    note(run, "switch");
    while (run->from >= 0 && run->expected <= run->written && hear(run, PATIENCE_MS))
        ; /* a file that nobody has seen is not to be found behind a link */
    if (run->from < 0)
        doubt(run, run->written);
    assert_int_equal(symlink(real, aside), 0);
    assert_int_equal(rename(aside, run->path), 0);
}

static void write_beside(struct run *run) {
    char path[128];
    snprintf(path, sizeof path, "%s-beside", run->path);
    FILE *file = fopen(path, "a");
    for (unsigned n = dice(run, 200); n > 0; n--)
        fprintf(file, "b%ld\n", ++run->beside);
    fclose(file);
}

static void act(struct run *run) {
    struct stat st;
    bool there = stat(run->path, &st) == 0 && st.st_size > 0;
    char aside[128];

    if (run->views && dice(run, 3) == 0)
        write_beside(run);
    unsigned what = dice(run, 14);
    if (run->linked && what < 6) {
        if (what < 2)
            switch_link(run);
        return;
    }
    switch (what) {
    case 0:
        if (!there)
            break;
        tick();
        shift(run);
        note(run, "rename");
        rename(run->path, kept(run, run->dated ? 0 : 1, ""));
        run->first = run->written + 1;
        break;
    case 1:
        if (!there)
            break;
        tick();
        shift(run);
        note(run, "copytruncate");
        copy_to(run, kept(run, run->dated ? 0 : 1, ""));
        assert_int_equal(truncate(run->path, 0), 0);
        run->first = run->written + 1;
        break;
    case 2:
        note(run, "pack");
        pack(kept(run, run->dated ? 0 : 1, ""), kept(run, run->dated ? 0 : 1, ".gz"));
        break;
    case 3:
        if (dice(run, 3) || !there)
            break;
        note(run, "delete");
        doubt(run, run->written);
        unlink(run->path);
        run->first = run->written + 1;
        break;
    case 4:
        if (dice(run, 3) || !there)
            break;
        note(run, "truncate");
        doubt(run, run->written);
        assert_int_equal(truncate(run->path, 0), 0);
        run->first = run->written + 1;
        break;
    case 5:
        if (!there)
            break;
        note(run, "replace"); /* by a copy with an inode of its own, which goes on */
        snprintf(aside, sizeof aside, "%s/aside", run->folder);
        copy_to(run, aside);
        assert_int_equal(rename(aside, run->path), 0);
        break;
    case 6:
    case 7:
        kill_child(run);
        break;
    case 8:
        if (run->from < 0)
            start(run);
        break;
    default:
        write_lines(run, 1 + dice(run, dice(run, 8) ? 20 : 3000));
        hear(run, (int)dice(run, 30));
    }
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static void torture(unsigned seed) {
    struct run run = {.seed = seed,
                      .from = -1,
                      .expected = 1,
                      .first = 1,
                      .dated = seed / 2 % 2,
                      .views = seed % 2,
                      .linked = seed % 5 == 0,
                      .expected_beside = 1};
    strcpy(run.folder, "/tmp/weir-torture-XXXXXX");
    assert_non_null(mkdtemp(run.folder));
    snprintf(run.path, sizeof run.path, "%s/log", run.folder);
    buf_printf(&run.trace, "seed %u\n", seed);
    if (run.linked)
        switch_link(&run);
    write_lines(&run, 5);
    start(&run);
    while (run.expected < 2 && hear(&run, PATIENCE_MS))
        ;
    for (int i = 0; i < STEPS; i++) {
        act(&run);
        if (run.from < 0 && run.rotations % 3 == 2 && dice(&run, 2))
            start(&run); /* before so much is rotated that it is gone */
    }
    write_lines(&run, 1);
    if (run.from < 0)
        start(&run);
    while (run.expected <= run.written || (run.views && run.expected_beside <= run.beside))
        if (!hear(&run, PATIENCE_MS))
            fail_msg("nothing came for long: %ld of %ld\n%s", run.expected, run.written,
                     run.trace.data);
    kill_child(&run);
    if (getenv("TORTURE_TRACE"))
        fputs(run.trace.data, stderr);
    print_message("seed %u: %ld lines, %d rotations, %d kills, %d gaps%s%s\n", seed, run.written,
                  run.rotations, run.kills, run.gaps, run.views ? ", viewed" : "",
                  run.linked ? ", linked" : "");
    buf_fini(&run.trace);
    nftw(run.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_each_line_comes_once_or_is_told(void **state) {
    (void)state;
    for (unsigned seed = first_seed; seed < first_seed + seeds; seed++)
        torture(seed);
}

int main(int argc, char **argv) {
    if (argc > 1)
        first_seed = (unsigned)atoi(argv[1]);
    if (argc > 2)
        seeds = (unsigned)atoi(argv[2]);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_line_comes_once_or_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Following a file while anything is done to it: first by a script that a model follows, with the
 * clock frozen; then by a thread that writes while the follow reads, with the clock running. Each
 * line must come exactly once, in order. */
#include "tail_rig.h"

#include "base/buf.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t below(size_t n) {
    return (size_t)random() % n;
}

/* ---- the script and its model -----------------------------------------------------------------*/

struct script {
    struct rig *rig;
    size_t max_line;
    struct buf now;  /* all bytes of the file under the path since it began */
    struct buf old;  /* of the one before it, which may still grow */
    int old_fd;      /* -1: that one is over */
    struct buf want; /* the lines of all that is over, an LF after each */
    struct buf got;
    int rotations, truncations, regrowths, late_writes;
};

/* What the lines of a whole file are, by their definition. */
static void add_lines(struct buf *want, struct str file, size_t max_line) {
    while (file.len > 0) {
        const char *lf = memchr(file.ptr, '\n', file.len);
        size_t n = lf ? (size_t)(lf - file.ptr) : file.len;
        size_t all = lf ? n + 1 : n;
        if (lf && n > 0 && file.ptr[n - 1] == '\r')
            n--;
        for (size_t at = 0, piece; at == 0 || at < n; at += piece) {
            piece = rig_piece(file.ptr + at, n - at, max_line);
            buf_append(want, file.ptr + at, piece);
            buf_add_char(want, '\n');
            if (n == 0)
                break;
        }
        file.ptr += all;
        file.len -= all;
    }
}

static void end_file(struct script *s, struct buf *file) {
    add_lines(&s->want, buf_str(file), s->max_line);
    buf_fini(file);
}

static void take(struct script *s) {
    struct str line;
    while (follow_next(s->rig->follow, &line)) {
        buf_add(&s->got, line);
        buf_add_char(&s->got, '\n');
    }
}

/* All that was done is noticed, read and taken. */
static void catch_up(struct script *s) {
    size_t before;
    do {
        before = s->got.len;
        rig_settle(s->rig);
        take(s);
    } while (s->got.len > before);
}

static bool exists(struct script *s) {
    struct stat st;
    return stat(s->rig->path, &st) == 0;
}

/* Numbers make lines differ; the rest are the bytes that matter. */
static void random_text(struct buf *text, size_t max_line) {
    static int number;
    for (size_t parts = 1 + below(6); parts > 0; parts--) {
        switch (below(8)) {
        case 0:
            buf_add(text, STR("\r\n"));
            break;
        case 1:
            buf_add_char(text, '\n');
            break;
        case 2:
            buf_add_char(text, "\r\0\xff"[below(3)]);
            break;
        case 3:
            for (size_t n = below(4 * max_line); n > 0; n--)
                buf_add_char(text, (char)('a' + below(26)));
            break;
        default:
            buf_printf(text, "%d %s", number++, below(2) ? "\n" : "");
        }
    }
}

static void append(struct script *s) {
    struct buf text = {0};
    random_text(&text, s->max_line);
    rig_append_bytes(s->rig, "log", text.data, text.len);
    buf_add(&s->now, buf_str(&text));
    buf_fini(&text);
}

static void append_late(struct script *s) {
    struct buf text = {0};
    if (s->old_fd < 0)
        return;
    random_text(&text, s->max_line);
    assert_int_equal(write(s->old_fd, text.data, text.len), text.len);
    buf_add(&s->old, buf_str(&text));
    buf_fini(&text);
    s->late_writes++;
}

static void end_old(struct script *s) {
    if (s->old_fd < 0)
        return;
    close(s->old_fd);
    s->old_fd = -1;
    end_file(s, &s->old);
}

/* Time passes: if there is a new file, the old one is over. */
static void pass_time(struct script *s) {
    catch_up(s);
    bool over = exists(s);
    for (int i = 0; i < 3; i++) {
        rig_advance(s->rig, 10000);
        catch_up(s);
    }
    if (over)
        end_old(s);
}

/* The path leads nowhere, or to a new file. A rotation must be noticed before the next: a file that
 * comes and goes unseen is missed, as logfile.c says. */
static void rotate(struct script *s) {
    char name[32];
    if (!exists(s))
        return;
    catch_up(s);
    end_old(s);
    s->old_fd = open(s->rig->path, O_WRONLY | O_APPEND);
    s->old = s->now;
    s->now = (struct buf){0};
    snprintf(name, sizeof name, "log.%d", ++s->rotations);
    if (below(3))
        rig_rename(s->rig, "log", name);
    else
        unlink(s->rig->path);
    if (below(2))
        rig_append(s->rig, "log", "");
}

/* Whether the bytes before `offset` are the same in both, so that nobody could tell. */
static bool alike(struct str a, struct str b, size_t offset) {
    size_t mark = offset < 64 ? offset : 64;
    return a.len >= offset && b.len >= offset &&
           memcmp(a.ptr + offset - mark, b.ptr + offset - mark, mark) == 0;
}

static void cut_short(struct script *s) {
    struct buf text = {0};
    pass_time(s);
    if (!exists(s) || s->now.len == 0)
        return;
    for (size_t times = below(3) * below(20); times > 0; times--)
        random_text(&text, s->max_line);
    while (alike(buf_str(&text), buf_str(&s->now), s->now.len))
        text.data[s->now.len - 1] ^= 0x20;
    s->truncations++;
    s->regrowths += text.len >= s->now.len;
    rig_truncate(s->rig, "log");
    end_file(s, &s->now);
    if (text.len > 0)
        rig_append_bytes(s->rig, "log", text.data, text.len);
    else
        rig_settle(s->rig); /* seen while it is empty */
    s->now = text;
}

static void step(struct script *s) {
    switch (below(16)) {
    case 0:
        rotate(s);
        break;
    case 1:
        cut_short(s);
        break;
    case 2:
        pass_time(s);
        break;
    case 3:
    case 4:
        append_late(s);
        break;
    case 5:
    case 6:
    case 7:
        rig_settle(s->rig);
        break;
    case 8:
        take(s);
        break;
    case 9:
        uv_run(&s->rig->loop.uv, UV_RUN_NOWAIT); /* perhaps a look begins */
        break;
    default:
        append(s);
    }
}

static void compare(struct script *s, unsigned seed) {
    size_t at = 0, line = 0;
    if (str_eq(buf_str(&s->got), buf_str(&s->want)))
        return;
    while (at < s->got.len && at < s->want.len && s->got.data[at] == s->want.data[at])
        line += s->got.data[at++] == '\n';
    fail_msg("seed %u: differs at byte %zu, line %zu (got %zu bytes, want %zu)", seed, at, line,
             s->got.len, s->want.len);
}

static void test_a_model_agrees(void **state) {
    struct script s = {.rig = *state, .old_fd = -1};
    clock_freeze();
    for (unsigned seed = 1; seed <= 100; seed++) {
        srandom(seed);
        s.max_line = 1 + below(40);
        if (below(2))
            append(&s);
        rig_follow(s.rig, FOLLOW_LINES_MAX, s.max_line);
        rig_settle(s.rig);
        for (int i = 0; i < 100; i++)
            step(&s);
        append(&s);
        pass_time(&s);
        rig_append(s.rig, "log", "\nend\n");
        buf_add(&s.now, STR("\nend\n"));
        catch_up(&s);
        end_file(&s, &s.now);
        compare(&s, seed);
        buf_fini(&s.got);
        buf_fini(&s.want);
        follow_free(s.rig->follow);
        s.rig->follow = NULL;
        unlink(s.rig->path);
    }
    assert_true(s.rotations > 100 && s.truncations > 100 && s.regrowths > 20);
    assert_true(s.late_writes > 100);
}

/* ---- a writer that does not wait --------------------------------------------------------------*/

#define FILES 24
#define LINES_OF_A_FILE 400

struct writer {
    struct rig *rig;
    int fd;
    int written; /* lines, each is its number */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int taken; /* by the test; under the lock, as is the next */
    bool gone; /* the test has ended */
};

static void write_some(struct writer *w, int lines, unsigned *seed) {
    char text[256];
    for (; lines > 0; lines--) {
        int n = snprintf(text, sizeof text, "%d %.*s\n", w->written++, (int)(rand_r(seed) % 99),
                         "...................................................................."
                         "...............................");
        int first = rand_r(seed) % 4 ? n : (int)(rand_r(seed) % (unsigned)n);
        if (write(w->fd, text, (size_t)first) != first ||
            write(w->fd, text + first, (size_t)(n - first)) != n - first)
            abort();
    }
}

/* Until the test has taken as many lines. False: it has ended. */
static bool await(struct writer *w, int lines) {
    pthread_mutex_lock(&w->lock);
    while (w->taken < lines && !w->gone)
        pthread_cond_wait(&w->changed, &w->lock);
    bool taken = w->taken >= lines;
    pthread_mutex_unlock(&w->lock);
    return taken;
}

static void tell(struct writer *w, int taken, bool gone) {
    pthread_mutex_lock(&w->lock);
    w->taken = taken;
    w->gone = gone;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void begin_file(struct writer *w) {
    w->fd = open(w->rig->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (w->fd < 0)
        abort();
}

static void *write_all(void *arg) {
    struct writer *w = arg;
    unsigned seed = 7;
    char name[128];
    begin_file(w);
    for (int i = 0; i < FILES; i++) {
        int first = w->written;
        write_some(w, LINES_OF_A_FILE, &seed);
        if (i % 3 == 2) {
            if (!await(w, w->written)) /* what is not read when it is truncated is lost */
                break;
            if (ftruncate(w->fd, 0) != 0)
                abort();
            continue;
        }
        if (!await(w, first + 1)) /* the file has been met */
            break;
        snprintf(name, sizeof name, "%s.%d", w->rig->path, i);
        if (rename(w->rig->path, name) != 0)
            abort();
        write_some(w, 50, &seed); /* not told yet that its file was renamed */
        close(w->fd);
        begin_file(w);
    }
    close(w->fd);
    return NULL;
}

static void test_nothing_is_missed_while_it_is_written(void **state) {
    struct writer w = {.rig = *state};
    pthread_t thread;
    int total = FILES * LINES_OF_A_FILE + (FILES - FILES / 3) * 50, taken = 0;
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.changed, NULL);
    rig_follow(w.rig, 10, 1000);
    rig_settle(w.rig); /* there is no file yet, so that all lines are new */
    pthread_create(&thread, NULL, write_all, &w);
    for (w.rig->beats = 0; taken < total && w.rig->beats < RIG_PATIENCE;) {
        struct str line;
        if (!follow_next(w.rig->follow, &line))
            uv_run(&w.rig->loop.uv, UV_RUN_ONCE);
        else if (atoi(line.ptr) == taken)
            tell(&w, ++taken, false);
        else
            break;
    }
    tell(&w, taken, true);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&w.changed);
    pthread_mutex_destroy(&w.lock);
    assert_int_equal(taken, total);
    rig_expect_none(w.rig);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_a_model_agrees),
        CASE(test_nothing_is_missed_while_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

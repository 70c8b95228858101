/* The place of a time in a file, drawn, against looking at each line. */
#include "logs/seek.h"
#include "tail_rig.h"

#include "base/buf.h"
#include "logs/stamp.h"
#include "tail/source.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN 1767225600 /* 2026-01-01T00:00:00Z */

static uint64_t dice;

static unsigned roll(unsigned n) {
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(dice >> 33) % n;
}

struct file {
    struct buf text;
    size_t n;
    struct {
        uint64_t at;
        int64_t time;
    } timed[400];
};

/* Lines with times that go on, and lines without any between them. */
static void draw(struct file *file) {
    unsigned second = 0, width = 1 + roll(roll(3) ? 40 : 900);
    file->n = 0;
    file->text.len = 0;
    for (unsigned n = roll(400); n > 0; n--) {
        if (roll(3) == 0) {
            buf_printf(&file->text, "\tat %*u\n", (int)roll(width), n);
            continue;
        }
        second += roll(4);
        file->timed[file->n].at = file->text.len;
        file->timed[file->n++].time = (BEGIN + (int64_t)second) * 1000000;
        buf_printf(&file->text, "2026-01-01T%02u:%02u:%02uZ %*u\n", second / 3600, second / 60 % 60,
                   second % 60, (int)roll(width), n);
    }
}

static void test_drawn(void **state) {
    struct rig *rig = *state;
    static struct file file;
    char block[600];
    for (unsigned seed = 1; seed <= 300; seed++) {
        struct source *source;
        uint64_t got;
        dice = seed * 1000003;
        draw(&file);
        rig_append(rig, "log", "");
        rig_truncate(rig, "log");
        rig_append_bytes(rig, "log", file.text.data ? file.text.data : "", file.text.len);
        assert_int_equal(source_open(AT_FDCWD, rig->path, false, &source), 0);
        for (int asked = 0; asked < 20; asked++) {
            int64_t time = (BEGIN + (int64_t)roll(900) - 20) * 1000000;
            uint64_t want = file.text.len;
            for (size_t i = file.n; i-- > 0;)
                if (file.timed[i].time >= time)
                    want = file.timed[i].at;
            int rc =
                seek_time(source, file.text.len, time, block, 240 + roll(sizeof block - 240), &got);
            assert_int_equal(rc, file.n > 0);
            if (rc > 0 && got != want)
                fail_msg("seed %u: got %lu, want %lu", seed, (unsigned long)got,
                         (unsigned long)want);
        }
        source_unref(source);
    }
    buf_fini(&file.text);
}

/* A file without times, of which not all is looked through. */
static void test_untimed(void **state) {
    struct rig *rig = *state;
    static char lines[SEEK_UNTIMED * 4], block[65536];
    struct source *source;
    uint64_t got;
    for (size_t i = 0; i < sizeof lines; i++)
        lines[i] = i % 64 == 63 ? '\n' : 'x';
    rig_append_bytes(rig, "log", lines, sizeof lines);
    assert_int_equal(source_open(AT_FDCWD, rig->path, false, &source), 0);
    assert_int_equal(seek_time(source, sizeof lines, 1, block, sizeof block, &got), 0);
    source_unref(source);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    static const struct CMUnitTest tests[] = {TEST(test_drawn), TEST(test_untimed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

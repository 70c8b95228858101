/* Inquiries on a loop: what is merged, where they begin, end and go on, what cannot be read, what is
 * done to files meanwhile, and who has to wait. */
#include "search/inquiry.h"
#include "search/prefilter.h"
#include "search/slot.h"
#include "tail_rig.h"

#include "base/fault.h"
#include "base/mem.h"
#include "logs/stamp.h"
#include "tail/source.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define FILES 3

struct ask {
    struct inquiry_options options;
    struct inquiry_file files[FILES];
    const char *text; /* that lines must contain; NULL: any */
};

static void on_ready(struct inquiry *inquiry, void *arg) {
    (void)inquiry;
    (*(int *)arg)++;
}

/* Of the first `n` of the files "log", "b" and "c", whose keys are a, b and c. */
static struct ask asked(struct rig *rig, bool backward, size_t n) {
    static char paths[FILES][128];
    static const char *const names[] = {"log", "b", "c"}, *const keys[] = {"a", "b", "c"};
    struct ask ask = {.options = {.backward = backward,
                                  .plain = true,
                                  .lines = 1000,
                                  .max_line = 65536,
                                  .since = STAMP_NONE,
                                  .before = STAMP_NONE,
                                  .n_files = n}};
    for (size_t i = 0; i < FILES; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/%s", rig->folder, names[i]);
        ask.files[i] = (struct inquiry_file){keys[i], paths[i]};
    }
    return ask;
}

static struct inquiry *begin(struct rig *rig, struct ask *ask, int *ready) {
    const char *why;
    ask->options.files = ask->files;
    if (ask->text) {
        struct sift_rule rule = {.kind = SIFT_TEXT, .text = str_of(ask->text)};
        char said[128];
        ask->options.sift = sift_new();
        ask->options.prefilter = prefilter_new();
        assert_int_equal(sift_add(ask->options.sift, &rule, said, sizeof said), 0);
        prefilter_add(ask->options.prefilter, &rule);
    }
    struct inquiry *inquiry = inquiry_new(&rig->loop, &ask->options, on_ready, ready, &why);
    if (inquiry == NULL)
        fail_msg("%s", why);
    return inquiry;
}

/* The next event but "progress". */
static struct inquiry_event next(struct rig *rig, struct inquiry *inquiry, const int *ready) {
    struct inquiry_event event;
    rig->beats = 0;
    for (;;) {
        int before = *ready;
        if (!inquiry_next(inquiry, &event))
            while (*ready == before)
                rig_turn(rig);
        else if (strcmp(event.name, "progress") != 0)
            return event;
    }
}

static char last_id[512]; /* of the last event of answer() that had one */

/* All lines in their order, and then what else was told: "a/b gap[...] end[...]"; valid until the
 * next call. How many events the lines came in is the machine's business. */
static const char *answer(struct rig *rig, struct ask *ask) {
    static struct buf lines, out;
    struct buf rest = {0};
    int ready = 0;
    struct inquiry *inquiry = begin(rig, ask, &ready);
    struct inquiry_event event;
    bool any = false;

    lines.len = out.len = 0;
    do {
        event = next(rig, inquiry, &ready);
        if (event.id.len > 0)
            snprintf(last_id, sizeof last_id, "%.*s", STR_ARG(event.id));
        if (strcmp(event.name, "lines") != 0) {
            buf_printf(&rest, " %s[%.*s]", event.name, STR_ARG(event.data));
            continue;
        }
        struct buf before = {0}, behind = {0};
        *(ask->options.backward ? &behind : &before) = lines;
        if (before.len > 0 || (any && !ask->options.backward))
            buf_add_char(&before, '/');
        buf_add(&before, event.data);
        if (any && ask->options.backward)
            buf_add_char(&before, '/');
        buf_add(&before, buf_str(&behind));
        buf_fini(&behind);
        lines = before;
        any = true;
    } while (strcmp(event.name, "end") != 0);
    inquiry_free(inquiry);
    for (size_t i = 0; i < lines.len; i++)
        buf_add_char(&out, lines.data[i] == '\n' ? '/' : lines.data[i]);
    buf_add(&out, buf_str(&rest));
    buf_fini(&rest);
    buf_add_char(&out, '\0');
    return out.data;
}

static void assert_starts(const char *said, const char *with) {
    if (strncmp(said, with, strlen(with)) != 0)
        fail_msg("got %s, want %s ...", said, with);
}

/* ---- what comes -------------------------------------------------------------------------------*/

static void test_both_ways(void **state) {
    struct rig *rig = *state;
    struct ask back = asked(rig, true, 1), on = asked(rig, false, 1);
    rig_append(rig, "log.2", "one\r\ntwo\n");
    rig_append(rig, "log.1", "three\nfour");
    rig_append(rig, "log", "five\n\nsix\nnot yet");
    assert_string_equal(answer(rig, &on), "one/two/three/four/five//six end[{}]");
    assert_string_equal(answer(rig, &back), "one/two/three/four/five//six end[{}]");
}

/* What it says is the place to go on from is one; `end` names it as well. */
static void test_going_on(void **state) {
    struct rig *rig = *state;
    for (int backward = 0; backward < 2; backward++) {
        struct ask ask = asked(rig, backward, 1);
        char id[512] = "", got[2000] = "";
        rig_append(rig, "log.1", "one\ntwo\nthree\n");
        rig_append(rig, "log", "four\nfive\nsix\nseven\n");
        for (int rounds = 0; rounds < 5; rounds++) {
            ask.options.lines = 2;
            const char *said = answer(rig, &ask), *at = strstr(said, "end[");
            sprintf(got + strlen(got), "%.*s", (int)(at - said), said);
            if (strcmp(at, "end[{}]") == 0)
                break;
            assert_non_null(strstr(at, last_id));
            strcpy(id, last_id);
            ask.options.from = str_of(id);
        }
        assert_string_equal(got, backward ? "six/seven four/five two/three "
                                            "one "
                                          : "one/two three/four five/six "
                                            "seven ");
        unlink(rig_path(rig, "log"));
        unlink(rig_path(rig, "log.1"));
    }
}

static void test_only_what_is_wanted(void **state) {
    struct rig *rig = *state;
    struct ask ask = asked(rig, true, 1);
    rig_append(rig, "log", "a yes\nb\nc Yes\nd yes\n");
    ask.text = "YES";
    ask.options.lines = 2;
    const char *said = answer(rig, &ask);
    assert_starts(said, "c Yes/d yes end[{\"older\":\"a~");
    struct ask all = asked(rig, true, 1);
    all.text = "none has it";
    assert_string_equal(answer(rig, &all), " end[{}]");
}

static void test_merged(void **state) {
    struct rig *rig = *state;
    struct ask back = asked(rig, true, 3), on = asked(rig, false, 3);
    rig_append(rig, "log", "2026-01-01T00:00:01Z a\n  at a trace\n2026-01-01T00:00:04Z a\n");
    rig_append(rig, "b", "2026-01-01T00:00:02Z b\n2026-01-01T00:00:03Z b\n");
    const char *all = "2026-01-01T00:00:01Z a/  at a trace/2026-01-01T00:00:02Z b/"
                      "2026-01-01T00:00:03Z b/2026-01-01T00:00:04Z a end[{}]";
    assert_string_equal(answer(rig, &on), all);
    assert_string_equal(answer(rig, &back), all);
}

static void test_times(void **state) {
    struct rig *rig = *state;
    int64_t second = 1767225600000000; /* 2026-01-01T00:00:00Z */
    struct buf text = {0};
    for (int i = 0; i < 60; i++)
        buf_printf(&text, "2026-01-01T00:00:%02dZ %*s\n and more\n", i, 20000, "x");
    rig_append_bytes(rig, "log", text.data, text.len);
    buf_fini(&text);
    for (int backward = 0; backward < 2; backward++) {
        struct ask ask = asked(rig, backward, 1);
        ask.options.since = second + 41000000;
        ask.options.before = second + 43000000;
        const char *said = answer(rig, &ask);
        const char *first = strstr(said, "00:00:41Z"), *last = strstr(said, "00:00:42Z");
        assert_starts(said, "2026-01-01T00:00:41Z");
        assert_true(first && last && first < last);
        assert_non_null(strstr(last, "x/ and more end[{}]"));
        assert_null(strstr(said, "00:00:40Z"));
        assert_null(strstr(said, "00:00:43Z"));
    }
}

static void test_one_file_of_an_id(void **state) {
    struct rig *rig = *state;
    struct ask ask = asked(rig, false, 1), both = asked(rig, false, 2);
    char id[512];
    rig_append(rig, "log", "one\ntwo\n");
    rig_append(rig, "b", "other\n");
    ask.options.lines = 1;
    answer(rig, &ask);
    strcpy(id, last_id);
    both.options.from = str_of(id);
    assert_string_equal(answer(rig, &both), "two end[{}]");
    struct ask up = asked(rig, false, 2);
    up.options.upto = str_of(id);
    assert_string_equal(answer(rig, &up), "one end[{}]");
}

/* ---- what there is, and what is not -----------------------------------------------------------*/

static void test_nothing(void **state) {
    struct rig *rig = *state;
    struct ask ask = asked(rig, true, 2);
    assert_string_equal(answer(rig, &ask), " end[{}]");
    rig_append(rig, "log", "");
    struct ask on = asked(rig, false, 1);
    assert_string_equal(answer(rig, &on), " end[{}]");
}

static void test_what_was_rotated_away(void **state) {
    struct rig *rig = *state;
    struct ask ask = asked(rig, false, 1), on = asked(rig, false, 1), back = asked(rig, true, 1);
    char id[512];
    rig_append(rig, "log", "one\ntwo\n");
    ask.options.lines = 1;
    answer(rig, &ask);
    strcpy(id, last_id);
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "three\n");
    on.options.from = back.options.from = str_of(id);
    assert_string_equal(answer(rig, &on), "two/three end[{}]");
    assert_string_equal(answer(rig, &back), "one end[{}]");
    unlink(rig_path(rig, "log.1"));
    assert_string_equal(answer(rig, &on), "three gap[{\"source\":\"a\"}] end[{}]");
    assert_string_equal(answer(rig, &back), " gap[{\"source\":\"a\"}] end[{}]");
}

static void test_refused(void **state) {
    struct rig *rig = *state;
    static const char *const ids[] = {"a", "a~", "~", "", "a~1.2", "a~1.2.3.4,"};
    const char *why;
    int ready = 0;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct ask ask = asked(rig, true, 1);
        ask.options.files = ask.files;
        ask.options.from = str_of(ids[i]);
        assert_null(inquiry_new(&rig->loop, &ask.options, on_ready, &ready, &why));
        assert_string_equal(why, "it is no id of a line or an event");
    }
    struct inquiry_file many[INQUIRY_FILES + 1];
    struct ask ask = asked(rig, true, 1);
    for (size_t i = 0; i <= INQUIRY_FILES; i++)
        many[i] = ask.files[0];
    ask.options.files = many;
    for (size_t over = 0; over < 2; over++) {
        ask.options.n_files = INQUIRY_FILES + over;
        struct inquiry *inquiry = inquiry_new(&rig->loop, &ask.options, on_ready, &ready, &why);
        assert_int_equal(inquiry == NULL, over);
        if (inquiry)
            inquiry_free(inquiry);
    }
}

static void pack(struct rig *rig, const char *name, const char *text, size_t n, size_t cut) {
    gzFile file = gzopen(rig_path(rig, name), "wb");
    assert_int_equal(gzwrite(file, text, (unsigned)n), n);
    gzclose(file);
    struct stat st;
    assert_int_equal(stat(rig_path(rig, name), &st), 0);
    if (cut > 0)
        assert_int_equal(truncate(rig_path(rig, name), st.st_size - (off_t)cut), 0);
}

/* Its lines up to there come, and those of the files around it. */
static void test_broken_packed_file(void **state) {
    struct rig *rig = *state;
    struct buf text = {0};
    for (unsigned i = 0, dice = 1; i < 20000; i++) { /* that do not pack well */
        dice = dice * 1103515245 + 12345;
        buf_printf(&text, "%u %08x\n", i, dice);
    }
    rig_append(rig, "log.2", "older\n");
    pack(rig, "log.1.gz", text.data, text.len, 30000);
    rig_append(rig, "log", "newer\n");
    for (int backward = 0; backward < 2; backward++) {
        struct ask ask = asked(rig, backward, 1);
        ask.options.lines = 100000;
        const char *said = answer(rig, &ask);
        assert_non_null(strstr(said, "older"));
        assert_non_null(strstr(said, "gap[{\"source\":\"a\"}]"));
        assert_non_null(strstr(said, "newer"));
        assert_non_null(strstr(said, "1000 "));
        assert_non_null(strstr(said, " end[{}]"));
    }
    buf_fini(&text);
}

static void test_faults(void **state) {
    struct rig *rig = *state;
    rig_append(rig, "log.1", "one\ntwo\n");
    rig_append(rig, "log", "three\n");
    for (int backward = 0; backward < 2; backward++)
        for (int skip = 0; skip < 8; skip++) {
            struct ask ask = asked(rig, backward, 1);
            fault_arm("tail_read", -EIO, skip, 1);
            const char *said = answer(rig, &ask);
            assert_non_null(strstr(said, " end[{}]"));
            fault_reset();
        }
    struct ask ask = asked(rig, true, 1);
    fault_arm("tail_open", -EACCES, 0, 1);
    assert_string_equal(answer(rig, &ask), " gap[{\"source\":\"a\"}] end[{}]");
    fault_arm("tail_folder", -EACCES, 0, 1);
    ask = asked(rig, true, 1);
    assert_string_equal(answer(rig, &ask), "three gap[{\"source\":\"a\"}] end[{}]");
}

/* ---- what is done to files meanwhile ----------------------------------------------------------*/

/* That of a line, six digits. */
static int number(const char *line) {
    char digits[7] = "";
    memcpy(digits, line + 5, 6);
    return atoi(digits);
}

static void append_numbers(struct rig *rig, const char *name, int from, int to) {
    struct buf text = {0};
    for (int i = from; i < to; i++)
        buf_printf(&text, "line %06d\n", i);
    rig_append_bytes(rig, name, text.data, text.len);
    buf_fini(&text);
}

/* The numbers of all lines that come, in the order of the file, must be those; `meanwhile` is done
 * after the first event. */
static void expect_numbers(struct rig *rig, bool backward, int from, int to,
                           void (*meanwhile)(struct rig *)) {
    struct ask ask = asked(rig, backward, 1);
    int ready = 0, low = to, high = from;
    ask.options.lines = INQUIRY_LINES_MAX;
    struct inquiry *inquiry = begin(rig, &ask, &ready);
    for (;;) {
        struct inquiry_event event = next(rig, inquiry, &ready);
        if (strcmp(event.name, "end") == 0)
            break;
        assert_string_equal(event.name, "lines");
        int n = ((int)event.data.len + 1) / 12, first = number(event.data.ptr);
        assert_int_equal(first, backward ? low - n : high);
        for (int i = 0; i < n; i++)
            assert_int_equal(number(event.data.ptr + (size_t)i * 12), first + i);
        low -= n;
        high += n;
        if (meanwhile)
            meanwhile(rig);
        meanwhile = NULL;
    }
    assert_int_equal(backward ? low : high, backward ? from : to);
    inquiry_free(inquiry);
}

static void replace(struct rig *rig) {
    rig_append(rig, "new", "another file\n");
    rig_rename(rig, "new", "log");
}

static void rotate(struct rig *rig) {
    rig_rename(rig, "log", "log.1");
    rig_append(rig, "log", "another file\n");
}

static void copy_and_truncate(struct rig *rig) {
    char command[512];
    snprintf(command, sizeof command, "cp %s %s", rig_path(rig, "log"), rig_path(rig, "log.1"));
    assert_int_equal(system(command), 0);
    rig_truncate(rig, "log");
    rig_append(rig, "log", "another file\n");
}

static void copy_truncate_and_fill(struct rig *rig) {
    copy_and_truncate(rig);
    append_numbers(rig, "log", 100000, 250000);
}

/* A file is copied and truncated before a search comes to it, which has begun with a newer one. */
static void test_truncated_before_it_is_read(void **state) {
    struct rig *rig = *state;
    append_numbers(rig, "log.1", 0, 1000);
    append_numbers(rig, "log", 1000, 90000);
    struct ask ask = asked(rig, true, 1);
    int ready = 0;
    ask.options.lines = INQUIRY_LINES_MAX;
    struct inquiry *inquiry = begin(rig, &ask, &ready);
    assert_string_equal(next(rig, inquiry, &ready).name, "lines");
    rig_rename(rig, "log.1", "log.2");
    char command[512];
    snprintf(command, sizeof command, "cp %s %s", rig_path(rig, "log.2"), rig_path(rig, "log.3"));
    assert_int_equal(system(command), 0);
    rig_truncate(rig, "log.2");
    struct inquiry_event event;
    int last = 0;
    while (strcmp((event = next(rig, inquiry, &ready)).name, "end") != 0) {
        assert_string_equal(event.name, "lines");
        last = number(event.data.ptr);
    }
    assert_int_equal(last, 0);
    inquiry_free(inquiry);
}

static void test_meanwhile(void **state) {
    struct rig *rig = *state;
    void (*const deeds[])(struct rig *) = {NULL, replace, rotate, copy_and_truncate,
                                           copy_truncate_and_fill};
    for (int backward = 0; backward < 2; backward++)
        for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
            append_numbers(rig, "log", 0, 90000);
            expect_numbers(rig, backward, 0, 90000, deeds[i]);
            unlink(rig_path(rig, "log"));
            unlink(rig_path(rig, "log.1"));
        }
}

/* A packed file is read from its start and keeps its last megabyte: the rest is read again. */
static void test_more_than_is_kept(void **state) {
    struct rig *rig = *state;
    struct buf text = {0};
    for (int i = 0; i < 98000; i++)
        buf_printf(&text, "line %06d\n", i);
    pack(rig, "log.1.gz", text.data, text.len, 0);
    append_numbers(rig, "log", 98000, 99000);
    buf_fini(&text);
    for (int backward = 0; backward < 2; backward++)
        expect_numbers(rig, backward, 0, 99000, NULL);
}

static void test_truncated_without_a_copy(void **state) {
    struct rig *rig = *state;
    for (int backward = 0; backward < 2; backward++) {
        struct ask ask = asked(rig, backward, 1);
        int ready = 0, gaps = 0;
        append_numbers(rig, "log", 0, 90000);
        ask.options.lines = INQUIRY_LINES_MAX;
        struct inquiry *inquiry = begin(rig, &ask, &ready);
        assert_string_equal(next(rig, inquiry, &ready).name, "lines");
        rig_truncate(rig, "log");
        struct inquiry_event event;
        while (strcmp((event = next(rig, inquiry, &ready)).name, "end") != 0)
            gaps += strcmp(event.name, "gap") == 0;
        assert_int_equal(gaps, 1);
        inquiry_free(inquiry);
    }
}

/* Freed at each of its points: before it is asked, while it is in the pool or waits for a slot,
 * with events that nobody took. */
static void test_freed_in_the_middle(void **state) {
    struct rig *rig = *state;
    append_numbers(rig, "log", 0, 90000);
    for (int events = 0; events < 4; events++)
        for (int asks = 0; asks < 2; asks++) {
            struct inquiry *inquiries[2 * SLOTS];
            int ready[2 * SLOTS] = {0};
            for (size_t i = 0; i < 2 * SLOTS; i++) {
                struct ask ask = asked(rig, i % 2, 1);
                struct inquiry_event event;
                ask.text = i % 3 ? "line 00" : "nothing";
                ask.options.lines = INQUIRY_LINES_MAX;
                inquiries[i] = begin(rig, &ask, &ready[i]);
                for (int n = 0; n < events && i % 3; n++)
                    next(rig, inquiries[i], &ready[i]);
                if (asks)
                    inquiry_next(inquiries[i], &event);
            }
            for (size_t i = 0; i < 2 * SLOTS; i++)
                inquiry_free(inquiries[i]);
        }
    rig_settle(rig);
}

/* ---- slots ------------------------------------------------------------------------------------*/

static int gone;

static void on_go(struct slot *slot) {
    (void)slot;
    gone++;
}

static void test_turns(void **state) {
    struct rig *rig = *state;
    struct slot slots[SLOTS + 3];
    gone = 0;
    for (size_t i = 0; i < SLOTS + 3; i++) {
        slot_init(&slots[i], &rig->loop, on_go);
        slot_ask(&slots[i]);
    }
    assert_int_equal(gone, SLOTS);
    slot_end(&slots[0]);                     /* the next one is called, */
    assert_true(slot_cancel(&slots[SLOTS])); /* and has gone: the one behind it is */
    rig_settle(rig);
    assert_int_equal(gone, SLOTS + 1);
    assert_int_equal(slots[SLOTS + 1].state, SLOT_HAS);
    assert_true(slot_cancel(&slots[SLOTS + 2])); /* that waits */
    assert_false(slot_cancel(&slots[SLOTS + 1]));
    for (size_t i = 1; i < SLOTS; i++)
        slot_end(&slots[i]);
    slot_end(&slots[SLOTS + 1]);
    slot_ask(&slots[0]);
    assert_int_equal(gone, SLOTS + 2);
    slot_end(&slots[0]);
}

/* ---- holes ------------------------------------------------------------------------------------*/

/* A hundred gigabytes of nothing, which no disk need have: what stands before it and behind it. */
static void test_a_hundred_gigabytes(void **state) {
    struct rig *rig = *state;
    off_t size = (off_t)100 << 30;
    rig_append(rig, "log", "first\nsecond\n");
    if (truncate(rig_path(rig, "log"), size) != 0) {
        print_message("no file of 100 GB here: %s\n", strerror(errno));
        skip();
    }
    rig_append(rig, "log", "\nthird\nlast\n");
    struct ask near = asked(rig, true, 1);
    near.text = "third";
    near.options.lines = 1;
    assert_starts(answer(rig, &near), "third end[{\"older\":\"a~");
    struct ask far = asked(rig, true, 1);
    far.text = "s";
    const char *said = answer(rig, &far);
    assert_string_equal(said, "first/second/last end[{}]");
    struct ask on = asked(rig, false, 1);
    on.text = "t";
    assert_string_equal(answer(rig, &on), "first/third/last end[{}]");
}

/* Searches hold the files of a log until they are over, and a client may leave one lying. */
static void test_half_of_the_descriptors_are_for_others(void **state) {
    enum { LIMIT = 128 };
    struct rig *rig = *state;
    struct source *held[LIMIT / 2];
    struct rlimit before, low;
    rig_append(rig, "log", "1\n");
    struct ask ask = asked(rig, true, 1);
    getrlimit(RLIMIT_NOFILE, &before);
    low = (struct rlimit){LIMIT, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    for (size_t i = 0; i < LIMIT / 2; i++)
        assert_int_equal(source_open(AT_FDCWD, rig->path, false, &held[i]), 0);
    assert_string_equal(answer(rig, &ask), " gap[{\"source\":\"a\"}] end[{}]");
    source_unref(held[0]);
    assert_string_equal(answer(rig, &ask), "1 end[{}]");
    for (size_t i = 1; i < LIMIT / 2; i++)
        source_unref(held[i]);
    setrlimit(RLIMIT_NOFILE, &before);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(test_both_ways),
        TEST(test_going_on),
        TEST(test_only_what_is_wanted),
        TEST(test_merged),
        TEST(test_times),
        TEST(test_one_file_of_an_id),
        TEST(test_nothing),
        TEST(test_what_was_rotated_away),
        TEST(test_refused),
        TEST(test_broken_packed_file),
        TEST(test_faults),
        TEST(test_meanwhile),
        TEST(test_truncated_before_it_is_read),
        TEST(test_more_than_is_kept),
        TEST(test_truncated_without_a_copy),
        TEST(test_freed_in_the_middle),
        TEST(test_turns),
        TEST(test_a_hundred_gigabytes),
        TEST(test_half_of_the_descriptors_are_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

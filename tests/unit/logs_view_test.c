/* A viewer of several logs: random files merged against a model, in a loop that is turned by hand. */
#include "base/clock.h"
#include "logs/recent.h"
#include "logs/stamp.h"
#include "logs/view.h"
#include "tail_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS                                                                                    \
    {                                                                                              \
        .lines = 1000, .max_line = 1000, .since = STAMP_NONE, .before = STAMP_NONE,                \
        .behind = 1u << 30, .plain = true                                                          \
    }

struct viewer {
    struct rig *rig;
    struct logs *logs;
    struct view *view;
    int ready;
    struct buf text;    /* of all batches, an LF behind each line */
    struct buf notices; /* the others, "NAME DATA;" */
    char id[VIEW_ID_MAX];
};

static void on_ready(struct view *view, void *arg) {
    struct viewer *viewer = arg;
    (void)view;
    viewer->ready++;
}

static void begin(struct viewer *viewer, struct rig *rig, const char *const *names) {
    *viewer = (struct viewer){.rig = rig, .logs = logs_new(&rig->loop)};
    for (; *names; names++)
        roster_add(viewer->logs->roster, rig_path(rig, *names), strpbrk(*names, "*?") != NULL,
                   "{}");
}

static void look(struct viewer *viewer, const struct view_options *options) {
    const char *why;
    viewer->view = view_new(viewer->logs, options, on_ready, viewer, &why);
    assert_non_null(viewer->view);
    viewer->text.len = viewer->notices.len = 0;
}

static void look_away(struct viewer *viewer) {
    if (viewer->view)
        view_free(viewer->view);
    viewer->view = NULL;
}

static void end(struct viewer *viewer) {
    look_away(viewer);
    logs_unref(viewer->logs);
    buf_fini(&viewer->text);
    buf_fini(&viewer->notices);
}

/* The next event, waited for. */
static void take(struct viewer *viewer) {
    struct view_event event;
    viewer->rig->beats = 0;
    while (!view_next(viewer->view, &event)) {
        int before = viewer->ready;
        while (viewer->ready == before)
            rig_turn(viewer->rig);
    }
    if (strcmp(event.name, "lines") == 0) {
        buf_printf(&viewer->text, "%.*s\n", STR_ARG(event.data));
        snprintf(viewer->id, sizeof viewer->id, "%.*s", STR_ARG(event.id));
    } else if (strcmp(event.name, "source") != 0) {
        buf_printf(&viewer->notices, "%s %.*s;", event.name, STR_ARG(event.data));
    }
}

static void expect(struct viewer *viewer, const char *text) {
    while (viewer->text.len < strlen(text))
        take(viewer);
    if (!str_eq(buf_str(&viewer->text), str_of(text)))
        fail_msg("got:\n%.*s\nwant:\n%s", STR_ARG(buf_str(&viewer->text)), text);
}

/* ---- a model ----------------------------------------------------------------------------------*/

#define FILES 4

struct model_line {
    int file;
    long time; /* of itself or of the line before it in its file */
    int place; /* among those of its file */
    bool stamped;
    char text[96];
};

struct model {
    struct model_line lines[FILES][300];
    int n[FILES], at[FILES];
    struct buf merged;
    size_t starts[FILES * 300];
    int n_merged;
};

static void put(struct model *model, int file) {
    const struct model_line *line = &model->lines[file][model->at[file]++];
    model->starts[model->n_merged++] = model->merged.len;
    buf_printf(&model->merged, "%s\n", line->text);
}

/* By the rules: the line with the earliest time comes first; a line without one stays behind the
 * one before it. Times of different files are never the same here. */
static void merge(struct model *model) {
    for (;;) {
        int first = -1;
        for (int file = 0; file < FILES; file++)
            if (model->at[file] < model->n[file] &&
                (first < 0 || model->lines[file][model->at[file]].time <
                                  model->lines[first][model->at[first]].time))
                first = file;
        if (first < 0)
            return;
        do
            put(model, first);
        while (model->at[first] < model->n[first] &&
               !model->lines[first][model->at[first]].stamped);
    }
}

static void draw(struct model *model, struct rig *rig, unsigned seed) {
    char names[FILES][16];
    for (int file = 0; file < FILES; file++) {
        long time = 1000;
        struct buf text = {0};
        model->n[file] = rand_r(&seed) % 4 == 0 ? 0 : (int)(rand_r(&seed) % 300);
        for (int i = 0; i < model->n[file]; i++) {
            struct model_line *line = &model->lines[file][i];
            line->stamped = i == 0 || rand_r(&seed) % 4 != 0;
            if (line->stamped)
                time += (long)(rand_r(&seed) % 3 + 1);
            line->time = time * FILES + file;
            if (line->stamped)
                snprintf(line->text, sizeof line->text, "1970-01-01T%02ld:%02ld:%02ld.%dZ %d.%d",
                         time / 3600, time / 60 % 60, time % 60, file, file, i);
            else
                snprintf(line->text, sizeof line->text, "  trace of %d.%d", file, i);
            buf_printf(&text, "%s\n", line->text);
        }
        snprintf(names[file], sizeof names[file], "%d.log", file);
        rig_append_bytes(rig, names[file], text.data ? text.data : "", text.len);
        buf_fini(&text);
    }
    merge(model);
}

static void test_history_is_merged_as_the_model_has_it(void **state) {
    static const char *const names[] = {"?.log", NULL};
    struct rig *rig = *state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct model *model = calloc(1, sizeof *model);
        struct viewer viewer;
        draw(model, rig, seed);
        begin(&viewer, rig, names);
        for (int last = 1; last < 1200; last *= 3) {
            struct view_options options = OPTIONS;
            options.lines = (uint32_t)last;
            look(&viewer, &options);
            /* Each file gives its last lines, so what is merged of them is the end of all. */
            int from = model->n_merged > last ? model->n_merged - last : 0;
            buf_add_char(&model->merged, '\0');
            model->merged.len--;
            if (model->n_merged > 0)
                expect(&viewer, model->merged.data + model->starts[from]);
            look_away(&viewer);
        }
        end(&viewer);
        buf_fini(&model->merged);
        free(model);
        for (int file = 0; file < FILES; file++) {
            char name[16];
            snprintf(name, sizeof name, "%d.log", file);
            remove(rig_path(rig, name));
        }
    }
}

/* ---- sharing ----------------------------------------------------------------------------------*/

static void test_viewers_in_step_share_pages_and_others_do_not(void **state) {
    static const char *const names[] = {"log", NULL};
    struct rig *rig = *state;
    struct view_options options = OPTIONS;
    struct viewer one, two, plain;
    begin(&one, rig, names);
    rig_append(rig, "log", "1\n");
    look(&one, &options);
    two = plain = (struct viewer){.rig = rig, .logs = logs_ref(one.logs)};
    logs_ref(one.logs);
    look(&two, &options);
    options.plain = false;
    look(&plain, &options);
    expect(&one, "1\n");
    expect(&two, "1\n");
    while (plain.text.len == 0)
        take(&plain);
    size_t before = one.logs->shelf.n;
    rig_append(rig, "log", "2\n3\n");
    expect(&one, "1\n2\n3\n");
    expect(&two, "1\n2\n3\n");
    assert_int_equal(one.logs->shelf.n, before + 1);
    plain.text.len = 0;
    while (plain.text.len == 0)
        take(&plain);
    assert_int_equal(one.logs->shelf.n, before + 2);
    end(&plain);
    end(&two);
    end(&one);
}

/* Each wants pieces of another length, so each has a page of its own made. */
static void test_the_shelf_is_bounded(void **state) {
    static const char *const names[] = {"log", NULL};
    static struct viewer viewers[SHELF_PAGES + 1];
    const size_t n = SHELF_PAGES + 1;
    struct rig *rig = *state;
    struct view_options options = OPTIONS;
    begin(&viewers[0], rig, names);
    rig_append(rig, "log", "1\n");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            viewers[i] = (struct viewer){.rig = rig, .logs = logs_ref(viewers[0].logs)};
        options.max_line = 1000 + i;
        look(&viewers[i], &options);
    }
    for (size_t i = 0; i < n; i++)
        expect(&viewers[i], "1\n");
    rig_append(rig, "log", "2\n"); /* which all may read on their own */
    for (size_t i = 0; i < n; i++)
        expect(&viewers[i], "1\n2\n");
    rig_append(rig, "log", "3\n"); /* and this in step */
    for (size_t i = 0; i < n; i++)
        expect(&viewers[i], "1\n2\n3\n");
    assert_int_equal(viewers[0].logs->shelf.n, SHELF_PAGES);
    for (size_t i = 0; i < n; i++)
        end(&viewers[i]);
}

/* A line of `n` bytes, its LF included. */
static void append_long(struct rig *rig, const char *name, size_t n) {
    char *line = malloc(n);
    memset(line, 'x', n);
    line[n - 1] = '\n';
    rig_append_bytes(rig, name, line, n);
    free(line);
}

static void test_the_shelf_is_bounded_in_bytes(void **state) {
    static const char *const names[] = {"log", NULL};
    struct rig *rig = *state;
    struct view_options options = OPTIONS;
    struct viewer viewer;
    options.lines = 0;
    options.max_line = 65536;
    begin(&viewer, rig, names);
    rig_append(rig, "log", "");
    look(&viewer, &options);
    rig_settle(rig);
    append_long(rig, "log", 65000);
    for (size_t i = 1; i <= SHELF_PAGES; i++) {
        append_long(rig, "log", 65000); /* which fills the batch, so that it goes at once */
        while (viewer.text.len < i * 65000)
            take(&viewer);
        assert_true(viewer.logs->shelf.bytes <= SHELF_BYTES);
    }
    assert_in_range(viewer.logs->shelf.n, 2, SHELF_PAGES - 1);
    end(&viewer);
}

/* ---- what must not be shown -------------------------------------------------------------------*/

/* A line in pieces, of which a page that is shared takes all but the last one. */
static void test_the_last_piece_of_a_line_is_a_piece_on_the_next_page(void **state) {
    static const char *const names[] = {"log", NULL};
    static const char withheld[] = "[withheld: a piece of a line that is too long to be redacted]";
    struct rig *rig = *state;
    struct view_options options = OPTIONS;
    struct viewer viewer;
    options.max_line = 10;
    begin(&viewer, rig, names);
    assert_true(redact_preset(viewer.logs->redact, STR("tokens")));
    rig_append(rig, "log", "1\n");
    look(&viewer, &options);
    expect(&viewer, "1\n");
    rig_append(rig, "log", "2\n"); /* which it may read on its own */
    expect(&viewer, "1\n2\n");
    for (size_t n = PAGE_BYTES / sizeof withheld - 1; n <= PAGE_BYTES / sizeof withheld + 1; n++) {
        struct buf line = {0};
        for (size_t i = 0; i < n; i++)
            buf_add(&line, STR("password= "));
        buf_add(&line, STR("SECRET\nend\n"));
        viewer.text.len = 0;
        rig_append_bytes(rig, "log", line.data, line.len);
        while (viewer.text.len < 5 || !memmem(viewer.text.data, viewer.text.len, "\nend\n", 5))
            take(&viewer);
        assert_null(memmem(viewer.text.data, viewer.text.len, "SECRET", 6));
        buf_fini(&line);
    }
    assert_true(viewer.logs->shelf.n > 1);
    end(&viewer);
}

/* ---- what must not be waited for --------------------------------------------------------------*/

static void test_a_line_without_end_keeps_no_other_file_waiting(void **state) {
    static const char *const names[] = {"a", "b", NULL};
    struct rig *rig = *state;
    struct view_options options = OPTIONS;
    struct viewer viewer;
    begin(&viewer, rig, names);
    rig_append(rig, "a", "1\n");
    rig_append(rig, "b", "");
    look(&viewer, &options);
    expect(&viewer, "1\n");
    rig_append(rig, "a", "2\n");
    expect(&viewer, "1\n2\n");
    rig_append(rig, "a", "part");
    rig_settle(rig);
    rig_append(rig, "b", "3\n");
    expect(&viewer, "1\n2\n3\n");
    rig_append(rig, "a", " of a line\n");
    expect(&viewer, "1\n2\n3\npart of a line\n");
    end(&viewer);
}

/* The clock stands, there is one line, and the viewer has it and all notices. */
static void begin_at_rest(struct viewer *viewer, struct rig *rig, const char *const *names) {
    struct view_options options = OPTIONS;
    struct view_event event;
    clock_freeze();
    begin(viewer, rig, names);
    rig_append(rig, "log", "1\n");
    look(viewer, &options);
    expect(viewer, "1\n");
    while (view_next(viewer->view, &event))
        ;
}

/* Soon after a batch it is told of nothing but much; who then asks late is told of a line again. */
static void test_who_asks_late_behind_a_notice_is_woken(void **state) {
    static const char *const names[] = {"log", "other", NULL};
    struct rig *rig = *state;
    struct viewer viewer;
    struct view_event event;
    begin_at_rest(&viewer, rig, names);
    rig_advance(rig, ROSTER_MS - VIEW_BATCH_MS / 2);
    rig_append(rig, "log", "2\n");
    rig_settle(rig);
    expect(&viewer, "1\n2\n");
    rig_append(rig, "other", "");
    rig_advance(rig, VIEW_BATCH_MS / 2);
    assert_true(view_next(viewer.view, &event));
    assert_string_equal(event.name, "source");
    rig_advance(rig, VIEW_BATCH_MS);
    assert_false(view_next(viewer.view, &event));
    rig_append(rig, "log", "3\n");
    rig_settle(rig);
    assert_true(view_next(viewer.view, &event));
    assert_true(str_eq(event.data, STR("3")));
    end(&viewer);
}

/* The first lines after a rest at once; those of the next 50 ms together, at its end. */
static void test_lines_that_follow_soon_come_together(void **state) {
    static const char *const names[] = {"log", NULL};
    struct rig *rig = *state;
    struct viewer viewer;
    struct view_event event;
    begin_at_rest(&viewer, rig, names);
    rig_append(rig, "log", "2\n");
    rig_settle(rig);
    assert_false(view_next(viewer.view, &event));
    rig_advance(rig, 49);
    rig_append(rig, "log", "3\n");
    rig_settle(rig);
    assert_false(view_next(viewer.view, &event));
    rig_advance(rig, 1);
    assert_true(view_next(viewer.view, &event));
    assert_true(str_eq(event.data, STR("2\n3")));
    assert_false(view_next(viewer.view, &event));
    rig_advance(rig, 50);
    rig_append(rig, "log", "4\n");
    rig_settle(rig);
    assert_true(view_next(viewer.view, &event));
    assert_true(str_eq(event.data, STR("4")));
    end(&viewer);
}

/* ---- limits of history and files --------------------------------------------------------------*/

static void test_history_of_several_files_has_16_MB(void **state) {
    static const char *const names[] = {"a", "b", NULL};
    struct rig *rig = *state;
    struct view_options options = OPTIONS;
    struct viewer viewer;
    const size_t line = 65000, most = RECENT_BYTES / line * line;
    options.max_line = 65536;
    for (size_t i = 0; i < RECENT_BYTES / line + 20; i++)
        append_long(rig, "a", line);
    rig_append(rig, "b", "");
    begin(&viewer, rig, names);
    look(&viewer, &options);
    while (viewer.text.len < most)
        take(&viewer);
    rig_append(rig, "b", "end\n");
    while (memcmp(viewer.text.data + viewer.text.len - 4, "end\n", 4) != 0)
        take(&viewer);
    assert_int_equal(viewer.text.len, most + 4);
    end(&viewer);
}

static void test_a_roster_has_256_files(void **state) {
    static const char *const names[] = {"*.log", NULL};
    struct rig *rig = *state;
    struct view_options options = OPTIONS;
    struct viewer viewer;
    size_t n;
    for (int i = 0; i < ROSTER_MOST; i++) {
        char name[16];
        snprintf(name, sizeof name, "%03d.log", i);
        rig_append(rig, name, "");
    }
    begin(&viewer, rig, names);
    look(&viewer, &options);
    take(&viewer);
    roster_files(viewer.logs->roster, &n);
    assert_int_equal(n, ROSTER_MOST);
    assert_int_equal(rig->warned, 0);
    end(&viewer);
    rig_append(rig, "one-more.log", "");
    begin(&viewer, rig, names);
    look(&viewer, &options);
    take(&viewer);
    roster_files(viewer.logs->roster, &n);
    assert_int_equal(n, ROSTER_MOST);
    assert_int_equal(rig->warned, 1);
    assert_non_null(strstr(rig->warning, "more than 256 files"));
    end(&viewer);
}

/* As where each hour has a file of its own: in the long run there are more than have entries. */
static void test_files_that_are_gone_make_room_for_others(void **state) {
    static const char *const names[] = {"*.log", NULL};
    enum { ROUNDS = 6, FILES_OF_ONE = 60 };
    struct rig *rig = *state;
    struct view_options options = OPTIONS;
    struct viewer viewer;
    struct buf want = {0};
    clock_freeze();
    begin(&viewer, rig, names);
    look(&viewer, &options);
    rig_settle(rig);
    for (int round = 0; round < ROUNDS; round++) {
        char name[64], line[64];
        for (int i = 0; i < FILES_OF_ONE; i++) {
            snprintf(name, sizeof name, "%d-%02d.log", round, i);
            snprintf(line, sizeof line, "1970-01-01T00:%02d:%02dZ\n", round, i);
            buf_add(&want, str_of(line));
            rig_append(rig, name, line);
        }
        rig_advance(rig, ROSTER_MS);
        buf_add_char(&want, '\0');
        want.len--;
        expect(&viewer, want.data);
        for (int i = 0; i < FILES_OF_ONE; i++) {
            snprintf(name, sizeof name, "%d-%02d.log", round, i);
            remove(rig_path(rig, name));
        }
        rig_advance(rig, ROSTER_MS);
        rig_advance(rig, ROSTER_MS);
    }
    assert_int_equal(rig->warned, 0);
    buf_fini(&want);
    end(&viewer);
}

/* ---- falling behind ---------------------------------------------------------------------------*/

/* How many lines were skipped is told over a rotation, too; and between the two ids they all are. */
static void test_what_is_skipped_is_counted(void **state) {
    static const char *const names[] = {"log", NULL};
    struct rig *rig = *state;
    struct view_options options = OPTIONS;
    struct viewer viewer;
    char want[256], from[FOLLOW_ID_MAX + 16], to[FOLLOW_ID_MAX + 16];
    options.behind = 4000;
    begin(&viewer, rig, names);
    rig_append(rig, "log", "first\n");
    look(&viewer, &options);
    expect(&viewer, "first\n");
    rig_settle(rig);
    for (int i = 0; i < 1000; i++)
        rig_append(rig, "log", i % 2 ? "odd\n" : "even\n");
    rig_settle(rig);
    rig_rename(rig, "log", "log.1");
    for (int i = 0; i < 500; i++)
        rig_append(rig, "log", "more\n");
    rig_settle(rig);
    while (viewer.logs->shelf.n < 1000 && viewer.notices.len == 0)
        take(&viewer);
    long got = 0;
    for (size_t i = 0; i < viewer.text.len; i++)
        got += viewer.text.data[i] == '\n';
    long lines = 0;
    buf_add_char(&viewer.notices, '\0');
    assert_int_equal(sscanf(viewer.notices.data,
                            "gap {\"source\":\"%*8s\",\"lines\":%ld,\"from\":\"%70[^\"]\",\"to\":"
                            "\"%70[^\"]\"};",
                            &lines, from, to),
                     3);
    rig_append(rig, "log", "last\n");
    snprintf(want, sizeof want, "last\n");
    viewer.text.len = 0;
    struct buf rest = {0};
    while (rest.len < 5 || memcmp(rest.data + rest.len - 5, "last\n", 5) != 0) {
        viewer.text.len = 0;
        take(&viewer);
        buf_add(&rest, buf_str(&viewer.text));
    }
    long after = 0;
    for (size_t i = 0; i < rest.len; i++)
        after += rest.data[i] == '\n';
    assert_int_equal(got + lines + after, 1 + 1000 + 500 + 1);
    look_away(&viewer);
    options.behind = 1u << 30;
    options.after = str_of(from);
    look(&viewer, &options);
    size_t newlines = 0;
    while (newlines < (size_t)(lines + after)) {
        newlines = 0;
        take(&viewer);
        for (size_t i = 0; i < viewer.text.len; i++)
            newlines += viewer.text.data[i] == '\n';
    }
    assert_int_equal(newlines, lines + after);
    look_away(&viewer);
    options.after = str_of(to);
    look(&viewer, &options);
    expect(&viewer, rest.data ? (buf_add_char(&rest, '\0'), rest.data) : "");
    buf_fini(&rest);
    end(&viewer);
}

static void test_limits(void **state) {
    static const char *const names[] = {"log", NULL};
    struct rig *rig = *state;
    struct view_options options = OPTIONS;
    struct viewer viewer;
    const char *why;
    begin(&viewer, rig, names);
    options.lines = VIEW_LINES_MAX + 1;
    assert_null(view_new(viewer.logs, &options, on_ready, &viewer, &why));
    options.lines = VIEW_LINES_MAX;
    options.max_line = 0;
    assert_null(view_new(viewer.logs, &options, on_ready, &viewer, &why));
    options.max_line = FOLLOW_LINE_BYTES_MAX + 1;
    assert_null(view_new(viewer.logs, &options, on_ready, &viewer, &why));
    options.max_line = FOLLOW_LINE_BYTES_MAX;
    look(&viewer, &options);
    end(&viewer);
}

int main(void) {
#define RIGGED(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)
    const struct CMUnitTest tests[] = {
        RIGGED(test_history_is_merged_as_the_model_has_it),
        RIGGED(test_viewers_in_step_share_pages_and_others_do_not),
        RIGGED(test_the_shelf_is_bounded),
        RIGGED(test_the_shelf_is_bounded_in_bytes),
        RIGGED(test_the_last_piece_of_a_line_is_a_piece_on_the_next_page),
        RIGGED(test_a_line_without_end_keeps_no_other_file_waiting),
        RIGGED(test_lines_that_follow_soon_come_together),
        RIGGED(test_who_asks_late_behind_a_notice_is_woken),
        RIGGED(test_history_of_several_files_has_16_MB),
        RIGGED(test_a_roster_has_256_files),
        RIGGED(test_files_that_are_gone_make_room_for_others),
        RIGGED(test_what_is_skipped_is_counted),
        RIGGED(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What base/scribe promises: nobody waits, lines stay whole, and what is dropped is counted and
 * told.
 */
#include "base/scribe.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64], path[96];
    struct scribe *scribe; /* of `ends[1]`, or of the file */
    int ends[2];
};

static pthread_mutex_t said_lock = PTHREAD_MUTEX_INITIALIZER;
static struct buf said; /* by the program's own log */

static void on_log(enum log_level level, struct str line, void *arg) {
    (void)level, (void)arg;
    pthread_mutex_lock(&said_lock);
    buf_add(&said, line);
    pthread_mutex_unlock(&said_lock);
}

static int count_said(const char *text) {
    int count = 0;
    pthread_mutex_lock(&said_lock);
    struct str rest = buf_str(&said);
    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n');
        count += memmem(line.ptr, line.len, text, strlen(text)) != NULL;
    }
    pthread_mutex_unlock(&said_lock);
    return count;
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void wait_said(const char *text) {
    while (count_said(text) == 0)
        nap();
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    strcpy(f->folder, "/tmp/weir-scribe-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/log", f->folder);
    f->ends[0] = f->ends[1] = -1;
    log_set_sink(on_log, NULL);
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char command[96];
    fault_reset();
    if (f->scribe)
        scribe_close(f->scribe);
    if (f->ends[0] >= 0)
        close(f->ends[0]); /* who waits for room gets EPIPE */
    scribes_finish();
    if (f->ends[1] >= 0)
        close(f->ends[1]);
    log_use(NULL);
    log_set_sink(NULL, NULL);
    buf_fini(&said);
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    free(f);
    return system(command);
}

static void use_pipe(struct fixture *f) {
    assert_int_equal(pipe(f->ends), 0);
    assert_int_equal(fcntl(f->ends[1], F_SETPIPE_SZ, 4096), 4096);
    assert_int_equal(scribe_of(f->ends[1], "the pipe", &f->scribe), 0);
}

static void use_file(struct fixture *f) {
    assert_int_equal(scribe_open(f->path, &f->scribe), 0);
}

static off_t size_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

static void wait_size(const char *path, off_t size) {
    while (size_of(path) != size)
        nap();
}

static void put_numbered(struct scribe *scribe, int n) {
    char line[101];
    snprintf(line, sizeof line, "%06d", n);
    memset(line + 6, 'x', 93);
    line[99] = '\n';
    scribe_put(scribe, (struct str){line, 100});
}

static void nobody_waits_and_what_is_dropped_is_told(void **state) {
    enum { LINES = 20000, MOST = SCRIBE_BYTES / 100 };
    struct fixture *f = *state;
    use_pipe(f);
    for (int i = 0; i < LINES; i++) /* twice as much as there is room for */
        put_numbered(f->scribe, i);
    FILE *reader = fdopen(dup(f->ends[0]), "r");
    char line[128], expected[128];
    int seen = 0;
    for (; seen < MOST - 1; seen++) {
        assert_non_null(fgets(line, sizeof line, reader));
        assert_int_equal(strlen(line), 100);
        assert_int_equal(atoi(line), seen);
    }
    wait_said("the pipe: ");
    pthread_mutex_lock(&said_lock);
    const char *told = memmem(said.data, said.len, "the pipe: ", 10);
    int dropped = told ? atoi(told + 10) : -1;
    pthread_mutex_unlock(&said_lock);
    put_numbered(f->scribe, LINES);
    do { /* what has come in while the first lines left */
        assert_non_null(fgets(line, sizeof line, reader));
        seen++;
    } while (atoi(line) != LINES);
    assert_int_equal(seen - 1 + dropped, LINES);
    snprintf(expected, sizeof expected, "%d lines were dropped", dropped);
    assert_int_equal(count_said(expected), 1);
    fclose(reader);
}

static void a_line_beyond_all_room_is_told_at_once(void **state) {
    struct fixture *f = *state;
    char *line = malloc(SCRIBE_BYTES + 1);
    use_pipe(f);
    memset(line, 'x', SCRIBE_BYTES);
    line[SCRIBE_BYTES] = '\n';
    scribe_put(f->scribe, (struct str){line, SCRIBE_BYTES + 1});
    wait_said("the pipe: 1 lines were dropped");
    free(line);
}

static void some_lines_are_never_dropped(void **state) {
    struct fixture *f = *state;
    use_pipe(f);
    for (int i = 0; i < 20000; i++)
        put_numbered(f->scribe, i);
    scribe_put_always(f->scribe, STR("listening\n"));
    FILE *reader = fdopen(dup(f->ends[0]), "r");
    char line[128];
    do
        assert_non_null(fgets(line, sizeof line, reader));
    while (strcmp(line, "listening\n") != 0);
    fclose(reader);
}

/* What others write to the same pipe never comes into a line. */
static void a_pipe_gets_whole_lines_in_each_write(void **state) {
    struct fixture *f = *state;
    char text[PIPE_BUF + 1];
    use_pipe(f);
    for (int i = 0; i < 100; i++)
        put_numbered(f->scribe, i);
    for (int left = 100; left > 0;) {
        ssize_t n = read(f->ends[0], text, PIPE_BUF);
        assert_true(n > 0 && n % 100 == 0);
        left -= (int)n / 100;
    }
}

static void somebody_may_have_made_it_non_blocking(void **state) {
    struct fixture *f = *state;
    char text[PIPE_BUF];
    use_pipe(f);
    fcntl(f->ends[1], F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 1000; i++)
        put_numbered(f->scribe, i);
    for (ssize_t left = 100000; left > 0;)
        left -= read(f->ends[0], text, sizeof text);
    assert_int_equal(count_said("the pipe"), 0);
}

static void a_full_disk_is_told_once_and_lines_wait(void **state) {
    struct fixture *f = *state;
    use_file(f);
    fault_arm("scribe_write", -ENOSPC, 0, 2);
    scribe_put(f->scribe, STR("one\n"));
    wait_said("No space left on device");
    scribe_put(f->scribe, STR("two\n"));
    wait_said("writing again, 0 lines were dropped");
    assert_int_equal(count_said("No space"), 1);
    wait_size(f->path, 8);
}

static void what_a_full_disk_has_cost_is_counted(void **state) {
    enum { MOST = SCRIBE_BYTES / 100 };
    struct fixture *f = *state;
    use_file(f);
    fault_arm("scribe_write", -ENOSPC, 0, 1);
    put_numbered(f->scribe, 0);
    wait_said("No space");
    for (int i = 1; i < MOST + 7; i++)
        put_numbered(f->scribe, i);
    wait_said("writing again, 7 lines were dropped");
    wait_size(f->path, 100 * MOST);
}

static void a_file_that_cannot_be_made_is_tried_again(void **state) {
    struct fixture *f = *state;
    use_file(f);
    assert_int_equal(unlink(f->path), 0);
    fault_arm("scribe_open", -EMFILE, 0, 1);
    scribe_put(f->scribe, STR("one\n"));
    wait_said("Too many open files");
    wait_size(f->path, 4);
}

static void a_renamed_file_is_opened_anew(void **state) {
    struct fixture *f = *state;
    char old[128];
    snprintf(old, sizeof old, "%s.1", f->path);
    use_file(f);
    scribe_put(f->scribe, STR("one\n"));
    wait_size(f->path, 4);
    assert_int_equal(rename(f->path, old), 0);
    scribe_put(f->scribe, STR("second\n"));
    wait_size(f->path, 7);
    assert_int_equal(rename(f->path, old), 0);
    scribes_reopen(); /* before there are lines */
    wait_size(f->path, 0);
}

/* Its folder may not be ours to write to: better there than nowhere. */
static void lines_go_on_in_a_renamed_file_where_there_is_no_other(void **state) {
    struct fixture *f = *state;
    char old[128];
    snprintf(old, sizeof old, "%s.1", f->path);
    use_file(f);
    assert_int_equal(rename(f->path, old), 0);
    fault_arm("scribe_open", -EACCES, 0, 3);
    for (int i = 1; i <= 3; i++) {
        scribe_put(f->scribe, STR("line\n"));
        wait_size(old, 5 * i);
    }
    wait_said("Permission denied; lines go on in the file that is open");
    assert_int_equal(size_of(f->path), -1);
    scribe_put(f->scribe, STR("next\n"));
    wait_size(f->path, 5);
    wait_said("opened again");
    assert_int_equal(count_said("Permission denied"), 1);
    assert_int_equal(size_of(old), 15);
}

/* A disk that is full in the middle of a line, and then the file is rotated. */
static void a_line_that_was_cut_is_whole_in_the_next_file(void **state) {
    struct fixture *f = *state;
    struct rlimit before, little = {.rlim_cur = 6, .rlim_max = RLIM_INFINITY};
    char old[128], text[32] = "";
    snprintf(old, sizeof old, "%s.1", f->path);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    use_file(f);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    scribe_put(f->scribe, STR("one\nsecond\n"));
    wait_said("File too large");
    assert_int_equal(size_of(f->path), 6);
    assert_int_equal(rename(f->path, old), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    scribes_reopen();
    wait_said("writing again");
    FILE *file = fopen(f->path, "r");
    assert_int_equal(fread(text, 1, sizeof text - 1, file), 7);
    assert_string_equal(text, "second\n");
    fclose(file);
    assert_int_equal(size_of(old), 6);
}

static void a_buffer_is_taken_and_comes_back_empty(void **state) {
    struct fixture *f = *state;
    struct buf lines = {0};
    use_file(f);
    for (int i = 0; i < 100; i++) {
        buf_printf(&lines, "line %03d\n", 2 * i);
        scribe_take(f->scribe, &lines);
        assert_int_equal(lines.len, 0);
        buf_printf(&lines, "line %03d\n", 2 * i + 1);
        scribe_put(f->scribe, buf_str(&lines));
        lines.len = 0;
    }
    scribes_finish();
    wait_size(f->path, 200 * 9);
    FILE *file = fopen(f->path, "r");
    for (int i = 0, n; i < 200; i++) {
        assert_int_equal(fscanf(file, "line %d\n", &n), 1);
        assert_int_equal(n, i);
    }
    fclose(file);
    buf_fini(&lines);
}

static void who_opens_a_path_again_shares_it(void **state) {
    struct fixture *f = *state;
    struct scribe *other, *none = NULL;
    use_file(f);
    assert_int_equal(scribe_open(f->path, &other), 0);
    assert_ptr_equal(other, f->scribe);
    scribe_close(other);
    scribe_put(f->scribe, STR("one\n"));
    scribe_close(f->scribe);
    scribes_finish();
    assert_int_equal(size_of(f->path), 4);
    f->scribe = NULL;
    assert_int_equal(scribe_open("/nowhere/log", &none), -ENOENT);
    assert_null(none);
}

static void what_cannot_be_written_at_the_end_is_told(void **state) {
    struct fixture *f = *state;
    use_file(f);
    fault_arm("scribe_write", -ENOSPC, 0, 2);
    scribe_put(f->scribe, STR("one\n"));
    scribe_close(f->scribe);
    f->scribe = NULL;
    scribes_finish();
    assert_int_equal(count_said("4 bytes were not written"), 1);
}

/* Nobody reads: the end comes all the same. */
static void the_end_does_not_wait_for_ever(void **state) {
    struct fixture *f = *state;
    use_pipe(f);
    for (int i = 0; i < 1000; i++)
        put_numbered(f->scribe, i);
    scribes_finish();
    assert_int_equal(count_said("the pipe"), 0);
}

/* Its own report is not what it drops, and waits for nobody. */
static void the_log_can_be_an_scribe(void **state) {
    struct fixture *f = *state;
    use_pipe(f);
    log_use(f->scribe);
    for (int i = 0; i < 20000; i++)
        log_info("%0200d", i);
    FILE *reader = fdopen(dup(f->ends[0]), "r");
    char line[512];
    do
        assert_non_null(fgets(line, sizeof line, reader));
    while (!strstr(line, "lines were dropped"));
    fclose(reader);
}

static void of_each_kind_ten_are_told_a_second(void **state) {
    static struct log_kind kind = LOG_KIND("things"), other = LOG_KIND("others");
    struct fixture *f = *state;
    char line[256];
    int told = 0;
    clock_freeze();
    for (int i = 0; i < 100; i++)
        told += log_admits(&kind, LOG_INFO);
    assert_int_equal(told, 100); /* only a server counts */
    use_pipe(f);
    log_use(f->scribe);
    told = 0;
    for (int i = 0; i < 100; i++)
        told += log_admits(&kind, LOG_INFO);
    assert_int_equal(told, LOG_OFTEN);
    assert_false(log_admits(&kind, LOG_DEBUG)); /* nor is it counted */
    assert_true(log_admits(&other, LOG_INFO));
    log_sums(false);
    FILE *reader = fdopen(dup(f->ends[0]), "r");
    clock_advance_ns(1000000000);
    log_sums(false);
    assert_non_null(fgets(line, sizeof line, reader));
    assert_non_null(strstr(line, "warn  things: … and 90 more like it\n"));
    for (int i = 0; i < 12; i++)
        log_admits(&kind, LOG_INFO);
    clock_advance_ns(1000000000);
    assert_true(log_admits(&kind, LOG_INFO)); /* tells the last second's first */
    assert_non_null(fgets(line, sizeof line, reader));
    assert_non_null(strstr(line, "things: … and 2 more like it\n"));
    for (int i = 0; i < 12; i++)
        log_admits(&other, LOG_INFO);
    log_sums(true);
    assert_non_null(fgets(line, sizeof line, reader));
    assert_non_null(strstr(line, "others: … and 2 more like it\n"));
    clock_thaw();
    fclose(reader);
}

enum { THREADS = 4, EACH = 2000 };

static void *put_many(void *arg) {
    for (int i = 0; i < EACH; i++)
        put_numbered(arg, i);
    return NULL;
}

static void many_threads_may_put(void **state) {
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    use_file(f);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, f->scribe), 0);
    for (int i = 0; i < 50; i++)
        scribes_reopen();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    scribes_finish();
    assert_int_equal(size_of(f->path), THREADS * EACH * 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nobody_waits_and_what_is_dropped_is_told),
        TEST(a_line_beyond_all_room_is_told_at_once),
        TEST(some_lines_are_never_dropped),
        TEST(a_pipe_gets_whole_lines_in_each_write),
        TEST(somebody_may_have_made_it_non_blocking),
        TEST(a_full_disk_is_told_once_and_lines_wait),
        TEST(what_a_full_disk_has_cost_is_counted),
        TEST(a_file_that_cannot_be_made_is_tried_again),
        TEST(a_renamed_file_is_opened_anew),
        TEST(lines_go_on_in_a_renamed_file_where_there_is_no_other),
        TEST(a_line_that_was_cut_is_whole_in_the_next_file),
        TEST(a_buffer_is_taken_and_comes_back_empty),
        TEST(who_opens_a_path_again_shares_it),
        TEST(what_cannot_be_written_at_the_end_is_told),
        TEST(the_end_does_not_wait_for_ever),
        TEST(the_log_can_be_an_scribe),
        TEST(of_each_kind_ten_are_told_a_second),
        TEST(many_threads_may_put),
    };
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("base_scribe", tests, NULL, NULL);
}

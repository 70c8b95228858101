/* What http/static promises, over a stream without a protocol. */
#include "http/static.h"

#include "base/fault.h"
#include "base/log.h"
#include "fake_stream.h"
#include "net/file.h"
#include "net/file_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LARGE 200000

/* A folder with these files is served: a.txt, c.js with both siblings, sub/index.html, large. */
struct fixture {
    struct fake fake;
    struct static_dir *dir;
    struct buf said;
    char folder[64];
    int before;
    int calls, error; /* of static_file's callback */
};

static void on_log(enum log_level level, struct str line, void *arg) {
    (void)level;
    buf_add(&((struct fixture *)arg)->said, line);
}

static void put(const char *path, const char *bytes, size_t n) {
    assert_int_equal(file_replace(path, (struct str){bytes, n}), 0);
}

static void put_text(const char *path, const char *text) {
    put(path, text, strlen(text));
}

/* 2020-01-02T03:04:05.5Z */
static void date(const char *path) {
    struct timespec times[2] = {{1577934245, 500000000}, {1577934245, 500000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void put_large(void) {
    char *bytes = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char)(i * 31 >> 3);
    put("root/large", bytes, LARGE);
    free(bytes);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof(*f));
    *state = f;
    strcpy(f->folder, "/tmp/weir-static-XXXXXX");
    f->before = open(".", O_PATH | O_DIRECTORY);
    if (!mkdtemp(f->folder) || chdir(f->folder) < 0 || file_mkdir("root/sub") < 0 ||
        file_mkdir("root/empty") < 0)
        return -1;
    put_text("root/a.txt", "hello");
    date("root/a.txt");
    put_text("root/c.js", "plain");
    put_text("root/c.js.br", "brotli");
    put_text("root/c.js.gz", "gzipped");
    put_text("root/index.html", "<p>root");
    put_text("root/sub/index.html", "<p>sub");
    put_text("root/.secret", "no");
    put_text("root/100%.txt", "percent");
    put_text("root/a%2Fb", "encoded");
    put_text("outside", "no");
    put_large();
    log_set_sink(on_log, f);
    fake_init(&f->fake);
    f->dir = static_dir_new("root", &(struct static_options){.max_age = -1});
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char command[96];
    fault_reset();
    static_dir_free(f->dir);
    fake_fini(&f->fake);
    log_set_sink(NULL, NULL);
    buf_fini(&f->said);
    snprintf(command, sizeof(command), "rm -rf %s", f->folder);
    int rc = fchdir(f->before) < 0 || system(command) != 0;
    close(f->before);
    free(f);
    return rc;
}

static void begin(struct fixture *f, const char *method, const char *rest, const char *fields) {
    char target[256];
    snprintf(target, sizeof(target), "/files/%s", rest);
    struct stream *stream = fake_request(&f->fake, method, target, fields);
    static_serve(stream, f->dir, path_after(request_path(stream->request), 1), NULL, NULL);
}

/* Asks for `rest` and waits for the whole answer. */
static void get(struct fixture *f, const char *rest, const char *fields) {
    begin(f, "GET", rest, fields);
    fake_run(&f->fake);
}

static void assert_answer(struct fixture *f, int status, const char *body) {
    assert_int_equal(f->fake.status, status);
    assert_int_equal(f->fake.stream->reason, REASON_DONE);
    assert_string_equal(f->fake.body.data, body);
    assert_int_equal(f->fake.length, strlen(body));
}

static void assert_field(struct fixture *f, const char *name, const char *expected) {
    const char *value = fake_field(&f->fake, name);
    if (!value)
        fail_msg("no field %s", name);
    assert_string_equal(value, expected);
}

static void assert_no_field(struct fixture *f, const char *name) {
    assert_null(fake_field(&f->fake, name));
}

static void a_file_is_sent_whole(void **state) {
    struct fixture *f = *state;
    get(f, "a.txt", "");
    assert_answer(f, 200, "hello");
    assert_field(f, "Content-Type", "text/plain; charset=utf-8");
    assert_field(f, "Last-Modified", "Thu, 02 Jan 2020 03:04:05 GMT");
    assert_non_null(fake_field(&f->fake, "ETag"));
    assert_field(f, "Accept-Ranges", "bytes");
    assert_field(f, "Cache-Control", "no-cache");
    assert_no_field(f, "Vary");
    assert_no_field(f, "Content-Range");
    assert_no_field(f, "Content-Encoding");
}

/* The tag of root/`name` differs from all that were given before. */
static void assert_new_tag(struct fixture *f, const char *name, const char *body) {
    static char tags[16][64];
    static int ntags;
    get(f, name, "");
    assert_answer(f, 200, body);
    const char *tag = fake_field(&f->fake, "ETag");
    assert_non_null(tag);
    for (int i = 0; i < ntags; i++)
        assert_string_not_equal(tag, tags[i]);
    assert_true(ntags < 16 && strlen(tag) < sizeof(tags[0]));
    strcpy(tags[ntags++], tag);
}

static void set_time(const char *path, time_t seconds, long ns) {
    struct timespec times[2] = {{seconds, ns}, {seconds, ns}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Whatever is the same: size, time of modification, or the file itself; and at once. */
static void a_change_changes_the_tag(void **state) {
    struct fixture *f = *state;
    assert_new_tag(f, "a.txt", "hello");
    set_time("root/a.txt", 1577934245, 500000001);
    assert_new_tag(f, "a.txt", "hello");
    put_text("root/a.txt", "hello!");
    date("root/a.txt");
    assert_new_tag(f, "a.txt", "hello!");
    put_text("root/new", "HELLO!");
    date("root/new");
    assert_int_equal(rename("root/new", "root/a.txt"), 0);
    assert_new_tag(f, "a.txt", "HELLO!");
    for (int i = 0; i < 4; i++) {
        char text[] = "hell0!";
        text[4] += (char)i;
        int fd = open("root/a.txt", O_WRONLY);
        assert_int_equal(pwrite(fd, text, 6, 0), 6);
        close(fd);
        set_time("root/a.txt", i % 2, 0);
        assert_new_tag(f, "a.txt", text);
    }
}

static void a_tag_stays_while_nothing_changes(void **state) {
    struct fixture *f = *state;
    char first[64];
    put_text("root/fresh", "fresh");
    get(f, "fresh", "");
    strcpy(first, fake_field(&f->fake, "ETag"));
    get(f, "fresh", "");
    assert_field(f, "ETag", first);
}

/* Times that all files of a reproducible build have say nothing. */
static void times_of_0_and_1_are_no_validators(void **state) {
    static const char *const fields[] = {
        "", "if-modified-since: Thu, 02 Jan 2020 03:04:05 GMT\n",
        "if-modified-since: Thu, 01 Jan 1970 00:00:01 GMT\n",
        "if-unmodified-since: Sun, 06 Nov 1994 08:49:37 GMT\n",
        "range: bytes=0-1\nif-range: Thu, 01 Jan 1970 00:00:01 GMT\n"};
    struct fixture *f = *state;
    for (time_t seconds = 0; seconds <= 2; seconds++) {
        set_time("root/a.txt", seconds, 0);
        get(f, "a.txt", "if-modified-since: Thu, 02 Jan 2020 03:04:05 GMT\n");
        assert_int_equal(f->fake.status, seconds < 2 ? 200 : 304);
        for (size_t i = 0; seconds < 2 && i < sizeof(fields) / sizeof(fields[0]); i++) {
            get(f, "a.txt", fields[i]);
            assert_answer(f, 200, "hello");
            assert_no_field(f, "Last-Modified");
        }
    }
    assert_field(f, "Last-Modified", "Thu, 01 Jan 1970 00:00:02 GMT");
}

static void head_measures_only(void **state) {
    struct fixture *f = *state;
    fault_arm("file_read", -EIO, 0, 100); /* nothing is read */
    begin(f, "HEAD", "large", "range: bytes=0-1\n");
    fake_run(&f->fake);
    assert_int_equal(f->fake.status, 200);
    assert_int_equal(f->fake.length, LARGE);
    assert_int_equal(f->fake.body.len, 0);
    assert_int_equal(f->fake.stream->reason, REASON_DONE);
    assert_field(f, "Accept-Ranges", "bytes");
}

static void an_empty_file_is_sent(void **state) {
    struct fixture *f = *state;
    put_text("root/empty.css", "");
    get(f, "empty.css", "range: bytes=0-\n");
    assert_int_equal(f->fake.status, 416);
    get(f, "empty.css", "");
    assert_answer(f, 200, "");
}

static void large_files_follow_the_reader(void **state) {
    struct fixture *f = *state;
    begin(f, "GET", "large", "");
    f->fake.holding = true;
    size_t most = 0;
    while (f->fake.stream->state != STREAM_CLOSED) {
        while (f->fake.queued == 0 && f->fake.stream->state != STREAM_CLOSED)
            uv_run(&f->fake.loop.uv, UV_RUN_ONCE);
        if (f->fake.queued > most)
            most = f->fake.queued;
        assert_int_equal(f->fake.loop.uv.active_reqs.count, 0); /* no block is read ahead */
        if (f->fake.stream->state != STREAM_CLOSED)
            fake_drain(&f->fake);
    }
    assert_int_equal(most, 65536);
    assert_int_equal(f->fake.body.len, LARGE);
    struct buf expected = {0};
    assert_int_equal(file_read_all("root/large", LARGE, &expected), 0);
    assert_memory_equal(f->fake.body.data, expected.data, LARGE);
    buf_fini(&expected);
}

static void large_files_are_sent_to_who_reads_at_once(void **state) {
    struct fixture *f = *state;
    get(f, "large", "");
    assert_int_equal(f->fake.body.len, LARGE);
    assert_int_equal(f->fake.stream->reason, REASON_DONE);
}

static void ranges_are_cut_out(void **state) {
    static const struct {
        const char *range, *body, *content_range;
        int status;
    } rows[] = {
        {"bytes=0-0", "h", "bytes 0-0/5", 206},     {"bytes=1-3", "ell", "bytes 1-3/5", 206},
        {"bytes=2-", "llo", "bytes 2-4/5", 206},    {"bytes=-2", "lo", "bytes 3-4/5", 206},
        {"bytes=-99", "hello", "bytes 0-4/5", 206}, {"bytes=4-99", "o", "bytes 4-4/5", 206},
        {"bytes=5-", NULL, "bytes */5", 416},       {"bytes=0-1,3-4", "hello", NULL, 200},
        {"lines=0-1", "hello", NULL, 200},          {"bytes=x", "hello", NULL, 200},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char fields[64];
        snprintf(fields, sizeof(fields), "range: %s\n", rows[i].range);
        get(f, "a.txt", fields);
        assert_int_equal(f->fake.status, rows[i].status);
        if (rows[i].body)
            assert_answer(f, rows[i].status, rows[i].body);
        if (rows[i].content_range)
            assert_field(f, "Content-Range", rows[i].content_range);
        else
            assert_no_field(f, "Content-Range");
    }
}

static void a_large_range_is_cut_out(void **state) {
    struct fixture *f = *state;
    get(f, "large", "range: bytes=65537-131080\n");
    assert_int_equal(f->fake.length, 131080 - 65537 + 1);
    assert_int_equal(f->fake.body.len, 131080 - 65537 + 1);
    for (size_t i = 0; i < f->fake.body.len; i++)
        assert_int_equal(f->fake.body.data[i], (char)((i + 65537) * 31 >> 3));
}

/* `fields` with the tag for TAG. */
static void insert_tag(const char *fields, const char *tag, char *out, size_t size) {
    const char *at = strstr(fields, "TAG");
    if (at)
        snprintf(out, size, "%.*s%s%s", (int)(at - fields), fields, tag, at + 3);
    else
        snprintf(out, size, "%s", fields);
}

static void preconditions_decide(void **state) {
    static const struct {
        const char *fields;
        int status;
    } rows[] = {
        {"if-none-match: TAG\n", 304},
        {"if-none-match: W/TAG\n", 304},
        {"if-none-match: *\n", 304},
        {"if-none-match: \"other\"\n", 200},
        {"if-modified-since: Thu, 02 Jan 2020 03:04:05 GMT\n", 304},
        {"if-modified-since: Thu, 02 Jan 2020 03:04:04 GMT\n", 200},
        {"if-none-match: \"x\"\nif-modified-since: Thu, 02 Jan 2020 03:04:05 GMT\n", 200},
        {"if-match: \"other\"\n", 412},
        {"if-match: TAG\n", 200},
        {"if-unmodified-since: Thu, 02 Jan 2020 03:04:04 GMT\n", 412},
        {"range: bytes=0-1\nif-range: TAG\n", 206},
        {"range: bytes=0-1\nif-range: \"other\"\n", 200},
        {"range: bytes=9-\nif-range: \"other\"\n", 200},
        {"range: bytes=0-1\nif-none-match: TAG\n", 304},
    };
    struct fixture *f = *state;
    char tag[64], fields[160];
    get(f, "a.txt", "");
    strcpy(tag, fake_field(&f->fake, "ETag"));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        insert_tag(rows[i].fields, tag, fields, sizeof(fields));
        get(f, "a.txt", fields);
        if (f->fake.status != rows[i].status)
            fail_msg("%s: %d instead of %d", rows[i].fields, f->fake.status, rows[i].status);
        assert_int_equal(f->fake.stream->reason, REASON_DONE);
        if (rows[i].status != 304)
            continue;
        assert_answer(f, 304, "");
        assert_field(f, "ETag", tag);
        assert_field(f, "Cache-Control", "no-cache");
        assert_no_field(f, "Content-Type");
    }
}

static void a_time_to_come_is_not_told(void **state) {
    struct fixture *f = *state;
    time_t now = time(NULL);
    struct timespec times[2] = {{now + 100000, 0}, {now + 100000, 0}};
    char later[64];
    assert_int_equal(utimensat(AT_FDCWD, "root/a.txt", times, 0), 0);
    strftime(later, sizeof(later), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&times[0].tv_sec));
    get(f, "a.txt", "");
    assert_string_not_equal(fake_field(&f->fake, "Last-Modified"), later);
}

static void siblings_are_chosen(void **state) {
    static const struct {
        const char *accept, *body, *encoding;
    } rows[] = {
        {"", "plain", NULL},
        {"accept-encoding: gzip, deflate, br\n", "brotli", "br"},
        {"accept-encoding: gzip\n", "gzipped", "gzip"},
        {"accept-encoding: br;q=0.5, gzip;q=0.8\n", "gzipped", "gzip"},
        {"accept-encoding: br;q=0, gzip\n", "gzipped", "gzip"},
        {"accept-encoding: *\n", "brotli", "br"},
        {"accept-encoding: zstd\n", "plain", NULL},
        {"accept-encoding: gzip;q=0.5, identity;q=0.9\n", "plain", NULL},
        {"accept-encoding: gzip;q=0\n", "plain", NULL},
    };
    struct fixture *f = *state;
    char tags[3][64];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        get(f, "c.js", rows[i].accept);
        assert_answer(f, 200, rows[i].body);
        assert_field(f, "Vary", "Accept-Encoding");
        assert_field(f, "Content-Type", "text/javascript; charset=utf-8");
        if (rows[i].encoding)
            assert_field(f, "Content-Encoding", rows[i].encoding);
        else
            assert_no_field(f, "Content-Encoding");
        if (i < 3)
            strcpy(tags[i], fake_field(&f->fake, "ETag"));
    }
    assert_non_null(strstr(tags[1], "-br\""));
    assert_non_null(strstr(tags[2], "-gz\""));
    assert_null(strstr(tags[0], "-br\""));
}

/* It is of what the file was before. */
static void a_sibling_that_is_older_is_not_served(void **state) {
    struct fixture *f = *state;
    set_time("root/c.js", 1577934245, 500000000);
    set_time("root/c.js.br", 1577934245, 499999999);
    set_time("root/c.js.gz", 1577934245, 500000000);
    get(f, "c.js", "accept-encoding: br, gzip\n");
    assert_answer(f, 200, "gzipped");
    get(f, "c.js", "accept-encoding: br\n");
    assert_answer(f, 200, "plain");
    assert_field(f, "Vary", "Accept-Encoding");
    set_time("root/c.js", 1577934246, 0);
    get(f, "c.js", "accept-encoding: br, gzip\n");
    assert_answer(f, 200, "plain");
    assert_no_field(f, "Content-Encoding");
    assert_no_field(f, "Vary");
    put_text("root/c.js.gz", "gzipped anew");
    get(f, "c.js", "accept-encoding: br, gzip\n");
    assert_answer(f, 200, "gzipped anew");
}

static void a_range_of_a_sibling_is_of_its_bytes(void **state) {
    struct fixture *f = *state;
    get(f, "c.js", "accept-encoding: br\nrange: bytes=0-2\n");
    assert_answer(f, 206, "bro");
    assert_field(f, "Content-Range", "bytes 0-2/6");
    assert_field(f, "Content-Encoding", "br");
    char fields[128];
    snprintf(fields, sizeof(fields), "if-none-match: %s\n", fake_field(&f->fake, "ETag"));
    get(f, "c.js", fields);
    assert_answer(f, 200, "plain"); /* the tag is another representation's */
}

static void a_sibling_alone_is_nothing(void **state) {
    struct fixture *f = *state;
    assert_int_equal(file_remove("root/c.js"), 0);
    get(f, "c.js", "accept-encoding: br\n");
    assert_int_equal(f->fake.status, 404);
    get(f, "c.js.gz", "");
    assert_answer(f, 200, "gzipped");
    assert_field(f, "Content-Type", "application/gzip");
}

static void folders_have_an_index(void **state) {
    struct fixture *f = *state;
    get(f, "", "");
    assert_answer(f, 200, "<p>root");
    assert_field(f, "Content-Type", "text/html; charset=utf-8");
    get(f, "sub/", "");
    assert_answer(f, 200, "<p>sub");
    get(f, "empty/", "");
    assert_int_equal(f->fake.status, 404);
    assert_int_equal(file_mkdir("root/empty/index.html"), 0);
    get(f, "empty/", "");
    assert_int_equal(f->fake.status, 404);
}

/* Of a target whose path is below a route of one segment. */
static void redirect(struct fixture *f, const char *target, const char *location) {
    struct stream *stream = fake_request(&f->fake, "GET", target, "");
    static_serve(stream, f->dir, path_after(request_path(stream->request), 1), NULL, NULL);
    fake_run(&f->fake);
    assert_answer(f, 301, "");
    assert_field(f, "Location", location);
}

static void folders_get_their_slash(void **state) {
    struct fixture *f = *state;
    redirect(f, "/files/sub", "./sub/");
    redirect(f, "/files/sub?a=b&c", "./sub/?a=b&c");
    redirect(f, "/files/s%75b?", "./sub/?");
    redirect(f, "http://host/files/sub", "./sub/");
    assert_int_equal(file_mkdir("root/a:b"), 0);
    redirect(f, "/files/a:b", "./a:b/");
    assert_int_equal(file_mkdir("root/a\\ %?\"b"), 0);
    redirect(f, "/files/a%5c%20%25%3F%22b", "./a%5C%20%25%3F%22b/");
}

static void what_is_not_there_is_404(void **state) {
    static const char *const rests[] = {
        "missing",          "a.txt/",   "a.txt/b",   ".secret", "%2e.%2Foutside",
        "sub%2F..%2Fa.txt", "link-out", "a%2Fb",     "%2f",     "sub%2Findex.html",
        "%2Fetc%2Fpasswd",  "sub/.x",   "%2esecret", "fifo",    "sub/..%5Ca.txt",
        "folder-out/b.txt", "a.txt%20",
    };
    struct fixture *f = *state;
    assert_int_equal(symlink("../outside", "root/link-out"), 0);
    assert_int_equal(symlink("..", "root/folder-out"), 0);
    put_text("b.txt", "out");
    assert_int_equal(mkfifo("root/fifo", 0644), 0);
    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        get(f, rests[i], "");
        if (f->fake.status != 404)
            fail_msg("%s: %d", rests[i], f->fake.status);
    }
    assert_int_equal(f->said.len, 0);
}

static void names_with_percent_are_found(void **state) {
    struct fixture *f = *state;
    get(f, "100%25.txt", "");
    assert_answer(f, 200, "percent");
    get(f, "a%252Fb", "");
    assert_answer(f, 200, "encoded");
}

static void options_are_heeded(void **state) {
    struct fixture *f = *state;
    static_dir_free(f->dir);
    f->dir = static_dir_new("root", &(struct static_options){.max_age = 3600, .hidden = true});
    get(f, ".secret", "");
    assert_answer(f, 200, "no");
    assert_field(f, "Cache-Control", "max-age=3600");
    get(f, "%2e%2E%2foutside", "");
    assert_int_equal(f->fake.status, 404);
}

static void fields_of_the_application_win(void **state) {
    struct fixture *f = *state;
    struct stream *stream = fake_request(&f->fake, "GET", "/c.js", "");
    stream_set_header(stream, STR("content-type"), STR("text/x-mine"));
    stream_set_header(stream, STR("cache-control"), STR("private"));
    stream_add_header(stream, STR("Vary"), STR("Origin"));
    static_serve(stream, f->dir, request_path(stream->request), NULL, NULL);
    fake_run(&f->fake);
    assert_answer(f, 200, "plain");
    assert_field(f, "Content-Type", "text/x-mine");
    assert_field(f, "Cache-Control", "private");
    assert_non_null(strstr(f->fake.head.data, "Vary: Origin\r\n"));
    assert_non_null(strstr(f->fake.head.data, "Vary: Accept-Encoding\r\n"));
}

static void exhaustion_is_told_apart(void **state) {
    struct fixture *f = *state;
    fault_arm("file_open", -EMFILE, 0, 1);
    get(f, "a.txt", "");
    assert_int_equal(f->fake.status, 503);
    fault_arm("file_open", -EIO, 0, 1);
    get(f, "a.txt", "");
    assert_int_equal(f->fake.status, 500);
    assert_non_null(memmem(f->said.data, f->said.len, "root/a.txt: Input/output error", 30));
}

static void a_file_that_shrinks_is_aborted(void **state) {
    struct fixture *f = *state;
    begin(f, "GET", "large", "");
    f->fake.holding = true;
    while (f->fake.queued == 0)
        uv_run(&f->fake.loop.uv, UV_RUN_ONCE);
    assert_int_equal(truncate("root/large", 70000), 0);
    fake_drain(&f->fake);
    fake_run(&f->fake);
    assert_true(f->fake.aborted);
    assert_int_equal(f->fake.stream->reason, REASON_ERROR);
    assert_non_null(memmem(f->said.data, f->said.len, "root/large: shorter than", 24));
}

static void a_read_that_fails_is_aborted(void **state) {
    struct fixture *f = *state;
    fault_arm("file_read", -EIO, 1, 1);
    get(f, "large", "");
    assert_true(f->fake.aborted);
    assert_int_equal(f->fake.stream->reason, REASON_ERROR);
    fault_arm("file_read", -EIO, 0, 1);
    get(f, "a.txt", "");
    assert_true(f->fake.aborted);
}

static void leaving_is_safe_at_any_moment(void **state) {
    struct fixture *f = *state;
    begin(f, "GET", "large", ""); /* while the pool opens */
    fake_leave(&f->fake);
    begin(f, "GET", "large", ""); /* while it waits for the reader */
    f->fake.holding = true;
    while (f->fake.queued == 0)
        uv_run(&f->fake.loop.uv, UV_RUN_ONCE);
    fake_leave(&f->fake);
    begin(f, "GET", "large", ""); /* while the pool reads */
    f->fake.holding = true;
    while (f->fake.queued == 0)
        uv_run(&f->fake.loop.uv, UV_RUN_ONCE);
    fake_drain(&f->fake);
    fake_leave(&f->fake);
    begin(f, "GET", "large", ""); /* someone else ends it */
    f->fake.holding = true;
    while (f->fake.queued == 0)
        uv_run(&f->fake.loop.uv, UV_RUN_ONCE);
    fake_drain(&f->fake);
    stream_abort(f->fake.stream, REASON_CANCELLED, NULL);
    assert_int_equal(f->fake.stream->refs, 1);
}

static void on_done(void *arg, int error) {
    struct fixture *f = arg;
    f->calls++;
    f->error = error;
}

static bool is_done(void *arg) {
    return ((struct fixture *)arg)->calls > 0;
}

static struct static_job *file(struct fixture *f, const char *method, int status,
                               const char *fields, const char *root, const char *path) {
    struct stream *stream = fake_request(&f->fake, method, "/", fields);
    f->calls = 0;
    if (status)
        stream_set_status(stream, status);
    return static_file(stream, root, path, -1, on_done, f);
}

static void one_file_is_sent(void **state) {
    struct fixture *f = *state;
    char fields[96];
    file(f, "GET", 0, "", "root", "a.txt");
    assert_int_equal(f->calls, 0);
    fake_run(&f->fake);
    assert_answer(f, 200, "hello");
    assert_int_equal(f->calls, 1);
    assert_int_equal(f->error, 0);
    insert_tag("if-none-match: TAG\n", fake_field(&f->fake, "ETag"), fields, sizeof(fields));
    file(f, "GET", 0, fields, NULL, "root/a.txt");
    fake_run(&f->fake);
    assert_answer(f, 304, "");
    file(f, "GET", 0, "accept-encoding: br\n", NULL, "root/c.js");
    fake_run(&f->fake);
    assert_answer(f, 200, "plain");
    file(f, "GET", 0, "", "root", ".secret");
    fake_run(&f->fake);
    assert_answer(f, 200, "no");
}

static void a_status_of_its_own_goes_with_all_of_the_file(void **state) {
    struct fixture *f = *state;
    file(f, "GET", 404, "if-none-match: *\nrange: bytes=0-1\n", "root", "a.txt");
    fake_run(&f->fake);
    assert_answer(f, 404, "hello");
    assert_no_field(f, "ETag");
    file(f, "POST", 0, "if-none-match: *\nrange: bytes=0-1\n", "root", "a.txt");
    fake_run(&f->fake);
    assert_answer(f, 200, "hello");
}

static void errors_are_the_callers(void **state) {
    static const struct {
        const char *path;
        int error;
    } rows[] = {{"missing", -ENOENT}, {"sub", -EISDIR}, {"../outside", -EACCES}};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        file(f, "GET", 0, "", "root", rows[i].path);
        fake_run_until(&f->fake, is_done, f);
        assert_int_equal(f->error, rows[i].error);
        assert_int_equal(f->fake.stream->state, STREAM_OPEN);
        assert_null(f->fake.stream->producer);
        stream_respond(f->fake.stream, NULL, "mine", 4);
        fake_run(&f->fake);
        assert_answer(f, 200, "mine");
        assert_int_equal(f->calls, 1);
    }
}

static void closing_calls_back_once(void **state) {
    struct fixture *f = *state;
    file(f, "GET", 0, "", "root", "a.txt");
    fake_leave(&f->fake);
    assert_int_equal(f->calls, 1);
    assert_int_equal(f->error, STREAM_ECLOSED);
    file(f, "GET", 0, "", "root", "a.txt");
    stream_respond(f->fake.stream, NULL, "first", 5);
    fake_run(&f->fake);
    assert_answer(f, 200, "first");
    assert_int_equal(f->calls, 1);
    assert_int_equal(f->error, STREAM_ECLOSED);
}

static void a_head_that_is_out_is_told(void **state) {
    struct fixture *f = *state;
    file(f, "GET", 0, "", "root", "a.txt");
    stream_start(f->fake.stream, -1);
    fake_run_until(&f->fake, is_done, f);
    assert_int_equal(f->error, STREAM_EHEAD);
    stream_finish(f->fake.stream);
}

static void cancelling_sends_nothing(void **state) {
    struct fixture *f = *state;
    struct static_job *job = file(f, "GET", 0, "", "root", "a.txt");
    static_cancel(job);
    assert_null(f->fake.stream->producer);
    stream_respond(f->fake.stream, NULL, "other", 5);
    fake_run(&f->fake);
    assert_answer(f, 200, "other");
    fake_fini(&f->fake); /* the pool gives the job back */
    assert_int_equal(f->calls, 0);
    fake_init(&f->fake);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_sent_whole),
        TEST(a_change_changes_the_tag),
        TEST(a_tag_stays_while_nothing_changes),
        TEST(times_of_0_and_1_are_no_validators),
        TEST(head_measures_only),
        TEST(an_empty_file_is_sent),
        TEST(large_files_follow_the_reader),
        TEST(large_files_are_sent_to_who_reads_at_once),
        TEST(ranges_are_cut_out),
        TEST(a_large_range_is_cut_out),
        TEST(preconditions_decide),
        TEST(a_time_to_come_is_not_told),
        TEST(siblings_are_chosen),
        TEST(a_sibling_that_is_older_is_not_served),
        TEST(a_range_of_a_sibling_is_of_its_bytes),
        TEST(a_sibling_alone_is_nothing),
        TEST(folders_have_an_index),
        TEST(folders_get_their_slash),
        TEST(what_is_not_there_is_404),
        TEST(names_with_percent_are_found),
        TEST(options_are_heeded),
        TEST(fields_of_the_application_win),
        TEST(exhaustion_is_told_apart),
        TEST(a_file_that_shrinks_is_aborted),
        TEST(a_read_that_fails_is_aborted),
        TEST(leaving_is_safe_at_any_moment),
        TEST(one_file_is_sent),
        TEST(a_status_of_its_own_goes_with_all_of_the_file),
        TEST(errors_are_the_callers),
        TEST(closing_calls_back_once),
        TEST(a_head_that_is_out_is_told),
        TEST(cancelling_sends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

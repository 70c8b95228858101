/* What net/file promises: nothing outside the folder, whole files or none, every failing call told.
 */
#include "net/file.h"
#include "net/file_writer.h"

#include "base/fault.h"
#include "file_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

static int setup(void **state) {
    int rc = file_rig_setup(state);
    if (rc == 0)
        file_rig_put("outside/secret", "no");
    return rc;
}

/* Opens beneath root/ and closes again. */
static int opening(const char *relative) {
    struct stat st;
    int fd = file_open_beneath("root", str_of(relative), &st);
    if (fd < 0)
        return fd;
    assert_true(S_ISREG(st.st_mode));
    file_close(fd);
    return 0;
}

static void files_beneath_are_opened(void **state) {
    (void)state;
    struct stat st;
    char text[8];
    int fd = file_open_beneath("root", STR("a.txt"), &st);
    assert_true(fd >= 0);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(file_read_at(fd, text, sizeof(text), 1), 4);
    assert_memory_equal(text, "ello", 4);
    file_close(fd);
    assert_int_equal(opening("sub/b.txt"), 0);
    assert_int_equal(opening("sub/../a.txt"), 0);
    assert_int_equal(opening("./a.txt"), 0);
    fd = file_open_beneath("/", STR("dev/../etc/passwd"), &st);
    assert_true(fd >= 0);
    file_close(fd);
}

static void nothing_outside_is_opened(void **state) {
    (void)state;
    assert_int_equal(symlink("../outside/secret", "root/file-out"), 0);
    assert_int_equal(symlink("../outside", "root/folder-out"), 0);
    assert_int_equal(symlink("/etc/passwd", "root/absolute-out"), 0);
    assert_int_equal(mkdir("root-twin", 0755), 0);
    file_rig_put("root-twin/x", "no");
    assert_int_equal(symlink("../root-twin/x", "root/twin-out"), 0);
    assert_int_equal(opening("file-out"), -EACCES);
    assert_int_equal(opening("folder-out"), -EACCES);
    assert_int_equal(opening("folder-out/secret"), -EACCES);
    assert_int_equal(opening("absolute-out"), -EACCES);
    assert_int_equal(opening("twin-out"), -EACCES);
    assert_int_equal(opening("../outside/secret"), -EACCES);
    assert_int_equal(opening("../root-twin/x"), -EACCES);
    assert_int_equal(opening("/etc/passwd"), -EACCES);
    assert_int_equal(opening(".."), -EACCES);
}

static void links_inside_are_followed(void **state) {
    struct file_rig *f = *state;
    char target[96];
    snprintf(target, sizeof(target), "%s/root/a.txt", f->folder);
    assert_int_equal(symlink("../a.txt", "root/sub/up"), 0);
    assert_int_equal(symlink(target, "root/absolute"), 0);
    assert_int_equal(symlink("../root/sub", "root/around"), 0);
    assert_int_equal(symlink("root", "link-to-root"), 0);
    assert_int_equal(opening("sub/up"), 0);
    assert_int_equal(opening("absolute"), 0);
    assert_int_equal(opening("around/b.txt"), 0);
    struct stat st;
    int fd = file_open_beneath("link-to-root", STR("a.txt"), &st);
    assert_true(fd >= 0);
    file_close(fd);
}

static void only_regular_files_are_opened(void **state) {
    (void)state;
    struct stat st;
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "root/socket"};
    int sock = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(mkfifo("root/fifo", 0644), 0);
    assert_int_equal(opening("sub"), -EISDIR);
    assert_int_equal(opening("sub/"), -EISDIR);
    assert_int_equal(opening("fifo"), UV_EFTYPE); /* and does not wait for a writer */
    assert_int_equal(opening("socket"), -ENXIO);
    assert_int_equal(file_open("/dev/null", &st), UV_EFTYPE);
    assert_int_equal(file_open("root", &st), -EISDIR);
    close(sock);
}

static void bad_names_are_refused(void **state) {
    (void)state;
    struct stat st;
    char name[PATH_MAX + 1];
    memset(name, 'x', sizeof(name));
    assert_int_equal(opening("missing"), -ENOENT);
    assert_int_equal(opening("a.txt/"), -ENOTDIR);
    assert_int_equal(opening("a.txt/x"), -ENOTDIR);
    assert_int_equal(opening(""), -ENOENT);
    assert_int_equal(file_open_beneath("root", STR("a.txt\0.html"), &st), -EINVAL);
    assert_int_equal(file_open_beneath("root", (struct str){name, PATH_MAX}, &st), -ENAMETOOLONG);
    assert_int_equal(file_open_beneath("root", (struct str){name, 300}, &st), -ENAMETOOLONG);
    assert_int_equal(file_open_beneath("missing", STR("a"), &st), -ENOENT);
    assert_int_equal(file_open_beneath("root/a.txt", STR("a"), &st), -ENOTDIR);
}

static void reading_stops_at_the_limit(void **state) {
    (void)state;
    struct buf out = {0};
    buf_add(&out, STR(">"));
    assert_int_equal(file_read_all("root/a.txt", 5, &out), 0);
    assert_int_equal(out.len, 6);
    assert_memory_equal(out.data, ">hello", 6);
    assert_int_equal(file_read_all("root/a.txt", 4, &out), -EFBIG);
    assert_int_equal(out.len, 6);
    assert_int_equal(file_read_all("root", 4, &out), -EISDIR);
    assert_int_equal(file_read_all("missing", 4, &out), -ENOENT);
    buf_fini(&out);
    file_rig_put("empty", "");
    assert_int_equal(file_read_all("empty", 0, &out), 0);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

static void a_head_is_what_a_file_begins_with(void **state) {
    (void)state;
    struct buf out = {0};
    assert_int_equal(file_read_head("root/a.txt", 4, &out), 0);
    assert_int_equal(file_read_head("root/a.txt", 0, &out), 0);
    assert_int_equal(file_read_head("root/a.txt", 6, &out), 0);
    assert_int_equal(out.len, 9);
    assert_memory_equal(out.data, "hellhello", 9);
    fault_arm("file_read", -EIO, 0, 1);
    assert_int_equal(file_read_head("root/a.txt", 4, &out), -EIO);
    assert_int_equal(file_read_head("root", 4, &out), -EISDIR);
    assert_int_equal(file_read_head("missing", 4, &out), -ENOENT);
    assert_int_equal(out.len, 9);
    buf_fini(&out);
}

static void files_without_a_size_are_read_whole(void **state) {
    (void)state;
    struct buf out = {0};
    assert_int_equal(file_read_all("/proc/self/status", 1 << 20, &out), 0);
    assert_true(out.len > 100);
    assert_int_equal(out.data[out.len - 1], '\n');
    buf_fini(&out);
}

static void large_files_come_back_as_written(void **state) {
    (void)state;
    size_t n = 300001;
    char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 31 >> 3);
    struct buf out = {0};
    assert_int_equal(file_replace("large", (struct str){bytes, n}), 0);
    assert_int_equal(file_read_all("large", n, &out), 0);
    assert_int_equal(out.len, n);
    assert_memory_equal(out.data, bytes, n);
    assert_int_equal(file_read_all("large", n - 1, &out), -EFBIG);
    buf_fini(&out);
    free(bytes);
}

static void assert_content(const char *path, const char *expected) {
    struct buf out = {0};
    assert_int_equal(file_read_all(path, 1000, &out), 0);
    buf_add_char(&out, 0);
    assert_string_equal(out.data, expected);
    buf_fini(&out);
}

static void replacing_keeps_mode_and_readers(void **state) {
    (void)state;
    struct stat st;
    char text[8];
    file_rig_put("f", "old");
    assert_int_equal(chmod("f", 0640), 0);
    int reader = file_open("f", &st);
    assert_int_equal(file_replace("f", STR("newer")), 0);
    assert_content("f", "newer");
    assert_int_equal(file_read_at(reader, text, sizeof(text), 0), 3);
    assert_memory_equal(text, "old", 3);
    file_close(reader);
    assert_int_equal(file_stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(file_replace("f", STR("")), 0);
    assert_content("f", "");
}

static void new_files_heed_the_umask(void **state) {
    (void)state;
    struct stat st;
    mode_t before = umask(027);
    assert_int_equal(file_replace("new", STR("1")), 0);
    assert_int_equal(file_append("log", STR("1")), 0);
    umask(before);
    assert_int_equal(file_stat("new", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(file_stat("log", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void appending_adds(void **state) {
    (void)state;
    assert_int_equal(file_append("log", STR("one\n")), 0);
    assert_int_equal(file_append("log", STR("two\n")), 0);
    assert_content("log", "one\ntwo\n");
}

static void writing_follows_a_link(void **state) {
    (void)state;
    struct stat st;
    assert_int_equal(symlink("root/a.txt", "link"), 0);
    assert_int_equal(file_replace("link", STR("new")), 0);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_content("root/a.txt", "new");
}

static void only_regular_files_are_written(void **state) {
    (void)state;
    struct stat st;
    assert_int_equal(file_replace("/dev/null", STR("x")), UV_EFTYPE);
    assert_int_equal(file_append("/dev/null", STR("x")), UV_EFTYPE);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(file_replace("root", STR("x")), -EISDIR);
    assert_int_equal(file_replace("missing/x", STR("x")), -ENOENT);
    assert_int_equal(file_append("missing/x", STR("x")), -ENOENT);
    assert_int_equal(file_append("root/a.txt/x", STR("x")), -ENOTDIR);
}

/* What `path` lists, joined by spaces. */
static void assert_list(const char *path, size_t limit, const char *expected, int count) {
    struct buf names = {0};
    assert_int_equal(file_list(path, limit, &names), count);
    for (size_t i = 0; i + 1 < names.len; i++)
        if (!names.data[i])
            names.data[i] = ' ';
    assert_string_equal(names.len ? names.data : "", expected);
    buf_fini(&names);
}

static void a_failed_write_leaves_the_old_file(void **state) {
    (void)state;
    file_rig_put("root/sub/b.txt", "old");
    fault_arm("file_write", -ENOSPC, 0, 1);
    assert_int_equal(file_replace("root/sub/b.txt", STR("new")), -ENOSPC);
    fault_arm("file_open", -EMFILE, 0, 1);
    assert_int_equal(file_replace("root/sub/b.txt", STR("new")), -EMFILE);
    assert_content("root/sub/b.txt", "old");
    assert_list("root/sub", 10, "b.txt", 1);
    fault_arm("file_write", -ENOSPC, 0, 1);
    assert_int_equal(file_append("log", STR("new")), -ENOSPC);
}

static void failing_calls_are_told(void **state) {
    (void)state;
    struct stat st;
    struct buf out = {0};
    fault_arm("file_open", -EMFILE, 0, 4);
    assert_int_equal(file_open("root/a.txt", &st), -EMFILE);
    assert_int_equal(opening("a.txt"), -EMFILE);
    assert_int_equal(file_list("root", 10, &out), -EMFILE);
    assert_int_equal(file_append("log", STR("x")), -EMFILE);
    fault_arm("file_open", -EMFILE, 1, 1);
    assert_int_equal(opening("a.txt"), -EMFILE);
    fault_arm("file_read", -EIO, 0, 1);
    assert_int_equal(file_read_all("root/a.txt", 10, &out), -EIO);
    assert_int_equal(out.len, 0);
    assert_int_equal(opening("a.txt"), 0);
    buf_fini(&out);
}

static void folders_are_listed_sorted(void **state) {
    (void)state;
    file_rig_put("root/B", "");
    file_rig_put("root/.hidden", "");
    file_rig_put("root/a b", "");
    assert_list("root", 10, ".hidden B a b a.txt sub", 5);
    assert_list("root", 5, ".hidden B a b a.txt sub", 5);
    assert_list("root", 4, "", -EFBIG);
    assert_list("root/a.txt", 4, "", -ENOTDIR);
    assert_list("missing", 4, "", -ENOENT);
    assert_int_equal(mkdir("empty", 0755), 0);
    assert_list("empty", 0, "", 0);
}

/* The pages of `path`, joined by spaces, each in brackets. */
static void assert_pages(const char *path, size_t limit, const char *expected) {
    struct buf names = {0}, pages = {0};
    char after[256] = "";
    int64_t count;
    while ((count = file_list_after(path, after, limit, &names)) > 0) {
        assert_true((size_t)count <= limit);
        buf_add_char(&pages, '[');
        for (const char *name = names.data; name < names.data + names.len; name += strlen(name) + 1)
            snprintf(after, sizeof(after), "%s", name);
        for (size_t i = 0; i < names.len; i++)
            buf_add_char(&pages, names.data[i] ? names.data[i] : ' ');
        pages.data[pages.len - 1] = ']';
        names.len = 0;
    }
    assert_int_equal(count, 0);
    buf_add_char(&pages, 0);
    assert_string_equal(pages.data, expected);
    buf_fini(&names);
    buf_fini(&pages);
}

static void any_number_of_names_is_listed_in_pages(void **state) {
    (void)state;
    char name[32];
    struct buf out = {0};
    assert_int_equal(mkdir("pages", 0755), 0);
    assert_pages("pages", 3, "");
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof(name), "pages/%d", i * 7 % 10);
        file_rig_put(name, "");
    }
    assert_pages("pages", 1, "[0][1][2][3][4][5][6][7][8][9]");
    assert_pages("pages", 3, "[0 1 2][3 4 5][6 7 8][9]");
    assert_pages("pages", 10, "[0 1 2 3 4 5 6 7 8 9]");
    assert_int_equal(file_list_after("missing", "", 3, &out), -ENOENT);
}

static void many_names_are_listed(void **state) {
    (void)state;
    char name[32];
    struct buf out = {0};
    assert_int_equal(mkdir("many", 0755), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "many/%03d", i * 37 % 100);
        file_rig_put(name, "");
    }
    assert_int_equal(file_list("many", 100, &out), 100);
    assert_int_equal(out.len, 400);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "%03d", i);
        assert_string_equal(out.data + 4 * i, name);
    }
    buf_fini(&out);
}

static void folders_are_made_with_parents(void **state) {
    (void)state;
    struct stat st;
    assert_int_equal(file_mkdir("x/y/z"), 0);
    assert_int_equal(file_mkdir("x/y/z"), 0);
    assert_int_equal(file_mkdir("x//y/w/"), 0);
    assert_int_equal(file_stat("x/y/z", &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(file_stat("x/y/w", &st), 0);
    assert_int_equal(file_mkdir("/"), 0);
    assert_int_equal(file_mkdir(""), -ENOENT);
    assert_int_equal(file_mkdir("root/a.txt"), -EEXIST);
    assert_int_equal(file_mkdir("root/a.txt/b"), -EEXIST);
}

static void renaming_and_removing(void **state) {
    (void)state;
    struct stat st;
    file_rig_put("f", "1");
    file_rig_put("g", "2");
    assert_int_equal(file_rename("f", "g"), 0);
    assert_content("g", "1");
    assert_int_equal(file_rename("f", "g"), -ENOENT);
    assert_int_equal(file_remove("g"), 0);
    assert_int_equal(file_stat("g", &st), -ENOENT);
    assert_int_equal(file_remove("g"), -ENOENT);
    assert_int_equal(file_remove("root"), -ENOTEMPTY);
    assert_int_equal(mkdir("empty", 0755), 0);
    assert_int_equal(file_remove("empty"), 0);
    assert_int_equal(symlink("root", "link"), 0);
    assert_int_equal(file_remove("link"), 0);
    assert_int_equal(file_stat("root", &st), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, file_rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(files_beneath_are_opened),
        TEST(nothing_outside_is_opened),
        TEST(links_inside_are_followed),
        TEST(only_regular_files_are_opened),
        TEST(bad_names_are_refused),
        TEST(reading_stops_at_the_limit),
        TEST(a_head_is_what_a_file_begins_with),
        TEST(files_without_a_size_are_read_whole),
        TEST(large_files_come_back_as_written),
        TEST(replacing_keeps_mode_and_readers),
        TEST(new_files_heed_the_umask),
        TEST(appending_adds),
        TEST(writing_follows_a_link),
        TEST(only_regular_files_are_written),
        TEST(a_failed_write_leaves_the_old_file),
        TEST(failing_calls_are_told),
        TEST(folders_are_listed_sorted),
        TEST(any_number_of_names_is_listed_in_pages),
        TEST(many_names_are_listed),
        TEST(folders_are_made_with_parents),
        TEST(renaming_and_removing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

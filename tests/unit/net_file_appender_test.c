/* What net/file_appender promises: one at a time has a file, its length is what was meant to be
 * there, and no name leads anywhere else. */
#include "net/file_appender.h"

#include "base/fault.h"
#include "file_rig.h"
#include "net/file.h"
#include "net/file_writer.h"
#include "table.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <uv.h>
#include <unistd.h>
#include <uv.h>

static void assert_content(const char *path, const char *expected) {
    struct buf out = {0};
    assert_int_equal(file_read_all(path, 1000000, &out), 0);
    buf_add_char(&out, 0);
    assert_string_equal(out.data, expected);
    buf_fini(&out);
}

static void open_a(struct file_appender *file) {
    assert_int_equal(file_appender_open(file, "root", "a.txt", false), 0);
    assert_int_equal(file->size, 5);
}

static void it_grows_and_shrinks(void **state) {
    (void)state;
    struct file_appender file;
    open_a(&file);
    assert_true(file.changed_ms > 1000000000000);
    assert_int_equal(file_appender_add(&file, STR(" world")), 0);
    assert_int_equal(file.size, 11);
    assert_int_equal(file_appender_sync(&file), 0);
    assert_content("root/a.txt", "hello world");
    assert_int_equal(file_appender_cut(&file, 6), 0);
    assert_int_equal(file_appender_cut(&file, 100), 0);
    assert_int_equal(file.size, 6);
    assert_int_equal(file_appender_add(&file, STR("you")), 0);
    assert_content("root/a.txt", "hello you");
    file_appender_close(&file);
    file_appender_close(&file);
}

static void it_is_made_once(void **state) {
    (void)state;
    struct file_appender file, other;
    assert_int_equal(file_appender_open(&file, "root", "new", true), 0);
    assert_int_equal(file.size, 0);
    assert_int_equal(file_appender_open(&other, "root", "new", true), -EEXIST);
    assert_int_equal(file_appender_open(&other, "root", "none", false), -ENOENT);
    assert_int_equal(file_appender_open(&other, "nowhere", "new", true), -ENOENT);
    file_appender_close(&file);
}

static void one_has_it_at_a_time(void **state) {
    (void)state;
    struct file_appender file, other;
    open_a(&file);
    assert_int_equal(file_appender_open(&other, "root", "a.txt", false), -EAGAIN);
    pid_t child = fork();
    if (child == 0) /* a process of its own, but for the descriptor that it got */
        _exit(file_appender_open(&other, "root", "a.txt", false) == -EAGAIN ? 0 : 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    file_appender_close(&file);
    open_a(&other);
    file_appender_close(&other);
}

static void who_dies_gives_it_back(void **state) {
    (void)state;
    struct file_appender file;
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        if (file_appender_open(&file, "root", "a.txt", false) == 0 &&
            file_appender_add(&file, STR("!")) == 0 && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(file_appender_open(&file, "root", "a.txt", false), -EAGAIN);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(file_appender_open(&file, "root", "a.txt", false), 0);
    assert_int_equal(file.size, 6);
    file_appender_close(&file);
    close(ready[0]);
    close(ready[1]);
}

/* Between its opening and its lock another may have removed or replaced it. */
static void what_was_removed_meanwhile_is_not_there(void **state) {
    (void)state;
    struct file_appender file;
    pid_t child = fork();
    if (child == 0) {
        open_a(&file);
        unlink("root/a.txt");
        file_rig_put("root/a.txt", "another one");
        file_appender_close(&file);
        _exit(0);
    }
    int rc, status;
    do
        rc = file_appender_open(&file, "root", "a.txt", false);
    while (rc == -EAGAIN);
    if (rc == 0) {
        assert_true(file.size == 5 || file.size == 11);
        file_appender_close(&file);
    } else {
        assert_int_equal(rc, -ENOENT);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
}

static void names_lead_nowhere_else(void **state) {
    (void)state;
    struct file_appender file;
    assert_int_equal(symlink("a.txt", "root/link"), 0);
    assert_int_equal(symlink("../outside/x", "root/out"), 0);
    assert_int_equal(mkfifo("root/fifo", 0644), 0);
    const struct {
        const char *name;
        bool make;
        int error;
    } cases[] = {
        {"link", false, -ELOOP},         {"out", false, -ELOOP},
        {"out", true, -EEXIST},          {"sub/b.txt", false, -EINVAL},
        {"../outside/x", true, -EINVAL}, {"/etc/passwd", false, -EINVAL},
        {"..", false, -EINVAL},          {".", false, -EINVAL},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(file_appender_open(&file, "root", cases[i].name, cases[i].make),
                         cases[i].error);
    assert_true(file_appender_open(&file, "root", "sub", false) < 0);
    assert_true(file_appender_open(&file, "root", "fifo", false) < 0);
}

static void an_addition_that_fails_takes_itself_back(void **state) {
    (void)state;
    struct file_appender file;
    open_a(&file);
    fault_arm("file_write", -ENOSPC, 0, 1);
    assert_int_equal(file_appender_add(&file, STR(" world")), -ENOSPC);
    assert_int_equal(file.size, 5);
    assert_int_equal(file_appender_add(&file, STR("!")), 0);
    fault_arm("file_sync", -EIO, 0, 1);
    assert_int_equal(file_appender_sync(&file), -EIO);
    assert_int_equal(file.size, 5);
    assert_content("root/a.txt", "hello");
    file_appender_close(&file);
}

static void others_are_copied(void **state) {
    (void)state;
    struct file_appender file;
    open_a(&file);
    file_rig_put("root/more", "0123456789");
    assert_int_equal(symlink("more", "root/link"), 0);
    assert_int_equal(file_appender_copy(&file, "root", "more", 2, 3), 0);
    fault_arm("file_write", -EXDEV, 0, 1); /* not by the kernel */
    assert_int_equal(file_appender_copy(&file, "root", "more", 0, 10), 0);
    assert_int_equal(file_appender_copy(&file, "root", "more", 5, 6), UV_EOF);
    assert_int_equal(file_appender_copy(&file, "root", "link", 0, 1), -ELOOP);
    assert_int_equal(file_appender_copy(&file, "root", "none", 0, 1), -ENOENT);
    fault_arm("file_write", -ENOSPC, 0, 1);
    assert_int_equal(file_appender_copy(&file, "root", "more", 0, 10), -ENOSPC);
    assert_content("root/a.txt", "hello2340123456789");
    assert_int_equal(file.size, 18);
    file_appender_close(&file);
}

static void removing_takes_the_name_alone(void **state) {
    (void)state;
    struct file_appender file;
    open_a(&file);
    assert_int_equal(link("root/a.txt", "root/other"), 0);
    assert_int_equal(file_appender_remove(&file, "nowhere", "a.txt"), -ENOENT);
    assert_int_equal(file_appender_remove(&file, "root", "a.txt"), 0);
    assert_true(file.fd < 0);
    assert_int_equal(access("root/a.txt", F_OK), -1);
    assert_content("root/other", "hello");
    assert_int_equal(file_appender_open(&file, "root", "other", false), 0);
    assert_int_equal(rename("root/other", "root/moved"), 0);
    file_rig_put("root/other", "another one");
    assert_int_equal(file_appender_remove(&file, "root", "other"), -ENOENT);
    assert_content("root/other", "another one");
    file_appender_close(&file);
}

/* --- what is kept beside it --- */

static void a_small_file_is_put_whole(void **state) {
    (void)state;
    struct buf out = {0};
    assert_int_equal(file_put("root", "a.txt", STR("new")), 0);
    assert_content("root/a.txt", "new");
    fault_arm("file_sync", -EIO, 0, 1);
    assert_int_equal(file_put("root", "a.txt", STR("lost")), -EIO);
    assert_content("root/a.txt", "new");
    assert_int_equal(file_put("root", "../outside/x", STR("new")), -EACCES);
    assert_int_equal(symlink("a.txt", "root/link"), 0);
    assert_int_equal(file_read_own("root/link", 10, &out), -ELOOP);
    assert_int_equal(file_read_own("root/a.txt", 2, &out), -EFBIG);
    assert_int_equal(file_read_own("root/a.txt", 3, &out), 0);
    assert_int_equal(out.len, 3);
    buf_fini(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, file_rig_setup, file_rig_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(it_grows_and_shrinks),
        TEST(it_is_made_once),
        TEST(one_has_it_at_a_time),
        TEST(who_dies_gives_it_back),
        TEST(what_was_removed_meanwhile_is_not_there),
        TEST(names_lead_nowhere_else),
        TEST(an_addition_that_fails_takes_itself_back),
        TEST(others_are_copied),
        TEST(removing_takes_the_name_alone),
        TEST(a_small_file_is_put_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

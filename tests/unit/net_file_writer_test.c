/* What net/file_writer and net/temporary promise: a file is whole or not there, outside of its
 * folder nothing is made, what dies leaves nothing that stays, every failing call is told. */
#include "net/file_writer.h"

#include "base/fault.h"
#include "file_rig.h"
#include "net/file.h"
#include "net/temporary.h"
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

static void put(const char *path, const char *text) {
    assert_int_equal(file_replace(path, str_of(text)), 0);
}

static void assert_content(const char *path, const char *expected) {
    struct buf out = {0};
    assert_int_equal(file_read_all(path, 1000, &out), 0);
    buf_add_char(&out, 0);
    assert_string_equal(out.data, expected);
    buf_fini(&out);
}

/* What is in the folder `path`, joined by spaces. */
static void assert_list(const char *path, const char *expected) {
    struct buf names = {0};
    assert_true(file_list(path, 100, &names) >= 0);
    for (size_t i = 0; i + 1 < names.len; i++)
        if (!names.data[i])
            names.data[i] = ' ';
    assert_string_equal(names.len ? names.data : "", expected);
    buf_fini(&names);
}

/* From here on the file system has no files without names. */
static void forbid_nameless(void) {
    assert_int_equal(fault_arm("file_tmpfile", -EOPNOTSUPP, 0, 1000), 0);
}

/* --- whole or not there --- */

static void a_writer_shows_the_file_when_it_is_whole(void **state) {
    (void)state;
    struct file_writer writer;
    struct stat st;
    put("f", "old");
    assert_int_equal(chmod("f", 0640), 0);
    assert_int_equal(symlink("f", "link"), 0);
    assert_int_equal(file_writer_open(&writer, NULL, "link"), 0);
    assert_int_equal(file_writer_add(&writer, STR("one ")), 0);
    assert_int_equal(file_writer_add(&writer, STR("")), 0);
    assert_int_equal(file_writer_add(&writer, STR("two")), 0);
    assert_content("f", "old");
    assert_int_equal(file_writer_commit(&writer, true), 0);
    assert_content("f", "one two");
    assert_int_equal(file_stat("f", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(lstat("link", &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_list(".", "f link outside root");
}

/* Where the root is a folder, it is left by no name and no link; "f" and "outside" are beside it.
 */
static void a_writer_stays_beneath_its_root(void **state) {
    static const struct {
        const char *path, *shown; /* which file has it then; NULL: none */
        int error;
    } rows[] = {
        {"new", "root/new", 0},
        {"sub/new", "root/sub/new", 0},
        {"in/new2", "root/sub/new2", 0},
        {"link", "root/a.txt", 0},
        {"absolute", "root/a.txt", 0},
        {"dangling", "root/dangling", 0},
        {"/sub/x", "root/sub/x", 0},
        {"../f", NULL, -EACCES},
        {"../new", NULL, -EACCES},
        {"sub/../../new", NULL, -EACCES},
        {"out", NULL, -EACCES},
        {"up/f", NULL, -EACCES},
        {"up/new", NULL, -EACCES},
        {"sub", NULL, -EISDIR},
        {"sub/", NULL, -EISDIR},
        {"made/x", "root/made/x", 0},
        {"a.txt/x", NULL, -ENOTDIR},
        {"up/made/x", NULL, -EACCES},
        {"dangling-folder/x", NULL, -ENOENT},
        {"sub/../made/../../made", NULL, -EACCES},
    };
    (void)state;
    char here[PATH_MAX], absolute[PATH_MAX + 16];
    assert_non_null(getcwd(here, sizeof here));
    snprintf(absolute, sizeof absolute, "%s/root/a.txt", here);
    put("f", "old");
    assert_int_equal(symlink("../f", "root/out"), 0);
    assert_int_equal(symlink("..", "root/up"), 0);
    assert_int_equal(symlink("sub", "root/in"), 0);
    assert_int_equal(symlink("a.txt", "root/link"), 0);
    assert_int_equal(symlink(absolute, "root/absolute"), 0);
    assert_int_equal(symlink("../made", "root/dangling"), 0);
    assert_int_equal(symlink("../made", "root/dangling-folder"), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct file_writer writer;
        int rc = file_writer_open(&writer, "root", rows[i].path);
        if (rc != rows[i].error)
            fail_msg("%s: %d instead of %d", rows[i].path, rc, rows[i].error);
        if (rc < 0)
            continue;
        assert_int_equal(file_writer_add(&writer, str_of(rows[i].path)), 0);
        assert_int_equal(file_writer_commit(&writer, true), 0);
        assert_content(rows[i].shown, rows[i].path);
    }
    assert_content("f", "old");
    assert_list(".", "f outside root");
}

/* A folder on the way becomes a link while the file is written: it stays where it was begun. */
static void a_writer_keeps_its_folder(void **state) {
    (void)state;
    struct file_writer writer;
    assert_int_equal(file_writer_open(&writer, "root", "sub/new"), 0);
    assert_int_equal(file_rename("root/sub", "root/moved"), 0);
    assert_int_equal(symlink("..", "root/sub"), 0);
    assert_int_equal(file_writer_add(&writer, STR("text")), 0);
    assert_int_equal(file_writer_commit(&writer, true), 0);
    assert_content("root/moved/new", "text");
    assert_list(".", "outside root");
}

static void an_aborted_writer_leaves_nothing(void **state) {
    (void)state;
    struct file_writer writer;
    assert_int_equal(file_writer_open(&writer, NULL, "root/sub/new"), 0);
    fault_arm("file_write", -ENOSPC, 0, 1);
    assert_int_equal(file_writer_add(&writer, STR("x")), -ENOSPC);
    file_writer_abort(&writer);
    assert_list("root/sub", "b.txt");
}

static void two_writers_of_a_name_do_not_meet(void **state) {
    (void)state;
    struct file_writer one, two;
    assert_int_equal(file_writer_open(&one, NULL, "root/sub/new"), 0);
    assert_int_equal(file_writer_open(&two, NULL, "root/sub/new"), 0);
    assert_int_equal(file_writer_add(&one, STR("one")), 0);
    assert_int_equal(file_writer_add(&two, STR("two")), 0);
    assert_int_equal(file_writer_commit(&one, true), 0);
    assert_content("root/sub/new", "one");
    assert_int_equal(file_writer_commit(&two, true), 0);
    assert_content("root/sub/new", "two");
    assert_list("root/sub", "b.txt new");
}

static void a_writer_tells_what_it_cannot(void **state) {
    (void)state;
    struct file_writer writer;
    assert_int_equal(file_writer_open(&writer, NULL, "missing/x"), -ENOENT);
    assert_int_equal(file_writer_open(&writer, NULL, "root"), -EISDIR);
    assert_int_equal(file_writer_open(&writer, NULL, "/dev/null"), UV_EFTYPE);
    fault_arm("file_open", -EMFILE, 0, 1);
    assert_int_equal(file_writer_open(&writer, NULL, "new"), -EMFILE);
    assert_int_equal(file_writer_open(&writer, NULL, "new"), 0);
    assert_int_equal(mkdir("new", 0755), 0); /* while it was written */
    assert_int_equal(file_writer_commit(&writer, true), -EISDIR);
    assert_list(".", "new outside root");
}

static void a_target_may_have_the_longest_name(void **state) {
    (void)state;
    struct file_writer writer;
    char path[NAME_MAX + 8] = "root/", *name = path + 5;
    memset(name, 'x', NAME_MAX + 1);
    assert_int_equal(file_writer_open(&writer, NULL, path), -ENAMETOOLONG);
    assert_int_equal(file_writer_open(&writer, "root", name), -ENAMETOOLONG);
    name[NAME_MAX] = '\0';
    for (int twice = 0; twice < 2; twice++) {
        assert_int_equal(file_writer_open(&writer, "root", name), 0);
        assert_int_equal(file_writer_add(&writer, STR("text")), 0);
        assert_int_equal(file_writer_commit(&writer, true), 0);
        assert_content(path, "text");
    }
}

static void what_is_made_heeds_the_umask(void **state) {
    (void)state;
    struct file_writer writer;
    struct stat st;
    mode_t before = umask(027);
    assert_int_equal(file_writer_open(&writer, "root", "x//y/file"), 0);
    assert_int_equal(file_writer_commit(&writer, true), 0);
    umask(before);
    assert_int_equal(file_stat("root/x/y/file", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(file_stat("root/x", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0750);
}

static void without_a_root_no_folder_is_made(void **state) {
    (void)state;
    struct file_writer writer;
    assert_int_equal(file_writer_open(&writer, NULL, "missing/x"), -ENOENT);
    assert_int_equal(file_writer_open(&writer, "missing", "x"), -ENOENT);
    assert_list(".", "outside root");
}

/* --- what fails --- */

/* Writes "new" to root/sub/NAME; what the first call that failed gave. */
static int save(const char *name) {
    struct file_writer writer;
    char path[64];
    snprintf(path, sizeof path, "sub/%s", name);
    int rc = file_writer_open(&writer, "root", path);
    if (rc < 0)
        return rc;
    rc = file_writer_add(&writer, STR("new"));
    if (rc == 0)
        return file_writer_commit(&writer, true);
    file_writer_abort(&writer);
    return rc;
}

static int open_descriptors(void) {
    struct buf names = {0};
    int n = (int)file_list("/proc/self/fd", 10000, &names);
    buf_fini(&names);
    return n;
}

/* Wherever it fails, the old content stands, nothing else does, and nothing stays open. */
static void failing_calls_change_nothing(void **state) {
    static const struct {
        const char *point, *name;
        int skip;
        bool named;
    } rows[] = {{"file_tmpfile", "b.txt", 0, false},  {"file_open", "b.txt", 0, false},
                {"file_open", "b.txt", 0, true},      {"file_write", "b.txt", 0, false},
                {"file_write", "b.txt", 0, true},     {"file_sync", "b.txt", 0, false},
                {"file_sync", "b.txt", 0, true},      {"file_link", "c.txt", 0, false},
                {"file_link", "b.txt", 1, false},     {"file_rename", "b.txt", 0, false},
                {"file_rename", "b.txt", 0, true},    {"file_rename", "c.txt", 0, true},
                {"file_mkdir", "made/c.txt", 0, true}};
    (void)state;
    int before = open_descriptors();
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].named)
            forbid_nameless();
        fault_arm(rows[i].point, -EIO, rows[i].skip, 1);
        int rc = save(rows[i].name);
        if (rc != -EIO)
            fail_msg("%s %s: %d", rows[i].point, rows[i].name, rc);
        fault_reset();
        assert_content("root/sub/b.txt", "sub");
        assert_list("root/sub", "b.txt");
        assert_int_equal(open_descriptors(), before);
    }
}

/* The file has its name by then: what is told is that it might not keep it. */
static void a_folder_that_cannot_be_synced_is_told(void **state) {
    (void)state;
    int before = open_descriptors();
    fault_arm("file_sync", -EIO, 1, 1);
    assert_int_equal(save("b.txt"), -EIO);
    assert_content("root/sub/b.txt", "new");
    assert_list("root/sub", "b.txt");
    fault_arm("file_sync", -EIO, 0, 1);
    assert_int_equal(save("made/c.txt"), -EIO);
    assert_list("root/sub/made", "");
    assert_int_equal(open_descriptors(), before);
}

static void what_is_replaced_at_once_is_not_synced_but_told(void **state) {
    (void)state;
    fault_arm("file_sync", -EDQUOT, 0, 1);
    assert_int_equal(file_replace("root/a.txt", STR("new")), -EDQUOT);
    assert_content("root/a.txt", "hello");
    fault_arm("file_sync", -EIO, 1, 1);
    assert_int_equal(file_replace("root/a.txt", STR("new")), 0); /* no folder is synced */
    assert_content("root/a.txt", "new");
}

/* --- without a name, or with a temporary one --- */

static void a_file_that_is_written_has_no_name(void **state) {
    (void)state;
    struct file_writer writer;
    assert_int_equal(file_writer_open(&writer, "root", "sub/b.txt"), 0);
    assert_int_equal(file_writer_add(&writer, STR("x")), 0);
    assert_list("root/sub", "b.txt");
    file_writer_abort(&writer);
}

static void where_files_need_names_all_is_the_same(void **state) {
    (void)state;
    struct file_writer writer;
    struct stat st;
    forbid_nameless();
    assert_int_equal(chmod("root/sub/b.txt", 0640), 0);
    for (int i = 0; i < 2; i++) {
        const char *path = i ? "root/sub/c.txt" : "root/sub/b.txt";
        assert_int_equal(file_writer_open(&writer, "root", path + 5), 0);
        assert_non_null(writer.temporary);
        assert_true(writer.temporary[0] == '.');
        assert_int_equal(file_writer_add(&writer, STR("new")), 0);
        assert_int_equal(file_writer_commit(&writer, true), 0);
        assert_content(path, "new");
    }
    assert_int_equal(file_stat("root/sub/b.txt", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(file_writer_open(&writer, "root", "sub/d.txt"), 0);
    file_writer_abort(&writer);
    assert_list("root/sub", "b.txt c.txt");
}

/* --- what is left behind --- */

static int open_sub(void) {
    int folder = open("root/sub", O_PATH | O_DIRECTORY);
    assert_true(folder >= 0);
    return folder;
}

/* A process that begins to write and is killed. */
static void write_and_die(void) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        struct file_writer writer;
        forbid_nameless();
        if (file_writer_open(&writer, "root", "sub/c.txt") == 0 &&
            file_writer_add(&writer, STR("half")) == 0 && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    struct buf names = {0};
    assert_int_equal(file_list("root/sub", 10, &names), 2);
    buf_fini(&names);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
}

static const char *this_program;

/* In a process that has not looked through the folder where locks cannot be had, if `no_lock`. */
static void assert_swept_by_a_save(const char *no_lock, const char *left) {
    pid_t child = fork();
    if (child == 0) {
        execl(this_program, this_program, "save", no_lock, (char *)NULL);
        _exit(1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_list("root/sub", left);
}

static void what_the_dead_left_is_swept(void **state) {
    (void)state;
    write_and_die();
    put("root/sub/.weir-x", "");
    put("root/sub/weir-1-2.tmp", "");
    assert_int_equal(mkdir("root/sub/.weir-1-1.tmp", 0755), 0);
    assert_int_equal(symlink("b.txt", "root/sub/.weir-1-2.tmp"), 0);
    assert_int_equal(mkfifo("root/sub/.weir-1-3.tmp", 0644), 0);
    put("root/sub/.weir-1-4.tmp", "left");
    assert_swept_by_a_save(
        NULL, ".weir-1-1.tmp .weir-1-2.tmp .weir-1-3.tmp .weir-x b.txt c.txt weir-1-2.tmp");
}

static void a_folder_is_looked_through_once(void **state) {
    (void)state;
    int folder = open_sub();
    temporary_sweep(folder);
    put("root/sub/.weir-1-4.tmp", "left");
    temporary_sweep(folder);
    assert_list("root/sub", ".weir-1-4.tmp b.txt");
    close(folder);
}

static void what_lives_is_not_swept(void **state) {
    (void)state;
    put("root/sub/.weir-1-4.tmp", "another's");
    int fd = open("root/sub/.weir-1-4.tmp", O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_swept_by_a_save(NULL, ".weir-1-4.tmp b.txt c.txt");
    close(fd);
    assert_swept_by_a_save(NULL, "b.txt c.txt");
}

/* The sweeper's lock is met between the making and the maker's. */
static void a_maker_that_meets_a_sweeper_makes_another(void **state) {
    (void)state;
    char *name = NULL;
    int folder = open_sub();
    fault_arm("file_lock", -EWOULDBLOCK, 0, 1);
    int fd = temporary_open(folder, &name);
    assert_true(fd >= 0);
    struct stat st;
    assert_int_equal(fstatat(folder, name, &st, 0), 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0); /* its own */
    assert_int_equal(unlinkat(folder, name, 0), 0);
    free(name);
    close(fd);
    close(folder);
}

static void where_nothing_can_be_locked_nothing_is_swept(void **state) {
    (void)state;
    put("root/sub/.weir-1-4.tmp", "left");
    assert_swept_by_a_save("no lock", ".weir-1-4.tmp b.txt c.txt");
    forbid_nameless();
    fault_arm("file_lock", -ENOLCK, 0, 1);
    assert_int_equal(save("c.txt"), 0);
}

/* Run again by assert_swept_by_a_save, it only saves. */
int main(int argc, char **argv) {
    if (argc > 2)
        fault_arm("file_lock", -ENOLCK, 0, 1);
    if (argc > 1)
        return save("c.txt") == 0 ? 0 : 1;
    this_program = realpath(argv[0], NULL);
#define TEST(name) cmocka_unit_test_setup_teardown(name, file_rig_setup, file_rig_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_writer_shows_the_file_when_it_is_whole),
        TEST(a_writer_stays_beneath_its_root),
        TEST(a_writer_keeps_its_folder),
        TEST(an_aborted_writer_leaves_nothing),
        TEST(two_writers_of_a_name_do_not_meet),
        TEST(a_writer_tells_what_it_cannot),
        TEST(a_target_may_have_the_longest_name),
        TEST(what_is_made_heeds_the_umask),
        TEST(without_a_root_no_folder_is_made),
        TEST(failing_calls_change_nothing),
        TEST(a_folder_that_cannot_be_synced_is_told),
        TEST(what_is_replaced_at_once_is_not_synced_but_told),
        TEST(a_file_that_is_written_has_no_name),
        TEST(where_files_need_names_all_is_the_same),
        TEST(what_the_dead_left_is_swept),
        TEST(a_folder_is_looked_through_once),
        TEST(what_lives_is_not_swept),
        TEST(a_maker_that_meets_a_sweeper_makes_another),
        TEST(where_nothing_can_be_locked_nothing_is_swept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A file of keys: read when it changes and when a key is missed, at most once a second each; what
 * is broken leaves the last good keys; shared by threads. */
#include "auth/key_file.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "table.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY(kid)                                                                                   \
    "{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\",\"alg\":\"HS256\","    \
    "\"kid\":\"" kid "\"}"
#define SET(keys) "{\"keys\":[" keys "]}"
#define SECOND 1000000000ull

static char folder[] = "/tmp/weir-keys-XXXXXX";
static char path[64], other[64];
static struct buf logged;

static void on_log(enum log_level level, struct str line, void *arg) {
    (void)level, (void)arg;
    buf_add(&logged, line);
}

static bool was_logged(const char *text) {
    bool found = logged.len > 0 && memmem(logged.data, logged.len, text, strlen(text));
    logged.len = 0;
    return found;
}

static void write_at(const char *at, const char *text) {
    FILE *file = fopen(at, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* As a careful deployer does it. */
static void replace(const char *text) {
    write_at(other, text);
    assert_int_equal(rename(other, path), 0);
}

/* As if the file had been written `s` seconds ago. */
static void age(int s) {
    int64_t ns = clock_wall_ns() - (int64_t)s * (int64_t)SECOND;
    struct timespec t = {ns / (int64_t)SECOND, ns % (int64_t)SECOND}, times[2] = {t, t};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static struct key_source *open_file(void) {
    struct key_source *source = NULL;
    struct reason why = {""};
    if (key_file_open(path, NULL, &source, &why) < 0)
        fail_msg("%s", why.text);
    return source;
}

struct user {
    struct jwks *jwks;
    unsigned version;
};

static bool has(struct user *user, const char *kid) {
    struct reason why;
    bool unknown;
    return jwks_find(user->jwks, alg_find(STR("HS256")), str_of(kid), &unknown, &why) != NULL;
}

static int set_up(void **state) {
    (void)state;
    log_set_sink(on_log, NULL);
    logged.len = 0;
    clock_freeze();
    unlink(path);
    write_at(path, SET(KEY("a")));
    age(100);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    fault_reset();
    clock_thaw();
    log_set_sink(NULL, NULL);
    return 0;
}

static void changes_are_seen(void **state) {
    struct key_source *source = open_file();
    struct user user = {0};
    (void)state;
    key_source_refresh(source, false, &user.jwks, &user.version);
    assert_true(has(&user, "a"));
    replace(SET(KEY("b")));
    age(50);
    clock_advance_ns(SECOND - 1000000);
    assert_false(key_source_refresh(source, false, &user.jwks, &user.version)); /* too soon */
    clock_advance_ns(1000000);
    assert_true(key_source_refresh(source, false, &user.jwks, &user.version));
    assert_true(has(&user, "b") && !has(&user, "a"));
    assert_true(was_logged("read again, 1 keys"));
    clock_advance_ns(SECOND);
    assert_false(key_source_refresh(source, false, &user.jwks, &user.version)); /* the same */
    assert_false(was_logged("weir-keys"));
    jwks_unref(user.jwks);
    key_source_unref(source);
}

/* A key that is missed is looked for at once, then not again for a second. */
static void missed(void **state) {
    struct key_source *source = open_file();
    struct user user = {0};
    (void)state;
    key_source_refresh(source, false, &user.jwks, &user.version);
    replace(SET(KEY("b")));
    assert_true(key_source_refresh(source, true, &user.jwks, &user.version));
    assert_true(has(&user, "b"));
    replace(SET(KEY("c")));
    clock_advance_ns(SECOND - 1000000);
    assert_false(key_source_refresh(source, true, &user.jwks, &user.version));
    clock_advance_ns(1000000);
    assert_true(key_source_refresh(source, true, &user.jwks, &user.version));
    assert_true(has(&user, "c"));
    clock_advance_ns(SECOND);
    assert_false(key_source_refresh(source, true, &user.jwks, &user.version)); /* the same text */
    jwks_unref(user.jwks);
    key_source_unref(source);
}

/* A file just written is read again, though its stat stays: time stamps have ticks. */
static void fresh_files(void **state) {
    age(1);
    struct key_source *source = open_file();
    struct user user = {0};
    struct stat st;
    (void)state;
    key_source_refresh(source, false, &user.jwks, &user.version);
    assert_int_equal(stat(path, &st), 0);
    int fd = open(path, O_WRONLY);
    const char text[] = SET(KEY("z")); /* as long as before, in the same inode */
    assert_int_equal(write(fd, text, sizeof text - 1), (int)sizeof text - 1);
    close(fd);
    struct timespec times[2] = {st.st_mtim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    clock_advance_ns(SECOND);
    assert_true(key_source_refresh(source, false, &user.jwks, &user.version));
    assert_true(has(&user, "z"));
    jwks_unref(user.jwks);
    key_source_unref(source);
    (void)state;
}

/* Whatever is wrong, the last good keys stay, and it is said once. */
static void broken_files(void **state) {
    static const struct {
        const char *text, *reason; /* NULL: there is none */
    } rows[] = {
        {"", "not JSON"},
        {SET(KEY("b")) "x", "not JSON"},
        {SET(""), "none of its 0 keys can be used"},
        {NULL, "No such file"},
        {SET("{\"kty\":\"oct\"}"), "none of its 1 keys can be used"},
    };
    struct key_source *source = open_file();
    struct user user = {0};
    (void)state;
    key_source_refresh(source, false, &user.jwks, &user.version);
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (rows[i].text)
            replace(rows[i].text);
        else
            unlink(path);
        for (int look = 0; look < 3; look++) {
            clock_advance_ns(SECOND);
            assert_false(key_source_refresh(source, look == 1, &user.jwks, &user.version));
            assert_true(has(&user, "a"));
            if (look > 0) {
                assert_false(was_logged("weir-keys"));
                continue;
            }
            assert_non_null(
                memmem(logged.data, logged.len, rows[i].reason, strlen(rows[i].reason)));
            assert_true(was_logged("the keys read before stay in use"));
        }
    }
    replace(SET(KEY("b")));
    clock_advance_ns(SECOND);
    assert_true(key_source_refresh(source, false, &user.jwks, &user.version));
    assert_true(has(&user, "b"));
    jwks_unref(user.jwks);
    key_source_unref(source);
}

static void skipped_keys_are_logged(void **state) {
    (void)state;
    replace(SET("{\"kty\":\"RSB\",\"kid\":\"new\"}," KEY("a")));
    struct key_source *source = open_file();
    assert_true(was_logged("key 1 (kid \"new\") is not used: \"kty\" is none of"));
    key_source_unref(source);
}

static void not_opened(void **state) {
    struct key_source *source = NULL;
    struct reason why;
    (void)state;
    replace(SET(""));
    assert_int_equal(key_file_open(path, NULL, &source, &why), KEY_FILE_EBAD);
    assert_non_null(strstr(why.text, "none of its 0 keys can be used"));
    assert_int_equal(key_file_open(folder, NULL, &source, &why), KEY_FILE_EBAD);
    assert_non_null(strstr(why.text, "not a file"));
    assert_int_equal(key_file_open("/nonexistent", NULL, &source, &why), KEY_FILE_EBAD);
    assert_string_equal(why.text, "/nonexistent: No such file or directory");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(key_file_open(path, NULL, &source, &why), KEY_FILE_EBAD); /* at once */
    assert_non_null(strstr(why.text, "not a file"));
    unlink(path);
    write_at(path, SET(KEY("a")));
    fault_arm("key_file_read", -5, 0, 1);
    assert_int_equal(key_file_open(path, NULL, &source, &why), KEY_FILE_EBAD);
    assert_non_null(strstr(why.text, "Input/output error"));
    fault_arm("key_file_read", -4, 0, 1); /* EINTR: tried again */
    assert_int_equal(key_file_open(path, NULL, &source, &why), 0);
    key_source_unref(source);
}

/* A set of exactly the most bytes is read, one more is not. */
static void size_limit(void **state) {
    static char text[KEY_FILE_MAX + 2];
    struct key_source *source = NULL;
    struct reason why;
    (void)state;
    memset(text, ' ', sizeof text - 1);
    memcpy(text, SET(KEY("a")), sizeof SET(KEY("a")) - 1);
    text[KEY_FILE_MAX] = '\0';
    replace(text);
    assert_int_equal(key_file_open(path, NULL, &source, &why), 0);
    key_source_unref(source);
    text[KEY_FILE_MAX] = ' ';
    replace(text);
    assert_int_equal(key_file_open(path, NULL, &source, &why), KEY_FILE_EBAD);
    assert_non_null(strstr(why.text, "longer than 1 MiB"));
}

/* The same file and algorithm is the same source. */
static void opened_twice(void **state) {
    struct key_source *first = open_file(), *second = open_file(), *third = NULL;
    struct reason why;
    (void)state;
    assert_ptr_equal(first, second);
    assert_int_equal(key_file_open(path, alg_find(STR("HS256")), &third, &why), 0);
    assert_ptr_not_equal(first, third);
    key_source_unref(first);
    key_source_unref(second);
    key_source_unref(third);
}

/* --- threads --- */

static atomic_bool done;

static void *use(void *arg) {
    struct key_source *source = NULL;
    struct user user = {0};
    struct reason why;
    uintptr_t wrong = 0;
    (void)arg;
    if (key_file_open(path, NULL, &source, &why) < 0)
        return (void *)1;
    for (int i = 0; !atomic_load(&done); i++) {
        key_source_refresh(source, i % 8 == 0, &user.jwks, &user.version);
        wrong += !has(&user, "a");
    }
    jwks_unref(user.jwks);
    key_source_unref(source);
    return (void *)wrong;
}

static void shared_by_threads(void **state) {
    pthread_t threads[4];
    void *wrong;
    (void)state;
    struct key_source *source = open_file();
    struct user user = {0};
    atomic_store(&done, false);
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use, NULL), 0);
    for (int i = 0; i < 50; i++) {
        unsigned before = user.version;
        char text[512]; /* another each time, or there would be nothing to publish */
        snprintf(text, sizeof text, "{\"n\":%d,\"keys\":[%s]}", i,
                 i % 2 ? KEY("a") : KEY("a") "," KEY("b"));
        replace(i % 5 == 4 ? "broken" : text);
        clock_advance_ns(SECOND);
        /* whoever of us was first to look has published it, or is about to */
        while (i % 5 < 4 && user.version == before) {
            clock_advance_ns(SECOND);
            key_source_refresh(source, true, &user.jwks, &user.version);
        }
    }
    atomic_store(&done, true);
    for (size_t i = 0; i < COUNT(threads); i++) {
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    jwks_unref(user.jwks);
    key_source_unref(source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(changes_are_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(missed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fresh_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(skipped_keys_are_logged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(size_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(opened_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shared_by_threads, set_up, tear_down),
    };
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/keys.json", folder);
    snprintf(other, sizeof other, "%s/keys.new", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    unlink(other);
    rmdir(folder);
    buf_fini(&logged);
    return failed;
}

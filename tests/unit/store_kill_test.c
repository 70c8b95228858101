/* What a store acknowledged survives SIGKILL. A child (this program again) appends and tells each
 * id that is done through a pipe; it is killed after some number of them, at no particular moment.
 * Then every id that was told is there, with its text, none twice, in order; and the next child
 * goes on above the last one. */
#include "store/store.h"

#include "append_one.h"
#include "store_rig.h"
#include "table.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 20
#define OUTSTANDING 64

/* --- the child: "child FOLDER", ids to standard output --- */

static struct store *store;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t next_id;

struct numbered {
    struct stored_event event;
    char text[64];
};

static void tell_and_go_on(struct stored_event *event, int error) {
    struct numbered *numbered = CONTAINER_OF(event, struct numbered, event);
    if (error || write(STDOUT_FILENO, &event->id, sizeof event->id) != sizeof event->id)
        _exit(1);
    pthread_mutex_lock(&lock);
    event->id = ++next_id;
    event->text.len = (size_t)snprintf(numbered->text, sizeof numbered->text, "text of %llu",
                                       (unsigned long long)event->id);
    event->topic = event->id % 3 ? STR("a") : STR("b");
    append_one(store, event);
    pthread_mutex_unlock(&lock);
}

static int child(const char *folder) {
    static struct numbered events[OUTSTANDING];
    char why[STORE_WHY_BYTES];
    if (store_open(folder, &store, why, sizeof why) < 0) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    pthread_mutex_lock(&lock);
    next_id = store_last_id(store);
    for (int i = 0; i < OUTSTANDING; i++) {
        struct stored_event *event = &events[i].event;
        *event =
            (struct stored_event){.id = ++next_id, .keep = RETENTION_ALL, .done = tell_and_go_on};
        event->topic = event->id % 3 ? STR("a") : STR("b");
        event->text.ptr = events[i].text;
        event->text.len = (size_t)snprintf(events[i].text, sizeof events[i].text, "text of %llu",
                                           (unsigned long long)event->id);
        append_one(store, event);
    }
    pthread_mutex_unlock(&lock);
    for (;;)
        pause();
}

/* --- the test --- */

static pid_t start(const char *folder, int *out) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        execl("/proc/self/exe", "store_kill_test", "child", folder, (char *)NULL);
        _exit(1);
    }
    close(fds[1]);
    *out = fds[0];
    return pid;
}

/* Kills the child when it has told `many` ids; the last id that it told. */
static uint64_t kill_after(pid_t pid, int fd, int many) {
    uint64_t id = 0, last = 0;
    int told = 0;
    while (read(fd, &id, sizeof id) == sizeof id) {
        assert_true(id > last);
        last = id;
        if (++told == many)
            kill(pid, SIGKILL);
    }
    assert_true(told >= many);
    close(fd);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return last;
}

/* Every id from 1 to the last is there once: the children count. */
static uint64_t check(struct store_rig *rig) {
    struct str topics[] = {STR("a"), STR("b")};
    struct page page = {.topics = topics, .ntopics = 2, .upto = UINT64_MAX, .bytes_max = 65536};
    uint64_t id = 0;
    char text[64];
    do {
        srig_read(rig, &page);
        assert_int_equal(page.error, 0);
        for (size_t i = 0; i < page.count; i++) {
            assert_int_equal(page.entries[i].id, ++id);
            assert_int_equal(page.entries[i].topic, id % 3 == 0);
            int n = snprintf(text, sizeof text, "text of %llu", (unsigned long long)id);
            assert_true(str_eq(page_text(&page, i), (struct str){text, (size_t)n}));
        }
        page.after = id;
    } while (page.more);
    page_fini(&page);
    assert_int_equal(store_last_id(rig->store), id);
    return id;
}

static void what_was_told_survives_sigkill(void **state) {
    struct store_rig *rig = *state;
    srand(20);
    srig_close(rig);
    for (int round = 0; round < ROUNDS; round++) {
        int fd;
        pid_t pid = start(rig->folder, &fd);
        uint64_t told = kill_after(pid, fd, 1 + rand() % 1500);
        srig_open(rig);
        assert_true(check(rig) >= told);
        srig_close(rig);
    }
    srig_open(rig);
}

int main(int argc, char **argv) {
    if (argc == 3)
        return child(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_told_survives_sigkill, store_rig_setup,
                                        store_rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

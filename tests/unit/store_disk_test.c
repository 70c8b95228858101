/* The store on a disk that fails, and whose power goes. What was acknowledged is there afterwards,
 * whatever failed before; after a sync that failed nothing is acknowledged any more; what only
 * lacks room goes on. */
#include "disk_rig.h"
#include "store_rig.h"

#include "base/fault.h"
#include "base/log.h"
#include "store/kv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { WIDE = 64 * 1024 }; /* bytes of an event: a few dozen of them make a checkpoint */

static uint64_t next_id;

static int setup(void **state) {
    next_id = 1;
    disk_clear();
    return store_rig_setup(state);
}

static int teardown(void **state) {
    int rc = store_rig_teardown(state);
    disk_clear();
    return rc;
}

/* An event alone in its group; what it was told. */
static int put(struct store_rig *rig, const char *topic, size_t size) {
    static char text[WIDE + 1];
    memset(text, 'x', size);
    text[size] = '\0';
    size_t told = rig->count;
    srig_put(rig, next_id++, topic, "", text, RETENTION_ALL);
    srig_wait(rig);
    return rig->errors[told];
}

static int put_small(struct store_rig *rig) {
    return put(rig, "a", 10);
}

/* The power goes, and comes back: the store is another one, on what is left. The first one ends
 * like a program that knows nothing of it. */
static void cut_power(struct store_rig *rig, uint64_t seed) {
    char left[sizeof rig->folder];
    snprintf(left, sizeof left, "%s", srig_path(rig, "left"));
    assert_int_equal(mkdir(left, 0700), 0);
    disk_cut_power(rig->folder, left, seed);
    srig_close(rig);
    snprintf(rig->folder, sizeof rig->folder, "%s", left);
    srig_open(rig);
}

static bool is_there(const char *ids, uint64_t id) {
    char text[32];
    int n = snprintf(text, sizeof text, " %llu ", (unsigned long long)id);
    char *all = malloc(strlen(ids) + 3);
    sprintf(all, " %s ", ids);
    bool found = strstr(all, text) != NULL && n > 0;
    free(all);
    return found;
}

static void assert_all_there(struct store_rig *rig) {
    const char *ids = srig_ids(rig, "ab", 0);
    for (size_t i = 0; i < rig->count; i++)
        if (rig->errors[i] == 0 && !is_there(ids, rig->ids[i]))
            fail_msg("%llu was acknowledged, and is not among: %s", (unsigned long long)rig->ids[i],
                     ids);
}

/* --- the power --- */

static void what_was_acknowledged_outlives_the_power(void **state) {
    struct store_rig *rig = *state;
    for (int i = 0; i < 60; i++)
        assert_int_equal(put(rig, i % 2 ? "a" : "b", i % 3 ? 10 : WIDE), 0);
    cut_power(rig, 0);
    assert_all_there(rig);
    assert_int_equal(put_small(rig), 0);
}

/* --- a sync that fails --- */

/* Nothing is written any more, by anybody, though the disk says that all is well again; what is
 * there can be read. */
static void assert_stopped(struct store_rig *rig) {
    int errors = rig->logged[LOG_ERROR];
    int synced = disk_syncs();
    assert_true(store_has_stopped(rig->store));
    for (int i = 0; i < 3; i++)
        assert_int_equal(put_small(rig), UV_EIO);
    store_trim(rig->store, STR("a"), (struct retention){1, UINT64_MAX, 0});
    assert_int_equal(put(rig, "b", WIDE), UV_EIO);
    assert_int_equal(disk_syncs(), synced);
    assert_int_equal(rig->logged[LOG_ERROR], errors);
    assert_all_there(rig);
}

static void a_commit_that_is_not_synced_is_the_last(void **state) {
    struct store_rig *rig = *state;
    assert_int_equal(put_small(rig), 0);
    assert_false(store_has_stopped(rig->store));
    disk_fail(DISK_SYNC, true, 0, 1);
    assert_int_equal(put_small(rig), UV_EIO);
    assert_int_equal(disk_failures(), 1);
    assert_int_equal(rig->logged[LOG_ERROR], 1);
    assert_stopped(rig);
    cut_power(rig, 0);
    assert_false(store_has_stopped(rig->store));
    assert_all_there(rig);
    assert_int_equal(put_small(rig), 0);
}

/* Fills the log until a checkpoint has come, whose sync of that file fails. */
static void fail_checkpoint(struct store_rig *rig, bool log) {
    disk_fail(log ? DISK_RESYNC : DISK_SYNC, log, 0, 1);
    for (int i = 0; i < 200 && !store_has_stopped(rig->store); i++)
        put(rig, i % 2 ? "a" : "b", WIDE);
    assert_int_equal(disk_failures(), 1);
    assert_int_equal(rig->errors[rig->count - 2], 0);
}

/* What is committed is safe in the log; it must not be overwritten, for the database was told to be
 * synced and is not. */
static void a_checkpoint_that_is_not_synced_is_the_last(void **state) {
    struct store_rig *rig = *state;
    fail_checkpoint(rig, false);
    for (int i = 0; i < 100; i++)
        put(rig, i % 2 ? "a" : "b", WIDE); /* were there a second one, it would lie */
    assert_stopped(rig);
    assert_int_equal(rig->logged[LOG_ERROR], 1);
    cut_power(rig, 0);
    assert_all_there(rig);
    assert_int_equal(put_small(rig), 0);
}

static void nor_is_one_whose_log_is_not_synced(void **state) {
    struct store_rig *rig = *state;
    fail_checkpoint(rig, true);
    assert_stopped(rig);
    cut_power(rig, 0);
    assert_all_there(rig);
}

/* Closing would put the log into the database, sync that, be told that all is well, and delete the
 * log. */
static void closing_leaves_the_log(void **state) {
    struct store_rig *rig = *state;
    fail_checkpoint(rig, false);
    srig_close(rig);
    struct stat log;
    assert_int_equal(stat(srig_path(rig, "weir.db-wal"), &log), 0);
    assert_true(log.st_size > 0);
    srig_open(rig); /* the process ends; the machine goes on */
    assert_all_there(rig);
    assert_int_equal(put_small(rig), 0);
    cut_power(rig, 0);
    assert_all_there(rig);
}

static void a_folder_that_is_not_synced_is_not_used(void **state) {
    struct store_rig *rig = *state;
    struct store *store;
    char why[STORE_WHY_BYTES];
    srig_close(rig);
    fault_arm("store_sync_folder", UV_EIO, 0, 1);
    assert_int_equal(store_open(rig->folder, &store, why, sizeof why), UV_EIO);
    assert_non_null(strstr(why, rig->folder));
    srig_open(rig);
}

/* --- what goes on --- */

static void a_full_disk_goes_on(void **state) {
    struct store_rig *rig = *state;
    static const struct {
        enum disk_fault kind;
        int error;
    } kinds[] = {{DISK_FULL, UV_ENOSPC}, {DISK_SHORT, UV_ENOSPC}, {DISK_WRITE, UV_EIO}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        assert_int_equal(put_small(rig), 0);
        disk_fail(kinds[i].kind, true, 0, 1);
        assert_int_equal(put(rig, "b", WIDE), kinds[i].error);
        assert_false(store_has_stopped(rig->store));
        assert_int_equal(put_small(rig), 0);
    }
    assert_int_equal(disk_failures(), 3);
    cut_power(rig, 0);
    assert_all_there(rig);
}

/* The room ends with the first write of a commit, the second, ... */
static void a_group_without_room_fails_as_a_whole(void **state) {
    struct store_rig *rig = *state;
    uint64_t id = 0;
    for (int writes = 0; writes < 6; writes++) {
        rig->count = 0;
        srig_hold(rig);
        disk_fail(DISK_FULL, true, writes, 1000000);
        for (int i = 0; i < 200; i++) /* more pages than writes are left */
            srig_put(rig, ++id, "a", "",
                     "0123456789012345678901234567890123456789"
                     "012345678901234567890123456789012345678901234567890123456789",
                     RETENTION_ALL);
        srig_release(rig);
        srig_wait(rig);
        for (size_t i = 0; i < rig->count; i++)
            assert_int_equal(rig->errors[i], UV_ENOSPC);
        disk_fail(DISK_FULL, true, 0, 0);
        srig_add(rig, ++id, "b");
        srig_wait(rig);
        assert_int_equal(rig->errors[200], 0);
    }
    assert_string_equal(srig_ids(rig, "a", 0), "");
    cut_power(rig, 0);
    assert_string_equal(srig_ids(rig, "a", 0), "");
    assert_string_equal(srig_ids(rig, "b", 0), "201 402 603 804 1005 1206");
}

/* The log has room, the database has none: the checkpoint is made later. */
static void a_checkpoint_without_room_is_made_later(void **state) {
    struct store_rig *rig = *state;
    disk_fail(DISK_FULL, false, 0, 3);
    for (int i = 0; i < 120; i++)
        assert_int_equal(put(rig, i % 2 ? "a" : "b", WIDE), 0);
    assert_int_equal(disk_failures(), 3);
    assert_false(store_has_stopped(rig->store));
    struct stat log;
    assert_int_equal(stat(srig_path(rig, "weir.db-wal"), &log), 0);
    assert_true(log.st_size < 6 * 1024 * 1024); /* it was used anew */
    cut_power(rig, 0);
    assert_all_there(rig);
}

static void put_of_ten(struct store_rig *rig) {
    char text[2001];
    memset(text, 'x', 2000);
    text[2000] = '\0';
    srig_put(rig, next_id++, "a", "", text, (struct retention){10, UINT64_MAX, 0});
    srig_wait(rig);
}

/* Whoever is to make room on a full disk has to be able to write that down: the log goes round in
 * what it has. */
static void a_full_disk_takes_what_needs_no_room(void **state) {
    struct store_rig *rig = *state;
    for (int i = 0; i < 100; i++)
        put_of_ten(rig);
    rig->count = 0;
    disk_fail(DISK_GROWTH, true, 0, 1000000);
    int failed = 0;
    uint64_t last = 0;
    for (int i = 0; i < 500; i++) {
        put_of_ten(rig);
        failed += rig->errors[i] != 0;
        last = rig->errors[i] == 0 ? rig->ids[i] : last;
    }
    assert_in_range(failed, 1, 50); /* once a round */
    cut_power(rig, 0);
    assert_true(is_there(srig_ids(rig, "a", 0), last));
}

/* --- by chance --- */

static uint64_t draw(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 11;
}

/* Nothing that was acknowledged is lost, nothing comes twice, nothing comes that was never put. */
static void run_seed(struct store_rig *rig, uint64_t seed) {
    uint64_t chance = seed * 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 40; i++) {
        if (draw(&chance) % 12 == 0)
            disk_fail((enum disk_fault)(draw(&chance) % 5), draw(&chance) % 3 > 0,
                      (int)(draw(&chance) % 4), 1 + (int)(draw(&chance) % 2));
        put(rig, draw(&chance) % 2 ? "a" : "b", draw(&chance) % 2 ? 100 : WIDE);
    }
    disk_fail(DISK_SYNC, true, 0, 0);
    cut_power(rig, seed % 3 ? seed : 0);
    assert_all_there(rig);
    const char *ids = srig_ids(rig, "ab", 0);
    unsigned long long last = 0, id;
    for (int used; sscanf(ids, "%llu%n", &id, &used) == 1; ids += used) {
        assert_true(id > last && id < next_id);
        last = id;
    }
    assert_int_equal(put_small(rig), 0);
}

static void whatever_fails_and_whenever(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        void *mine;
        assert_int_equal(setup(&mine), 0);
        run_seed(mine, seed);
        teardown(&mine);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_was_acknowledged_outlives_the_power),
        TEST(a_commit_that_is_not_synced_is_the_last),
        TEST(a_checkpoint_that_is_not_synced_is_the_last),
        TEST(nor_is_one_whose_log_is_not_synced),
        TEST(closing_leaves_the_log),
        TEST(a_folder_that_is_not_synced_is_not_used),
        TEST(a_full_disk_goes_on),
        TEST(a_group_without_room_fails_as_a_whole),
        TEST(a_checkpoint_without_room_is_made_later),
        TEST(a_full_disk_takes_what_needs_no_room),
        cmocka_unit_test(whatever_fails_and_whenever),
    };
    if (access("/dev/shm", W_OK) == 0) /* the disk is the test's: a real one need not sync */
        srig_place = "/dev/shm";
    disk_init();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    disk_fini();
    return failed;
}

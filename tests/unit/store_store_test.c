/* What store/store promises of events: order, groups, faults, retention, what is there after a
 * restart, and how it refuses a file. */
#include "store/store.h"

#include "base/fault.h"
#include "net/loop.h"
#include "store_rig.h"

#include "append_one.h"
#include "table.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct retention all = {UINT64_MAX, UINT64_MAX, 0};

/* --- appending --- */

static void what_is_done_can_be_read(void **state) {
    struct store_rig *rig = *state;
    srig_put(rig, 7, "a", "k", "data: x\n\n", all);
    srig_wait(rig);
    assert_int_equal(rig->errors[0], 0);
    struct str topic = STR("a");
    struct page page = {.topics = &topic, .ntopics = 1, .upto = 100, .bytes_max = 100};
    srig_read(rig, &page);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.entries[0].id, 7);
    assert_int_equal(page.entries[0].topic, 0);
    assert_true(str_eq(page_key(&page, 0), STR("k")));
    assert_true(str_eq(page_text(&page, 0), STR("data: x\n\n")));
    assert_int_equal(page.floor, 0);
    page_fini(&page);
}

static void done_comes_in_order_of_ids(void **state) {
    struct store_rig *rig = *state;
    for (uint64_t id = 1; id <= 2000; id++)
        srig_add(rig, id, id % 3 ? "a" : "b");
    srig_wait(rig);
    assert_int_equal(rig->count, 2000);
    for (uint64_t i = 0; i < 2000; i++) {
        assert_int_equal(rig->ids[i], i + 1);
        assert_int_equal(rig->errors[i], 0);
    }
    assert_int_equal(store_last_id(rig->store), 2000);
}

static void closing_commits_what_is_queued(void **state) {
    struct store_rig *rig = *state;
    for (uint64_t id = 1; id <= 5; id++)
        srig_add(rig, id, "a");
    srig_reopen(rig);
    assert_int_equal(rig->pending, 0);
    assert_string_equal(srig_ids(rig, "a", 0), "1 2 3 4 5");
    assert_int_equal(store_last_id(rig->store), 5);
}

static void collect_topic(void *arg, const struct stored_topic *topic) {
    char *text = arg;
    sprintf(text + strlen(text), "%.*s:%llu-%llu-%llu ", STR_ARG(topic->name),
            (unsigned long long)topic->floor, (unsigned long long)topic->oldest,
            (unsigned long long)topic->last_id);
}

static void a_restart_knows_topics_floors_and_ids(void **state) {
    struct store_rig *rig = *state;
    for (uint64_t id = 1; id <= 100; id++)
        srig_put(rig, id, "a", "", "x", (struct retention){10, UINT64_MAX, 0});
    store_trim(rig->store, STR("a"), (struct retention){UINT64_MAX, UINT64_MAX, 95});
    srig_reopen(rig);
    char text[256] = "";
    store_topics(rig->store, collect_topic, text);
    assert_string_equal(text, "a:95-96-100 ");
    struct stored_topic topic;
    assert_true(store_topic(rig->store, STR("a"), &topic));
    assert_int_equal(topic.floor, 95);
    assert_false(store_topic(rig->store, STR("b"), &topic));
}

/* --- groups that fail --- */

static const struct {
    const char *point;
    int error, skip;
} faults[] = {
    {"store_write", UV_EIO, 0},  {"store_write", UV_ENOSPC, 1},  {"store_write", UV_EIO, 2},
    {"store_commit", UV_EIO, 0}, {"store_commit", UV_ENOSPC, 0},
};

static void a_group_fails_as_a_whole(void **state) {
    struct store_rig *rig = *state;
    uint64_t id = 10;
    srig_add(rig, id, "a");
    srig_wait(rig);
    for (size_t i = 0; i < COUNT(faults); i++) {
        srig_hold(rig);
        rig->count = 0;
        fault_arm(faults[i].point, faults[i].error, faults[i].skip, 1);
        srig_add(rig, id + 1, "a");
        srig_add(rig, id + 2, "n"); /* a topic that is new */
        srig_put(rig, id + 3, "a", "", "x", (struct retention){1, UINT64_MAX, 0});
        srig_release(rig);
        srig_wait(rig);
        assert_int_equal(rig->count, 3);
        for (int e = 0; e < 3; e++) {
            assert_int_equal(rig->ids[e], id + 1 + (uint64_t)e);
            assert_int_equal(rig->errors[e], faults[i].error);
        }
        struct stored_topic topic;
        assert_false(store_topic(rig->store, STR("n"), &topic));
        assert_true(store_topic(rig->store, STR("a"), &topic));
        assert_int_equal(topic.last_id, id);
        assert_int_equal(topic.floor, 0);
        srig_add(rig, id += 4, "a"); /* the next group is tried afresh */
        srig_wait(rig);
        assert_int_equal(rig->errors[3], 0);
        assert_int_equal(store_last_id(rig->store), id);
    }
    assert_string_equal(srig_ids(rig, "an", 0), "10 14 18 22 26 30");
    srig_reopen(rig);
    assert_string_equal(srig_ids(rig, "an", 0), "10 14 18 22 26 30");
    assert_int_equal(rig->logged[3], COUNT(faults));
}

/* --- retention --- */

static void count_is_exact_after_every_event(void **state) {
    struct store_rig *rig = *state;
    for (uint64_t id = 1; id <= 200; id++) {
        srig_put(rig, id, "a", "", "x", (struct retention){3, UINT64_MAX, 0});
        srig_wait(rig);
        char expected[64];
        struct stored_topic topic;
        store_topic(rig->store, STR("a"), &topic);
        assert_int_equal(topic.floor, id > 3 ? id - 3 : 0);
        if (id > 3) {
            snprintf(expected, sizeof expected, "%d %d %d", (int)id - 2, (int)id - 1, (int)id);
            assert_string_equal(srig_ids(rig, "a", 0), expected);
        }
    }
}

static void bytes_keep_the_newest_whatever_its_length(void **state) {
    struct store_rig *rig = *state;
    struct retention keep = {UINT64_MAX, 10, 0};
    srig_put(rig, 1, "a", "", "12345", keep);
    srig_put(rig, 2, "a", "a key is not counted", "12345", keep);
    srig_wait(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "1 2"); /* at the limit */
    srig_put(rig, 3, "a", "", "1", keep);
    srig_wait(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "2 3");
    srig_put(rig, 4, "a", "", "12345678901", keep);
    srig_wait(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "4");
}

static void age_ends_with_its_id(void **state) {
    struct store_rig *rig = *state;
    for (uint64_t id = 10; id <= 50; id += 10)
        srig_add(rig, id, "a");
    srig_put(rig, 60, "a", "", "x", (struct retention){UINT64_MAX, UINT64_MAX, 20});
    srig_wait(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "30 40 50 60");
    store_trim(rig->store, STR("a"), (struct retention){UINT64_MAX, UINT64_MAX, 49});
    store_trim(rig->store, STR("unknown"), (struct retention){0, 0, 0});
    srig_add(rig, 61, "b");
    srig_wait(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "50 60");
    store_trim(rig->store, STR("a"), (struct retention){UINT64_MAX, UINT64_MAX, 1000});
    srig_add(rig, 62, "b");
    srig_wait(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "");
    struct stored_topic topic;
    store_topic(rig->store, STR("a"), &topic);
    assert_int_equal(topic.floor, 60);
    assert_int_equal(topic.oldest, 0);
    assert_int_equal(topic.last_id, 60);
}

/* However it came to be: by events that pushed others out, by a trim, by the file. */
static void the_oldest_is_known(void **state) {
    struct store_rig *rig = *state;
    struct stored_topic topic;
    const struct retention keep = {40, UINT64_MAX, 0};
    for (uint64_t id = 1; id <= 100; id++) {
        srig_put(rig, id, "a", "", "x", keep);
        srig_wait(rig);
        assert_true(store_topic(rig->store, STR("a"), &topic));
        assert_int_equal(topic.oldest, id > 40 ? id - 39 : 1);
    }
    for (uint64_t after = 65; after < 100; after += 7) {
        store_trim(rig->store, STR("a"), (struct retention){UINT64_MAX, UINT64_MAX, after});
        if (after % 2)
            srig_reopen(rig);
        srig_add(rig, 100 + after, "b");
        srig_wait(rig);
        assert_true(store_topic(rig->store, STR("a"), &topic));
        assert_int_equal(topic.oldest, after + 1);
    }
}

/* What has nothing left is remembered, with its floor; born again, it tells of it. */
static void an_empty_topic_keeps_its_floor(void **state) {
    struct store_rig *rig = *state;
    struct stored_topic topic;
    struct str name = STR("a");
    srig_add(rig, 5, "a");
    store_trim(rig->store, STR("a"), (struct retention){UINT64_MAX, UINT64_MAX, 5});
    srig_reopen(rig);
    assert_true(store_topic(rig->store, STR("a"), &topic));
    assert_int_equal(topic.floor, 5);
    srig_add(rig, 9, "a");
    srig_add(rig, 10, "b");
    srig_reopen(rig);
    struct page page = {.topics = &name, .ntopics = 1, .after = 4, .upto = 99, .bytes_max = 9};
    srig_read(rig, &page);
    assert_int_equal(page.floor, 5);
    assert_int_equal(page.count, 1);
    page_fini(&page);
    assert_true(store_topic(rig->store, STR("b"), &topic));
    assert_int_equal(topic.floor, 0); /* it is none of its business */
    assert_int_equal(store_gone(rig->store), 0);
}

static bool end_is_done;

static void end_done(struct stored_event *event, int error) {
    (void)event;
    assert_int_equal(error, 0);
    __atomic_store_n(&end_is_done, true, __ATOMIC_RELEASE);
}

/* The end is no event that is lost with it. */
static void an_end_goes_when_it_is_too_old(void **state) {
    struct store_rig *rig = *state;
    struct stored_event end = {
        .id = 9, .end = 9, .topic = STR("a"), .keep = RETENTION_ALL, .done = end_done};
    struct stored_topic topic;
    srig_add(rig, 5, "a");
    srig_wait(rig);
    end_is_done = false;
    append_one(rig->store, &end);
    while (!__atomic_load_n(&end_is_done, __ATOMIC_ACQUIRE))
        sched_yield();
    for (uint64_t after = 4; after < 10; after++) {
        store_trim(rig->store, STR("a"), (struct retention){UINT64_MAX, UINT64_MAX, after});
        srig_reopen(rig);
        assert_true(store_topic(rig->store, STR("a"), &topic));
        assert_int_equal(topic.oldest, after < 5 ? 5 : 0);
        assert_int_equal(topic.end, after < 9 ? 9 : 0);
        assert_int_equal(topic.floor, after < 5 ? 0 : 5);
        assert_int_equal(store_last_id(rig->store), 9);
    }
}

static void count_topic(void *arg, const struct stored_topic *topic) {
    size_t *counts = arg;
    counts[topic->oldest > 0]++;
}

enum { GONE = 9000 };

/* Of very many the oldest are forgotten; what is made from then on may have been one of them. */
static void not_every_empty_topic_is_remembered(void **state) {
    struct store_rig *rig = *state;
    srig_hold(rig);
    for (uint64_t id = 1; id <= GONE; id++) {
        char name[16];
        snprintf(name, sizeof name, "t%llu", (unsigned long long)id);
        srig_put(rig, id, name, "", "x", RETENTION_ALL);
        store_trim(rig->store, str_of(name), (struct retention){UINT64_MAX, UINT64_MAX, id});
    }
    srig_add(rig, GONE + 1, "lives");
    srig_release(rig);
    srig_wait(rig);
    srig_add(rig, GONE + 2, "lives");
    srig_wait(rig);
    for (int again = 0; again < 2; again++) {
        size_t counts[2] = {0, 0};
        store_topics(rig->store, count_topic, counts);
        assert_in_range(counts[0], 4096, 8192);
        assert_int_equal(store_gone(rig->store), GONE - counts[0]);
        srig_reopen(rig);
    }
    uint64_t gone = store_gone(rig->store);
    srig_add(rig, GONE + 3, "new");
    srig_wait(rig);
    struct stored_topic topic;
    assert_true(store_topic(rig->store, STR("new"), &topic));
    assert_int_equal(topic.floor, gone);
    assert_true(store_topic(rig->store, STR("lives"), &topic));
    assert_int_equal(topic.floor, 0);
}

static void runs_are_kept(void **state) {
    struct store_rig *rig = *state;
    srig_add(rig, 3, "a");
    for (uint64_t i = 1; i <= RUNS_KEPT + 5; i++) {
        store_note_run(rig->store, (struct stored_run){i * 10, i * 10});
        store_note_run(rig->store, (struct stored_run){i * 10, i * 10 + 4});
    }
    srig_reopen(rig);
    assert_int_equal(store_last_id(rig->store), RUNS_KEPT * 10 + 54);
    struct str runs = store_runs(rig->store);
    struct stored_run run;
    assert_int_equal(runs.len, RUNS_KEPT * sizeof run);
    memcpy(&run, runs.ptr, sizeof run);
    assert_int_equal(run.start, 60);
    assert_int_equal(run.last, 64);
}

static void rules_are_kept(void **state) {
    struct store_rig *rig = *state;
    static const char *const lists[] = {"a*=5 b=0 ", "", "\xff*=9 "};
    for (size_t i = 0; i < COUNT(lists); i++) {
        struct buf rules = {0};
        const char *at = lists[i];
        char pattern[8];
        unsigned since;
        for (int used; sscanf(at, "%7[^=]=%u %n", pattern, &since, &used) == 2; at += used)
            stored_rule_add(&rules, str_of(pattern), since);
        store_set_rules(rig->store, &rules);
        srig_reopen(rig);
        char text[64] = "";
        struct str rest = store_rules(rig->store), name;
        for (uint64_t id; stored_rule_next(&rest, &name, &id);)
            sprintf(text + strlen(text), "%.*s=%u ", STR_ARG(name), (unsigned)id);
        assert_string_equal(text, lists[i]);
    }
}

static void the_file_does_not_grow_with_what_is_trimmed(void **state) {
    struct store_rig *rig = *state;
    char text[251];
    memset(text, 'x', 250);
    text[250] = '\0';
    for (uint64_t id = 1; id <= 20000; id++)
        srig_put(rig, id, "a", "", text, (struct retention){100, UINT64_MAX, 0});
    srig_close(rig);
    struct stat st;
    assert_int_equal(stat(srig_path(rig, "weir.db"), &st), 0);
    assert_in_range(st.st_size, 1,
                    1 << 20); /* the least that it has; 20,000 would take 5,000,000 */
    srig_open(rig);
}

/* --- pages --- */

static void a_page_holds_so_many_bytes_and_at_least_one(void **state) {
    struct store_rig *rig = *state;
    for (uint64_t id = 1; id <= 4; id++)
        srig_put(rig, id, "a", "kk", "12345678", all);
    srig_wait(rig);
    static const struct {
        size_t max, count;
        bool more;
    } rows[] = {{0, 1, true}, {19, 1, true}, {20, 2, true}, {39, 3, true}, {40, 4, false}};
    struct str topic = STR("a");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct page page = {
            .topics = &topic, .ntopics = 1, .upto = UINT64_MAX, .bytes_max = rows[i].max};
        srig_read(rig, &page);
        assert_int_equal(page.count, rows[i].count);
        assert_int_equal(page.more, rows[i].more);
        page_fini(&page);
    }
}

static void a_page_ends_at_upto(void **state) {
    struct store_rig *rig = *state;
    for (uint64_t id = 1; id <= 9; id++)
        srig_add(rig, id, id % 2 ? "a" : "b");
    srig_wait(rig);
    struct str topics[] = {STR("a"), STR("nobody knows"), STR("b")};
    struct page page = {.topics = topics, .ntopics = 3, .after = 2, .upto = 5, .bytes_max = 1000};
    srig_read(rig, &page);
    assert_int_equal(page.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(page.entries[i].id, 3 + i);
        assert_int_equal(page.entries[i].topic, i % 2 ? 2 : 0);
    }
    assert_false(page.more);
    page.after = 5;
    srig_read(rig, &page); /* nothing is between */
    assert_int_equal(page.count, 0);
    page_fini(&page);
}

static void a_page_tells_what_was_trimmed(void **state) {
    struct store_rig *rig = *state;
    for (uint64_t id = 1; id <= 10; id++)
        srig_put(rig, id, "a", "", "x", (struct retention){4, UINT64_MAX, 0});
    srig_wait(rig);
    struct str topic = STR("a");
    struct page page = {.topics = &topic, .ntopics = 1, .upto = UINT64_MAX, .bytes_max = 1000};
    static const uint64_t floors[] = {6, 6, 6, 6, 6, 6, 0, 0};
    for (uint64_t after = 0; after < COUNT(floors); after++) {
        page.after = after;
        srig_read(rig, &page);
        assert_int_equal(page.floor, floors[after]);
        assert_int_equal(page.entries[0].id, after < 6 ? 7 : after + 1);
    }
    page_fini(&page);
}

/* Of each topic the newest, wherever they lie; page after page, as if it had been one. */
static void a_page_of_the_newest(void **state) {
    struct store_rig *rig = *state;
    static const char *const names[] = {"a", "a", "b", "a", "b", "a", "c", "a"};
    for (uint64_t id = 1; id <= 8; id++)
        srig_add(rig, id, names[id - 1]);
    srig_wait(rig);
    struct str topics[] = {STR("a"), STR("b"), STR("c")};
    static const struct {
        struct page_newest newest[3];
        uint64_t after;
        const char *ids;
    } rows[] = {{{{1, 9}, {1, 9}, {1, 9}}, 0, "5 7 8 "},
                {{{2, 9}, {2, 9}, {2, 9}}, 0, "3 5 6 7 8 "},
                {{{2, 5}, {9, 9}, {1, 9}}, 0, "2 3 4 5 6 7 8 "}, /* beyond `upto`: as well */
                {{{2, 9}, {1, 4}, {UINT64_MAX, 9}}, 3, "5 6 7 8 "},
                {{{5, 9}, {2, 9}, {1, 9}}, 4, "5 6 7 8 "}};
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t max = 0; max <= 1000; max += 1000) {
            struct page page = {.topics = topics,
                                .ntopics = 3,
                                .newest = rows[i].newest,
                                .after = rows[i].after,
                                .upto = 8,
                                .bytes_max = max};
            char text[64] = "";
            do {
                srig_read(rig, &page);
                assert_int_equal(page.floor, 0);
                for (size_t at = 0; at < page.count; at++)
                    sprintf(text + strlen(text), "%d ", (int)page.entries[at].id);
                page.after = page.entries[page.count - 1].id;
            } while (page.more);
            assert_string_equal(text, rows[i].ids);
            page_fini(&page);
        }
}

static void a_page_of_the_newest_misses_nothing_while_they_are_there(void **state) {
    struct store_rig *rig = *state;
    struct retention keep = {3, UINT64_MAX, 0};
    for (uint64_t id = 1; id <= 6; id++)
        srig_put(rig, id, "a", "", "text", keep);
    srig_wait(rig);
    struct str topic = STR("a");
    static const uint64_t floors[] = {0, 0, 0, 0, 3, 3};
    for (uint64_t count = 1; count <= 5; count++) {
        struct page_newest newest = {count, 9};
        struct page page = {
            .topics = &topic, .ntopics = 1, .newest = &newest, .upto = 9, .bytes_max = 1000};
        srig_read(rig, &page);
        assert_int_equal(page.floor, floors[count]);
        assert_int_equal(page.count, count < 3 ? count : 3);
        page_fini(&page);
    }
}

static void a_page_that_cannot_be_read_has_no_entries(void **state) {
    struct store_rig *rig = *state;
    srig_add(rig, 1, "a");
    srig_wait(rig);
    struct str topic = STR("a");
    struct page page = {.topics = &topic, .ntopics = 1, .upto = UINT64_MAX, .bytes_max = 1000};
    fault_arm("store_read", UV_EIO, 0, 1);
    srig_read(rig, &page);
    assert_int_equal(page.error, UV_EIO);
    assert_int_equal(page.count, 0);
    srig_read(rig, &page);
    assert_int_equal(page.error, 0);
    assert_int_equal(page.count, 1);
    page_fini(&page);
}

struct cancelling {
    struct store_rig *rig;
    struct page second;
    int calls;
    int error;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

static void second_done(struct page *page) {
    struct cancelling *cancelling = page->arg;
    pthread_mutex_lock(&cancelling->lock);
    cancelling->calls++;
    cancelling->error = page->error;
    pthread_cond_signal(&cancelling->changed);
    pthread_mutex_unlock(&cancelling->lock);
}

static void first_done(struct page *page) { /* on the reader's thread: the second waits */
    struct cancelling *cancelling = page->arg;
    store_read(cancelling->rig->store, &cancelling->second);
    store_page_cancel(cancelling->rig->store, &cancelling->second);
}

static void a_cancelled_page_is_told_once(void **state) {
    struct store_rig *rig = *state;
    srig_add(rig, 1, "a");
    srig_wait(rig);
    struct str topic = STR("a");
    struct cancelling cancelling = {.rig = rig};
    pthread_mutex_init(&cancelling.lock, NULL);
    pthread_cond_init(&cancelling.changed, NULL);
    struct page first = {.topics = &topic, .ntopics = 1, .upto = 9, .bytes_max = 9};
    cancelling.second = first;
    first.arg = cancelling.second.arg = &cancelling;
    first.done = first_done;
    cancelling.second.done = second_done;
    store_read(rig->store, &first);
    pthread_mutex_lock(&cancelling.lock);
    while (cancelling.calls == 0)
        pthread_cond_wait(&cancelling.changed, &cancelling.lock);
    pthread_mutex_unlock(&cancelling.lock);
    srig_close(rig);
    assert_int_equal(cancelling.calls, 1);
    assert_int_equal(cancelling.error, UV_ECANCELED);
    page_fini(&first);
    page_fini(&cancelling.second);
    pthread_mutex_destroy(&cancelling.lock);
    pthread_cond_destroy(&cancelling.changed);
}

/* --- opening --- */

static void refuses(const char *folder, const char *part) {
    char why[STORE_WHY_BYTES] = "";
    struct store *store;
    assert_true(store_open(folder, &store, why, sizeof why) < 0);
    if (strstr(why, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, why);
}

static void two_cannot_share_a_folder(void **state) {
    struct store_rig *rig = *state;
    refuses(rig->folder, "in use by another server");
    srig_add(rig, 1, "a"); /* and the first does not mind */
    srig_wait(rig);
    srig_reopen(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "1");
}

static void write_file(const char *path, const char *text, size_t n) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

static void garbage_is_refused_and_left(void **state) {
    struct store_rig *rig = *state;
    srig_close(rig);
    char garbage[5000];
    memset(garbage, 'x', sizeof garbage);
    unlink(srig_path(rig, "weir.db-wal"));
    write_file(srig_path(rig, "weir.db"), garbage, sizeof garbage);
    refuses(rig->folder, "damaged");
    char back[6000];
    int fd = open(srig_path(rig, "weir.db"), O_RDONLY);
    assert_int_equal(read(fd, back, sizeof back), sizeof garbage);
    assert_memory_equal(back, garbage, sizeof garbage);
    close(fd);
}

/* One page of the events is not what it was: whoever reads it is told. */
static void damage_within_is_an_error(void **state) {
    struct store_rig *rig = *state;
    for (uint64_t id = 1; id <= 2000; id++)
        srig_put(rig, id, "a", "", "a text of some forty bytes, more or less", all);
    srig_wait(rig);
    srig_close(rig);
    char garbage[4096];
    memset(garbage, 'x', sizeof garbage);
    int fd = open(srig_path(rig, "weir.db"), O_WRONLY);
    assert_int_equal(pwrite(fd, garbage, 4096, 20 * 4096), 4096); /* of some 40 */
    close(fd);
    srig_open(rig);
    struct str topic = STR("a");
    struct page page = {.topics = &topic, .ntopics = 1, .upto = UINT64_MAX, .bytes_max = 1 << 20};
    srig_read(rig, &page);
    assert_int_equal(page.error, UV_EIO);
    assert_int_equal(page.count, 0);
    page_fini(&page);
}

static void change(struct store_rig *rig, const char *sql) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(srig_path(rig, "weir.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void another_schema_or_program_is_refused(void **state) {
    struct store_rig *rig = *state;
    srig_close(rig);
    change(rig, "PRAGMA user_version = 4");
    refuses(rig->folder, "another version");
    change(rig, "PRAGMA application_id = 1");
    refuses(rig->folder, "another program");
    change(rig, "PRAGMA application_id = 0; PRAGMA user_version = 0");
    refuses(rig->folder, "another program"); /* it has tables */
}

/* As the first version made it: one topic with events, one forgotten. */
static void a_file_of_the_first_schema_is_brought_up(void **state) {
    struct store_rig *rig = *state;
    srig_add(rig, 3, "a");
    srig_add(rig, 4, "a");
    srig_close(rig);
    change(rig, "DROP TABLE rules; DROP TABLE runs; DELETE FROM meta; INSERT INTO meta "
                "VALUES(CAST('last_id' AS BLOB), 9); ALTER TABLE events DROP COLUMN floor; "
                "PRAGMA user_version = 1");
    srig_open(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "3 4");
    assert_int_equal(store_last_id(rig->store), 9);
    assert_int_equal(store_gone(rig->store), 9);
    struct str rules = store_rules(rig->store), pattern;
    uint64_t since;
    assert_true(stored_rule_next(&rules, &pattern, &since));
    assert_true(str_eq(pattern, STR("*")) && since == 1 && rules.len == 0);
    srig_add(rig, 10, "a");
    srig_reopen(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "3 4 10");
    srig_close(rig);
    change(rig, "DROP TABLE meta; PRAGMA user_version = 1"); /* it is not what it says */
    refuses(rig->folder, "damaged");
    change(rig, "CREATE TABLE meta(name BLOB PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
                "PRAGMA user_version = 3");
    srig_open(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "3 4 10");
}

static void a_folder_that_cannot_be_is_refused(void **state) {
    struct store_rig *rig = *state;
    refuses(srig_path(rig, "no/such"), "make the folder above it");
    refuses(srig_path(rig, "weir.db"), "weir.db/weir.lock: Not a directory");
}

static void a_folder_is_made_private(void **state) {
    struct store_rig *rig = *state;
    srig_close(rig);
    char folder[64], path[128];
    memcpy(folder, rig->folder, sizeof folder);
    snprintf(rig->folder, sizeof rig->folder, "%.40s/new", folder);
    srig_open(rig);
    struct stat st;
    assert_int_equal(stat(rig->folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%.60s/weir.db", rig->folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    srig_close(rig);
    memcpy(rig->folder, folder, sizeof folder);
}

static void a_store_in_memory_works_alike(void **state) {
    struct store_rig *rig = *state;
    srig_close(rig);
    char why[STORE_WHY_BYTES];
    assert_int_equal(store_open(NULL, &rig->store, why, sizeof why), 0);
    for (uint64_t id = 1; id <= 10; id++)
        srig_put(rig, id, "a", "", "x", (struct retention){5, UINT64_MAX, 0});
    srig_wait(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "6 7 8 9 10");
    fault_arm("store_commit", UV_EIO, 0, 1);
    srig_add(rig, 11, "a");
    srig_wait(rig);
    assert_string_equal(srig_ids(rig, "a", 0), "6 7 8 9 10");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_rig_setup, store_rig_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_done_can_be_read),
        TEST(done_comes_in_order_of_ids),
        TEST(closing_commits_what_is_queued),
        TEST(a_restart_knows_topics_floors_and_ids),
        TEST(a_group_fails_as_a_whole),
        TEST(count_is_exact_after_every_event),
        TEST(bytes_keep_the_newest_whatever_its_length),
        TEST(age_ends_with_its_id),
        TEST(the_oldest_is_known),
        TEST(an_empty_topic_keeps_its_floor),
        TEST(an_end_goes_when_it_is_too_old),
        TEST(not_every_empty_topic_is_remembered),
        TEST(runs_are_kept),
        TEST(rules_are_kept),
        TEST(a_file_of_the_first_schema_is_brought_up),
        TEST(the_file_does_not_grow_with_what_is_trimmed),
        TEST(a_page_holds_so_many_bytes_and_at_least_one),
        TEST(a_page_ends_at_upto),
        TEST(a_page_tells_what_was_trimmed),
        TEST(a_page_of_the_newest),
        TEST(a_page_of_the_newest_misses_nothing_while_they_are_there),
        TEST(a_page_that_cannot_be_read_has_no_entries),
        TEST(a_cancelled_page_is_told_once),
        TEST(two_cannot_share_a_folder),
        TEST(garbage_is_refused_and_left),
        TEST(damage_within_is_an_error),
        TEST(another_schema_or_program_is_refused),
        TEST(a_folder_that_cannot_be_is_refused),
        TEST(a_folder_is_made_private),
        TEST(a_store_in_memory_works_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

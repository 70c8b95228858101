/* Positions of prefixes with more topics than they keep in mind: what they read, and what they are
 * told is missing. They keep one in mind here. */
#include "durable_rig.h"

#include "hub/blocking.h"
#include "read/found.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hub_rig rig;
static struct taker a, b;
static size_t most;

static int setup(void **state) {
    (void)state;
    most = found_most;
    found_most = 1;
    hub_rig_init(&rig, 1);
    hub_rig_keep(1000, 3600000, 1024 * 1024);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hub_rig_fini(&rig);
    found_most = most;
    return 0;
}

static int setup_durable(void **state) {
    (void)state;
    most = found_most;
    found_most = 1;
    durable_rig_init(&rig);
    return 0;
}

static int teardown_durable(void **state) {
    (void)state;
    durable_rig_fini(&rig);
    found_most = most;
    return 0;
}

/* It stands still behind what there is in two topics, one of which it does not have in mind. */
static void begin(enum overflow overflow, uint32_t events) {
    taker_init(&a, &rig.readers[0], overflow, events);
    taker_add(&a, "z/*");
    hub_rig_settle(&rig);
    a.blocked = true;
    hub_rig_publish(&rig, "z/1", NULL);
    hub_rig_publish(&rig, "z/2", NULL);
    hub_rig_settle(&rig);
}

static void go_on(void) {
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
}

#define GOT(...) assert_string_equal(taker_text(&a), __VA_ARGS__)

static void what_is_trimmed_is_one_gap_at_the_first(void **state) {
    (void)state;
    begin(OVERFLOW_DISCONNECT, UINT32_MAX);
    hub_rig_keep(1, 3600000, 1024 * 1024);
    hub_rig_publish_many(&rig, "z/1", 3); /* 3 4 5: 1, 3 and 4 are gone */
    hub_rig_publish(&rig, "z/2", NULL);   /* 6: 2 is gone */
    go_on();
    GOT("trimmed:null 5 6");
    taker_fini(&a);
}

/* Topics trim in their own time: what went first may be newer. */
static void what_went_later_may_be_older(void **state) {
    (void)state;
    taker_init(&b, &rig.readers[0], OVERFLOW_DISCONNECT, UINT32_MAX);
    taker_add(&b, "z/*");
    hub_rig_publish(&rig, "z/1", NULL); /* 1 */
    event_id before = rig.last;
    hub_rig_publish(&rig, "z/1", NULL);   /* 2 */
    hub_rig_publish_many(&rig, "z/2", 3); /* 3 4 5 */
    hub_rig_settle(&rig);
    taker_init(&a, &rig.readers[0], OVERFLOW_DISCONNECT, UINT32_MAX);
    a.blocked = true;
    hub_set_rules("rig", &(struct topic_rule){.pattern = STR("z/2"), .keep = {1, 3600000, 4096}},
                  1);
    hub_rig_publish(&rig, "z/2", NULL); /* 6: up to 5 is gone of this one */
    taker_add_from(&a, "z/*", before, true);
    hub_rig_keep(1, 3600000, 1024 * 1024);
    hub_rig_publish(&rig, "z/1", NULL); /* 7: and 2 is */
    go_on();
    GOT("trimmed:null 6 7");
    taker_fini(&a);
    taker_fini(&b);
}

static void who_names_one_of_them_is_told_once(void **state) {
    (void)state;
    begin(OVERFLOW_DISCONNECT, UINT32_MAX);
    event_id before = rig.last;
    hub_rig_publish_many(&rig, "z/1", 3); /* 3 4 5 */
    hub_rig_keep(1, 3600000, 1024 * 1024);
    hub_rig_publish(&rig, "z/1", NULL); /* 6 */
    taker_add_from(&a, "z/1", before, true);
    go_on();
    GOT("2 trimmed:null 6");
    taker_fini(&a);
}

static void who_drops_the_oldest_is_told_of_what_is_dropped_only(void **state) {
    (void)state;
    begin(OVERFLOW_DROP_OLDEST, 2);
    hub_rig_publish_many(&rig, "other", 3);
    hub_rig_publish(&rig, "z/3", NULL); /* 6 */
    hub_rig_publish(&rig, "z/1", NULL); /* 7 */
    go_on();
    GOT("overflow:2 6 7");
    taker_fini(&a);
}

static void what_it_named_and_is_trimmed_is_told_in_its_place(void **state) {
    (void)state;
    taker_init(&a, &rig.readers[0], OVERFLOW_DROP_OLDEST, 2);
    taker_add(&a, "z/*");
    taker_add(&a, "y");
    hub_rig_settle(&rig);
    a.blocked = true;
    static const char *const names[] = {"z/1", "z/2", "y", "z/3", "z/1", "y", "y", "z/2"};
    hub_set_rules("rig", &(struct topic_rule){.pattern = STR("y"), .keep = {1, 3600000, 4096}}, 1);
    for (int i = 0; i < 8; i++) {
        hub_rig_publish(&rig, names[i], NULL);
        hub_rig_settle(&rig);
    }
    go_on();
    GOT("overflow:4 5 trimmed:1 7 8");
    taker_fini(&a);
}

/* It was read in the order of all events, before the reader is told of it. */
static void what_was_read_before_it_is_told_is_no_gap(void **state) {
    (void)state;
    taker_init(&b, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_add(&b, "z/1");
    taker_init(&a, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_add(&a, "z/*");
    hub_rig_settle(&rig);
    a.blocked = true;
    hub_rig_publish(&rig, "z/2", NULL);
    hub_rig_publish(&rig, "z/3", NULL);
    hub_rig_settle(&rig);
    hub_rig_publish_many(&rig, "z/1", 3); /* not told yet */
    hub_rig_publish(&rig, "z/4", NULL);
    a.blocked = false;
    for (int i = 0; i < 8; i++)
        taker_take(&a);
    GOT("1 2 3 4 5 6");
    a.blocked = true;
    found_most = most;
    hub_rig_settle(&rig);
    hub_rig_keep(1, 3600000, 1024 * 1024);
    hub_rig_publish_many(&rig, "z/1", 5);
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
    GOT("trimmed:4 11");
    taker_fini(&a);
    taker_fini(&b);
}

/* What was read behind one that had been superseded tells it to be missing no more. */
static void what_was_superseded_and_is_trimmed_is_no_gap(void **state) {
    (void)state;
    found_most = 2;
    taker_init(&a, &rig.readers[0], OVERFLOW_CONFLATE, UINT32_MAX);
    taker_add(&a, "z/*");
    a.blocked = true;
    hub_rig_keep(1, 3600000, 1024 * 1024);
    hub_rig_publish(&rig, "z/1", "k");
    hub_rig_publish(&rig, "z/2", NULL);
    hub_rig_publish(&rig, "z/1", "k"); /* 3: 1 is gone */
    hub_rig_settle(&rig);
    taker_resume(&a, 1); /* 2 */
    hub_rig_settle(&rig);
    hub_rig_publish(&rig, "z/2", NULL);
    hub_rig_publish(&rig, "z/3", NULL);
    hub_rig_settle(&rig);
    go_on();
    GOT("2 3 4 5");
    taker_fini(&a);
}

/* Who has more topics to read than are kept in mind, of the newest events, and names one of them.
 */
static void the_newest_of_too_many_topics(void **state) {
    (void)state;
    taker_init(&a, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    for (int i = 0; i < 3; i++) {
        hub_rig_publish(&rig, "z/1", NULL);
        hub_rig_publish(&rig, "z/2", NULL);
        hub_rig_publish(&rig, "z/3", NULL);
    }
    hub_rig_settle(&rig);
    taker_add_last(&a, "z/*", 2);
    taker_add_last(&a, "z/1", 1);
    hub_rig_settle(&rig);
    GOT("4 5 6 7 8 9");
    taker_fini(&a);
}

/* What was trimmed was not among the newest. */
static void who_names_one_of_the_newest_is_told_nothing(void **state) {
    (void)state;
    hub_rig_publish(&rig, "z/1", NULL);
    hub_rig_publish(&rig, "z/2", NULL);
    hub_rig_publish_many(&rig, "z/3", 2);
    taker_init(&a, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    a.blocked = true;
    taker_add_last(&a, "z/*", 1); /* 1 2 4 */
    hub_rig_settle(&rig);
    hub_rig_keep(2, 3600000, 1024 * 1024);
    hub_rig_publish(&rig, "z/3", NULL); /* 5: 3 is gone */
    taker_add(&a, "z/3");
    go_on();
    GOT("1 2 4 5");
    taker_fini(&a);
}

/* What is older went with them: the gap stands where the newest stood. */
static void the_newest_are_missed_where_they_were(void **state) {
    (void)state;
    hub_rig_keep(10, 4000, 1024 * 1024);
    taker_init(&b, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_add(&b, "z/2"); /* which is there as long as that */
    hub_rig_publish_many(&rig, "z/2", 2);
    event_id newest = rig.last;
    hub_rig_pass(&rig, 2000);
    hub_rig_publish(&rig, "z/1", NULL);
    hub_rig_publish(&rig, "z/3", NULL);
    taker_init(&a, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    a.blocked = true;
    taker_add_last(&a, "z/*", 1); /* 2 3 4 */
    hub_rig_pass(&rig, 3000);     /* 1 and 2 are gone */
    taker_resume(&a, 1);
    hub_rig_settle(&rig);
    GOT("trimmed:null");
    assert_true(a.last == newest);
    go_on();
    GOT("3 4");
    taker_fini(&a);
    taker_fini(&b);
}

/* What it brought comes by the other one, which began later, */
static void who_leaves_one_of_two_prefixes_loses_nothing(void **state) {
    (void)state;
    begin(OVERFLOW_NONE, UINT32_MAX);
    found_most = 3;
    hub_rig_publish(&rig, "y", NULL); /* 3 */
    taker_add(&a, "*");
    taker_remove(&a, "z/*");
    hub_rig_publish(&rig, "z/1", NULL);
    hub_rig_publish(&rig, "y", NULL);
    go_on();
    GOT("1 2 4 5");
    taker_fini(&a);
}

/* ... as far as it can be kept in mind. */
static void what_is_too_much_when_it_leaves_is_told(void **state) {
    (void)state;
    begin(OVERFLOW_NONE, UINT32_MAX);
    taker_add(&a, "*");
    taker_remove(&a, "z/*");
    hub_rig_publish(&rig, "z/2", NULL); /* 3 */
    go_on();
    GOT("1 trimmed:null 3");
    taker_fini(&a);
}

/* So is what had been trimmed by then. */
static void what_was_trimmed_before_it_leaves_is_told(void **state) {
    (void)state;
    begin(OVERFLOW_NONE, UINT32_MAX);
    hub_rig_publish(&rig, "z/2", NULL); /* 3 */
    taker_add(&a, "*");
    hub_rig_keep(1, 3600000, 1024 * 1024);
    hub_rig_publish(&rig, "z/2", NULL); /* 4: 2 and 3 are gone */
    taker_remove(&a, "z/*");
    go_on();
    GOT("1 trimmed:null 4");
    taker_fini(&a);
}

/* It ends before what superseded that. */
static void what_is_superseded_beyond_its_end_is_missing(void **state) {
    (void)state;
    taker_init(&a, &rig.readers[0], OVERFLOW_CONFLATE, UINT32_MAX);
    taker_add(&a, "z/*");
    hub_rig_settle(&rig);
    a.blocked = true;
    hub_rig_publish(&rig, "z/1", "k");
    hub_rig_publish(&rig, "z/2", NULL);
    hub_rig_settle(&rig);
    position_end(&a.position);
    hub_rig_keep(1, 3600000, 1024 * 1024);
    hub_rig_publish(&rig, "z/1", "k");
    go_on();
    GOT("trimmed:null 2");
    taker_fini(&a);
}

/* What is older than those is not dropped: it was not for it. */
static void of_the_newest_those_are_dropped_that_it_wants(void **state) {
    (void)state;
    static const char *const names[] = {"z/1", "z/2", "z/3"};
    taker_init(&a, &rig.readers[0], OVERFLOW_DROP_OLDEST, 2);
    for (int i = 0; i < 6; i++)
        hub_rig_publish(&rig, names[i % 3], NULL);
    a.blocked = true;
    taker_add_last(&a, "z/*", 1); /* 4 5 6 */
    hub_rig_settle(&rig);
    for (int i = 0; i < 4; i++)
        hub_rig_publish(&rig, names[i % 3], NULL);
    go_on();
    GOT("overflow:5 9 10");
    taker_fini(&a);
}

static void what_the_store_has_of_one_in_mind_comes_once(void **state) {
    (void)state;
    taker_init(&a, &rig.readers[0], OVERFLOW_DISCONNECT, UINT32_MAX);
    taker_add(&a, "z/*");
    hub_rig_settle(&rig);
    a.blocked = true;
    for (int i = 0; i < 3; i++)
        durable_publish(&rig, "z/1"); /* 1 2 3 */
    durable_publish(&rig, "z/2");     /* 4 */
    hub_set_memory(1);                /* half of what is not read goes */
    durable_publish(&rig, "z/1");     /* 5 */
    hub_set_memory(UINT64_MAX);
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
    const char *got = taker_text(&a);
    assert_non_null(strstr(got, "trimmed:null"));
    assert_null(strstr(strstr(got, "trimmed:null") + 1, "trimmed"));
    assert_non_null(strstr(got, "5"));
    taker_fini(&a);
}

/* It cannot keep in mind what comes up, and none of that is for it: it was on its way before. */
static void who_has_nothing_to_read_holds_up_nobody(void **state) {
    (void)state;
    static const char *const names[] = {"d/1", "d/2", "d/3"};
    struct sent sent[3];
    struct taker blocking;
    taker_init(&blocking, &rig.readers[0], OVERFLOW_BLOCK, 3);
    durable_hold_writer();
    for (int i = 0; i < 3; i++)
        durable_send(&rig, &sent[i], names[i], NULL, 0);
    hub_rig_settle(&rig);
    taker_add(&blocking, "d/*");
    durable_release();
    for (int i = 0; i < 3; i++)
        assert_int_equal(durable_wait(&rig, &sent[i]), 0);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&blocking), "");
    hub_lock();
    bool holds = blocking_holds_up(hub_topic(STR("d/1")));
    hub_unlock();
    taker_fini(&blocking);
    assert_false(holds);
}

/* It had been in memory before the rule, and before what was being committed then. */
static void what_came_before_its_topic_was_durable_is_history(void **state) {
    (void)state;
    struct sent sent;
    struct taker blocking;
    durable_rig_rule("v/*", false, 3600000);
    durable_hold_writer();
    durable_send(&rig, &sent, "d", NULL, 0);
    hub_rig_settle(&rig);
    hub_rig_publish(&rig, "v/1", NULL);
    hub_rig_publish(&rig, "v/2", NULL);
    hub_rig_publish(&rig, "v/3", NULL);
    durable_rig_rule("v/*", true, 3600000);
    taker_init(&blocking, &rig.readers[0], OVERFLOW_BLOCK, 1);
    blocking.room = 1;
    taker_add_from(&blocking, "v/*", 0, false);
    hub_rig_settle(&rig);
    hub_lock();
    bool holds = blocking_holds_up(hub_topic(STR("v/3")));
    hub_unlock();
    durable_release();
    assert_int_equal(durable_wait(&rig, &sent), 0);
    taker_fini(&blocking);
    assert_false(holds);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define DURABLE(name) cmocka_unit_test_setup_teardown(name, setup_durable, teardown_durable)
    const struct CMUnitTest tests[] = {
        TEST(what_is_trimmed_is_one_gap_at_the_first),
        TEST(what_went_later_may_be_older),
        TEST(who_names_one_of_them_is_told_once),
        TEST(who_drops_the_oldest_is_told_of_what_is_dropped_only),
        TEST(what_it_named_and_is_trimmed_is_told_in_its_place),
        TEST(what_was_read_before_it_is_told_is_no_gap),
        TEST(the_newest_of_too_many_topics),
        TEST(who_names_one_of_the_newest_is_told_nothing),
        TEST(the_newest_are_missed_where_they_were),
        TEST(what_was_superseded_and_is_trimmed_is_no_gap),
        TEST(who_leaves_one_of_two_prefixes_loses_nothing),
        TEST(what_is_too_much_when_it_leaves_is_told),
        TEST(what_was_trimmed_before_it_leaves_is_told),
        TEST(of_the_newest_those_are_dropped_that_it_wants),
        TEST(what_is_superseded_beyond_its_end_is_missing),
        DURABLE(what_the_store_has_of_one_in_mind_comes_once),
        DURABLE(who_has_nothing_to_read_holds_up_nobody),
        DURABLE(what_came_before_its_topic_was_durable_is_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Policies: what becomes of a position that is too far behind, one case at a time. Events are known
 * by their serial numbers, so what a taker got reads as "1 2 overflow:3 6". */
#include "hub_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hub_rig rig;
static struct taker a;

static int setup(void **state) {
    (void)state;
    hub_rig_init(&rig, 1);
    hub_rig_keep(1000, 3600000, 1024 * 1024);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hub_rig_fini(&rig);
    return 0;
}

#define GOT(taker, text) assert_string_equal(taker_text(taker), text)

static void open_limited(enum overflow overflow, uint32_t events) {
    taker_init(&a, &rig.readers[0], overflow, events);
    taker_add(&a, "t");
    hub_rig_settle(&rig);
    a.blocked = true;
}

/* One at a time, as they come. */
static void publish_slowly(int times) {
    while (times-- > 0) {
        hub_rig_publish(&rig, "t", NULL);
        hub_rig_settle(&rig);
    }
}

static void over_the_limit_is_over(void **state) {
    (void)state;
    open_limited(OVERFLOW_DISCONNECT, 3);
    publish_slowly(3);
    assert_false(a.over);
    publish_slowly(1);
    assert_true(a.over);
    taker_fini(&a);
}

static void a_replay_does_not_count(void **state) {
    (void)state;
    hub_rig_publish_many(&rig, "t", 10);
    taker_init(&a, &rig.readers[0], OVERFLOW_DISCONNECT, 3);
    a.blocked = true;
    taker_add_from(&a, "t", 0, false);
    publish_slowly(3);
    assert_false(a.over);
    publish_slowly(1);
    assert_true(a.over);
    taker_fini(&a);
}

static void resume_and_settle(void) {
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
}

static void the_oldest_are_dropped(void **state) {
    (void)state;
    open_limited(OVERFLOW_DROP_OLDEST, 3);
    publish_slowly(8);
    resume_and_settle();
    GOT(&a, "overflow:5 6 7 8");
    publish_slowly(1);
    GOT(&a, "9");
    taker_fini(&a);
}

/* The topic keeps less than what the position has missed, but more than its limit. */
static void what_was_trimmed_is_dropped_too(void **state) {
    (void)state;
    hub_rig_keep(6, 3600000, 1024 * 1024);
    open_limited(OVERFLOW_DROP_OLDEST, 3);
    publish_slowly(20);
    resume_and_settle();
    GOT(&a, "overflow:17 18 19 20");
    taker_fini(&a);
}

static void a_gap_before_what_is_dropped(void **state) {
    (void)state;
    hub_rig_keep(6, 3600000, 1024 * 1024);
    hub_rig_publish(&rig, "t", NULL);
    event_id first = rig.last;
    publish_slowly(9);
    taker_init(&a, &rig.readers[0], OVERFLOW_DROP_OLDEST, 3);
    a.blocked = true;
    taker_add_from(&a, "t", first, true);
    publish_slowly(4);
    resume_and_settle();
    GOT(&a, "overflow:10 12 13 14");
    taker_fini(&a);
}

static void the_newest_are_dropped(void **state) {
    (void)state;
    open_limited(OVERFLOW_DROP_NEWEST, 3);
    publish_slowly(8);
    resume_and_settle();
    GOT(&a, "1 2 3 overflow:5");
    publish_slowly(1);
    GOT(&a, "9");
    taker_fini(&a);
}

static void the_newest_and_the_trimmed(void **state) {
    (void)state;
    hub_rig_keep(6, 3600000, 1024 * 1024);
    open_limited(OVERFLOW_DROP_NEWEST, 3);
    publish_slowly(8);
    resume_and_settle();
    GOT(&a, "trimmed:2 3 overflow:5");
    a.blocked = true;
    publish_slowly(20);
    resume_and_settle();
    GOT(&a, "overflow:20");
    publish_slowly(1);
    GOT(&a, "29");
    taker_fini(&a);
}

static void the_newest_by_key(void **state) {
    (void)state;
    open_limited(OVERFLOW_CONFLATE, UINT32_MAX);
    hub_rig_publish(&rig, "t", "k");
    hub_rig_publish(&rig, "t", NULL);
    hub_rig_publish(&rig, "t", "l");
    hub_rig_publish(&rig, "t", "k");
    resume_and_settle();
    GOT(&a, "2 3 4");
    taker_fini(&a);
    taker_init(&a, &rig.readers[0], OVERFLOW_CONFLATE, UINT32_MAX);
    taker_add_from(&a, "t", 0, false);
    hub_rig_settle(&rig);
    GOT(&a, "2 3 4");
    taker_fini(&a);
}

/* What comes beyond an end has no part in what is the newest before it. */
static void the_newest_by_key_before_an_end(void **state) {
    (void)state;
    open_limited(OVERFLOW_CONFLATE, UINT32_MAX);
    hub_rig_publish(&rig, "t", "k");
    hub_rig_publish(&rig, "t", NULL);
    hub_rig_publish(&rig, "t", "l");
    hub_rig_publish(&rig, "t", "k");
    position_end(&a.position);
    hub_rig_publish(&rig, "t", "k");
    hub_rig_publish(&rig, "t", "l");
    resume_and_settle();
    GOT(&a, "2 3 4");
    taker_fini(&a);
}

/* What was superseded is passed with what comes before it: trimmed later, it is not missing behind
 * what came after it. */
static void superseded_before_an_end_is_passed(void **state) {
    (void)state;
    taker_init(&a, &rig.readers[0], OVERFLOW_CONFLATE, UINT32_MAX);
    taker_add(&a, "x");
    taker_add(&a, "y");
    hub_rig_settle(&rig);
    a.blocked = true;
    hub_rig_publish(&rig, "y", NULL);
    hub_rig_publish(&rig, "x", "k");
    hub_rig_publish(&rig, "y", NULL);
    hub_rig_publish(&rig, "x", "k");
    hub_rig_settle(&rig);
    position_end(&a.position);
    taker_resume(&a, 60); /* the first two that come */
    hub_rig_settle(&rig);
    GOT(&a, "1 3");
    hub_rig_keep(2, 3600000, 1024 * 1024);
    hub_rig_publish(&rig, "x", NULL); /* 5: 2 is gone */
    resume_and_settle();
    GOT(&a, "4");
    taker_fini(&a);
}

/* What is dropped lies before all that may still come: a topic whose news have not been told may
 * have older ones. */
static void dropping_does_not_overtake(void **state) {
    (void)state;
    taker_init(&a, &rig.readers[0], OVERFLOW_DROP_OLDEST, 2);
    taker_add(&a, "x");
    taker_add(&a, "y");
    a.blocked = true;
    hub_rig_publish(&rig, "x", NULL);
    hub_rig_settle(&rig);
    hub_rig_publish(&rig, "y", NULL);
    for (int i = 0; i < 4; i++)
        hub_rig_publish(&rig, "x", NULL);
    a.blocked = false;
    taker_take(&a); /* x counts 5, y nothing yet */
    hub_rig_settle(&rig);
    const char *text = taker_text(&a); /* ids grow */
    assert_string_equal(text + strlen(text) - 1, "6");
    taker_fini(&a);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(over_the_limit_is_over),          TEST(a_replay_does_not_count),
        TEST(the_oldest_are_dropped),          TEST(what_was_trimmed_is_dropped_too),
        TEST(a_gap_before_what_is_dropped),    TEST(the_newest_are_dropped),
        TEST(the_newest_and_the_trimmed),      TEST(the_newest_by_key),
        TEST(the_newest_by_key_before_an_end), TEST(superseded_before_an_end_is_passed),
        TEST(dropping_does_not_overtake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

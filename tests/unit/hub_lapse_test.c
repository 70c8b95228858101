/* Positions of prefixes with more topics than they keep in mind: what they read, and what they are
 * told is missing. They keep one in mind here. */
#include "durable_rig.h"

#include "hub/found.h"

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

int main(void) {
    const struct CMUnitTest memory[] = {
        cmocka_unit_test_setup_teardown(what_is_trimmed_is_one_gap_at_the_first, setup, teardown),
        cmocka_unit_test_setup_teardown(what_went_later_may_be_older, setup, teardown),
        cmocka_unit_test_setup_teardown(who_names_one_of_them_is_told_once, setup, teardown),
        cmocka_unit_test_setup_teardown(who_drops_the_oldest_is_told_of_what_is_dropped_only, setup,
                                        teardown),
    };
    const struct CMUnitTest durable[] = {
        cmocka_unit_test_setup_teardown(what_the_store_has_of_one_in_mind_comes_once, setup_durable,
                                        teardown_durable),
    };
    int failed = cmocka_run_group_tests(memory, NULL, NULL);
    return cmocka_run_group_tests(durable, NULL, NULL) + failed;
}

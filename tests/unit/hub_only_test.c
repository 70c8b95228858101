/* Events that take the place of all that their topic kept, and the position from which on who loads
 * a state misses nothing. */
#include "durable_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct hub_rig rig;
static struct taker taker;
static struct sent sent;

static int setup(void **state) {
    (void)state;
    hub_rig_init(&rig, 1);
    hub_rig_keep(1000, 3600000, 1024 * 1024);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    taker_fini(&taker);
    hub_rig_fini(&rig);
    return 0;
}

static int setup_durable(void **state) {
    (void)state;
    durable_rig_init(&rig);
    return 0;
}

static int teardown_durable(void **state) {
    (void)state;
    taker_fini(&taker);
    durable_rig_fini(&rig);
    return 0;
}

static void begin(void) {
    taker_init(&taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
}

static void publish_only(void) {
    rig.only = true;
    hub_rig_publish(&rig, "a", NULL);
    rig.only = false;
}

static void nothing_before_it_is_kept(void **state) {
    (void)state;
    begin();
    hub_rig_publish_many(&rig, "a", 3);
    hub_rig_publish(&rig, "b", NULL);
    publish_only();
    taker_add_from(&taker, "a", 0, false);
    taker_add_from(&taker, "b", 0, false);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&taker), "4 5");
    hub_rig_publish(&rig, "a", NULL);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&taker), "6");
}

static void who_is_behind_is_told_what_went(void **state) {
    (void)state;
    begin();
    taker_add(&taker, "a");
    taker.blocked = true;
    hub_rig_publish_many(&rig, "a", 3);
    publish_only();
    taker_resume(&taker, SIZE_MAX);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&taker), "trimmed:3 4");
}

static void the_file_has_nothing_before_it_either(void **state) {
    (void)state;
    begin();
    event_id first = durable_publish(&rig, "a");
    durable_publish(&rig, "a");
    rig.only = true;
    durable_publish(&rig, "a"); /* 3 */
    rig.only = false;
    durable_publish(&rig, "a");
    taker_fini(&taker);
    hub_rig_settle(&rig);
    durable_rig_restart();
    durable_rig_keep(1000, 3600000, UINT64_MAX);
    begin();
    taker_add_from(&taker, "a", 0, false);
    assert_string_equal(durable_take(&rig, &taker, 2), "3 4");
    taker_fini(&taker);
    begin();
    taker_add_from(&taker, "a", first, true);
    assert_string_equal(durable_take(&rig, &taker, 3), "trimmed:null 3 4");
}

/* Its id is given, and nobody can read it yet. */
static void the_position_is_before_what_is_still_committed(void **state) {
    (void)state;
    begin();
    event_id before = durable_publish(&rig, "a");
    assert_true(hub_position() == before);
    durable_hold_writer();
    durable_send(&rig, &sent, "a", NULL, 0);
    event_id position = hub_position();
    assert_true(position < sent.publication.id);
    assert_true(position >= before);
    durable_release();
    assert_int_equal(durable_wait(&rig, &sent), 0);
    taker_add_from(&taker, "a", position, false);
    assert_string_equal(durable_take(&rig, &taker, 1), "2");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_before_it_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_behind_is_told_what_went, setup, teardown),
        cmocka_unit_test_setup_teardown(the_file_has_nothing_before_it_either, setup_durable,
                                        teardown_durable),
        cmocka_unit_test_setup_teardown(the_position_is_before_what_is_still_committed,
                                        setup_durable, teardown_durable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

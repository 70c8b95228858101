/* What durable topics do not keep: it is told, by memory or by the store, once; and topics that
 * nobody publishes to are forgotten. */
#include "durable_takers.h"

#include "base/clock.h"

#include <stdio.h>

static void what_the_store_has_trimmed_is_told(void **state) {
    (void)state;
    durable_rig_keep(3, 3600000, UINT64_MAX);
    event_id ids[6];
    for (int i = 0; i < 6; i++)
        ids[i] = durable_publish(&rig, "d");
    durable_publish(&rig, "e");
    store_trim(durable_rig_store(), STR("d"), (struct retention){3, UINT64_MAX, 0});
    restart();
    durable_rig_keep(3, 3600000, UINT64_MAX);
    taker_add_from(&taker, "d", ids[0], true);
    taker_add_from(&taker, "e", ids[0], true);
    taker_add_from(&other, "d", ids[2], true);
    assert_string_equal(durable_take(&rig, &taker, 5), "trimmed:null 4 5 6 7");
    assert_string_equal(durable_take(&rig, &other, 3), "4 5 6");
    assert_true(other.position.resumed);
    assert_false(taker.position.resumed);
    taker_remove(&other, "d");
    taker_add_from(&other, "d", 0, false); /* the earliest there is: nothing is missing */
    other.last = 0;
    assert_string_equal(durable_take(&rig, &other, 3), "4 5 6");
}

/* What memory had to give up the store still has. */
static void what_memory_gives_up_the_store_has(void **state) {
    (void)state;
    event_id first = durable_publish(&rig, "d");
    durable_publish(&rig, "d");
    durable_publish(&rig, "d");
    hub_set_memory(1);
    hub_set_memory(UINT64_MAX);
    hub_lock();
    assert_true(topic_is_empty(hub_topic(STR("d"))));
    hub_unlock();
    taker_add_from(&taker, "d", first, true);
    assert_string_equal(durable_take(&rig, &taker, 2), "2 3");
    durable_publish(&rig, "d");
    assert_string_equal(durable_take(&rig, &taker, 1), "4");
}

static void stop_behind_the_first(void) {
    taker_add(&taker, "d");
    taker_add(&taker, "e");
    durable_publish(&rig, "d");
    assert_string_equal(durable_take(&rig, &taker, 1), "1");
    taker.blocked = true;
}

static void memory_is_short(void) {
    hub_set_memory(1);
    hub_set_memory(UINT64_MAX);
}

/* So does it for who was there all the time and did not read. */
static void who_falls_behind_memory_reads_the_store(void **state) {
    (void)state;
    stop_behind_the_first();
    durable_publish(&rig, "d");
    durable_publish(&rig, "e");
    durable_publish(&rig, "d");
    memory_is_short();
    durable_publish(&rig, "e");
    taker_resume(&taker, SIZE_MAX);
    assert_string_equal(durable_take(&rig, &taker, 4), "2 3 4 5");
}

/* What the store has not either is counted, in front of what it has. */
static void what_the_store_lacks_then_is_counted(void **state) {
    (void)state;
    stop_behind_the_first();
    for (int i = 0; i < 4; i++)
        durable_publish(&rig, "d");
    memory_is_short();
    store_trim(durable_rig_store(), STR("d"), (struct retention){2, UINT64_MAX, 0});
    durable_settle();
    durable_publish(&rig, "e");
    taker_resume(&taker, SIZE_MAX);
    assert_string_equal(durable_take(&rig, &taker, 4), "trimmed:2 4 5 6");
}

/* One topic has its events itself from where the other still needs the store. */
static void each_topic_has_a_border_of_its_own(void **state) {
    (void)state;
    durable_publish(&rig, "d");
    durable_publish(&rig, "e");
    restart_and_keep_all();
    durable_publish(&rig, "d");
    durable_publish(&rig, "e");
    hub_lock();
    struct topic *topic = hub_topic(STR("e"));
    topic_trim(topic, topic->next);
    hub_unlock();
    durable_publish(&rig, "d");
    taker_add_from(&taker, "d", 0, false);
    taker_add_from(&taker, "e", 0, false);
    taker_add_from(&other, "*", 0, false);
    assert_string_equal(durable_take(&rig, &taker, 5), "1 2 3 4 5");
    assert_string_equal(durable_take(&rig, &other, 5), "1 2 3 4 5");
}

enum { HOUR = 3600000 };
enum { MANY = 1200, PAD = 400 }; /* half a MiB: four pages */

/* Time passes, and the store has done what it was asked for then. */
static void pass_until_gone(uint64_t ms) {
    hub_rig_pass(&rig, ms);
    while (topics_there() > 0) {
        durable_settle();
        hub_rig_pass(&rig, 1000);
    }
}

static void what_nobody_publishes_to_is_forgotten(void **state) {
    (void)state;
    durable_publish(&rig, "d");
    restart();
    durable_rig_keep(1000, 24 * HOUR, 1 << 20);
    hub_rig_pass(&rig, 24 * HOUR - 1000);
    taker_add_from(&taker, "d", 0, false);
    assert_string_equal(durable_take(&rig, &taker, 1), "1");
    taker_remove(&taker, "d");
    pass_until_gone(2000);
    restart_and_keep_all();
    assert_int_equal(topics_there(), 0);
}

/* Between the start and the app's rules nothing says what is kept, nor if an app is broken. */
static void nothing_is_forgotten_that_no_rule_speaks_of(void **state) {
    (void)state;
    durable_publish(&rig, "d");
    restart();
    clock_advance_ns((uint64_t)2 * HOUR * 1000000); /* more than the default */
    hub_rig_pass(&rig, 1000);
    durable_rig_keep(1000, 24 * HOUR, 1 << 20);
    hub_rig_pass(&rig, 1000);
    taker_add_from(&taker, "d", 0, false);
    assert_string_equal(durable_take(&rig, &taker, 1), "1");
}

/* Its last event is too old while the next is being committed. */
static void what_is_under_way_is_not_forgotten(void **state) {
    (void)state;
    struct sent sent;
    durable_rig_keep(1000, HOUR, 1 << 20);
    durable_publish(&rig, "d");
    hub_rig_pass(&rig, HOUR - 1000);
    hub_rig_pass(&rig, 1000);
    durable_hold_writer();
    durable_send(&rig, &sent, "d", NULL, 0);
    hub_rig_pass(&rig, 2000);
    hub_rig_pass(&rig, 2000);
    durable_release();
    assert_int_equal(durable_wait(&rig, &sent), 0);
    restart_and_keep_all();
    taker_add_from(&taker, "d", sent.publication.id - 1, true);
    assert_string_equal(durable_take(&rig, &taker, 1), "2");
}

/* It was forgotten, and is there again: what went is told. */
static void a_topic_made_anew_tells_what_went(void **state) {
    (void)state;
    durable_rig_keep(1000, HOUR, 1 << 20);
    event_id first = durable_publish(&rig, "d");
    durable_publish(&rig, "d");
    pass_until_gone(HOUR + 1000);
    durable_publish(&rig, "d");
    taker_add_from(&taker, "d", first, true);
    assert_string_equal(durable_take(&rig, &taker, 2), "expired:null 3");
}

/* Between two pages, by name and by a prefix: the second page is not there any more. */
static void what_is_forgotten_while_it_is_read_is_told(void **state) {
    (void)state;
    static struct sent sent[MANY];
    for (int i = 0; i < MANY; i++)
        durable_send(&rig, &sent[i], "d", NULL, PAD);
    durable_wait(&rig, &sent[MANY - 1]);
    restart_and_keep_all();
    taker.room = other.room = 1000;
    taker_add_from(&taker, "d", 0, false);
    taker_add_from(&other, "*", 0, false);
    while (!taker.blocked || !other.blocked)
        durable_turn(&rig);
    hub_rig_pass(&rig, HOUR + 1000);
    hub_rig_pass(&rig, 2000);
    durable_publish(&rig, "e"); /* behind what forgets it */
    taker_resume(&taker, SIZE_MAX);
    taker_resume(&other, SIZE_MAX);
    while (!list_empty(&taker.position.replays) || !list_empty(&other.position.replays))
        durable_turn(&rig);
    assert_non_null(strstr(durable_take(&rig, &taker, 2), " trimmed:null"));
    char end[40];
    snprintf(end, sizeof end, " trimmed:null %d", MANY + 1);
    assert_non_null(strstr(durable_take(&rig, &other, 2), end));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        DURABLE(what_the_store_has_trimmed_is_told),
        DURABLE(what_memory_gives_up_the_store_has),
        DURABLE(who_falls_behind_memory_reads_the_store),
        DURABLE(what_the_store_lacks_then_is_counted),
        DURABLE(each_topic_has_a_border_of_its_own),
        DURABLE(what_nobody_publishes_to_is_forgotten),
        DURABLE(nothing_is_forgotten_that_no_rule_speaks_of),
        DURABLE(what_is_under_way_is_not_forgotten),
        DURABLE(a_topic_made_anew_tells_what_went),
        DURABLE(what_is_forgotten_while_it_is_read_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who begins with the newest events of each topic: they lie in memory, in the store, or in both;
 * what is older is not missed; what is on its way comes. */
#include "durable_takers.h"

static void the_newest_are_half_in_the_store(void **state) {
    (void)state;
    static const char *const names[] = {"d", "e", "d", "e", "d", "f"};
    for (int i = 0; i < 6; i++)
        durable_publish(&rig, names[i]);
    restart_and_keep(1000000);
    durable_publish(&rig, "d"); /* 7 */
    static const struct {
        uint64_t last;
        int count;
        const char *all, *one;
    } rows[] = {{1, 3, "4 6 7", "7"},
                {2, 5, "2 4 5 6 7", "5 7"},
                {3, 6, "2 3 4 5 6 7", "3 5 7"},
                {9, 7, "1 2 3 4 5 6 7", "1 3 5 7"}};
    for (int i = 0; i < 4; i++) {
        struct taker all, one;
        taker_init(&all, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
        taker_init(&one, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
        taker_add_last(&all, "*", rows[i].last);
        taker_add_last(&one, "d", rows[i].last);
        assert_string_equal(durable_take(&rig, &all, rows[i].count), rows[i].all);
        assert_string_equal(durable_take(&rig, &one, rows[i].last < 4 ? (int)rows[i].last : 4),
                            rows[i].one);
        taker_fini(&all);
        taker_fini(&one);
    }
}

static void the_newest_and_what_was_trimmed_before_is_no_gap(void **state) {
    (void)state;
    durable_rig_keep(3, 3600000, UINT64_MAX);
    for (int i = 0; i < 6; i++)
        durable_publish(&rig, "d");
    store_trim(durable_rig_store(), STR("d"), (struct retention){3, UINT64_MAX, 0});
    restart_and_keep(3);
    taker_add_last(&taker, "d", 9);
    taker_add_last(&other, "*", 2);
    assert_string_equal(durable_take(&rig, &taker, 3), "4 5 6");
    assert_string_equal(durable_take(&rig, &other, 2), "5 6");
    assert_int_equal(rig.readers[0].counters.gaps, 0);
}

/* Whoever named a topic that a prefix had chosen already gets what both wanted, once. */
static void the_newest_and_all_of_the_same_topic(void **state) {
    (void)state;
    event_id ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] = durable_publish(&rig, "d");
    restart_and_keep(1000000);
    taker_add_from(&taker, "*", ids[0], true);
    taker_add_last(&taker, "d", 1);
    taker_add_last(&other, "*", 1);
    taker_add_last(&other, "d", 2);
    assert_string_equal(durable_take(&rig, &taker, 3), "2 3 4");
    assert_string_equal(durable_take(&rig, &other, 2), "3 4");
}

/* What is being committed is not the newest yet, and comes when it is. */
static void the_newest_and_one_on_its_way(void **state) {
    (void)state;
    struct sent sent;
    durable_publish(&rig, "d");
    durable_publish(&rig, "d");
    durable_hold_writer();
    durable_send(&rig, &sent, "d", NULL, 0);
    hub_rig_settle(&rig);
    taker_add_last(&taker, "d", 1);
    taker_add_last(&other, "*", 1);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&taker), "2");
    assert_string_equal(taker_text(&other), "2");
    durable_release();
    assert_string_equal(durable_take(&rig, &taker, 1), "3");
    assert_int_equal(durable_wait(&rig, &sent), 0);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&other), "3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        DURABLE(the_newest_are_half_in_the_store),
        DURABLE(the_newest_and_what_was_trimmed_before_is_no_gap),
        DURABLE(the_newest_and_all_of_the_same_topic),
        DURABLE(the_newest_and_one_on_its_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

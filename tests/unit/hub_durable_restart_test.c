/* Durable topics after a restart: what is kept is read again, in pages, in one piece with what comes
 * meanwhile, whoever leaves and whatever fails. */
#include "durable_takers.h"

#include "base/fault.h"

static void what_is_kept_is_read_again(void **state) {
    (void)state;
    event_id first = durable_publish(&rig, "d");
    durable_publish(&rig, "d");
    durable_publish(&rig, "e");
    restart_and_keep_all();
    taker_add_from(&taker, "d", first, true);
    taker_add_from(&taker, "e", first, true);
    taker_add_from(&other, "*", 0, false);
    assert_string_equal(durable_take(&rig, &taker, 2), "2 3");
    assert_string_equal(durable_take(&rig, &other, 3), "1 2 3");
    assert_true(durable_publish(&rig, "d") > first);
    assert_string_equal(durable_take(&rig, &taker, 1), "4");
    assert_string_equal(durable_take(&rig, &other, 1), "4");
}

enum { MANY = 1200, PAD = 400 }; /* half a MiB: four pages */

/* Three topics, page after page, partly taken; live ones behind them, some while it is read. */
static void pages_are_joined_without_a_seam(void **state) {
    (void)state;
    static struct sent sent[MANY];
    static const char *const names[] = {"p/a", "p/b", "q"};
    struct buf expected = {0};
    for (int i = 0; i < MANY; i++) {
        durable_send(&rig, &sent[i], names[i % 7 % 3], NULL, PAD);
        buf_printf(&expected, "%s%d", i > 0 ? " " : "", i + 1);
    }
    durable_wait(&rig, &sent[MANY - 1]);
    restart_and_keep_all();
    taker.most = 3000;
    taker.room = 5 * 1000 + 17;
    taker_add_from(&taker, "p/*", 0, false);
    taker_add_from(&taker, "q", 0, false);
    taker_add_from(&other, "*", 0, false);
    durable_send(&rig, &sent[0], "q", NULL, PAD);
    for (int i = 0; i < 3; i++) {
        struct sent more;
        durable_send(&rig, &more, "p/b", NULL, 0);
        durable_wait(&rig, &more);
        taker_resume(&taker, 777);
    }
    for (int i = 0; i < 4; i++)
        buf_printf(&expected, " %d", MANY + 1 + i);
    buf_add_char(&expected, 0);
    taker_resume(&taker, SIZE_MAX);
    assert_string_equal(durable_take(&rig, &taker, MANY + 4), expected.data);
    assert_string_equal(durable_take(&rig, &other, MANY + 4), expected.data);
    buf_fini(&expected);
}

/* The same topic by its name and by a prefix comes once. */
static void what_is_chosen_twice_comes_once(void **state) {
    (void)state;
    durable_publish(&rig, "p/a");
    durable_publish(&rig, "p/b");
    event_id last = durable_publish(&rig, "p/a");
    restart_and_keep_all();
    taker_add_from(&taker, "p/*", 0, false);
    taker_add_from(&taker, "p/a", 0, false);
    taker_add_from(&other, "p/a", 0, false);
    taker_add_from(&other, "p/*", 0, false);
    taker_add_from(&other, "*", 0, false);
    durable_publish(&rig, "p/b");
    assert_string_equal(durable_take(&rig, &taker, 4), "1 2 3 4");
    assert_string_equal(durable_take(&rig, &other, 4), "1 2 3 4");
    assert_true(last > 0);
}

/* A later choice with a page of the first one under way. */
static void a_choice_while_a_page_is_read(void **state) {
    (void)state;
    durable_publish(&rig, "p/a");
    durable_publish(&rig, "p/b");
    durable_publish(&rig, "q");
    restart_and_keep_all();
    durable_hold_reader();
    taker_add_from(&taker, "p/*", 0, false);
    hub_rig_settle(&rig); /* asked */
    taker_add_from(&taker, "p/a", 0, false);
    taker_add_from(&taker, "q", 0, false);
    durable_release();
    assert_string_equal(durable_take(&rig, &taker, 3), "1 2 3");
}

static void what_is_left_comes_no_more(void **state) {
    (void)state;
    durable_publish(&rig, "d");
    durable_publish(&rig, "e");
    durable_publish(&rig, "d");
    durable_publish(&rig, "p/x");
    durable_publish(&rig, "e");
    restart_and_keep_all();
    durable_hold_reader();
    taker_add_from(&taker, "d", 0, false);
    taker_add_from(&taker, "e", 0, false);
    taker_add_from(&taker, "p/*", 0, false);
    hub_rig_settle(&rig);
    taker_remove(&taker, "d"); /* a page is under way */
    taker_remove(&taker, "p/*");
    durable_release();
    assert_string_equal(durable_take(&rig, &taker, 2), "2 5");
    taker_add_from(&other, "d", 0, false);
    taker_add_from(&other, "e", 0, false);
    other.room = 10; /* it is here, the first event half taken */
    hub_rig_settle(&rig);
    while (other.got.len == 0)
        durable_turn(&rig);
    taker_remove(&other, "d");
    taker_resume(&other, SIZE_MAX);
    assert_string_equal(durable_take(&rig, &other, 3), "1 2 5");
}

static void a_position_may_go_before_its_page(void **state) {
    (void)state;
    durable_publish(&rig, "d");
    durable_publish(&rig, "p/a");
    restart_and_keep_all();
    durable_hold_reader();
    taker_add_from(&taker, "d", 0, false);
    taker_add_from(&taker, "p/*", 0, false);
    hub_rig_settle(&rig);
    taker_fini(&taker);
    durable_release();
    taker_add_from(&other, "d", 0, false); /* the next page, so that one was left */
    assert_string_equal(durable_take(&rig, &other, 1), "1");
    taker_init(&taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
}

/* It is here, its mail not yet opened. */
static void a_position_may_go_with_its_page(void **state) {
    (void)state;
    durable_publish(&rig, "d");
    restart_and_keep_all();
    durable_hold_reader();
    taker_add_from(&taker, "d", 0, false);
    hub_rig_settle(&rig);
    durable_release();
    durable_hold_reader(); /* behind that page */
    taker_fini(&taker);
    durable_release();
    taker_add_from(&other, "d", 0, false);
    assert_string_equal(durable_take(&rig, &other, 1), "1");
    taker_init(&taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
}

static void a_page_that_fails_is_told(void **state) {
    (void)state;
    durable_publish(&rig, "d");
    durable_publish(&rig, "e");
    restart_and_keep_all();
    fault_arm("store_read", UV_EIO, 0, 1);
    taker_add_from(&taker, "d", 0, true);
    taker_add_from(&taker, "e", 0, true);
    assert_string_equal(durable_take(&rig, &taker, 1), "unknown:null");
    assert_false(taker.position.resumed);
    durable_publish(&rig, "d");
    assert_string_equal(durable_take(&rig, &taker, 1), "3");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        DURABLE(what_is_kept_is_read_again),      DURABLE(pages_are_joined_without_a_seam),
        DURABLE(what_is_chosen_twice_comes_once), DURABLE(a_choice_while_a_page_is_read),
        DURABLE(what_is_left_comes_no_more),      DURABLE(a_position_may_go_before_its_page),
        DURABLE(a_position_may_go_with_its_page), DURABLE(a_page_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Durable topics: an event is there when it is committed and not before; nobody reads past one that
 * is still to come; what fails was never there; what is kept is read again after a restart, and
 * what is not is told. */
#include "durable_rig.h"

#include "base/clock.h"
#include "base/fault.h"
#include "hub/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hub_rig rig;
static struct taker taker, other;

static int setup(void **state) {
    (void)state;
    durable_rig_init(&rig);
    taker_init(&taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_init(&other, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    taker_fini(&taker);
    taker_fini(&other);
    durable_rig_fini(&rig);
    return 0;
}

/* Takers as clients: they leave, and come back to the server that was started again. */
static void restart(void) {
    taker_fini(&taker);
    taker_fini(&other);
    hub_rig_settle(&rig);
    durable_rig_restart();
    taker_init(&taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_init(&other, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
}

static void restart_and_keep_all(void) {
    restart();
    durable_rig_keep(1000000, 3600000, UINT64_MAX);
}

static uint64_t topics_there(void) {
    hub_lock();
    uint64_t topics = hub.topics;
    hub_unlock();
    return topics;
}

/* --- the commit --- */

static void an_event_is_there_after_its_commit(void **state) {
    (void)state;
    struct sent sent;
    taker_add(&taker, "d");
    hub_rig_settle(&rig);
    durable_hold_writer();
    durable_send(&rig, &sent, "d", NULL, 0);
    hub_rig_settle(&rig);
    taker_take(&taker);
    assert_int_equal(sent.done, 0);
    assert_string_equal(taker_text(&taker), "");
    durable_release();
    assert_string_equal(durable_take(&rig, &taker, 1), "1");
    assert_int_equal(durable_wait(&rig, &sent), 0);
    assert_int_equal(sent.publication.streams, 1);
}

/* Were each given to the store by itself, the first would be committed without the others. */
static void a_turn_is_committed_in_one_piece(void **state) {
    (void)state;
    static struct sent sent[40];
    durable_settle(); /* of the rules */
    fault_arm("store_commit", UV_EIO, 0, 1);
    for (int i = 0; i < 40; i++)
        durable_send(&rig, &sent[i], i % 2 ? "d" : "e", NULL, 0);
    assert_int_equal(durable_wait(&rig, &sent[0]), UV_EIO);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(sent[i].done, 1); /* told together, too */
        assert_int_equal(sent[i].error, UV_EIO);
    }
}

/* The time to wait for who is behind is over when the event goes to the store. */
static void a_slow_disk_is_no_slow_subscriber(void **state) {
    (void)state;
    struct sent sent;
    struct taker slow;
    durable_rig_rule("m", false, 3600000);
    taker_init(&slow, &rig.readers[0], OVERFLOW_BLOCK, 1);
    taker_add(&slow, "m");
    taker_add(&slow, "d");
    hub_rig_settle(&rig);
    slow.blocked = true;
    hub_rig_publish(&rig, "m", NULL);
    hub_rig_settle(&rig);
    rig.wait_ms = 100;
    durable_send(&rig, &sent, "d", NULL, 0);
    rig.wait_ms = 0;
    durable_hold_writer();
    taker_resume(&slow, SIZE_MAX);
    hub_rig_settle(&rig); /* the event is with the store */
    slow.blocked = true;
    hub_rig_publish(&rig, "m", NULL);
    hub_rig_pass(&rig, 200);
    assert_false(slow.over);
    durable_release();
    assert_int_equal(durable_wait(&rig, &sent), 0);
    assert_false(slow.over);
    taker_fini(&slow);
}

/* What was committed came by the prefix that it leaves, and the other one began later. */
static void who_leaves_a_prefix_keeps_what_it_is_not_told_yet(void **state) {
    (void)state;
    struct sent sent;
    struct taker reader;
    taker_init(&reader, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_add(&reader, "d/*");
    durable_hold_writer();
    durable_send(&rig, &sent, "d/q/1", NULL, 0);
    hub_rig_settle(&rig);
    taker_add(&reader, "d/q/*");
    durable_release();
    durable_settle();
    taker_remove(&reader, "d/*");
    assert_int_equal(durable_wait(&rig, &sent), 0);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&reader), "1");
    taker_fini(&reader);
}

/* What was being committed when it came is not for it. */
static void who_comes_behind_a_commit_owes_nothing_of_it(void **state) {
    (void)state;
    struct sent sent, next;
    struct taker slow;
    durable_hold_writer();
    durable_send(&rig, &sent, "d", NULL, 0);
    hub_rig_settle(&rig); /* it is with the store */
    taker_init(&slow, &rig.readers[0], OVERFLOW_BLOCK, 1);
    taker_add(&slow, "d");
    hub_rig_settle(&rig);
    durable_release();
    assert_int_equal(durable_wait(&rig, &sent), 0);
    rig.wait_ms = 100;
    durable_send(&rig, &next, "d", NULL, 0);
    rig.wait_ms = 0;
    assert_false(next.publication.waiting);
    assert_int_equal(durable_wait(&rig, &next), 0);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&slow), "2");
    taker_fini(&slow);
}

/* It knew of the topic already, so the commit told it nothing; then it reads by itself, and what it
 * reads up to is as old as its worker's last turn. */
static void who_rested_reads_what_was_committed_meanwhile(void **state) {
    (void)state;
    struct sent sent;
    durable_rig_rule("m/*", false, 3600000);
    taker_add(&taker, "d/*");
    taker_add(&taker, "m/*");
    hub_rig_settle(&rig);
    taker.blocked = true;
    durable_publish(&rig, "d/1"); /* 1 */
    hub_rig_settle(&rig);
    durable_publish(&rig, "d/1"); /* 2: it rests, and is told of d/1 */
    hub_rig_settle(&rig);
    durable_hold_writer();
    durable_send(&rig, &sent, "d/1", NULL, 0); /* 3 */
    hub_rig_settle(&rig);
    durable_release();
    durable_settle();
    taker.blocked = false;
    taker_take(&taker);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&taker), "1 2 3");
    assert_int_equal(durable_wait(&rig, &sent), 0);
}

/* Who cannot wait is told so: the topic may just have become durable. */
static void who_cannot_wait_sends_nothing(void **state) {
    (void)state;
    struct publication publication = {.topic = STR("d"), .text = STR("data: 1\n\n")};
    event_id last = hub.last;
    assert_int_equal(publication_send(&publication, &rig.readers[0]), PUBLICATION_WOULD_WAIT);
    assert_int_equal(topics_there(), 0);
    assert_int_equal(hub.last, last);
    durable_rig_rule("d", false, 3600000);
    assert_int_equal(publication_send(&publication, &rig.readers[0]), 0);
}

/* --- the horizon --- */

static void with_memory(void) {
    durable_rig_rule("m*", false, 3600000);
}

/* d takes its id first and is committed last. */
static void nobody_reads_past_what_is_to_come(void **state) {
    (void)state;
    struct sent sent;
    with_memory();
    taker_add(&taker, "m");
    taker_add(&taker, "d");
    taker_add(&other, "*");
    hub_rig_settle(&rig);
    durable_hold_writer();
    durable_send(&rig, &sent, "d", NULL, 0);
    hub_rig_publish(&rig, "m", NULL);
    hub_rig_settle(&rig);
    taker_take(&taker);
    taker_take(&other);
    assert_string_equal(taker_text(&taker), "");
    assert_string_equal(taker_text(&other), "");
    durable_release();
    assert_string_equal(durable_take(&rig, &taker, 2), "1 2");
    assert_string_equal(durable_take(&rig, &other, 2), "1 2");
    assert_int_equal(durable_wait(&rig, &sent), 0);
}

static void what_fails_holds_nobody_up(void **state) {
    (void)state;
    struct sent sent;
    with_memory();
    taker_add(&taker, "m");
    taker_add(&taker, "d");
    taker_add(&other, "*");
    hub_rig_settle(&rig);
    durable_hold_writer();
    durable_send(&rig, &sent, "d", NULL, 0);
    hub_rig_publish(&rig, "m", NULL);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&taker), "");
    fault_arm("store_commit", UV_EIO, 0, 1);
    durable_release();
    assert_string_equal(durable_take(&rig, &taker, 1), "2");
    assert_string_equal(durable_take(&rig, &other, 1), "2");
    assert_int_equal(durable_wait(&rig, &sent), UV_EIO);
}

/* Of one topic only, nothing else is waited for. */
static void one_topic_has_no_horizon(void **state) {
    (void)state;
    struct sent sent;
    with_memory();
    taker_add(&taker, "m");
    hub_rig_settle(&rig);
    durable_hold_writer();
    durable_send(&rig, &sent, "d", NULL, 0);
    hub_rig_publish(&rig, "m", NULL);
    assert_string_equal(durable_take(&rig, &taker, 1), "2");
    durable_release();
    durable_wait(&rig, &sent);
}

/* Who comes while it is under way, and was there before it, gets it. */
static void who_resumes_before_the_commit_misses_nothing(void **state) {
    (void)state;
    struct sent sent;
    with_memory();
    hub_rig_publish(&rig, "m", NULL);
    event_id before = rig.last;
    durable_hold_writer();
    durable_send(&rig, &sent, "d", NULL, 0);
    hub_rig_publish(&rig, "m", NULL);
    taker_add_from(&taker, "m", before, true);
    taker_add_from(&taker, "d", before, true);
    taker_add_from(&other, "*", before, true);
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&taker), "");
    assert_string_equal(taker_text(&other), "");
    durable_release();
    assert_string_equal(durable_take(&rig, &taker, 2), "2 3");
    assert_string_equal(durable_take(&rig, &other, 2), "2 3");
    durable_wait(&rig, &sent);
}

/* --- a store that fails --- */

static const struct failure {
    const char *point;
    int error;
} failures[] = {{"store_write", UV_EIO},
                {"store_write", UV_ENOSPC},
                {"store_commit", UV_EIO},
                {"store_commit", UV_ENOSPC}};

static void what_fails_was_never_there(void **state) {
    (void)state;
    taker_add(&taker, "d");
    hub_rig_settle(&rig);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        struct sent bad;
        event_id before = durable_publish(&rig, "d");
        char expected[40];
        snprintf(expected, sizeof expected, "%u %u", rig.serial, rig.serial + 2);
        fault_arm(failures[i].point, failures[i].error, 0, 1);
        durable_send(&rig, &bad, "d", NULL, 0);
        assert_int_equal(durable_wait(&rig, &bad), failures[i].error);
        durable_publish(&rig, "d");
        assert_string_equal(durable_take(&rig, &taker, 2), expected);
        restart_and_keep_all();
        taker_add_from(&taker, "d", before - 1, true);
        assert_string_equal(durable_take(&rig, &taker, 2), expected);
    }
}

/* --- after a restart --- */

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

/* --- what is not kept --- */

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

/* --- rules that change --- */

/* From now on it is in memory, like any other. */
static void a_topic_that_is_durable_no_more(void **state) {
    (void)state;
    event_id first = durable_publish(&rig, "d");
    durable_rig_rule("d", false, HOUR);
    hub_rig_publish(&rig, "d", NULL);
    hub_rig_publish(&rig, "d", NULL);
    hub_lock();
    topic_trim(hub_topic(STR("d")), 2); /* the second is nowhere any more */
    hub_unlock();
    taker_add_from(&taker, "d", first, true);
    assert_string_equal(durable_take(&rig, &taker, 2), "trimmed:1 3");
    struct history history = {.before = EVENT_ID_NONE, .limit = 10};
    assert_true(history_read(&history, STR("d")));
    assert_int_equal(history.count, 1);
    buf_fini(&history.records);
}

/* While an event is being committed the next one waits behind it, whatever the rules say. */
static void order_holds_while_rules_change(void **state) {
    (void)state;
    struct sent first, second;
    taker_add(&taker, "d");
    hub_rig_settle(&rig);
    durable_hold_writer();
    durable_send(&rig, &first, "d", NULL, 0);
    durable_rig_rule("d", false, HOUR);
    durable_send(&rig, &second, "d", NULL, 0);
    durable_release();
    assert_string_equal(durable_take(&rig, &taker, 2), "1 2");
    durable_wait(&rig, &first);
    durable_wait(&rig, &second);
    hub_rig_publish(&rig, "d", NULL);
    assert_string_equal(durable_take(&rig, &taker, 1), "3");
}

/* --- the end of a reader --- */

static int told;

static void on_told(struct publication *publication, int error) {
    (void)publication;
    told += error == 0;
}

/* It waits for what it has sent. */
static void a_reader_that_goes_awaits_its_commits(void **state) {
    (void)state;
    struct loop loop;
    struct reader reader;
    static struct sent sent[5];
    told = 0;
    assert_int_equal(loop_init(&loop), 0);
    reader_init(&reader, &loop);
    for (int i = 0; i < 5; i++) {
        snprintf(sent[i].text, sizeof sent[i].text, "data: %d\n\n", i + 1);
        sent[i].publication =
            (struct publication){.topic = STR("d"), .text = str_of(sent[i].text), .done = on_told};
        assert_int_equal(publication_send(&sent[i].publication, &reader), PUBLICATION_LATER);
    }
    reader_fini(&reader);
    loop_fini(&loop);
    assert_int_equal(told, 5);
    taker_add_from(&taker, "d", 0, false);
    assert_string_equal(durable_take(&rig, &taker, 5), "1 2 3 4 5");
}

/* It comes in order, and nothing else that its topics get would have the stream looked at. */
static void an_end_comes_behind_what_others_commit(void **state) {
    (void)state;
    static const char *const names[] = {"m/1", "m/2"};
    struct sent sent;
    durable_rig_rule("m/*", false, 3600000);
    for (int i = 0; i < 2; i++)
        taker_add(&taker, names[i]);
    hub_rig_settle(&rig);
    durable_hold_writer();
    durable_send(&rig, &sent, "d", NULL, 0);
    for (int i = 0; i < 2; i++) {
        struct publication end = {.topic = str_of(names[i]), .closes = true};
        assert_int_equal(publication_send(&end, &rig.readers[0]), 0);
    }
    hub_rig_settle(&rig);
    assert_int_equal(taker.got.len, 0);
    durable_release();
    assert_int_equal(durable_wait(&rig, &sent), 0);
    hub_rig_settle(&rig);
    assert_non_null(memmem(taker.got.data, taker.got.len, "event: weir.end", 15));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_event_is_there_after_its_commit),
        TEST(an_end_comes_behind_what_others_commit),
        TEST(a_turn_is_committed_in_one_piece),
        TEST(a_slow_disk_is_no_slow_subscriber),
        TEST(who_leaves_a_prefix_keeps_what_it_is_not_told_yet),
        TEST(who_comes_behind_a_commit_owes_nothing_of_it),
        TEST(who_rested_reads_what_was_committed_meanwhile),
        TEST(who_cannot_wait_sends_nothing),
        TEST(nobody_reads_past_what_is_to_come),
        TEST(what_fails_holds_nobody_up),
        TEST(one_topic_has_no_horizon),
        TEST(who_resumes_before_the_commit_misses_nothing),
        TEST(what_fails_was_never_there),
        TEST(what_is_kept_is_read_again),
        TEST(pages_are_joined_without_a_seam),
        TEST(what_is_chosen_twice_comes_once),
        TEST(a_choice_while_a_page_is_read),
        TEST(what_is_left_comes_no_more),
        TEST(a_position_may_go_before_its_page),
        TEST(a_position_may_go_with_its_page),
        TEST(a_page_that_fails_is_told),
        TEST(what_the_store_has_trimmed_is_told),
        TEST(what_memory_gives_up_the_store_has),
        TEST(who_falls_behind_memory_reads_the_store),
        TEST(what_the_store_lacks_then_is_counted),
        TEST(each_topic_has_a_border_of_its_own),
        TEST(what_nobody_publishes_to_is_forgotten),
        TEST(nothing_is_forgotten_that_no_rule_speaks_of),
        TEST(what_is_under_way_is_not_forgotten),
        TEST(a_topic_made_anew_tells_what_went),
        TEST(what_is_forgotten_while_it_is_read_is_told),
        TEST(a_topic_that_is_durable_no_more),
        TEST(order_holds_while_rules_change),
        TEST(a_reader_that_goes_awaits_its_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

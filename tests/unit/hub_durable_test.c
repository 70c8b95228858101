/* Durable topics: an event is there when it is committed and not before; nobody reads past one that
 * is still to come; what fails was never there. What is read after a restart, and what is not kept,
 * have programs of their own. */
#include "durable_takers.h"

#include "base/fault.h"
#include "hub/history.h"

#include <stdio.h>

enum { HOUR = 3600000 };

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
    const struct CMUnitTest tests[] = {
        DURABLE(an_event_is_there_after_its_commit),
        DURABLE(an_end_comes_behind_what_others_commit),
        DURABLE(a_turn_is_committed_in_one_piece),
        DURABLE(a_slow_disk_is_no_slow_subscriber),
        DURABLE(who_leaves_a_prefix_keeps_what_it_is_not_told_yet),
        DURABLE(who_comes_behind_a_commit_owes_nothing_of_it),
        DURABLE(who_rested_reads_what_was_committed_meanwhile),
        DURABLE(who_cannot_wait_sends_nothing),
        DURABLE(nobody_reads_past_what_is_to_come),
        DURABLE(what_fails_holds_nobody_up),
        DURABLE(one_topic_has_no_horizon),
        DURABLE(who_resumes_before_the_commit_misses_nothing),
        DURABLE(what_fails_was_never_there),
        DURABLE(a_topic_that_is_durable_no_more),
        DURABLE(order_holds_while_rules_change),
        DURABLE(a_reader_that_goes_awaits_its_commits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

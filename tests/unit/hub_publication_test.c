/* Publications: ids and counts at once; waiting for subscribers with the policy block, by events
 * and by bytes; and every way in which such a wait ends, always on the publisher's own loop. */
#include "hub_rig.h"

#include "base/clock.h"
#include "hub/blocking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sent {
    struct publication publication;
    int done;             /* calls */
    struct loop *running; /* the one being turned at the last of them */
    int rc;
};

static struct hub_rig rig;
static struct taker slow, other;
static struct loop *running;

static int setup(void **state) {
    (void)state;
    hub_rig_init(&rig, 2);
    hub_rig_keep(1000, 3600000, 1024 * 1024);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hub_rig_fini(&rig);
    return 0;
}

static void turn(int reader) {
    running = &rig.loops[reader];
    for (int i = 0; i < 6; i++)
        uv_run(&running->uv, UV_RUN_NOWAIT);
    running = NULL;
}

static void turn_both(void) {
    for (int i = 0; i < 3; i++) {
        turn(0);
        turn(1);
    }
}

static void on_done(struct publication *publication, int error) {
    struct sent *sent = CONTAINER_OF(publication, struct sent, publication);
    assert_int_equal(error, 0);
    sent->running = running;
    sent->done++;
}

/* Data are serial numbers, as hub_rig's are. */
static void send_event(struct sent *sent, int reader, const char *topic, uint64_t wait_ms) {
    static char texts[100][20];
    char *text = texts[rig.serial % 100];
    int n = snprintf(text, 20, "data: %u\n\n", ++rig.serial);
    *sent = (struct sent){.done = 0};
    sent->publication = (struct publication){
        .topic = str_of(topic), .text = {text, (size_t)n}, .wait_ms = wait_ms, .done = on_done};
    sent->rc = publication_send(&sent->publication, &rig.readers[reader]);
}

/* A taker of the second reader's that has taken nothing yet and may owe two events. */
static void open_slow(const char *topic) {
    taker_init(&slow, &rig.readers[1], OVERFLOW_BLOCK, 2);
    taker_add(&slow, topic);
    hub_rig_settle(&rig);
    slow.blocked = true;
}

static void fill_up(const char *topic) {
    hub_rig_publish_many(&rig, topic, 2);
    turn_both();
}

static void resume(void) {
    taker_resume(&slow, SIZE_MAX);
    turn_both();
}

static void an_event_has_its_id_at_once(void **state) {
    (void)state;
    struct sent first, second;
    taker_init(&other, &rig.readers[0], OVERFLOW_NONE, 0);
    taker_add(&other, "t");
    send_event(&first, 0, "t", 0);
    send_event(&second, 1, "u", 1000);
    assert_int_equal(first.rc, 0);
    assert_int_equal(second.rc, 0);
    assert_true(second.publication.id > first.publication.id);
    assert_int_equal(first.publication.streams, 1);
    assert_int_equal(second.publication.streams, 0);
    turn_both();
    assert_int_equal(first.done + second.done, 0);
    taker_fini(&other);
}

static void who_waits_goes_on_when_there_is_room(void **state) {
    (void)state;
    struct sent third, fourth;
    open_slow("t");
    fill_up("t");
    send_event(&third, 0, "t", 1000);
    send_event(&fourth, 1, "t", 1000);
    assert_int_equal(third.rc, PUBLICATION_LATER);
    assert_int_equal(fourth.rc, PUBLICATION_LATER);
    turn_both();
    assert_int_equal(third.done + fourth.done, 0);
    resume();
    assert_int_equal(third.done, 1);
    assert_int_equal(fourth.done, 1);
    assert_ptr_equal(third.running, &rig.loops[0]);
    assert_ptr_equal(fourth.running, &rig.loops[1]);
    assert_true(fourth.publication.id > third.publication.id);
    assert_int_equal(third.publication.streams, 1);
    assert_string_equal(taker_text(&slow), "1 2 3 4");
    assert_false(slow.over);
    taker_fini(&slow);
}

static void who_does_not_wait_does_not(void **state) {
    (void)state;
    struct sent sent;
    open_slow("t");
    fill_up("t");
    send_event(&sent, 0, "t", 0);
    assert_int_equal(sent.rc, 0);
    send_event(&sent, 0, "u", 1000); /* nor for those whom it does not reach */
    assert_int_equal(sent.rc, 0);
    resume();
    assert_string_equal(taker_text(&slow), "1 2 3");
    taker_fini(&slow);
}

static void a_prefix_is_waited_for_too(void **state) {
    (void)state;
    struct sent sent;
    open_slow("p/*");
    fill_up("p/1");
    send_event(&sent, 0, "p/2", 1000);
    assert_int_equal(sent.rc, PUBLICATION_LATER);
    resume();
    assert_int_equal(sent.done, 1);
    assert_string_equal(taker_text(&slow), "1 2 3");
    taker_fini(&slow);
}

static void who_was_waited_for_in_vain_has_to_go(void **state) {
    (void)state;
    struct sent sent;
    open_slow("t");
    fill_up("t");
    send_event(&sent, 0, "t", 100);
    hub_rig_pass(&rig, 99);
    assert_int_equal(sent.done, 0);
    clock_advance_ns(1000000);
    turn(0);
    assert_false(slow.over); /* it belongs to the other loop */
    turn(1);
    turn(0);
    assert_true(slow.over);
    assert_int_equal(sent.done, 1);
    send_event(&sent, 0, "t", 100); /* nobody waits for it any more */
    assert_int_equal(sent.rc, 0);
    taker_fini(&slow);
}

static void whoever_goes_is_not_waited_for(void **state) {
    (void)state;
    struct sent sent;
    open_slow("t");
    fill_up("t");
    send_event(&sent, 0, "t", 1000);
    taker_fini(&slow);
    turn_both();
    assert_int_equal(sent.done, 1);
    assert_ptr_equal(sent.running, &rig.loops[0]);
    assert_int_equal(sent.publication.streams, 0);
}

static void whoever_leaves_the_topic_is_not_waited_for(void **state) {
    (void)state;
    struct sent sent;
    open_slow("t");
    taker_add(&slow, "u");
    fill_up("t");
    send_event(&sent, 0, "t", 1000);
    taker_remove(&slow, "t");
    turn_both();
    assert_int_equal(sent.done, 1);
    taker_fini(&slow);
}

/* Nor for what it had not read of that, at others that it has. */
static void what_was_left_does_not_count(void **state) {
    (void)state;
    struct sent sent;
    open_slow("t");
    taker_add(&slow, "u");
    slow.blocked = true;
    fill_up("t");
    taker_remove(&slow, "t");
    send_event(&sent, 0, "u", 1000);
    assert_int_equal(sent.rc, 0);
    taker_fini(&slow);
}

/* But what it has to read of the rest does, be it that it takes nothing, */
static void leaving_forgives_nothing_else(void **state) {
    (void)state;
    struct sent sent;
    open_slow("t");
    taker_add(&slow, "u");
    slow.blocked = true;
    hub_rig_publish(&rig, "t", NULL);
    turn_both(); /* it is not told any more from here on */
    fill_up("u");
    taker_remove(&slow, "t");
    send_event(&sent, 0, "u", 1000);
    assert_int_equal(sent.rc, PUBLICATION_LATER);
    resume();
    assert_int_equal(sent.done, 1);
    assert_string_equal(taker_text(&slow), "2 3 4");
    taker_fini(&slow);
}

/* ... or has not been told of that yet. */
static void leaving_forgives_nothing_untold(void **state) {
    (void)state;
    struct sent sent;
    open_slow("t");
    taker_add(&slow, "u/*");
    slow.blocked = true;
    hub_rig_publish_many(&rig, "u/1", 2);
    taker_remove(&slow, "t");
    send_event(&sent, 0, "u/2", 1000);
    assert_int_equal(sent.rc, PUBLICATION_LATER);
    resume();
    assert_int_equal(sent.done, 1);
    assert_string_equal(taker_text(&slow), "1 2 3");
    taker_fini(&slow);
}

/* What is let in before it may fill up another, which had no part in the wait so far. */
static void a_wait_ends_whoever_is_full_by_then(void **state) {
    (void)state;
    struct sent sent[2];
    open_slow("t");
    taker_init(&other, &rig.readers[0], OVERFLOW_BLOCK, 3);
    taker_add(&other, "t");
    turn_both();
    other.blocked = true;
    fill_up("t");
    send_event(&sent[0], 0, "t", 1000);
    send_event(&sent[1], 0, "t", 100);
    clock_advance_ns(100000000);
    turn_both();
    assert_int_equal(sent[0].done, 1);
    assert_int_equal(sent[1].done, 1);
    assert_true(slow.over);
    assert_true(other.over);
    taker_fini(&slow);
    taker_fini(&other);
}

/* It was told to go, and goes by itself before it is. */
static void one_that_is_expelled_may_have_gone(void **state) {
    (void)state;
    struct sent sent;
    open_slow("t");
    fill_up("t");
    send_event(&sent, 0, "t", 100);
    clock_advance_ns(100000000);
    turn(0);
    taker_fini(&slow);
    turn_both();
    assert_int_equal(sent.done, 1);
}

static void bytes_are_waited_for(void **state) {
    (void)state;
    struct sent sent;
    taker_init(&slow, &rig.readers[1], OVERFLOW_BLOCK, UINT32_MAX);
    slow.position.blocking->limit.bytes = 100; /* an event takes more than 34 */
    taker_add(&slow, "t");
    hub_rig_settle(&rig);
    slow.blocked = true;
    hub_rig_publish_many(&rig, "t", 2);
    send_event(&sent, 0, "t", 1000);
    assert_int_equal(sent.rc, 0);
    send_event(&sent, 0, "t", 1000);
    assert_int_equal(sent.rc, PUBLICATION_LATER);
    resume();
    assert_int_equal(sent.done, 1);
    taker_fini(&slow);
}

/* One at a time: what is let in counts before the next is. */
static void no_more_is_let_in_than_fits(void **state) {
    (void)state;
    struct sent sent[6];
    open_slow("t");
    fill_up("t");
    for (int i = 0; i < 6; i++)
        send_event(&sent[i], 0, "t", 1000);
    slow.blocked = false;
    slow.room = 1; /* one entry and no more */
    position_serve(&slow.position);
    turn_both();
    int done = 0;
    for (int i = 0; i < 6; i++) {
        done += sent[i].done;
        assert_true(i == 0 || sent[i].done <= sent[i - 1].done); /* in order */
    }
    assert_in_range(done, 0, 1);
    resume();
    for (int i = 0; i < 6; i++)
        assert_int_equal(sent[i].done, 1);
    assert_string_equal(taker_text(&slow), "1 2 3 4 5 6 7 8");
    taker_fini(&slow);
}

/* Its loop has ended: what it still had to say is said. */
static void a_reader_that_goes_sends_what_waits(void **state) {
    (void)state;
    struct loop loop;
    struct reader reader;
    struct sent sent = {.done = 0};
    assert_int_equal(loop_init(&loop), 0);
    reader_init(&reader, &loop);
    open_slow("t");
    fill_up("t");
    sent.publication = (struct publication){
        .topic = STR("t"), .text = STR("data: 3\n\n"), .wait_ms = 1000, .done = on_done};
    assert_int_equal(publication_send(&sent.publication, &reader), PUBLICATION_LATER);
    reader_fini(&reader);
    loop_fini(&loop);
    assert_true(sent.publication.id > rig.last);
    resume();
    assert_string_equal(taker_text(&slow), "1 2 3");
    taker_fini(&slow);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_event_has_its_id_at_once),
        TEST(who_waits_goes_on_when_there_is_room),
        TEST(who_does_not_wait_does_not),
        TEST(a_prefix_is_waited_for_too),
        TEST(who_was_waited_for_in_vain_has_to_go),
        TEST(whoever_goes_is_not_waited_for),
        TEST(whoever_leaves_the_topic_is_not_waited_for),
        TEST(what_was_left_does_not_count),
        TEST(leaving_forgives_nothing_else),
        TEST(leaving_forgives_nothing_untold),
        TEST(a_wait_ends_whoever_is_full_by_then),
        TEST(one_that_is_expelled_may_have_gone),
        TEST(bytes_are_waited_for),
        TEST(no_more_is_let_in_than_fits),
        TEST(a_reader_that_goes_sends_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

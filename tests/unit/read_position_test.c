/* Positions: one case at a time; read_position_random_test does everything at once. Events are known
 * by their serial numbers, so what a taker got reads as "1 2 trimmed:3 6". */
#include "hub_rig.h"

#include "base/clock.h"
#include "hub/attendance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hub_rig rig;
static struct taker a, b;

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

static void open_taker(struct taker *taker) {
    taker_init(taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
}

#define GOT(taker, text) assert_string_equal(taker_text(taker), text)

/* --- one topic --- */

static void a_topic_from_now_on(void **state) {
    (void)state;
    open_taker(&a);
    hub_rig_publish(&rig, "t", NULL);
    taker_add(&a, "t");
    hub_rig_publish_many(&rig, "t", 2);
    hub_rig_publish(&rig, "other", NULL);
    hub_rig_settle(&rig);
    GOT(&a, "2 3");
    taker_fini(&a);
}

static void a_topic_from_an_id_on(void **state) {
    (void)state;
    hub_rig_publish_many(&rig, "t", 2);
    event_id second = rig.last;
    hub_rig_publish_many(&rig, "t", 2);
    open_taker(&a);
    open_taker(&b);
    taker_add_from(&a, "t", second, true);
    taker_add_from(&b, "t", 0, false);
    hub_rig_settle(&rig);
    GOT(&a, "3 4");
    GOT(&b, "1 2 3 4");
    assert_true(a.position.resumed);
    taker_fini(&a);
    taker_fini(&b);
}

static void what_was_trimmed_meanwhile_is_counted(void **state) {
    (void)state;
    hub_rig_keep(3, 3600000, 1024 * 1024);
    open_taker(&a);
    taker_add(&a, "t");
    hub_rig_publish(&rig, "t", NULL);
    hub_rig_settle(&rig);
    a.blocked = true;
    hub_rig_publish_many(&rig, "t", 7);
    hub_rig_settle(&rig);
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
    GOT(&a, "1 trimmed:4 6 7 8");
    taker_fini(&a);
}

static void the_bytes_of_half_an_entry_come_first(void **state) {
    (void)state;
    open_taker(&a);
    taker_add(&a, "t");
    for (size_t room = 0; room < 200; room++) {
        taker_resume(&a, room);
        hub_rig_publish_many(&rig, "t", 3);
        hub_rig_settle(&rig);
        taker_resume(&a, SIZE_MAX);
        hub_rig_settle(&rig);
        char want[64];
        snprintf(want, sizeof want, "%u %u %u", rig.serial - 2, rig.serial - 1, rig.serial);
        GOT(&a, want);
    }
    taker_fini(&a);
}

/* Both stand at the same entry, and one of them has something to be told first. */
static void a_gap_is_not_lost_to_a_neighbour(void **state) {
    (void)state;
    hub_rig_keep(2, 3600000, 1024 * 1024);
    hub_rig_publish(&rig, "t", NULL);
    event_id first = rig.last;
    hub_rig_publish_many(&rig, "t", 4);
    open_taker(&a);
    open_taker(&b);
    taker_add_from(&a, "t", 0, false);
    taker_add_from(&b, "t", first, true);
    hub_rig_settle(&rig);
    GOT(&a, "4 5");
    GOT(&b, "trimmed:2 4 5");
    taker_fini(&a);
    taker_fini(&b);
}

static void the_future_of_one_is_the_present_of_another(void **state) {
    (void)state;
    struct position_choice later = {.name = STR("t")};
    open_taker(&a);
    open_taker(&b);
    hub_rig_publish(&rig, "t", NULL);
    hub_rig_settle(&rig);
    later.not_before = rig.last + 3;
    position_add(&a.position, &later);
    taker_add(&b, "t");
    hub_rig_publish_many(&rig, "t", 4);
    hub_rig_settle(&rig);
    GOT(&a, "4 5");
    GOT(&b, "2 3 4 5");
    taker_fini(&a);
    taker_fini(&b);
}

/* --- coming back --- */

static void an_id_of_the_future_is_told_as_unknown(void **state) {
    (void)state;
    hub_rig_publish(&rig, "t", NULL);
    open_taker(&a);
    open_taker(&b);
    taker_add_from(&a, "t", rig.last + (1ull << 40), true);
    taker_add_from(&b, "*", EVENT_ID_NONE, true);
    hub_rig_settle(&rig);
    GOT(&a, "unknown:null");
    GOT(&b, "unknown:null");
    assert_false(a.position.resumed);
    hub_rig_publish(&rig, "t", NULL);
    hub_rig_settle(&rig);
    GOT(&a, "2");
    GOT(&b, "2");
    taker_fini(&a);
    taker_fini(&b);
}

static void the_gap_of_a_stranger_stays_his(void **state) {
    (void)state;
    hub_rig_publish_many(&rig, "t", 2);
    open_taker(&a);
    open_taker(&b);
    taker_add_from(&a, "other", EVENT_ID_NONE, true);
    taker_remove(&a, "other");
    hub_rig_publish_many(&rig, "t", 2);
    taker_add_from(&a, "t", 0, false);
    taker_add_from(&b, "t", 0, false);
    hub_rig_settle(&rig);
    GOT(&b, "1 2 3 4");
    taker_fini(&a);
    taker_fini(&b);
}

static void one_gap_is_enough_not_to_resume(void **state) {
    (void)state;
    hub_rig_keep(1, 3600000, 1024 * 1024);
    hub_rig_publish(&rig, "t", NULL);
    event_id first = rig.last;
    hub_rig_publish_many(&rig, "t", 2);
    open_taker(&a);
    taker_add_from(&a, "t", first, true);
    taker_add_from(&a, "u", hub.last, true);
    assert_false(a.position.resumed);
    hub_rig_settle(&rig);
    GOT(&a, "trimmed:null 3");
    taker_fini(&a);
}

static void a_server_that_began_anew_says_so_once(void **state) {
    (void)state;
    event_id before = rig.readers[0].settled; /* 0: before this process */
    open_taker(&a);
    taker_add_from(&a, "t", before + 1, true);
    taker_add_from(&a, "u", before + 1, true);
    taker_add_from(&a, "v/*", before + 1, true);
    hub_rig_publish(&rig, "u", NULL);
    hub_rig_settle(&rig);
    GOT(&a, "restart:null 1");
    assert_false(a.position.resumed);
    taker_fini(&a);
}

static void topics_that_have_gone_are_told_as_expired(void **state) {
    (void)state;
    hub_rig_keep(10, 1000, 1024 * 1024);
    hub_rig_publish(&rig, "t", NULL);
    event_id first = rig.last;
    hub_rig_publish(&rig, "t", NULL);
    open_taker(&b); /* keeps the time */
    taker_add(&b, "v");
    hub_rig_pass(&rig, 2000);
    open_taker(&a);
    taker_add_from(&a, "t", first, true);
    hub_rig_publish(&rig, "t", NULL);
    hub_rig_settle(&rig);
    GOT(&a, "expired:null 3");
    taker_fini(&a);
    taker_fini(&b);
}

/* --- several topics --- */

static void several_topics_come_in_order(void **state) {
    (void)state;
    static const char *const names[] = {"x", "y", "z/1", "z/2"};
    open_taker(&a);
    a.most = 1;
    taker_add(&a, "x");
    taker_add(&a, "y");
    taker_add(&a, "z/*");
    for (int i = 0; i < 12; i++)
        hub_rig_publish(&rig, names[i * 7 % 4], NULL);
    hub_rig_settle(&rig);
    GOT(&a, "1 2 3 4 5 6 7 8 9 10 11 12");
    taker_fini(&a);
}

/* The news of z/1 have not been told when y is added. */
static void adding_does_not_overtake_a_prefix(void **state) {
    (void)state;
    open_taker(&a);
    taker_add(&a, "z/*");
    hub_rig_settle(&rig);
    hub_rig_publish(&rig, "z/1", NULL);
    hub_rig_publish(&rig, "y", NULL);
    taker_add_from(&a, "y", 0, false);
    taker_take(&a);
    hub_rig_settle(&rig);
    GOT(&a, "1 2");
    taker_fini(&a);
}

/* What a new prefix has found is not told once more. */
static void what_a_prefix_found_comes_once(void **state) {
    (void)state;
    open_taker(&b); /* for its sake the reader is told of z/1 */
    taker_add(&b, "z/*");
    hub_rig_publish(&rig, "z/1", NULL);
    open_taker(&a);
    taker_add_from(&a, "z/*", 0, false);
    taker_take(&a);
    hub_rig_settle(&rig);
    GOT(&a, "1");
    GOT(&b, "1");
    taker_fini(&a);
    taker_fini(&b);
}

static void what_came_before_a_prefix_is_no_gap(void **state) {
    (void)state;
    hub_rig_keep(1, 3600000, 1024 * 1024);
    open_taker(&b);
    taker_add(&b, "z/*");
    hub_rig_publish_many(&rig, "z/1", 5);
    open_taker(&a);
    taker_add(&a, "z/*");
    hub_rig_settle(&rig);
    GOT(&b, "trimmed:4 5");
    GOT(&a, "");
    taker_fini(&a);
    taker_fini(&b);
}

/* All that a prefix's topic had goes before anybody was told of it. */
static void a_topic_that_goes_at_once_is_told_as_a_gap(void **state) {
    (void)state;
    hub_rig_keep(10, 1000, 1024 * 1024);
    open_taker(&a);
    taker_add(&a, "z/*");
    hub_rig_settle(&rig);
    hub_rig_publish_many(&rig, "z/1", 3);
    clock_advance_ns(3000000000);
    hub_tick();
    hub_rig_publish(&rig, "z/2", NULL);
    hub_rig_settle(&rig);
    GOT(&a, "trimmed:3 4");
    taker_fini(&a);
}

static void naming_a_topic_of_a_prefix_loses_nothing(void **state) {
    (void)state;
    open_taker(&a);
    taker_add(&a, "z/*");
    a.blocked = true;
    hub_rig_publish_many(&rig, "z/1", 2);
    hub_rig_settle(&rig);
    hub_rig_publish(&rig, "z/1", NULL); /* not told yet */
    taker_add(&a, "z/1");
    hub_rig_publish(&rig, "z/1", NULL);
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
    GOT(&a, "1 2 3 4");
    taker_fini(&a);
}

static void unnaming_a_topic_of_a_prefix_loses_nothing(void **state) {
    (void)state;
    open_taker(&a);
    taker_add(&a, "z/*");
    taker_add(&a, "z/1");
    a.blocked = true;
    hub_rig_publish_many(&rig, "z/1", 2);
    hub_rig_settle(&rig);
    hub_rig_publish(&rig, "z/1", NULL); /* not told yet */
    taker_remove(&a, "z/1");
    hub_rig_publish(&rig, "z/1", NULL);
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
    GOT(&a, "1 2 3 4");
    taker_fini(&a);
}

/* b has z/1 told, of which a has chosen all from the fourth event on, and by the prefix alone. */
static void begin_behind_untold(enum overflow overflow, uint32_t limit) {
    open_taker(&b);
    taker_add(&b, "z/1");
    hub_rig_publish_many(&rig, "z/1", 3);
    taker_init(&a, &rig.readers[0], overflow, limit);
    taker_add(&a, "z/1");
    taker_add(&a, "z/*");
    taker_remove(&a, "z/1");
    a.blocked = true;
}

static void what_came_before_it_was_named_is_no_gap(void **state) {
    (void)state;
    begin_behind_untold(OVERFLOW_NONE, UINT32_MAX);
    hub_rig_settle(&rig);
    hub_rig_keep(1, 3600000, 1024 * 1024);
    hub_rig_publish_many(&rig, "z/1", 5);
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
    GOT(&a, "trimmed:4 8");
    taker_fini(&a);
    taker_fini(&b);
}

static void what_comes_before_its_time_is_no_gap(void **state) {
    (void)state;
    open_taker(&a);
    event_id now = hub.last;
    struct position_choice choice = {.name = STR("t"),
                                     .not_before = event_id_at(event_id_ms(now) + 1000)};
    position_add(&a.position, &choice);
    a.blocked = true;
    hub_rig_publish_many(&rig, "t", 3);
    clock_advance_ns(2000000000);
    hub_rig_keep(1, 3600000, 1024 * 1024);
    hub_rig_publish_many(&rig, "t", 5);
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
    GOT(&a, "trimmed:4 8");
    taker_fini(&a);
}

/* All goes before the reader is told of it, and with it what came before. */
static void what_goes_before_it_is_told_has_a_number(void **state) {
    (void)state;
    begin_behind_untold(OVERFLOW_NONE, UINT32_MAX);
    hub_rig_publish_many(&rig, "z/1", 2);
    clock_advance_ns(3601000000000);
    hub_tick();
    hub_rig_settle(&rig);
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
    GOT(&a, "trimmed:2");
    GOT(&b, "trimmed:5");
    taker_fini(&a);
    taker_fini(&b);
}

static void what_came_before_it_was_named_is_no_lag(void **state) {
    (void)state;
    begin_behind_untold(OVERFLOW_DISCONNECT, 4);
    hub_rig_publish_many(&rig, "z/1", 4);
    hub_rig_settle(&rig);
    assert_false(a.over);
    hub_rig_publish(&rig, "z/1", NULL);
    hub_rig_settle(&rig);
    assert_true(a.over);
    taker_fini(&a);
    taker_fini(&b);
}

static void what_is_removed_comes_no_more(void **state) {
    (void)state;
    open_taker(&a);
    taker_add(&a, "x");
    taker_add(&a, "y");
    taker_add(&a, "z/*");
    a.blocked = true;
    for (int i = 0; i < 2; i++) {
        hub_rig_publish(&rig, "x", NULL);
        hub_rig_publish(&rig, "y", NULL);
        hub_rig_publish(&rig, "z/1", NULL);
        hub_rig_settle(&rig);
    }
    taker_remove(&a, "x");
    taker_remove(&a, "z/*");
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
    GOT(&a, "2 5");
    assert_false(position_remove(&a.position, STR("x"), false));
    assert_false(position_remove(&a.position, STR("y"), true));
    assert_false(position_remove(&a.position, STR("nowhere"), true));
    taker_fini(&a);
}

/* --- counting --- */

static uint32_t streams_of(const char *topic) {
    return attendance_list(str_of(topic), NULL, NULL);
}

static void a_stream_counts_once(void **state) {
    (void)state;
    open_taker(&a);
    taker_add(&a, "z/*");
    taker_add(&a, "z/1");
    assert_int_equal(streams_of("z/1"), 1);
    assert_int_equal(streams_of("z/2"), 1);
    assert_int_equal(streams_of("z"), 0);
    taker_remove(&a, "z/*");
    assert_int_equal(streams_of("z/1"), 1);
    assert_int_equal(streams_of("z/2"), 0);
    taker_fini(&a);
    assert_int_equal(streams_of("z/1"), 0);
}

/* --- many at a time --- */

enum { LONG = 4000 };

static char long_texts[LONG][32];
static struct str long_names[LONG];

/* Some of them again and again. */
static const struct str *long_list(int different) {
    for (int i = 0; i < LONG; i++) {
        int n = snprintf(long_texts[i], sizeof long_texts[i], "long/%d", i % different);
        long_names[i] = (struct str){long_texts[i], (size_t)n};
    }
    return long_names;
}

/* How many topics and prefixes are looked at while so many are chosen. */
static uint64_t visits_of(const struct position_choice *choice, const struct str *names, size_t n) {
    uint64_t before = rig.readers[0].counters.visits;
    position_add_all(&a.position, choice, names, n);
    return rig.readers[0].counters.visits - before;
}

static void a_long_list_costs_what_its_length_is(void **state) {
    (void)state;
    struct position_choice choice = {.prefix = false};
    const struct str *names = long_list(LONG);
    open_taker(&a);
    assert_in_range(visits_of(&choice, names, LONG), 0, 2 * LONG);
    assert_in_range(visits_of(&choice, names, LONG), 0, 2 * LONG); /* again */
    choice.prefix = true;
    assert_in_range(visits_of(&choice, names, LONG), 0, 4 * LONG);
    assert_in_range(visits_of(&choice, names, LONG), 0, 4 * LONG);
    assert_int_equal(a.position.chosen, 2 * LONG);
    assert_int_equal(streams_of("long/7"), 1);
    assert_int_equal(streams_of("long/1234"), 1);
    taker_fini(&a);
    assert_int_equal(streams_of("long/7"), 0);
    assert_int_equal(hub.crowds, 0);
}

/* Topics that are in the list several times come once, in order, whichever part of it they are of;
 * some were there before, some have something that is read from an id on. */
static void a_list_with_doubles_gives_each_once(void **state) {
    (void)state;
    struct position_choice choice = {.from_id = true, .tell = true};
    hub_rig_publish(&rig, "long/900", NULL);
    choice.after = rig.last;
    hub_rig_publish(&rig, "long/901", NULL);
    hub_rig_publish(&rig, "long/3", NULL);
    open_taker(&a);
    taker_add(&a, "long/3");
    hub_rig_publish(&rig, "long/902", NULL);
    position_add_all(&a.position, &choice, long_list(1000), LONG);
    assert_int_equal(a.position.chosen, 1000);
    hub_rig_publish(&rig, "long/999", NULL);
    hub_rig_publish(&rig, "long/0", NULL);
    hub_rig_publish(&rig, "long/1000", NULL);
    hub_rig_publish(&rig, "long/3", NULL);
    hub_rig_settle(&rig);
    GOT(&a, "2 4 5 6 8");
    taker_remove(&a, "long/3");
    assert_false(position_has(&a.position, STR("long/3"), false));
    assert_true(position_has(&a.position, STR("long/4"), false));
    assert_false(position_has(&a.position, STR("long/4"), true));
    assert_int_equal(a.position.chosen, 999);
    hub_rig_publish(&rig, "long/3", NULL);
    hub_rig_publish(&rig, "long/4", NULL);
    hub_rig_settle(&rig);
    GOT(&a, "10");
    taker_fini(&a);
}

/* --- without waiting --- */

/* It reads what no feed has told yet, and that comes once. */
static void who_looks_reads_at_once(void **state) {
    (void)state;
    open_taker(&a);
    open_taker(&b);
    taker_add(&a, "t");
    taker_add(&a, "u");
    taker_add(&b, "z/*");
    taker_add(&b, "t");
    hub_rig_settle(&rig);
    assert_false(position_look(&a.position));
    for (int i = 0; i < 3; i++) {
        hub_rig_publish(&rig, "t", NULL);
        hub_rig_publish(&rig, "z/1", NULL);
        hub_rig_publish(&rig, "u", NULL);
        assert_true(position_look(&a.position));
        assert_true(position_look(&b.position));
        assert_false(position_look(&a.position));
        taker_take(&a);
        taker_take(&b);
    }
    GOT(&a, "1 3 4 6 7 9");
    GOT(&b, "1 2 4 5 7 8");
    hub_rig_publish(&rig, "z/1", NULL);
    hub_rig_settle(&rig);
    GOT(&a, "");
    GOT(&b, "10");
    taker_fini(&a);
    taker_fini(&b);
}

static void totals_are_exact(void **state) {
    (void)state;
    struct hub_counters before, after;
    hub_totals(&before);
    hub_rig_keep(3, 3600000, 1024 * 1024);
    open_taker(&a);
    taker_add(&a, "t");
    hub_rig_settle(&rig);
    a.blocked = true;
    hub_rig_publish_many(&rig, "t", 5);
    taker_resume(&a, SIZE_MAX);
    hub_rig_settle(&rig);
    GOT(&a, "trimmed:2 3 4 5");
    hub_totals(&after);
    assert_int_equal(after.published - before.published, 5);
    assert_int_equal(after.delivered - before.delivered, 3);
    assert_int_equal(after.gaps - before.gaps, 1);
    assert_int_equal(after.lost - before.lost, 2);
    assert_int_equal(after.subscribers - before.subscribers, 1);
    taker_fini(&a);
}

/* --- the hub --- */

/* More than fits is held by somebody who has not sent it yet. */
static void no_topic_is_left_to_make_room(void **state) {
    (void)state;
    hub_rig_publish_many(&rig, "t", 3);
    hub_rig_publish_many(&rig, "u", 3);
    hub_lock();
    struct slab *slab = slab_ref(topic_entry(hub_topic(STR("t")), 0)->slab);
    hub_unlock();
    hub_set_memory(0);
    assert_int_equal(hub.topics, 0);
    slab_unref(slab);
}

/* Who looks for what may be trimmed meets no topic without events, however many are subscribed. */
static void what_keeps_nothing_is_not_looked_at(void **state) {
    (void)state;
    open_taker(&a);
    taker_add(&a, "empty");
    taker_add(&a, "full");
    hub_rig_publish_many(&rig, "full", 3);
    hub_rig_settle(&rig);
    assert_int_equal(hub.topics, 2);
    hub_lock();
    assert_ptr_equal(hub.unread.next, &hub_topic(STR("full"))->unread);
    assert_ptr_equal(hub.unread.prev, hub.unread.next);
    hub_unlock();
    hub_set_memory(0);
    assert_true(list_empty(&hub.unread));
    hub_rig_publish(&rig, "full", NULL);
    assert_false(list_empty(&hub.unread)); /* the newest event stays */
    hub_rig_settle(&rig);
    GOT(&a, "1 2 3 4");
    taker_fini(&a);
}

static void the_longest_unread_gives_way(void **state) {
    (void)state;
    open_taker(&a);
    taker_add(&a, "read");
    hub_rig_publish_many(&rig, "unread", 100);
    hub_rig_publish_many(&rig, "read", 100);
    hub_rig_settle(&rig);
    hub_set_memory(hub.memory - 1);
    assert_int_equal(streams_of("read"), 1);
    hub_lock();
    assert_int_equal(hub_topic(STR("read"))->first, 0);
    assert_true(hub_topic(STR("unread"))->first >= 50);
    hub_unlock();
    taker_fini(&a);
}

static void a_reader_goes_with_news_untold(void **state) {
    (void)state;
    struct loop *loop = calloc(1, sizeof *loop);
    struct reader *reader = calloc(1, sizeof *reader);
    assert_int_equal(loop_init(loop), 0);
    reader_init(reader, loop);
    taker_init(&a, reader, OVERFLOW_NONE, UINT32_MAX);
    taker_add(&a, "t");
    taker_add(&a, "z/*");
    hub_rig_publish(&rig, "t", NULL);
    hub_rig_publish(&rig, "z/1", NULL);
    taker_fini(&a);
    reader_fini(reader);
    loop_fini(loop);
    memset(reader, 0xaa, sizeof *reader);
    free(reader);
    free(loop);
    hub_rig_publish(&rig, "t", NULL);
    hub_rig_publish(&rig, "z/1", NULL);
}

/* One turn does not tell so many: what comes for the last of them waits for the next. */
static void more_than_a_turn_tells(void **state) {
    (void)state;
    enum { MANY = 1500 };
    struct taker *many = calloc(MANY, sizeof *many);
    for (int i = 0; i < MANY; i++) {
        open_taker(&many[i]);
        taker_add(&many[i], "t");
    }
    open_taker(&a);
    taker_add(&a, "u");
    taker_add(&a, "z/*");
    hub_rig_settle(&rig);
    hub_rig_publish(&rig, "t", NULL);
    hub_rig_publish(&rig, "z/1", NULL);
    hub_rig_publish(&rig, "u", NULL);
    position_serve(&a.position);
    uv_run(&rig.loops[0].uv, UV_RUN_NOWAIT);
    hub_rig_settle(&rig);
    GOT(&a, "2 3");
    for (int i = 0; i < MANY; i++) {
        GOT(&many[i], "1");
        taker_fini(&many[i]);
    }
    taker_fini(&a);
    free(many);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_topic_from_now_on),
        TEST(a_topic_from_an_id_on),
        TEST(what_was_trimmed_meanwhile_is_counted),
        TEST(the_bytes_of_half_an_entry_come_first),
        TEST(a_gap_is_not_lost_to_a_neighbour),
        TEST(the_future_of_one_is_the_present_of_another),
        TEST(an_id_of_the_future_is_told_as_unknown),
        TEST(the_gap_of_a_stranger_stays_his),
        TEST(one_gap_is_enough_not_to_resume),
        TEST(a_server_that_began_anew_says_so_once),
        TEST(topics_that_have_gone_are_told_as_expired),
        TEST(several_topics_come_in_order),
        TEST(adding_does_not_overtake_a_prefix),
        TEST(what_a_prefix_found_comes_once),
        TEST(what_came_before_a_prefix_is_no_gap),
        TEST(a_topic_that_goes_at_once_is_told_as_a_gap),
        TEST(naming_a_topic_of_a_prefix_loses_nothing),
        TEST(unnaming_a_topic_of_a_prefix_loses_nothing),
        TEST(what_came_before_it_was_named_is_no_gap),
        TEST(what_comes_before_its_time_is_no_gap),
        TEST(what_goes_before_it_is_told_has_a_number),
        TEST(what_came_before_it_was_named_is_no_lag),
        TEST(what_is_removed_comes_no_more),
        TEST(a_stream_counts_once),
        TEST(a_long_list_costs_what_its_length_is),
        TEST(a_list_with_doubles_gives_each_once),
        TEST(who_looks_reads_at_once),
        TEST(totals_are_exact),
        TEST(no_topic_is_left_to_make_room),
        TEST(what_keeps_nothing_is_not_looked_at),
        TEST(the_longest_unread_gives_way),
        TEST(a_reader_goes_with_news_untold),
        TEST(more_than_a_turn_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Floors: whoever comes back is told of all that was lost, whatever became of the topic meanwhile,
 * and of nothing else. What rules say of a topic's size is so in the store's file too. */
#include "durable_rig.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SECOND = 1000, AGE = 6 * SECOND, HOUR = 3600 * SECOND };

static struct hub_rig rig;
static bool stored; /* the server that runs has the folder */

static void keep(void) {
    if (stored)
        durable_rig_keep(1000, AGE, 1 << 20);
    else
        hub_rig_keep(1000, AGE, 1 << 20);
}

static int setup(void **state) {
    (void)state;
    durable_rig_init(&rig);
    stored = true;
    keep();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    if (!stored)
        durable_rig_start();
    durable_rig_fini(&rig);
    return 0;
}

static void stop(void) {
    hub_rig_settle(&rig);
    if (stored)
        durable_rig_stop();
    else
        hub_clear();
    clock_advance_ns(5000000); /* it takes a moment */
}

static void start(bool with_store) {
    stored = with_store;
    if (stored)
        durable_rig_start();
}

static void restart(void) {
    stop();
    start(true);
    keep();
}

static event_id publish(const char *topic) {
    if (stored)
        return durable_publish(&rig, topic);
    hub_rig_publish(&rig, topic, NULL);
    return rig.last;
}

/* What a client gets that comes back with that id, `count` events and gaps. Ids must grow. */
static const char *resume(const char *names, event_id after, int count) {
    static char got[400];
    struct taker taker;
    char each[100], *rest = each;
    snprintf(each, sizeof each, "%s", names);
    taker_init(&taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    for (char *name; (name = strtok_r(rest, " ", &rest)) != NULL;)
        taker_add_from(&taker, name, after, true);
    bool resumed = taker.position.resumed;
    snprintf(got, sizeof got, "%s", durable_take(&rig, &taker, count));
    while (!list_empty(&taker.position.replays))
        durable_turn(&rig);
    assert_string_equal(taker_text(&taker), "");
    if (strstr(got, "expired") || strstr(got, "restart"))
        assert_false(resumed);
    else if (strchr(got, ':') == NULL)
        assert_true(resumed);
    taker_fini(&taker);
    hub_rig_settle(&rig);
    return got;
}

/* --- what is lost is told --- */

static void a_topic_born_anew_tells_what_went_before(void **state) {
    (void)state;
    event_id seen = publish("d"), third = 0;
    publish("d");
    publish("d");
    durable_pass(&rig, 8 * SECOND);
    publish("d");
    assert_string_equal(resume("d", seen, 2), "expired:null 4");
    restart();
    assert_string_equal(resume("d", seen, 2), "trimmed:null 4");
    assert_string_equal(resume("*", seen, 2), "trimmed:null 4");
    durable_pass(&rig, 8 * SECOND); /* and again, while another server runs */
    third = publish("d");
    restart();
    assert_string_equal(resume("d", seen, 2), "trimmed:null 5");
    assert_string_equal(resume("d", third - 1, 1), "5");
}

/* It is gone, and has not been born anew. */
static void a_topic_that_is_gone_tells_it_too(void **state) {
    (void)state;
    event_id seen = publish("d");
    event_id last = publish("d");
    durable_pass(&rig, 8 * SECOND);
    for (int again = 0; again < 2; again++) {
        assert_string_equal(resume("d", seen, 1), "expired:null");
        assert_string_equal(resume("*", seen, 1), "expired:null");
        assert_string_equal(resume("d", last, 0), "");
        restart();
    }
}

static void what_was_in_memory_before_is_told(void **state) {
    (void)state;
    durable_rig_rule("d", false, AGE);
    hub_rig_publish(&rig, "d", NULL);
    event_id seen = rig.last;
    hub_rig_publish(&rig, "d", NULL);
    durable_rig_rule("d", true, AGE);
    event_id first = publish("d");
    assert_string_equal(resume("d", seen, 2), "2 3"); /* memory has it */
    restart();
    assert_string_equal(resume("d", seen, 2), "restart:null 3");
    assert_string_equal(resume("d e", seen, 2), "restart:null 3");
    assert_string_equal(resume("d", first - 1, 1), "3");
}

/* The first server with the folder has told what came before it: that is over then. */
static void what_came_before_the_folder_is_told_once(void **state) {
    (void)state;
    event_id start = hub.start;
    assert_string_equal(resume("d", start - 1, 1), "restart:null");
    restart();
    assert_string_equal(resume("d", start, 0), "");
    assert_string_equal(resume("*", start, 0), "");
}

static void who_has_left_all_is_told_nothing(void **state) {
    (void)state;
    struct taker taker;
    taker_init(&taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_add_from(&taker, "d", hub.start - 1, true);
    taker_remove(&taker, "d");
    hub_rig_settle(&rig);
    assert_string_equal(taker_text(&taker), "");
    taker_add(&taker, "e");
    publish("e");
    assert_string_equal(durable_take(&rig, &taker, 1), "1");
    taker_fini(&taker);
}

/* Whatever a later rule would have kept. */
static void what_was_trimmed_stays_so(void **state) {
    (void)state;
    durable_rig_keep(3, AGE, 1 << 20);
    event_id seen = publish("d");
    for (int i = 0; i < 5; i++)
        publish("d");
    assert_string_equal(resume("d", seen, 4), "trimmed:2 4 5 6");
    restart();
    assert_string_equal(resume("d", seen, 4), "trimmed:null 4 5 6");
}

/* One server had it in memory, the next one makes it durable. */
static void so_is_what_another_server_had_in_memory(void **state) {
    (void)state;
    durable_rig_rule("d", false, AGE);
    hub_rig_publish(&rig, "d", NULL);
    event_id seen = rig.last;
    hub_rig_publish(&rig, "d", NULL);
    restart();
    assert_string_equal(resume("d", seen, 1), "restart:null");
    assert_string_equal(resume("*", seen, 1), "restart:null");
    publish("d");
    assert_string_equal(resume("d", seen, 2), "restart:null 3");
    restart();
    assert_string_equal(resume("d", seen, 2), "restart:null 3");
}

/* Durable, in memory, durable again; the file has the first part. */
static void so_is_what_came_while_it_was_not_durable(void **state) {
    (void)state;
    publish("d");
    durable_rig_rule("d", false, AGE);
    hub_rig_publish(&rig, "d", NULL);
    event_id seen = rig.last;
    hub_rig_publish(&rig, "d", NULL);
    durable_rig_rule("d", true, AGE);
    publish("d");
    restart();
    assert_string_equal(resume("d", seen, 2), "restart:null 4");
}

static void keep_two(bool durable) {
    struct topic_rule rule = {.pattern = STR("d"), .keep = {2, AGE, 1 << 20}, .durable = durable};
    hub_set_rules("two", &rule, 1);
}

/* In memory, durable, in memory again: the file has never had the first part. */
static void so_is_what_came_before_it_was_durable_for_a_while(void **state) {
    (void)state;
    keep_two(false);
    hub_rig_publish(&rig, "d", NULL);
    event_id seen = rig.last;
    hub_rig_publish_many(&rig, "d", 3);
    keep_two(true);
    publish("d");
    assert_string_equal(resume("d", seen, 3), "trimmed:2 4 5");
    keep_two(false);
    assert_string_equal(resume("d", seen, 3), "trimmed:2 4 5");
}

static void what_a_server_without_the_folder_had_is_told(void **state) {
    (void)state;
    publish("old");
    stop();
    start(false);
    keep();
    publish("d");
    event_id seen = publish("old");
    publish("d");
    publish("old");
    stop();
    start(true);
    keep();
    for (int again = 0; again < 2; again++) {
        assert_string_equal(resume("d", seen, 1 + again),
                            again ? "restart:null 6" : "restart:null");
        assert_string_equal(resume("old", seen, 1 + again),
                            again ? "restart:null 7" : "restart:null");
        if (again)
            break;
        publish("d");
        publish("old");
    }
    restart();
    assert_string_equal(resume("d", seen, 2), "restart:null 6");
    assert_string_equal(resume("old", seen, 2), "restart:null 7");
}

/* --- and nothing else is --- */

static void another_topic_that_went_is_nobodys_gap(void **state) {
    (void)state;
    event_id before = publish("a");
    publish("b");
    durable_pass(&rig, 3 * SECOND);
    publish("b");
    durable_pass(&rig, 3 * SECOND); /* a is gone */
    assert_string_equal(resume("c", before, 0), "");
    assert_string_equal(resume("b*", before + 1, 1), "3");
    assert_string_equal(resume("c*", before, 0), "");
    restart();
    assert_string_equal(resume("c", before, 0), "");
    assert_string_equal(resume("c*", before, 0), "");
    publish("c");
    assert_string_equal(resume("c", before, 1), "4");
    restart();
    assert_string_equal(resume("c", before, 1), "4");
    assert_string_equal(resume("a*", before, 0), "");
}

static void nor_is_one_in_memory(void **state) {
    (void)state;
    stop();
    start(false);
    keep();
    event_id before = publish("a");
    event_id last = publish("a");
    struct taker keeper; /* of time */
    taker_init(&keeper, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_add(&keeper, "k");
    hub_rig_pass(&rig, 8 * SECOND);
    assert_string_equal(resume("b", before, 0), "");
    assert_string_equal(resume("b*", before, 0), "");
    assert_string_equal(resume("a", before, 1), "expired:null");
    assert_string_equal(resume("a*", before, 1), "expired:null");
    assert_string_equal(resume("a", last, 0), "");
    publish("a");
    assert_string_equal(resume("a", before, 2), "expired:null 3");
    assert_string_equal(resume("*", last, 1), "3");
    taker_fini(&keeper);
}

/* Of very many the oldest are not remembered; then all that is not known may be one of them. */
static void very_many_that_went_are_told_to_all(void **state) {
    (void)state;
    stop();
    start(false);
    keep();
    event_id before = publish("a"), last = 0;
    for (int i = 0; i < 6000; i++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", i);
        last = publish(name);
    }
    struct taker keeper;
    taker_init(&keeper, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_add(&keeper, "k");
    hub_rig_pass(&rig, 8 * SECOND);
    assert_string_equal(resume("b", before, 1), "expired:null");
    assert_string_equal(resume("b", last, 0), "");
    assert_string_equal(resume("t5999", last - 1, 1), "expired:null");
    taker_fini(&keeper);
}

static void durable_topics_without_events_lost_none(void **state) {
    (void)state;
    event_id seen = publish("d");
    restart();
    assert_string_equal(resume("d e", seen, 0), "");
    assert_string_equal(resume("*", seen, 0), "");
    publish("e");
    restart();
    assert_string_equal(resume("d e", seen, 1), "2");
    assert_string_equal(resume("*", seen, 1), "2");
}

/* An event may be as old as the rule allows, to the millisecond. */
static void a_gap_never_follows_an_event_of_its_id(void **state) {
    (void)state;
    for (int ms = -2; ms <= 2; ms++) {
        event_id before = publish("a");
        clock_advance_ns((uint64_t)2 * SECOND * 1000000);
        publish("p/1");
        clock_advance_ns((uint64_t)(AGE + ms) * 1000000);
        struct taker taker;
        taker_init(&taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
        taker_add_from(&taker, "p/*", before, true);
        durable_take(&rig, &taker, 1); /* fails if ids do not grow */
        taker_fini(&taker);
        durable_pass(&rig, AGE);
    }
}

/* --- the file keeps what the rule says --- */

static struct stored_topic in_file(const char *name) {
    struct stored_topic topic = {.oldest = 0};
    durable_settle();
    if (!store_topic(durable_rig_store(), str_of(name), &topic))
        topic.oldest = EVENT_ID_NONE;
    return topic;
}

static void set_rule(uint64_t count, uint64_t age, uint64_t bytes) {
    durable_rig_keep(count, age, bytes);
}

static void a_rule_that_shrinks_reaches_the_file(void **state) {
    (void)state;
    event_id ids[10];
    for (int at_start = 0; at_start < 2; at_start++) {
        set_rule(1000, HOUR, 1 << 20);
        for (int i = 0; i < 10; i++)
            ids[i] = publish("d");
        if (at_start)
            stop(), start(true);
        set_rule(7, HOUR, 1 << 20);
        assert_true(in_file("d").oldest == ids[3]);
        if (at_start)
            stop(), start(true);
        set_rule(7, HOUR, 30);
        assert_true(in_file("d").oldest > ids[3]);
        set_rule(1000, HOUR, 1 << 20);
        clock_advance_ns((uint64_t)10 * SECOND * 1000000);
        event_id last = publish("d");
        if (at_start)
            stop(), start(true);
        set_rule(1000, AGE, 1 << 20);
        assert_true(in_file("d").oldest == last);
        assert_true(in_file("d").floor == ids[9]);
    }
}

/* A single event, with nobody who publishes. */
static void each_event_goes_when_its_time_has_come(void **state) {
    (void)state;
    for (int again = 0; again < 2; again++) {
        event_id ids[4];
        for (int i = 0; i < 4; i++) {
            ids[i] = publish("d");
            clock_advance_ns((uint64_t)1200 * 1000000);
        }
        if (again)
            restart();
        hub_tick();
        hub_rig_settle(&rig);
        assert_true(in_file("d").oldest == ids[0]);
        for (int i = 1; i < 4; i++) { /* at 6, 7.2 and 8.4 s */
            hub_rig_pass(&rig, 1201);
            assert_true(in_file("d").oldest == ids[i]);
        }
        hub_rig_pass(&rig, 1201);
        assert_true(in_file("d").oldest == 0);
    }
}

/* --- what is durable no more --- */

/* No rule speaks of it: whose app is broken. It waits. */
static void what_no_rule_speaks_of_stays_as_it_is(void **state) {
    (void)state;
    event_id first = publish("d");
    stop();
    start(true);
    hub_rig_pass(&rig, 2 * HOUR);
    assert_true(in_file("d").oldest == first);
    assert_string_equal(resume("d", first - 1, 1), "1");
    assert_string_equal(resume("d", first, 0), "");
}

/* A rule has it in memory: that rule says how long the file keeps what it has. */
static void a_rule_in_memory_ages_what_is_stored(void **state) {
    (void)state;
    event_id first = publish("d");
    durable_rig_rule("d", false, 3 * SECOND);
    publish("x");
    assert_string_equal(resume("d", first - 1, 1), "1");
    assert_true(in_file("d").oldest == first);
    hub_rig_pass(&rig, 4 * SECOND);
    assert_true(in_file("d").oldest == 0);
}

/* What leaves the file is in memory, all of it: nothing was trimmed. What came before this server
 * nobody knows of a topic in memory. */
static void what_leaves_the_file_is_not_trimmed(void **state) {
    (void)state;
    event_id seen = publish("x");
    restart();
    event_id first = publish("d");
    durable_rig_rule("d", false, AGE);
    hub_rig_publish(&rig, "d", NULL);
    assert_true(in_file("d").oldest == 0);
    assert_string_equal(resume("d", seen, 3), "restart:null 2 3");
    assert_string_equal(resume("d", first, 1), "3");
}

/* Its next event still goes to the file, behind the word that it is the last one that must: whoever
 * is killed from then on has lost what was in memory, and the file knows. */
static void the_next_event_ends_what_is_stored(void **state) {
    (void)state;
    event_id first = publish("d");
    publish("d");
    stop();
    start(true);
    durable_rig_rule("d", false, AGE);
    assert_true(publish("d") == in_file("d").last_id);
    hub_rig_publish(&rig, "d", NULL);
    event_id memory = rig.last;
    assert_true(in_file("d").oldest == 0);
    assert_non_null(strstr(resume("d", first, 3), ":null 3 4"));
    assert_string_equal(resume("d", memory - 1, 1), "4");
    stop();
    start(true);
    keep();
    assert_non_null(strstr(resume("d", first, 1), ":null"));
    assert_non_null(strstr(resume("d", memory - 1, 1), ":null"));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_topic_born_anew_tells_what_went_before),
        TEST(a_topic_that_is_gone_tells_it_too),
        TEST(what_was_in_memory_before_is_told),
        TEST(what_came_before_the_folder_is_told_once),
        TEST(who_has_left_all_is_told_nothing),
        TEST(what_was_trimmed_stays_so),
        TEST(so_is_what_another_server_had_in_memory),
        TEST(so_is_what_came_while_it_was_not_durable),
        TEST(so_is_what_came_before_it_was_durable_for_a_while),
        TEST(what_a_server_without_the_folder_had_is_told),
        TEST(another_topic_that_went_is_nobodys_gap),
        TEST(nor_is_one_in_memory),
        TEST(very_many_that_went_are_told_to_all),
        TEST(durable_topics_without_events_lost_none),
        TEST(a_gap_never_follows_an_event_of_its_id),
        TEST(a_rule_that_shrinks_reaches_the_file),
        TEST(each_event_goes_when_its_time_has_come),
        TEST(what_no_rule_speaks_of_stays_as_it_is),
        TEST(a_rule_in_memory_ages_what_is_stored),
        TEST(what_leaves_the_file_is_not_trimmed),
        TEST(the_next_event_ends_what_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

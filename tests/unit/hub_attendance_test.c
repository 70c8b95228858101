/* Who is on a topic, told as events: the first stream and the last, over two workers; who is away
 * for a moment only was never away. */
#include "hub_rig.h"

#include "base/clock.h"
#include "hub/attendance.h"
#include "hub/history.h"
#include "proto/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LINGER_MS 5000

static struct hub_rig rig;

static void rule(struct str pattern, struct str presence) {
    struct topic_rule rule = {.pattern = pattern,
                              .keep = {1000, 3600000, UINT64_MAX},
                              .presence = presence,
                              .linger_ms = LINGER_MS};
    hub_set_rules("test", &rule, 1);
}

static int setup(void **state) {
    (void)state;
    hub_rig_init(&rig, 2);
    rule(STR("room/*"), STR("who/*"));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hub_rig_fini(&rig);
    return 0;
}

static void come(struct taker *taker, int worker, const char *subject, const char *topic) {
    taker_init(taker, &rig.readers[worker], OVERFLOW_NONE, UINT32_MAX);
    position_set_subject(&taker->position, str_of(subject));
    taker_add(taker, topic);
    hub_rig_settle(&rig);
}

static void go(struct taker *taker) {
    taker_fini(taker);
    hub_rig_settle(&rig);
}

static void pass(uint64_t ms) {
    hub_rig_pass(&rig, ms);
    attendance_tell(&rig.readers[0]);
}

/* All that was told there, as "+ann 1 -ann 0". */
static const char *told(const char *topic) {
    static char out[512];
    struct history history = {.before = EVENT_ID_NONE, .limit = 100};
    assert_true(history_read(&history, str_of(topic)));
    struct str records = buf_str(&history.records), text, key;
    for (out[0] = 0; history_next(&records, &text, &key);) {
        struct sse_event event;
        struct buf scratch = {0};
        char of[64], sub[64], data[256];
        unsigned streams;
        sse_decode(text, &event, &scratch);
        snprintf(data, sizeof data, "%.*s", (int)event.data.len, event.data.ptr);
        const char *form = "{\"topic\":\"%63[^\"]\",\"sub\":\"%63[^\"]\",\"streams\":%u}";
        assert_int_equal(sscanf(data, form, of, sub, &streams), 3);
        assert_string_equal(of + strlen("room/"), topic + strlen("who/"));
        bool join = str_eq(event.event, STR("weir.join"));
        assert_true(join || str_eq(event.event, STR("weir.leave")));
        sprintf(out + strlen(out), "%s%s%s %u", *out ? " " : "", join ? "+" : "-", sub, streams);
        buf_fini(&scratch);
    }
    buf_fini(&history.records);
    return out;
}

static void the_first_stream_and_the_last_one(void **state) {
    (void)state;
    struct taker one, two, other;
    come(&one, 0, "ann", "room/1");
    come(&two, 1, "ann", "room/1");
    come(&other, 1, "ben", "room/1");
    assert_string_equal(told("who/1"), "+ann 1 +ben 3");
    go(&one);
    pass(2 * LINGER_MS);
    assert_string_equal(told("who/1"), "+ann 1 +ben 3");
    go(&two);
    pass(LINGER_MS - 100);
    assert_string_equal(told("who/1"), "+ann 1 +ben 3");
    pass(200);
    assert_string_equal(told("who/1"), "+ann 1 +ben 3 -ann 1");
    go(&other);
    pass(LINGER_MS + 100);
    assert_string_equal(told("who/1"), "+ann 1 +ben 3 -ann 1 -ben 0");
}

static void who_comes_back_in_time_was_never_away(void **state) {
    (void)state;
    struct taker taker;
    for (int i = 0; i < 3; i++) {
        come(&taker, i % 2, "ann", "room/1");
        pass(LINGER_MS * 2);
        go(&taker);
        pass(LINGER_MS - 100);
    }
    assert_string_equal(told("who/1"), "+ann 1");
    pass(200);
    come(&taker, 0, "ann", "room/1");
    assert_string_equal(told("who/1"), "+ann 1 -ann 0 +ann 1");
    go(&taker);
}

static void topics_are_places_of_their_own(void **state) {
    (void)state;
    struct taker taker;
    come(&taker, 0, "ann", "room/1");
    taker_add(&taker, "room/2");
    taker_add(&taker, "room/2");
    taker_add(&taker, "elsewhere");
    hub_rig_settle(&rig);
    taker_remove(&taker, "room/1");
    pass(LINGER_MS + 100);
    assert_string_equal(told("who/1"), "+ann 1 -ann 0");
    assert_string_equal(told("who/2"), "+ann 1");
    go(&taker);
}

static void nobody_and_a_prefix_are_not_told(void **state) {
    (void)state;
    struct taker nobody, prefix;
    come(&nobody, 0, NULL, "room/1");
    come(&prefix, 0, "ann", "room/*");
    assert_string_equal(told("who/1"), "");
    taker_add(&prefix, "room/1"); /* by name as well */
    hub_rig_settle(&rig);
    assert_string_equal(told("who/1"), "+ann 2");
    go(&nobody);
    go(&prefix);
}

/* Who was told of the coming is told of the going, though the rules have changed. */
static void a_change_of_rules_leaves_pairs(void **state) {
    (void)state;
    struct taker before, after;
    come(&before, 0, "ann", "room/1");
    rule(STR("room/*"), STR("gone/*"));
    come(&after, 0, "ann", "room/1");
    go(&before);
    pass(LINGER_MS + 100);
    assert_string_equal(told("who/1"), "+ann 1");
    rule(STR("room/*"), (struct str){NULL, 0});
    go(&after);
    pass(LINGER_MS + 100);
    assert_string_equal(told("who/1"), "+ann 1 -ann 0");
    assert_string_equal(told("gone/1"), "");
}

/* It was there before the rule: nobody knows of it, and its going is none. */
static void who_was_there_before_the_rule(void **state) {
    (void)state;
    struct taker before, after;
    rule(STR("room/*"), (struct str){NULL, 0});
    come(&before, 0, "ann", "room/1");
    rule(STR("room/*"), STR("who/*"));
    come(&after, 0, "ann", "room/1");
    go(&before);
    pass(LINGER_MS + 100);
    assert_string_equal(told("who/1"), "+ann 2");
    go(&after);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_first_stream_and_the_last_one), TEST(who_comes_back_in_time_was_never_away),
        TEST(topics_are_places_of_their_own),    TEST(nobody_and_a_prefix_are_not_told),
        TEST(a_change_of_rules_leaves_pairs),    TEST(who_was_there_before_the_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

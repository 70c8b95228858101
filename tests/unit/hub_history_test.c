/* History: which events, in which order, and whether there are more. */
#include "hub/history.h"

#include "base/buf.h"
#include "hub_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { EVENTS = 5 };

static struct hub_rig rig;
static event_id ids[EVENTS + 1]; /* by serial */

static int setup(void **state) {
    (void)state;
    hub_rig_init(&rig, 1);
    for (int i = 1; i <= EVENTS; i++) {
        hub_rig_publish(&rig, "t", i == 2 ? "k" : NULL);
        ids[i] = rig.last;
        hub_rig_publish(&rig, "u", NULL);
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hub_rig_fini(&rig);
    return 0;
}

/* The events' serial numbers, halved since every second one is u's, and "..." if there are more. */
static const char *read_text(struct history history, const char *topic) {
    static char out[200];
    size_t n = 0, count = 0;
    *out = 0;
    history_read(&history, str_of(topic));
    struct str records = buf_str(&history.records), text, key;
    while (history_next(&records, &text, &key)) {
        int serial = atoi(text.ptr + strlen("data: ")) / 2 + 1;
        n += (size_t)snprintf(out + n, sizeof out - n, "%d", serial);
        assert_true(serial == 2 ? str_eq(key, STR("k")) : key.ptr == NULL);
        assert_memory_equal(text.ptr + text.len - 2, "\n\n", 2);
        count++;
    }
    assert_int_equal(count, history.count);
    if (history.more)
        snprintf(out + n, sizeof out - n, "...");
    buf_fini(&history.records);
    return out;
}

static const char *newest(event_id before, size_t limit) {
    return read_text((struct history){.before = before, .limit = limit}, "t");
}

static const char *from(event_id after, event_id before, size_t limit) {
    return read_text(
        (struct history){.from_id = true, .after = after, .before = before, .limit = limit}, "t");
}

static void the_newest(void **state) {
    (void)state;
    assert_string_equal(newest(EVENT_ID_NONE, 100), "12345");
    assert_string_equal(newest(EVENT_ID_NONE, 5), "12345");
    assert_string_equal(newest(EVENT_ID_NONE, 4), "2345...");
    assert_string_equal(newest(EVENT_ID_NONE, 1), "5...");
    assert_string_equal(newest(EVENT_ID_NONE, 0), "...");
}

static void the_newest_before_one(void **state) {
    (void)state;
    assert_string_equal(newest(ids[4], 2), "23...");
    assert_string_equal(newest(ids[4] + 1, 2), "34...");
    assert_string_equal(newest(ids[3], 2), "12");
    assert_string_equal(newest(ids[1], 2), "");
    assert_string_equal(newest(0, 2), "");
    assert_string_equal(newest(1, 2), "");
}

static void what_follows_one(void **state) {
    (void)state;
    assert_string_equal(from(0, EVENT_ID_NONE, 100), "12345");
    assert_string_equal(from(ids[2], EVENT_ID_NONE, 100), "345");
    assert_string_equal(from(ids[2], EVENT_ID_NONE, 2), "34...");
    assert_string_equal(from(ids[5], EVENT_ID_NONE, 2), "");
    assert_string_equal(from(EVENT_ID_NONE, EVENT_ID_NONE, 2), "");
    assert_string_equal(from(ids[1], ids[4], 100), "23");
    assert_string_equal(from(ids[1], ids[4], 1), "2...");
    assert_string_equal(from(ids[4], ids[1], 100), "");
    assert_string_equal(from(0, 0, 100), "");
    assert_string_equal(from(ids[1], 0, 100), "");
}

static void what_was_trimmed_is_not_there(void **state) {
    (void)state;
    hub_lock();
    topic_trim(hub_topic(STR("t")), 3);
    hub_unlock();
    assert_string_equal(newest(EVENT_ID_NONE, 2), "45");
    assert_string_equal(from(0, EVENT_ID_NONE, 1), "4...");
    assert_string_equal(newest(ids[3], 2), "");
}

static void a_topic_that_is_none_has_none(void **state) {
    (void)state;
    uint64_t topics = hub.topics;
    struct history history = {.before = EVENT_ID_NONE, .limit = 10};
    assert_string_equal(read_text(history, "nowhere"), "");
    assert_string_equal(read_text(history, "tt"), "");
    assert_int_equal(hub.topics, topics); /* asking does not make one */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_newest),
        TEST(the_newest_before_one),
        TEST(what_follows_one),
        TEST(what_was_trimmed_is_not_there),
        TEST(a_topic_that_is_none_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

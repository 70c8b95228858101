/* The history of a durable topic: what memory has and what the store has are one row, read page by
 * page, and a page that fails is said. */
#include "durable_rig.h"

#include "base/fault.h"
#include "hub/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 1200, PAD = 400 }; /* half a MiB: four pages */

static struct hub_rig rig;

static int setup(void **state) {
    (void)state;
    durable_rig_init(&rig);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    durable_rig_fini(&rig);
    return 0;
}

static void restart(void) {
    hub_rig_settle(&rig);
    durable_rig_restart();
    durable_rig_keep(1000000, 3600000, UINT64_MAX);
}

struct reading {
    struct fetch fetch;
    int done, error;
};

static void on_fetched(struct fetch *fetch, int error) {
    struct reading *reading = CONTAINER_OF(fetch, struct reading, fetch);
    reading->done++;
    reading->error = error;
}

static const char *read_history(struct history history) {
    static struct buf out = {0};
    struct reading reading = {.fetch = {.history = history, .done = on_fetched, .owner = &reading}};
    buf_fini(&out);
    if (!history_read(&reading.fetch.history, STR("d"))) {
        history_fetch(&reading.fetch, &rig.readers[0], STR("d"));
        while (!reading.done)
            durable_turn(&rig);
    }
    struct str records = buf_str(&reading.fetch.history.records), text, key;
    while (history_next(&records, &text, &key))
        buf_printf(&out, "%d", atoi(text.ptr + strlen("data: ")));
    buf_add(&out, str_of(reading.fetch.history.more ? "..." : ""));
    buf_add(&out, str_of(reading.error ? "error" : ""));
    buf_add_char(&out, 0);
    buf_fini(&reading.fetch.history.records);
    return out.data;
}

static void history_crosses_a_restart(void **state) {
    (void)state;
    event_id ids[6] = {0};
    for (int i = 1; i <= 3; i++)
        ids[i] = durable_publish(&rig, "d");
    restart();
    for (int i = 4; i <= 5; i++)
        ids[i] = durable_publish(&rig, "d");
    const event_id none = EVENT_ID_NONE;
    const struct {
        struct history history;
        const char *expected;
    } cases[] = {
        {{.before = none, .limit = 100}, "12345"},
        {{.before = none, .limit = 5}, "12345"},
        {{.before = none, .limit = 3}, "345..."},
        {{.before = ids[5], .limit = 3}, "234..."},
        {{.before = ids[1], .limit = 3}, ""},
        {{.before = 0, .limit = 3}, ""},
        {{.from_id = true, .after = ids[2], .before = none, .limit = 100}, "345"},
        {{.from_id = true, .after = ids[1], .before = none, .limit = 3}, "234..."},
        {{.from_id = true, .after = ids[1], .before = ids[5], .limit = 3}, "234"},
        {{.from_id = true, .after = ids[3], .before = none, .limit = 3}, "45"},
        {{.from_id = true, .after = ids[4], .before = ids[2], .limit = 3}, ""},
        {{.from_id = true, .after = 0, .before = 0, .limit = 3}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(read_history(cases[i].history), cases[i].expected);
    fault_arm("store_read", UV_EIO, 0, 1);
    struct history newest = {.before = none, .limit = 1}; /* memory has more than that */
    assert_string_equal(read_history(newest), "5...");
    assert_string_equal(read_history(cases[0].history), "error");
    assert_string_equal(read_history(cases[0].history), "12345");
}

/* More than a page, and one that fails behind the first. */
static void history_is_read_page_by_page(void **state) {
    (void)state;
    static struct sent sent[MANY];
    for (int i = 0; i < MANY; i++)
        durable_send(&rig, &sent[i], "d", NULL, PAD);
    durable_wait(&rig, &sent[MANY - 1]);
    restart();
    const event_id none = EVENT_ID_NONE, from = sent[99].publication.id;
    assert_string_equal(read_history((struct history){.before = none, .limit = 2}), "11991200...");
    struct history rest = {.from_id = true, .after = from, .before = none, .limit = MANY};
    const char *all = read_history(rest);
    assert_memory_equal(all, "101102103", 9);
    assert_int_equal(strlen(all), 899 * 3 + 201 * 4);
    assert_string_equal(all + strlen(all) - 8, "11991200");
    fault_arm("store_read", UV_EIO, 1, 1);
    assert_non_null(strstr(read_history(rest), "error"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(history_crosses_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(history_is_read_page_by_page, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

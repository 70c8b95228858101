/* Event ids: how they are written and read, and that they grow whatever the clock does. */
#include "proto/event_id.h"

#include "base/clock.h"
#include "hub/hub.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

#define LAST_MS ((1ull << 44) - 1)
#define LAST_SEQUENCE ((1u << 20) - 1)

static void what_is_written_is_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms, sequence;
    } rows[] = {
        {"0000000000000-0000000", 0, 0},
        {"0000000000000-0000001", 0, 1},
        {"0000000000001-0000000", 1, 0},
        {"0000000000009-0000009", 9, 9},
        {"0000000000010-0000010", 10, 10},
        {"1763726400000-0000042", 1763726400000, 42},
        {"1763726400000-1048575", 1763726400000, LAST_SEQUENCE},
        {"9999999999999-0000000", 9999999999999, 0},
        {"10000000000000-0000000", 10000000000000, 0}, /* the year 2286 */
        {"17592186044415-1048574", LAST_MS, LAST_SEQUENCE - 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str row = str_of(rows[i].text), text = exact(row);
        event_id id = 1;
        char out[EVENT_ID_TEXT];
        SAME_INT(row, event_id_parse(text, &id), 0);
        SAME_INT(row, id, event_id_at(rows[i].ms) + rows[i].sequence);
        SAME_INT(row, event_id_ms(id), rows[i].ms);
        size_t n = event_id_format(id, out);
        SAME_STR(row, (struct str){out, n}, row);
        SAME_INT(row, out[n], 0);
        exact_free(text);
    }
}

/* Clients may still have ids as they were written once, and people write them by hand. */
static void fewer_zeroes_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms, sequence;
    } rows[] = {
        {"0-0", 0, 0},
        {"1-1", 1, 1},
        {"01-01", 1, 1},
        {"1763726400000-42", 1763726400000, 42},
        {"01763726400000-042", 1763726400000, 42},
        {"17592186044415-0", LAST_MS, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str row = str_of(rows[i].text), text = exact(row);
        event_id id = 1;
        SAME_INT(row, event_id_parse(text, &id), 0);
        SAME_INT(row, id, event_id_at(rows[i].ms) + rows[i].sequence);
        exact_free(text);
    }
}

/* Of one millisecond, its end, and what comes behind it: until 2286, who sorts texts sorts ids. */
static void texts_are_in_the_order_of_ids(void **state) {
    (void)state;
    static const uint64_t sequences[] = {0,      1,      9,       10,           99999,
                                         100000, 999999, 1000000, LAST_SEQUENCE};
    char before[EVENT_ID_TEXT] = "", text[EVENT_ID_TEXT];
    for (uint64_t ms = 1763726400999; ms <= 1763726401001; ms++) {
        for (size_t i = 0; i < COUNT(sequences); i++) {
            event_id_format(event_id_at(ms) + sequences[i], text);
            assert_true(strcmp(before, text) < 0);
            memcpy(before, text, sizeof before);
        }
    }
    event_id_format(event_id_at(1763726401001) + LAST_SEQUENCE + 1, text);
    assert_string_equal(text, "1763726401002-0000000");
}

static void anything_else_is_refused(void **state) {
    (void)state;
    static const struct str rows[] = {
        STR(""),
        STR("-"),
        STR("1"),
        STR("1-"),
        STR("-1"),
        STR("--1"),
        STR("1--1"),
        STR("1-1-"),
        STR("1-1-1"),
        STR("000000000000001-1"), /* longer than any that is written */
        STR("1-00000001"),
        STR("+1-1"),
        STR("1-+1"),
        STR(" 1-1"),
        STR("1-1 "),
        STR("1 -1"),
        STR("1-1\n"),
        STR("1-1\0"),
        STR("0x1-1"),
        STR("1.0-1"),
        STR("1e3-1"),
        STR("a-b"),
        STR("1-1048576"),              /* beyond 20 bits */
        STR("17592186044416-0"),       /* beyond 44 */
        STR("17592186044415-1048575"), /* stands for "no id" */
        STR("18446744073709551616-0"),
        STR("0-18446744073709551616"),
        STR("99999999999999999999999999-1"),
        STR("\xd9\xa1-\xd9\xa1"), /* digits, but not these */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct str text = exact(rows[i]);
        event_id id = 77;
        SAME_INT(rows[i], event_id_parse(text, &id), -1);
        SAME_INT(rows[i], id, 77);
        exact_free(text);
    }
    event_id id;
    assert_int_equal(event_id_parse((struct str){NULL, 0}, &id), -1);
}

static void the_longest_fits(void **state) {
    (void)state;
    char out[EVENT_ID_TEXT];
    assert_int_equal(event_id_format(EVENT_ID_NONE, out), EVENT_ID_TEXT - 2);
    assert_string_equal(out, "17592186044415-1048575");
}

/* --- making them --- */

static event_id next_id(void) {
    hub_lock();
    event_id id = hub_next_id();
    hub_unlock();
    return id;
}

static uint64_t wall_ms(void) {
    return (uint64_t)clock_wall_ns() / 1000000;
}

/* More than a millisecond has room for: the next one is borrowed. */
static void a_full_millisecond_runs_over(void **state) {
    (void)state;
    clock_freeze();
    hub_clear();
    clock_advance_ns(1000000); /* beyond ids made before */
    event_id first = next_id(), id = first;
    assert_int_equal(first, event_id_at(wall_ms()));
    for (uint32_t i = 0; i < LAST_SEQUENCE; i++)
        id = next_id();
    assert_int_equal(id, first + LAST_SEQUENCE);
    assert_int_equal(next_id(), event_id_at(wall_ms() + 1));
    clock_advance_ns(1000000); /* the clock comes to where ids are already */
    assert_int_equal(next_id(), event_id_at(wall_ms()) + 1);
    clock_advance_ns(1000000);
    assert_int_equal(next_id(), event_id_at(wall_ms()));
    clock_thaw();
}

static void a_clock_set_back_does_not_matter(void **state) {
    (void)state;
    clock_freeze();
    clock_advance_ns(3600ull * 1000000000);
    event_id before = next_id();
    clock_thaw(); /* wall time is an hour earlier again */
    assert_true(wall_ms() < event_id_ms(before));
    assert_int_equal(next_id(), before + 1);
    assert_int_equal(next_id(), before + 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(fewer_zeroes_are_read),
        cmocka_unit_test(texts_are_in_the_order_of_ids),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(the_longest_fits),
        cmocka_unit_test(a_full_millisecond_runs_over),
        cmocka_unit_test(a_clock_set_back_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

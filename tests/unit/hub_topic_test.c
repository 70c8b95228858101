/* A topic: what it keeps and how, entry by entry; its ring, its slabs, its keys; and that all its
 * memory is counted back. */
#include "hub/topic.h"

#include "base/mem.h"
#include "hub/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALL UINT64_MAX

static atomic_uint_fast64_t total;
static struct name *root;
static struct topic *topic;
static event_id last;
static uint64_t now_ms;

static int setup(void **state) {
    (void)state;
    root = name_new();
    last = event_id_at(1000);
    now_ms = 1000;
    topic = topic_new(name_get(root, STR("t")), last, GAP_RESTART, &total);
    timer_init(&topic->age, NULL);
    topic->keep = (struct topic_keep){ALL, ALL, ALL};
    return total == 0;
}

static int teardown(void **state) {
    (void)state;
    topic_free(topic);
    int left = root->nchildren;
    free(root);
    return total != 0 || left != 0;
}

static event_id append(struct str text, struct str key) {
    topic_append(topic, ++last, text, key, now_ms);
    return last;
}

static event_id append_key(const char *key) {
    return append(STR("data: x\n\n"), str_of(key));
}

static void append_many(int n) {
    while (n-- > 0)
        append_key(NULL);
}

/* An SSE text of `n` bytes. */
static char *text_of(size_t n) {
    char *text = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 26);
    memcpy(text + n - 2, "\n\n", 2);
    return text;
}

/* --- entries --- */

/* A chunk's size line has as many digits as it needs: the text must be found behind any. */
static void the_text_of_every_size(void **state) {
    (void)state;
    static const size_t sizes[] = {15, 16, 255, 256, 4095, 4096, 65535, 65536, 1048575, 1048576};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int off = -1; off <= 1; off++) {
            char line[EVENT_ID_TEXT + 8], size[32];
            int nline = snprintf(line, sizeof line, "id: 0000000001000-%07d\n\n",
                                 (int)(last + 1 - event_id_at(1000)));
            size_t chunk = sizes[i] + (size_t)off, n = chunk - (size_t)nline + 1;
            if (n < 2 || chunk < (size_t)nline)
                continue;
            char *text = text_of(n);
            append((struct str){text, n}, STR(""));
            struct entry *entry = topic_entry(topic, topic->next - 1);
            struct str found = entry_text(entry);
            assert_int_equal(found.len, chunk);
            assert_memory_equal(found.ptr, text, n - 1);
            assert_memory_equal(found.ptr + n - 1, line, (size_t)nline);
            int nsize = snprintf(size, sizeof size, "%zx\r\n", chunk);
            const char *bytes = entry->slab->data + entry->off;
            assert_int_equal(entry->len, (size_t)nsize + chunk + 2);
            assert_memory_equal(bytes, size, (size_t)nsize);
            assert_memory_equal(bytes + entry->len - 2, "\r\n", 2);
            assert_null(entry_key(entry).ptr);
            free(text);
        }
    }
}

/* Entries of one slab lie one behind the other: a run of them is one range of memory. */
static void entries_are_neighbours(void **state) {
    (void)state;
    append_many(200);
    int slabs = 1;
    for (uint64_t i = 1; i < 200; i++) {
        const struct entry *before = topic_entry(topic, i - 1), *entry = topic_entry(topic, i);
        assert_int_equal(entry->at, before->at + before->len);
        if (entry->slab == before->slab)
            assert_int_equal(entry->off, before->off + before->len);
        else
            slabs++;
    }
    assert_int_equal(topic->end, topic_entry(topic, 199)->at + topic_entry(topic, 199)->len);
    assert_in_range(slabs, 2, 6); /* they double */
}

static void ids_find_entries(void **state) {
    (void)state;
    event_id floor = last;
    assert_int_equal(topic_after(topic, 0), 0);
    assert_int_equal(topic_last_id(topic), floor);
    for (int i = 0; i < 10; i++) {
        last += 4;
        append_key(NULL); /* floor + 5, + 10, ... */
    }
    assert_int_equal(topic_last_id(topic), floor + 50);
    assert_int_equal(topic_after(topic, floor), 0);
    assert_int_equal(topic_after(topic, floor + 4), 0);
    assert_int_equal(topic_after(topic, floor + 5), 1);
    assert_int_equal(topic_after(topic, floor + 49), 9);
    assert_int_equal(topic_after(topic, floor + 50), 10);
    assert_int_equal(topic_after(topic, ALL), 10);
    topic_trim(topic, 4);
    assert_int_equal(topic_after(topic, 0), 4);
    assert_int_equal(topic_after(topic, floor + 20), 4);
    assert_int_equal(topic_after(topic, floor + 25), 5);
}

/* --- trimming --- */

static void a_count_is_kept(void **state) {
    (void)state;
    topic->keep.count = 3;
    append_many(3);
    assert_int_equal(topic->first, 0);
    assert_int_equal(topic->floor_reason, GAP_RESTART);
    append_many(1);
    assert_int_equal(topic->first, 1);
    assert_int_equal(topic->floor, last - 3);
    assert_int_equal(topic->floor_reason, GAP_TRIMMED);
    append_many(100);
    assert_int_equal(topic->first, 101);
    assert_int_equal(topic->next, 104);
    topic->keep.count = 1;
    append_many(1);
    assert_int_equal(topic->first, 104);
    assert_int_equal(topic->floor, last - 1);
}

static void bytes_are_kept(void **state) {
    (void)state;
    append_many(1);
    uint64_t one = topic->end;
    topic->keep.bytes = 3 * one;
    append_many(2);
    assert_int_equal(topic->end, 3 * one); /* ids of the same length */
    assert_int_equal(topic->first, 0);
    append_many(1);
    assert_int_equal(topic->first, 1);
    topic->keep.bytes = 3 * one - 1;
    append_many(1);
    assert_int_equal(topic->first, 3);
}

static void the_newest_stays_whatever_its_size(void **state) {
    (void)state;
    char *text = text_of(200000);
    topic->keep.bytes = 100;
    append((struct str){text, 200000}, STR(""));
    assert_int_equal(topic->next - topic->first, 1);
    append((struct str){text, 200000}, STR(""));
    assert_int_equal(topic->first, 1);
    assert_int_equal(topic->next, 2);
    free(text);
}

static void age_is_kept(void **state) {
    (void)state;
    topic->keep.age_ms = 500;
    for (now_ms = 2000; now_ms < 2005; now_ms++)
        append_key(NULL); /* whatever their ids say */
    event_id newest = last;
    topic_trim_age(topic, 400);
    topic_trim_age(topic, 2500);
    assert_int_equal(topic->first, 0); /* 500 ms old, and not older */
    topic_trim_age(topic, 2501);
    assert_int_equal(topic->first, 1);
    topic_trim_age(topic, 2504);
    assert_int_equal(topic->first, 4);
    topic_trim_age(topic, 9000);
    assert_true(topic_is_empty(topic));
    assert_int_equal(topic_last_id(topic), newest);
    append_many(1);
    assert_int_equal(topic->first, 5);
}

static void trimming_backwards_does_nothing(void **state) {
    (void)state;
    append_many(10);
    topic_trim(topic, 5);
    topic_trim(topic, 5);
    topic_trim(topic, 2);
    assert_int_equal(topic->first, 5);
    assert_int_equal(topic->next, 10);
}

/* --- memory --- */

static void the_ring_grows_and_shrinks(void **state) {
    (void)state;
    assert_int_equal(topic->ring_cap, 0);
    append_many(4);
    assert_int_equal(topic->ring_cap, 4);
    append_many(1);
    assert_int_equal(topic->ring_cap, 8);
    append_many(1000 - 5);
    assert_int_equal(topic->ring_cap, 1024);
    event_id newest = last;
    topic_trim(topic, 1000 - 129);
    assert_int_equal(topic->ring_cap, 1024);
    topic_trim(topic, 1000 - 128);
    assert_int_equal(topic->ring_cap, 256);
    assert_int_equal(topic_entry(topic, 1000 - 128)->id, newest - 127);
    assert_int_equal(topic_entry(topic, 999)->id, newest);
    topic_trim(topic, 1000); /* all at once, as age does */
    assert_in_range(topic->ring_cap, 1, 8);
}

static void trimmed_slabs_go_back(void **state) {
    (void)state;
    append_many(1);
    uint64_t begun = total;
    append_many(2000);
    assert_true(total > begun + 2000 * 20);
    topic_trim(topic, topic->next);
    uint64_t empty = total; /* no slab is left, and a small ring */
    assert_true(empty < begun);
    append_many(1);
    assert_true(total - empty <= 512);
}

/* How many are beyond an id can be said for as long as that one was not trimmed very long ago. */
static void what_was_trimmed_is_counted(void **state) {
    (void)state;
    topic->keep.count = 10;
    event_id before = last;
    append_many(500);
    assert_int_equal(topic_count(topic, before, last), 500);
    assert_int_equal(topic_count(topic, before + 7, before + 490), 483);
    assert_int_equal(topic_count(topic, last - 3, last), 3);
    assert_int_equal(topic_count(topic, last, last), 0);
    append_many(1500);
    assert_int_equal(topic_count(topic, before, last), -1);
    assert_int_equal(topic_count(topic, last - 1034, last), 1034);
    assert_int_equal(topic_count(topic, last - 1035, last), -1);
    topic_trim(topic, topic->next); /* it remembers nothing, for it keeps nothing */
    assert_int_equal(topic_count(topic, last - 1, last), -1);
    assert_int_equal(topic_count(topic, last, last), 0);
}

/* Whoever still sends from a slab keeps it alive, and it counts. */
static void a_slab_outlives_its_entries(void **state) {
    (void)state;
    append_many(1);
    struct slab *slab = slab_ref(topic_entry(topic, 0)->slab);
    struct str text = entry_text(topic_entry(topic, 0));
    uint64_t before = total, size = sizeof *slab + slab->cap;
    topic_trim(topic, 1);
    assert_int_equal(total, before);
    assert_memory_equal(text.ptr, "data: x\nid: ", 12);
    slab_unref(slab);
    assert_int_equal(total, before - size);
}

/* --- keys --- */

static bool superseded(uint64_t ordinal) {
    return topic_entry(topic, ordinal)->superseded;
}

static void a_key_supersedes_its_last_one(void **state) {
    (void)state;
    append_key("a");
    append_key("b");
    append_key(NULL);
    append_key("a");
    append_key("a");
    assert_true(superseded(0) && superseded(3));
    assert_false(superseded(1) || superseded(2) || superseded(4));
    assert_true(str_eq(entry_key(topic_entry(topic, 4)), STR("a")));
    assert_ptr_equal(entry_key(topic_entry(topic, 0)).ptr, entry_key(topic_entry(topic, 4)).ptr);
    assert_int_equal(topic->keys.count, 2);
}

static void keys_go_with_their_last_entry(void **state) {
    (void)state;
    uint64_t before = total;
    append_key("a");
    append_key("b");
    append_key("a");
    topic_trim(topic, 2);
    assert_int_equal(topic->keys.count, 1);
    topic_trim(topic, 3);
    assert_int_equal(topic->keys.count, 0);
    append_key("a"); /* nothing older is marked */
    append_key("a");
    assert_true(superseded(3));
    assert_false(superseded(4));
    topic_trim(topic, 5);
    assert_int_equal(total, before + topic->ring_cap * sizeof *topic->ring);
}

static void a_key_is_any_bytes(void **state) {
    (void)state;
    append(STR("data: 1\n\n"), STR("a\0b"));
    append(STR("data: 2\n\n"), STR("a\0c"));
    append(STR("data: 3\n\n"), STR("a"));
    assert_false(superseded(0) || superseded(1));
    append(STR("data: 4\n\n"), STR("a\0b"));
    assert_true(superseded(0));
    assert_int_equal(entry_key(topic_entry(topic, 0)).len, 3);
    append(STR("data: 5\n\n"), STR("")); /* none */
    assert_null(entry_key(topic_entry(topic, 4)).ptr);
}

/* Its own older entry goes in the very append. */
static void a_key_alone_in_a_topic_of_one(void **state) {
    (void)state;
    topic->keep.count = 1;
    for (int i = 0; i < 20; i++) {
        append_key("k");
        assert_false(superseded(topic->first));
        assert_int_equal(topic->keys.count, 1);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_text_of_every_size),
        TEST(entries_are_neighbours),
        TEST(ids_find_entries),
        TEST(a_count_is_kept),
        TEST(bytes_are_kept),
        TEST(the_newest_stays_whatever_its_size),
        TEST(age_is_kept),
        TEST(trimming_backwards_does_nothing),
        TEST(the_ring_grows_and_shrinks),
        TEST(trimmed_slabs_go_back),
        TEST(what_was_trimmed_is_counted),
        TEST(a_slab_outlives_its_entries),
        TEST(a_key_supersedes_its_last_one),
        TEST(keys_go_with_their_last_entry),
        TEST(a_key_is_any_bytes),
        TEST(a_key_alone_in_a_topic_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What store/kv promises: answers on the loop, in order, after the commit; compare and set;
 * pages of pairs; calls that nobody waits for any more, abandoned at any moment. */
#include "store/kv.h"

#include "base/clock.h"
#include "base/fault.h"
#include "store_rig.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>

struct desk { /* a loop and its open calls */
    struct store_rig *rig;
    struct loop loop;
    int pending, done;
    struct kv_call *last; /* the answer; freed by the next question */
};

static struct desk desk;

static int setup(void **state) {
    int rc = store_rig_setup(state);
    desk = (struct desk){.rig = *state};
    return rc ? rc : loop_init(&desk.loop);
}

static int teardown(void **state) {
    if (desk.last)
        kv_free(desk.last);
    loop_fini(&desk.loop);
    clock_thaw();
    return store_rig_teardown(state);
}

static void answered(struct kv_call *call) {
    desk.last = call;
    loop_stop(&desk.loop);
}

static struct kv_call *question(enum kv_kind kind, const char *key) {
    struct kv_call *call = kv_new(&desk.loop, kind, answered, NULL);
    buf_add(&call->name, STR("set"));
    buf_add(&call->key, str_of(key));
    return call;
}

static struct kv_call *ask(struct kv_call *call) {
    if (desk.last)
        kv_free(desk.last);
    kv_submit(desk.rig->store, call);
    loop_run(&desk.loop);
    assert_ptr_equal(desk.last, call);
    return call;
}

static void set(const char *key, const char *value, uint64_t ttl_ms) {
    struct kv_call *call = question(KV_SET, key);
    buf_add(&call->value, str_of(value));
    call->ttl_ms = ttl_ms;
    assert_int_equal(ask(call)->error, 0);
}

static void assert_value(const char *key, const char *value) {
    struct kv_call *call = ask(question(KV_GET, key));
    assert_int_equal(call->error, 0);
    assert_int_equal(call->found, value != NULL);
    if (value)
        assert_true(str_eq(buf_str(&call->bytes), str_of(value)));
}

static void what_is_set_is_there_until_it_is_not(void **state) {
    (void)state;
    assert_value("k", NULL);
    set("k", "one", 0);
    set("k", "two", 0);
    assert_value("k", "two");
    assert_true(ask(question(KV_DELETE, "k"))->found);
    assert_false(ask(question(KV_DELETE, "k"))->found);
    assert_value("k", NULL);
}

static void swap(const char *expected, const char *value, bool swapped) {
    struct kv_call *call = question(KV_SWAP, "k");
    call->has_expected = expected != NULL;
    call->has_value = value != NULL;
    buf_add(&call->expected, str_of(expected));
    buf_add(&call->value, str_of(value));
    ask(call);
    assert_int_equal(call->error, 0);
    assert_int_equal(call->swapped, swapped);
}

static void a_swap_needs_what_is_expected(void **state) {
    (void)state;
    swap("a", "b", false);
    swap(NULL, "a", true);
    swap(NULL, "b", false);
    assert_true(str_eq(buf_str(&desk.last->bytes), STR("a")));
    swap("", "b", false);
    swap("a", "", true);
    assert_value("k", "");
    swap(NULL, "b", false); /* an empty value is one */
    swap("", NULL, true);
    assert_value("k", NULL);
}

static void a_time_of_its_own(void **state) {
    (void)state;
    clock_freeze();
    set("k", "v", 1000);
    clock_advance_ns(999000000);
    assert_value("k", "v");
    clock_advance_ns(1000000);
    assert_value("k", NULL);
    swap(NULL, "w", true); /* what is over is not there, and leaves no time behind */
    clock_advance_ns(100000000000);
    assert_value("k", "w");
}

static void what_is_over_leaves_the_file(void **state) {
    (void)state;
    clock_freeze();
    for (int i = 0; i < 300; i++) {
        char key[16];
        snprintf(key, sizeof key, "%03d", i);
        set(key, "v", 1000);
    }
    for (int i = 0; i < 2; i++) { /* 256 at a time */
        clock_advance_ns(2000000000);
        set("other", "v", 0);
    }
    clock_thaw();
    clock_freeze(); /* some seconds back: what is in the file would be seen again */
    struct kv_call *call = question(KV_LIST, "");
    call->pairs_max = 1000;
    call->bytes_max = 1 << 20;
    assert_int_equal(ask(call)->npairs, 1);
}

static void pairs_come_in_pages(void **state) {
    (void)state;
    static const char *const keys[] = {"a", "b", "b1", "b2", "b3", "c"};
    for (size_t i = 0; i < COUNT(keys); i++)
        set(keys[i], "12345678", 0);
    static const struct {
        size_t pairs, bytes;
        const char *from, *seen;
        bool more;
    } rows[] = {
        {9, 999, "", "b b1 b2 b3 ", false},
        {4, 999, "", "b b1 b2 b3 ", false},
        {3, 999, "", "b b1 b2 ", true},
        {9, 19, "", "b b1 ", true},
        {9, 18, "", "b ", true},
        {9, 0, "", "b ", true},
        {9, 999, "b1", "b2 b3 ", false},
        {9, 999, "b3", "", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct kv_call *call = question(KV_LIST, "b");
        char seen[64] = "";
        call->pairs_max = rows[i].pairs;
        call->bytes_max = rows[i].bytes;
        buf_add(&call->from, str_of(rows[i].from));
        ask(call);
        for (size_t p = 0; p < call->npairs; p++) {
            sprintf(seen + strlen(seen), "%.*s ", STR_ARG(kv_pair_key(call, p)));
            assert_true(str_eq(kv_pair_value(call, p), STR("12345678")));
        }
        assert_string_equal(seen, rows[i].seen);
        assert_int_equal(call->more, rows[i].more);
    }
}

static void a_pair_shares_its_group_and_its_fate(void **state) {
    struct store_rig *rig = *state;
    set("k", "one", 0);
    srig_hold(rig);
    fault_arm("store_commit", UV_ENOSPC, 0, 1);
    rig->count = 0;
    srig_add(rig, 1, "a");
    struct kv_call *call = question(KV_SET, "k");
    buf_add(&call->value, STR("two"));
    kv_submit(rig->store, call);
    srig_release(rig);
    kv_free(desk.last);
    loop_run(&desk.loop);
    assert_int_equal(call->error, UV_ENOSPC);
    srig_wait(rig);
    assert_int_equal(rig->errors[0], UV_ENOSPC);
    assert_value("k", "one");
    fault_arm("store_read", UV_EIO, 0, 1);
    assert_int_equal(ask(question(KV_GET, "k"))->error, UV_EIO);
}

static void count_answer(struct kv_call *call) {
    struct kv_call **slot = call->arg;
    *slot = NULL;
    desk.done++;
    desk.pending--;
    kv_free(call);
    if (desk.pending == 0)
        loop_stop(&desk.loop);
}

static void abandoned_calls_are_never_answered(void **state) {
    struct store_rig *rig = *state;
    static struct kv_call *calls[400];
    int abandoned = 0;
    srand(3);
    for (int i = 0; i < 400; i++) {
        struct kv_call *call = calls[i] = question((enum kv_kind)(rand() % 5), "k");
        call->done = count_answer;
        call->arg = &calls[i];
        call->pairs_max = 10;
        call->bytes_max = 100;
        buf_add(&call->value, STR("v"));
        desk.pending++;
        kv_submit(rig->store, call);
        struct kv_call **other = &calls[rand() % (i + 1)];
        if (*other && rand() % 2) {
            kv_abandon(rig->store, *other);
            *other = NULL;
            desk.pending--;
            abandoned++;
        }
        if (rand() % 4 == 0)
            uv_run(&desk.loop.uv, UV_RUN_NOWAIT);
    }
    if (desk.pending > 0)
        loop_run(&desk.loop);
    assert_int_equal(desk.done + abandoned, 400);
    assert_true(abandoned > 50 && desk.done > 50);
}

static void a_loop_may_go_after_its_calls_were_abandoned(void **state) {
    struct store_rig *rig = *state;
    for (int round = 0; round < 50; round++) {
        struct loop loop;
        struct kv_call *calls[4];
        assert_int_equal(loop_init(&loop), 0);
        for (int i = 0; i < 4; i++) {
            calls[i] = kv_new(&loop, i % 2 ? KV_SET : KV_GET, answered, NULL);
            kv_submit(rig->store, calls[i]);
        }
        for (int i = 0; i < 4; i++)
            kv_abandon(rig->store, calls[i]);
        loop_fini(&loop);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_set_is_there_until_it_is_not),
        TEST(a_swap_needs_what_is_expected),
        TEST(a_time_of_its_own),
        TEST(what_is_over_leaves_the_file),
        TEST(pairs_come_in_pages),
        TEST(a_pair_shares_its_group_and_its_fate),
        TEST(abandoned_calls_are_never_answered),
        TEST(a_loop_may_go_after_its_calls_were_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

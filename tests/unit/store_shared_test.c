/* store/shared: what is stored comes back, until its time is over and not a moment longer; the
 * limit holds to the byte; and threads see each other's steps whole. Each test leaves nothing
 * behind. */
#include "store/shared.h"

#include "base/clock.h"
#include "base/limits.h"
#include "table.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

#define SECOND UINT64_C(1000000000)
#define RECLAIMED 16 /* by one operation, as the essay says */

static struct shared *shared;

static int set_up(void **state) {
    (void)state;
    shared = shared_open(STR("test"));
    return 0;
}

/* The tests delete what they have stored. */
static int tear_down(void **state) {
    (void)state;
    shared_close(shared);
    clock_thaw();
    shared_set_limit(LIMITS_SHARED_MEMORY);
    return shared_memory() == 0 ? 0 : -1;
}

static struct shared_value number(double n) {
    return (struct shared_value){.kind = SHARED_NUMBER, .number = n};
}

static struct shared_value boolean(bool b) {
    return (struct shared_value){.kind = SHARED_BOOLEAN, .boolean = b};
}

static struct shared_value string(struct str s) {
    return (struct shared_value){.kind = SHARED_STRING, .string = s};
}

static int set(struct str key, struct shared_value value, uint64_t ttl) {
    return shared_set(shared, key, &value, ttl);
}

static int add(struct str key, struct shared_value value, uint64_t ttl) {
    return shared_add(shared, key, &value, ttl, SHARED_ANY);
}

static bool same(const struct shared_value *a, const struct shared_value *b) {
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case SHARED_NOTHING:
        return true;
    case SHARED_BOOLEAN:
        return a->boolean == b->boolean;
    case SHARED_NUMBER:
        return a->number == b->number;
    case SHARED_STRING:
        return str_eq(a->string, b->string);
    }
    return false;
}

static bool holds(struct str key, struct shared_value want) {
    struct shared_value got;
    shared_get(shared, key, &got);
    bool equal = same(&got, &want);
    shared_value_fini(&got);
    return equal;
}

static bool absent(struct str key) {
    return holds(key, (struct shared_value){0});
}

static struct str name_of(char text[static 24], int i) {
    return (struct str){text, (size_t)snprintf(text, 24, "key %04d", i)};
}

/* Operations enough to free so many expired entries. */
static void let_reclaim(int entries) {
    for (; entries > 0; entries -= RECLAIMED)
        assert_true(absent(STR("no such key")));
}

static void values_come_back(void **state) {
    (void)state;
    const struct shared_value values[] = {
        boolean(true),
        boolean(false),
        number(0),
        number(-1.5),
        number(INFINITY),
        string(STR("")),
        string((struct str){NULL, 0}),
        string((struct str){"a\0b", 3}),
        string(STR("longer")),
    };
    assert_true(absent(STR("k")));
    for (size_t i = 0; i < COUNT(values); i++)
        for (size_t j = 0; j < COUNT(values); j++) { /* each in place of each */
            assert_int_equal(set(STR("k"), values[i], SHARED_FOREVER), 0);
            assert_true(holds(STR("k"), values[i]));
            assert_int_equal(set(STR("k"), values[j], SHARED_FOREVER), 0);
            assert_true(holds(STR("k"), values[j]));
        }
    assert_true(absent(STR("K")));
    assert_true(absent(STR("k\0")));
    assert_true(shared_delete(shared, STR("k")));
    assert_true(absent(STR("k")));
    assert_false(shared_delete(shared, STR("k")));
}

static void values_are_copied(void **state) {
    (void)state;
    char key[] = "key", text[] = "text";
    assert_int_equal(set(str_of(key), string(str_of(text)), SHARED_FOREVER), 0);
    key[0] = text[0] = 'x';
    assert_true(holds(STR("key"), string(STR("text"))));
    struct shared_value held;
    shared_get(shared, STR("key"), &held);
    assert_int_equal(set(STR("key"), string(STR("other")), SHARED_FOREVER), 0);
    assert_true(str_eq(held.string, STR("text"))); /* outlives its entry */
    assert_true(shared_delete(shared, STR("key")));
    assert_true(str_eq(held.string, STR("text")));
    shared_value_fini(&held);
    shared_value_fini(&held); /* harmless */
}

static void add_wants_nothing_there(void **state) {
    (void)state;
    assert_int_equal(add(STR("k"), number(1), SHARED_FOREVER), 0);
    assert_int_equal(add(STR("k"), number(2), SHARED_FOREVER), -EEXIST);
    assert_true(holds(STR("k"), number(1)));
    assert_int_equal(set(STR("k"), boolean(false), SHARED_FOREVER), 0); /* false is a value too */
    assert_int_equal(add(STR("k"), string(STR("text")), SHARED_FOREVER), -EEXIST);
    assert_true(holds(STR("k"), boolean(false)));
    assert_true(shared_delete(shared, STR("k")));
    assert_int_equal(add(STR("k"), number(3), SHARED_FOREVER), 0);
    assert_true(shared_delete(shared, STR("k")));
}

static void incr_adds(void **state) {
    (void)state;
    double sum = -1;
    assert_int_equal(shared_incr(shared, STR("n"), 2, SHARED_FOREVER, &sum), 0);
    assert_true(sum == 2);
    assert_int_equal(shared_incr(shared, STR("n"), -2.5, SHARED_FOREVER, &sum), 0);
    assert_true(sum == -0.5);
    assert_true(holds(STR("n"), number(-0.5)));
    const struct shared_value others[] = {boolean(true), string(STR("1"))};
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_int_equal(set(STR("n"), others[i], SHARED_FOREVER), 0);
        sum = 7;
        assert_int_equal(shared_incr(shared, STR("n"), 1, SHARED_FOREVER, &sum), -EINVAL);
        assert_true(sum == 7);
        assert_true(holds(STR("n"), others[i]));
    }
    assert_true(shared_delete(shared, STR("n")));
}

static void names_are_apart(void **state) {
    (void)state;
    struct shared *other = shared_open((struct str){"test\0", 5}),
                  *again = shared_open(STR("test"));
    assert_ptr_equal(again, shared);
    assert_ptr_not_equal(other, shared);
    struct shared_value one = number(1), got;
    assert_int_equal(shared_set(other, STR("k"), &one, SHARED_FOREVER), 0);
    assert_true(absent(STR("k")));
    shared_close(again);
    shared_close(other);
    other = shared_open((struct str){"test\0", 5}); /* its entry has kept it */
    shared_get(other, STR("k"), &got);
    assert_true(same(&got, &one));
    assert_true(shared_delete(other, STR("k")));
    shared_close(other);
}

/* ---- time ---- */

static void ends_at_its_time(void **state) {
    (void)state;
    clock_freeze();
    assert_int_equal(set(STR("a"), string(STR("text")), SECOND), 0);
    assert_int_equal(add(STR("b"), number(1), SECOND), 0);
    assert_int_equal(set(STR("stays"), number(1), SHARED_FOREVER), 0);
    assert_int_equal(set(STR("long"), number(1), SHARED_FOREVER - 1), 0);
    clock_advance_ns(SECOND - 1);
    assert_true(holds(STR("a"), string(STR("text"))));
    assert_true(holds(STR("b"), number(1)));
    assert_int_equal(add(STR("a"), number(1), SHARED_FOREVER), -EEXIST);
    clock_advance_ns(1);
    assert_true(absent(STR("a")));
    assert_false(shared_delete(shared, STR("b")));
    clock_advance_ns(1000000 * SECOND);
    assert_true(shared_delete(shared, STR("stays")));
    assert_true(shared_delete(shared, STR("long")));
}

static void set_sets_the_time_anew(void **state) {
    (void)state;
    clock_freeze();
    assert_int_equal(set(STR("longer"), number(1), SECOND), 0);
    assert_int_equal(set(STR("longer"), number(2), 3 * SECOND), 0);
    assert_int_equal(set(STR("shorter"), number(1), 3 * SECOND), 0);
    assert_int_equal(set(STR("shorter"), number(2), SECOND), 0);
    assert_int_equal(set(STR("stays"), number(1), SECOND), 0);
    assert_int_equal(set(STR("stays"), number(2), SHARED_FOREVER), 0);
    clock_advance_ns(SECOND);
    assert_true(holds(STR("longer"), number(2)));
    assert_true(absent(STR("shorter")));
    clock_advance_ns(2 * SECOND);
    assert_true(absent(STR("longer")));
    assert_true(shared_delete(shared, STR("stays")));
}

/* So that a counter of what happened in a window ends with the window. */
static void incr_keeps_the_time(void **state) {
    (void)state;
    double sum;
    clock_freeze();
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(shared_incr(shared, STR("n"), 1, SECOND, &sum), 0);
        assert_true(sum == i);
        clock_advance_ns(SECOND / 3);
    }
    clock_advance_ns(1); /* three thirds are one nanosecond short */
    assert_int_equal(shared_incr(shared, STR("n"), 1, SECOND, &sum), 0);
    assert_true(sum == 1);
    assert_int_equal(set(STR("n"), number(5), SHARED_FOREVER), 0);
    assert_int_equal(shared_incr(shared, STR("n"), 1, SECOND, &sum), 0);
    clock_advance_ns(10 * SECOND);
    assert_true(holds(STR("n"), number(6)));
    assert_true(shared_delete(shared, STR("n")));
}

/* An expired entry does not stand in the way of a new one, whatever it was. */
static void expired_is_absent(void **state) {
    (void)state;
    double sum;
    char text[24];
    clock_freeze();
    for (int i = 0; i < 100; i++) /* more than the next operation reclaims by itself */
        assert_int_equal(set(name_of(text, i), string(STR("text")), SECOND - 99 + (uint64_t)i), 0);
    clock_advance_ns(SECOND); /* the last one ends just now */
    assert_int_equal(add(name_of(text, 99), number(1), SHARED_FOREVER), 0);
    assert_int_equal(shared_incr(shared, name_of(text, 98), 1, SHARED_FOREVER, &sum), 0);
    assert_true(sum == 1);
    assert_false(shared_delete(shared, name_of(text, 97)));
    assert_true(shared_delete(shared, name_of(text, 98)));
    assert_true(shared_delete(shared, name_of(text, 99)));
    let_reclaim(100);
}

/* Nobody asks for these keys, nor for their dictionary; each operation frees a few. */
static void expired_is_reclaimed(void **state) {
    (void)state;
    enum { ENTRIES = 1000 };
    char text[24];
    clock_freeze();
    struct shared *other = shared_open(STR("other"));
    uint64_t before = shared_memory();
    struct shared_value value = string(STR("some text"));
    for (int i = 0; i < ENTRIES; i++)
        assert_int_equal(shared_set(other, name_of(text, i), &value, SECOND), 0);
    uint64_t full = shared_memory();
    uint64_t each = (full - before) / ENTRIES;
    assert_int_equal(each * ENTRIES, full - before);
    clock_advance_ns(SECOND - 1);
    assert_int_equal(shared_memory(), full);
    clock_advance_ns(1);
    assert_int_equal(shared_memory(), full - RECLAIMED * each);
    for (int i = 2; i <= ENTRIES / RECLAIMED; i++)
        assert_true(absent(STR("k")));
    shared_close(other);
    assert_true(absent(STR("k")));
    assert_true(shared_memory() < before); /* with its last entry went the dictionary */
}

/* ---- the limit ---- */

static uint64_t cost_of(struct str key, struct shared_value value) {
    uint64_t before = shared_memory();
    assert_int_equal(set(key, value, SHARED_FOREVER), 0);
    uint64_t cost = shared_memory() - before;
    assert_true(shared_delete(shared, key));
    assert_int_equal(shared_memory(), before);
    return cost;
}

static void limit_holds_to_the_byte(void **state) {
    (void)state;
    struct shared_value text = string(STR("0123456789"));
    uint64_t base = shared_memory(), each = cost_of(STR("a"), text);
    assert_true(each > 11);
    shared_set_limit(base + 2 * each);
    assert_int_equal(set(STR("a"), text, SHARED_FOREVER), 0);
    assert_int_equal(add(STR("b"), text, SHARED_FOREVER), 0);
    assert_int_equal(shared_memory(), base + 2 * each);
    assert_true(shared_delete(shared, STR("b")));
    shared_set_limit(base + 2 * each - 1);
    assert_int_equal(add(STR("b"), text, SHARED_FOREVER), -ENOSPC);
    assert_int_equal(set(STR("b"), text, SHARED_FOREVER), -ENOSPC);
    assert_int_equal(set(STR("b"), string(STR("012345678")), SHARED_FOREVER), 0);
    assert_true(shared_delete(shared, STR("a")));
    assert_true(shared_delete(shared, STR("b")));
}

static void full_refuses_what_is_new(void **state) {
    (void)state;
    double sum = 7;
    clock_freeze();
    assert_int_equal(set(STR("text"), string(STR("text")), SECOND), 0);
    assert_int_equal(set(STR("n"), number(1), SHARED_FOREVER), 0);
    uint64_t full = shared_memory();
    shared_set_limit(full);
    assert_int_equal(set(STR("x"), boolean(true), SHARED_FOREVER), -ENOSPC);
    assert_int_equal(add(STR("x"), boolean(true), SHARED_FOREVER), -ENOSPC);
    assert_int_equal(shared_incr(shared, STR("x"), 1, SHARED_FOREVER, &sum), -ENOSPC);
    assert_true(sum == 7);
    assert_int_equal(set(STR("text"), string(STR("texts")), SHARED_FOREVER), -ENOSPC);
    assert_int_equal(add(STR("n"), string(STR("x")), SHARED_FOREVER), -EEXIST);
    assert_int_equal(shared_memory(), full);
    assert_true(absent(STR("x")));
    assert_true(holds(STR("text"), string(STR("text"))));
    /* what needs nothing more goes on */
    assert_int_equal(set(STR("text"), string(STR("TEXT")), 2 * SECOND), 0);
    assert_int_equal(shared_incr(shared, STR("n"), 1, SHARED_FOREVER, &sum), 0);
    assert_true(sum == 2);
    shared_set_limit(0);
    assert_int_equal(set(STR("text"), string(STR("tex")), 2 * SECOND), 0);
    assert_int_equal(set(STR("text"), string(STR("text")), 2 * SECOND), -ENOSPC);
    assert_true(holds(STR("text"), string(STR("tex"))));
    /* the time to live of the first was replaced with it, that of the refused was not */
    clock_advance_ns(SECOND);
    assert_true(holds(STR("text"), string(STR("tex"))));
    clock_advance_ns(SECOND);
    assert_true(absent(STR("text")));
    assert_true(shared_delete(shared, STR("n")));
}

static int add_among(struct str key, uint64_t ttl, size_t most) {
    struct shared_value value = boolean(true);
    return shared_add(shared, key, &value, ttl, most);
}

/* Those whose time is over do not count, be they more than an operation frees by itself. */
static void add_may_be_bounded(void **state) {
    (void)state;
    char text[24];
    enum { MOST = 100 };
    clock_freeze();
    for (int i = 0; i < MOST; i++)
        assert_int_equal(add_among(name_of(text, i), SECOND, MOST), 0);
    assert_int_equal(add_among(STR("more"), SECOND, MOST), -ENOSPC);
    assert_int_equal(add_among(name_of(text, 7), SECOND, MOST), -EEXIST);
    assert_int_equal(add_among(STR("more"), SECOND, MOST + 1), 0);
    assert_int_equal(set(STR("set"), boolean(true), SECOND), 0); /* set is not bounded */
    clock_advance_ns(SECOND);
    assert_int_equal(add_among(STR("late"), SECOND, 1), 0);
    assert_int_equal(add_among(STR("later"), SECOND, 1), -ENOSPC);
    assert_true(shared_delete(shared, STR("late")));
    assert_int_equal(add_among(STR("later"), SECOND, 1), 0);
    assert_true(shared_delete(shared, STR("later")));
}

/* As many expired ones go as it takes, however many, but none that is alive. */
static void expired_makes_room(void **state) {
    (void)state;
    enum { ENTRIES = 200 };
    char text[24];
    static char large[20000];
    clock_freeze();
    uint64_t base = shared_memory();
    uint64_t need = cost_of(STR("large"), string((struct str){large, sizeof large}));
    for (int i = 0; i < ENTRIES; i++)
        assert_int_equal(set(name_of(text, i), string(STR("x")), SECOND), 0);
    uint64_t full = shared_memory();
    assert_true(full - base >= need + RECLAIMED * (full - base) / ENTRIES);
    shared_set_limit(full);
    assert_int_equal(set(STR("large"), string((struct str){large, sizeof large}), SECOND), -ENOSPC);
    assert_int_equal(shared_memory(), full);
    clock_advance_ns(SECOND);
    assert_int_equal(set(STR("large"), string((struct str){large, sizeof large}), SECOND), 0);
    assert_true(shared_memory() <= full);
    assert_true(shared_delete(shared, STR("large")));
    let_reclaim(ENTRIES);
    assert_int_equal(shared_memory(), base);
}

/* ---- beside a model ---- */

enum { KEYS = 40, STEPS = 100000 };

static struct {
    struct shared_value value;
    char text[8];
    uint64_t due;
} model[KEYS];

static uint64_t random_state = UINT64_C(0x9E3779B97F4A7C15);
static uint64_t now;
static int step;

static uint64_t draw(uint64_t below) {
    random_state ^= random_state << 13; /* xorshift64 */
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 11) % below;
}

static void must(bool is_so, const char *what) {
    if (!is_so)
        fail_msg("step %d: %s", step, what);
}

static uint64_t draw_ttl(void) {
    return draw(3) == 0 ? SHARED_FOREVER : 1 + draw(200);
}

static struct shared_value draw_value(char text[8]) {
    if (draw(2) == 0)
        return draw(2) == 0 ? boolean(draw(2) == 0) : number((double)draw(10));
    for (int i = 0; i < 8; i++)
        text[i] = (char)draw(256);
    return string((struct str){text, draw(9)});
}

static void model_store(int i, struct shared_value value, uint64_t ttl) {
    if (value.kind == SHARED_STRING && value.string.len > 0)
        memcpy(model[i].text, value.string.ptr, value.string.len);
    value.string.ptr = model[i].text;
    model[i].value = value;
    model[i].due = ttl == SHARED_FOREVER ? SHARED_FOREVER : now + ttl;
}

static void random_incr(int i, struct str key) {
    double sum = 0, by = (double)draw(5);
    uint64_t ttl = draw_ttl();
    int rc = shared_incr(shared, key, by, ttl, &sum);
    if (model[i].value.kind == SHARED_NOTHING)
        model_store(i, number(0), ttl);
    must(rc == (model[i].value.kind == SHARED_NUMBER ? 0 : -EINVAL), "incr");
    if (rc == 0)
        must(sum == (model[i].value.number += by), "the sum");
}

static void random_step(void) {
    char name[24], text[8];
    int i = (int)draw(KEYS);
    struct str key = name_of(name, i);
    struct shared_value value = draw_value(text);
    uint64_t ttl = draw_ttl();
    bool there = model[i].value.kind != SHARED_NOTHING;
    switch (draw(6)) {
    case 0:
        must(set(key, value, ttl) == 0, "set");
        model_store(i, value, ttl);
        break;
    case 1:
        must(add(key, value, ttl) == (there ? -EEXIST : 0), "add");
        if (!there)
            model_store(i, value, ttl);
        break;
    case 2:
        must(shared_delete(shared, key) == there, "delete");
        model[i].value.kind = SHARED_NOTHING;
        break;
    case 3:
        random_incr(i, key);
        break;
    default:
        must(holds(key, model[i].value), "get");
    }
}

static void let_time_pass(uint64_t ns) {
    now += ns;
    clock_advance_ns(ns);
    for (int i = 0; i < KEYS; i++)
        if (model[i].due <= now)
            model[i].value.kind = SHARED_NOTHING;
}

static void like_a_table(void **state) {
    (void)state;
    clock_freeze();
    for (step = 0; step < STEPS; step++) {
        random_step();
        if (draw(5) == 0)
            let_time_pass(draw(20));
    }
    for (int i = 0; i < KEYS; i++) {
        char name[24];
        must(shared_delete(shared, name_of(name, i)) == (model[i].value.kind != 0), "the end");
    }
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 2000 };

static int won[THREADS];

static void *work(void *arg) {
    int me = *(int *)arg;
    double sum;
    char text[24], own[24];
    struct str own_key = {own, (size_t)snprintf(own, sizeof own, "own %d", me)};
    for (int i = 0; i < ROUNDS; i++) {
        struct shared *mine = shared_open(STR("test")), *passing = shared_open(STR("passing"));
        struct shared_value value = number(me), got;
        shared_incr(mine, STR("sum"), 1, SHARED_FOREVER, &sum);
        won[me] +=
            shared_add(mine, name_of(text, i % 1000), &value, SHARED_FOREVER, SHARED_ANY) == 0;
        value = string(STR("a text that is replaced and read by all"));
        shared_set(passing, STR("text"), &value, i % 2 ? 1 : SHARED_FOREVER);
        shared_get(passing, STR("text"), &got);
        if (got.kind != SHARED_NOTHING && !same(&got, &value))
            abort();
        shared_value_fini(&got);
        shared_set(mine, own_key, &value, SHARED_FOREVER);
        if (i % 3 == 0 && !shared_delete(mine, own_key))
            abort(); /* nobody else takes it */
        shared_delete(passing, STR("text"));
        shared_close(passing);
        shared_close(mine);
    }
    shared_delete(shared, own_key);
    return NULL;
}

static void threads_see_whole_steps(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS], sum = 0;
    char text[24];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += won[i];
    }
    assert_true(holds(STR("sum"), number(THREADS * ROUNDS)));
    assert_int_equal(sum, 1000); /* of all who add a key, one does */
    assert_true(shared_delete(shared, STR("sum")));
    for (int i = 0; i < 1000; i++)
        assert_true(shared_delete(shared, name_of(text, i)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(values_come_back),
        TEST(values_are_copied),
        TEST(add_wants_nothing_there),
        TEST(incr_adds),
        TEST(names_are_apart),
        TEST(ends_at_its_time),
        TEST(set_sets_the_time_anew),
        TEST(incr_keeps_the_time),
        TEST(expired_is_absent),
        TEST(expired_is_reclaimed),
        TEST(limit_holds_to_the_byte),
        TEST(full_refuses_what_is_new),
        TEST(expired_makes_room),
        TEST(add_may_be_bounded),
        TEST(like_a_table),
        TEST(threads_see_whole_steps),
    };
    return cmocka_run_group_tests_name("store_shared", tests, NULL, NULL);
}

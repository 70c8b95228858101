/* base/map: finds what is in it, whatever the bytes; grows and shrinks; stepping through it
 * survives both; and all of it beside an array that does the same the slow way. */
#include "base/map.h"

#include "base/siphash.h"
#include "table.h"

#include <stdio.h>

struct item {
    int number;
    bool in, seen;
    struct map_node node;
    char key[24];
    size_t len;
};

static struct map map;

static struct item *item_of(struct map_node *node) {
    return CONTAINER_OF(node, struct item, node);
}

static struct str key_of(const struct item *item) {
    return (struct str){item->key, item->len};
}

static void insert(struct item *item, struct str key) {
    memcpy(item->key, key.ptr, key.len);
    item->len = key.len;
    map_insert(&map, &item->node, key_of(item));
    item->in = true;
}

static void take_out(struct item *item) {
    map_remove(&map, &item->node);
    item->in = false;
}

static int set_up(void **state) {
    (void)state;
    map_init(&map);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    map_fini(&map);
    return 0;
}

static void empty(void **state) {
    (void)state;
    assert_null(map_find(&map, STR("a")));
    assert_null(map_find(&map, (struct str){NULL, 0}));
    assert_null(map_next(&map, NULL));
    struct map zeroes = {0};
    assert_memory_equal(&map, &zeroes, sizeof map);
    map_fini(&map);
}

static void keys_are_bytes(void **state) {
    static const struct str keys[] = {
        {"", 0},        {"\0", 1},       {"\0\0", 2},      {"a", 1},        {"a\0", 2},
        {"a\0b", 3},    {"a\0c", 3},     {"A", 1},         {"\xff\xfe", 2}, {"12345678", 8},
        {"1234567", 7}, {"12345679", 8}, {"123456789", 9},
    };
    struct item items[COUNT(keys)];
    (void)state;
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_null(map_find(&map, keys[i]));
        insert(&items[i], keys[i]);
    }
    assert_int_equal(map.count, COUNT(keys));
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct str copy = exact(keys[i]);
        assert_ptr_equal(map_find(&map, copy), &items[i].node);
        exact_free(copy);
    }
    assert_ptr_equal(map_find(&map, (struct str){NULL, 0}), &items[0].node);
    assert_null(map_find(&map, STR("b")));
    for (size_t i = 0; i < COUNT(keys); i++) {
        take_out(&items[i]);
        assert_null(map_find(&map, keys[i]));
    }
    assert_null(map.buckets);
}

enum { MANY = 5000 };
static struct item items[MANY];

static void fill(int count) {
    for (int i = 0; i < count; i++) {
        char text[24];
        int n = snprintf(text, sizeof text, "key %d", i);
        items[i].number = i;
        insert(&items[i], (struct str){text, (size_t)n});
    }
}

/* Between a quarter and all of the buckets are in use as an average, but for the smallest table. */
static void fits(void) {
    assert_true(map.count <= map.cap);
    assert_true(map.cap <= 8 || map.count > map.cap / 4);
}

static void grows_and_shrinks(void **state) {
    (void)state;
    fill(MANY);
    assert_int_equal(map.count, MANY);
    fits();
    for (int i = 0; i < MANY; i++) {
        assert_ptr_equal(map_find(&map, key_of(&items[i])), &items[i].node);
        take_out(&items[i]);
        fits();
    }
    assert_int_equal(map.count, 0);
    assert_int_equal(map.cap, 0);
    assert_null(map.buckets);
    fill(1); /* it is of use again */
    assert_ptr_equal(map_find(&map, STR("key 0")), &items[0].node);
}

/* No process knows the order of another one's. Two draws of 128 bits are not the same. */
static void chains_stay_short(void **state) {
    (void)state;
    fill(MANY);
    size_t longest = 0;
    for (size_t i = 0; i < map.cap; i++) {
        size_t length = 0;
        for (struct map_node *node = map.buckets[i]; node; node = node->next)
            length++;
        longest = length > longest ? length : longest;
    }
    assert_in_range(longest, 1, 16); /* a longer one is less likely than 10^-12 */
    static const uint64_t zero[2];
    assert_true(items[0].node.hash != siphash13(zero, key_of(&items[0])));
}

static void steps_through_all(void **state) {
    (void)state;
    fill(MANY);
    int count = 0;
    struct map_node *node = NULL;
    while ((node = map_next(&map, node)) != NULL) {
        assert_false(item_of(node)->seen);
        item_of(node)->seen = true;
        count++;
    }
    assert_int_equal(count, MANY);
    for (int i = 0; i < MANY; i++)
        items[i].seen = false;
}

/* The table shrinks several times on the way. */
static void current_may_be_removed(void **state) {
    (void)state;
    for (int keep = 1; keep <= 7; keep += 3) { /* 1: none */
        fill(MANY);
        int count = 0;
        struct map_node *next;
        for (struct map_node *node = map_next(&map, NULL); node; node = next) {
            next = map_next(&map, node);
            count++;
            if (keep == 1 || item_of(node)->number % keep != 0)
                take_out(item_of(node));
        }
        assert_int_equal(count, MANY);
        assert_int_equal(map.count, keep == 1 ? 0 : (MANY + keep - 1) / keep);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(items[i].in, keep != 1 && i % keep == 0);
            if (items[i].in)
                take_out(&items[i]);
        }
    }
}

/* ---- beside a model ---- */

enum { NAMES = 400, SEEDS = 60, STEPS = 3000 };

static uint64_t random_state;
static unsigned seed, step;

static uint64_t draw(uint64_t below) {
    random_state ^= random_state << 13; /* xorshift64 */
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 11) % below;
}

static void must(bool holds, const char *what) {
    if (!holds)
        fail_msg("seed %u, step %u: %s", seed, step, what);
}

static void flip(struct item *item) {
    if (item->in)
        take_out(item);
    else
        insert(item, key_of(item));
}

/* Steps through the map while others come and go; `before` is who was there at the start. */
static void walk(void) {
    bool before[NAMES], gone[NAMES] = {false};
    struct map_node *next;
    for (int i = 0; i < NAMES; i++) {
        before[i] = items[i].in;
        items[i].seen = false;
    }
    for (struct map_node *node = map_next(&map, NULL); node; node = next) {
        must(!item_of(node)->seen, "came twice");
        item_of(node)->seen = true;
        next = map_next(&map, node);
        for (uint64_t n = draw(3); n > 0; n--) {
            int i = (int)draw(NAMES);
            if (&items[i].node == next)
                continue;
            gone[i] = true;
            flip(&items[i]);
        }
    }
    for (int i = 0; i < NAMES; i++)
        must(items[i].seen || !before[i] || gone[i], "was left out");
}

static void check_all(void) {
    size_t count = 0;
    for (int i = 0; i < NAMES; i++) {
        struct map_node *found = map_find(&map, key_of(&items[i]));
        must(found == (items[i].in ? &items[i].node : NULL), "finds what is in it and no more");
        count += items[i].in;
    }
    must(map.count == count, "counts");
    must(map.count > 0 || map.buckets == NULL, "holds memory while empty");
}

static void run_seed(void) {
    random_state = UINT64_C(0x9E3779B97F4A7C15) * (seed + 1);
    for (int i = 0; i < NAMES; i++) { /* any bytes, unlike in the first two */
        items[i].in = false;
        items[i].len = 2 + draw(sizeof items[i].key - 2);
        for (size_t at = 2; at < items[i].len; at++)
            items[i].key[at] = (char)draw(256);
        memcpy(items[i].key, (char[]){(char)i, (char)(i >> 8)}, 2);
    }
    int range = 1;
    for (step = 0; step < STEPS; step++) {
        if (draw(200) == 0) /* so that it is sometimes small, sometimes large */
            range = 1 + (int)draw(NAMES);
        int i = (int)draw((uint64_t)range);
        if (draw(4) != 0 || items[i].in)
            flip(&items[i]);
        if (draw(100) == 0)
            walk();
        if (draw(20) == 0)
            check_all();
    }
    for (int i = 0; i < NAMES; i++)
        if (items[i].in)
            take_out(&items[i]);
    check_all();
}

static void like_an_array(void **state) {
    (void)state;
    for (seed = 0; seed < SEEDS; seed++)
        run_seed();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(grows_and_shrinks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(chains_stay_short, set_up, tear_down),
        cmocka_unit_test_setup_teardown(steps_through_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(current_may_be_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(like_an_array, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("base_map", tests, NULL, NULL);
}

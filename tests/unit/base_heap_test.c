/* base/heap: the lowest comes first, whatever was put in, moved and taken out. */
#include "base/heap.h"

#include "table.h"

enum { ITEMS = 300, SEEDS = 100, STEPS = 2000 };

static struct heap heap;
static struct heap_node nodes[ITEMS];

static int set_up(void **state) {
    (void)state;
    heap = (struct heap){0};
    memset(nodes, 0, sizeof nodes);
    return 0;
}

/* Takes out the first and returns its rank. */
static uint64_t take(void) {
    struct heap_node *first = heap_first(&heap);
    assert_non_null(first);
    heap_remove(&heap, first);
    assert_int_equal(first->place, 0);
    return first->rank;
}

static void empty(void **state) {
    (void)state;
    assert_null(heap_first(&heap));
    heap_remove(&heap, &nodes[0]); /* harmless */
    assert_null(heap.nodes);
}

static void lowest_first(void **state) {
    static const uint64_t ranks[] = {5, 3, UINT64_MAX, 0, 3, 9, 1, 4, 4, 2, 8};
    static const uint64_t sorted[] = {0, 1, 2, 3, 3, 4, 4, 5, 8, 9, UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT(ranks); i++)
        heap_put(&heap, &nodes[i], ranks[i]);
    for (size_t i = 0; i < COUNT(sorted); i++)
        assert_true(take() == sorted[i]);
    assert_null(heap_first(&heap));
    assert_null(heap.nodes);
    assert_int_equal(heap.cap, 0);
}

static void move_and_remove(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 7; i++)
        heap_put(&heap, &nodes[i], i);
    heap_put(&heap, &nodes[0], 10); /* from the top to the bottom */
    heap_put(&heap, &nodes[6], 0);  /* and back */
    heap_put(&heap, &nodes[3], 3);  /* stays */
    heap_remove(&heap, &nodes[2]);
    heap_remove(&heap, &nodes[2]); /* harmless */
    static const uint64_t left[] = {0, 1, 3, 4, 5, 10};
    assert_int_equal(heap.count, COUNT(left));
    for (size_t i = 0; i < COUNT(left); i++)
        assert_true(take() == left[i]);
}

/* One from a branch of low ranks goes, and the last one, of another branch, takes its place: it
 * must rise there. */
static void the_last_may_rise(void **state) {
    static const uint64_t ranks[] = {1, 10, 2, 11, 12, 3, 4, 13, 14, 15, 16, 5};
    (void)state;
    for (size_t i = 0; i < COUNT(ranks); i++)
        heap_put(&heap, &nodes[i], ranks[i]);
    heap_remove(&heap, &nodes[7]);
    uint64_t before = 0;
    while (heap.count > 0) {
        uint64_t rank = take();
        assert_true(rank >= before);
        before = rank;
    }
}

static void gives_memory_back(void **state) {
    (void)state;
    for (uint64_t i = 0; i < ITEMS; i++)
        heap_put(&heap, &nodes[i], i);
    assert_true(heap.cap >= ITEMS);
    while (heap.count > 0) {
        assert_true(heap.cap <= 8 || heap.count > heap.cap / 4);
        take();
    }
    assert_null(heap.nodes);
}

static uint64_t random_state;

static uint64_t draw(uint64_t below) {
    random_state ^= random_state << 13; /* xorshift64 */
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (random_state >> 11) % below;
}

/* The node that the heap calls its first has the lowest rank of all that are in. */
static void check_first(void) {
    const struct heap_node *first = heap_first(&heap);
    size_t count = 0;
    for (int i = 0; i < ITEMS; i++) {
        if (nodes[i].place == 0)
            continue;
        count++;
        assert_true(first->rank <= nodes[i].rank);
    }
    assert_int_equal(heap.count, count);
    assert_true((first == NULL) == (count == 0));
}

static void like_a_search(void **state) {
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        set_up(state);
        random_state = UINT64_C(0x9E3779B97F4A7C15) * (seed + 1);
        uint64_t range = 1 + draw(seed % 2 ? 10 : 1000000);
        for (int step = 0; step < STEPS; step++) {
            struct heap_node *node = &nodes[draw(ITEMS)];
            if (draw(3) != 0)
                heap_put(&heap, node, draw(range));
            else if (draw(2) == 0)
                heap_remove(&heap, node);
            else if (heap.count > 0)
                take();
            if (step % 8 == 0)
                check_first();
        }
        for (uint64_t before = 0, rank; heap.count > 0; before = rank) {
            rank = take();
            assert_true(rank >= before);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty, set_up),
        cmocka_unit_test_setup(lowest_first, set_up),
        cmocka_unit_test_setup(move_and_remove, set_up),
        cmocka_unit_test_setup(the_last_may_rise, set_up),
        cmocka_unit_test_setup(gives_memory_back, set_up),
        cmocka_unit_test_setup(like_a_search, set_up),
    };
    return cmocka_run_group_tests_name("base_heap", tests, NULL, NULL);
}

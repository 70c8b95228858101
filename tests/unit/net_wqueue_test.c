/* What net/wqueue promises: what was added comes out, in order, whatever the pieces. */
#include "net/wqueue.h"

#include "table.h"

static struct pool pool;

static int teardown(void **state) {
    (void)state;
    pool_fini(&pool);
    return 0;
}

/* All that waits, from the first byte on. */
static size_t collect(const struct wqueue *q, char *out, size_t max) {
    size_t n = 0;
    for (const struct wseg *seg = q->head; seg; seg = seg->next) {
        assert_true(seg->off <= seg->len && seg->len <= seg->cap);
        size_t part = seg->len - seg->off;
        assert_true(n + part <= max);
        memcpy(out + n, seg->bytes + seg->off, part);
        n += part;
    }
    return n;
}

static void holds(const struct wqueue *q, const char *want) {
    char out[1000];
    size_t n = collect(q, out, sizeof out);
    assert_int_equal(n, strlen(want));
    assert_int_equal(q->bytes, n);
    assert_memory_equal(out, want, n);
}

static void bytes_come_out_in_order(void **state) {
    (void)state;
    struct wqueue q = {0};
    wqueue_add(&q, &pool, "abc", 3);
    wqueue_add(&q, &pool, "", 0);
    wqueue_add(&q, &pool, "defg", 4);
    holds(&q, "abcdefg");
    wqueue_drop(&q, &pool, 2);
    holds(&q, "cdefg");
    wqueue_drop(&q, &pool, 0);
    wqueue_add(&q, &pool, "h", 1);
    holds(&q, "cdefgh");
    wqueue_drop(&q, &pool, 6);
    holds(&q, "");
}

/* Room is in one piece, and counts for what was put into it. */
static void bytes_may_be_put_in_place(void **state) {
    (void)state;
    struct wqueue q = {0};
    memcpy(wqueue_reserve(&q, &pool, 100), "abc", 3);
    wqueue_commit(&q, 3);
    wqueue_add(&q, &pool, "de", 2);
    memcpy(wqueue_reserve(&q, &pool, 5000), "fgh", 3); /* more than is left of a segment */
    wqueue_commit(&q, 3);
    memset(wqueue_reserve(&q, &pool, 100000), 'x', 100000);
    wqueue_commit(&q, 0);
    holds(&q, "abcdefgh");
    wqueue_drop(&q, &pool, 5);
    holds(&q, "fgh");
    wqueue_add(&q, &pool, "i", 1);
    holds(&q, "fghi");
    wqueue_drop(&q, &pool, 4);
    assert_null(q.head);
    wqueue_reserve(&q, &pool, 10);
    wqueue_clear(&q, &pool);
    assert_null(q.head);
}

static void the_end_of_a_queue_is_dropped(void **state) {
    (void)state;
    char bytes[950], want[952];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 26);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        struct wqueue q = {0};
        wqueue_add(&q, &pool, "xxx", 3);
        for (size_t i = 0; i < sizeof bytes; i++)
            wqueue_add(&q, &pool, bytes + i, 1); /* of several segments */
        wqueue_drop(&q, &pool, 3);
        wqueue_keep(&q, &pool, n);
        memcpy(want, bytes, n);
        want[n] = 0;
        holds(&q, want);
        wqueue_add(&q, &pool, "!", 1);
        memcpy(want + n, "!", 2);
        holds(&q, want);
        wqueue_clear(&q, &pool);
    }
}

/* That is what an idle connection costs. */
static void an_empty_queue_holds_no_memory(void **state) {
    (void)state;
    struct wqueue q = {0};
    wqueue_clear(&q, &pool);
    assert_null(q.head);
    wqueue_add(&q, &pool, "abc", 3);
    wqueue_drop(&q, &pool, 3);
    assert_null(q.head);
    assert_null(q.tail);
    wqueue_add(&q, &pool, "abc", 3);
    wqueue_clear(&q, &pool);
    assert_null(q.head);
    assert_null(q.tail);
    assert_int_equal(q.bytes, 0);
}

static void small_writes_share_segments(void **state) {
    (void)state;
    struct wqueue q = {0};
    size_t segments = 0;
    for (int i = 0; i < 10000; i++)
        wqueue_add(&q, &pool, "0123456789", 10);
    for (struct wseg *seg = q.head; seg; seg = seg->next)
        segments++;
    assert_true(segments < 20);
    assert_int_equal(q.bytes, 100000);
    wqueue_clear(&q, &pool);
}

/* Pieces of many sizes, added and dropped in turns, against a counter. */
static void any_pieces_come_out_in_order(void **state) {
    (void)state;
    static char bytes[200000], out[1 << 20];
    struct wqueue q = {0};
    unsigned char next = 0, first = 0;
    unsigned seed = 1;
    for (int round = 0; round < 2000; round++) {
        seed = seed * 1103515245 + 12345;
        size_t n = (seed >> 16) % (round % 50 == 0 ? sizeof bytes : 1000);
        if (q.bytes + n <= sizeof out) {
            for (size_t i = 0; i < n; i++)
                bytes[i] = (char)next++;
            wqueue_add(&q, &pool, bytes, n);
        }
        assert_int_equal(collect(&q, out, sizeof out), q.bytes);
        for (size_t i = 0; i < q.bytes; i += 997)
            assert_int_equal((unsigned char)out[i], (unsigned char)(first + i));
        seed = seed * 1103515245 + 12345;
        size_t drop = q.bytes ? (seed >> 8) % (q.bytes + 1) : 0;
        wqueue_drop(&q, &pool, drop);
        first = (unsigned char)(first + drop);
    }
    wqueue_clear(&q, &pool);
}

/* Bytes of a slab stand between others; nothing is added to them, and the slab is let go with them.
 */
static void a_slab_is_sent_from_where_it_lies(void **state) {
    (void)state;
    atomic_uint_fast64_t total = 0;
    struct wqueue q = {0};
    struct slab *slab = slab_new(10, &total);
    memcpy(slab->data, "0123456789", 10);
    wqueue_add(&q, &pool, "ab", 2);
    wqueue_add_slab(&q, &pool, slab, slab->data + 3, 4);
    wqueue_add(&q, &pool, "cd", 2);
    wqueue_add_slab(&q, &pool, slab, slab->data, 2);
    memcpy(wqueue_reserve(&q, &pool, 2), "ef", 2);
    wqueue_commit(&q, 2);
    slab_unref(slab);
    char out[20];
    assert_int_equal(q.bytes, 12);
    size_t n = 0;
    for (const struct wseg *seg = q.head; seg; n += seg->len, seg = seg->next)
        memcpy(out + n, seg->bytes, seg->len);
    assert_int_equal(n, 12);
    assert_memory_equal(out, "ab3456cd01ef", 12);
    wqueue_drop(&q, &pool, 4);
    assert_memory_equal(q.head->bytes + q.head->off, "56", 2);
    wqueue_drop(&q, &pool, 5);
    assert_true(total > 0);
    wqueue_drop(&q, &pool, 1);
    assert_int_equal(total, 0);
    slab = slab_new(10, &total);
    wqueue_add_slab(&q, &pool, slab, slab->data, 10);
    slab_unref(slab);
    wqueue_clear(&q, &pool);
    assert_int_equal(total, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(bytes_come_out_in_order),           TEST(the_end_of_a_queue_is_dropped),
        TEST(bytes_may_be_put_in_place),         TEST(an_empty_queue_holds_no_memory),
        TEST(small_writes_share_segments),       TEST(any_pieces_come_out_in_order),
        TEST(a_slab_is_sent_from_where_it_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

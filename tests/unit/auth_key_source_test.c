/* What a source promises to those who use its keys: the newest, and that theirs stay until they
 * have looked. The source here is one by hand. */
#include "auth/key_source.h"

#include "base/clock.h"
#include "base/mem.h"
#include "table.h"

struct by_hand {
    struct key_source source;
    int polled, missed;
    uint64_t now;
    int *freed;
};

static void poll_by_hand(struct key_source *source, uint64_t now_ms) {
    struct by_hand *own = (struct by_hand *)source;
    own->polled++;
    own->now = now_ms;
}

static struct jwks *set(void) {
    struct reason why;
    return jwks_of_key(
        key_from_secret(alg_find(STR("HS256")), STR("0123456789abcdef0123456789abcdef"), &why));
}

/* Finds what is missed at once. */
static void missed_by_hand(struct key_source *source, uint64_t now_ms) {
    struct by_hand *own = (struct by_hand *)source;
    own->missed++;
    own->now = now_ms;
    key_source_publish(source, set());
}

static void free_by_hand(struct key_source *source) {
    (*((struct by_hand *)source)->freed)++;
    free(source);
}

static const struct key_source_ops ops = {poll_by_hand, missed_by_hand, free_by_hand};

static struct by_hand *open_source(int *freed) {
    struct by_hand *own = mem_zalloc(sizeof *own);
    own->freed = freed;
    key_source_init(&own->source, &ops, set());
    return own;
}

static void refreshed(void **state) {
    int freed = 0;
    struct by_hand *own = open_source(&freed);
    struct key_source *source = &own->source;
    struct jwks *mine = NULL, *first;
    unsigned version = 0;
    (void)state;
    clock_freeze();
    assert_true(key_source_refresh(source, false, &mine, &version));
    first = mine;
    assert_non_null(first);
    assert_int_equal(own->now, clock_mono_ms());
    assert_false(key_source_refresh(source, false, &mine, &version));
    assert_ptr_equal(mine, first);
    assert_int_equal(own->polled, 2);

    key_source_publish(source, set());
    assert_int_equal(jwks_count(first), 1); /* mine still */
    assert_true(key_source_refresh(source, false, &mine, &version));
    assert_ptr_not_equal(mine, first);
    assert_false(key_source_refresh(source, false, &mine, &version));

    assert_true(key_source_refresh(source, true, &mine, &version));
    assert_int_equal(own->missed, 1);
    jwks_unref(mine);
    clock_thaw();
    key_source_unref(source);
    assert_int_equal(freed, 1);
}

static void references(void **state) {
    int freed = 0;
    struct by_hand *own = open_source(&freed);
    (void)state;
    key_source_unref(NULL);
    assert_true(key_source_try_ref(&own->source));
    key_source_unref(&own->source);
    assert_int_equal(freed, 0);
    own->source.refs = 0; /* as between the last unref and the end of free */
    assert_false(key_source_try_ref(&own->source));
    own->source.refs = 1;
    key_source_unref(&own->source);
    assert_int_equal(freed, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refreshed),
        cmocka_unit_test(references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

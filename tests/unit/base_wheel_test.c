/* base/wheel: single cases by hand, then random ones beside a model, a list of timers sorted by due
 * time that is searched from the front. */
#include "base/wheel.h"

#include "base/clock.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint64_t reach = UINT64_C(1) << 36; /* 64^6 ms */

static struct wheel wheel;

/* A timer that notes when it fired and then does what a test gave it to do. */
struct probe {
    struct timer timer;
    int fired;
    uint64_t at;
    void (*then)(struct probe *p);
};

static int order[64]; /* the probes that fired, by their index in `probes` */
static int fired;
static struct probe probes[64];

static void note(struct timer *t) {
    struct probe *p = CONTAINER_OF(t, struct probe, timer);
    assert_false(timer_is_set(t));
    p->fired++;
    p->at = wheel.now;
    order[fired++ & 63] = (int)(p - probes);
    if (p->then != NULL)
        p->then(p);
}

static void begin(uint64_t now) {
    wheel_init(&wheel, now);
    fired = 0;
    for (size_t i = 0; i < 64; i++) {
        probes[i] = (struct probe){.fired = 0};
        timer_init(&probes[i].timer, note);
    }
}

static int set_up(void **state) {
    (void)state;
    begin(1000);
    return 0;
}

static void set(int i, uint64_t due) {
    wheel_set(&wheel, &probes[i].timer, due);
}

static void is_idle(void) {
    assert_true(wheel_next(&wheel) == WHEEL_NEVER);
}

/* Advances from one wheel_next to the next until something fires; how many times it took. */
static int wakes_until_fired(void) {
    int wakes = 0;
    for (int before = fired; fired == before; wakes++) {
        uint64_t next = wheel_next(&wheel);
        assert_true(next != WHEEL_NEVER);
        assert_true(wakes < 1000);
        wheel_advance(&wheel, next);
    }
    return wakes;
}

static void fires_at_its_time(void **state) {
    (void)state;
    is_idle();
    assert_false(timer_is_set(&probes[0].timer));
    set(0, 1010);
    assert_true(timer_is_set(&probes[0].timer));
    assert_true(wheel_next(&wheel) <= 1010 && wheel_next(&wheel) > 1000);
    wheel_advance(&wheel, 1009);
    assert_int_equal(fired, 0);
    assert_true(wheel_next(&wheel) == 1010); /* now exact */
    wheel_advance(&wheel, 1010);
    assert_int_equal(probes[0].fired, 1);
    assert_true(probes[0].at == 1010);
    is_idle();
    wheel_advance(&wheel, 1000000);
    assert_int_equal(fired, 1); /* once */
    assert_true(wheel.now == 1000000);
}

static void clear(void **state) {
    (void)state;
    timer_clear(&probes[0].timer); /* harmless */
    set(0, 1010);
    set(1, 1010);
    timer_clear(&probes[0].timer);
    timer_clear(&probes[0].timer);
    assert_false(timer_is_set(&probes[0].timer));
    wheel_advance(&wheel, 2000);
    assert_int_equal(probes[0].fired, 0);
    assert_int_equal(probes[1].fired, 1);
}

static void set_again(void **state) {
    (void)state;
    set(0, 1010);
    set(0, 1500); /* later */
    wheel_advance(&wheel, 1499);
    assert_int_equal(fired, 0);
    assert_true(wheel_next(&wheel) == 1500);
    set(0, 100000);
    set(0, 1505); /* sooner */
    wheel_advance(&wheel, 1505);
    assert_true(probes[0].at == 1505);
    set(0, 1600);
    set(0, 1600); /* the same */
    wheel_advance(&wheel, 3000);
    assert_int_equal(fired, 2);
    assert_true(probes[0].at == 1600);
}

/* Each request sets a timer later: a wake that finds nothing due happens once per timeout, not once
 * per request. */
static void set_later_again_and_again(void **state) {
    int wakes = 0;
    (void)state;
    for (uint64_t now = 1000; now < 101000; now++) {
        if (wheel_next(&wheel) <= now)
            wakes++;
        wheel_advance(&wheel, now);
        set(0, now + 5000);
    }
    assert_int_equal(fired, 0);
    assert_in_range(wakes, 0, 40);
    wheel_advance(&wheel, 200000);
    assert_true(probes[0].at == 100999 + 5000);
}

static void time_past(void **state) {
    (void)state;
    set(0, 10);
    set(1, 1000);
    set(2, 0);
    assert_true(wheel_next(&wheel) == 1000);
    assert_true(probes[0].timer.due == 1000);
    wheel_advance(&wheel, 1000); /* time stands still, yet they fire */
    assert_int_equal(fired, 3);
    is_idle();
    set(3, 10);
    timer_clear(&probes[3].timer);
    is_idle();
    set(4, 10);
    set(4, 1700); /* past, then later */
    wheel_advance(&wheel, 1600);
    assert_int_equal(fired, 3);
    wheel_advance(&wheel, 1700);
    assert_true(probes[4].at == 1700);
    set(5, 1800);
    set(5, 1); /* later, then past */
    wheel_advance(&wheel, 1700);
    assert_int_equal(probes[5].fired, 1);
}

static void time_never_goes_back(void **state) {
    (void)state;
    set(0, 1001);
    wheel_advance(&wheel, 500);
    assert_true(wheel.now == 1000);
    assert_int_equal(fired, 0);
    wheel_advance(&wheel, 1001);
    assert_int_equal(fired, 1);
}

static void in_order_of_time(void **state) {
    static const uint64_t after[] = {70000, 1, 64, 63, 4096, 65, 300000, 4095, 5, 128};
    enum { COUNT = sizeof(after) / sizeof(after[0]) };
    (void)state;
    for (int i = 0; i < COUNT; i++)
        set(i, 1000 + after[i]);
    wheel_advance(&wheel, 1000000); /* one jump */
    assert_int_equal(fired, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_true(probes[i].at == 1000 + after[i]);
    for (int i = 1; i < COUNT; i++)
        assert_true(after[order[i - 1]] < after[order[i]]);
}

static void clear_next_two(struct probe *p) {
    timer_clear(&p[1].timer);
    timer_clear(&p[2].timer);
}

static void callback_clears(void **state) {
    (void)state;
    probes[0].then = clear_next_two;
    set(0, 1010);
    set(1, 1010); /* waits behind it in the same slot */
    set(2, 1011);
    set(3, 1010);
    wheel_advance(&wheel, 2000);
    assert_int_equal(probes[1].fired + probes[2].fired, 0);
    assert_int_equal(probes[3].fired, 1);
    is_idle();
}

static void set_next_two_later(struct probe *p) {
    wheel_set(&wheel, &p[1].timer, 1015);
    wheel_set(&wheel, &p[2].timer, 1500);
    p->then = NULL;
}

static void callback_sets_later(void **state) {
    (void)state;
    probes[0].then = set_next_two_later;
    set(0, 1010);
    set(1, 1010);
    set(2, 1010);
    wheel_advance(&wheel, 1100);
    assert_int_equal(fired, 2);
    assert_true(probes[1].at == 1015); /* ahead and due: in the same call */
    wheel_advance(&wheel, 1500);
    assert_true(probes[2].at == 1500);
}

static void set_next_now(struct probe *p) {
    wheel_set(&wheel, &p[1].timer, wheel.now);
}

static void callback_sets_another_to_now(void **state) {
    (void)state;
    probes[0].then = set_next_now;
    set(0, 1010);
    set(1, 1010); /* would fire in this call, had it not been set again */
    wheel_advance(&wheel, 1100);
    assert_int_equal(fired, 1);
    assert_true(wheel_next(&wheel) <= 1100);
    wheel_advance(&wheel, 1100);
    assert_int_equal(fired, 2);
    is_idle();
}

static void set_self_now(struct probe *p) {
    wheel_set(&wheel, &p->timer, wheel.now);
}

static void callback_sets_itself_to_now(void **state) {
    (void)state;
    probes[0].then = set_self_now;
    set(0, 1010);
    for (int i = 1; i <= 5; i++) {
        wheel_advance(&wheel, 1100); /* no endless loop: once a call */
        assert_int_equal(fired, i);
    }
}

static void set_self_next(struct probe *p) {
    wheel_set(&wheel, &p->timer, wheel.now + 1);
}

static void callback_sets_itself_ahead(void **state) {
    (void)state;
    probes[0].then = set_self_next;
    set(0, 1010);
    wheel_advance(&wheel, 1109);
    assert_int_equal(fired, 100);
    assert_true(probes[0].at == 1109);
    wheel_advance(&wheel, 1110);
    assert_int_equal(fired, 101);
}

static void set_64_later(struct probe *p) {
    wheel_set(&wheel, &p->timer, wheel.now + 64); /* the same slot number */
}

static void callback_sets_one_turn_ahead(void **state) {
    (void)state;
    probes[0].then = set_64_later;
    set(0, 1010);
    wheel_advance(&wheel, 1073);
    assert_int_equal(fired, 1);
    wheel_advance(&wheel, 1074);
    assert_int_equal(fired, 2);
}

static void free_itself(struct timer *t) {
    fired++;
    free(t);
}

static void callback_frees(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        struct timer *t = malloc(sizeof(*t));
        assert_non_null(t);
        timer_init(t, free_itself);
        wheel_set(&wheel, t, 990 + 10 * i);
    }
    wheel_advance(&wheel, 1500);
    assert_int_equal(fired, 3);
}

/* Every distance around the powers of 64, from starts where digits are about to carry. */
static void every_level(void **state) {
    static const uint64_t starts[] = {
        0,
        63,
        64,
        4095,
        262143,
        (UINT64_C(1) << 30) - 1,
        (UINT64_C(1) << 36) - 1,
        (UINT64_C(1) << 36) - 2,
        (UINT64_C(1) << 40) + 12345,
    };
    (void)state;
    for (size_t s = 0; s < sizeof(starts) / sizeof(starts[0]); s++) {
        for (uint64_t power = 1; power <= reach; power *= 64) {
            for (uint64_t after = power - 1; after <= power + 1; after++) {
                uint64_t due = starts[s] + (after != 0 ? after : 1);
                begin(starts[s]);
                set(0, due);
                assert_in_range(wakes_until_fired(), 1, WHEEL_LEVELS + 2);
                assert_true(probes[0].at == due);
                begin(starts[s]);
                set(0, due);
                wheel_advance(&wheel, due - 1);
                assert_int_equal(fired, 0);
                wheel_advance(&wheel, due);
                assert_int_equal(fired, 1);
            }
        }
    }
}

static void beyond_the_reach(void **state) {
    (void)state;
    set(0, 1000 + 3 * reach + 77);
    set(1, 1005);
    wheel_advance(&wheel, 1005);
    assert_int_equal(probes[1].fired, 1);
    assert_in_range(wakes_until_fired(), 3, 20);
    assert_true(probes[0].at == 1000 + 3 * reach + 77);

    begin(1000); /* in one jump, among others */
    set(0, 1000 + 5 * reach);
    set(1, 1000 + 2 * reach);
    set(2, 1000 + reach - 1);
    wheel_advance(&wheel, 1000 + 6 * reach);
    assert_int_equal(fired, 3);
    assert_true(probes[0].at == 1000 + 5 * reach);
    assert_true(probes[1].at == 1000 + 2 * reach);
    assert_true(probes[2].at == 1000 + reach - 1);
}

static void a_time_that_never_comes(void **state) {
    (void)state;
    set(0, WHEEL_NEVER);
    set(1, WHEEL_NEVER - 1);
    assert_true(wheel_next(&wheel) > 1000 + reach / 2); /* no wakes to speak of */
    wheel_advance(&wheel, 1000 + 100 * reach);
    assert_int_equal(fired, 0);
    set(0, 0);
    wheel_advance(&wheel, 0);
    assert_int_equal(probes[0].fired, 1);
    timer_clear(&probes[1].timer);
    is_idle();
}

/* Slots emptied by clears keep their bit: nobody is woken for them, and an advance takes them off.
 */
static void stale_bits(void **state) {
    (void)state;
    for (int i = 0; i < 64; i++)
        set(i, 1000 + (UINT64_C(1) << (i % 40)));
    for (int i = 0; i < 64; i++)
        timer_clear(&probes[i].timer);
    is_idle();
    wheel_advance(&wheel, 1001);
    for (int level = 0; level < WHEEL_LEVELS; level++)
        assert_true(wheel.occupied[level] == 0);
    is_idle();

    set(0, 1010);
    set(1, 1020);
    set(2, 500000);
    timer_clear(&probes[0].timer);
    assert_true(wheel_next(&wheel) > 1010); /* not for what was cleared */
    timer_clear(&probes[1].timer);
    assert_true(wheel_next(&wheel) > 1064);
    wheel_advance(&wheel, 500000);
    assert_int_equal(fired, 1);
}

static void frozen_clock(void **state) {
    (void)state;
    clock_freeze();
    begin(clock_mono_ms());
    uint64_t start = wheel.now;
    set(0, start + 15000);
    set(1, start);
    for (int i = 0; i < 10; i++)
        wheel_advance(&wheel, clock_mono_ms());
    assert_int_equal(fired, 1);
    assert_int_equal(probes[1].fired, 1);
    clock_advance_ns(UINT64_C(14999) * 1000000);
    wheel_advance(&wheel, clock_mono_ms());
    assert_int_equal(probes[0].fired, 0);
    clock_advance_ns(1000000);
    wheel_advance(&wheel, clock_mono_ms());
    assert_int_equal(probes[0].fired, 1);
    clock_thaw();
}

/* ---- beside a model ---- */

enum { TIMERS = 48, SEEDS = 300, STEPS = 400, NOBODY = -1 };

static struct {
    struct timer timer;
    uint64_t due;
    int call; /* the first wheel_advance that may fire it */
    int next; /* in the model's sorted list */
    bool listed;
} twins[TIMERS];

static int first;       /* the model's list: by due time, then by when it was set */
static int call;        /* how many times wheel_advance was called */
static uint64_t target; /* where the present call goes to; now outside one */
static bool advancing;
static unsigned seed, step;
static uint64_t random_state;

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

static void model_remove(int i) {
    int *at = &first;
    if (!twins[i].listed)
        return;
    while (*at != i)
        at = &twins[*at].next;
    *at = twins[i].next;
    twins[i].listed = false;
}

static void model_insert(int i, uint64_t due) {
    int *at = &first;
    twins[i].due = due <= wheel.now ? wheel.now : due;
    twins[i].call = call + (advancing && due <= wheel.now ? 1 : 0);
    twins[i].listed = true;
    while (*at != NOBODY && twins[*at].due <= twins[i].due)
        at = &twins[*at].next;
    twins[i].next = *at;
    *at = i;
}

/* The first that the present call may fire. */
static int model_first(void) {
    int i = first;
    while (i != NOBODY && twins[i].call > call)
        i = twins[i].next;
    return i;
}

/* Distances of all magnitudes, some of them backwards, some beyond the reach. */
static uint64_t some_time(void) {
    uint64_t distance = draw(UINT64_C(1) << draw(40));
    if (draw(8) == 0)
        return wheel.now > distance ? wheel.now - distance : 0;
    if (draw(4) == 0)
        return twins[draw(TIMERS)].due + draw(3); /* at or next to another's */
    return wheel.now + distance;
}

static void set_or_clear(void) {
    int i = (int)draw(TIMERS);
    model_remove(i);
    if (draw(4) == 0) {
        timer_clear(&twins[i].timer);
        return;
    }
    uint64_t due = some_time();
    wheel_set(&wheel, &twins[i].timer, due);
    model_insert(i, due);
}

static void fire_twin(struct timer *t) {
    int i = 0;
    while (&twins[i].timer != t)
        i++;
    must(twins[i].listed, "fired a timer that is not set");
    must(!timer_is_set(t), "a timer that fires is set");
    must(twins[i].call <= call, "fired in the call that set it to now");
    must(twins[i].due <= wheel.now, "fired too early");
    must(wheel.now <= target, "fired beyond the call's time");
    must(twins[i].due == twins[model_first()].due, "another one was due before");
    model_remove(i);
    for (uint64_t n = draw(4); n > 0; n--)
        set_or_clear();
}

static void check_between_calls(void) {
    uint64_t next = wheel_next(&wheel);
    for (int i = 0; i < TIMERS; i++)
        must(timer_is_set(&twins[i].timer) == twins[i].listed, "set and not set differ");
    if (first == NOBODY) {
        must(next == WHEEL_NEVER, "would wake for nothing");
        return;
    }
    must(next >= wheel.now, "would wake in the past");
    must(next == wheel.now || next <= twins[first].due, "would wake too late");
}

static void advance_to(uint64_t now) {
    call++;
    target = now;
    advancing = true;
    wheel_advance(&wheel, now);
    advancing = false;
    must(wheel.now == now, "is not where it was told to go");
    int due = model_first();
    must(due == NOBODY || twins[due].due > now, "left out what was due");
}

/* Wakes as a loop does, until nothing is set or enough were seen. */
static void sleep_and_wake(void) {
    for (int wakes = 0; wakes < 20 && first != NOBODY; wakes++) {
        uint64_t next = wheel_next(&wheel);
        advance_to(next);
        check_between_calls();
        must(wheel_next(&wheel) > next || (first != NOBODY && twins[first].due <= next),
             "wakes for the same time twice");
    }
}

static void run_seed(void) {
    static const uint64_t starts[] = {0, 1000, (UINT64_C(1) << 36) - 50, UINT64_C(1) << 41};
    random_state = UINT64_C(0x9E3779B97F4A7C15) * (seed + 1);
    wheel_init(&wheel, starts[seed % 4]);
    first = NOBODY;
    call = 0;
    for (int i = 0; i < TIMERS; i++) {
        timer_init(&twins[i].timer, fire_twin);
        twins[i].due = wheel.now;
        twins[i].listed = false;
    }
    for (step = 0; step < STEPS; step++) {
        for (uint64_t n = draw(6); n > 0; n--)
            set_or_clear();
        check_between_calls();
        if (draw(4) == 0)
            sleep_and_wake();
        else if (draw(4) == 0)
            advance_to(wheel.now);
        else
            advance_to(wheel.now + draw(UINT64_C(1) << draw(draw(4) == 0 ? 38 : 14)));
        check_between_calls();
    }
    for (int i = 0; i < TIMERS; i++)
        timer_clear(&twins[i].timer);
    must(wheel_next(&wheel) == WHEEL_NEVER, "is not empty at the end");
}

static void like_a_sorted_list(void **state) {
    (void)state;
    for (seed = 0; seed < SEEDS; seed++)
        run_seed();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fires_at_its_time, set_up),
        cmocka_unit_test_setup(clear, set_up),
        cmocka_unit_test_setup(set_again, set_up),
        cmocka_unit_test_setup(set_later_again_and_again, set_up),
        cmocka_unit_test_setup(time_past, set_up),
        cmocka_unit_test_setup(time_never_goes_back, set_up),
        cmocka_unit_test_setup(in_order_of_time, set_up),
        cmocka_unit_test_setup(callback_clears, set_up),
        cmocka_unit_test_setup(callback_sets_later, set_up),
        cmocka_unit_test_setup(callback_sets_another_to_now, set_up),
        cmocka_unit_test_setup(callback_sets_itself_to_now, set_up),
        cmocka_unit_test_setup(callback_sets_itself_ahead, set_up),
        cmocka_unit_test_setup(callback_sets_one_turn_ahead, set_up),
        cmocka_unit_test_setup(callback_frees, set_up),
        cmocka_unit_test_setup(every_level, set_up),
        cmocka_unit_test_setup(beyond_the_reach, set_up),
        cmocka_unit_test_setup(a_time_that_never_comes, set_up),
        cmocka_unit_test_setup(stale_bits, set_up),
        cmocka_unit_test_setup(frozen_clock, set_up),
        cmocka_unit_test(like_a_sorted_list),
    };
    return cmocka_run_group_tests_name("base_wheel", tests, NULL, NULL);
}

/* What net/loop promises: mail, timers, the turn and its order; what net/work promises beside it.
 */
#include "net/loop.h"

#include "base/clock.h"
#include "net/work.h"
#include "table.h"

#include <pthread.h>
#include <unistd.h>

static struct loop loop;
static char order[64]; /* what happened, a letter each */

static void happened(char what) {
    size_t n = strlen(order);
    assert_true(n + 1 < sizeof order);
    order[n] = what;
}

static int setup(void **state) {
    (void)state;
    memset(order, 0, sizeof order);
    return loop_init(&loop);
}

static int teardown(void **state) {
    (void)state;
    clock_thaw();
    int handles = loop_handles(&loop);
    loop_fini(&loop);
    return handles;
}

/* --- mail --- */

struct letter {
    struct mail mail;
    char name;
    bool last;
};

static void read_letter(struct mail *mail) {
    struct letter *letter = CONTAINER_OF(mail, struct letter, mail);
    happened(letter->name);
    if (letter->last)
        loop_stop(&loop);
}

static void mail_comes_in_the_order_of_posting(void **state) {
    (void)state;
    struct letter letters[5];
    for (int i = 0; i < 5; i++) {
        letters[i] = (struct letter){.mail.run = read_letter, .name = (char)('a' + i)};
        letters[i].last = i == 4;
        loop_post(&loop, &letters[i].mail);
    }
    loop_run(&loop);
    assert_string_equal(order, "abcde");
}

static struct letter retracted;

static void read_and_retract(struct mail *mail) {
    read_letter(mail);
    loop_retract(&loop, &retracted.mail);
}

static void mail_that_is_retracted_is_not_run(void **state) {
    (void)state;
    struct letter first = {.mail.run = read_letter, .name = 'a'};
    struct letter second = {.mail.run = read_and_retract, .name = 'b'};
    struct letter last = {.mail.run = read_letter, .name = 'd', .last = true};
    retracted = (struct letter){.mail.run = read_letter, .name = 'c'};
    loop_retract(&loop, &retracted.mail); /* was not posted */
    loop_post(&loop, &first.mail);
    loop_post(&loop, &second.mail);
    loop_post(&loop, &retracted.mail);
    loop_post(&loop, &last.mail);
    loop_retract(&loop, &first.mail);
    loop_run(&loop);
    assert_string_equal(order, "bd");
    loop_post(&loop, &first.mail); /* it may be posted again */
    loop_post(&loop, &last.mail);
    loop_run(&loop);
    assert_string_equal(order, "bdad");
}

#define LETTERS 1000

static struct letter many[2][LETTERS];
static int next_of[2], received;

static void count_letter(struct mail *mail) {
    struct letter *letter = CONTAINER_OF(mail, struct letter, mail);
    int sender = letter >= many[1];
    assert_ptr_equal(letter, &many[sender][next_of[sender]++]);
    if (++received == 2 * LETTERS)
        loop_stop(&loop);
}

static void *post_many(void *arg) {
    struct letter *letters = arg;
    for (int i = 0; i < LETTERS; i++) {
        letters[i].mail.run = count_letter;
        loop_post(&loop, &letters[i].mail);
    }
    return NULL;
}

static void mail_comes_from_any_thread(void **state) {
    (void)state;
    pthread_t threads[2];
    received = next_of[0] = next_of[1] = 0;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, many[i]), 0);
    loop_run(&loop);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(received, 2 * LETTERS);
}

/* A letter that answers with another: that one comes too, later. */
static struct letter answer;

static void read_and_answer(struct mail *mail) {
    read_letter(mail);
    answer = (struct letter){.mail.run = read_letter, .name = 'b', .last = true};
    loop_post(&loop, &answer.mail);
}

static void mail_may_post_mail(void **state) {
    (void)state;
    struct letter letter = {.mail.run = read_and_answer, .name = 'a'};
    loop_post(&loop, &letter.mail);
    loop_run(&loop);
    assert_string_equal(order, "ab");
}

/* --- timers --- */

struct alarm {
    struct timer timer;
    char name;
    bool last, ready;
};

static void ring(struct timer *timer) {
    struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
    happened(alarm->name);
    loop.ready |= alarm->ready;
    if (alarm->last)
        loop_stop(&loop);
}

static void set(struct alarm *alarm, char name, uint64_t ms, bool last) {
    *alarm = (struct alarm){.name = name, .last = last};
    timer_init(&alarm->timer, ring);
    loop_timer(&loop, &alarm->timer, ms);
}

/* The loop sleeps until they are due, by the real clock. */
static void timers_fire_when_due(void **state) {
    (void)state;
    struct alarm a, b, c;
    uint64_t began = loop_now(&loop);
    set(&a, 'a', 30, true);
    set(&b, 'b', 10, false);
    set(&c, 'c', 20, false);
    timer_clear(&c.timer);
    loop_run(&loop);
    assert_string_equal(order, "ba");
    assert_true(clock_mono_ms() - began >= 30);
}

static void frozen_timers_wait_for_the_clock(void **state) {
    (void)state;
    struct alarm a;
    clock_freeze();
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    set(&a, 'a', 100, false);
    clock_advance_ns(99000000);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_string_equal(order, "");
    clock_advance_ns(1000000);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_string_equal(order, "a");
}

/* The time is read once, when poll has returned. */
static void a_turn_has_one_time(void **state) {
    (void)state;
    clock_freeze();
    loop_wake_up(&loop);
    uint64_t now = loop_now(&loop);
    clock_advance_ns(5000000);
    assert_int_equal(loop_now(&loop), now);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(loop_now(&loop), now + 5);
}

/* --- the turn --- */

static void take_long(struct mail *mail) {
    (void)mail;
    clock_advance_ns(100000000);
}

/* A turn ends before the next poll. */
static void a_turn_lasts_as_long_as_its_mail_too(void **state) {
    (void)state;
    struct mail mail = {.run = take_long};
    clock_freeze();
    loop_post(&loop, &mail);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(loop.turns.sum, 100);
}

static int runs_left;

static void run_ready(void *arg) {
    happened(*(char *)arg);
    if (--runs_left > 0)
        loop.ready = true;
    else
        loop_stop(&loop);
}

static void what_is_ready_runs_until_nothing_is(void **state) {
    (void)state;
    char name = 'r';
    loop.run_ready = run_ready;
    loop.run_arg = &name;
    loop.ready = true;
    runs_left = 3;
    loop_run(&loop); /* nothing else keeps poll from waiting for ever */
    assert_string_equal(order, "rrr");
}

static void timers_come_before_what_is_ready(void **state) {
    (void)state;
    char name = 'r';
    struct alarm a;
    loop.run_ready = run_ready;
    loop.run_arg = &name;
    runs_left = 1;
    set(&a, 'a', 0, false);
    a.ready = true;
    loop_run(&loop);
    assert_string_equal(order, "ar");
}

static struct alarm patience;
static int pipe_fds[2];

/* A turn that lasts longer than somebody's patience, and leaves more to do; what that one waits for
 * comes meanwhile. */
static void run_long(void *arg) {
    (void)arg;
    happened('r');
    if (order[1] != '\0')
        return;
    assert_int_equal(write(pipe_fds[1], "x", 1), 1);
    clock_advance_ns(1000000000);
    loop.ready = true;
}

static void make_ready(struct mail *mail) {
    (void)mail;
    loop.ready = true;
}

static void on_bytes(uv_poll_t *handle, int status, int events) {
    (void)events;
    assert_int_equal(status, 0);
    happened('b');
    timer_clear(&patience.timer);
    uv_poll_stop(handle);
    loop_stop(&loop);
}

static void what_has_come_in_time_is_read_before_it_is_over(void **state) {
    (void)state;
    uv_poll_t poll;
    struct mail mail = {.run = make_ready};
    assert_int_equal(pipe(pipe_fds), 0);
    assert_int_equal(uv_poll_init(&loop.uv, &poll, pipe_fds[0]), 0);
    assert_int_equal(uv_poll_start(&poll, UV_READABLE, on_bytes), 0);
    clock_freeze();
    loop_wake_up(&loop);
    set(&patience, 't', 10, true);
    loop.run_ready = run_long;
    loop_post(&loop, &mail);
    loop_run(&loop);
    assert_null(strchr(order, 't'));
    assert_non_null(strchr(order, 'b'));
    uv_close((uv_handle_t *)&poll, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* --- work --- */

struct errand {
    struct work work;
    pthread_t thread;
    bool ran, last;
};

static void run_errand(struct work *work) {
    struct errand *errand = CONTAINER_OF(work, struct errand, work);
    errand->thread = pthread_self();
    errand->ran = true;
}

static void errand_done(struct work *work) {
    struct errand *errand = CONTAINER_OF(work, struct errand, work);
    assert_true(errand->ran);
    assert_false(pthread_equal(errand->thread, pthread_self()));
    happened('d');
    if (errand->last)
        loop_stop(&loop);
}

static void work_is_done_elsewhere_and_told_here(void **state) {
    (void)state;
    struct errand errand = {.work = {.run = run_errand, .done = errand_done}, .last = true};
    work_submit(&loop, &errand.work);
    loop_run(&loop);
    assert_string_equal(order, "d");
}

/* loop_fini waits for what a pool thread is at. */
static void work_outlives_the_loops_end(void **state) {
    (void)state;
    struct loop other;
    struct errand errand = {.work = {.run = run_errand, .done = errand_done}};
    assert_int_equal(loop_init(&other), 0);
    work_submit(&other, &errand.work);
    loop_fini(&other);
    assert_string_equal(order, "d");
}

static void handles_are_counted(void **state) {
    (void)state;
    uv_idle_t idle;
    assert_int_equal(loop_handles(&loop), 0);
    uv_idle_init(&loop.uv, &idle);
    assert_int_equal(loop_handles(&loop), 1);
    uv_close((uv_handle_t *)&idle, NULL);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(loop_handles(&loop), 0);
}

/* --- chores --- */

static struct chore first, second, third;

static void again(struct chore *chore) {
    happened('1');
    if (strlen(order) < 4)
        loop_chore(&loop, chore);
}

static void clear_the_next(struct chore *chore) {
    (void)chore;
    happened('2');
    chore_clear(&third);
}

static void never(struct chore *chore) {
    (void)chore;
    happened('3');
}

static void once_and_ready(void *arg) {
    (void)arg;
    happened('r');
}

/* Once, behind what is ready; what comes up meanwhile waits for the next turn, which comes by
 * itself; one may be cleared by another of the same turn. */
static void chores_end_the_turn(void **state) {
    (void)state;
    chore_init(&first, again);
    chore_init(&second, clear_the_next);
    chore_init(&third, never);
    loop.run_ready = once_and_ready;
    loop_chore(&loop, &first);
    loop_chore(&loop, &first);
    loop_chore(&loop, &second);
    loop_chore(&loop, &third);
    loop.ready = true;
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    while (!list_empty(&loop.chores))
        uv_run(&loop.uv, UV_RUN_ONCE);
    assert_string_equal(order, "r121");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(mail_comes_in_the_order_of_posting),
        TEST(mail_that_is_retracted_is_not_run),
        TEST(mail_comes_from_any_thread),
        TEST(mail_may_post_mail),
        TEST(timers_fire_when_due),
        TEST(frozen_timers_wait_for_the_clock),
        TEST(a_turn_has_one_time),
        TEST(a_turn_lasts_as_long_as_its_mail_too),
        TEST(what_is_ready_runs_until_nothing_is),
        TEST(timers_come_before_what_is_ready),
        TEST(what_has_come_in_time_is_read_before_it_is_over),
        TEST(work_is_done_elsewhere_and_told_here),
        TEST(work_outlives_the_loops_end),
        TEST(handles_are_counted),
        TEST(chores_end_the_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

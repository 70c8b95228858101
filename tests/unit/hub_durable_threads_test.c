/* Durable topics from several threads at once: each publishes to a topic of its own and has
 * subscribers, of its topic, of two, and of all. Every commit now and then fails. What was done
 * without an error is what everybody got, in order and once, and what is there after a restart.
 * `make check` runs this under TSan. */
#include "durable_rig.h"

#include "base/clock.h"
#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { THREADS = 4, EVENTS = 600, IN_FLIGHT = 3, KINDS = 3 };

static const char *const names[THREADS] = {"t/0", "t/1", "u/2", "u/3"};
static atomic_int publishing; /* threads that have not sent and heard of all */
static atomic_int kept;       /* events without an error */
static atomic_bool failed;

/* cmocka's own asserts hold in its thread only. */
static void check(bool holds, const char *what) {
    if (!holds && !atomic_exchange(&failed, true))
        fprintf(stderr, "%s\n", what);
}

struct worker {
    unsigned number;
    pthread_t thread;
    struct loop loop;
    struct reader reader;
    struct chore chore;
    struct timer timer;
    struct taker takers[KINDS];
    struct sending {
        struct publication publication;
        struct worker *worker;
        char text[32];
        bool busy;
    } sendings[IN_FLIGHT];
    unsigned sent, done;
    bool ok[EVENTS + 1];
};

static struct worker workers[THREADS];

static void on_done(struct publication *publication, int error) {
    struct sending *sending = CONTAINER_OF(publication, struct sending, publication);
    struct worker *worker = sending->worker;
    unsigned number = (unsigned)atoi(sending->text + 6) & 0xffff;
    check(pthread_equal(pthread_self(), worker->thread), "done in another thread");
    check(sending->busy, "done twice");
    check(error == 0 || error == UV_EIO, "another error");
    sending->busy = false;
    worker->ok[number] = error == 0;
    worker->done++;
    if (error == 0)
        kept++;
    if (worker->done == EVENTS)
        publishing--;
    loop_chore(&worker->loop, &worker->chore);
}

static void send_some(struct chore *chore) {
    struct worker *worker = CONTAINER_OF(chore, struct worker, chore);
    for (int i = 0; i < IN_FLIGHT && worker->sent < EVENTS; i++) {
        struct sending *sending = &worker->sendings[i];
        if (sending->busy)
            continue;
        int n = snprintf(sending->text, sizeof sending->text, "data: %u\n\n",
                         worker->number << 16 | ++worker->sent);
        sending->worker = worker;
        sending->busy = true;
        sending->publication = (struct publication){.topic = str_of(names[worker->number]),
                                                    .text = {sending->text, (size_t)n},
                                                    .done = on_done};
        check(publication_send(&sending->publication, &worker->reader) == PUBLICATION_LATER,
              "it was not durable");
    }
}

/* Looks now and then whether all is over: publishers are done, and who reads all has all. */
static void on_timer(struct timer *timer) {
    struct worker *worker = CONTAINER_OF(timer, struct worker, timer);
    int came = (int)worker->reader.counters.delivered;
    int due = publishing > 0 ? -1 : 0;
    for (unsigned i = 0; due >= 0 && i < THREADS; i++) {
        bool mine = i == worker->number, second = i == (worker->number + 1) % THREADS;
        for (int n = 1; n <= EVENTS; n++)
            due += workers[i].ok[n] * (1 + mine + mine + second);
    }
    if (due >= 0 && came >= due)
        loop_stop(&worker->loop);
    else
        loop_timer(&worker->loop, timer, 5);
}

static void *work(void *arg) {
    struct worker *worker = arg;
    loop_chore(&worker->loop, &worker->chore);
    loop_timer(&worker->loop, &worker->timer, 5);
    loop_run(&worker->loop);
    return NULL;
}

static void start(struct worker *worker, unsigned number) {
    *worker = (struct worker){.number = number};
    assert_int_equal(loop_init(&worker->loop), 0);
    reader_init(&worker->reader, &worker->loop);
    chore_init(&worker->chore, send_some);
    timer_init(&worker->timer, on_timer);
    for (int i = 0; i < KINDS; i++)
        taker_init(&worker->takers[i], &worker->reader, OVERFLOW_NONE, UINT32_MAX);
    taker_add(&worker->takers[0], names[number]);
    taker_add(&worker->takers[1], names[number]);
    taker_add(&worker->takers[1], names[(number + 1) % THREADS]);
    taker_add(&worker->takers[2], "*");
}

/* Exactly what was done without an error came, each topic in order. */
static void check_got(struct taker *taker, const bool *wanted) {
    struct str rest = buf_str(&taker->got);
    struct taken taken;
    unsigned next[THREADS];
    event_id last = 0;
    for (unsigned i = 0; i < THREADS; i++)
        next[i] = 1;
    while (taken_next(&rest, &taken)) {
        unsigned topic = taken.serial >> 16, number = taken.serial & 0xffff;
        assert_true(taken.id > last);
        last = taken.id;
        assert_in_range(topic, 0, THREADS - 1);
        assert_true(wanted[topic]);
        while (next[topic] < number)
            assert_false(workers[topic].ok[next[topic]++]);
        assert_int_equal(next[topic], number);
        assert_true(workers[topic].ok[next[topic]++]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        while (wanted[i] && next[i] <= EVENTS)
            assert_false(workers[i].ok[next[i]++]);
}

static void check_and_end(struct worker *worker) {
    bool all[THREADS] = {true, true, true, true}, own[THREADS] = {false}, two[THREADS] = {false};
    own[worker->number] = two[worker->number] = two[(worker->number + 1) % THREADS] = true;
    check_got(&worker->takers[0], own);
    check_got(&worker->takers[1], two);
    check_got(&worker->takers[2], all);
    for (int i = 0; i < KINDS; i++)
        taker_fini(&worker->takers[i]);
    reader_fini(&worker->reader);
    loop_fini(&worker->loop);
}

static void all_get_what_was_committed(void **state) {
    (void)state;
    struct hub_rig rig;
    durable_rig_init(&rig);
    clock_thaw(); /* loops look at it in threads of their own */
    publishing = THREADS;
    for (int i = 0; i < 5; i++)
        fault_arm("store_commit", UV_EIO, 7, 2);
    for (unsigned i = 0; i < THREADS; i++)
        start(&workers[i], i);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    assert_false(failed);
    assert_in_range(kept, 1, THREADS * EVENTS - 1); /* some have failed */
    for (unsigned i = 0; i < THREADS; i++)
        check_and_end(&workers[i]);
    fault_reset();
    durable_rig_restart();
    durable_rig_keep(1000000, 3600000, UINT64_MAX);
    struct taker taker;
    const bool all[THREADS] = {true, true, true, true};
    taker_init(&taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_add_from(&taker, "*", 0, false);
    while (rig.readers[0].counters.delivered < (uint64_t)kept)
        durable_turn(&rig);
    check_got(&taker, all);
    taker_fini(&taker);
    durable_rig_fini(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_get_what_was_committed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

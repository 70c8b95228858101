/* The hub from five threads at once: three publish to topics of their own, two have subscribers of
 * every shape, who stall and read on. Each subscriber checks that ids grow, that the events of a
 * topic come in the order they were sent, and that in the end what came and what was told as lost
 * are all there were; publishers who wait for the slow are told on their own loop. `make check`
 * runs this under TSan. */
#include "hub_rig.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

enum { PUBLISHERS = 3, TOPICS = 2, EVENTS = 2500, SIDES = 2, IN_FLIGHT = 4, KEEP = 50 };

/* To the second topic of each its publisher waits for subscribers with the policy block. */
static const char *const names[PUBLISHERS][TOPICS] = {
    {"p/0/a", "p/0/b"}, {"p/1/a", "p/1/b"}, {"q/a", "q/b"}};

static atomic_int publishing; /* publishers that are not done */
static atomic_int waits;      /* publications that were not done at once */
static atomic_bool failed;

/* cmocka's own asserts hold in its thread only. */
static void check(bool holds, const char *what) {
    if (!holds && !atomic_exchange(&failed, true))
        fprintf(stderr, "%s\n", what);
}

/* --- publishers --- */

struct sending {
    struct publication publication;
    struct publisher *publisher;
    char text[32];
    bool busy;
};

struct publisher {
    unsigned number;
    pthread_t thread;
    struct loop loop;
    struct reader reader;
    struct chore chore;
    struct sending sendings[IN_FLIGHT];
    unsigned sent, done;
};

/* An event's data: its topic, and its number there. */
static unsigned data_of(unsigned publisher, unsigned topic, unsigned number) {
    return (publisher * TOPICS + topic) << 20 | number;
}

static void on_done(struct publication *publication, int error) {
    struct sending *sending = CONTAINER_OF(publication, struct sending, publication);
    struct publisher *publisher = sending->publisher;
    check(error == 0, "a publication failed");
    check(pthread_equal(pthread_self(), publisher->thread), "done in another thread");
    check(sending->busy, "done twice");
    sending->busy = false;
    publisher->done++;
    loop_chore(&publisher->loop, &publisher->chore);
}

static void send_one(struct publisher *publisher, struct sending *sending) {
    unsigned topic = publisher->sent % TOPICS, number = publisher->sent / TOPICS + 1;
    int n = snprintf(sending->text, sizeof sending->text, "data: %u\n\n",
                     data_of(publisher->number, topic, number));
    sending->publisher = publisher;
    sending->publication = (struct publication){.topic = str_of(names[publisher->number][topic]),
                                                .text = {sending->text, (size_t)n},
                                                .wait_ms = topic == 1 ? 60000 : 0,
                                                .done = on_done};
    publisher->sent++;
    if (publication_send(&sending->publication, &publisher->reader) == 0) {
        publisher->done++;
        return;
    }
    sending->busy = true;
    waits++;
}

static void send_some(struct chore *chore) {
    struct publisher *publisher = CONTAINER_OF(chore, struct publisher, chore);
    bool waiting = false;
    for (int i = 0; i < IN_FLIGHT; i++) {
        struct sending *sending = &publisher->sendings[i];
        if (!sending->busy && publisher->sent < EVENTS)
            send_one(publisher, sending);
        waiting = waiting || sending->busy;
    }
    if (publisher->done == EVENTS)
        loop_stop(&publisher->loop);
    else if (!waiting) /* else on_done goes on */
        loop_chore(&publisher->loop, &publisher->chore);
}

static void *publish(void *arg) {
    struct publisher *publisher = arg;
    publisher->thread = pthread_self();
    loop_chore(&publisher->loop, &publisher->chore);
    loop_run(&publisher->loop);
    publishing--;
    return NULL;
}

/* --- subscribers --- */

struct viewer {
    struct taker taker;
    const char *choices[2]; /* NULL: none */
    enum overflow overflow;
    uint32_t limit;
    bool churns; /* it leaves and comes back; it is not told how much it lost then */
    unsigned numbers[PUBLISHERS * TOPICS]; /* of the last event of each topic */
    event_id last;
    uint64_t came, told, due;
};

static const struct viewer shapes[] = {
    {.choices = {"p/0/a"}, .limit = UINT32_MAX},
    {.choices = {"p/1/b"}, .overflow = OVERFLOW_BLOCK, .limit = 3},
    {.choices = {"p/0/b", "q/a"}, .limit = UINT32_MAX},
    {.choices = {"p/0/b"}, .overflow = OVERFLOW_BLOCK, .limit = 4},
    {.choices = {"p/*"}, .limit = UINT32_MAX},
    {.choices = {"q/*", "p/0/a"}, .overflow = OVERFLOW_BLOCK, .limit = 5},
    {.choices = {"*"}, .overflow = OVERFLOW_DROP_OLDEST, .limit = 20},
    {.choices = {"q/a", "p/1/*"}, .overflow = OVERFLOW_DROP_NEWEST, .limit = 20},
    {.choices = {"p/0/a"}, .overflow = OVERFLOW_DROP_OLDEST, .limit = 10},
    {.choices = {"*"}, .overflow = OVERFLOW_CONFLATE, .limit = UINT32_MAX},
    {.choices = {"p/*", "p/1/a"}, .limit = UINT32_MAX, .churns = true},
    {.choices = {"q/b"}, .limit = UINT32_MAX, .churns = true},
};

enum { SHAPES = sizeof shapes / sizeof *shapes };

struct side {
    pthread_t thread;
    struct loop loop;
    struct reader reader;
    struct viewer viewers[SHAPES];
    struct timer timer;
    uint32_t seed;
};

static uint32_t below(struct side *side, uint32_t n) {
    side->seed = side->seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(side->seed >> 4) * n >> 28);
}

static bool covers(const struct viewer *viewer, const char *topic) {
    for (int i = 0; i < 2; i++) {
        const char *choice = viewer->choices[i];
        size_t n = choice ? strlen(choice) : 0;
        if (n > 0 && (choice[n - 1] == '*' ? strncmp(choice, topic, n - 1) == 0
                                           : strcmp(choice, topic) == 0))
            return true;
    }
    return false;
}

static void check_event(struct viewer *viewer, unsigned data) {
    unsigned topic = data >> 20, number = data & 0xfffff;
    check(topic < PUBLISHERS * TOPICS, "an event nobody has sent");
    check(covers(viewer, names[topic / TOPICS][topic % TOPICS]), "an event of another topic");
    check(number > viewer->numbers[topic], "an event came twice, or out of order");
    if (viewer->overflow == OVERFLOW_BLOCK && topic % TOPICS == 1)
        check(number == viewer->numbers[topic] + 1, "an event is missing that was waited for");
    viewer->numbers[topic] = number;
    viewer->came++;
}

static void check_got(struct viewer *viewer) {
    struct taker *taker = &viewer->taker;
    struct str rest = buf_str(&taker->got);
    struct taken taken;
    while (taken_next(&rest, &taken)) {
        check(taken.id > viewer->last, "an id not beyond the one before");
        viewer->last = taken.id;
        if (taken.serial > 0 || taken.reason[0] == 0)
            check_event(viewer, taken.serial);
        else if (taken.lost > 0)
            viewer->told += (uint64_t)taken.lost;
        else
            check(viewer->churns, "a gap without a number for one that never left");
    }
    buf_fini(&taker->got);
    buf_fini(&taker->gaps);
    check(!taker->over, "expelled, though publishers wait for a minute");
}

static void begin(struct side *side, struct viewer *viewer, bool back) {
    taker_init(&viewer->taker, &side->reader, viewer->overflow, viewer->limit);
    for (int i = 0; i < 2; i++) {
        if (viewer->choices[i] && back)
            taker_add_from(&viewer->taker, viewer->choices[i], viewer->last, true);
        else if (viewer->choices[i])
            taker_add(&viewer->taker, viewer->choices[i]);
    }
}

static void stir(struct side *side, struct viewer *viewer) {
    if (viewer->churns && viewer->last > 0 && below(side, 4) == 0) {
        taker_fini(&viewer->taker);
        begin(side, viewer, true);
    } else if (viewer->taker.blocked) {
        taker_resume(&viewer->taker, below(side, 2) ? SIZE_MAX : below(side, 3000));
    } else if (below(side, 4) == 0) {
        viewer->taker.room = below(side, 1000);
    }
}

/* Everybody reads on: true when all have had what there is. */
static bool is_complete(struct side *side) {
    bool complete = true;
    for (int i = 0; i < SHAPES; i++) {
        struct viewer *viewer = &side->viewers[i];
        viewer->taker.room = SIZE_MAX;
        if (viewer->taker.blocked)
            taker_resume(&viewer->taker, SIZE_MAX);
        check(viewer->churns || viewer->came + viewer->told <= viewer->due, "more than there was");
        complete = complete && (viewer->churns || viewer->came + viewer->told >= viewer->due);
    }
    return complete || failed;
}

/* Once a millisecond. */
static void on_timer(struct timer *timer) {
    struct side *side = CONTAINER_OF(timer, struct side, timer);
    bool over = publishing == 0;
    for (int i = 0; i < SHAPES; i++) {
        check_got(&side->viewers[i]);
        if (!over)
            stir(side, &side->viewers[i]);
    }
    if (over && is_complete(side))
        loop_stop(&side->loop);
    else
        loop_timer(&side->loop, timer, 1);
}

static void *view(void *arg) {
    struct side *side = arg;
    loop_timer(&side->loop, &side->timer, 1);
    loop_run(&side->loop);
    for (int i = 0; i < SHAPES; i++)
        taker_fini(&side->viewers[i].taker);
    return NULL;
}

/* --- all together --- */

static void init_side(struct side *side, uint32_t seed) {
    *side = (struct side){.seed = seed};
    assert_int_equal(loop_init(&side->loop), 0);
    reader_init(&side->reader, &side->loop);
    timer_init(&side->timer, on_timer);
    memcpy(side->viewers, shapes, sizeof shapes);
    for (int i = 0; i < SHAPES; i++) {
        struct viewer *viewer = &side->viewers[i];
        begin(side, viewer, false);
        for (int t = 0; t < PUBLISHERS * TOPICS; t++)
            viewer->due += covers(viewer, names[t / TOPICS][t % TOPICS]) ? EVENTS / TOPICS : 0;
    }
}

static void init_publisher(struct publisher *publisher, unsigned number) {
    *publisher = (struct publisher){.number = number};
    assert_int_equal(loop_init(&publisher->loop), 0);
    reader_init(&publisher->reader, &publisher->loop);
    chore_init(&publisher->chore, send_some);
}

static void end(struct reader *reader, struct loop *loop) {
    reader_fini(reader);
    loop_fini(loop);
}

static void threads_agree(void **state) {
    (void)state;
    static struct publisher publishers[PUBLISHERS];
    static struct side sides[SIDES];
    pthread_t threads[PUBLISHERS];
    hub_clear();
    hub_rig_keep(KEEP, 3600000, 1024 * 1024);
    uint64_t memory = hub.memory;
    publishing = PUBLISHERS;
    for (unsigned i = 0; i < SIDES; i++)
        init_side(&sides[i], i);
    for (unsigned i = 0; i < PUBLISHERS; i++)
        init_publisher(&publishers[i], i);
    for (int i = 0; i < SIDES; i++)
        assert_int_equal(pthread_create(&sides[i].thread, NULL, view, &sides[i]), 0);
    for (int i = 0; i < PUBLISHERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, publish, &publishers[i]), 0);
    for (int i = 0; i < PUBLISHERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SIDES; i++)
        pthread_join(sides[i].thread, NULL);
    for (int i = 0; i < PUBLISHERS; i++)
        end(&publishers[i].reader, &publishers[i].loop);
    for (int i = 0; i < SIDES; i++)
        end(&sides[i].reader, &sides[i].loop);
    hub_clear();
    assert_false(failed);
    assert_true(waits > 0);
    assert_int_equal(hub.topics, 0);
    assert_int_equal(hub.memory, memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

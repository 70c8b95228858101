/* The hub with very many topics and very many who do not read: what stands still costs nothing.
 *
 * For each kind of reader it publishes very often beside a thousand of them, and counts how often
 * the hub visits a position, or looks through something for one; what they take must be within the
 * hub's memory.
 *
 * Run with a kind and a number, it publishes that often beside readers of that kind, inside
 * measured(): tests/scale/run has the instructions of that counted, and compares. */
#include "hub_rig.h"

#include "base/mem.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hub_rig rig;

static const char *topic_name(char out[32], unsigned number, const char *end) {
    snprintf(out, 32, "p/%u%s", number, end);
    return out;
}

#define HOT "hot/1" /* every second event is for it */
#define TOPICS_HERE 5000
#define TOPICS_OUTSIDE 100000
#define READERS 1000
#define HUB_MEMORY (32 * 1024 * 1024)
#define SLACK (4 * 1024 * 1024)
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define PUBLISHES 20000
#else
#define PUBLISHES 100000
#endif
#define VISITS_MOST (2 * READERS * 100)

struct kind {
    const char *name;
    bool stalls; /* there are some */
    enum overflow overflow;
    const char *choice, *second; /* NULL: topics of their own, without events */
    bool limited;                /* the hub's memory is used up */
};

static unsigned topics = TOPICS_HERE;

#define EACH_POLICY(name, choice, second)                                                          \
    {name "-none", true, OVERFLOW_NONE, choice, second, false},                                    \
        {name "-disconnect", true, OVERFLOW_DISCONNECT, choice, second, false},                    \
        {name "-drop_oldest", true, OVERFLOW_DROP_OLDEST, choice, second, false},                  \
        {name "-drop_newest", true, OVERFLOW_DROP_NEWEST, choice, second, false},                  \
        {name "-conflate", true, OVERFLOW_CONFLATE, choice, second, false}, {                      \
        name "-block", true, OVERFLOW_BLOCK, choice, second, false                                 \
    }

static const struct kind kinds[] = {
    {"nobody", false, OVERFLOW_NONE, NULL, NULL, false},
    {"empty", true, OVERFLOW_NONE, NULL, NULL, true},
    EACH_POLICY("topic", HOT, NULL),
    EACH_POLICY("topics", HOT, "p/1"),
    EACH_POLICY("few", "hot/*", NULL),
    EACH_POLICY("prefix", "p/*", NULL),
    EACH_POLICY("all", "*", HOT),
};

static void publish_around(unsigned times) {
    char name[32];
    for (unsigned i = 0; i < times; i++) {
        hub_rig_publish(&rig, i % 2 ? HOT : topic_name(name, i * 7 % topics, ""),
                        i % 3 ? NULL : "key");
        uv_run(&rig.loops[0].uv, UV_RUN_NOWAIT);
    }
}

__attribute__((noinline)) static void measured(unsigned times) {
    publish_around(times);
}

#define KINDS (sizeof kinds / sizeof *kinds)

/* --- those who do not read --- */

struct stalled {
    struct taker taker;
    bool gone;
};

static const struct position_ops *rig_ops; /* what a taker does */

/* A stream that is found to be too slow goes. */
static void leave_if_over(struct position *position) {
    struct stalled *one = CONTAINER_OF(position, struct stalled, taker.position);
    if (!one->taker.over || one->gone)
        return;
    one->gone = true;
    taker_fini(&one->taker);
}

static void on_news(struct position *position) {
    rig_ops->news(position);
    leave_if_over(position);
}

static void on_overflow(struct position *position) {
    rig_ops->overflow(position);
    leave_if_over(position);
}

static const struct position_ops stalled_ops = {.news = on_news, .overflow = on_overflow};

/* Nothing is taken of the first event. */
static void stall(struct stalled *one, const struct kind *kind) {
    taker_init(&one->taker, &rig.readers[0], kind->overflow, 100);
    rig_ops = one->taker.position.ops;
    one->taker.position.ops = &stalled_ops;
    one->taker.room = 0;
    taker_add(&one->taker, kind->choice);
    if (kind->second)
        taker_add(&one->taker, kind->second);
}

static void hold_empty_topics(struct stalled *one, unsigned first) {
    char name[32];
    taker_init(&one->taker, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    for (unsigned i = first; i < topics; i += READERS)
        taker_add(&one->taker, topic_name(name, i, "/empty"));
}

static void make_stalled(struct stalled *all, const struct kind *kind) {
    for (unsigned i = 0; i < READERS; i++)
        if (kind->choice)
            stall(&all[i], kind);
        else
            hold_empty_topics(&all[i], i);
}

static void end_stalled(struct stalled *all) {
    for (unsigned i = 0; i < READERS; i++)
        if (!all[i].gone)
            taker_fini(&all[i].taker);
}

static uint64_t visits(void) {
    struct hub_counters totals;
    hub_totals(&totals);
    return totals.visits;
}

/* What the allocator has given out. */
static uint64_t allocated(void) {
    return mallinfo2().uordblks;
}

/* Returns how many visits the publishes were to readers. */
static uint64_t publish_beside(const struct kind *kind, unsigned times) {
    hub_rig_init(&rig, 1);
    hub_rig_keep(100, 3600000, 1024 * 1024);
    hub_set_memory(HUB_MEMORY);
    publish_around(topics * 2);
    struct stalled *all = mem_zalloc(READERS * sizeof *all);
    if (kind->stalls)
        make_stalled(all, kind);
    publish_around(1000);
    if (kind->limited)
        hub_set_memory(hub.memory);
    uint64_t before = visits(), memory = hub.memory, given = allocated();
    measured(times);
    uint64_t done = visits() - before;
    assert_true(hub.memory <= HUB_MEMORY);
    assert_true(allocated() < given + SLACK + (hub.memory > memory ? hub.memory - memory : 0));
    if (kind->stalls)
        end_stalled(all);
    free(all);
    hub_rig_fini(&rig);
    return done;
}

/* --- in the program itself --- */

/* Each may be visited until it is at its limit, which is 100 events; no more. */
static void publishes_do_not_visit_those_who_do_not_read(void **state) {
    (void)state;
    for (size_t i = 1; i < KINDS; i++) {
        uint64_t n = publish_beside(&kinds[i], PUBLISHES);
        if (n > VISITS_MOST)
            fail_msg("%s: %u visits by %u publishes", kinds[i].name, (unsigned)n, PUBLISHES);
    }
}

/* --- measured from outside --- */

static int print_kinds(void) {
    for (size_t i = 1; i < KINDS; i++)
        puts(kinds[i].name);
    return 0;
}

static int run_kind(const char *name, unsigned times) {
    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            publish_beside(&kinds[i], times);
            return 0;
        }
    return 2;
}

int main(int argc, char **argv) {
    if (argc == 2)
        return print_kinds();
    topics = argc == 3 ? TOPICS_OUTSIDE : TOPICS_HERE;
    if (argc == 3)
        return run_kind(argv[1], (unsigned)atoi(argv[2]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publishes_do_not_visit_those_who_do_not_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

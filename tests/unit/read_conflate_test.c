/* Conflation of what a durable topic has in the store: of each key the newest, over all that is
 * read, however many pages it takes, in order of ids; and what has no key, all of it. */
#include "durable_rig.h"

#include "base/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "table.h"

#define MANY 1000 /* of PAD bytes: four pages */
#define PAD 500

static struct hub_rig rig;
static struct taker taker;
static size_t keys_most, rows_most;

static int setup(void **state) {
    (void)state;
    keys_most = keys_bytes_most;
    rows_most = page_rows_most;
    durable_rig_init(&rig);
    taker_init(&taker, &rig.readers[0], OVERFLOW_CONFLATE, UINT32_MAX);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    keys_bytes_most = keys_most;
    page_rows_most = rows_most;
    taker_fini(&taker);
    durable_rig_fini(&rig);
    return 0;
}

static void restart(void) {
    taker_fini(&taker);
    hub_rig_settle(&rig);
    durable_rig_restart();
    durable_rig_keep(1000000, 3600000, UINT64_MAX);
    taker_init(&taker, &rig.readers[0], OVERFLOW_CONFLATE, UINT32_MAX);
}

/* --- what is published, and what is to come of it --- */

struct published {
    const char *topic;
    char key[16]; /* "": none */
};

static struct published log_of[2 * MANY + 1]; /* by serial number */
static unsigned published;
static struct sent sent[MANY];

static void begin(void) {
    published = 0;
}

/* The n-th event has the topic and key that are its turn; every tenth has no key. */
static void publish_many(int count, const char *const *topics, int ntopics, int nkeys) {
    for (int i = 0; i < count; i++) {
        struct published *event = &log_of[++published];
        event->topic = topics[i % ntopics];
        snprintf(event->key, sizeof event->key, "k%d", i * 7 % nkeys);
        if (i % 10 == 3)
            event->key[0] = 0;
        durable_send(&rig, &sent[i], event->topic, event->key[0] ? event->key : NULL, PAD);
    }
    assert_int_equal(durable_wait(&rig, &sent[count - 1]), 0);
}

static const char *const only_d[] = {"d"};

static bool is_newest(unsigned serial, unsigned upto) {
    for (unsigned newer = serial + 1; log_of[serial].key[0] && newer <= upto; newer++)
        if (strcmp(log_of[newer].key, log_of[serial].key) == 0 &&
            log_of[newer].topic == log_of[serial].topic)
            return false;
    return true;
}

/* The serial numbers of those after `after` that nothing up to `upto` supersedes; how many. */
static int expect(char *out, unsigned after, unsigned upto) {
    int count = 0;
    *out = 0;
    for (unsigned serial = after + 1; serial <= upto; serial++)
        if (is_newest(serial, upto))
            out += sprintf(out, "%s%u", count++ ? " " : "", serial);
    return count;
}

static char expected[8 * (2 * MANY + 1)];

static void takes_the_newest(unsigned after, unsigned upto) {
    int count = expect(expected, after, upto);
    assert_string_equal(durable_take(&rig, &taker, count), expected);
}

/* From the first on; the first page is here, and its first event half taken. */
static void take_a_page_and_wait(void) {
    taker_add_from(&taker, "d", 0, false);
    taker.room = 10;
    hub_rig_settle(&rig);
    while (taker.got.len == 0)
        durable_turn(&rig);
}

/* --- tests --- */

/* Of entries with one key only the newest, of those in a page, and none that memory has anew; the
 * key of another topic is another. */
static void in_a_page_the_newest(void **state) {
    (void)state;
    struct taker all;
    static const char *const events[][2] = {{"d", "a"},  {"d", "b"}, {"d", "a"}, {"e", "a"},
                                            {"d", NULL}, {"d", "c"}, {"e", "a"}, {"d", NULL}};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        durable_send(&rig, &sent[0], events[i][0], events[i][1], 0);
        durable_wait(&rig, &sent[0]);
    }
    restart();
    durable_send(&rig, &sent[0], "d", "c", 0);
    durable_wait(&rig, &sent[0]);
    taker_init(&all, &rig.readers[0], OVERFLOW_NONE, UINT32_MAX);
    taker_add_from(&taker, "d", 0, false);
    taker_add_from(&taker, "e", 0, false);
    taker_add_from(&all, "d", 0, false);
    assert_string_equal(durable_take(&rig, &taker, 6), "2 3 5 7 8 9");
    assert_string_equal(durable_take(&rig, &all, 7), "1 2 3 5 6 8 9");
    taker_fini(&all);
}

static void over_all_pages_the_newest(void **state) {
    (void)state;
    begin();
    publish_many(MANY, only_d, 1, 7);
    restart();
    taker_add_from(&taker, "d", 0, false);
    takes_the_newest(0, MANY);
}

static void so_is_who_takes_little_at_a_time(void **state) {
    (void)state;
    begin();
    publish_many(MANY, only_d, 1, 90);
    restart();
    taker_add_from(&taker, "d", 0, false);
    int count = expect(expected, 0, MANY);
    taker.room = 777;
    hub_rig_settle(&rig);
    while (taker.got.len < 50000) {
        if (taker.blocked)
            taker_resume(&taker, 777);
        else
            durable_turn(&rig);
        hub_rig_settle(&rig);
    }
    taker_resume(&taker, SIZE_MAX);
    assert_string_equal(durable_take(&rig, &taker, count), expected);
}

static void so_is_who_comes_back(void **state) {
    (void)state;
    begin();
    publish_many(MANY / 2, only_d, 1, 7);
    event_id last = sent[MANY / 2 - 1].publication.event;
    publish_many(MANY, only_d, 1, 7);
    restart();
    taker_add_from(&taker, "d", last, true);
    takes_the_newest(MANY / 2, MANY / 2 + MANY);
}

/* A key of one topic is none of another. */
static void so_are_several_topics(void **state) {
    (void)state;
    static const char *const topics[] = {"p/a", "p/b", "q"};
    begin();
    publish_many(MANY, topics, 3, 7);
    restart();
    taker_add_from(&taker, "q", 0, false);
    taker_add_from(&taker, "p/*", 0, false);
    takes_the_newest(0, MANY);
}

/* What has been published since the restart counts, be it while a page waits for its reader. */
static void what_memory_has_is_newer(void **state) {
    (void)state;
    begin();
    publish_many(MANY, only_d, 1, 1000);
    restart();
    publish_many(10, only_d, 1, 1000); /* k0, k7, k14 .. */
    take_a_page_and_wait();
    publish_many(40, only_d, 1, 1000); /* now of its first page */
    taker_resume(&taker, SIZE_MAX);
    int count = expect(expected, 0, published);
    assert_string_equal(durable_take(&rig, &taker, count), expected);
}

/* Who ends gets what is the newest up to there. */
static void an_end_comes_behind_the_newest(void **state) {
    (void)state;
    begin();
    publish_many(MANY, only_d, 1, 300);
    restart();
    take_a_page_and_wait();
    int count = expect(expected, 0, MANY);
    position_end(&taker.position);
    publish_many(MANY, only_d, 1, 300);
    taker_resume(&taker, SIZE_MAX);
    assert_string_equal(durable_take(&rig, &taker, count), expected);
}

/* Not all of the last ones are in one page. */
static void of_the_last_ones_the_newest(void **state) {
    (void)state;
    begin();
    publish_many(MANY, only_d, 1, 7);
    restart();
    taker_add_last(&taker, "d", 600);
    takes_the_newest(MANY - 600, MANY);
}

/* What cannot be noted is not conflated. */
static void too_many_keys_all_come(void **state) {
    (void)state;
    keys_bytes_most = 0;
    begin();
    publish_many(MANY, only_d, 1, 7);
    restart();
    taker_add_from(&taker, "d", 0, false);
    char *out = expected;
    for (int i = 1; i <= MANY; i++)
        out += sprintf(out, "%s%d", i > 1 ? " " : "", i);
    assert_string_equal(durable_take(&rig, &taker, MANY), expected);
}

/* A pass of many steps, and pages of which nothing is wanted. */
static void it_takes_many_steps(void **state) {
    (void)state;
    static const char *const topics[] = {"p/a", "p/b"};
    page_rows_most = 10;
    begin();
    publish_many(MANY, topics, 2, 3);
    restart();
    taker_add_from(&taker, "p/*", 0, false);
    takes_the_newest(0, MANY);
}

/* After so many steps of it, from none to all. */
static void who_leaves_within_a_pass_is_let_go(void **state) {
    (void)state;
    struct taker other;
    page_rows_most = 100;
    begin();
    publish_many(MANY, only_d, 1, 3);
    restart();
    for (int steps = 0; steps < 12; steps++) {
        taker_init(&other, &rig.readers[0], OVERFLOW_CONFLATE, UINT32_MAX);
        taker_add_from(&other, "d", 0, false);
        hub_rig_settle(&rig);
        for (int n = 0; n < steps; n++) { /* each behind one step */
            durable_hold_reader();
            durable_release();
        }
        taker_fini(&other);
    }
    taker_add_from(&taker, "d", 0, false);
    takes_the_newest(0, MANY);
}

/* What the store trims meanwhile and was wanted is told; what was read before and what is left
 * comes as ever. */
static void what_is_trimmed_meanwhile_is_told(void **state) {
    (void)state;
    static const char gap[] = " trimmed:null ";
    begin();
    publish_many(MANY, only_d, 1, 900);
    restart();
    take_a_page_and_wait();
    durable_rig_keep(100, 3600000, UINT64_MAX);
    publish_many(1, only_d, 1, 900); /* with it the store trims */
    taker_resume(&taker, SIZE_MAX);
    static char got[sizeof expected];
    for (size_t n = 0; strstr(got, " 1001") == NULL; n = strlen(got))
        sprintf(got + n, "%s%s", n ? " " : "", durable_take(&rig, &taker, 1));
    const char *at = strstr(got, gap);
    assert_non_null(at);
    expect(expected, published - 100, published);
    assert_string_equal(at + strlen(gap), expected);
    expect(expected, 0, published);
    assert_memory_equal(got, expected, (size_t)(at - got));
}

/* The pass fails as any page does. */
static void what_cannot_be_read_is_told(void **state) {
    (void)state;
    page_rows_most = 100;
    begin();
    publish_many(MANY, only_d, 1, 7);
    restart();
    fault_arm("store_read", UV_EIO, 5, 1); /* in the middle of it */
    taker_add_from(&taker, "d", 0, false);
    assert_string_equal(durable_take(&rig, &taker, 1), "unknown:null");
}

/* --- the store's part --- */

static struct page asked[3];
static int order[3], ended;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* On the reader's thread: the others wait behind this one. */
static void page_done(struct page *page) {
    for (int i = 1; i < 3 && page == &asked[0]; i++)
        store_read(durable_rig_store(), &asked[i]);
    pthread_mutex_lock(&lock);
    order[ended++] = (int)(page - asked);
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void a_long_pass_lets_others_go_first(void **state) {
    (void)state;
    struct str topic = STR("d");
    page_rows_most = 100;
    begin();
    publish_many(MANY, only_d, 1, 7);
    for (int i = 0; i < 3; i++)
        asked[i] = (struct page){.topics = &topic,
                                 .ntopics = 1,
                                 .upto = UINT64_MAX,
                                 .bytes_max = 1000,
                                 .conflate = i == 1 ? INT64_MAX : 0,
                                 .done = page_done};
    store_read(durable_rig_store(), &asked[0]);
    pthread_mutex_lock(&lock);
    while (ended < 3)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    assert_int_equal(order[1], 2);
    assert_int_equal(order[2], 1);
    for (int i = 0; i < 3; i++)
        page_fini(&asked[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(in_a_page_the_newest),
        TEST(over_all_pages_the_newest),
        TEST(so_is_who_takes_little_at_a_time),
        TEST(so_is_who_comes_back),
        TEST(so_are_several_topics),
        TEST(what_memory_has_is_newer),
        TEST(an_end_comes_behind_the_newest),
        TEST(of_the_last_ones_the_newest),
        TEST(too_many_keys_all_come),
        TEST(it_takes_many_steps),
        TEST(who_leaves_within_a_pass_is_let_go),
        TEST(what_is_trimmed_meanwhile_is_told),
        TEST(what_cannot_be_read_is_told),
        TEST(a_long_pass_lets_others_go_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* durable_rig: see the header. What is waited for comes as mail to a loop, so waiting is turning
 * that loop. A held thread of the store waits within a `done`, as the store's own tests do it. */
#include "durable_rig.h"

#include "append_one.h"
#include "base/fault.h"
#include "base/log.h"
#include "store/own.h"

#include <setjmp.h>
#include <stdarg.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char folder[64];
static struct store *store;

static void on_log(enum log_level level, struct str line, void *arg) {
    (void)level, (void)line, (void)arg;
}

void durable_settle(void) {
    bool idle = false;
    while (!idle) {
        pthread_mutex_lock(&store->lock);
        idle = store->writer.idle && list_empty(&store->writer.ops);
        pthread_mutex_unlock(&store->lock);
        sched_yield();
    }
}

static void open_store(void) {
    char why[STORE_WHY_BYTES];
    if (store_open(folder, &store, why, sizeof why) < 0)
        fail_msg("%s", why);
    hub_use_store(store);
}

static void close_store(void) {
    hub_use_store(NULL);
    hub_clear();
    store_close(store);
    store = NULL;
}

void durable_rig_init(struct hub_rig *rig) {
    strcpy(folder, "/tmp/weir-durable-XXXXXX");
    assert_non_null(mkdtemp(folder));
    log_set_sink(on_log, NULL);
    hub_rig_init(rig, 1);
    open_store();
    durable_rig_keep(1000000, 3600000, UINT64_MAX);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

void durable_rig_fini(struct hub_rig *rig) {
    fault_reset();
    if (store)
        close_store();
    hub_rig_fini(rig);
    log_set_sink(NULL, NULL);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct store *durable_rig_store(void) {
    return store;
}

void durable_rig_stop(void) {
    close_store();
}

void durable_rig_start(void) {
    open_store();
}

void durable_rig_restart(void) {
    close_store();
    open_store();
}

void durable_pass(struct hub_rig *rig, uint64_t ms) {
    hub_rig_pass(rig, ms);
    durable_settle();
    hub_rig_pass(rig, 1000);
}

void durable_rig_keep(uint64_t count, uint64_t age_ms, uint64_t bytes) {
    struct topic_rule rule = {.pattern = STR("*"), .keep = {count, age_ms, bytes}, .durable = true};
    hub_set_rules("rig", &rule, 1);
}

void durable_rig_rule(const char *pattern, bool durable, uint64_t age_ms) {
    struct topic_rule rule = {
        .pattern = str_of(pattern), .keep = {1000, age_ms, 1 << 20}, .durable = durable};
    hub_set_rules(pattern, &rule, 1);
}

/* --- publishing --- */

static void on_done(struct publication *publication, int error) {
    struct sent *sent = CONTAINER_OF(publication, struct sent, publication);
    sent->done++;
    sent->error = error;
}

void durable_send(struct hub_rig *rig, struct sent *sent, const char *topic, const char *key,
                  int pad) {
    *sent = (struct sent){.done = 0};
    int n = snprintf(sent->text, sizeof sent->text, "data: %u\n", ++rig->serial);
    if (pad > 0)
        n += snprintf(sent->text + n, sizeof sent->text - (size_t)n, ":%0*d\n", pad, 0);
    sent->text[n++] = '\n';
    sent->publication = (struct publication){.topic = str_of(topic),
                                             .text = {sent->text, (size_t)n},
                                             .key = str_of(key),
                                             .wait_ms = rig->wait_ms,
                                             .only = rig->only,
                                             .done = on_done};
    assert_int_equal(publication_send(&sent->publication, &rig->readers[0]), PUBLICATION_LATER);
    assert_int_equal(sent->done, 0);
}

void durable_turn(struct hub_rig *rig) {
    uv_run(&rig->loops[0].uv, UV_RUN_ONCE);
    hub_rig_settle(rig);
}

int durable_wait(struct hub_rig *rig, const struct sent *sent) {
    while (sent->done == 0)
        durable_turn(rig);
    assert_int_equal(sent->done, 1);
    return sent->error;
}

event_id durable_publish(struct hub_rig *rig, const char *topic) {
    struct sent sent;
    durable_send(rig, &sent, topic, NULL, 0);
    assert_int_equal(durable_wait(rig, &sent), 0);
    return sent.publication.id;
}

/* --- taking --- */

static int count(const struct taker *taker) {
    struct str rest = buf_str(&taker->got);
    struct taken taken;
    int n = 0;
    while (taken_next(&rest, &taken))
        n++;
    return n;
}

const char *durable_take(struct hub_rig *rig, struct taker *taker, int least) {
    hub_rig_settle(rig);
    while (count(taker) < least)
        durable_turn(rig);
    return taker_text(taker);
}

/* --- holding the store --- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held, reached;
    struct stored_event event;
    struct page page;
} hold = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void wait_for_release(void) {
    pthread_mutex_lock(&hold.lock);
    hold.reached = true;
    pthread_cond_broadcast(&hold.changed);
    while (hold.held)
        pthread_cond_wait(&hold.changed, &hold.lock);
    hold.reached = false;
    pthread_cond_broadcast(&hold.changed);
    pthread_mutex_unlock(&hold.lock);
}

static void event_done(struct stored_event *event, int error) {
    (void)event;
    (void)error;
    wait_for_release();
}

static void page_done(struct page *page) {
    page_fini(page);
    wait_for_release();
}

static void wait_until_reached(void) {
    pthread_mutex_lock(&hold.lock);
    while (!hold.reached)
        pthread_cond_wait(&hold.changed, &hold.lock);
    pthread_mutex_unlock(&hold.lock);
}

void durable_hold_writer(void) {
    hold.held = true;
    hold.event = (struct stored_event){.topic = STR("held"), .done = event_done};
    hub_lock();
    hold.event.id = hub_next_id();
    append_one(store, &hold.event);
    hub_unlock();
    wait_until_reached();
}

void durable_hold_reader(void) {
    hold.held = true;
    hold.page = (struct page){.done = page_done};
    store_read(store, &hold.page);
    wait_until_reached();
}

void durable_release(void) {
    pthread_mutex_lock(&hold.lock);
    hold.held = false;
    pthread_cond_broadcast(&hold.changed);
    while (hold.reached)
        pthread_cond_wait(&hold.changed, &hold.lock);
    pthread_mutex_unlock(&hold.lock);
}

/* The rig of the store's tests. Events and pages end on the store's threads; the test waits for
 * their number under a lock, never for time. A held writer waits within the done of an event of its
 * own, so that what a test queues meanwhile is one group, for certain. */
#include "store_rig.h"

#include "append_one.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct srig_event {
    struct stored_event event;
    struct store_rig *rig;
    char *bytes;
};

const char *srig_place = "/tmp";

static void on_log(enum log_level level, struct str line, void *arg) {
    struct store_rig *rig = arg;
    (void)line;
    __atomic_fetch_add(&rig->logged[level], 1, __ATOMIC_RELAXED);
}

int store_rig_setup(void **state) {
    struct store_rig *rig = mem_zalloc(sizeof *rig);
    pthread_mutex_init(&rig->lock, NULL);
    pthread_cond_init(&rig->changed, NULL);
    snprintf(rig->folder, sizeof rig->folder, "%s/weir-store-XXXXXX", srig_place);
    if (mkdtemp(rig->folder) == NULL)
        return -1;
    log_set_sink(on_log, rig);
    srig_open(rig);
    *state = rig;
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

int store_rig_teardown(void **state) {
    struct store_rig *rig = *state;
    if (rig->store)
        srig_close(rig);
    fault_reset();
    log_set_sink(NULL, NULL);
    nftw(rig->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    pthread_mutex_destroy(&rig->lock);
    pthread_cond_destroy(&rig->changed);
    free(rig);
    return 0;
}

void srig_open(struct store_rig *rig) {
    char why[STORE_WHY_BYTES];
    if (store_open(rig->folder, &rig->store, why, sizeof why) < 0)
        fail_msg("%s", why);
}

void srig_close(struct store_rig *rig) {
    store_close(rig->store);
    rig->store = NULL;
}

void srig_reopen(struct store_rig *rig) {
    srig_close(rig);
    srig_open(rig);
}

const char *srig_path(struct store_rig *rig, const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", rig->folder, name);
    return path;
}

/* --- events --- */

static void is_done(struct store_rig *rig) {
    rig->pending--;
    pthread_cond_broadcast(&rig->changed);
}

static void event_done(struct stored_event *event, int error) {
    struct srig_event *mine = CONTAINER_OF(event, struct srig_event, event);
    struct store_rig *rig = mine->rig;
    pthread_mutex_lock(&rig->lock);
    if (rig->count < RIG_DONE_MAX) {
        rig->ids[rig->count] = event->id;
        rig->errors[rig->count++] = error;
    }
    is_done(rig);
    pthread_mutex_unlock(&rig->lock);
    free(mine->bytes);
    free(mine);
}

void srig_put(struct store_rig *rig, uint64_t id, const char *topic, const char *key,
              const char *text, struct retention keep) {
    struct srig_event *mine = mem_zalloc(sizeof *mine);
    size_t a = strlen(topic), b = strlen(key), c = strlen(text);
    mine->rig = rig;
    mine->bytes = mem_alloc(a + b + c);
    memcpy(mine->bytes, topic, a);
    memcpy(mine->bytes + a, key, b);
    memcpy(mine->bytes + a + b, text, c);
    mine->event = (struct stored_event){.id = id,
                                        .topic = {mine->bytes, a},
                                        .key = {mine->bytes + a, b},
                                        .text = {mine->bytes + a + b, c},
                                        .keep = keep,
                                        .done = event_done};
    pthread_mutex_lock(&rig->lock);
    rig->pending++;
    pthread_mutex_unlock(&rig->lock);
    append_one(rig->store, &mine->event);
}

void srig_add(struct store_rig *rig, uint64_t id, const char *topic) {
    char text[32];
    snprintf(text, sizeof text, "text %llu", (unsigned long long)id);
    srig_put(rig, id, topic, "", text, RETENTION_ALL);
}

void srig_wait(struct store_rig *rig) {
    pthread_mutex_lock(&rig->lock);
    while (rig->pending > 0)
        pthread_cond_wait(&rig->changed, &rig->lock);
    pthread_mutex_unlock(&rig->lock);
}

/* --- the held writer --- */

static void wait_for_release(struct stored_event *event, int error) {
    struct srig_event *mine = CONTAINER_OF(event, struct srig_event, event);
    struct store_rig *rig = mine->rig;
    (void)error;
    pthread_mutex_lock(&rig->lock);
    rig->reached = true;
    pthread_cond_broadcast(&rig->changed);
    while (rig->held)
        pthread_cond_wait(&rig->changed, &rig->lock);
    rig->reached = false;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->lock);
    free(mine->bytes);
    free(mine);
}

void srig_hold(struct store_rig *rig) {
    struct srig_event *mine = mem_zalloc(sizeof *mine);
    char name[32];
    int n = snprintf(name, sizeof name, "held %d", ++rig->holds);
    mine->rig = rig;
    mine->bytes = mem_copy(name, (size_t)n);
    mine->event = (struct stored_event){.id = store_last_id(rig->store),
                                        .topic = {mine->bytes, (size_t)n},
                                        .keep = {0},
                                        .done = wait_for_release};
    rig->held = true;
    append_one(rig->store, &mine->event);
    pthread_mutex_lock(&rig->lock);
    while (!rig->reached)
        pthread_cond_wait(&rig->changed, &rig->lock);
    pthread_mutex_unlock(&rig->lock);
}

void srig_release(struct store_rig *rig) {
    pthread_mutex_lock(&rig->lock);
    rig->held = false;
    pthread_cond_broadcast(&rig->changed);
    while (rig->reached)
        pthread_cond_wait(&rig->changed, &rig->lock);
    pthread_mutex_unlock(&rig->lock);
}

/* --- pages --- */

static void page_done(struct page *page) {
    struct store_rig *rig = page->arg;
    pthread_mutex_lock(&rig->lock);
    is_done(rig);
    pthread_mutex_unlock(&rig->lock);
}

void srig_read(struct store_rig *rig, struct page *page) {
    page->done = page_done;
    page->arg = rig;
    pthread_mutex_lock(&rig->lock);
    rig->pending++;
    pthread_mutex_unlock(&rig->lock);
    store_read(rig->store, page);
    srig_wait(rig);
}

const char *srig_ids(struct store_rig *rig, const char *letters, uint64_t after) {
    static char text[16384];
    struct str topics[32];
    size_t n = strlen(letters), at = 0;
    for (size_t i = 0; i < n; i++)
        topics[i] = (struct str){letters + i, 1};
    struct page page = {
        .topics = topics, .ntopics = n, .after = after, .upto = UINT64_MAX, .bytes_max = 64 << 20};
    srig_read(rig, &page);
    assert_int_equal(page.error, 0);
    assert_false(page.more);
    text[0] = '\0';
    for (size_t i = 0; i < page.count && at < sizeof text - 32; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%llu", i ? " " : "",
                               (unsigned long long)page.entries[i].id);
    page_fini(&page);
    return text;
}

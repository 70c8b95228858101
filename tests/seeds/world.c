/* world: one server after the other: the hub, two workers, a store on a disk that fails.
 *
 *     [hub, store on folder 1] --kill: the disk is copied as it is--> [hub, store on folder 2] ...
 *
 * All of it is in this process, with the clock stopped, so that a seed means the same run each
 * time. What threads could make of it is taken away where it is not wanted: the store is waited
 * for, unless the run holds its disk; then commits stay under way for as long as the run likes.
 * Killing is copying the files under the disk's lock, and letting the old server end with nobody
 * listening. */
#include "world.h"

#include "../unit/disk_rig.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "dice.h"
#include "hub/hub.h"
#include "store/own.h"
#include "sent.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct worker workers[WORKERS];
static struct limits limits;
static struct store *store;
static struct topic_rule rules[3];
static char root[64], folder[96];
static unsigned folders;
static bool held; /* the disk is */
static uint64_t memory, memory_before;

static void on_log(enum log_level level, struct str line, void *arg) {
    (void)arg;
    if (getenv("SEEDS_LOG"))
        fprintf(stderr, "log %d: %.*s\n", (int)level, STR_ARG(line));
}

struct store *world_store(void) {
    return store;
}

bool world_holds_disk(void) {
    return held;
}

/* --- turning --- */

static bool is_idle(struct store_queue *queue) {
    return queue->idle && list_empty(&queue->ops);
}

/* The store has done all it was asked for, or its writer stands before a disk that is held. */
void world_wait(void) {
    bool idle = store == NULL;
    while (!idle) {
        pthread_mutex_lock(&store->lock);
        idle = is_idle(&store->reader) && (is_idle(&store->writer) || disk_waits());
        pthread_mutex_unlock(&store->lock);
        if (!idle)
            usleep(50);
    }
}

static bool has_mail(struct loop *loop) {
    uv_mutex_lock(&loop->mail_lock);
    bool any = !list_empty(&loop->mail);
    uv_mutex_unlock(&loop->mail_lock);
    return any;
}

/* Mail may be a page of many: whoever reads it asks for the next one. */
static bool turn_once(void) {
    bool more = false;
    for (int i = 0; i < WORKERS; i++) {
        struct loop *loop = &workers[i].loop;
        more = more || has_mail(loop);
        uv_run(&loop->uv, UV_RUN_NOWAIT);
        more = more || !list_empty(&loop->chores);
    }
    return more;
}

void world_step(void) {
    uv_run(&workers[below(WORKERS)].loop.uv, UV_RUN_NOWAIT);
}

void world_turn(void) {
    sent_hear();
    uint64_t there = oracle_there();
    for (int quiet = 0; quiet < 3;) {
        world_wait();
        quiet = turn_once() ? 0 : quiet + 1;
    }
    sent_hear(); /* what went on meanwhile knew no more than before */
    oracle_known(there);
}

void world_pass(uint64_t ms) {
    sent_hear();
    clock_advance_ns(ms * 1000000);
    oracle_age();
    hub_tick();
    world_wait();
}

/* --- rules --- */

static struct topic_keep draw_keep(void) {
    if (one_in(3))
        return (struct topic_keep){1000, 3600000, 1 << 20};
    return (struct topic_keep){1 + below(30), one_in(2) ? 20 + below(5000) : 3600000,
                               one_in(3) ? 100 + below(5000) : 1 << 20};
}

static void give_rules(void) {
    hub_set_rules("seeds", rules, 3);
    for (size_t t = 0; t < TOPICS; t++)
        for (int i = 0; i < 3; i++)
            if (topic_names[t][0] == rules[i].pattern.ptr[0])
                oracle_keep(t, rules[i].keep);
}

void world_rules(bool durable) {
    static const char *const patterns[] = {"d/*", "m/*", "v/*"};
    for (int i = 0; i < 3; i++)
        rules[i] = (struct topic_rule){.pattern = str_of(patterns[i]),
                                       .keep = draw_keep(),
                                       .durable = i == 0 || (i == 2 && durable)};
    give_rules();
}

void world_memory(uint64_t bytes) {
    memory = bytes;
    oracle_is_short(bytes != UINT64_MAX);
    hub_set_memory(bytes);
}

/* --- the disk --- */

void world_hold_disk(bool hold) {
    held = hold;
    disk_hold(hold);
    world_wait();
}

void world_break_disk(void) {
    static const enum disk_fault faults[] = {DISK_SYNC, DISK_RESYNC, DISK_WRITE, DISK_FULL,
                                             DISK_SHORT};
    enum disk_fault fault = faults[below(5)];
    disk_fail(fault, fault != DISK_RESYNC, (int)below(4), 1 + (int)below(3));
}

/* --- a server's life --- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *walk) {
    (void)st, (void)flag, (void)walk;
    return remove(path);
}

static void next_folder(void) {
    snprintf(folder, sizeof folder, "%s/%u", root, ++folders);
    if (mkdir(folder, 0700) != 0)
        oracle_fail("%s cannot be made", folder);
}

static size_t topic_of(struct str name) {
    for (size_t t = 0; t < TOPICS; t++)
        if (str_eq(name, str_of(topic_names[t])))
            return t;
    oracle_fail("a topic of no name");
}

static void page_done(struct page *page) {
    __atomic_store_n((bool *)page->arg, true, __ATOMIC_RELEASE);
}

static void look_for_end(size_t topic) {
    struct stored_topic stored;
    if (store_topic(store, str_of(topic_names[topic]), &stored) && stored.end > 0)
        oracle_found_end(stored.end, topic);
}

/* Compares what the disk has with what was acknowledged. */
static void look_at_disk(void) {
    struct str names[TOPICS];
    bool done = false;
    for (size_t t = 0; t < TOPICS; t++)
        names[t] = str_of(topic_names[t]);
    struct page page = {.topics = names,
                        .ntopics = TOPICS,
                        .upto = UINT64_MAX,
                        .bytes_max = 64 << 20,
                        .done = page_done,
                        .arg = &done};
    store_read(store, &page);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
        usleep(50);
    if (page.error || page.more)
        oracle_fail("the disk cannot be read");
    for (size_t i = 0; i < page.count; i++) {
        struct str text = page_text(&page, i);
        unsigned number = (unsigned)strtoul(text.ptr + strlen("data: "), NULL, 10);
        oracle_found(number, page.entries[i].id, topic_of(names[page.entries[i].topic]));
    }
    for (size_t t = 0; t < TOPICS; t++)
        look_for_end(t);
    page_fini(&page);
    oracle_found_all();
}

static void begin_worker(struct worker *worker) {
    if (loop_init(&worker->loop) < 0)
        oracle_fail("no loop");
    http_server_init(&worker->server, &worker->loop, &limits);
    reader_init(&worker->reader, &worker->loop);
}

static void end_worker(struct worker *worker) {
    reader_fini(&worker->reader);
    http_server_fini(&worker->server);
    loop_fini(&worker->loop);
}

static void begin(bool data, bool sure) {
    char why[STORE_WHY_BYTES];
    sent_begin();
    if (data && store_open(folder, &store, why, sizeof why) < 0)
        oracle_fail("%s", why);
    hub_use_store(store);
    for (int i = 0; i < WORKERS; i++)
        begin_worker(&workers[i]);
    oracle_begin(hub.start, data, sure);
    if (data)
        look_at_disk();
    hub_set_memory(memory);
    give_rules();
}

static void leave_disk(enum ending ending) {
    char before[sizeof folder];
    strcpy(before, folder);
    sent_give_up();
    next_folder();
    if (ending == END_KILL)
        disk_copy(before, folder);
    else
        disk_cut_power(before, folder, one_in(2) ? 0 : 1 + below(1000));
}

static void end(enum ending ending) {
    sent_hear();
    if (store && ending != END_WELL)
        leave_disk(ending);
    disk_fail(DISK_SYNC, false, 0, 0);
    held = false;
    disk_hold(false);
    for (int i = 0; i < WORKERS; i++)
        end_worker(&workers[i]);
    oracle_restart();
    clock_advance_ns((uint64_t)(5 + below(50)) * 1000000); /* no two servers share a millisecond */
    oracle_age();
    hub_use_store(NULL);
    hub_clear();
    if (store)
        store_close(store);
    store = NULL;
    if (hub.topics > 0 || hub.memory != memory_before)
        oracle_fail("%u topics and %u bytes stay behind", (unsigned)hub.topics,
                    (unsigned)(hub.memory - memory_before));
}

void world_restart(enum ending ending, bool data) {
    bool sure = !held && disk_failures() == 0;
    end(ending);
    disk_clear();
    begin(data, sure);
}

void world_init(void) {
    const char *shm = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(root, sizeof root, "%s/weir-seeds-XXXXXX", shm);
    if (mkdtemp(root) == NULL)
        oracle_fail("no folder for the store");
    log_set_sink(on_log, NULL);
    clock_freeze();
    disk_init();
    sent_init();
    limits_init(&limits);
    limits.high_mark = 2000;
    limits.low_mark = 500;
    limits.turn_bytes = one_in(2) ? 1 + below(600) : 65536;
    memory = UINT64_MAX;
    hub_clear();
    memory_before = hub.memory;
    next_folder();
    static const struct topic_keep all = {1000, 3600000, 1 << 20};
    world_rules(true);
    for (int i = 0; i < 3 && one_in(2); i++)
        rules[i].keep = all;
    begin(true, true);
}

void world_fini(void) {
    end(END_WELL);
    disk_fini();
    nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- bounds --- */

#define SLACK 32768 /* trails, and topics that came without an event since room was made last */

void world_check_bounds(void) {
    uint64_t kept = 0;
    hub_lock();
    for (struct list *at = hub.unread.next; at != &hub.unread; at = at->next) {
        const struct topic *topic = CONTAINER_OF(at, struct topic, unread);
        kept += topic->next - topic->first;
    }
    uint64_t taken = hub.memory, most = hub.memory_limit;
    hub_unlock();
    if (most < UINT64_MAX - SLACK && taken > most + SLACK && kept > 1)
        oracle_fail("topics take %u bytes, of %u", (unsigned)taken, (unsigned)most);
}

/* Everything at once, against a model: events are published to topics that keep little, takers of
 * every policy stall at any byte, come and go, come back with their last id, add topics and leave
 * them, while entries are trimmed, expire, or give way to the hub's memory limit.
 *
 * The model knows for each topic all events there ever were, in order, and for each client up to
 * where it has had them. Of every client it demands:
 *
 * - ids grow;
 * - each event of its topics comes once, or is missing;
 * - what is missing has been told by then, and after all has been read what was told is what is
 *   missing, to the number;
 * - a gap without a number is told only to those who came back, and then something is missing;
 * - who breaks off owing a gap is told one when it comes back with its last id, which has a number
 *   only if it comes back for one topic;
 * - nobody is called too slow who is not.
 *
 * HUB_SEED=n repeats a run, HUB_STEPS=n makes it longer. */
#include "hub_rig.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STEPS 250000
#define CLIENTS 14
#define KEYS 3

static const char *const topics[] = {"x", "y", "p/1", "p/2", "p/q/1", "p/q/2", "z", "zz"};
static const char *const choices[] = {"x", "y",  "p/1", "p/2",   "p/q/1", "p/q/2",
                                      "z", "zz", "p/*", "p/q/*", "z*",    "*"};
#define TOPICS (sizeof topics / sizeof *topics)
#define CHOICES (sizeof choices / sizeof *choices)

static uint32_t seed;

static uint32_t below(uint32_t n) {
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(seed >> 4) * n >> 28);
}

static bool one_in(uint32_t n) {
    return below(n) == 0;
}

/* --- events --- */

struct event {
    event_id id; /* 0: it waits */
    uint8_t topic;
    int8_t key; /* -1: none */
    bool superseded;
};

struct waiting { /* a publication that waits */
    struct publication publication;
    struct list link;
    unsigned serial;
    bool appended;
    char text[64];
};

static struct {
    struct event *events; /* by serial */
    unsigned count, cap;
    unsigned *logs[TOPICS]; /* serials, in order of ids */
    size_t lens[TOPICS], caps[TOPICS];
    unsigned newest[TOPICS][KEYS]; /* serials; 0: none */
    struct list waiting;
    event_id last;
} model;

static void note_appended(unsigned serial, event_id id) {
    struct event *event = &model.events[serial];
    size_t t = event->topic, n = model.lens[t]++;
    assert_true(id > model.last);
    model.last = event->id = id;
    if (n == model.caps[t]) {
        model.caps[t] = n ? n * 2 : 64;
        model.logs[t] = mem_resize(model.logs[t], model.caps[t] * sizeof *model.logs[t]);
    }
    model.logs[t][n] = serial;
    if (event->key < 0)
        return;
    unsigned *newest = &model.newest[t][event->key];
    if (*newest > 0)
        model.events[*newest].superseded = true;
    *newest = serial;
}

/* Those that had to wait have their place in the order when the hub has given them an id. */
static void note_waiting(void) {
    for (;;) {
        struct waiting *next = NULL;
        for (struct list *at = model.waiting.next; at != &model.waiting; at = at->next) {
            struct waiting *one = CONTAINER_OF(at, struct waiting, link);
            bool given = !one->appended && one->publication.id > 0;
            if (given && (next == NULL || one->publication.id < next->publication.id))
                next = one;
        }
        if (next == NULL)
            return;
        next->appended = true;
        note_appended(next->serial, next->publication.id);
    }
}

/* The index of the first event of the topic beyond `id`. */
static size_t log_after(size_t topic, event_id id) {
    size_t low = 0, high = model.lens[topic];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (model.events[model.logs[topic][middle]].id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- clients --- */

struct client_model {
    struct taker taker;
    bool chosen[CHOICES];
    size_t at[TOPICS];   /* index of the first event not had */
    size_t mark[TOPICS]; /* events before are its history */
    event_id last;       /* received; 0: none */
    uint32_t limit;
    /* Since all was read: */
    uint64_t skipped;    /* events that did not come, */
    uint64_t superseded; /* others, that a client which conflates need not have, */
    uint64_t forgiven;   /* and others, in gaps without a number, or of topics it has left */
    uint64_t told;
    bool owed, came; /* a gap of what was trimmed before it came back is due; one came */
};

static struct hub_rig rig;
static struct client_model clients[CLIENTS];
static uint64_t received, gaps, over, waited, returned, owing;

static bool covers(size_t choice, size_t topic) {
    size_t n = strlen(choices[choice]);
    if (choices[choice][n - 1] == '*')
        return strncmp(choices[choice], topics[topic], n - 1) == 0;
    return strcmp(choices[choice], topics[topic]) == 0;
}

static bool wants(const struct client_model *client, size_t topic) {
    for (size_t i = 0; i < CHOICES; i++)
        if (client->chosen[i] && covers(i, topic))
            return true;
    return false;
}

/* For messages: its policy, and what it has chosen. */
static const char *describe(const struct client_model *client) {
    static char text[200];
    size_t n =
        (size_t)snprintf(text, sizeof text, "client %d, policy %d of %u:", (int)(client - clients),
                         client->taker.position.policy.overflow, client->limit);
    for (size_t i = 0; i < CHOICES; i++)
        if (client->chosen[i])
            n += (size_t)snprintf(text + n, sizeof text - n, " %s", choices[i]);
    return text;
}

/* It will not have the events of the topic before `end` any more. */
static void miss(struct client_model *client, size_t topic, size_t end) {
    bool conflates = client->taker.position.policy.overflow == OVERFLOW_CONFLATE;
    for (; client->at[topic] < end; client->at[topic]++) {
        const struct event *event = &model.events[model.logs[topic][client->at[topic]]];
        if (conflates && event->superseded)
            client->superseded++;
        else
            client->skipped++;
    }
}

static size_t forgive(struct client_model *client, size_t topic, size_t end) {
    size_t n = end > client->at[topic] ? end - client->at[topic] : 0;
    client->forgiven += n;
    client->at[topic] += n;
    return n;
}

static void check_event(struct client_model *client, const struct taken *taken) {
    assert_true(taken->serial <= model.count);
    const struct event *event = &model.events[taken->serial];
    size_t topic = event->topic, at = client->at[topic];
    assert_true(event->id == taken->id);
    assert_true(wants(client, topic));
    while (at < model.lens[topic] && model.logs[topic][at] != taken->serial)
        at++;
    if (at == model.lens[topic])
        fail_msg("%s: event %u came twice, or came before it", describe(client), taken->serial);
    miss(client, topic, at);
    if (client->skipped > client->told)
        fail_msg("%s: before event %u of %s %u are missing, %u were told", describe(client),
                 taken->serial, topics[topic], (unsigned)client->skipped, (unsigned)client->told);
    client->at[topic] = at + 1;
    received++;
}

static void check_unknown_gap(struct client_model *client, const struct taken *gap,
                              const char *name) {
    size_t n = 0;
    for (size_t t = 0; t < TOPICS; t++)
        if (wants(client, t) && (*name == 0 || strcmp(name, topics[t]) == 0))
            n += forgive(client, t, log_after(t, gap->id));
    if (strcmp(gap->reason, "trimmed") == 0)
        assert_true(n > 0);
    client->came = true;
}

static void check_gap(struct client_model *client, const struct taken *gap, const char *name) {
    gaps++;
    if (gap->lost < 0) {
        check_unknown_gap(client, gap, name);
        return;
    }
    client->told += (uint64_t)gap->lost;
    client->came = client->came || strcmp(gap->reason, "trimmed") == 0;
}

/* Checks what the client has got. */
static void check_got(struct client_model *client) {
    struct taker *taker = &client->taker;
    struct str rest = buf_str(&taker->got);
    const char *name = taker->gaps.data;
    struct taken taken;
    note_waiting();
    while (taken_next(&rest, &taken)) {
        if (taken.id <= client->last)
            fail_msg("%s: event %u, id not beyond the one before", describe(client), taken.serial);
        client->last = taken.id;
        if (taken.serial > 0) {
            check_event(client, &taken);
            continue;
        }
        check_gap(client, &taken, name);
        name += strlen(name) + 1;
    }
    buf_fini(&taker->got);
    buf_fini(&taker->gaps);
}

/* All is quiet: whoever is not blocked has all there is. */
static void check_read_up(struct client_model *client) {
    check_got(client);
    uint64_t lag = 0;
    for (size_t t = 0; t < TOPICS; t++) {
        size_t from = client->at[t] > client->mark[t] ? client->at[t] : client->mark[t];
        if (wants(client, t))
            lag += model.lens[t] - from;
    }
    if (client->taker.over && client->taker.position.policy.overflow == OVERFLOW_DISCONNECT)
        assert_true(lag > client->limit);
    if (client->taker.blocked)
        return;
    for (size_t t = 0; t < TOPICS; t++)
        if (wants(client, t))
            miss(client, t, model.lens[t]);
    if (client->skipped > client->told ||
        client->told > client->skipped + client->superseded + client->forgiven)
        fail_msg("%s: %u are missing, %u superseded, %u forgiven; %u were told", describe(client),
                 (unsigned)client->skipped, (unsigned)client->superseded,
                 (unsigned)client->forgiven, (unsigned)client->told);
    assert_true(client->came || !client->owed);
    client->skipped = client->superseded = client->forgiven = client->told = 0;
    client->owed = client->came = false;
}

/* --- what happens to clients --- */

static void choose(struct client_model *client, size_t choice, bool back) {
    note_waiting(); /* whoever has gone or left a topic held up others */
    for (size_t t = 0; t < TOPICS; t++)
        if (covers(choice, t) && !wants(client, t)) {
            client->at[t] = back ? log_after(t, client->last) : model.lens[t];
            client->mark[t] = model.lens[t];
        }
    client->chosen[choice] = true;
    if (back)
        taker_add_from(&client->taker, choices[choice], client->last, true);
    else
        taker_add(&client->taker, choices[choice]);
}

static void add(struct client_model *client) {
    check_got(client);
    size_t choice = below(CHOICES);
    if (!client->chosen[choice])
        choose(client, choice, false);
}

static void leave(struct client_model *client) {
    check_got(client);
    size_t choice = below(CHOICES);
    if (!client->chosen[choice] || client->taker.over)
        return;
    client->chosen[choice] = false;
    taker_remove(&client->taker, choices[choice]);
    note_waiting();
    for (size_t t = 0; t < TOPICS; t++)
        if (covers(choice, t) && !wants(client, t)) {
            forgive(client, t, model.lens[t]);
            client->owed = false; /* it may have been this one's */
        }
}

static void begin(struct client_model *client, enum overflow overflow, uint32_t limit) {
    struct reader *reader = &rig.readers[below(RIG_READERS)];
    client->limit = overflow == OVERFLOW_NONE ? UINT32_MAX : limit;
    taker_init(&client->taker, reader, overflow, client->limit);
    client->taker.most = one_in(2) ? 1 + below(300) : 65536;
}

static void end(struct client_model *client) {
    check_got(client);
    taker_fini(&client->taker);
}

static void newcomer(struct client_model *client) {
    *client = (struct client_model){.last = 0};
    begin(client, (enum overflow)below(OVERFLOW_BLOCK + 1), 1 + below(12));
    for (uint32_t n = 1 + below(3); n > 0; n--) {
        size_t choice = below(CHOICES);
        if (!client->chosen[choice])
            choose(client, choice, false);
    }
}

/* Breaks off, and comes back with its last id. */
static void come_back(struct client_model *client) {
    bool chosen[CHOICES];
    end(client);
    if (client->last == 0) {
        newcomer(client);
        return;
    }
    memcpy(chosen, client->chosen, sizeof chosen);
    note_waiting();
    for (size_t t = 0; t < TOPICS; t++)
        if (wants(client, t))
            miss(client, t, log_after(t, client->last));
    struct client_model before = *client;
    *client = (struct client_model){.last = before.last};
    client->owed = before.skipped > before.told || (before.owed && !before.came);
    owing += client->owed;
    returned++;
    begin(client, (enum overflow)before.taker.position.policy.overflow, before.limit);
    for (size_t i = 0; i < CHOICES; i++)
        if (chosen[i])
            choose(client, i, true);
    if (client->taker.position.resumed)
        assert_false(client->owed);
}

static void stall_or_resume(struct client_model *client) {
    if (client->taker.over) /* until that has been seen */
        return;
    if (client->taker.blocked)
        taker_resume(&client->taker, one_in(3) ? SIZE_MAX : below(2000));
    else
        client->taker.room = below(500);
}

/* --- what happens to events --- */

static void on_done(struct publication *publication, int error) {
    struct waiting *one = CONTAINER_OF(publication, struct waiting, publication);
    assert_int_equal(error, 0);
    note_waiting();
    assert_true(one->appended);
    list_remove(&one->link);
    free(one);
}

static unsigned new_event(void) {
    if (++model.count >= model.cap) {
        model.cap = model.cap ? model.cap * 2 : 1024;
        model.events = mem_resize(model.events, model.cap * sizeof *model.events);
    }
    model.events[model.count] = (struct event){.topic = (uint8_t)below(TOPICS),
                                               .key = (int8_t)((int)below(2 * KEYS) - KEYS)};
    return model.count;
}

static void publish(void) {
    static const char padding[] = "..............................................................";
    static const char *const keys[KEYS] = {"a", "b", "c"};
    unsigned serial = new_event();
    struct event *event = &model.events[serial];
    struct waiting *one = mem_zalloc(sizeof *one);
    if (event->key < 0)
        event->key = -1;
    int n = snprintf(one->text, sizeof one->text, "data: %u\n:%.*s\n\n", serial, (int)below(40),
                     padding);
    one->serial = serial;
    one->publication = (struct publication){.topic = str_of(topics[event->topic]),
                                            .text = {one->text, (size_t)n},
                                            .key = str_of(event->key < 0 ? NULL : keys[event->key]),
                                            .wait_ms = one_in(4) ? 1 + below(100) : 0,
                                            .done = on_done};
    list_init(&one->link);
    note_waiting();
    int rc = publication_send(&one->publication, &rig.readers[below(RIG_READERS)]);
    if (rc == PUBLICATION_LATER) {
        waited++;
        list_push(&model.waiting, &one->link);
        return;
    }
    note_appended(serial, one->publication.id);
    free(one);
}

static void settle(void) {
    uint64_t before;
    do { /* what one reader has read may let go a publication of the other */
        before = hub.published;
        hub_rig_settle(&rig);
    } while (hub.published > before);
    for (int i = 0; i < CLIENTS; i++) {
        check_read_up(&clients[i]);
        if (clients[i].taker.over) {
            over++;
            come_back(&clients[i]);
        }
    }
}

static void change_limits(void) {
    if (one_in(2))
        hub_set_memory(one_in(3) ? 12000 + below(20000) : UINT64_MAX);
    else
        hub_rig_keep(1 + below(30), 20 + below(5000), 100 + below(5000));
}

/* Who does not wait to be told reads all that is there. */
static void look(struct client_model *client) {
    if (client->taker.blocked)
        return;
    uint64_t before = hub.published;
    position_look(&client->taker.position);
    taker_take(&client->taker);
    if (hub.published == before) /* else that has let go publications */
        check_read_up(client);
}

static void step(void) {
    struct client_model *client = &clients[below(CLIENTS)];
    uint32_t what = below(1000);
    if (what < 640)
        publish();
    else if (what < 760)
        uv_run(&rig.loops[below(RIG_READERS)].uv, UV_RUN_NOWAIT);
    else if (what < 860)
        stall_or_resume(client);
    else if (what < 880)
        taker_take(&client->taker);
    else if (what < 900)
        look(client);
    else if (what < 925)
        add(client);
    else if (what < 938)
        leave(client);
    else if (what < 955)
        come_back(client);
    else if (what < 960)
        end(client), newcomer(client);
    else if (what < 985)
        settle();
    else if (what < 995)
        hub_rig_pass(&rig, below(one_in(5) ? 3000 : 30));
    else
        change_limits();
}

/* --- the run --- */

static uint32_t number_from(const char *name, uint32_t otherwise) {
    uint64_t n;
    const char *text = getenv(name);
    return text && str_to_u64(str_of(text), &n) == 0 ? (uint32_t)n : otherwise;
}

static void forget_model(void) {
    assert_true(list_empty(&model.waiting));
    for (size_t t = 0; t < TOPICS; t++)
        free(model.logs[t]);
    free(model.events);
    memset(&model, 0, sizeof model);
}

static void positions_follow_the_model(void **state) {
    (void)state;
    uint32_t steps = number_from("HUB_STEPS", STEPS);
    seed = number_from("HUB_SEED", (uint32_t)clock_wall_ns());
    print_message("# HUB_SEED=%u\n", seed);
    hub_rig_init(&rig, RIG_READERS);
    hub_rig_keep(10, 1000, 2000);
    list_init(&model.waiting);
    for (int i = 0; i < CLIENTS; i++)
        newcomer(&clients[i]);
    for (uint32_t i = 0; i < steps; i++)
        step();
    settle();
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].taker.blocked = true;
        taker_resume(&clients[i].taker, SIZE_MAX);
    }
    hub_rig_pass(&rig, 1000);
    settle();
    print_message("# %u events, %u received, %u gaps, %u too slow, %u came back, %u of them owed a "
                  "gap, %u publishers waited\n",
                  model.count, (unsigned)received, (unsigned)gaps, (unsigned)over,
                  (unsigned)returned, (unsigned)owing, (unsigned)waited);
    assert_true(received > 0 && gaps > 0 && over > 0 && returned > 0 && waited > 0);
    for (int i = 0; i < CLIENTS; i++)
        end(&clients[i]);
    hub_rig_fini(&rig);
    forget_model();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(positions_follow_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* plan: what a run does, drawn from its seed.
 *
 *     publish, turn, stall, cut, come back ... settle: everything told? ... restart ... settle
 *
 * Each seed has a temper, which says what it does often: one kills its servers all the time, one
 * has a bad disk, one is short of memory, one has clients that end. So two hundred of them meet
 * what one long run of everything would meet seldom. Whenever all is quiet the oracle says for each
 * client whether it has what it must.
 *
 * The seeds below PLAN_ENDS draw no ends of topics, no newest events and nobody who is waited for,
 * those below PLAN_ONLY no events that stand alone: those that failed before these were drawn are
 * still the runs that they were. */
#include "plan.h"

#include "client.h"
#include "dice.h"
#include "http/sse.h"
#include "sent.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

#define CLIENTS 6
#define STEPS 260
#define AT_ONCE 12 /* publications of a step, at most */

uint64_t dice_state;

static struct client clients[CLIENTS];
static bool tracing;
static struct {
    uint32_t restarts, disk, memory, time, rules, ends; /* of 1000 steps */
    uint32_t closes;                                    /* the same */
    uint32_t policies;                                  /* one in so many clients has one */
    bool durable;                                       /* mostly durable topics */
    bool ends_topics;                                   /* it may close them: a newer seed */
    bool newest;                                        /* clients may want the newest events */
    bool waits;                                         /* publishers may wait for clients */
    bool only;                                          /* events may take the place of others */
} temper;

/* Publications that went on, see sent_passed. */
static struct passed {
    size_t topic;
    uint64_t before;
    bool in_vain;
} passed[STEPS * AT_ONCE];
static size_t npassed;

static void trace(const char *what, const char *who) {
    if (tracing)
        printf("%u %s %s\n", oracle_step, what, who);
}

static void note_passed(size_t topic, uint64_t before, bool in_vain) {
    passed[npassed++] = (struct passed){topic, before, in_vain};
}

/* --- clients --- */

static enum overflow draw_policy(void) {
    static const enum overflow policies[] = {OVERFLOW_DISCONNECT, OVERFLOW_DROP_OLDEST,
                                             OVERFLOW_DROP_NEWEST, OVERFLOW_CONFLATE};
    if (temper.waits && one_in(2))
        return OVERFLOW_BLOCK;
    return one_in(temper.policies) ? policies[below(4)] : OVERFLOW_NONE;
}

static size_t draw_choice(void) {
    return temper.durable && !one_in(3) ? (size_t[]){0, 1, 2, 8, 9, 8}[below(6)] : below(CHOICES);
}

static void choose(struct client *client, size_t choice, enum beginning how, uint64_t last) {
    static const char *const hows[] = {
        "from now:", "from the first:", "the newest:", "from its last:"};
    if (client->record.chosen[choice])
        return;
    trace(client->record.name, hows[how]);
    trace("    ", choice_names[choice]);
    client_choose(client, choice, how, last);
}

static void begin(struct client *client) {
    enum overflow overflow = draw_policy();
    uint32_t limit =
        overflow == OVERFLOW_NONE || overflow == OVERFLOW_CONFLATE ? UINT32_MAX : 1 + below(12);
    sent_hear();
    client_connect(client, &workers[below(WORKERS)], overflow, limit, !one_in(4));
}

static void newcomer(struct client *client) {
    struct record *record = &client->record;
    record->last = record->from = 0;
    record->owed = record->null_is_ok = record->left_blind = false;
    begin(client);
    enum beginning how = one_in(3) ? FROM_FIRST : FROM_NOW;
    if (temper.newest && one_in(2))
        how = FROM_NEWEST;
    uint32_t last = how == FROM_NEWEST ? 1 + below(5) : 0;
    tally.newest += last > 0;
    for (uint32_t n = 1 + below(3); n > 0; n--)
        choose(client, draw_choice(), how, last);
    sse_open(client->stream);
}

static void come_back(struct client *client) {
    bool chosen[CHOICES];
    memcpy(chosen, client->record.chosen, sizeof chosen);
    if (client->record.last == 0 || (temper.ends_topics && !memchr(chosen, 1, sizeof chosen))) {
        newcomer(client);
        return;
    }
    begin(client);
    for (size_t i = 0; i < CHOICES; i++)
        if (chosen[i])
            choose(client, i, FROM_LAST, 0);
    sse_open(client->stream);
    record_came_back(&client->record, client->declined);
}

static void cut(struct client *client) {
    trace("cut", client->record.name);
    sent_hear();
    client_check(client);
    client_cut(client);
}

/* Looks at what clients have, and at publishers that went on or should have waited. */
static void check(void) {
    sent_hear();
    for (int i = 0; i < CLIENTS; i++)
        client_check(&clients[i]);
    for (size_t n = 0; n < npassed; n++)
        for (int i = 0; i < CLIENTS; i++)
            record_passed(&clients[i].record, passed[n].topic, passed[n].before, passed[n].in_vain);
    npassed = 0;
}

/* Who was told to stay away does; another comes. */
static void replace(struct client *client) {
    bool declined = client->declined;
    if (client->slow)
        record_slow(&client->record);
    else if (!declined && (client->wire.over || !client->framed))
        record_end(&client->record);
    cut(client);
    if (declined || one_in(2))
        newcomer(client);
    else
        come_back(client);
}

/* Those whose stream is over come back. Whether there are any. */
static bool look(void) {
    bool any = false;
    check();
    for (int i = 0; i < CLIENTS; i++) {
        if (clients[i].stream)
            continue;
        replace(&clients[i]);
        any = true;
    }
    return any;
}

static bool holds_up(const struct client *client, size_t topic) {
    return client->stream && record_may_hold(&client->record, topic);
}

/* One that waits when all is quiet waits for a client that stands still. */
static void check_waiting(size_t topic) {
    bool any = false;
    for (int i = 0; i < CLIENTS; i++)
        any = any || (client_is_behind(&clients[i]) && holds_up(&clients[i], topic));
    if (!any)
        oracle_fail("who publishes to %s waits for nobody", topic_names[topic]);
}

static void check_client(struct client *client) {
    record_stays(&client->record);
    if (client_is_behind(client))
        return;
    if (client->record.closed > 0 || record_must_end(&client->record))
        oracle_fail("%s: its end does not come", client->record.name);
    record_read_up(&client->record);
}

/* Everything that can come has come. */
static void settle(void) {
    trace("settle", "");
    do
        world_turn();
    while (look());
    if (!sent_is_settled())
        return;
    for (int i = 0; i < CLIENTS; i++)
        check_client(&clients[i]);
    sent_each_waiting(check_waiting);
    world_check_bounds();
}

static void stall_or_resume(struct client *client) {
    if (client_is_behind(client) && !one_in(3)) {
        trace("goes on", client->record.name);
        client_take(client, one_in(2) ? SIZE_MAX : below(1500));
    } else {
        trace("stalls", client->record.name);
        client->room = below(300);
    }
}

static void end(struct client *client) {
    if (client->record.end > 0 || client->stream == NULL)
        return;
    trace("ends", client->record.name);
    client_end(client);
}

static void change_topics(struct client *client) {
    size_t choice = draw_choice();
    if (client->stream == NULL || client->closing || client->record.end > 0)
        return;
    sent_hear();
    client_check(client);
    if (!client->record.chosen[choice]) {
        choose(client, choice, FROM_NOW, 0);
    } else if (client->waits.len == 0 && one_in(2)) { /* nothing of it is under way */
        trace("leaves a topic:", client->record.name);
        client_leave(client, choice);
    }
}

/* --- the world --- */

static size_t draw_topic(void) {
    return temper.durable && !one_in(3) ? below(3) : below(TOPICS);
}

static uint64_t draw_wait(void) {
    if (!temper.waits || one_in(3))
        return 0;
    return 1 + below(one_in(2) ? 40 : 4000);
}

static void publish_one(struct sending sending) {
    size_t topic = sending.topic;
    sending.wait_ms = draw_wait();
    bool others = sent_waits_for(topic), waits = sent_publish(&sending), held = others;
    for (int i = 0; i < CLIENTS; i++)
        held = held || holds_up(&clients[i], topic);
    if (waits && !held)
        oracle_fail("who publishes to %s waits, and nobody is behind", topic_names[topic]);
}

static int draw_key(void) {
    return one_in(2) ? (int)below(KEYS) : -1;
}

static bool draw_only(void) {
    return temper.only && one_in(12);
}

static void close_topic(void) {
    size_t topic = draw_topic();
    trace("close", topic_names[topic]);
    bool event = one_in(2);
    publish_one((struct sending){.topic = topic,
                                 .key = event ? draw_key() : -1,
                                 .event = event,
                                 .end = true,
                                 .only = draw_only()});
    if (one_in(2))
        world_turn();
}

static void publish(void) {
    size_t topic = draw_topic();
    for (uint32_t n = one_in(4) ? 1 + below(AT_ONCE) : 1; n > 0; n--) {
        trace("publish to", topic_names[topic]);
        publish_one((struct sending){
            .topic = topic, .key = draw_key(), .event = true, .only = draw_only()});
        if (one_in(3))
            topic = draw_topic();
    }
    if (!world_holds_disk() && one_in(2))
        world_turn();
}

static void restart(void) {
    static const char *const names[] = {"well", "kill", "power"};
    enum ending ending = (enum ending)below(3);
    bool data = !one_in(6);
    trace("restart:", names[ending]);
    trace("    ", data ? "with data" : "without");
    if (ending == END_WELL) {
        world_hold_disk(false);
        world_turn();
    }
    for (int i = 0; i < CLIENTS; i++)
        cut(&clients[i]);
    world_restart(ending, data);
    for (int i = 0; i < CLIENTS; i++)
        come_back(&clients[i]);
}

static void change_memory(void) {
    trace("memory", "");
    world_memory(one_in(2) ? 12000 + below(20000) : UINT64_MAX);
}

static void bad_disk(void) {
    if (one_in(3)) {
        trace("the disk fails", "");
        world_break_disk();
    } else {
        trace(world_holds_disk() ? "the disk goes on" : "the disk stands still", "");
        world_hold_disk(!world_holds_disk());
    }
}

static bool is_next(uint32_t *what, uint32_t share) {
    bool is = *what < share;
    *what -= is ? 0 : share;
    return is;
}

static void step(void) {
    struct client *client = &clients[below(CLIENTS)];
    uint32_t what = below(1000);
    if (is_next(&what, temper.restarts))
        restart();
    else if (is_next(&what, temper.disk))
        bad_disk();
    else if (is_next(&what, temper.memory))
        change_memory();
    else if (is_next(&what, temper.time))
        world_pass(below(one_in(4) ? 6000 : 60));
    else if (is_next(&what, temper.rules))
        world_rules(one_in(2));
    else if (is_next(&what, temper.ends))
        end(client);
    else if (is_next(&what, temper.closes))
        close_topic();
    else if (is_next(&what, 80))
        stall_or_resume(client);
    else if (is_next(&what, 40))
        cut(client), come_back(client);
    else if (is_next(&what, 10))
        cut(client), newcomer(client);
    else if (is_next(&what, 40))
        change_topics(client);
    else if (is_next(&what, 70))
        settle();
    else if (is_next(&what, 150))
        world_step();
    else
        publish();
    world_wait();
    if (temper.waits)
        check();
}

/* --- the run --- */

static void draw_temper(bool ends, bool only) {
    temper.restarts = one_in(2) ? 5 + below(25) : 2;
    temper.disk = one_in(2) ? below(40) : 0;
    temper.memory = one_in(4) ? below(20) : 0;
    temper.time = one_in(2) ? below(60) : 5;
    temper.rules = one_in(2) ? below(20) : 0;
    temper.ends = one_in(2) ? below(60) : 5;
    temper.policies = one_in(2) ? 3 : 1000;
    temper.durable = !one_in(3);
    temper.ends_topics = ends;
    temper.closes = ends && !one_in(3) ? 5 + below(25) : 0;
    temper.newest = ends && one_in(2);
    temper.waits = ends && one_in(2);
    temper.only = only && one_in(2);
}

/* Nobody stalls any more, no disk stands still: now everybody has everything. */
static void finish(void) {
    world_hold_disk(false);
    for (int i = 0; i < CLIENTS; i++)
        client_take(&clients[i], SIZE_MAX);
    settle();
    world_pass(1000);
    settle();
    for (int i = 0; i < CLIENTS; i++)
        end(&clients[i]);
    settle();
    for (int i = 0; i < CLIENTS; i++)
        client_fini(&clients[i]);
    world_fini();
}

void plan_run(uint32_t seed, bool trace_it) {
    oracle_seed = seed;
    tracing = client_tracing = trace_it;
    dice_seed(seed);
    below(1), below(1);
    draw_temper(seed > PLAN_ENDS, seed > PLAN_ONLY);
    sent_passed = note_passed;
    world_init();
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_init(&clients[i], i);
        newcomer(&clients[i]);
    }
    for (oracle_step = 1; oracle_step <= STEPS; oracle_step++)
        step();
    finish();
}

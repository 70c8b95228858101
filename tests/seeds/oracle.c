/* oracle: what was published, and what of it may be gone.
 *
 *     event:   pending --committed--> there --kept no longer--> there, and may be gone
 *                 \------an error--> failed, or doubtful until the disk has been looked at
 *
 *     log of a topic:   1 2 3 4 5 6 7 8 9     in order of ids
 *     a client:               at ^            all before was had, or told to be lost, or is not its
 *
 * It knows nothing of how the hub keeps, trims or finds events, only what it promises
 * (lua/REFERENCE.md, "Gaps" and "What a topic keeps"). Of what a topic keeps it holds the lower bound:
 * an event may be gone when by any rule since it came its time was over, so many newer ones were
 * there, or memory was short. Whoever misses one that may not be gone has found a fault, told or
 * not. What each client must have follows from that: record.c.
 *
 * A topic's end stands in its log as an event does, with an id of its own. It may be gone when its
 * age is over, and then the topic may be open. */
#include "oracle_own.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const topic_names[TOPICS] = {"d/1", "d/2",   "d/q/1", "m/1",
                                         "m/2", "m/q/1", "m/q/2", "v/1"};
const char *const choice_names[CHOICES] = {"d/1", "d/2", "d/q/1", "m/1", "m/2",   "m/q/1", "m/q/2",
                                           "v/1", "d/*", "d/q/*", "m/*", "m/q/*", "*"};

uint32_t oracle_seed, oracle_step;
struct tally tally;

struct ledger ledger;
static event_id bare; /* start of the first server without a store, be it that others followed */
static bool is_short; /* of memory */
static unsigned *on_disk; /* numbers found there */
static size_t nfound;

void oracle_fail(const char *format, ...) {
    va_list args;
    printf("seed %u, step %u: ", oracle_seed, oracle_step);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
    _exit(1);
}

bool choice_covers(size_t choice, size_t topic) {
    const char *name = choice_names[choice];
    size_t n = strlen(name);
    if (name[n - 1] == '*')
        return strncmp(name, topic_names[topic], n - 1) == 0;
    return choice == topic;
}

bool choice_is_durable(size_t choice) {
    return choice_names[choice][0] == 'd';
}

/* --- events --- */

static unsigned add(struct event event) {
    if (++ledger.count >= ledger.cap) {
        ledger.cap = ledger.cap ? ledger.cap * 2 : 1024;
        ledger.events = mem_resize(ledger.events, ledger.cap * sizeof *ledger.events);
        on_disk = mem_resize(on_disk, ledger.cap * sizeof *on_disk);
    }
    ledger.events[ledger.count] = event;
    return ledger.count;
}

unsigned oracle_add(size_t topic, int key, uint32_t size) {
    tally.published++;
    return add((struct event){
        .topic = (uint8_t)topic, .key = (int8_t)key, .state = EVENT_PENDING, .size = size});
}

unsigned oracle_add_end(size_t topic, unsigned last) {
    return add((struct event){
        .topic = (uint8_t)topic, .key = -1, .state = EVENT_PENDING, .ends = true, .last = last});
}

const struct event *oracle_event(unsigned number) {
    if (number == 0 || number > ledger.count)
        oracle_fail("event %u was never published", number);
    return &ledger.events[number];
}

uint64_t oracle_there(void) {
    return ledger.there;
}

uint64_t oracle_told(void) {
    return ledger.known;
}

void oracle_known(uint64_t there) {
    ledger.known = there;
}

static void mark_superseded(unsigned number) {
    const struct event *event = &ledger.events[number];
    if (event->key < 0)
        return;
    unsigned *newest = &ledger.logs[event->topic].newest[event->key];
    if (*newest > 0 && ledger.events[*newest].id < event->id)
        ledger.events[*newest].superseded = true;
    if (*newest == 0 || ledger.events[*newest].id < event->id)
        *newest = number;
    else
        ledger.events[number].superseded = true;
}

/* What the topic keeps says that these may be gone. */
static void mark_old(struct log *log) {
    uint64_t now = (uint64_t)(clock_wall_ns() / 1000000), n = 0, bytes = 0;
    for (size_t i = log->count; i-- > 0;) {
        struct event *event = &ledger.events[log->numbers[i]];
        bool old = event->born_ms + log->keep.age_ms <= now;
        event->may_go = event->may_go || old;
        if (event->ends)
            continue;
        bytes += event->size + ENTRY_OVERHEAD;
        bool many = n >= log->keep.count || (n > 0 && bytes > log->keep.bytes);
        event->may_go = event->may_go || many;
        n++;
    }
}

/* --- ends --- */

bool event_is_out_of_reach(const struct event *event) {
    return event->id < ledger.start && (ledger.without_data || !event->durable);
}

struct event *oracle_end_at(size_t topic, event_id at) {
    for (size_t i = ledger.logs[topic].count; i-- > 0;) {
        struct event *event = event_at(topic, i);
        bool is_there = event->state == EVENT_PENDING || event->state == EVENT_THERE;
        bool holds = event->id <= at && (!event->over || event->opened > at);
        if (event->ends && is_there && holds && !event_is_out_of_reach(event))
            return event;
    }
    return NULL;
}

struct event *oracle_end_of(size_t topic) {
    return oracle_end_at(topic, EVENT_ID_NONE);
}

bool oracle_is_closed(size_t topic) {
    const struct event *end = oracle_end_of(topic);
    return end && end->state == EVENT_THERE && !end->may_go;
}

void oracle_refused(size_t topic, event_id since) {
    bool closed = oracle_end_of(topic) != NULL;
    for (size_t i = 0; i < ledger.logs[topic].count; i++) /* be it that it failed meanwhile */
        closed = closed || (event_at(topic, i)->ends && event_at(topic, i)->id > since);
    if (!closed)
        oracle_fail("%s takes nothing, and is not closed", topic_names[topic]);
    tally.refused++;
}

/* Something was taken: if the topic was closed, its end is forgotten. */
static void open_again(size_t topic, unsigned number, event_id id) {
    struct event *end = oracle_end_of(topic);
    if (end == NULL)
        return;
    if (end->state == EVENT_PENDING || !end->may_go)
        oracle_fail("%s takes event %u, and is closed", topic_names[topic], number);
    end->over = true;
    end->opened = id;
    tally.reopened++;
}

/* --- publishing --- */

void oracle_given(unsigned number, event_id id, bool durable) {
    struct event *event = &ledger.events[number];
    struct log *log = &ledger.logs[event->topic];
    if (log->count == log->cap) {
        log->cap = log->cap ? log->cap * 2 : 64;
        log->numbers = mem_resize(log->numbers, log->cap * sizeof *log->numbers);
    }
    if (log->count > 0 && ledger.events[log->numbers[log->count - 1]].id >= id)
        oracle_fail("event %u got an id that is not beyond the one before", number);
    open_again(event->topic, number, id);
    event->alone = log->count == 0 || ledger.events[log->numbers[log->count - 1]].may_go;
    log->numbers[log->count++] = number;
    event->id = id;
    event->durable = durable;
    event->may_go = is_short && !event->ends;
    event->born_ms = (uint64_t)(clock_wall_ns() / 1000000);
    for (size_t i = 0; i + 1 < log->count && !durable; i++)
        if (ledger.events[log->numbers[i]].durable) /* its history in the store ends here */
            ledger.events[log->numbers[i]].may_go = true;
    if (!durable)
        oracle_done(number, 0, false);
    mark_old(log);
}

void oracle_done(unsigned number, int error, bool stopped) {
    struct event *event = &ledger.events[number];
    if (error == 0) {
        event->order = ++ledger.there;
        mark_superseded(number);
    } else {
        tally.failed++;
    }
    if (event->ends && error == 0) {
        tally.closed++;
        tally.durable += event->durable;
    }
    event->state = error == 0 ? EVENT_THERE : stopped ? EVENT_DOUBTFUL : EVENT_FAILED;
}

/* --- what may be gone --- */

/* From when on nobody outside can see. */
void oracle_alone(unsigned number) {
    const struct log *log = &ledger.logs[ledger.events[number].topic];
    for (size_t i = 0; i < log->count && log->numbers[i] != number; i++) {
        struct event *event = &ledger.events[log->numbers[i]];
        if (event->ends)
            continue;
        event->may_go = true;
        if (event->eraser == 0)
            event->eraser = number;
    }
    tally.alone++;
}

void oracle_keep(size_t topic, struct topic_keep keep) {
    ledger.logs[topic].keep = keep;
    mark_old(&ledger.logs[topic]);
}

void oracle_age(void) {
    for (size_t t = 0; t < TOPICS; t++)
        mark_old(&ledger.logs[t]);
}

void oracle_is_short(bool is) {
    is_short = is;
    for (unsigned i = 1; i <= ledger.count && is; i++)
        if (!ledger.events[i].ends)
            ledger.events[i].may_go = true;
}

void oracle_restart(void) {
    for (unsigned i = 1; i <= ledger.count; i++) {
        struct event *event = &ledger.events[i];
        if (event->durable || event->id == 0)
            continue;
        event->may_go = true;
        if (event->state != EVENT_THERE && event->state != EVENT_NOWHERE)
            oracle_fail("event %u, in memory, was never published", i);
    }
}

/* A server that has no store: what is there durably is out of its reach. */
static void hide_all(void) {
    for (unsigned i = 1; i <= ledger.count; i++)
        if (ledger.events[i].state == EVENT_PENDING)
            ledger.events[i].state = EVENT_DOUBTFUL;
}

/* The store that is there again knows nothing of the servers that had none. Only who was there can
 * be told that it has lost something. */
static void lose_run(void) {
    for (unsigned i = 1; i <= ledger.count; i++)
        if (ledger.events[i].id >= bare && ledger.events[i].state == EVENT_THERE)
            ledger.events[i].state = EVENT_NOWHERE;
    ledger.run_lost = bare;
}

void oracle_begin(event_id first, bool data, bool sure) {
    if (ledger.start == 0 || ledger.without_data || !data || !sure)
        ledger.mixed = first;
    if (ledger.without_data && data)
        lose_run();
    if (!ledger.without_data && !data)
        bare = first;
    ledger.start = first;
    ledger.without_data = !data;
    if (!data)
        hide_all();
    nfound = 0;
}

void oracle_found(unsigned number, event_id id, size_t topic) {
    const struct event *event = oracle_event(number);
    if (!event->durable || event->id != id || event->topic != topic)
        oracle_fail("event %u is on the disk, but was not published so", number);
    if (event->state == EVENT_FAILED)
        oracle_fail("event %u is on the disk, and its publisher was told an error", number);
    on_disk[nfound++] = number;
}

void oracle_found_end(event_id id, size_t topic) {
    for (size_t i = 0; i < ledger.logs[topic].count; i++) {
        const struct event *event = event_at(topic, i);
        if (event->id != id || !event->ends)
            continue;
        if (event->over)
            oracle_fail("%s is closed on the disk, and was opened again", topic_names[topic]);
        oracle_found(ledger.logs[topic].numbers[i], id, topic);
        return;
    }
    oracle_fail("%s is closed on the disk, and nobody has closed it", topic_names[topic]);
}

static bool was_found(unsigned number) {
    for (size_t i = 0; i < nfound; i++)
        if (on_disk[i] == number)
            return true;
    return false;
}

/* What was published together is there together. */
static void check_pair(const struct event *end, bool found) {
    const struct event *last = &ledger.events[end->last];
    if (end->last > 0 && !last->may_go && !end->may_go && was_found(end->last) != found)
        oracle_fail("of the end of %s and event %u, which came with it, one is on the disk",
                    topic_names[end->topic], end->last);
}

void oracle_found_all(void) {
    for (unsigned i = 1; i <= ledger.count; i++) {
        struct event *event = &ledger.events[i];
        bool found = event->durable && was_found(i);
        if (!event->durable)
            continue;
        if (event->state == EVENT_THERE && !found && !event->may_go)
            oracle_fail("event %u of %s was acknowledged, and is not on the disk", i,
                        topic_names[event->topic]);
        if (event->ends)
            check_pair(event, found);
        event->over = event->over || (event->ends && !found);
        if (event->state != EVENT_PENDING && event->state != EVENT_DOUBTFUL)
            continue;
        event->state = found ? EVENT_THERE : EVENT_FAILED;
        event->perhaps = !found && event->may_go && !event->ends;
        if (found)
            mark_superseded(i);
    }
    oracle_age();
}

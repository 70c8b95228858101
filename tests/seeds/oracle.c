/* oracle: what was published, what of it may be gone, and what each client must therefore have.
 *
 *     event:   pending --committed--> there --kept no longer--> there, and may be gone
 *                 \------an error--> failed, or doubtful until the disk has been looked at
 *
 *     log of a topic:   1 2 3 4 5 6 7 8 9     in order of ids
 *     a client:               at ^            all before was had, or told to be lost, or is not its
 *
 * It knows nothing of how the hub keeps, trims or finds events, only what it promises
 * (lua/README.md, "Gaps" and "What a topic keeps"). Of what a topic keeps it holds the lower bound:
 * an event may be gone when by any rule since it came its time was over, so many newer ones were
 * there, or memory was short. Whoever misses one that may not be gone has found a fault, told or
 * not. For each client it demands:
 *
 * - ids grow, and each event comes once and as it was published;
 * - nothing comes that is not committed, and nobody is led past it;
 * - what is missing is told before the topic goes on, and to the number if there is one;
 * - a number is null only for who has come back to several topics, or where nobody can know;
 * - a gap is told only if something is missing;
 * - whoever broke off owing a gap is told one when it comes back with its last id;
 * - an end comes behind all there was before it, once. */
#include "oracle.h"

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
bool oracle_lapses;

struct log {
    unsigned *numbers;
    size_t count, cap;
    struct topic_keep keep;
    unsigned newest[KEYS]; /* numbers; 0: none */
};

static struct event *events; /* by number, from 1 on */
static unsigned count, cap;
static struct log logs[TOPICS];
static event_id start;    /* of this server; */
static event_id mixed;    /* of the last one before which something durable was not kept */
static bool without_data; /* it has no store */
static event_id run_lost; /* start of the last one without a store, which is over */
static bool is_short;     /* of memory */
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

unsigned oracle_add(size_t topic, int key, uint32_t size) {
    if (++count >= cap) {
        cap = cap ? cap * 2 : 1024;
        events = mem_resize(events, cap * sizeof *events);
        on_disk = mem_resize(on_disk, cap * sizeof *on_disk);
    }
    events[count] = (struct event){
        .topic = (uint8_t)topic, .key = (int8_t)key, .state = EVENT_PENDING, .size = size};
    tally.published++;
    return count;
}

const struct event *oracle_event(unsigned number) {
    if (number == 0 || number > count)
        oracle_fail("event %u was never published", number);
    return &events[number];
}

static void mark_superseded(unsigned number) {
    const struct event *event = &events[number];
    if (event->key < 0)
        return;
    unsigned *newest = &logs[event->topic].newest[event->key];
    if (*newest > 0 && events[*newest].id < event->id)
        events[*newest].superseded = true;
    if (*newest == 0 || events[*newest].id < event->id)
        *newest = number;
    else
        events[number].superseded = true;
}

/* What the topic keeps says that these may be gone. */
static void mark_old(struct log *log) {
    uint64_t now = (uint64_t)(clock_wall_ns() / 1000000), n = 0, bytes = 0;
    for (size_t i = log->count; i-- > 0;) {
        struct event *event = &events[log->numbers[i]];
        bytes += event->size + ENTRY_OVERHEAD;
        bool many = n >= log->keep.count || (n > 0 && bytes > log->keep.bytes);
        bool old = event->born_ms + log->keep.age_ms <= now;
        event->may_go = event->may_go || many || old;
        n++;
    }
}

void oracle_given(unsigned number, event_id id, bool durable) {
    struct event *event = &events[number];
    struct log *log = &logs[event->topic];
    if (log->count == log->cap) {
        log->cap = log->cap ? log->cap * 2 : 64;
        log->numbers = mem_resize(log->numbers, log->cap * sizeof *log->numbers);
    }
    if (log->count > 0 && events[log->numbers[log->count - 1]].id >= id)
        oracle_fail("event %u got an id that is not beyond the one before", number);
    event->alone = log->count == 0 || events[log->numbers[log->count - 1]].may_go;
    log->numbers[log->count++] = number;
    event->id = id;
    event->durable = durable;
    event->may_go = is_short;
    event->born_ms = (uint64_t)(clock_wall_ns() / 1000000);
    for (size_t i = 0; i + 1 < log->count && !durable; i++)
        if (events[log->numbers[i]].durable) /* its history in the store ends here */
            events[log->numbers[i]].may_go = true;
    if (!durable)
        oracle_done(number, 0, false);
    mark_old(log);
}

void oracle_done(unsigned number, int error, bool stopped) {
    struct event *event = &events[number];
    if (error == 0)
        mark_superseded(number);
    else
        tally.failed++;
    event->state = error == 0 ? EVENT_THERE : stopped ? EVENT_DOUBTFUL : EVENT_FAILED;
}

/* --- what may be gone --- */

void oracle_keep(size_t topic, struct topic_keep keep) {
    logs[topic].keep = keep;
    mark_old(&logs[topic]);
}

void oracle_age(void) {
    for (size_t t = 0; t < TOPICS; t++)
        mark_old(&logs[t]);
}

void oracle_is_short(bool is) {
    is_short = is;
    for (unsigned i = 1; i <= count && is; i++)
        events[i].may_go = true;
}

void oracle_restart(void) {
    for (unsigned i = 1; i <= count; i++) {
        struct event *event = &events[i];
        if (event->durable)
            continue;
        event->may_go = true;
        if (event->state != EVENT_THERE && event->state != EVENT_NOWHERE)
            oracle_fail("event %u, in memory, was never published", i);
    }
}

/* A server that has no store: what is there durably is out of its reach. */
static void hide_all(void) {
    for (unsigned i = 1; i <= count; i++)
        if (events[i].state == EVENT_PENDING)
            events[i].state = EVENT_DOUBTFUL;
}

/* The store that is there again knows nothing of the server that had none. Only who was there can
 * be told that it has lost something. */
static void lose_run(void) {
    for (unsigned i = 1; i <= count; i++)
        if (events[i].id >= start && events[i].state == EVENT_THERE)
            events[i].state = EVENT_NOWHERE;
    run_lost = start;
}

void oracle_begin(event_id first, bool data, bool sure) {
    if (start == 0 || without_data || !data || !sure)
        mixed = first;
    if (without_data && data)
        lose_run();
    start = first;
    without_data = !data;
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

static bool was_found(unsigned number) {
    for (size_t i = 0; i < nfound; i++)
        if (on_disk[i] == number)
            return true;
    return false;
}

void oracle_found_all(void) {
    for (unsigned i = 1; i <= count; i++) {
        struct event *event = &events[i];
        bool found = event->durable && was_found(i);
        if (!event->durable)
            continue;
        if (event->state == EVENT_THERE && !found && !event->may_go)
            oracle_fail("event %u of %s was acknowledged, and is not on the disk", i,
                        topic_names[event->topic]);
        if (event->state != EVENT_PENDING && event->state != EVENT_DOUBTFUL)
            continue;
        event->state = found ? EVENT_THERE : EVENT_FAILED;
        event->perhaps = !found && event->may_go;
        if (found)
            mark_superseded(i);
    }
    oracle_age();
}

/* --- clients --- */

static bool wants(const struct record *record, size_t topic) {
    for (size_t i = 0; i < CHOICES; i++)
        if (record->chosen[i] && choice_covers(i, topic))
            return true;
    return false;
}

/* For messages: who it is, its policy, and what it has chosen. */
static const char *describe(const struct record *record) {
    static char text[200];
    size_t n = (size_t)snprintf(text, sizeof text, "%s, policy %d%s:", record->name,
                                record->overflow, record->end > 0 ? ", ending" : "");
    for (size_t i = 0; i < CHOICES; i++)
        if (record->chosen[i])
            n += (size_t)snprintf(text + n, sizeof text - n, " %s", choice_names[i]);
    return text;
}

/* The index of the first event of the topic beyond `id`. */
static size_t log_after(size_t topic, event_id id) {
    size_t low = 0, high = logs[topic].count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (events[logs[topic].numbers[middle]].id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* It need not have come. */
static bool may_miss(const struct event *event) {
    return event->may_go || (without_data && event->durable && event->id < start);
}

/* It may have had more topics to read than are kept in mind. */
static bool may_lapse(const struct record *record) {
    bool prefixed = false;
    for (size_t i = 0; i < CHOICES; i++)
        prefixed = prefixed || (record->chosen[i] && strchr(choice_names[i], '*'));
    return oracle_lapses && prefixed;
}

static bool drops(const struct record *record) {
    return record->overflow == OVERFLOW_DROP_OLDEST || record->overflow == OVERFLOW_DROP_NEWEST;
}

/* The next event of the topic does not come any more. Whether that counts. */
static bool pass(struct record *record, size_t topic) {
    unsigned number = logs[topic].numbers[record->at[topic]++];
    const struct event *event = &events[number];
    if (event->state == EVENT_PENDING)
        oracle_fail("%s was led past event %u of %s, which is not committed yet", describe(record),
                    number, topic_names[topic]);
    record->forgiven += event->perhaps;
    if (event->state != EVENT_THERE)
        return false;
    bool skips = record->overflow == OVERFLOW_CONFLATE && event->superseded;
    if (!may_miss(event) && !skips && !drops(record))
        oracle_fail("%s misses event %u of %s, which must be kept", describe(record), number,
                    topic_names[topic]);
    return true;
}

/* It will not have the events of the topic before `end` any more. */
static void miss(struct record *record, size_t topic, size_t end) {
    while (record->at[topic] < end) {
        const struct event *event = &events[logs[topic].numbers[record->at[topic]]];
        bool skips = record->overflow == OVERFLOW_CONFLATE && event->superseded;
        bool silent = record->at[topic] < record->silent[topic];
        if (pass(record, topic))
            *(skips ? &record->superseded : silent ? &record->forgiven : &record->skipped) += 1;
    }
}

static uint64_t forgive(struct record *record, size_t topic, size_t end) {
    uint64_t before = record->forgiven;
    while (record->at[topic] < end)
        if (pass(record, topic))
            record->forgiven++;
    return record->forgiven - before;
}

/* What is being committed when somebody comes is not for it, but may be counted when it is gone
 * before it could be read. */
static uint64_t count_pending(size_t topic, event_id upto) {
    uint64_t n = 0;
    for (size_t i = log_after(topic, upto); i-- > 0;)
        n += events[logs[topic].numbers[i]].state == EVENT_PENDING;
    return n;
}

/* Something beyond the id was lost with the run. */
static bool has_nowhere(size_t topic, event_id id) {
    for (size_t i = log_after(topic, id); i < logs[topic].count; i++)
        if (events[logs[topic].numbers[i]].state == EVENT_NOWHERE)
            return true;
    return false;
}

void record_choose(struct record *record, size_t choice, enum beginning how) {
    for (size_t t = 0; t < TOPICS; t++) {
        if (!choice_covers(choice, t) || wants(record, t))
            continue;
        if (how == FROM_LAST && record->last >= run_lost && has_nowhere(t, record->last))
            record->owed = true;
        if (how != FROM_FIRST)
            record->forgiven += count_pending(t, how == FROM_NOW ? EVENT_ID_NONE : record->last);
        record->at[t] = how == FROM_NOW     ? logs[t].count
                        : how == FROM_FIRST ? 0
                                            : log_after(t, record->last);
        record->silent[t] = how == FROM_FIRST ? logs[t].count : 0;
    }
    record->chosen[choice] = true;
    record->null_is_ok = record->null_is_ok || how != FROM_NOW;
}

/* Whether all that it has chosen was durable, and was kept, since it was there last. */
static bool must_know(const struct record *record) {
    for (size_t i = 0; i < CHOICES; i++)
        if (record->chosen[i] && !choice_is_durable(i))
            return false;
    return record->from >= mixed;
}

void record_leave(struct record *record, size_t choice) {
    record->left_blind = record->left_blind || !must_know(record);
    record->left = true;
    record->chosen[choice] = false;
    for (size_t t = 0; t < TOPICS; t++) {
        if (!choice_covers(choice, t) || wants(record, t))
            continue;
        for (; record->at[t] < logs[t].count; record->at[t]++)
            record->forgiven += events[logs[t].numbers[record->at[t]]].state == EVENT_THERE;
        record->owed = false; /* it may have been this one's */
    }
}

void record_cut(struct record *record) {
    for (size_t t = 0; t < TOPICS; t++)
        if (wants(record, t))
            miss(record, t, log_after(t, record->last));
    record->owed = record->skipped > record->told || record->owed;
    record->skipped = record->superseded = record->forgiven = record->told = 0;
    record->end = 0;
    record->left = false;
    record->from = record->last;
}

void record_event(struct record *record, unsigned number, event_id id) {
    const struct event *event = oracle_event(number);
    size_t topic = event->topic, at = record->at[topic];
    const struct log *log = &logs[topic];
    if (id <= record->last)
        oracle_fail("%s: the id of event %u of %s is not beyond the one before", describe(record),
                    number, topic_names[topic]);
    if (event->id != id || !wants(record, topic))
        oracle_fail("%s: event %u of %s has a wrong id, or is not its", describe(record), number,
                    topic_names[topic]);
    if (event->state != EVENT_THERE)
        oracle_fail("%s: event %u of %s came, and is not committed", describe(record), number,
                    topic_names[topic]);
    if (record->end > 0 && id > record->end)
        oracle_fail("%s: event %u came behind the end", describe(record), number);
    while (at < log->count && log->numbers[at] != number)
        at++;
    if (at == log->count)
        oracle_fail("%s: event %u of %s came twice, or came before it", describe(record), number,
                    topic_names[topic]);
    miss(record, topic, at);
    if (record->skipped > record->told && !record->null_is_ok && !may_lapse(record))
        oracle_fail("%s: before event %u of %s %u are missing, %u were told", describe(record),
                    number, topic_names[topic], (unsigned)record->skipped, (unsigned)record->told);
    record->at[topic] = at + 1;
    record->last = id;
    tally.received++;
}

static const char *show_id(event_id id, char text[EVENT_ID_TEXT]) {
    event_id_format(id, text);
    return text;
}

/* It came back to one topic, which has been there since it was there last: so it is told a number.
 */
static bool must_count(const struct record *record, const char *reason) {
    size_t choice = 0, n = 0;
    for (size_t i = 0; i < CHOICES; i++)
        if (record->chosen[i])
            choice = i, n++;
    if (n != 1 || choice >= TOPICS || strcmp(reason, "trimmed") != 0 || record->left)
        return false;
    if (record->from < start || record->end > 0 || record->overflow == OVERFLOW_CONFLATE)
        return false;
    const struct log *log = &logs[choice];
    bool there = !events[log->numbers[log->count - 1]].may_go;
    for (size_t i = log_after(choice, record->from); i < log->count; i++)
        there = there && !events[log->numbers[i]].alone;
    return there;
}

static void check_null_gap(struct record *record, const char *reason, event_id id) {
    uint64_t n = 0;
    for (size_t t = 0; t < TOPICS; t++)
        if (wants(record, t))
            n += forgive(record, t, log_after(t, id));
    if (record->skipped > record->told) /* it stands behind some that came before it */
        n += record->skipped - record->told;
    record->forgiven += record->skipped;
    record->skipped = 0;
    bool blind = strcmp(reason, "restart") == 0 && record->from < start &&
                 (record->left_blind || !must_know(record));
    for (size_t t = 0; t < TOPICS; t++) /* it is told of all that was lost by now, once */
        if (may_lapse(record) && record->silent[t] < logs[t].count)
            record->silent[t] = logs[t].count;
    tally.null_gaps++;
    record->left_blind = record->left_blind && !blind;
    if (n == 0 && !record->owed && !blind && record->end == 0)
        oracle_fail("%s: a gap, %s, where nothing is missing", describe(record), reason);
    if (must_count(record, reason))
        oracle_fail("%s: came back to one topic, and is not told how many it lost",
                    describe(record));
    if (!record->null_is_ok && !may_lapse(record) && record->overflow == OVERFLOW_NONE &&
        record->end == 0)
        oracle_fail("%s: a live stream is not told how many it lost, %s", describe(record), reason);
}

void record_gap(struct record *record, const char *reason, long long lost, event_id id) {
    char one[EVENT_ID_TEXT], other[EVENT_ID_TEXT];
    if (id < record->last || (id == record->last && record->end == 0))
        oracle_fail("%s: a gap, %s, %lld, has the id %s, not beyond the one before, %s",
                    describe(record), reason, lost, show_id(id, one), show_id(record->last, other));
    record->last = id;
    tally.gaps++;
    if (lost == 0)
        oracle_fail("%s: a gap of no event, %s", describe(record), reason);
    if (lost < 0) {
        check_null_gap(record, reason, id);
    } else {
        record->told += (uint64_t)lost;
        tally.lost += (uint64_t)lost;
    }
    record->owed = false;
}

static void check_told(const struct record *record) {
    if (record->skipped > record->told ||
        record->told > record->skipped + record->superseded + record->forgiven)
        oracle_fail("%s: %u are missing, %u superseded, %u forgiven; %u were told",
                    describe(record), (unsigned)record->skipped, (unsigned)record->superseded,
                    (unsigned)record->forgiven, (unsigned)record->told);
    if (record->owed)
        oracle_fail("%s: came back, and the gap it was owed was not told", describe(record));
}

void record_read_up(struct record *record) {
    for (size_t t = 0; t < TOPICS; t++)
        if (wants(record, t)) {
            size_t end = logs[t].count;
            while (end > record->at[t] && events[logs[t].numbers[end - 1]].state == EVENT_PENDING)
                end--;
            miss(record, t, end);
        }
    check_told(record);
    record->skipped = record->superseded = record->forgiven = record->told = 0;
    record->null_is_ok = false;
}

void record_end(struct record *record) {
    if (record->end == 0)
        oracle_fail("%s: an end that nobody asked for", describe(record));
    for (size_t t = 0; t < TOPICS; t++)
        if (wants(record, t))
            miss(record, t, log_after(t, record->end));
    check_told(record);
    tally.ends++;
}

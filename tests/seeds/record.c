/* record: what each client must have, and be told.
 *
 *     log of a topic:   1 2 3 4 5 6 7 8 9
 *     a client:               at ^            all before was had, or told to be lost, or is not its
 *
 * Of each client it demands:
 *
 * - ids grow, and each event comes once and as it was published;
 * - nothing comes that is not committed, and nobody is led past it;
 * - what is missing is told before the topic goes on, and to the number if there is one;
 * - a number is null only for who has come back to several topics, or where nobody can know;
 * - a gap is told only if something is missing;
 * - whoever broke off owing a gap is told one when it comes back with its last id;
 * - who wants the newest events gets these of each topic, and no older ones;
 * - an end comes behind all there was before it, once;
 * - `weir.end` comes to who has chosen names only, when all of them are closed, and to nobody else;
 *   who comes back with its id is told to stay away;
 * - who has the policy block goes when somebody has waited for it in vain, and only then; and
 * nobody waits who need not. */
#include "record.h"

#include "oracle_own.h"

#include <stdio.h>
#include <string.h>

bool oracle_lapses;

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
    size_t low = 0, high = ledger.logs[topic].count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (event_at(topic, middle)->id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* There is something to be had. */
static bool is_there(const struct event *event) {
    return event->state == EVENT_THERE && !event->ends;
}

/* It need not have come. */
static bool may_miss(const struct event *event) {
    return event->may_go || event_is_out_of_reach(event);
}

static bool has_prefix(const struct record *record) {
    bool prefixed = false;
    for (size_t i = 0; i < CHOICES; i++)
        prefixed = prefixed || (record->chosen[i] && strchr(choice_names[i], '*'));
    return prefixed;
}

/* It may have had more topics to read than are kept in mind. */
static bool may_lapse(const struct record *record) {
    return oracle_lapses && has_prefix(record);
}

static bool drops(const struct record *record) {
    return record->overflow == OVERFLOW_DROP_OLDEST || record->overflow == OVERFLOW_DROP_NEWEST;
}

/* The next event of the topic does not come any more. Whether that counts. */
static bool pass(struct record *record, size_t topic) {
    unsigned number = ledger.logs[topic].numbers[record->at[topic]++];
    const struct event *event = &ledger.events[number];
    if (event->state == EVENT_PENDING)
        oracle_fail("%s was led past event %u of %s, which is not committed yet", describe(record),
                    number, topic_names[topic]);
    record->forgiven += event->perhaps;
    if (!is_there(event))
        return false;
    bool skips = record->overflow == OVERFLOW_CONFLATE && event->superseded;
    bool given_up = record->at[topic] <= record->given_up[topic];
    if (!may_miss(event) && !skips && !given_up && !drops(record))
        oracle_fail("%s misses event %u of %s, which must be kept", describe(record), number,
                    topic_names[topic]);
    return true;
}

/* It will not have the events of the topic before `end` any more. */
static void miss(struct record *record, size_t topic, size_t end) {
    while (record->at[topic] < end) {
        const struct event *event = event_at(topic, record->at[topic]);
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
        n += event_at(topic, i)->state == EVENT_PENDING && !event_at(topic, i)->ends;
    return n;
}

/* Something beyond the id was lost with the run. */
static bool has_nowhere(size_t topic, event_id id) {
    for (size_t i = log_after(topic, id); i < ledger.logs[topic].count; i++)
        if (event_at(topic, i)->state == EVENT_NOWHERE && !event_at(topic, i)->ends)
            return true;
    return false;
}

/* Where the newest events of the topic begin that there are, so many. */
static size_t log_newest(size_t topic, uint64_t n) {
    size_t at = ledger.logs[topic].count;
    while (at > 0 && n > 0) {
        const struct event *event = event_at(topic, --at);
        n -= is_there(event) && !event_is_out_of_reach(event);
    }
    return at;
}

void record_begin(struct record *record, enum overflow overflow, uint32_t limit) {
    memset(record->chosen, 0, sizeof record->chosen);
    record->overflow = overflow;
    record->limit = limit;
    record->closed = 0;
    record->came = record->read = ledger.there;
    record->may_go = record->must_go = false;
}

static size_t log_begin(const struct record *record, size_t topic, enum beginning how,
                        uint64_t last) {
    switch (how) {
    case FROM_NOW:
        return ledger.logs[topic].count;
    case FROM_FIRST:
        return 0;
    case FROM_NEWEST:
        return log_newest(topic, last);
    case FROM_LAST:
        break;
    }
    return log_after(topic, record->last);
}

/* How many events of the topic come before the first that is being committed. */
static size_t count_there(size_t topic) {
    const struct log *log = &ledger.logs[topic];
    size_t n = 0;
    while (n < log->count && oracle_event(log->numbers[n])->state != EVENT_PENDING)
        n++;
    return n;
}

void record_choose(struct record *record, size_t choice, enum beginning how, uint64_t last) {
    bool history = how == FROM_FIRST || how == FROM_NEWEST;
    for (size_t t = 0; t < TOPICS; t++) {
        if (!choice_covers(choice, t) || wants(record, t))
            continue;
        if (how == FROM_LAST && record->last >= ledger.run_lost && has_nowhere(t, record->last))
            record->owed = true;
        if (!history)
            record->forgiven += count_pending(t, how == FROM_NOW ? EVENT_ID_NONE : record->last);
        record->at[t] = log_begin(record, t, how, last);
        record->silent[t] = history ? ledger.logs[t].count : 0;
        record->given_up[t] = 0;
        record->seen[t] = count_there(t);
    }
    record->chosen[choice] = true;
    record->null_is_ok = record->null_is_ok || how != FROM_NOW;
}

/* Whether all that it has chosen was durable, and was kept, since it was there last. */
static bool must_know(const struct record *record) {
    for (size_t i = 0; i < CHOICES; i++)
        if (record->chosen[i] && !choice_is_durable(i))
            return false;
    return record->from >= ledger.mixed;
}

void record_leave(struct record *record, size_t choice) {
    record->left_blind = record->left_blind || !must_know(record);
    record->left = true;
    record->null_is_ok = record->null_is_ok || may_lapse(record);
    record->chosen[choice] = false;
    for (size_t t = 0; t < TOPICS; t++) {
        if (!choice_covers(choice, t))
            continue;
        if (wants(record, t)) { /* by another one, which may have begun later */
            if (may_lapse(record))
                record->given_up[t] = ledger.logs[t].count;
            continue;
        }
        for (; record->at[t] < ledger.logs[t].count; record->at[t]++) {
            const struct event *event = event_at(t, record->at[t]);
            record->forgiven += is_there(event);
            record->left_lost = record->left_lost || (is_there(event) && may_miss(event));
        }
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
    record->left = record->left_lost = false;
    record->from = record->last;
}

/* Who conflates gets nothing that was superseded when it came; how it is for who ends, and gets
 * some of that, is a matter of the moment. */
static void check_conflated(const struct record *record, const struct event *event, size_t at) {
    const struct log *log = &ledger.logs[event->topic];
    if (record->overflow != OVERFLOW_CONFLATE || record->end > 0 || event->key < 0)
        return;
    for (size_t i = at + 1; i < record->seen[event->topic]; i++) {
        const struct event *newer = oracle_event(log->numbers[i]);
        bool there = newer->state == EVENT_THERE && !event_is_out_of_reach(newer);
        if (there && newer->key == event->key)
            oracle_fail("%s: event %u of %s came, and was superseded by %u when it came",
                        describe(record), log->numbers[at], topic_names[event->topic],
                        log->numbers[i]);
    }
}

/* Before so many events had been there. What took its place in memory only is forgotten with the
 * server, and the store may not have done yet what it was asked for then. */
static bool was_erased(const struct event *event, uint64_t there) {
    if (event->eraser == 0)
        return false;
    const struct event *eraser = oracle_event(event->eraser);
    bool holds = eraser->durable || eraser->id >= ledger.start;
    return holds && eraser->state == EVENT_THERE && eraser->order <= there;
}

void record_event(struct record *record, unsigned number, event_id id) {
    const struct event *event = oracle_event(number);
    size_t topic = event->topic, at = record->at[topic];
    const struct log *log = &ledger.logs[topic];
    if (id <= record->last)
        oracle_fail("%s: the id of event %u of %s is not beyond the one before", describe(record),
                    number, topic_names[topic]);
    if (event->id != id || !wants(record, topic))
        oracle_fail("%s: event %u of %s has a wrong id, or is not its", describe(record), number,
                    topic_names[topic]);
    if (event->state != EVENT_THERE)
        oracle_fail("%s: event %u of %s came, and is not committed", describe(record), number,
                    topic_names[topic]);
    if (was_erased(event, record->came))
        oracle_fail("%s: event %u came, which had been erased before", describe(record), number);
    if ((record->end > 0 && id > record->end) || record->closed > 0)
        oracle_fail("%s: event %u came behind the end", describe(record), number);
    while (at < log->count && log->numbers[at] != number)
        at++;
    if (at == log->count)
        oracle_fail("%s: event %u of %s came twice, or came before it", describe(record), number,
                    topic_names[topic]);
    check_conflated(record, event, at);
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
    if (record->from < ledger.start || record->end > 0 || record->overflow == OVERFLOW_CONFLATE)
        return false;
    const struct log *log = &ledger.logs[choice];
    size_t newest = log->count - 1;
    while (newest > 0 && event_at(choice, newest)->ends)
        newest--;
    bool there = !event_at(choice, newest)->may_go;
    for (size_t i = log_after(choice, record->from); i < log->count; i++)
        there = there && !event_at(choice, i)->alone;
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
    bool blind = strcmp(reason, "restart") == 0 && record->from < ledger.start &&
                 (record->left_blind || !must_know(record));
    for (size_t t = 0; t < TOPICS; t++) /* it is told of all that was lost by now, once */
        if (may_lapse(record) && record->silent[t] < ledger.logs[t].count)
            record->silent[t] = ledger.logs[t].count;
    tally.null_gaps++;
    record->left_blind = record->left_blind && !blind;
    if (n == 0 && !record->owed && !blind && !record->left_lost && record->end == 0)
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
    if (record->closed > 0)
        oracle_fail("%s: a gap, %s, came behind the end", describe(record), reason);
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
            size_t end = ledger.logs[t].count;
            while (end > record->at[t] && event_at(t, end - 1)->state == EVENT_PENDING)
                end--;
            miss(record, t, end);
        }
    check_told(record);
    record->skipped = record->superseded = record->forgiven = record->told = 0;
    record->null_is_ok = false;
    record->read = ledger.there;
}

/* --- its end --- */

static void miss_all(struct record *record, event_id upto) {
    for (size_t t = 0; t < TOPICS; t++)
        if (wants(record, t))
            miss(record, t, log_after(t, upto));
    check_told(record);
}

void record_end(struct record *record) {
    if (record->end == 0 && record->closed == 0)
        oracle_fail("%s: an end that nobody asked for", describe(record));
    if (record->end > 0)
        miss_all(record, record->end);
    tally.ends++;
}

/* All that it has chosen was closed at that place, the last of it with this id; 0: it was not. */
static event_id closed_at(const struct record *record, bool surely, event_id at) {
    event_id last = 0;
    for (size_t t = 0; t < TOPICS; t++) {
        if (!wants(record, t))
            continue;
        const struct event *end = oracle_end_at(t, at);
        if (end == NULL || end->state != EVENT_THERE || (surely && end->may_go))
            return 0;
        last = end->id > last ? end->id : last;
    }
    return has_prefix(record) ? 0 : last;
}

void record_closed(struct record *record, event_id id) {
    event_id last = closed_at(record, false, id);
    bool past = record->left || record->last > last; /* it holds an id that none of them gave */
    if (last == 0 || record->closed > 0)
        oracle_fail("%s: `weir.end` came, and its topics are not closed, or it came twice",
                    describe(record));
    if (id < record->last || (past ? id < last : id != last))
        oracle_fail("%s: the id of `weir.end` is not that of the end", describe(record));
    if (record->end > 0 && id > record->end)
        oracle_fail("%s: `weir.end` came behind the end", describe(record));
    miss_all(record, id);
    record->closed = record->last = id;
    tally.told++;
}

bool record_must_end(const struct record *record) {
    return record->end > 0 || closed_at(record, true, EVENT_ID_NONE) > 0;
}

/* All that it has chosen was remembered since it had the end: nothing else can be due. */
static bool has_kept_all(const struct record *record) {
    for (size_t i = 0; i < CHOICES; i++)
        if (record->chosen[i] && choice_names[i][0] == 'v')
            return false;
        else if (record->chosen[i] && choice_is_durable(i) && record->from < ledger.mixed)
            return false;
    return true;
}

void record_came_back(struct record *record, bool declined) {
    event_id may = closed_at(record, false, EVENT_ID_NONE);
    event_id must = closed_at(record, true, EVENT_ID_NONE);
    if (declined && (may == 0 || may > record->from || record->owed))
        oracle_fail("%s: is told to stay away, and there is more", describe(record));
    if (!declined && must > 0 && must <= record->from && !record->owed && has_kept_all(record))
        oracle_fail("%s: came back from the end of all, and is not told to stay away",
                    describe(record));
    tally.declined += declined;
}

/* --- publishers that wait for it --- */

static bool blocks(const struct record *record, size_t topic) {
    return record->overflow == OVERFLOW_BLOCK && record->end == 0 && wants(record, topic);
}

bool record_may_hold(const struct record *record, size_t topic) {
    uint64_t n = 0;
    for (size_t t = 0; t < TOPICS; t++)
        for (size_t i = ledger.logs[t].count; i-- > 0 && wants(record, t);)
            n += is_there(event_at(t, i)) && event_at(t, i)->order > record->read;
    return blocks(record, topic) && n >= record->limit;
}

/* What had come since it is here when its worker had been told of so many events, and that it still
 * has not had, nor can it have lost it. Before the worker is told, nobody counts it. */
static uint64_t count_unread(const struct record *record, uint64_t before) {
    uint64_t n = 0;
    for (size_t t = 0; t < TOPICS; t++)
        for (size_t i = record->at[t]; i < ledger.logs[t].count && wants(record, t); i++) {
            const struct event *event = event_at(t, i);
            bool counts = event->order > record->came && event->order <= before;
            n += is_there(event) && counts && !may_miss(event);
        }
    return n;
}

void record_passed(struct record *record, size_t topic, uint64_t before, bool in_vain) {
    record->may_go = record->may_go || (in_vain && record_may_hold(record, topic));
    record->must_go =
        record->must_go ||
        (blocks(record, topic) && count_unread(record, before) >= record->limit + record->queued);
}

void record_stays(const struct record *record) {
    if (record->must_go)
        oracle_fail("%s: was full, and did not hold up who would wait for it, nor did it go",
                    describe(record));
}

void record_slow(const struct record *record) {
    if (record->overflow != OVERFLOW_BLOCK)
        return;
    if (!record->may_go)
        oracle_fail("%s: has to go, and nobody has waited for it in vain", describe(record));
    tally.expelled++;
}

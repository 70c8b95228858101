/* ledger: the books of the exactness test.
 *
 * The events of a topic are numbered from 1, and each says its topic and number in its data. A
 * record refuses, as it comes, what is never right: an id that does not grow, a number twice or out
 * of order, another id or other data than the others got. What did not come is looked at in the
 * end, when the ids of all events are known: a missing one must lie in a gap that this client was
 * told, and a gap that gives a count must have exactly so many in it.
 *
 * An event whose publisher was cut off before it was acknowledged may exist or not; if one client
 * has seen it, it exists, and all must have it. */
#include "ledger.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ledger_fail(const char *format, ...) {
    va_list args;

    va_start(args, format);
    fputs("exact: ", stdout);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    exit(1);
}

static void *zeroed(size_t count, size_t size) {
    void *block = calloc(count, size);

    if (!block)
        abort();
    return block;
}

static int compare(struct id a, struct id b) {
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

static bool is_none(struct id id) {
    return id.ms == 0 && id.seq == 0;
}

static struct id parse_id(const char *text) {
    struct id id;
    int end = 0;

    if (sscanf(text, "%" SCNu64 "-%" SCNu64 "%n", &id.ms, &id.seq, &end) != 2 || text[end])
        ledger_fail("no id: '%s'", text);
    return id;
}

/* --- the ledger --- */

void ledger_init(struct ledger *ledger, uint32_t topics, uint32_t room) {
    memset(ledger, 0, sizeof *ledger);
    ledger->topic_count = topics;
    ledger->room = room;
    for (uint32_t i = 0; i < topics; i++)
        ledger->entries[i] = zeroed(room + 1, sizeof(struct entry));
}

void ledger_fini(struct ledger *ledger) {
    for (uint32_t i = 0; i < ledger->topic_count; i++)
        free(ledger->entries[i]);
}

/* The topic and number that data begins with; the rest of it. */
static const char *parse_data(const struct ledger *ledger, const char *data, uint32_t *topic,
                              uint32_t *number) {
    int end = 0;

    if (sscanf(data, "%" SCNu32 " %" SCNu32 "%n", topic, number, &end) != 2 ||
        *topic >= ledger->topic_count || *number < 1 || *number > ledger->room)
        ledger_fail("data of nobody: '%.80s'", data);
    return data + end;
}

/* Everybody gets the same id for the same event. */
static void note_id(struct entry *entry, struct id id, const char *data) {
    if (is_none(entry->id))
        entry->id = id;
    else if (compare(entry->id, id) != 0)
        ledger_fail("event '%.20s' has two ids: %" PRIu64 "-%" PRIu64 " and %" PRIu64 "-%" PRIu64,
                    data, entry->id.ms, entry->id.seq, id.ms, id.seq);
}

void ledger_acknowledge(struct ledger *ledger, const char *data, const char *id) {
    uint32_t topic, number;

    parse_data(ledger, data, &topic, &number);
    struct entry *entry = &ledger->entries[topic][number];
    note_id(entry, parse_id(id), data);
    entry->acknowledged = true;
}

/* --- one client --- */

void record_init(struct record *record, const struct ledger *ledger, uint32_t topics,
                 const char *start) {
    memset(record, 0, sizeof *record);
    record->topics = topics;
    for (uint32_t i = 0; i < ledger->topic_count; i++)
        record->seen[i] = zeroed(ledger->room / 8 + 1, 1);
    record->position = parse_id(start);
    snprintf(record->position_text, sizeof record->position_text, "%s", start);
}

void record_fini(struct record *record) {
    for (uint32_t i = 0; i < TOPICS_MAX; i++)
        free(record->seen[i]);
    free(record->gaps);
}

static bool has(const struct record *record, uint32_t topic, uint32_t number) {
    return record->seen[topic][number / 8] >> number % 8 & 1;
}

/* app.lua has the other half of this. */
static void check_data(const char *rest, uint32_t topic, uint32_t number) {
    size_t length = ((uint64_t)number * 7919 + topic * 104729) % 400 + (number % 101 ? 0 : 6000);
    char letter = (char)('a' + number % 26);

    if (*rest != (number % 13 ? ' ' : '\n'))
        ledger_fail("event %u %u: its lines are not as published", topic, number);
    rest++;
    if (strlen(rest) != length)
        ledger_fail("event %u %u: %zu bytes instead of %zu", topic, number, strlen(rest), length);
    for (; *rest; rest++)
        if (*rest != letter)
            ledger_fail("event %u %u: other data than published", topic, number);
}

static void move(struct record *record, struct id id, const char *text) {
    record->position = id;
    snprintf(record->position_text, sizeof record->position_text, "%s", text);
}

void record_event(struct record *record, struct ledger *ledger, const char *data, const char *id) {
    uint32_t topic, number;
    const char *rest = parse_data(ledger, data, &topic, &number);
    struct id now = parse_id(id);

    if (!(record->topics >> topic & 1))
        ledger_fail("%s: topic %u came to who did not subscribe to it", record->name, topic);
    if (has(record, topic, number))
        ledger_fail("%s: event %u %u came twice, after id %s", record->name, topic, number,
                    record->position_text);
    if (compare(now, record->position) <= 0)
        ledger_fail("%s: id %s of event %u %u comes after %s", record->name, id, topic, number,
                    record->position_text);
    if (number <= record->newest[topic])
        ledger_fail("%s: event %u %u comes after %u", record->name, topic, number,
                    record->newest[topic]);
    check_data(rest, topic, number);
    note_id(&ledger->entries[topic][number], now, data);
    record->seen[topic][number / 8] |= (uint8_t)(1u << number % 8);
    record->newest[topic] = number;
    record->events++;
    move(record, now, id);
}

static bool is_one_topic(const struct record *record) {
    return !(record->topics & (record->topics - 1));
}

void record_gap(struct record *record, const char *data, const char *id, bool first) {
    const char *lost = strstr(data, "\"lost\":");
    struct gap gap = {.from = record->position, .to = parse_id(id), .lost = -1};

    if (!lost)
        ledger_fail("a gap without lost: %s", data);
    if (strncmp(lost + 7, "null", 4))
        gap.lost = strtoll(lost + 7, NULL, 10);
    else if (!first && is_one_topic(record))
        ledger_fail("%s: a live stream is not told how many it lost: %s", record->name, data);
    if (compare(gap.to, gap.from) < 0)
        ledger_fail("%s: a gap goes back, from %s to %s", record->name, record->position_text, id);
    record->gaps = realloc(record->gaps, (record->gap_count + 1) * sizeof gap);
    if (!record->gaps)
        abort();
    record->gaps[record->gap_count++] = gap;
    move(record, gap.to, id);
}

bool record_is_complete(const struct record *record, const struct ledger *ledger) {
    for (uint32_t i = 0; i < ledger->topic_count; i++) {
        if (!(record->topics >> i & 1))
            continue;
        uint32_t final = ledger->final[i];
        if (!final || compare(record->position, ledger->entries[i][final].id) < 0)
            return false;
    }
    return true;
}

/* The first gap that reaches as far as an id, NULL if there is none. Gaps are in the order of ids.
 */
static const struct gap *gap_to(const struct record *record, struct id id) {
    uint32_t low = 0, high = record->gap_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (compare(record->gaps[middle].to, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < record->gap_count ? &record->gaps[low] : NULL;
}

/* What is missing was told before the topic went on. */
static void check_told(const struct record *record, const struct ledger *ledger, uint32_t topic) {
    struct id next = {UINT64_MAX, 0}; /* of the event of this topic that came after it */

    for (uint32_t number = ledger->final[topic]; number > 0; number--) {
        const struct entry *entry = &ledger->entries[topic][number];
        if (has(record, topic, number))
            next = entry->id;
        if (is_none(entry->id) || has(record, topic, number))
            continue;
        const struct gap *gap = gap_to(record, entry->id);
        if (!gap || compare(gap->to, next) >= 0)
            ledger_fail("%s: event %u %u (%" PRIu64 "-%" PRIu64
                        ", %sacknowledged) is lost, and not told",
                        record->name, topic, number, entry->id.ms, entry->id.seq,
                        entry->acknowledged ? "" : "not ");
    }
}

/* The number of the topic's event with that id; 0: it is of another topic. */
static uint32_t number_with(const struct ledger *ledger, uint32_t topic, struct id id) {
    uint32_t low = 1, high = ledger->final[topic];

    while (low <= high) {
        uint32_t middle = (low + high) / 2;
        int order = compare(ledger->entries[topic][middle].id, id);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle - 1;
    }
    return 0;
}

/* A gap's id is that of the last event that was lost, which says of which topic it tells. */
static void check_counts(const struct record *record, const struct ledger *ledger, uint32_t topic) {
    uint32_t number = 0;

    for (uint32_t i = 0; i < record->gap_count; i++) {
        const struct gap *gap = &record->gaps[i];
        uint32_t last = number_with(ledger, topic, gap->to);
        int64_t lost = 0;
        for (; number < last; number++)
            lost += !has(record, topic, number + 1);
        if (last && gap->lost >= 0 && gap->lost != lost)
            ledger_fail("%s: the gap to %" PRIu64 "-%" PRIu64 " says %" PRId64
                        " lost, it was %" PRId64,
                        record->name, gap->to.ms, gap->to.seq, gap->lost, lost);
    }
}

void record_verify(const struct record *record, const struct ledger *ledger) {
    for (uint32_t i = 0; i < ledger->topic_count; i++) {
        if (!(record->topics >> i & 1))
            continue;
        check_told(record, ledger, i);
        check_counts(record, ledger, i);
    }
}

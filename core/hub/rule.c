/* rule: what topics keep, by their names, and since when they are durable.
 *
 *     rules of all owners --the longest pattern that matches--> keep, durable
 *     durable ones --> spans: [pattern, since]  <--> the store's file
 *
 * A topic that is durable lacks nothing in the store only if it always was. So each pattern has a
 * *span*: the id since which all events of its names were stored. It is in the store's file, and
 * goes on over restarts:
 *
 *     a new durable rule        since now; or since when a longer span that covers it began
 *     a rule in memory inside   a hole, span since 0; where it ends, the durable rule around it
 *     a durable one             begins again
 *     a rule that is not there  its span goes on: its app may be broken, or not loaded yet. Until
 *     any more                  an event of such a name comes, which ends it
 *
 * What comes in memory only must not come before the file says so: a server that is killed in
 * between would take a hole for none. So the event that ends a span still goes to the store, behind
 * the list without the span; once it is committed, the next ones are in memory.
 *
 * Under the hub's lock. It must not know what becomes of the events. */
#include "hub/rule.h"

#include "base/buf.h"
#include "base/mem.h"
#include "hub/lock.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

static struct rule *rules;
static size_t nrules;

static const struct topic_keep keep_default = {TOPIC_COUNT, TOPIC_AGE_MS, TOPIC_BYTES};

static bool matches(const struct rule *rule, struct str name) {
    struct str pattern = {rule->pattern, rule->len};
    return rule->prefix ? str_starts(name, pattern) : str_eq(name, pattern);
}

const struct rule *rule_find(struct str name) {
    const struct rule *best = NULL;
    for (size_t i = 0; i < nrules; i++) {
        bool longer = best == NULL || rules[i].len > best->len ||
                      (rules[i].len == best->len && !rules[i].prefix);
        if (longer && matches(&rules[i], name))
            best = &rules[i];
    }
    return best;
}

static void free_rule(struct rule *rule) {
    free(rule->owner);
    free(rule->pattern);
    free(rule->presence);
}

void rules_remove(const char *owner) {
    size_t kept = 0;
    for (size_t i = 0; i < nrules; i++) {
        if (owner && strcmp(rules[i].owner, owner) != 0)
            rules[kept++] = rules[i];
        else
            free_rule(&rules[i]);
    }
    nrules = kept;
}

/* The owner's of the same pattern, or a new one behind all others. */
static struct rule *place_for(const char *owner, struct str pattern) {
    for (size_t i = 0; i < nrules; i++) {
        struct str own = {rules[i].pattern, rules[i].len + rules[i].prefix};
        if (str_eq(own, pattern) && strcmp(rules[i].owner, owner) == 0) {
            free_rule(&rules[i]);
            return &rules[i];
        }
    }
    rules = mem_resize(rules, (nrules + 1) * sizeof *rules);
    return &rules[nrules++];
}

void rules_add(const char *owner, const struct topic_rule *given) {
    struct str pattern = given->pattern;
    bool prefix = pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*';
    struct rule *rule = place_for(owner, pattern);
    *rule = (struct rule){.owner = mem_strdup(owner),
                          .pattern = mem_copy(pattern.ptr, pattern.len),
                          .len = pattern.len - prefix,
                          .prefix = prefix,
                          .keep = given->keep,
                          .durable = given->durable,
                          .linger_ms = given->linger_ms};
    if (given->presence.ptr)
        rule->presence = mem_copy(given->presence.ptr, given->presence.len);
}

bool rule_presence(const struct topic *topic, struct presence_rule *out) {
    char text[NAME_MAX_BYTES];
    struct str name = name_str(topic->name, text);
    const struct rule *rule = rule_find(name);
    if (rule == NULL || rule->presence == NULL)
        return false;
    struct buf target = {0};
    size_t before = strcspn(rule->presence, "*");
    buf_append(&target, rule->presence, before);
    if (rule->presence[before] == '*')
        buf_append(&target, name.ptr + rule->len, name.len - rule->len);
    bool valid = name_is_valid(buf_str(&target)); /* it may be too long */
    if (valid)
        memcpy(out->target, target.data, target.len);
    out->target_len = target.len;
    out->linger_ms = rule->linger_ms;
    buf_fini(&target);
    return valid;
}

bool rules_any_of(const char *owner) {
    bool found = false;
    for (size_t i = 0; i < nrules; i++)
        found = found || strcmp(rules[i].owner, owner) == 0;
    return found;
}

/* --- since when --- */

/* One pattern, written as rules are: a "*" at the end makes it a prefix. */
struct span {
    char *text;
    size_t len;
    event_id since; /* 0: its names are in memory */
    bool in_force;  /* a rule says so now */
    bool ending;    /* the store's file is told that it does not go on */
};

static struct span *spans;
static size_t nspans;

static struct str text_of(const struct span *span) {
    return (struct str){span->text, span->len};
}

static bool is_prefix(struct str pattern) {
    return pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*';
}

static struct str body(struct str pattern) {
    pattern.len -= is_prefix(pattern);
    return pattern;
}

/* Whether all that `below` stands for, a name or a pattern, is of the span. */
static bool covers(const struct span *span, struct str below) {
    struct str pattern = text_of(span);
    return is_prefix(pattern) ? str_starts(body(below), body(pattern)) : str_eq(below, pattern);
}

/* The longest that covers a name or a pattern. */
static struct span *find_span(struct span *list, size_t n, struct str below) {
    struct span *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (covers(&list[i], below) && (best == NULL || list[i].len >= best->len))
            best = &list[i];
    return best;
}

static void add_span(struct str text, event_id since, bool in_force) {
    spans = mem_resize(spans, (nspans + 1) * sizeof *spans);
    spans[nspans++] = (struct span){.text = mem_copy(text.ptr, text.len),
                                    .len = text.len,
                                    .since = since,
                                    .in_force = in_force};
}

static void free_spans(struct span *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(list[i].text);
    free(list);
}

static struct str pattern_of(const struct rule *rule) {
    return (struct str){rule->pattern, rule->len + rule->prefix};
}

static bool is_below(struct str pattern, struct str above) {
    return is_prefix(above) && str_starts(pattern, body(above)) && !str_eq(pattern, above);
}

static bool is_ruled(struct str pattern) {
    for (size_t i = 0; i < nrules; i++)
        if (str_eq(pattern_of(&rules[i]), pattern))
            return true;
    return false;
}

static bool has_span(struct str pattern) {
    for (size_t i = 0; i < nspans; i++)
        if (str_eq(text_of(&spans[i]), pattern))
            return true;
    return false;
}

/* It has an id of its own, for who has read up to an event of another topic has not been told of
 * this; but for what is so from the start, which has that one. */
static event_id from_now(void) {
    return hub.last > hub.start ? hub_next_id() : hub.start;
}

/* A durable rule's, by the spans that held before. */
static event_id begin_of(struct str pattern, struct span *before, size_t n) {
    const struct span *span = find_span(before, n, pattern);
    if (span == NULL || span->since == 0)
        return from_now();
    for (size_t i = 0; i < n; i++) /* what was in memory and is not any more */
        if (before[i].since == 0 && is_below(text_of(&before[i]), pattern) &&
            !is_ruled(text_of(&before[i])))
            return from_now();
    return span->since;
}

/* Whether a durable rule stands around the pattern. */
static bool is_inside(struct str pattern) {
    for (size_t i = 0; i < nrules; i++)
        if (rules[i].durable && is_below(pattern, pattern_of(&rules[i])))
            return true;
    return false;
}

/* Whether a span whose rule is not there is to go on. */
static bool goes_on(const struct span *span) {
    return !has_span(text_of(span)) && (span->since > 0 || !is_inside(text_of(span)));
}

static void write_spans(void) {
    struct buf list = {0};
    for (size_t i = 0; i < nspans; i++)
        if (!spans[i].ending)
            stored_rule_add(&list, text_of(&spans[i]), spans[i].since);
    store_set_rules(hub.store, &list);
}

static bool same_spans(const struct span *before, size_t n) {
    bool same = n == nspans;
    for (size_t i = 0; same && i < n; i++)
        same = !before[i].ending && before[i].since == spans[i].since &&
               str_eq(text_of(&before[i]), text_of(&spans[i]));
    return same;
}

void rules_changed(void) {
    struct span *before = spans;
    size_t n = nspans;
    if (hub.store == NULL)
        return;
    spans = NULL;
    nspans = 0;
    for (size_t i = 0; i < nrules; i++) {
        if (rules[i].durable)
            add_span(pattern_of(&rules[i]), begin_of(pattern_of(&rules[i]), before, n), true);
        else if (is_inside(pattern_of(&rules[i])))
            add_span(pattern_of(&rules[i]), 0, true);
    }
    for (size_t i = 0; i < n; i++)
        if (goes_on(&before[i]))
            add_span(text_of(&before[i]), before[i].since, false);
    if (!same_spans(before, n))
        write_spans();
    free_spans(before, n);
}

void rules_load(struct str stored) {
    struct str pattern;
    uint64_t since;
    free_spans(spans, nspans);
    spans = NULL;
    nspans = 0;
    while (stored_rule_next(&stored, &pattern, &since))
        add_span(pattern, since, false);
}

event_id rule_durable_since(struct str name, bool prefix) {
    char text[NAME_MAX_BYTES + 1];
    memcpy(text, name.ptr, name.len);
    text[name.len] = '*';
    struct str pattern = {text, name.len + prefix};
    const struct span *span = find_span(spans, nspans, pattern);
    event_id since = span && span->since > 0 ? span->since : EVENT_ID_NONE;
    for (size_t i = 0; prefix && i < nspans && since < EVENT_ID_NONE; i++) {
        if (!is_below(text_of(&spans[i]), pattern))
            continue;
        if (spans[i].since == 0)
            since = EVENT_ID_NONE;
        else if (spans[i].since > since)
            since = spans[i].since;
    }
    return since;
}

/* The span that says of the name that it is durable, and that no rule is behind any more. */
static struct span *left_behind(struct str name) {
    struct span *span = find_span(spans, nspans, name);
    return span && span->since > 0 && !span->in_force ? span : NULL;
}

void rule_end_span(struct str name) {
    struct span *span = left_behind(name);
    if (span == NULL || span->ending)
        return;
    span->ending = true;
    write_spans();
}

void rule_span_ended(struct str name) {
    struct span *span = left_behind(name);
    if (span == NULL || !span->ending)
        return;
    free(span->text);
    *span = spans[--nspans];
    hub.rules_version++;
}

bool rules_any_durable(void) {
    bool durable = false;
    for (size_t i = 0; i < nrules; i++)
        durable = durable || rules[i].durable;
    for (size_t i = 0; i < nspans; i++)
        durable = durable || spans[i].since > 0;
    return durable;
}

void rule_apply(struct topic *topic) {
    char text[NAME_MAX_BYTES];
    struct str name = name_str(topic->name, text);
    const struct rule *best = rule_find(name);
    topic->keep = best ? best->keep : keep_default;
    topic->ruled = best != NULL;
    topic->durable = best && best->durable && hub.store;
    topic->ends_span = !topic->durable && hub.store && left_behind(name);
    topic->rules = hub.rules_version;
}

/* rule: what topics keep, by their names. For core/hub; apps set them with hub_set_rules. */
#ifndef HUB_RULE_H
#define HUB_RULE_H

#include "hub/name.h"
#include "hub/topic.h"

struct topic_rule {
    struct str pattern; /* a name, or a prefix and "*" */
    struct topic_keep keep;
    bool durable;
    struct str presence; /* the topic where its subscribers' coming and going is told, "*" for what
                            the pattern's own stood for; ptr NULL: nowhere */
    uint64_t linger_ms;  /* how long somebody may be away */
};

#define TOPIC_COUNT 1000
#define TOPIC_AGE_MS 3600000
#define TOPIC_BYTES (1024 * 1024)

/* All under the hub's lock. */

struct rule {
    char *owner;
    char *pattern;
    size_t len; /* without the "*" */
    bool prefix;
    struct topic_keep keep;
    bool durable;
    char *presence; /* NULL: none */
    uint64_t linger_ms;
};

/* The one that holds for the name; NULL: none does. */
const struct rule *rule_find(struct str name);
/* Where the coming and going of a topic's subscribers is told. */
struct presence_rule {
    char target[NAME_MAX_BYTES];
    size_t target_len;
    uint64_t linger_ms;
};
/* False: nowhere. */
bool rule_presence(const struct topic *topic, struct presence_rule *out);
/* Sets `keep`, `durable`, `ends_span` and `ruled` of a topic, when rules have changed. */
void rule_apply(struct topic *topic);
bool rules_any_durable(void);
/* Whether it has given any. */
bool rules_any_of(const char *owner);
/* Takes away the owner's, NULL: everybody's. */
void rules_remove(const char *owner);
/* In place of the owner's one of the same pattern. */
void rules_add(const char *owner, const struct topic_rule *given);
/* Behind the last change: since when what is durable is so. */
void rules_changed(void);

/* The id from which on all events of the name went to the store, whatever servers wrote to it;
 * EVENT_ID_NONE: not so. Without its last byte being read for a `prefix`: of all names that begin
 * so. */
event_id rule_durable_since(struct str name, bool prefix);
/* Queues, before the store's next event of that name, of a topic that `ends_span`, that the name's
 * span ends with it. */
void rule_end_span(struct str name);
/* That event has been committed. */
void rule_span_ended(struct str name);
/* At the start: what the store's file says. */
void rules_load(struct str stored);

#endif

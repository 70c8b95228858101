/* hub: all topics of the process, and what they keep. */
#ifndef HUB_HUB_H
#define HUB_HUB_H

#include "hub/lock.h"
#include "hub/rule.h"

/* --- what topics keep --- */

/* Replaces the rules that `owner` has given before; copied. Of all owners' rules the one with the
 * longest pattern holds for a topic. */
void hub_set_rules(const char *owner, const struct topic_rule *rules, size_t n);
/* Adds to them; one of the same pattern takes the older one's place. */
void hub_add_rules(const char *owner, const struct topic_rule *rules, size_t n);
/* Whether it has given any. */
bool hub_has_rules(const char *owner);
/* Whether events of the topic outlive the process; costs nothing where no rule says so. */
bool hub_is_durable(struct str name);
/* What all topics may take together, bytes. */
void hub_set_memory(uint64_t bytes);

/* Events of durable topics go there, and come from there. Before the first topic. */
void hub_use_store(struct store *store);

/* --- seeing inside --- */

void hub_totals(struct hub_counters *totals);
/* How long those took that are not done at once: to durable topics, and with `wait`. */
void hub_waits(struct histogram *waits);
/* So many bytes of an event about to be published were no UTF-8. */
void hub_count_replaced(uint64_t n);

/* Trims what has become too old; for readers, about once a second. False: no topic is left. */
bool hub_tick(void);

/* For tests: forgets the topics without subscribers, and the rules. */
void hub_clear(void);

/* --- for core/hub and core/read: everything below needs the lock --- */

/* The topic of that name, made if need be. */
struct topic *hub_topic(struct str name);
/* Frees it if nobody refers to it and it keeps nothing. */
void hub_release_topic(struct topic *topic);
/* An entry was appended, or the topic closed: watches its age and the memory of all. */
void hub_appended(struct topic *topic);
/* Keeps what a reader has counted that goes. */
void hub_retire(const struct hub_counters *counters);
/* Up to here events of the topic may be nowhere, neither in memory nor in the store: who has read
 * up to `after` only has missed something, for that reason. */
event_id hub_floor(const struct topic *topic, event_id after, uint8_t *reason);
/* For a prefix: the newest id that a topic below it may have had which is gone since. Resuming
 * below that id is told as a gap. */
event_id hub_floor_below(struct str prefix, event_id after, uint8_t *reason);
/* Nothing comes any more: it is closed, from this id on. */
void hub_ended(struct topic *topic, event_id id);
/* The store has committed an event of it. */
void hub_stored(struct topic *topic, event_id id);
/* The topic has been read just now. */
void hub_topic_read(struct topic *topic);

#endif

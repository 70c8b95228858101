/* topic: an append-only log of events, ready to be sent. */
#ifndef HUB_TOPIC_H
#define HUB_TOPIC_H

#include "base/map.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "hub/crowd.h"
#include "hub/trail.h"
#include "proto/chunked.h"
#include "proto/event_id.h"

struct name;

enum gap_reason { GAP_TRIMMED, GAP_EXPIRED, GAP_RESTART, GAP_UNKNOWN, GAP_OVERFLOW };

/* What a topic keeps: whichever limit is reached first. */
struct topic_keep {
    uint64_t count; /* at least 1 */
    uint64_t age_ms;
    uint64_t bytes; /* as sent; the newest event stays whatever its size */
};

struct entry {
    event_id id;
    struct slab *slab;
    uint32_t off, len; /* in the slab: a chunk of HTTP/1.1, its size line and last CRLF included */
    uint64_t at;       /* the bytes of all entries before it */
    uint64_t born;   /* when it was appended, monotonic ms: the id's time may have been set back */
    struct key *key; /* NULL: none */
    uint32_t superseded; /* so far on the next entry has the same key; 0: none has */
};

/* Entries have ordinals: the n-th event ever appended has n - 1. */
struct topic {
    struct name *name;
    struct entry *ring; /* `ring_cap` of them, a power of 2; an entry stands at its ordinal modulo
                           that */
    uint32_t ring_cap;
    uint32_t number;      /* its number in the order of all events, see order.c */
    event_id since;       /* the order's events up to here are another topic's of that number */
    uint64_t first, next; /* ordinals of the oldest entry kept, and of the next one to come */
    uint64_t end;         /* bytes ever appended */
    struct slab *tail;    /* the slab of the newest entry */
    event_id floor; /* the newest id that memory lacks: who resumes below it has missed some */
    uint8_t floor_reason; /* enum gap_reason: why it lacks that */
    /* One more than the ordinal of the newest entry trimmed that nothing had superseded, */
    uint64_t trimmed;
    uint64_t trimmed_superseded; /* and of the newest trimmed that a later one had */
    uint64_t trimmed_when;       /* hub.trims when its last entry was trimmed */
    bool is_filed;               /* `unread` stands in hub.unread, not in hub.empty */
    bool durable;
    bool stored;          /* the store has, or had, events of it */
    event_id stored_last; /* the newest event that the store has, or had */
    event_id unstored;    /* the newest event before `stored_last` that came to memory alone */
    event_id before;      /* the newest event that the store had before memory had any; 0: none */
    event_id gone;        /* what went with the topic before it was made again, or left the store */
    event_id ended;       /* the id of its end: it is closed, no event comes any more; 0: open */
    uint64_t ended_at;    /* when it was closed, monotonic ms; 0: before the start */
    bool closing;         /* its end is being committed */
    bool ruled;           /* a rule says what it keeps */
    bool ends_span;       /* durable until an event has told the store that it is not any more */
    uint32_t committing;  /* events of it that the store has yet to commit */
    unsigned rules;       /* the hub's, when `keep` and `durable` were last looked up */
    uint32_t holds;       /* positions and waiting publishers that refer to it */
    struct topic_keep keep;
    struct trail trail; /* what was trimmed last */
    struct map keys;    /* struct key, of the entries kept */
    struct crowd crowd; /* subscribers by exactly this name */
    struct list feeds;  /* struct feed: the workers that are told of news */
    struct list unread; /* in hub.unread, or hub.empty */
    struct timer age;   /* on the hub's wheel: the oldest entry, or the topic itself, may go */
    atomic_uint_fast64_t *total; /* where the hub counts what all topics take */
};

/* An empty log. `total` counts its memory. */
struct topic *topic_new(struct name *name, event_id floor, enum gap_reason reason,
                        atomic_uint_fast64_t *total);
/* Entries go with it; nobody may refer to it any more. */
void topic_free(struct topic *topic);
/* An event as it is kept: the chunk, its fields, its id line, the empty line. */
#define ENTRY_OVERHEAD (CHUNK_HEAD_MAX + EVENT_ID_TEXT + 8)
/* Writes that; `out` has room for the text and ENTRY_OVERHEAD. Returns its length. */
size_t entry_put(char *out, event_id id, struct str text);
/* Adds an event: `text` is its SSE form without the id line, up to and with the empty line. Then
 * trims to what the topic keeps. `now_ms` is monotonic. */
void topic_append(struct topic *topic, event_id id, struct str text, struct str key,
                  uint64_t now_ms);
/* first <= ordinal < next. Valid until the next append. */
struct entry *topic_entry(const struct topic *topic, uint64_t ordinal);
/* The ordinal of the first entry beyond `id`; topic->next when there is none. */
uint64_t topic_after(const struct topic *topic, event_id id);
/* The same of all events that ever came, those that were trimmed included. False: not known. */
bool topic_after_any(const struct topic *topic, event_id id, uint64_t *ordinal);
/* How many of its events, trimmed or not, are beyond `after` and not beyond `upto`; -1: not known.
 */
int64_t topic_count(const struct topic *topic, event_id after, event_id upto);
/* Whether a newer entry has the key of that one, and is not beyond `end`; 0: anywhere. */
bool topic_is_superseded(const struct topic *topic, uint64_t ordinal, event_id end);
/* The id of the entry before `ordinal`; 0: there was none, or nobody knows. */
event_id topic_id_before(const struct topic *topic, uint64_t ordinal);
/* The newest event that memory lacks and the store has, or had; 0: none. */
event_id topic_lacks(const struct topic *topic);
/* The id of the newest entry, or the floor when none is kept. */
event_id topic_last_id(const struct topic *topic);
/* Drops the entries before `ordinal`. */
void topic_trim(struct topic *topic, uint64_t ordinal);
/* Drops what is older than the topic keeps at `now_ms`. */
void topic_trim_age(struct topic *topic, uint64_t now_ms);
static inline bool topic_is_empty(const struct topic *topic) {
    return topic->first == topic->next;
}
/* The topic's address as the key of a map. */
static inline struct str topic_key(const struct topic *const *topic) {
    return (struct str){(const char *)topic, sizeof *topic};
}
/* What an entry has as an SSE event, without the chunk around it. Valid as long as its slab. */
struct str entry_text(const struct entry *entry);
struct str entry_key(const struct entry *entry); /* ptr NULL: none */
/* The id of the oldest entry with that key; 0: it keeps none. */
event_id topic_oldest_of(const struct topic *topic, struct str key);

#endif

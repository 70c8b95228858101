/* history: what a topic keeps, read once.
 *
 * A copy, so that whoever asked can make of it what it likes without the hub's lock. */
#include "hub/history.h"

#include "hub/hub.h"

#include <string.h>

struct record {
    uint32_t text, key; /* lengths; what they measure follows */
    bool has_key;
};

static void add(struct history *history, const struct entry *entry) {
    struct str text = entry_text(entry), key = entry_key(entry);
    struct record record = {(uint32_t)text.len, (uint32_t)key.len, key.ptr != NULL};
    buf_append(&history->records, &record, sizeof record);
    buf_add(&history->records, text);
    buf_add(&history->records, key);
    history->count++;
}

static struct topic *find_topic(struct str text) {
    struct name *name = name_find(hub.names, text);
    return name ? name->topic : NULL;
}

void history_read(struct history *history, struct str name) {
    hub_lock();
    struct topic *topic = find_topic(name);
    if (topic) {
        uint64_t first = history->from_id ? topic_after(topic, history->after) : topic->first;
        uint64_t end = topic_after(topic, history->before - 1);
        uint64_t n = end > first ? end - first : 0;
        history->more = n > history->limit;
        if (history->more && history->from_id)
            end = first + history->limit;
        else if (history->more)
            first = end - history->limit;
        for (uint64_t at = first; at < end; at++)
            add(history, topic_entry(topic, at));
        hub_topic_read(topic);
    }
    hub_unlock();
}

bool history_next(struct str *records, struct str *text, struct str *key) {
    if (records->len == 0)
        return false;
    struct record record;
    memcpy(&record, records->ptr, sizeof record);
    const char *at = records->ptr + sizeof record;
    *text = (struct str){at, record.text};
    *key = (struct str){record.has_key ? at + record.text : NULL, record.key};
    size_t used = sizeof record + record.text + record.key;
    records->ptr += used;
    records->len -= used;
    return true;
}

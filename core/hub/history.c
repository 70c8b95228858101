/* history: what a topic keeps, read once.
 *
 * A copy, so that whoever asked can make of it what it likes without the hub's lock. What a durable
 * topic does not have in memory is fetched from the store, all of it, page by page. */
#include "hub/history.h"

#include "hub/hub.h"
#include "hub/reader.h"

#include <string.h>

struct record {
    uint32_t text, key; /* lengths; what they measure follows */
    bool has_key;
};

static void add(struct history *history, struct str text, struct str key) {
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

/* Whether the store has events that the topic does not have, and that are asked for: `n` are there.
 */
static bool is_stored(const struct topic *topic, const struct history *history, uint64_t n) {
    if (!history->from_id && n > history->limit) /* the newest ones are */
        return false;
    event_id after = history->from_id ? history->after : 0;
    return topic->stored && after < topic->floor && topic->stored_last > after;
}

bool history_read(struct history *history, struct str name) {
    hub_lock();
    struct topic *topic = find_topic(name);
    if (topic) {
        uint64_t first = history->from_id ? topic_after(topic, history->after) : topic->first;
        uint64_t end = history->before > 0 ? topic_after(topic, history->before - 1) : first;
        uint64_t n = end > first ? end - first : 0;
        history->closed = topic->ended > 0;
        if (is_stored(topic, history, n)) {
            hub_unlock();
            return false;
        }
        history->more = n > history->limit;
        if (history->more && history->from_id)
            end = first + history->limit;
        else if (history->more)
            first = end - history->limit;
        for (uint64_t at = first; at < end; at++)
            add(history, entry_text(topic_entry(topic, at)), entry_key(topic_entry(topic, at)));
        hub_topic_read(topic);
    }
    hub_unlock();
    return true;
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

/* --- from the store --- */

#define PAGE_BYTES (256 * 1024)

static void on_page(struct page *page) {
    struct fetch *fetch = page->arg;
    struct reader *reader = fetch->reader;
    hub_lock();
    loop_post(reader->loop, &fetch->mail); /* from here on it may be gone */
    reader->outstanding--;
    pthread_cond_broadcast(&hub.done);
    hub_unlock();
}

static void ask(struct fetch *fetch) {
    hub_lock();
    fetch->reader->outstanding++;
    hub_unlock();
    store_read(hub.store, &fetch->page);
}

/* Of the newest ones, those that came first have to go. */
static void keep_newest(struct history *history) {
    struct str records = buf_str(&history->records), text, key;
    for (; history->count > history->limit; history->count--) {
        history_next(&records, &text, &key);
        history->more = true;
    }
    buf_drop(&history->records, history->records.len - records.len);
}

static void take_page(struct fetch *fetch) {
    struct history *history = &fetch->history;
    for (size_t i = 0; i < fetch->page.count; i++) {
        if (history->from_id && history->count == history->limit) {
            history->more = true;
            return;
        }
        char id[EVENT_ID_TEXT];
        struct buf text = {0};
        struct str stored = page_text(&fetch->page, i);
        event_id_format(fetch->page.entries[i].id, id);
        buf_append(&text, stored.ptr, stored.len - 1);
        buf_printf(&text, "id: %s\n\n", id);
        struct str key = page_key(&fetch->page, i);
        add(history, buf_str(&text), key.len > 0 ? key : (struct str){NULL, 0});
        buf_fini(&text);
    }
    if (!history->from_id)
        keep_newest(history);
}

static void on_mail(struct mail *mail) {
    struct fetch *fetch = CONTAINER_OF(mail, struct fetch, mail);
    struct page *page = &fetch->page;
    if (page->error == 0)
        take_page(fetch);
    if (page->error == 0 && page->more && !(fetch->history.from_id && fetch->history.more) &&
        fetch->owner) {
        page->after = page->entries[page->count - 1].id;
        ask(fetch);
        return;
    }
    page_fini(page);
    fetch->done(fetch, page->error ? UV_EIO : 0);
}

void history_fetch(struct fetch *fetch, struct reader *reader, struct str topic) {
    memcpy(fetch->text, topic.ptr, topic.len);
    fetch->topic = (struct str){fetch->text, topic.len};
    fetch->reader = reader;
    fetch->mail.run = on_mail;
    fetch->page = (struct page){.topics = &fetch->topic,
                                .ntopics = 1,
                                .after = fetch->history.from_id ? fetch->history.after : 0,
                                .upto = fetch->history.before > 0 ? fetch->history.before - 1 : 0,
                                .bytes_max = PAGE_BYTES,
                                .done = on_page,
                                .arg = fetch};
    ask(fetch);
}

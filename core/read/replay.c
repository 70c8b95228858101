/* replay: what a position must read from the store before it reads its topics.
 *
 *     store:   1 2 3 4 5 6 7 8|            pages, in order of ids over all its durable topics
 *     memory:            6 7 8 9 10        from `upto` on the topic has its events itself
 *
 * Which topics, and up to where, is settled in the same step under the hub's lock in which the
 * position joins the topics' memory, so nothing is missed and nothing comes twice. The store's
 * thread fills a page at a time, which becomes a slab of chunks like a topic's own, and one more
 * source of spans. Beyond what a page has covered its position reads nothing.
 *
 * Belongs to its position. If that goes while the store has the page, whoever finishes with the
 * page frees the replay. */
#include "read/replay.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "hub/hub.h"
#include "hub/publication.h"
#include "read/position.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES (128 * 1024)

/* --- pages --- */

static void append_entry(struct replay *replay, size_t i) {
    const struct page_entry *entry = &replay->page.entries[i];
    bool was_told = replay->alone && entry->id <= replay->untold; /* the store has yet to trim it */
    if (was_told || entry->id > replay->topics[entry->topic].upto)
        return;
    struct slab *slab = replay->slab;
    struct str text = page_text(&replay->page, i);
    size_t n = entry_put(slab->data + slab->len, entry->id, text);
    replay->entries[replay->count++] = (struct replay_entry){
        .id = entry->id, .off = slab->len, .len = (uint32_t)n, .page = (uint32_t)i};
    slab->len += (uint32_t)n;
}

static void note_own_gap(struct replay *replay, enum gap_reason reason, event_id id, int64_t lost) {
    event_id end = replay->position->end;
    bool known = lost >= 0 && (end == 0 || id <= end);
    if (replay->gap_id == 0)
        replay->gap_lost = 0;
    replay->gap_lost = known && replay->gap_lost >= 0 ? replay->gap_lost + lost : -1;
    replay->gap_id = end > 0 && id > end ? end : id;
    replay->gap_reason = (uint8_t)reason;
}

/* Something is missing. Who begins with the earliest there is misses only what goes from then on.
 */
static void note_gap(struct replay *replay, event_id id, int64_t lost) {
    if (id <= replay->untold || lost == 0)
        return;
    if (replay->alone)
        note_own_gap(replay, GAP_TRIMMED, id, lost);
    else if (replay->tell || replay->begun)
        position_note_gap(replay->position, GAP_TRIMMED, id, lost);
    else
        replay->untold = id;
}

/* How many that are, of what was not told yet. */
static int64_t count_trimmed(const struct replay *replay, size_t i, event_id upto) {
    const struct name *name = name_find(hub.names, replay->names[i]);
    event_id after = replay->page.after > replay->untold ? replay->page.after : replay->untold;
    if (name == NULL || name->topic == NULL || replay->newest)
        return -1;
    return topic_count(name->topic, after, upto);
}

/* What the store has trimmed by now, of what was to come from it. */
static void tell_trimmed(struct replay *replay) {
    for (size_t i = 0; i < replay->ntopics; i++) {
        const struct replay_topic *topic = &replay->topics[i];
        event_id floor = replay->page.floors[i];
        if (floor > topic->last)
            floor = topic->last;
        if (topic->upto > 0 && floor > replay->page.after)
            note_gap(replay, floor, count_trimmed(replay, i, floor));
    }
}

static void take_page(struct replay *replay) {
    const struct page *page = &replay->page;
    size_t room = page->count * ENTRY_OVERHEAD + page->bytes.len;
    replay->slab = slab_new((uint32_t)room, &hub.memory);
    replay->entries = mem_resize(replay->entries, page->count * sizeof *replay->entries);
    for (size_t i = 0; i < page->count; i++)
        append_entry(replay, i);
    replay->over = !page->more;
    replay->covered = page->more ? page->reached : EVENT_ID_NONE;
    tell_trimmed(replay);
    replay->begun = true;
}

static void give_up(struct replay *replay, int error) {
    static struct log_kind failures = LOG_KIND("history");
    if (log_admits(&failures, LOG_ERROR))
        log_error("history cannot be read from the store: %s", uv_strerror(error));
    position_note_gap(replay->position, GAP_UNKNOWN, replay->page.upto, -1);
    replay->over = true;
    replay->covered = EVENT_ID_NONE;
}

static void drop(struct replay *replay) {
    page_fini(&replay->page);
    slab_unref(replay->slab);
    free(replay->entries);
    for (size_t i = 0; i < replay->ntopics; i++)
        free((char *)replay->names[i].ptr);
    free(replay->names);
    free(replay->newest);
    free(replay->topics);
    free(replay);
}

/* On the position's loop. */
static void on_mail(struct mail *mail) {
    struct replay *replay = CONTAINER_OF(mail, struct replay, mail);
    hub_lock();
    replay->asked = false;
    if (replay->page.error)
        give_up(replay, replay->page.error);
    else
        take_page(replay);
    hub_unlock();
    position_serve(replay->position);
}

/* On the store's thread. */
static void on_page(struct page *page) {
    struct replay *replay = page->arg;
    hub_lock();
    if (replay->left) {
        drop(replay);
        hub_unlock();
        return;
    }
    replay->arrived = true;
    loop_post(replay->position->reader->loop, &replay->mail);
    hub_unlock();
}

/* Up to where newer events count: what memory has now counts too, for it may give that up before it
 * is read; who ends later does so behind it. */
static event_id known_to(const struct position *position) {
    event_id visible = publications_visible();
    return position->end > 0 && position->end < visible ? position->end : visible;
}

static void ask(struct replay *replay) {
    MUST(hub_is_locked());
    MUST(!replay->asked && !replay->over);
    struct page *page = &replay->page;
    event_id end = replay->position->end;
    slab_unref(replay->slab);
    replay->slab = NULL;
    replay->count = replay->at = 0;
    page->after = replay->covered;
    if (end > 0 && end < page->upto) /* what lies beyond is not for it, nor supersedes what does */
        page->upto = end;
    if (policy_conflates(&replay->position->policy) && page->conflate == 0)
        page->conflate = known_to(replay->position);
    page->topics = replay->names;
    page->newest = replay->newest;
    page->ntopics = replay->ntopics;
    page->bytes_max = PAGE_BYTES;
    page->done = on_page;
    page->arg = replay;
    replay->asked = true;
    replay->arrived = false;
    store_read(hub.store, page);
}

/* Whether the topic itself has a newer one of the same key; for who ends, up to there. What the
 * store had when the replay began has been asked by it. */
static bool is_superseded(const struct replay *replay, const struct replay_entry *entry) {
    struct str key = page_key(&replay->page, entry->page);
    if (replay->page.conflate == 0 || key.len == 0)
        return false;
    const struct name *found =
        name_find(hub.names, replay->names[replay->page.entries[entry->page].topic]);
    event_id newer = found && found->topic ? topic_oldest_of(found->topic, key) : 0;
    event_id end = replay->position->end;
    return newer > entry->id && (end == 0 || newer <= end);
}

bool replay_skips(const struct replay *replay, uint64_t entry) {
    const struct replay_entry *at = &replay->entries[entry];
    return replay->topics[replay->page.entries[at->page].topic].upto == 0 ||
           is_superseded(replay, at);
}

bool replay_advance(struct replay *replay) {
    while (replay->at < replay->count && replay_skips(replay, replay->at))
        replay->at++;
    if (replay->asked || replay->at < replay->count)
        return true;
    if (replay->over)
        return replay->gap_id > 0;
    ask(replay);
    return true;
}

/* --- life --- */

static struct replay *make(struct position *position, const struct replay_start *start) {
    struct replay *replay = mem_zalloc(sizeof *replay);
    replay->position = position;
    replay->tell = start->tell;
    replay->alone = start->alone;
    replay->after = replay->covered = start->after;
    replay->mail.run = on_mail;
    list_push(&position->replays, &replay->link);
    return replay;
}

static bool has_begun(const struct replay *replay) {
    return replay->asked || replay->begun || replay->over;
}

/* One that begins there and has not begun: topics chosen together are read together. */
static struct replay *find(struct position *position, const struct replay_start *start) {
    if (list_empty(&position->replays) || start->alone)
        return NULL;
    struct replay *last = CONTAINER_OF(position->replays.prev, struct replay, link);
    bool same = last->after == start->after && last->tell == start->tell &&
                (last->newest != NULL) == (start->newest > 0);
    return same && !last->alone && !has_begun(last) ? last : NULL;
}

/* Whether it has what is wanted of its i-th topic, or more. Who is content with the newest ones
 * takes nothing from who wanted all. */
static bool suffices(const struct replay *replay, size_t i, const struct replay_start *start) {
    if (has_begun(replay))
        return true;
    if (replay->newest)
        return start->newest > 0 && start->newest <= replay->newest[i].count;
    return start->newest > 0 || replay->after <= start->after;
}

bool replay_has(struct position *position, struct str name, const struct replay_start *start) {
    for (struct list *at = position->replays.next; at != &position->replays; at = at->next) {
        struct replay *replay = CONTAINER_OF(at, struct replay, link);
        for (size_t i = 0; i < replay->ntopics; i++) {
            struct replay_topic *topic = &replay->topics[i];
            if (topic->upto == 0 || !str_eq(topic->name, name))
                continue;
            if (suffices(replay, i, start))
                return true;
            topic->upto = 0; /* it is to begin earlier */
        }
    }
    return false;
}

static bool is_of(const struct topic *topic, struct str name) {
    const struct name *found = name_find(hub.names, name);
    return found && found->topic == topic;
}

static bool brings(const struct replay *replay, const struct topic *topic, event_id id) {
    for (size_t i = 0; i < replay->ntopics; i++)
        if (replay->topics[i].upto >= id && is_of(topic, replay->names[i]))
            return true;
    return false;
}

bool replay_brings(const struct position *position, const struct topic *topic, event_id id) {
    for (struct list *at = position->replays.next; at != &position->replays; at = at->next)
        if (brings(CONTAINER_OF(at, struct replay, link), topic, id))
            return true;
    return false;
}

static void want_newest(struct replay *replay, size_t i, uint64_t count, event_id upto) {
    replay->newest = mem_resize(replay->newest, (i + 1) * sizeof *replay->newest);
    replay->newest[i] = (struct page_newest){.count = count, .upto = upto};
}

void replay_add(struct position *position, struct topic *topic, const struct replay_start *start) {
    MUST(hub_is_locked());
    struct replay *replay = find(position, start);
    if (replay == NULL)
        replay = make(position, start);
    if (start->told > replay->untold)
        replay->untold = start->told;
    char text[NAME_MAX_BYTES];
    size_t n = replay->ntopics++, len = name_text(topic->name, text);
    replay->names = mem_resize(replay->names, replay->ntopics * sizeof *replay->names);
    replay->topics = mem_resize(replay->topics, replay->ntopics * sizeof *replay->topics);
    replay->names[n] = (struct str){mem_copy(text, len), len};
    replay->topics[n] = (struct replay_topic){replay->names[n], topic->floor, topic_lacks(topic)};
    if (start->newest > 0)
        want_newest(replay, n, start->newest, topic->floor);
    if (topic->floor > replay->page.upto)
        replay->page.upto = topic->floor;
    if (start->alone && start->told > 0)
        note_own_gap(replay, start->reason, start->told, start->lost);
}

static bool is_chosen(const struct position *position, struct str name) {
    const struct name *found = name_find(hub.names, name);
    return found && found->topic && position_covers(position, found->topic);
}

void replay_leave(struct position *position, struct str name, bool prefix) {
    for (struct list *at = position->replays.next; at != &position->replays; at = at->next) {
        struct replay *replay = CONTAINER_OF(at, struct replay, link);
        for (size_t i = 0; i < replay->ntopics; i++) {
            struct replay_topic *topic = &replay->topics[i];
            bool left = prefix ? str_starts(topic->name, name) : str_eq(topic->name, name);
            if (!left || is_chosen(position, topic->name))
                continue;
            topic->upto = 0;
            replay->gap_id = replay->alone ? 0 : replay->gap_id;
        }
    }
}

void replay_free(struct replay *replay) {
    MUST(hub_is_locked());
    list_remove(&replay->link);
    loop_retract(replay->position->reader->loop, &replay->mail);
    replay->left = replay->asked && !replay->arrived;
    if (replay->left)
        store_page_cancel(hub.store, &replay->page);
    else
        drop(replay);
}

bool replay_origin(const struct replay *replay, size_t entry, struct buf *name, struct buf *key) {
    size_t i = replay->entries[entry].page;
    struct str found = page_key(&replay->page, i);
    buf_add(name, replay->names[replay->page.entries[i].topic]);
    buf_add(key, found);
    return found.len > 0;
}

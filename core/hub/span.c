/* span: what a position can be sent next.
 *
 *     read:     heap of topics, smallest id first --> pieces [slab a: 3 entries][gap][slab b: 1]
 *     advance:  so many bytes were taken --> the position moves behind the entries they touched
 *
 * Pieces are runs of memory in the topics' slabs, so a span is what writev takes. It holds its
 * slabs, and needs no lock while it is sent. Positions of one topic that stand at the same place
 * are answered by the same span, which is why one event to ten thousand subscribers is read once.
 *
 * Entries carry their chunk lines, so where one ends can be told from the bytes alone: that is how
 * a half sent entry is completed.
 *
 * A reader keeps one and uses it again and again. It must not know of sockets. */
#include "hub/span.h"

#include "base/mem.h"
#include "hub/hub.h"
#include "hub/publication.h"
#include "hub/reader.h"
#include "hub/replay.h"
#include "proto/chunked.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one topic, what comes next; of a replay; or, without either, a gap of the position. */
struct head {
    struct interest *interest;
    struct replay *replay;
    uint64_t next;
    event_id id;
    bool gap;
};

static bool conflates(const struct position *position) {
    return position->overflow == OVERFLOW_CONFLATE;
}

/* --- the heap --- */

struct heads {
    struct head *at;
    size_t count;
};

static void sift_down(struct heads *heads, size_t i) {
    struct head moved = heads->at[i];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < heads->count && heads->at[child + 1].id < heads->at[child].id)
            child++;
        if (child >= heads->count || moved.id <= heads->at[child].id)
            break;
        heads->at[i] = heads->at[child];
        i = child;
    }
    heads->at[i] = moved;
}

static void make_heap(struct heads *heads) {
    for (size_t i = heads->count / 2; i-- > 0;)
        sift_down(heads, i);
}

/* Finds the entry that is to be read next, from head->next on; false: there is none. */
static bool find_entry(struct head *head, bool skips) {
    const struct interest *interest = head->interest;
    const struct topic *topic = interest->topic;
    head->gap = false;
    for (; head->next < topic->next; head->next++) {
        const struct entry *entry = topic_entry(topic, head->next);
        head->id = entry->id;
        if (entry->id > interest->after && !(skips && entry->superseded))
            return true;
    }
    return false;
}

/* What comes first of an interest: a gap if something is missing, else an entry. */
static bool find_first(struct head *head, struct interest *interest, bool skips) {
    const struct topic *topic = interest->topic;
    *head = (struct head){.interest = interest, .next = interest->next};
    uint64_t gone = skips ? topic->trimmed : topic->first; /* what is superseded is not missed */
    bool missing = head->next < gone && topic->floor > interest->after;
    if (!interest->gap && !missing) {
        if (head->next < topic->first)
            head->next = topic->first;
        return find_entry(head, skips);
    }
    head->gap = true;
    head->id = topic->floor;
    return true;
}

/* The same of a replay. */
static bool find_replayed(struct head *head) {
    while (head->next < head->replay->count && replay_skips(head->replay, head->next))
        head->next++;
    if (head->next >= head->replay->count)
        return false;
    head->id = head->replay->entries[head->next].id;
    return true;
}

static bool find_next(struct head *head, bool skips) {
    if (head->replay)
        return find_replayed(head);
    return head->interest && find_entry(head, skips);
}

/* Goes behind what is at the top. */
static void pass(struct heads *heads, bool skips) {
    struct head *top = &heads->at[0];
    if (top->gap && top->interest && top->next < top->interest->topic->first)
        top->next = top->interest->topic->first;
    else if (!top->gap)
        top->next++;
    if (!find_next(top, skips))
        heads->at[0] = heads->at[--heads->count];
    if (heads->count > 1)
        sift_down(heads, 0);
}

/* --- what a position has to read --- */

static void add_head(struct reader *reader, struct heads *heads, const struct head *head) {
    if (heads->count == reader->heads_cap) {
        reader->heads_cap = reader->heads_cap ? reader->heads_cap * 2 : 8;
        reader->heads = mem_resize(reader->heads, reader->heads_cap * sizeof *reader->heads);
        heads->at = reader->heads;
    }
    heads->at[heads->count++] = *head;
}

/* All read: nothing is remembered of it. */
static void forget(struct interest *interest) {
    interest->next = interest->topic->next; /* what is left there is skipped for good */
    position_read_up(interest);
}

static void gather_news(struct position *position, struct heads *heads) {
    struct list *next;
    struct head head;
    for (struct list *at = position->news.next; at != &position->news; at = next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_news);
        next = at->next;
        if (find_first(&head, interest, conflates(position)))
            add_head(position->reader, heads, &head);
        else
            forget(interest);
    }
}

static void gather_replays(struct position *position, struct heads *heads) {
    struct list *next;
    for (struct list *at = position->replays.next; at != &position->replays; at = next) {
        struct replay *replay = CONTAINER_OF(at, struct replay, link);
        next = at->next;
        if (!replay_advance(replay)) {
            replay_free(replay);
            continue;
        }
        struct head head = {.replay = replay, .next = replay->at};
        if (find_replayed(&head))
            add_head(position->reader, heads, &head);
    }
}

static struct heads gather(struct position *position) {
    struct reader *reader = position->reader;
    struct heads heads = {reader->heads, 0};
    struct head head;
    gather_replays(position, &heads);
    if (!position_is_single(position))
        gather_news(position, &heads);
    else if (find_first(&head, &position->only, conflates(position)))
        add_head(reader, &heads, &head);
    else
        position->only.next = position->only.topic->next;
    if (position->gap_id > 0) {
        head = (struct head){.id = position->gap_id, .gap = true};
        add_head(reader, &heads, &head);
    }
    make_heap(&heads);
    return heads;
}

/* Nothing beyond it can be read in order: other topics' news may not have been told, or not be
 * visible yet, or still be in the store. */
static event_id bound_of(const struct position *position) {
    if (position_is_single(position))
        return EVENT_ID_NONE;
    event_id settled = position->reader->settled;
    event_id bound = settled > position->known ? settled : position->known;
    for (struct list *at = position->replays.next; at != &position->replays; at = at->next) {
        const struct replay *replay = CONTAINER_OF(at, struct replay, link);
        if (replay->covered < bound)
            bound = replay->covered;
    }
    return bound;
}

/* --- policies --- */

struct lag {
    uint64_t events, bytes;
};

static void add_lag(struct lag *lag, const struct interest *interest) {
    const struct topic *topic = interest->topic;
    uint64_t from = interest->next > interest->mark ? interest->next : interest->mark;
    lag->events += topic->next - from;
    if (from < topic->first)
        from = topic->first;
    if (from < topic->next)
        lag->bytes += topic->end - topic_entry(topic, from)->at;
}

/* What has come since the position was last up to date and is not read. */
static struct lag lag_of(const struct position *position) {
    struct lag lag = {0, 0};
    if (position_is_single(position))
        add_lag(&lag, &position->only);
    else
        for (struct list *at = position->news.next; at != &position->news; at = at->next)
            add_lag(&lag, CONTAINER_OF(at, struct interest, in_news));
    return lag;
}

static bool exceeds(const struct position *position, struct lag lag) {
    return lag.events > position->limit.events || lag.bytes > position->limit.bytes;
}

bool position_is_over(struct position *position) {
    hub_lock();
    bool over = exceeds(position, lag_of(position));
    hub_unlock();
    return over;
}

/* A gap that would have been told is part of the one that will be. */
static void drop_gap(struct position *position, const struct head *top) {
    struct interest *interest = top->interest;
    if (interest == NULL) {
        position->gap_id = 0;
        position->dropped_more = true;
        return;
    }
    uint64_t first = interest->topic->first;
    if (interest->gap)
        position->dropped_more = true;
    else
        position->dropped += first - top->next;
    interest->gap = false;
    if (interest->next < first)
        interest->next = first;
}

/* What is at the top is not read, but dropped. */
static void drop_top(struct position *position, struct heads *heads) {
    struct head *top = &heads->at[0];
    position->dropped_id = top->id;
    if (top->gap) {
        drop_gap(position, top);
    } else {
        position->dropped++;
        if (top->replay)
            top->replay->at = top->next + 1;
        else
            top->interest->next = top->next + 1;
    }
    pass(heads, false);
}

/* What is at the top counts for as being behind. */
static struct lag weight(const struct head *top) {
    const struct interest *interest = top->interest;
    if (interest == NULL)
        return (struct lag){0, 0};
    uint64_t from = top->next > interest->mark ? top->next : interest->mark;
    if (top->gap)
        return (struct lag){from < interest->topic->first ? interest->topic->first - from : 0, 0};
    if (from > top->next)
        return (struct lag){0, 0};
    return (struct lag){1, topic_entry(interest->topic, top->next)->len};
}

static void drop_oldest(struct position *position, struct heads *heads, event_id bound) {
    struct lag lag = lag_of(position);
    while (heads->count > 0 && heads->at[0].id <= bound && exceeds(position, lag)) {
        struct lag less = weight(&heads->at[0]);
        lag.events -= less.events;
        lag.bytes -= less.bytes;
        drop_top(position, heads);
    }
}

/* Up to the fence all is read: what came behind it is dropped. */
static void drop_newest(struct position *position, struct heads *heads, event_id bound) {
    if (position->fence == 0 || (heads->count > 0 && heads->at[0].id <= position->fence))
        return;
    while (heads->count > 0 && heads->at[0].id <= bound)
        drop_top(position, heads);
    position->fence = 0;
}

void position_set_fence(struct position *position) {
    if (position->fence > 0)
        return;
    hub_lock();
    struct heads heads = gather(position);
    struct lag sum = {0, 0};
    position->fence = 1; /* before everything */
    while (heads.count > 0) {
        struct lag one = weight(&heads.at[0]);
        sum.events += one.events;
        sum.bytes += one.bytes;
        if (exceeds(position, sum))
            break;
        position->fence = heads.at[0].id;
        pass(&heads, false);
    }
    hub_unlock();
}

/* The policy block: how far behind it is decides whether publishers wait. */
static void settle_debt(struct position *position) {
    struct lag lag = lag_of(position);
    position->owed_events = lag.events;
    position->owed_bytes = lag.bytes;
    publications_go_on(position->reader);
}

/* --- reading --- */

void span_release(struct span *span) {
    for (int i = 0; i < span->count; i++)
        slab_unref(span->pieces[i].slab);
    span->count = 0;
    span->bytes = 0;
    span->text.len = 0;
    span->topic = NULL;
    span->more = false;
}

static struct piece *add_piece(struct span *span) {
    struct piece *piece = &span->pieces[span->count++];
    *piece = (struct piece){.interest = NULL};
    return piece;
}

static void add_gap(struct span *span, const struct head *head, enum gap_reason reason,
                    int64_t lost) {
    static const char *const names[] = {"trimmed", "expired", "restart", "unknown", "overflow"};
    char id[EVENT_ID_TEXT], number[24] = "null", text[192], line[CHUNK_HEAD_MAX];
    event_id_format(head->id, id);
    if (lost >= 0)
        snprintf(number, sizeof number, "%lld", (long long)lost);
    int n = snprintf(text, sizeof text,
                     "id: %s\nevent: weir.gap\ndata: {\"reason\":\"%s\",\"lost\":%s}\n\n", id,
                     names[reason], number);
    size_t nline = chunk_head(line, (size_t)n);
    struct piece *piece = add_piece(span);
    piece->text_at = (uint32_t)span->text.len;
    piece->len = (uint32_t)(nline + (size_t)n + 2);
    piece->interest = head->interest;
    piece->first = piece->end = head->next;
    piece->lost = lost > 0 ? (uint64_t)lost : 0;
    buf_append(&span->text, line, nline);
    buf_append(&span->text, text, (size_t)n);
    buf_append(&span->text, "\r\n", 2);
    span->bytes += piece->len;
}

static void add_head_gap(struct span *span, struct position *position, struct head head) {
    struct interest *interest = head.interest;
    if (interest == NULL) {
        add_gap(span, &head, position->gap_reason, -1);
        return;
    }
    struct topic *topic = interest->topic;
    bool mixed = conflates(position) && topic->trimmed_superseded > head.next;
    int64_t lost = interest->gap || mixed ? -1 : (int64_t)(topic->first - head.next);
    if (head.next < topic->first)
        head.next = topic->first;
    add_gap(span, &head, topic->floor_reason, lost);
}

/* Where the entry at a head lies. */
static struct str locate(const struct head *head, struct slab **slab) {
    if (head->replay) {
        const struct replay_entry *entry = &head->replay->entries[head->next];
        *slab = head->replay->slab;
        return (struct str){(*slab)->data + entry->off, entry->len};
    }
    const struct entry *entry = topic_entry(head->interest->topic, head->next);
    *slab = entry->slab;
    return (struct str){(*slab)->data + entry->off, entry->len};
}

static void add_entry(struct span *span, const struct head *head) {
    struct slab *slab;
    struct str bytes = locate(head, &slab);
    struct piece *last = span->count > 0 ? &span->pieces[span->count - 1] : NULL;
    span->bytes += bytes.len;
    if (last && last->slab == slab && last->interest == head->interest &&
        last->bytes + last->len == bytes.ptr && last->end == head->next) {
        last->len += (uint32_t)bytes.len;
        last->end++;
        return;
    }
    *add_piece(span) = (struct piece){.bytes = bytes.ptr,
                                      .len = (uint32_t)bytes.len,
                                      .slab = slab_ref(slab),
                                      .interest = head->interest,
                                      .replay = head->replay,
                                      .first = head->next,
                                      .end = head->next + 1};
}

static void fill(struct span *span, struct position *position, struct heads *heads, event_id bound,
                 size_t most) {
    bool skips = conflates(position);
    event_id last = position->fence > 0 && position->fence < bound ? position->fence : bound;
    if (position->dropped_id > 0) {
        struct head head = {.id = position->dropped_id};
        add_gap(span, &head, GAP_OVERFLOW,
                position->dropped_more ? -1 : (int64_t)position->dropped);
    }
    while (heads->count > 0 && heads->at[0].id <= last) {
        span->more = span->count == SPAN_PIECES || span->bytes >= most;
        if (span->more)
            break;
        if (heads->at[0].gap)
            add_head_gap(span, position, heads->at[0]);
        else
            add_entry(span, &heads->at[0]);
        pass(heads, skips);
    }
    if (heads->count > 0 && heads->at[0].id > bound) /* the rest cannot be read yet */
        reader_hold(position->reader, position);
    else if (position->fence > 0) /* what lies behind it is dropped, once this has been read */
        span->more = true;
    for (int i = 0; i < span->count; i++)
        if (span->pieces[i].slab == NULL)
            span->pieces[i].bytes = span->text.data + span->pieces[i].text_at;
}

/* What others at the same place may be answered with. */
static void remember(struct span *span, const struct position *position) {
    const struct piece *first = &span->pieces[0];
    const struct interest *only = &position->only;
    if (!position_is_single(position) || span->count == 0 || first->slab == NULL ||
        position->gap_id > 0)
        return;
    if (only->next < only->topic->first || topic_entry(only->topic, only->next)->id <= only->after)
        return; /* others may want what this one has skipped */
    span->topic = only->topic;
    span->from = only->next;
    span->skips = conflates(position);
    span->id = topic_entry(span->topic, first->first)->id;
}

static bool answers(const struct span *span, const struct position *position) {
    return span->topic && span->topic == position->only.topic &&
           span->from == position->only.next && position_is_single(position) &&
           span->skips == conflates(position) && span->id > position->only.after &&
           (position->overflow <= OVERFLOW_DISCONNECT || position->overflow == OVERFLOW_CONFLATE) &&
           !position->only.gap && position->gap_id == 0;
}

void position_read(struct position *position, struct span *span, size_t most) {
    if (answers(span, position))
        return;
    span_release(span);
    hub_lock();
    event_id bound = bound_of(position);
    if (position->overflow == OVERFLOW_BLOCK)
        settle_debt(position);
    struct heads heads = gather(position);
    if (position->overflow == OVERFLOW_DROP_OLDEST)
        drop_oldest(position, &heads, bound);
    drop_newest(position, &heads, bound);
    fill(span, position, &heads, bound, most);
    remember(span, position);
    hub_unlock();
}

bool piece_origin(const struct piece *piece, struct buf *name, struct buf *key) {
    if (piece->slab == NULL)
        return false;
    if (piece->replay)
        return replay_origin(piece->replay, piece->first, name, key);
    char text[NAME_MAX_BYTES];
    struct topic *topic = piece->interest->topic;
    struct str found = {NULL, 0};
    hub_lock();
    buf_append(name, text, name_text(topic->name, text));
    if (piece->first >= topic->first)
        found = entry_key(topic_entry(topic, piece->first));
    buf_add(key, found);
    hub_unlock();
    return found.ptr != NULL;
}

/* --- what was sent --- */

static void passed(struct position *position, const struct piece *piece, uint64_t end) {
    struct hub_counters *counters = &position->reader->counters;
    struct interest *interest = position_is_single(position) ? &position->only : piece->interest;
    if (piece->slab) {
        if (piece->replay)
            piece->replay->at = end;
        else
            interest->next = end;
        counter_up(&counters->delivered, end - piece->first);
        return;
    }
    counter_up(&counters->gaps, 1);
    counter_up(&counters->lost, piece->lost);
    if (piece->interest) {
        piece->interest->next = piece->end;
        piece->interest->gap = false;
    } else if (position->dropped_id > 0) {
        counter_up(&counters->dropped, position->dropped);
        position->dropped_id = position->dropped = 0;
        position->dropped_more = false;
    } else {
        position->gap_id = 0;
    }
}

struct str span_cut_chunk(struct str *chunks) {
    const char *text = (const char *)memchr(chunks->ptr, '\n', chunks->len) + 1;
    size_t size = strtoul(chunks->ptr, NULL, 16);
    chunks->len -= (size_t)(text - chunks->ptr) + size + 2;
    chunks->ptr = text + size + 2;
    return (struct str){text, size};
}

/* How long the run of chunks is that ends with the first one beyond `taken` bytes, and how many
 * they are. */
static size_t whole_chunks(const struct piece *piece, size_t taken, uint64_t *count) {
    struct str rest = {piece->bytes, piece->len};
    for (*count = 0; piece->len - rest.len < taken; ++*count)
        span_cut_chunk(&rest);
    return piece->len - rest.len;
}

size_t position_advance(struct position *position, const struct span *span, size_t taken,
                        struct piece *rest) {
    for (int i = 0; i < span->count; i++) {
        const struct piece *piece = &span->pieces[i];
        if (taken == 0)
            break;
        if (taken >= piece->len) {
            passed(position, piece, piece->end);
            taken -= piece->len;
            continue;
        }
        uint64_t count;
        size_t used = whole_chunks(piece, taken, &count);
        passed(position, piece, piece->first + count);
        *rest = *piece;
        rest->bytes += taken;
        return used - taken;
    }
    return 0;
}

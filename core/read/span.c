/* span: what a position can be sent next.
 *
 *     read:     policy settled, topics merged by id --> pieces [slab a: 3 entries][gap][slab b: 1]
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
#include "read/span.h"

#include "hub/hub.h"
#include "hub/reader.h"
#include "proto/chunked.h"
#include "read/lapse.h"
#include "read/merge.h"
#include "read/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- its pieces --- */

void span_release(struct span *span) {
    for (int i = 0; i < span->count; i++)
        slab_unref(span->pieces[i].slab);
    span->count = 0;
    span->bytes = 0;
    span->text.len = 0;
    span->topic = NULL;
    span->upto = 0;
    span->more = span->ended = false;
}

static struct piece *add_piece(struct span *span) {
    struct piece *piece = &span->pieces[span->count++];
    *piece = (struct piece){.interest = NULL};
    return piece;
}

/* An event that no topic has, with the id where reading goes on. A client that hears only events
 * without a name has it in the data. */
static struct piece *add_notice(struct span *span, const struct position *position,
                                const char *name, const char *data, event_id at) {
    char id[EVENT_ID_TEXT], text[192], line[CHUNK_HEAD_MAX];
    const char *format = position->nameless ? "data: {\"event\":\"%s\",%s}\nid: %s\n\n"
                                            : "event: %s\ndata: {%s}\nid: %s\n\n";
    event_id_format(at, id);
    int n = snprintf(text, sizeof text, format, name, data, id);
    size_t nline = chunk_head(line, (size_t)n);
    struct piece *piece = add_piece(span);
    piece->text_at = (uint32_t)span->text.len;
    piece->len = (uint32_t)(nline + (size_t)n + 2);
    buf_append(&span->text, line, nline);
    buf_append(&span->text, text, (size_t)n);
    buf_append(&span->text, "\r\n", 2);
    span->bytes += piece->len;
    return piece;
}

/* `lost` below 0: nobody knows how many. */
static void add_gap(struct span *span, const struct position *position, const struct head *head,
                    enum gap_reason reason, int64_t lost) {
    static const char *const names[] = {"trimmed", "expired", "restart", "unknown", "overflow"};
    char number[24] = "null", data[64];
    if (lost >= 0)
        snprintf(number, sizeof number, "%lld", (long long)lost);
    snprintf(data, sizeof data, "\"reason\":\"%s\",\"lost\":%s", names[reason], number);
    struct piece *piece = add_notice(span, position, "weir.gap", data, head->id);
    piece->interest = head->interest;
    piece->replay = head->replay;
    piece->first = piece->end = head->next;
    piece->lost = lost > 0 ? (uint64_t)lost : 0;
}

/* All topics are closed, and all that they have stands in front of this. Ids never go back: who was
 * told a later one, by a topic that it has left, is told no smaller one now. */
static void add_end(struct span *span, struct position *position, const struct merge *merge,
                    event_id upto) {
    event_id closed = merge->count == 0 ? position_closed(position) : 0;
    if (closed > upto) /* what others commit comes before it */
        position_hold(position);
    if (closed == 0 || closed > upto)
        return;
    if (span->count == SPAN_PIECES) {
        span->more = true;
        return;
    }
    event_id id = position->told > closed ? position->told : closed;
    add_notice(span, position, "weir.end", "\"reason\":\"closed\"", id)->ends = true;
    span->ended = true;
}

static void add_head_gap(struct span *span, const struct position *position, struct head head) {
    enum gap_reason reason = merge_reason(position, &head);
    int64_t lost = merge_lost(position, &head);
    if (head.interest && head.next < head.interest->topic->first)
        head.next = head.interest->topic->first;
    add_gap(span, position, &head, reason, lost);
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
        last->past = ++last->end;
        return;
    }
    *add_piece(span) = (struct piece){.bytes = bytes.ptr,
                                      .len = (uint32_t)bytes.len,
                                      .slab = slab_ref(slab),
                                      .interest = head->interest,
                                      .replay = head->replay,
                                      .first = head->next,
                                      .end = head->next + 1,
                                      .past = head->next + 1};
}

/* What the policy has dropped comes before all that is left. */
static void add_dropped(struct span *span, const struct position *position) {
    const struct policy *policy = &position->policy;
    struct head head = {.id = policy->dropped_id};
    if (policy->dropped_id > 0)
        add_gap(span, position, &head, policy->reason,
                policy->dropped_more ? -1 : (int64_t)policy->dropped);
    span->upto = head.id;
}

static void add_top(struct span *span, struct position *position, const struct head *top) {
    if (top->gap)
        add_head_gap(span, position, *top);
    else
        add_entry(span, top);
}

static bool is_full(const struct span *span, size_t most) {
    return span->count == SPAN_PIECES || span->bytes >= most;
}

static void skip(const struct topic *topic, uint64_t *next, event_id upto, event_id end) {
    while (*next >= topic->first && *next < topic->next && topic_entry(topic, *next)->id <= upto &&
           topic_is_superseded(topic, *next, end))
        ++*next;
}

/* What is superseded there is passed with what comes before it, though what supersedes it may be
 * taken much later: it is not missing when it is trimmed before that. */
static void pass_superseded(struct span *span, struct position *position) {
    for (struct list *at = position->news.next; at != &position->news; at = at->next) {
        struct interest *interest = CONTAINER_OF(at, struct interest, in_news);
        skip(interest->topic, &interest->next, span->upto, position->end);
    }
    for (int i = 0; i < span->count; i++)
        if (span->pieces[i].slab && span->pieces[i].interest)
            skip(span->pieces[i].interest->topic, &span->pieces[i].past, span->upto, position->end);
}

/* The text of gaps may have moved while it grew. */
static void point_gaps(struct span *span) {
    for (int i = 0; i < span->count; i++)
        if (span->pieces[i].slab == NULL)
            span->pieces[i].bytes = span->text.data + span->pieces[i].text_at;
}

static void fill(struct span *span, struct position *position, struct merge *merge, size_t most) {
    event_id upto = policy_upto(&position->policy, merge->bound);
    const struct head *top;
    add_dropped(span, position);
    while ((top = merge_top(merge, upto)) != NULL && !is_full(span, most)) {
        add_top(span, position, top);
        span->upto = top->id;
        merge_pass(merge);
    }
    if (position->told < span->upto)
        position->told = span->upto;
    if (merge->skips)
        pass_superseded(span, position);
    span->more = top != NULL;
    span->ended = merge->end > 0 && top == NULL && upto == merge->end;
    add_end(span, position, merge, upto);
    point_gaps(span);
    if (merge_waits(merge))
        position_hold(position);
    else if (position->policy.fence > 0) /* what lies behind it is dropped, once this was read */
        span->more = true;
}

/* --- read once for many --- */

/* What others at the same place may be answered with. */
static void remember(struct span *span, const struct position *position) {
    const struct piece *first = &span->pieces[0];
    const struct interest *only = &position->only;
    if (!position_is_single(position) || span->count == 0 || first->slab == NULL ||
        position->gap_id > 0 || position->end > 0)
        return;
    if (only->next < only->topic->first || topic_entry(only->topic, only->next)->id <= only->after)
        return; /* others may want what this one has skipped */
    span->topic = only->topic;
    span->from = only->next;
    span->skips = policy_conflates(&position->policy);
    span->nameless = position->nameless;
    span->id = topic_entry(span->topic, first->first)->id;
}

static bool answers(const struct span *span, const struct position *position) {
    return span->topic && span->topic == position->only.topic &&
           span->from == position->only.next && position_is_single(position) &&
           !position->resting && span->skips == policy_conflates(&position->policy) &&
           span->nameless == position->nameless && span->id > position->only.after &&
           !policy_settles(&position->policy) && !position->only.gap && position->gap_id == 0 &&
           position->end == 0;
}

/* --- reading --- */

/* It has lapsed, and all that it has found is read. */
static bool is_used_up(const struct position *position, const struct merge *merge) {
    return position_is_lapsed(position) && merge->bound == position_listed(position) &&
           merge_top(merge, merge->bound) == NULL && (merge->end == 0 || merge->bound < merge->end);
}

void span_read(struct position *position, struct span *span, size_t most) {
    if (answers(span, position)) {
        position->told = span->upto;
        return;
    }
    span_release(span);
    hub_lock();
    position_wake(position);
    policy_settle(position);
    struct merge *merge = merge_begin(position);
    if (policy_drops(&position->policy))
        policy_drop(position, merge);
    if (is_used_up(position, merge)) {
        lapse_go_on(position);
        policy_settle(position); /* what it did not while it had lapsed */
        merge = merge_begin(position);
        if (policy_drops(&position->policy))
            policy_drop(position, merge);
    }
    if (is_used_up(position, merge)) { /* as much as one turn may look at */
        position_serve(position);
    } else {
        fill(span, position, merge, most);
        remember(span, position);
    }
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
            interest->next = end == piece->end ? piece->past : end;
        counter_add(&counters->delivered, end - piece->first);
        return;
    }
    if (piece->ends)
        return;
    counter_add(&counters->gaps, 1);
    counter_add(&counters->lost, piece->lost);
    if (piece->interest) {
        piece->interest->next = piece->end;
        piece->interest->gap = false;
    } else if (piece->replay) {
        piece->replay->gap_id = 0;
    } else if (position->policy.dropped_id > 0) {
        policy_told(position);
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

size_t span_advance(struct position *position, const struct span *span, size_t taken,
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

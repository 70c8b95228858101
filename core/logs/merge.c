/* merge: several files as one: which line of which file comes next.
 *
 *     strands:  a  12:00:01  12:00:03 ...          the one with the earliest next line gives it; a
 *               b  12:00:02  (stack trace) ...     line without a time stays behind its own
 *               c  (at its end)
 *
 * A line without a time has that of the line before it, so a stack trace comes in one piece. Who is
 * being read is waited for, since its next line may be the earliest; who is at its end is not: what
 * is written later comes later, whatever time it tells. So history is in order, and live lines are
 * as they were found, a batch at a time.
 *
 * Of history the last lines are wanted, of all files together. Each gives as many of its own, and
 * while these are read (gathering) the newest stay in `recent`; then they go out.
 *
 * The batch is what the viewer gets next. A strand's `sent` follows what goes into it, since the id
 * of the batch is made of them.
 *
 * A part of view. It knows no time but that of the lines. */
#include "logs/merge.h"

#include "logs/stamp.h"

void merge_fini(struct merge *merge) {
    recent_fini(&merge->recent);
    buf_fini(&merge->batch);
}

static bool put(struct merge *merge, struct str text) {
    merge->full = merge->batch.len > 0 && merge->batch.len + text.len > PAGE_BYTES;
    if (!merge->full)
        buf_add(&merge->batch, text);
    return !merge->full;
}

/* ---- the last lines ---------------------------------------------------------------------------*/

static void gather(struct merge *merge, struct strand *strand, struct str text) {
    struct recent *recent = &merge->recent;
    const struct recent_line *oldest;

    recent_add(recent, text, strand, &strand_line(strand)->place);
    while ((oldest = recent_first(recent)) != NULL &&
           (recent->n > merge->last || recent->text.len - oldest->from > RECENT_BYTES)) {
        struct strand *owner = oldest->owner;
        owner->sent = oldest->place;
        recent_drop(recent);
    }
}

/* Whether all that was there at first has been read. */
static bool has_gathered(const struct merge *merge) {
    for (size_t i = 0; i < merge->n; i++)
        if (merge->strands[i]->left > 0)
            return false;
    return true;
}

/* False: some of it is left. */
static bool put_recent(struct merge *merge) {
    const struct recent_line *line;
    while ((line = recent_first(&merge->recent)) != NULL) {
        if (!put(merge, recent_text(&merge->recent, line)))
            return false;
        struct strand *owner = line->owner;
        owner->sent = line->place;
        recent_drop(&merge->recent);
    }
    recent_fini(&merge->recent);
    return true;
}

/* ---- in order ---------------------------------------------------------------------------------*/

static bool is_in_time(const struct merge *merge, int64_t time) {
    return (merge->since == STAMP_NONE || time >= merge->since) &&
           (merge->before == STAMP_NONE || (time < merge->before && time != STAMP_NONE));
}

/* All of a page at once, where nothing else asks for its lines. */
static bool take_rest(struct merge *merge, struct strand *strand) {
    if (!put(merge, strand_rest(strand)))
        return false;
    strand_pass_rest(strand);
    return true;
}

/* The lines of a strand's page that come before any of another's, of which the next is of `until`.
 * False: the batch is full. */
static bool take(struct merge *merge, struct strand *strand, int64_t until) {
    bool timeless = merge->since == STAMP_NONE && merge->before == STAMP_NONE;
    if (until == INT64_MAX && timeless && !merge->gathering)
        return take_rest(merge, strand);
    do {
        const struct page_line *line = strand_line(strand);
        struct str text = {strand->page->text.data + line->from, line->to - line->from};
        bool wanted = is_in_time(merge, strand_time(strand));
        if (wanted && merge->gathering)
            gather(merge, strand, text);
        else if (wanted && !put(merge, text))
            return false;
        strand_pass(strand);
    } while (strand_has_line(strand) &&
             (!strand_line(strand)->stamped || strand_time(strand) <= until));
    return true;
}

/* Those that have a line. */
struct ready {
    struct strand *strands[MERGE_FILES];
    int64_t times[MERGE_FILES];
    size_t n;
};

/* False: the order is not known yet. */
static bool look(struct merge *merge, struct strand *strand, int64_t *time, bool *has) {
    enum strand_next next = strand_look(strand, merge->shelf, &merge->press);
    *has = next == STRAND_LINE;
    if (*has)
        *time = strand_time(strand);
    if (next == STRAND_GAP)
        merge->gap = strand;
    return next == STRAND_LINE || next == STRAND_END;
}

static bool look_at_all(struct merge *merge, struct ready *ready) {
    for (size_t i = 0; i < merge->n; i++) {
        bool has;
        ready->strands[ready->n] = merge->strands[i];
        if (!look(merge, merge->strands[i], &ready->times[ready->n], &has))
            return false;
        ready->n += has;
    }
    return true;
}

/* The one with the earliest line; in `*until` the time of the next. */
static size_t earliest(const struct ready *ready, int64_t *until) {
    size_t first = 0;
    *until = INT64_MAX;
    for (size_t i = 1; i < ready->n; i++) {
        size_t later = i;
        if (ready->times[i] < ready->times[first]) {
            later = first;
            first = i;
        }
        if (ready->times[later] < *until)
            *until = ready->times[later];
    }
    return first;
}

static void fill(struct merge *merge) {
    struct ready ready = {.n = 0};
    int64_t until;
    bool has;

    if (!look_at_all(merge, &ready))
        return;
    while (ready.n > 0) {
        size_t i = earliest(&ready, &until);
        if (!take(merge, ready.strands[i], until))
            return;
        if (!look(merge, ready.strands[i], &ready.times[i], &has))
            return;
        if (!has) {
            ready.n--;
            ready.strands[i] = ready.strands[ready.n];
            ready.times[i] = ready.times[ready.n];
        }
    }
}

void merge_fill(struct merge *merge) {
    if (merge->full || merge->gap)
        return;
    if (merge->gathering) {
        fill(merge);
        merge->gathering = !has_gathered(merge);
        if (merge->gathering)
            return;
    }
    if (!put_recent(merge))
        return;
    fill(merge);
    for (size_t i = 0; i < merge->n; i++)
        merge->strands[i]->sent = merge->strands[i]->place;
}

void merge_sent(struct merge *merge) {
    merge->batch.len = 0;
    merge->full = false;
}

/* pick: from the bytes of a file to the lines of it that are wanted.
 *
 *     whole lines --prefilter: a place--> the line around it --redact--> sift --> matches
 *                       ^                        |
 *                       +---- the next line <----+-- too long: its pieces, each by itself
 *
 * What a line is, and a piece of one, tail/lines says; a line that has all its bytes in the block
 * and is not too long never passes through there, which gives the same and costs nothing.
 *
 * A line without a time has that of the line before it, so that a stack trace stays with its error:
 * those before it in the block are asked, up to ASKED of them, and then what was remembered of the
 * block before.
 *
 * Owned by who reads one file after another of a log. It knows nothing of files but offsets. */
#include "search/pick.h"

#include "base/clock.h"

#define ASKED 256

void pick_init(struct pick *pick) {
    lines_init(&pick->lines, pick->max_line);
    pick->time = STAMP_NONE;
}

void pick_fini(struct pick *pick) {
    lines_fini(&pick->lines);
}

void pick_restart(struct pick *pick) {
    lines_drop(&pick->lines);
    pick->in_pieces = false;
    pick->time = STAMP_NONE;
}

void pick_resume(struct pick *pick, uint64_t at) {
    pick->in_pieces = true;
    pick->line_at = at;
}

/* The time that the last of these lines tells which tells one. None is asked twice. */
static int64_t time_before(struct pick *pick, const char *begin, const char *end) {
    const char *at = end, *known = pick->told_at ? pick->told_at : begin;
    int64_t time = STAMP_NONE;

    for (int i = 0; i < ASKED && at > known && time == STAMP_NONE; i++) {
        const char *lf = memrchr(begin, '\n', (size_t)(at - 1 - begin));
        const char *line = lf ? lf + 1 : begin;
        time = tells_of((struct str){line, (size_t)(at - 1 - line)}).time;
        at = line;
    }
    if (time == STAMP_NONE && at <= known)
        time = pick->told_at ? pick->told : pick->time;
    pick->told_at = end;
    pick->told = time;
    return time;
}

void pick_pass(struct pick *pick, struct str lines) {
    pick->told_at = NULL;
    pick->time = time_before(pick, lines.ptr, lines.ptr + lines.len);
    pick->told_at = NULL;
}

static bool is_outside(const struct pick *pick, int64_t time) {
    return time != STAMP_NONE && ((pick->since != STAMP_NONE && time < pick->since) ||
                                  (pick->before != STAMP_NONE && time >= pick->before));
}

/* `begin` and `end` hold the lines before it. */
static void offer(struct pick *pick, struct str line, struct match match, const char *begin,
                  const char *end) {
    if (match.to > pick->limit)
        return;
    if (pick->redact)
        line = redact_line(pick->redact, line, match.cut);
    if (pick->sift && !sift_wants(pick->sift, line))
        return;
    match.tells = tells_of(line);
    match.time = match.tells.time;
    if (match.time == STAMP_NONE)
        match.time = begin ? time_before(pick, begin, end) : pick->time;
    if (!is_outside(pick, match.time))
        matches_add(pick->into, &match, line);
}

/* ---- a line in pieces -------------------------------------------------------------------------*/

/* `over`: the line ends with the last of them, LF or not. */
static void offer_pieces(struct pick *pick, bool over) {
    struct str piece;
    while (lines_next(&pick->lines, &piece)) {
        bool ended = pick->lines.ended || (over && lines_ready(&pick->lines) == 0);
        struct match match = {.from = pick->line_at, .cut = !ended || pick->in_pieces};
        match.to = pick->line_at += pick->lines.raw;
        offer(pick, piece, match, NULL, NULL);
        if (!pick->in_pieces) /* the first of them tells the time of all; an LF stands behind it */
            pick_pass(pick, (struct str){piece.ptr, piece.len + 1});
        pick->in_pieces = !ended;
    }
}

void pick_part(struct pick *pick, struct str bytes, uint64_t hole, uint64_t at) {
    if (pick->lines.pending == 0 && !pick->in_pieces)
        pick->line_at = at;
    lines_add(&pick->lines, bytes.ptr, bytes.len);
    lines_skip(&pick->lines, hole);
    offer_pieces(pick, false);
}

void pick_end(struct pick *pick) {
    lines_flush(&pick->lines);
    offer_pieces(pick, true);
}

/* ---- lines in a block -------------------------------------------------------------------------*/

static void offer_line(struct pick *pick, struct str block, const char *line, const char *end,
                       uint64_t at) {
    bool has_lf = end < block.ptr + block.len;
    struct match match = {.from = at + (uint64_t)(line - block.ptr)};
    match.to = match.from + (uint64_t)(end - line) + has_lf;
    struct str text = {line, (size_t)(end - line)};

    if (has_lf && text.len > 0 && end[-1] == '\r')
        text.len--;
    if (text.len <= pick->max_line) {
        offer(pick, text, match, block.ptr, line);
        return;
    }
    int64_t time = pick->time;
    pick->time = time_before(pick, block.ptr, line);
    pick_part(pick, (struct str){line, (size_t)(end - line) + has_lf}, 0, match.from);
    if (!has_lf)
        pick_end(pick);
    pick->time = time;
}

/* Redaction may make much of little: where all matches are kept, no more are taken than must. */
static bool is_heavy(const struct matches *matches) {
    return matches->most == SIZE_MAX && matches->text.len >= MATCHES_BYTES;
}

/* A filter may take long for a line. */
static bool is_late(const struct pick *pick) {
    return pick->until_ns > 0 && pick->sift && clock_mono_ns() > pick->until_ns;
}

size_t pick_lines(struct pick *pick, struct str lines, size_t context, uint64_t at) {
    const char *next = lines.ptr + context, *stop = lines.ptr + lines.len;

    pick->told_at = NULL;
    if (pick->prefilter && !pick->tuned)
        prefilter_tune(pick->prefilter, (struct str){next, (size_t)(stop - next)});
    pick->tuned = true;
    while (next < stop && !is_heavy(pick->into)) {
        if (next > lines.ptr + context && is_late(pick))
            break;
        struct str rest = {next, (size_t)(stop - next)};
        const char *hit = pick->prefilter ? prefilter_next(pick->prefilter, rest) : next;
        if (hit == NULL || hit == stop)
            return lines.len;
        const char *before = memrchr(next, '\n', (size_t)(hit - next));
        const char *end = memchr(hit, '\n', (size_t)(stop - hit));
        end = end ? end : stop;
        offer_line(pick, lines, before ? before + 1 : next, end, at);
        next = end + (end < stop);
    }
    return (size_t)(next - lines.ptr);
}

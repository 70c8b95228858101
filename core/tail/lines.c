/* lines: cuts a stream of bytes into lines.
 *
 * The rules, which lua/REFERENCE.md repeats for users:
 *
 *   - A line ends at LF; one CR right before it belongs to the end and is removed. A CR elsewhere,
 *     NUL and what is not UTF-8 are bytes like others: encoding is the business of who sends them.
 *   - What stands after the last LF is held back until its LF comes, or until lines_flush says that
 *     none will.
 *   - A line longer than max_line is given out in pieces of max_line bytes, the last one shorter,
 *     while it comes in. One that would end inside a character of UTF-8 ends before it. The pieces
 *     joined are the line: nothing is lost and nothing marked. A line of exactly max_line bytes is
 *     one piece, whatever its end looks like; that is why a full `held` waits for one more byte,
 *     and, if that is a CR, for the one after it.
 *   - A piece of at least HOLE_BYTES that is nothing but NUL is left out. Who truncates a file
 *     below its writer leaves such a hole, of hundreds of megabytes perhaps. Its bytes are added by
 *     their number (lines_skip), since nobody wants to read them.
 *
 * Where the bytes were cut on their way in makes no difference to the lines.
 *
 *     lines_add --> held --LF, too long, flush--> ready --all taken--> taking --> lines_next
 *
 * With each piece stands how many bytes of the stream end with it, since the piece before: its end,
 * and what was left out before it. So who gives pieces out knows the place behind each of them.
 * There are two bufs because a line that was given out must not move when more bytes come in:
 * taking is not touched until its last line was left, then the two change places.
 *
 * It sets no limit on `ready`: who adds bytes asks lines_ready first. It knows nothing of files.
 * Owned by its follow, and used on that follow's loop only. */
#include "tail/lines.h"

#include <string.h>

#define HOLE_BYTES 1024

/* What stands before each piece in `ready` and `taking`; behind it stands an LF. */
struct label {
    uint64_t raw;
    uint32_t len;
    uint16_t ended; /* by an LF */
    uint16_t cut;   /* a piece of a longer line */
};

void lines_init(struct lines *lines, size_t max_line) {
    *lines = (struct lines){.max_line = max_line};
}

void lines_fini(struct lines *lines) {
    buf_fini(&lines->held);
    buf_fini(&lines->ready);
    buf_fini(&lines->taking);
}

/* `raw` of the bytes not yet given out are behind the reader with this piece. */
static void emit(struct lines *lines, const char *bytes, size_t n, uint64_t raw, bool ended) {
    struct label label = {.raw = raw, .len = (uint32_t)n, .ended = ended, .cut = lines->inside};

    buf_reserve(&lines->ready, sizeof label + n + 1);
    buf_append(&lines->ready, &label, sizeof label);
    buf_append(&lines->ready, bytes, n);
    buf_add_char(&lines->ready, '\n');
    lines->pending -= raw;
    lines->left += n + 1;
}

static void emit_held(struct lines *lines, size_t n) {
    emit(lines, lines->held.data, n, lines->pending - (lines->held.len - n), false);
    buf_drop(&lines->held, n);
}

/* How many of `max` bytes, behind which the line goes on, make a piece: all, or those before a
 * character that is not whole in them. */
static size_t piece_of(const char *bytes, size_t max) {
    for (size_t back = 1; back < 4 && back < max; back++) {
        unsigned char c = (unsigned char)bytes[max - back];
        if (c < 0x80)
            return max;
        size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        if (c >= 0xc0)
            return whole > back ? max - back : max;
    }
    return max;
}

static bool is_hole(const char *bytes, size_t n) {
    return n >= HOLE_BYTES && bytes[0] == '\0' && memcmp(bytes, bytes + 1, n - 1) == 0;
}

static void emit_piece(struct lines *lines) {
    lines->inside = true;
    size_t n = piece_of(lines->held.data, lines->max_line);
    if (is_hole(lines->held.data, n))
        buf_drop(&lines->held, n);
    else
        emit_held(lines, n);
}

/* Adds bytes without LF to the line that is coming in. */
static void hold(struct lines *lines, const char *bytes, size_t n) {
    struct buf *held = &lines->held;

    while (n > 0) {
        size_t take = 1; /* the CR that may belong to the end of a line of max_line bytes */
        if (held->len < lines->max_line) {
            take = lines->max_line - held->len;
            take = n < take ? n : take;
        } else if (held->len > lines->max_line || *bytes != '\r') {
            emit_piece(lines);
            continue;
        }
        buf_append(held, bytes, take);
        lines->pending += take;
        bytes += take;
        n -= take;
    }
}

static size_t without_cr(const char *bytes, size_t n) {
    return n > 0 && bytes[n - 1] == '\r' ? n - 1 : n;
}

/* Adds the last bytes of a line, those right before its LF. */
static void end(struct lines *lines, const char *bytes, size_t n) {
    struct buf *held = &lines->held;

    if (held->len == 0 && n <= lines->max_line) { /* nearly always: needs no copy in between */
        lines->pending += n + 1;
        emit(lines, bytes, without_cr(bytes, n), lines->pending, true);
    } else {
        hold(lines, bytes, n);
        lines->pending++;
        emit(lines, held->data, without_cr(held->data, held->len), lines->pending, true);
        buf_fini(held);
    }
    lines->inside = false;
}

void lines_add(struct lines *lines, const char *bytes, size_t n) {
    while (n > 0) {
        const char *lf = memchr(bytes, '\n', n);
        if (lf == NULL) {
            hold(lines, bytes, n);
            return;
        }
        size_t part = (size_t)(lf - bytes);
        end(lines, bytes, part);
        bytes += part + 1;
        n -= part + 1;
    }
}

void lines_skip(struct lines *lines, uint64_t n) {
    static const char nuls[4096];
    struct buf *held = &lines->held;
    size_t max = lines->max_line;

    while (n > 0) {
        size_t part = n < sizeof nuls ? (size_t)n : sizeof nuls;
        if (held->len >= max) {
            emit_piece(lines);
        } else if (held->len == 0 && n > max && max >= HOLE_BYTES) {
            uint64_t whole = (n - 1) / max * max; /* pieces of nothing but NUL */
            lines->pending += whole;
            lines->inside = true;
            n -= whole;
        } else {
            part = max - held->len < part ? max - held->len : part;
            hold(lines, nuls, part);
            n -= part;
        }
    }
}

void lines_flush(struct lines *lines) {
    if (lines->held.len > lines->max_line)
        emit_piece(lines);
    if (lines->held.len > 0)
        emit_held(lines, lines->held.len);
    lines->inside = false;
    lines->pending = 0; /* a hole at the end of a file is behind nobody */
}

void lines_drop(struct lines *lines) {
    buf_fini(&lines->held);
    lines->inside = false;
    lines->pending = 0;
}

bool lines_next(struct lines *lines, struct str *line) {
    struct label label;

    if (lines->taken == lines->taking.len) {
        buf_fini(&lines->taking);
        lines->taking = lines->ready;
        lines->ready = (struct buf){0};
        lines->taken = 0;
        if (lines->taking.len == 0)
            return false;
    }
    memcpy(&label, lines->taking.data + lines->taken, sizeof label);
    lines->taken += sizeof label;
    *line = (struct str){lines->taking.data + lines->taken, label.len};
    lines->taken += label.len + 1;
    lines->left -= label.len + 1;
    lines->raw = label.raw;
    lines->ended = label.ended;
    lines->cut = label.cut;
    return true;
}

size_t lines_ready(const struct lines *lines) {
    return lines->left;
}

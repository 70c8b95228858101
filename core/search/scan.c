/* scan: reads a part of a file from its start to its end, a block at a time.
 *
 *     [held: a line has begun|what is read now ...........LF|the next one has begun]
 *      `------------- whole lines: pick_lines --------------'`--> held, at the start
 *
 * A line that takes more than half a block is handed on as it comes (pick_part), with holes by
 * their size alone: they are not read. What is packed by gzip can be read in no other way, so it is
 * never read twice here: what belongs to the next block stays.
 *
 * Where a part ends within a line that comes in pieces, the next bytes say that the last piece is
 * not the end of it; so a few more are read. The part begins with a line, or within one that comes
 * in pieces, where one of them ends: the byte before it tells. Owned by who reads, on one thread at
 * a time; it knows nothing of what is wanted, nor of what the file is called. */
#include "search/scan.h"

#include "base/clock.h"
#include "tail/source.h"

#include <errno.h>

/* The rest of a character that is not in the last piece, a CR, and what stands behind it. */
#define FURTHER 5
#define STEP_NS 20000000u

void scan_begin(struct scan *scan, struct pick *pick, uint64_t at, uint64_t to) {
    scan->at = at;
    scan->to = pick->limit = to;
    scan->end = to < SCAN_ALL - FURTHER ? to + FURTHER : SCAN_ALL;
    pick_restart(pick);
}

/* How many bytes behind the first `done` belong to a line that began before the block. */
static size_t go_on(struct scan *scan, struct pick *pick, size_t done, size_t n, uint64_t from) {
    const char *begin = scan->block + done;
    const char *lf = memchr(begin, '\n', n - done);
    size_t part = lf ? (size_t)(lf - begin) + 1 : n - done;

    scan->in_line = lf == NULL;
    pick_part(pick, (struct str){begin, part}, 0, from + done);
    return part;
}

/* Whether what comes begins a line, its first byte tells, which stands before that. */
static void peek(struct scan *scan, struct pick *pick, uint64_t from) {
    scan->peeks = false;
    scan->in_line = scan->block[0] != '\n';
    if (scan->in_line)
        pick_resume(pick, from + 1);
}

/* `n` bytes are in the block; the first of them has the offset `from`. */
static void take(struct scan *scan, struct pick *pick, size_t n, uint64_t from) {
    size_t done = 0;

    if (scan->peeks) {
        peek(scan, pick, from);
        done = 1;
    }
    if (scan->in_line)
        done += go_on(scan, pick, done, n, from);
    const char *lf = memrchr(scan->block + done, '\n', n - done);

    if (lf) {
        struct str lines = {scan->block + done, (size_t)(lf + 1 - scan->block) - done};
        pick->until_ns = clock_mono_ns() + STEP_NS;
        size_t picked = pick_lines(pick, lines, 0, from + done);
        pick->until_ns = 0;
        pick_pass(pick, (struct str){lines.ptr, picked});
        done += picked;
        scan->left = picked < lines.len;
    }
    scan->held = n - done;
    if (!scan->left && scan->held > scan->room / 2) {
        pick_part(pick, (struct str){scan->block + done, scan->held}, 0, from + done);
        scan->in_line = true;
        scan->held = 0;
    }
    memmove(scan->block, scan->block + done, scan->held);
}

/* Whether nothing but a hole has come; then it is passed over. */
static bool skip_hole(struct scan *scan, struct pick *pick, size_t n, uint64_t from) {
    uint64_t end = from + n;

    if (scan->peeks || !source_is_hole((struct str){scan->block + scan->held, n - scan->held}))
        return false;
    uint64_t data = source_skip_hole(scan->source, end);
    data = data < scan->end ? data : scan->end;
    if (data == end)
        return false;
    pick_part(pick, (struct str){scan->block, n}, data - end, from);
    scan->in_line = true;
    scan->held = 0;
    scan->at = data;
    return true;
}

/* The file, or the part, is over. */
static int finish(struct scan *scan, struct pick *pick) {
    uint64_t from = scan->at - scan->held;

    struct str held = {scan->block, scan->held};

    if (scan->unended && scan->in_line)
        pick_end(pick);
    else if (scan->unended && held.len > 0)
        pick_lines(pick, held, 0, from);
    else if (held.len > 0)
        pick_part(pick, held, 0, from);
    return scan->to != SCAN_ALL && scan->at < scan->to ? -ESTALE : 0;
}

int scan_step(struct scan *scan, struct pick *pick) {
    size_t n = scan->room - scan->held;
    uint64_t from = scan->at - scan->held;

    if (scan->left) {
        scan->left = false;
        take(scan, pick, scan->held, from);
        return 1;
    }
    if (scan->end - scan->at < n)
        n = (size_t)(scan->end - scan->at);
    ssize_t got = n ? source_read(scan->source, scan->block + scan->held, n, scan->at) : 0;
    if (got == -EAGAIN)
        return 1;
    if (got < 0)
        return (int)got;
    if (got == 0)
        return finish(scan, pick);
    scan->at += (uint64_t)got;
    n = scan->held + (size_t)got;
    if (!skip_hole(scan, pick, n, from))
        take(scan, pick, n, from);
    return 1;
}

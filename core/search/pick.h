/* pick: which lines of some bytes are wanted. */
#ifndef SEARCH_PICK_H
#define SEARCH_PICK_H

#include "logs/redact.h"
#include "search/matches.h"
#include "search/prefilter.h"
#include "tail/lines.h"

struct pick {
    /* Borrowed: */
    struct prefilter *prefilter; /* NULL: each line is asked about */
    struct sift *sift;           /* NULL: all lines are wanted */
    struct redact *redact;       /* NULL: they come as they are */
    size_t max_line;
    int64_t since, before; /* lines of another time are not wanted; STAMP_NONE: of any */
    struct matches *into;
    uint64_t limit;    /* what does not end before or there is not wanted */
    uint64_t until_ns; /* lines that are left then stay for the next step; 0: none may */
    /* Its own: */
    int64_t time;        /* that the last line before those to come told; STAMP_NONE: not known */
    const char *told_at; /* in the block: what the last line before that told; NULL: not asked */
    int64_t told;
    bool tuned; /* the prefilter has seen lines of this log */
    struct lines lines;
    uint64_t line_at; /* what of the line in `lines` was given ends here */
    bool in_pieces;   /* some of it was given */
};

void pick_init(struct pick *pick);
void pick_fini(struct pick *pick);
/* What comes next does not follow on what came before. */
void pick_restart(struct pick *pick);
/* What comes next is the rest of a line that is given in pieces, from `at` on. */
void pick_resume(struct pick *pick, uint64_t at);
/* Picks from whole lines, of which the last may lack its LF; they begin at the offset `at` of the
 * file. Their first `context` bytes, whole lines as well, only tell the time of what follows. How
 * many bytes it is through with: all, unless `until_ns` has come, or all matches are kept and these
 * are MATCHES_BYTES. */
size_t pick_lines(struct pick *pick, struct str lines, size_t context, uint64_t at);
/* Remembers the time that the last of these lines told, for those which come behind them. */
void pick_pass(struct pick *pick, struct str lines);
/* A line that does not come in one piece, up to its LF: some bytes of it and the hole behind them.
 * `at` is their offset. */
void pick_part(struct pick *pick, struct str bytes, uint64_t hole, uint64_t at);
/* No more of that line comes. */
void pick_end(struct pick *pick);

#endif

/* span: what a position can be sent next. */
#ifndef READ_SPAN_H
#define READ_SPAN_H

#include "base/buf.h"
#include "read/position.h"

#define SPAN_PIECES 64

/* A run of entries of one topic in one slab, or a gap. */
struct piece {
    const char *bytes; /* chunks of HTTP/1.1 */
    uint32_t len;
    uint32_t text_at;          /* a gap's text begins there in span->text */
    struct slab *slab;         /* NULL: a gap */
    struct interest *interest; /* NULL: a gap of the position, or an entry or gap of `replay` */
    struct replay *replay;
    uint64_t first, end; /* ordinals, or numbers in the replay: the first entry, and behind the last
                          */
    uint64_t past;       /* behind the superseded entries that are passed with the last one */
    uint64_t lost;       /* how many events a gap tells */
    bool ends;           /* no gap, but weir.end: nothing comes behind it */
};

/* What can be sent next. Holds its slabs until span_release. */
struct span {
    struct piece pieces[SPAN_PIECES];
    int count;
    size_t bytes;
    bool more;       /* there is more than fitted */
    bool ended;      /* nothing comes behind it, ever */
    struct buf text; /* the text of gaps and ends */
    /* What it was read for: positions that stand at the same place read it once. */
    struct topic *topic;
    uint64_t from;
    event_id id;   /* the id of its first entry */
    event_id upto; /* the id of its last entry or gap */
    bool skips, nameless;
};

void span_release(struct span *span);
/* The text of the first chunk of `*chunks`, which moves on to the next. */
struct str span_cut_chunk(struct str *chunks);
/* The next entries and gaps, at least one if there is any, else about `most` bytes. The span is
 * left as it is if it answers already. Nothing is read until span_advance. */
void span_read(struct position *position, struct span *span, size_t most);
/* Where the piece's first entry comes from: its topic's name, and its key, appended. False: it has
 * no key. A gap has neither. */
bool piece_origin(const struct piece *piece, struct buf *name, struct buf *key);
/* The first `taken` bytes have been sent. Returns how many of the next, half sent entry are left,
 * and in `*rest` where; it counts as read. 0: none. */
size_t span_advance(struct position *position, const struct span *span, size_t taken,
                    struct piece *rest);

#endif
